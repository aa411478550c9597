//! The OpenAPI description of the route.

use countersign_shared::http::dialects::mithril::{
    USER_BLOCK, envelope::MithrilError, form::BlockForm, view::UserAnswer,
};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    let operation = scoped("Block a user", route, USER_BLOCK)
        .response("200", json::<UserAnswer>("The user; all tokens have ended"))
        .response("404", json::<MithrilError>("No such user"))
        .response(
            "409",
            json::<MithrilError>("The user is blocked already, by an administrator or by failed attempts"),
        );
    may_take(operation, object(closed::<BlockForm>()))
}
