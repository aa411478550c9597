//! What the support PIN routes have in common.

use countersign_shared::http::dialects::gitlab::{ErrorText, Message, TokenError};

use super::parts::*;

pub fn gitlab(summary: &str, route: &Route) -> OperationBuilder {
    let refused =
        Schema::OneOf(OneOfBuilder::new().item(reference::<Message>()).item(reference::<TokenError>()).build());
    let operation = named(summary, route)
        .tag(PIN)
        .security(SecurityRequirement::new("private_token", [] as [&str; 0]))
        .security(SecurityRequirement::new("bearer", [] as [&str; 0]))
        .response("400", json::<Message>("The query cannot be read"))
        .response("401", json_of("No token, or one that is not good", refused.clone()).header(CHALLENGE, text()))
        .response(
            "403",
            json_of("Not an administrator, blocked, the scope is too small, or `Sudo` was sent", refused)
                .header(CHALLENGE, text()),
        )
        .response("413", json::<Message>("The body has more than 16 KiB"))
        .response("415", json::<ErrorText>("There is a body of a type that is not read, or one that is encoded"))
        .response("500", json::<Message>("Ours"))
        .response("503", unavailable(reference::<Message>()));
    match route.path.contains("{id}") {
        true => operation.parameter(
            ParameterBuilder::new()
                .name("id")
                .parameter_in(ParameterIn::Path)
                .required(Required::True)
                .description(Some("The user's id, or the number that the operator gave the user"))
                .schema(Some(AnyOfBuilder::new().item(uuid()).item(number()))),
        ),
        false => operation,
    }
}
