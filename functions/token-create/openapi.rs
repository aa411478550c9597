//! The OpenAPI description of the route.

use countersign_shared::http::dialects::mithril::{
    form::{AuthorizeGrant, ClientGrant, PasswordGrant, RefreshGrant, WrappedGrant},
    view::TokenAnswer,
};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    let grants = one_of([
        closed::<PasswordGrant>(),
        closed::<AuthorizeGrant>(),
        closed::<RefreshGrant>(),
        closed::<ClientGrant>(),
        closed::<WrappedGrant>(),
    ]);
    let operation = mithril("Give a token: for a password, a code, or a client's secret", route)
        // The 2FA token may be in the header or in the body.
        .security(SecurityRequirement::default())
        .security(any_token())
        .extensions(Some(verifies()))
        .response("201", json::<TokenAnswer>("The token, and what to do next with it; a code may be on its way"))
        .response("401", denied("The client, the person, the token or the code is not good, or the user is blocked"));
    sends_text(takes(operation, object(grants)))
}
