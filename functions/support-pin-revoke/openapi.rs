//! The OpenAPI description of the route.

use countersign_shared::http::dialects::gitlab::{Empty, ErrorText, Message};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    gitlab("Revoke a user's support PIN, for an administrator", route)
        .response("202", json::<Empty>("It is revoked"))
        .response("404", json::<Message>("No such user, or no PIN"))
        .response("422", json::<ErrorText>("The store failed"))
}
