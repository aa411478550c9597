//! The OpenAPI description of the route.

use countersign_shared::http::dialects::mithril::{FACTOR_WRITE, envelope::MithrilError, view::FactorAnswer};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    takes_nothing(scoped("Let logins ask for a second factor again", route, FACTOR_WRITE))
        .response("200", json::<FactorAnswer>("The factor, enabled"))
        .response("404", no_factor())
        .response("409", json::<MithrilError>("It is enabled already"))
}
