//! The OpenAPI description of the route.

use countersign_shared::http::dialects::mithril::{
    FACTOR_READ, body::FactorFilter, envelope::MithrilError, view::FactorList,
};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    scoped("List a user's second factors", route, FACTOR_READ)
        .parameters(Some(parameters::<FactorFilter>()))
        .response("200", json::<FactorList>("All that are like this; phones are masked"))
        .response("404", json::<MithrilError>("No such user"))
        .response("422", json::<MithrilError>("A parameter cannot be taken"))
}
