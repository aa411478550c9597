//! The OpenAPI description of the route.

use countersign_shared::http::dialects::mithril::{
    FACTOR_INIT, envelope::MithrilError, form::ReauthenticationForm, view::RecoveryCodesAnswer,
};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    let operation = scoped("Make ten new recovery codes, which replace all earlier ones", route, FACTOR_INIT)
        .parameter(idempotency())
        .response("200", json::<RecoveryCodesAnswer>("The codes, shown once"))
        .response("401", denied("No token, one that is not good, the user is blocked, or the password is wrong"))
        .response("409", json::<MithrilError>("The user has set no second factor"))
        .response("429", too_soon("Too many guesses at the password"));
    takes(operation, object(closed::<ReauthenticationForm>()))
}
