//! The OpenAPI description of the routes.

use countersign_shared::http::dialects::mithril::{
    DEVICE_READ, DEVICE_WRITE, envelope::MithrilError, view::DeviceList,
};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    let ended = || ResponseBuilder::new().description("No token of these devices is valid any more");
    let read = |summary| scoped(summary, route, DEVICE_READ);
    let write = |summary| takes_nothing(scoped(summary, route, DEVICE_WRITE)).response("204", ended());
    match (route.method, route.path) {
        ("DELETE", "/mithril/api/users/{user_id}/devices") => write("End all known devices of a user")
            .operation_id(Some("user-devices-end-all"))
            .response("404", json::<MithrilError>("No such user")),
        ("DELETE", _) => write("End a known device of a user")
            .operation_id(Some("user-devices-end"))
            .response("404", json::<MithrilError>("No such user, or no such device")),
        _ => read("List a user's known devices")
            .operation_id(Some("user-devices-list"))
            .response("200", json::<DeviceList>("Those whose tokens are valid"))
            .response("404", json::<MithrilError>("No such user")),
    }
}
