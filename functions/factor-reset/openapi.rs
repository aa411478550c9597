//! The OpenAPI description of the route.

use countersign_shared::http::dialects::mithril::{FACTOR_RESET, view::FactorAnswer};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    takes_nothing(scoped("Empty a second factor: it has no phone any more", route, FACTOR_RESET))
        .response("200", json::<FactorAnswer>("The factor; a login asks for a new phone"))
        .response("404", no_factor())
}
