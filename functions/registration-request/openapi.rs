//! The OpenAPI description of the route.

use countersign_shared::http::dialects::era::{EraDone, body::RegistrationForm};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    asks_for_mail("Ask to register: a link comes by mail", route)
        .request_body(Some(object(closed::<RegistrationForm>())))
        .response("200", json::<EraDone>("A mail is on its way, as far as one may be sent"))
}
