//! The OpenAPI description of the route.

use countersign_shared::http::dialects::mithril::{
    envelope::MithrilError,
    form::{AppForm, PhoneForm},
    view::TokenAnswer,
};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    let operation = mithril(
        "Set a second factor: a code goes to the phone, or the answer has the secret for an authenticator app",
        route,
    )
    .security(any_token())
    .response(
        "201",
        json::<TokenAnswer>(
            "A 2fa_access_token, with which the code is to be given; for an authenticator app, the secret, shown once",
        ),
    )
    .response(
        "401",
        denied("No token, one that is not good for this, the user is blocked, or the password is wrong"),
    )
    .response(
        "403",
        json::<MithrilError>("An access token needs the scope `app:authorize` or `authentication_factor:write`")
            .header(CHALLENGE, text()),
    )
    .response("404", json::<MithrilError>("The user has no active factor"));
    sends_text(takes(operation, object(one_of([closed::<PhoneForm>(), closed::<AppForm>()]))))
}
