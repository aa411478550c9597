//! The OpenAPI description of the route.

use countersign_shared::http::dialects::broadleaf::{SpringError, Status, StatusQuery};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    broadleaf("Tell whether a passcode could be consumed", route)
        .parameters(Some(parameters::<StatusQuery>()))
        .response("200", json::<Status>("Its status"))
        .response("404", json::<SpringError>("No such passcode of this client"))
}
