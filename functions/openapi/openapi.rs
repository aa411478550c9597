//! The OpenAPI description of the route.

use countersign_shared::http::dialects::plain;

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    named("This document", route)
        .tag(DESCRIPTION)
        .response(
            "200",
            ResponseBuilder::new().description("OpenAPI 3.1").content(
                "application/json",
                ContentBuilder::new().schema(Some(ObjectBuilder::new().schema_type(Type::Object))).build(),
            ),
        )
        .response("413", json::<plain::Message>("The body has more than 16 KiB"))
        .response("415", json::<plain::Message>("The body is encoded"))
        .response("500", json::<plain::Message>("Ours"))
        .response("503", unavailable(reference::<plain::Message>()))
}
