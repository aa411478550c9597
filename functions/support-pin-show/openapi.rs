//! The OpenAPI description of the route.

use countersign_shared::http::dialects::gitlab::{Message, SupportPin};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    gitlab("Show one's own support PIN", route)
        .response("200", json::<SupportPin>("The PIN; reading does not use it up"))
        .response("404", json::<Message>("There is none, or it ended"))
}
