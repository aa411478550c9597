//! The OpenAPI description of the route.

use countersign_shared::http::dialects::mithril::{envelope::MithrilError, form::OtpForm, view::TokenAnswer};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    let operation = mithril("Give the code that the new phone of one's second factor got", route)
        .security(any_token())
        .extensions(Some(verifies()))
        .response("201", json::<TokenAnswer>("The phone is set; an access token"))
        .response("401", denied("No token, one that is not good for this, a wrong code, or the user is blocked"))
        .response("404", json::<MithrilError>("The factor is gone, or disabled"))
        .response("429", too_soon("Too many codes tried"));
    takes(operation, object(closed::<OtpForm>()))
}
