//! The OpenAPI description of the route.

use countersign_shared::http::dialects::mithril::{
    USER_WRITE,
    form::{UserForm, WrappedUser},
    view::UserAnswer,
};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    let operation = scoped("Make a user", route, USER_WRITE)
        .description(Some("An administrator is made by an administrator of the domain, or with the scope `user:admin`"))
        .response("201", json::<UserAnswer>("The user"));
    takes(operation, object(one_of([closed::<UserForm>(), closed::<WrappedUser>()])))
}
