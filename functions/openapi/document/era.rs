//! What the routes of registration and password reset have in common.

use countersign_shared::http::dialects::era::{EraError, PasswordSet, body::PasswordForm};

use super::parts::*;

pub fn era(summary: &str, route: &Route) -> OperationBuilder {
    named(summary, route)
        .tag(ACCOUNT)
        .response("400", json::<EraError>("The body is no JSON object"))
        .response("412", json::<EraError>("A field is missing, malformed, taken or not allowed"))
        .response("413", json::<EraError>("The body has more than 16 KiB"))
        .response("415", json::<EraError>("The body is no JSON, or it is encoded"))
        .response("500", json::<EraError>("Ours"))
        .response("503", unavailable(reference::<EraError>()))
}

/// A route that sends a mail to the given recipient: it is rate limited.
pub fn asks_for_mail(summary: &str, route: &Route) -> OperationBuilder {
    era(summary, route)
        .parameter(idempotency())
        .response("409", under_way())
        .response("429", json::<EraError>("Too many, too soon").header("Retry-After", seconds()))
        .response(
            "503",
            json::<EraError>("The mail cannot be sent, or something of ours gave no answer; a retry is possible")
                .header("Retry-After", seconds()),
        )
}

/// A route behind a mailed link.
pub fn link(summary: &str, route: &Route) -> OperationBuilder {
    era(summary, route)
        .parameter(
            ParameterBuilder::new()
                .name("uuid")
                .parameter_in(ParameterIn::Path)
                .required(Required::True)
                .description(Some("The credential that the mail's link ends with"))
                .schema(Some(uuid())),
        )
        .request_body(Some(object(closed::<PasswordForm>())))
        .response("200", json::<PasswordSet>("It is done"))
        .response("404", json::<EraError>("The link was used, or it is over, or never was"))
}

pub fn under_way() -> ResponseBuilder {
    json::<EraError>("The same call, by its Idempotency-Key, is under way").header("Retry-After", seconds())
}
