//! The OpenAPI description of the route.

use countersign_shared::http::dialects::mithril::{USER_UNBLOCK, envelope::MithrilError, view::UserAnswer};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    takes_nothing(scoped("Lift a user's block", route, USER_UNBLOCK))
        .response("200", json::<UserAnswer>("The user; failures count anew"))
        .response("404", json::<MithrilError>("No such user"))
        .response("409", json::<MithrilError>("The user is not blocked"))
}
