//! The OpenAPI description of the route.

use countersign_shared::http::dialects::broadleaf::{RetrieveQuery, Retrieved};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    broadleaf("Make a passcode for a user and a purpose", route)
        .parameters(Some(parameters::<RetrieveQuery>()))
        .response("200", json::<Retrieved>("The passcode, for the user, and its id"))
        .response("429", exhausted("Too many short passcodes made"))
}
