//! What the routes of tokens, second factors and their users have in common.

use countersign_shared::{
    domain::auth::scope::Needed,
    http::dialects::mithril::{envelope::MithrilError, form::Nothing},
};

use super::parts::*;

/// What every route of the family has in common.
pub fn mithril(summary: &str, route: &Route) -> OperationBuilder {
    let operation = named(summary, route)
        .tag(FACTOR)
        .response("400", json::<MithrilError>("The request cannot be read"))
        .response("413", json::<MithrilError>("The body has more than 16 KiB"))
        .response("415", json::<MithrilError>("The body is encoded"))
        .response("500", json::<MithrilError>("Ours"))
        .response("503", unavailable(reference::<MithrilError>()));
    let id = if route.path.contains("/devices/") {
        "The device's id"
    } else {
        "The factor's id"
    };
    let of_path = [("user_id", "The user's id"), ("id", id)];
    of_path.iter().filter(|(name, _)| route.path.contains(&format!("{{{name}}}"))).fold(
        operation,
        |operation, (name, description)| {
            operation.parameter(
                ParameterBuilder::new()
                    .name(*name)
                    .parameter_in(ParameterIn::Path)
                    .required(Required::True)
                    .description(Some(*description))
                    .schema(Some(uuid())),
            )
        },
    )
}

/// A route for holders of an access token with one of these scopes.
pub fn scoped(summary: &str, route: &Route, needed: Needed) -> OperationBuilder {
    let scopes = needed.any_of.iter().map(|scope| scope.name());
    mithril(summary, route)
        .security(SecurityRequirement::new("bearer", scopes))
        .response("401", denied("No token, one that is not good, or the caller is blocked"))
        .response(
            "403",
            json::<MithrilError>("The scope is too small: then there is a challenge; or it is not the caller's to do")
                .header(CHALLENGE, text()),
        )
}

/// A token for which no scope is required.
pub fn any_token() -> SecurityRequirement {
    SecurityRequirement::new("bearer", [] as [&str; 0])
}

pub fn takes(operation: OperationBuilder, body: RequestBody) -> OperationBuilder {
    operation
        .request_body(Some(body))
        .response("415", json::<MithrilError>("The body is no JSON, or it is encoded"))
        .response(
            "422",
            json::<MithrilError>("Fields are missing, malformed, unknown or taken: all of them are named"),
        )
}

/// A route whose body is optional.
pub fn may_take(operation: OperationBuilder, mut body: RequestBody) -> OperationBuilder {
    body.required = Some(Required::False);
    takes(operation, body)
}

/// A route whose body, if present, is an object without fields.
pub fn takes_nothing(operation: OperationBuilder) -> OperationBuilder {
    let mut body = object(closed::<Nothing>());
    body.required = Some(Required::False);
    operation
        .request_body(Some(body))
        .response("415", json::<MithrilError>("There is a body, and it is no JSON, or it is encoded"))
        .response("422", json::<MithrilError>("There is a field, where none is known"))
}

/// A route that sends a text message: a retry sends no second one (idempotency).
pub fn sends_text(operation: OperationBuilder) -> OperationBuilder {
    operation
        .parameter(idempotency())
        .response(
            "409",
            json::<MithrilError>(
                "There is no factor that a code could be sent for, or the same call, by its Idempotency-Key, is under way",
            )
            .header("Retry-After", seconds()),
        )
        .response("429", too_soon("Too many codes sent or tried"))
        .response(
            "503",
            json::<MithrilError>("The text message cannot be sent, or something of ours gave no answer; a retry is possible")
                .header("Retry-After", seconds()),
        )
}

pub fn no_factor() -> ResponseBuilder {
    json::<MithrilError>("No such user, or no such factor")
}

pub fn denied(description: &str) -> ResponseBuilder {
    json::<MithrilError>(description).header(CHALLENGE, text())
}

pub fn too_soon(description: &str) -> ResponseBuilder {
    json::<MithrilError>(description).header("Retry-After", seconds())
}
