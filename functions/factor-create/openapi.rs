//! The OpenAPI description of the route.

use countersign_shared::http::dialects::mithril::{
    FACTOR_WRITE, envelope::MithrilError, form::NewFactorForm, view::FactorAnswer,
};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    let operation = scoped("Make a second factor for a user, without a value", route, FACTOR_WRITE)
        .response("201", json::<FactorAnswer>("The factor; a login asks for it").header("Location", text()))
        .response("404", json::<MithrilError>("No such user"))
        .response("409", json::<MithrilError>("The user is blocked, or has a factor of this type"));
    takes(operation, object(closed::<NewFactorForm>()))
}
