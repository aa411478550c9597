//! The OpenAPI description of the route.

use countersign_shared::http::dialects::era::{
    EraDone, EraError, PasswordSet,
    body::{ChangeForm, ResetForm},
};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    asks_for_mail(
        "Ask for a password reset, signed out: a link comes by mail; or change the password, signed in",
        route,
    )
    // Either signed out or signed in.
    .security(SecurityRequirement::default())
    .security(SecurityRequirement::new("bearer", ["api"]))
    .request_body(Some(object(one_of([closed::<ResetForm>(), closed::<ChangeForm>()]))))
    .response(
        "200",
        json_of(
            "A mail is on its way, as far as one may be sent; or the password is changed",
            one_of([reference::<EraDone>(), reference::<PasswordSet>()]),
        ),
    )
    .response("401", json::<EraError>("Signed in: no token, or one that is not good").header(CHALLENGE, text()))
    .response(
        "403",
        json::<EraError>("Signed in: blocked, or the scope is too small; the latter has a challenge")
            .header(CHALLENGE, text()),
    )
}
