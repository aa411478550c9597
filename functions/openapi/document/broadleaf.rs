//! What the passcode routes have in common.

use countersign_shared::http::dialects::{
    broadleaf::{ClientQuery, SpringError},
    plain,
};

use super::parts::*;

pub fn broadleaf(summary: &str, route: &Route) -> OperationBuilder {
    named(summary, route)
        .tag(PASSCODE)
        .security(SecurityRequirement::new("bearer", ["passcode"]))
        .parameters(Some(parameters::<ClientQuery>()))
        .response("400", json::<SpringError>("The request cannot be read, or the passcode is not good for it"))
        // The second form is the gateway's, when it verifies an identity provider's tokens.
        .response(
            "401",
            json_of(
                "No token, or one that is not good",
                any_of([reference::<SpringError>().into(), reference::<plain::Message>().into()]),
            )
            .header(CHALLENGE, text()),
        )
        .response(
            "403",
            json::<SpringError>("The scope is too small, or the client is another").header(CHALLENGE, text()),
        )
        .response("413", json::<SpringError>("The body has more than 16 KiB"))
        .response("415", json::<SpringError>("The body is encoded"))
        .response("500", json::<SpringError>("Ours"))
        .response("503", unavailable(reference::<SpringError>()))
}

pub fn exhausted(description: &str) -> ResponseBuilder {
    json::<SpringError>(description).header("Retry-After", seconds())
}
