//! Describes every route, from `openapi.rs` beside each handler; responses from the types of their bodies. Requests are
//! read field by field, so that all errors can be reported at once: their types exist for this document only.
//! `tests/openapi` checks both against what the routes accept and return.

mod broadleaf;
mod era;
mod gateway;
mod gitlab;
mod mithril;
mod operations;
mod parts;
pub mod prelude;
mod verify;

use countersign_shared::http::route::ROUTES;
use utoipa::openapi::{
    self, ComponentsBuilder, HttpMethod, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathsBuilder,
    header::HeaderBuilder,
    schema::{ObjectBuilder, Type},
    security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    server::Server,
    tag::TagBuilder,
};

use self::{
    gateway::{ON_EVERY_ANSWER, name_charset, with_gateway},
    parts::{ACCOUNT, DESCRIPTION, FACTOR, PASSCODE, PIN, VERIFY},
};

/// The document.
pub fn document() -> OpenApi {
    let mut paths = PathsBuilder::new();
    // HEAD is described in one sentence, and not for each route.
    for route in ROUTES.iter().filter(|route| route.method != "HEAD") {
        if let Some(operation) = operations::operation(route) {
            let mut operation = operation.build();
            if route.path.starts_with("/rest/v1/") || route.path == "/app-root" {
                name_charset(&mut operation);
            }
            let item = openapi::PathItem::new(method(route.method), with_gateway(operation));
            paths = paths.path(route.path, item);
        }
    }
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("An access token")).build();
    let private_token = ApiKey::Header(ApiKeyValue::new("PRIVATE-TOKEN"));
    let basic = HttpBuilder::new()
        .scheme(HttpAuthScheme::Basic)
        .description(Some("The SID of an account or a key, and its secret"));
    let components = ComponentsBuilder::new()
        .security_scheme("basic", SecurityScheme::Http(basic.build()))
        .security_scheme("bearer", SecurityScheme::Http(bearer))
        .security_scheme("private_token", SecurityScheme::ApiKey(private_token))
        .schemas_from_iter(parts::referred());
    let components = ON_EVERY_ANSWER.iter().fold(components, |components, (name, description)| {
        let text = ObjectBuilder::new().schema_type(Type::String);
        let header = HeaderBuilder::new().description(Some(*description)).schema(Some(text));
        components.header(*name, header.build())
    });
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Countersign")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(
                    "Proves that a person is who they say they are. HEAD answers as GET does, without a body, on every route but \
                     /passcode/retrieve. A request whose Content-Encoding is not identity is a 415 on all routes.",
                ))
                .license(Some(
                    LicenseBuilder::new()
                        .name("Apache-2.0")
                        .identifier(Some("Apache-2.0"))
                        .build(),
                )),
        )
        // Relative to where this document was loaded from.
        .servers(Some([Server::new("/")]))
        .tags(Some(TAGS.map(|(name, description)| {
            TagBuilder::new().name(name).description(Some(description)).build()
        })))
        .paths(paths)
        .components(Some(components.build()))
        .build()
}

const TAGS: [(&str, &str); 6] = [
    (PIN, "A temporary PIN, which a user reads to support. Like GitLab."),
    (ACCOUNT, "A mailed link, then a password. Like Era."),
    (PASSCODE, "One-time passcodes with a purpose. Like Broadleaf."),
    (FACTOR, "A login with a password, then a code by SMS. Like Mithril."),
    (VERIFY, "A code to any phone number or mail address. Like Twilio Verify v2."),
    (DESCRIPTION, "This document."),
];

fn method(name: &str) -> HttpMethod {
    match name {
        "POST" => HttpMethod::Post,
        "PUT" => HttpMethod::Put,
        "PATCH" => HttpMethod::Patch,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}
