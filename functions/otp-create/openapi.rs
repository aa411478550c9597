//! The OpenAPI description of the route.

use countersign_shared::http::dialects::mithril::{envelope::MithrilError, form::CodeForm, view::UserAnswer};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    let operation = mithril("Send another code, to the holder of a 2fa_access_token", route)
        // The token may be in the header or in the body.
        .security(SecurityRequirement::default())
        .security(any_token())
        .response("200", json::<UserAnswer>("The code is on its way, and earlier ones are gone"))
        .response("401", denied("No token, one that is not good, or the user is blocked"))
        .response("403", json::<MithrilError>("The token is another user's"));
    sends_text(may_take(operation, object(closed::<CodeForm>())))
}
