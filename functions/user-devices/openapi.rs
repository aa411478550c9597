//! The OpenAPI description of the routes.

use countersign_shared::http::dialects::mithril::{
    DEVICE_READ, DEVICE_WRITE, envelope::MithrilError, view::DeviceList,
};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    let ended = || ResponseBuilder::new().description("No token of these devices is valid any more");
    match (route.method, route.path) {
        ("DELETE", "/mithril/api/users/{user_id}/devices") => {
            scoped("End all known devices of a user", route, DEVICE_WRITE)
                .response("204", ended())
                .response("404", json::<MithrilError>("No such user"))
        }
        ("DELETE", _) => scoped("End a known device of a user", route, DEVICE_WRITE)
            .response("204", ended())
            .response("404", json::<MithrilError>("No such user, or no such device")),
        _ => scoped("List a user's known devices", route, DEVICE_READ)
            .response("200", json::<DeviceList>("Those whose tokens are valid"))
            .response("404", json::<MithrilError>("No such user")),
    }
}
