//! The OpenAPI description of the route.

use countersign_shared::http::dialects::verify::{VerificationBody, VerifyError};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    verification("verification-show", "Show a verification", route)
        .response("200", json::<VerificationBody>("It"))
        .response("400", json::<VerifyError>("The SID is malformed"))
}
