//! The OpenAPI description of the route.

use countersign_shared::http::dialects::mithril::{FACTOR_READ, view::FactorAnswer};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    scoped("Show a user's second factor", route, FACTOR_READ)
        .response("200", json::<FactorAnswer>("The factor; its phone is masked"))
        .response("404", no_factor())
}
