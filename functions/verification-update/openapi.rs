//! The OpenAPI description of the route.

use countersign_shared::http::dialects::verify::{StatusForm, VerificationBody, VerifyError};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    verification("verification-update", "Cancel a verification, or approve it without its code", route)
        .request_body(Some(form_with::<StatusForm>(&[])))
        .response("200", json::<VerificationBody>("As it ended"))
        .response("400", json::<VerifyError>("A parameter is not valid"))
        .response("415", json::<VerifyError>("The body is no form, or it is encoded"))
}
