//! The OpenAPI description of the route.

use countersign_shared::http::dialects::mithril::{envelope::MithrilError, form::FactorForm, view::TokenAnswer};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    let operation = mithril("Set or change the phone of one's second factor: a code goes there", route)
        .security(any_token())
        .response("201", json::<TokenAnswer>("A 2fa_access_token, with which the code is to be given"))
        .response("401", denied("No token, one that is not good for this, or the user is blocked"))
        .response(
            "403",
            json::<MithrilError>("An access token needs the scope `app:authorize` or `authentication_factor:write`")
                .header(CHALLENGE, text()),
        )
        .response("404", json::<MithrilError>("The user has no active factor"));
    sends_text(takes(operation, object(closed::<FactorForm>())))
}
