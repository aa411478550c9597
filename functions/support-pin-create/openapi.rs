//! The OpenAPI description of the route.

use countersign_shared::http::dialects::gitlab::{ErrorText, SupportPin};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    gitlab("Make a support PIN", route)
        .response("201", json::<SupportPin>("The PIN; an earlier one is gone"))
        .response("422", json::<ErrorText>("The store failed"))
}
