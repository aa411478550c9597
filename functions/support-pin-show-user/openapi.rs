//! The OpenAPI description of the route.

use countersign_shared::http::dialects::gitlab::{ErrorText, Message, SupportPin};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    gitlab("Show a user's support PIN to an administrator", route)
        .response("200", json::<SupportPin>("The PIN; reading does not use it up"))
        .response("404", json::<Message>("No such user, or no PIN"))
        .response("422", json::<ErrorText>("The store failed"))
}
