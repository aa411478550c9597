//! The OpenAPI description of the route.

use countersign_shared::http::dialects::era::EraError;

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    named("The page behind mailed links", route)
        .tag(ACCOUNT)
        .response(
            "200",
            ResponseBuilder::new()
                .description("A page in the reader's language")
                .header("Content-Language", text())
                .header("Vary", text())
                .content(
                    "text/html",
                    ContentBuilder::new().schema(Some(ObjectBuilder::new().schema_type(Type::String))).build(),
                ),
        )
        .response("413", json::<EraError>("The body has more than 16 KiB"))
        .response("415", json::<EraError>("The body is encoded"))
        .response("500", json::<EraError>("Ours"))
        .response("503", unavailable(reference::<EraError>()))
}
