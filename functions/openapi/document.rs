//! The description of every route: paths from template.yaml, answers from the types that become their bodies. Requests are
//! read field by field, so that all that is wrong with one can be said at once: their types are made for this description.
//! `tests/openapi` holds both to what the routes take and answer.

mod gateway;
mod mithril;
mod parts;

use countersign_shared::http::{
    broadleaf::{
        ClientQuery, ConsumeForm, Consumed, InvalidateForm, RetrieveQuery, Retrieved, SpringError, Status, StatusQuery,
    },
    era::{
        Account, Details, EraDone, EraError, PasswordSet,
        body::{ChangeForm, PasswordForm, RegistrationForm, ResetForm},
    },
    gitlab::{Empty, ErrorText, Message, SupportPin, TokenError},
    plain,
    route::{ROUTES, Route},
};
use utoipa::{
    ToSchema,
    openapi::{
        self, ComponentsBuilder, ContentBuilder, HttpMethod, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder,
        PathsBuilder, RefOr, Required, ResponseBuilder, SecurityRequirement,
        header::HeaderBuilder,
        path::{Operation, OperationBuilder, ParameterBuilder, ParameterIn},
        schema::{AnyOfBuilder, ObjectBuilder, OneOfBuilder, Schema, Type},
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
        server::Server,
        tag::TagBuilder,
    },
};

use self::{
    gateway::{ON_EVERY_ANSWER, name_charset, with_gateway},
    parts::{
        CHALLENGE, any_of, closed, form, idempotency, json, json_of, named, number, object, one_of, parameters,
        reference, seconds, text, unavailable, uuid, verifies,
    },
};

/// The document.
pub fn document() -> OpenApi {
    let mut paths = PathsBuilder::new();
    // HEAD is said in a sentence, and not route by route.
    for route in ROUTES.iter().filter(|route| route.method != "HEAD") {
        if let Some(mut operation) = operation(route) {
            if route.path.starts_with("/rest/v1/") || route.path == "/app-root" {
                name_charset(&mut operation);
            }
            let item = openapi::PathItem::new(method(route.method), with_gateway(operation));
            paths = paths.path(route.path, item);
        }
    }
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An access token"))
        .build();
    let private_token = ApiKey::Header(ApiKeyValue::new("PRIVATE-TOKEN"));
    let components = ComponentsBuilder::new()
        .security_scheme("bearer", SecurityScheme::Http(bearer))
        .security_scheme("private_token", SecurityScheme::ApiKey(private_token))
        .schemas_from_iter(schemas().into_iter().chain(mithril::schemas()));
    let components = ON_EVERY_ANSWER
        .iter()
        .fold(components, |components, (name, description)| {
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
        // Wherever this document was read.
        .servers(Some([Server::new("/")]))
        .tags(Some(TAGS.map(|(name, description)| {
            TagBuilder::new().name(name).description(Some(description)).build()
        })))
        .paths(paths)
        .components(Some(components.build()))
        .build()
}

const PIN: &str = "Support PIN";
const ACCOUNT: &str = "Registration and password reset";
const PASSCODE: &str = "Passcodes";
const FACTOR: &str = "Tokens and second factors";
const DESCRIPTION: &str = "Description";
const TAGS: [(&str, &str); 5] = [
    (PIN, "A temporary PIN, which a user reads to support. Like GitLab."),
    (ACCOUNT, "A mailed link, then a password. Like Era."),
    (PASSCODE, "One-time passcodes with a purpose. Like Broadleaf."),
    (FACTOR, "A login with a password, then a code by SMS. Like Mithril."),
    (DESCRIPTION, "This document."),
];

fn schemas() -> Vec<(String, RefOr<Schema>)> {
    fn named<T: ToSchema>() -> (String, RefOr<Schema>) {
        (T::name().into_owned(), T::schema())
    }
    vec![
        named::<SupportPin>(),
        named::<Empty>(),
        named::<Message>(),
        named::<ErrorText>(),
        named::<TokenError>(),
        named::<Retrieved>(),
        named::<Consumed>(),
        named::<Status>(),
        named::<SpringError>(),
        named::<ConsumeForm>(),
        named::<InvalidateForm>(),
        closed::<RegistrationForm>(),
        closed::<PasswordForm>(),
        closed::<ResetForm>(),
        closed::<ChangeForm>(),
        named::<EraDone>(),
        named::<PasswordSet>(),
        named::<EraError>(),
        named::<Account>(),
        named::<Details>(),
        named::<plain::Message>(),
    ]
}

fn operation(route: &Route) -> Option<Operation> {
    let operation = match route.function {
        "support-pin-create" => gitlab("Make a support PIN", route)
            .response("201", json::<SupportPin>("The PIN; an earlier one is gone"))
            .response("422", json::<ErrorText>("The store failed")),
        "support-pin-show" => gitlab("Show one's own support PIN", route)
            .response("200", json::<SupportPin>("The PIN; reading does not use it up"))
            .response("404", json::<Message>("There is none, or it ended")),
        "support-pin-show-user" => gitlab("Show a user's support PIN to an administrator", route)
            .response("200", json::<SupportPin>("The PIN; reading does not use it up"))
            .response("404", json::<Message>("No such user, or no PIN"))
            .response("422", json::<ErrorText>("The store failed")),
        "support-pin-revoke" => gitlab("Revoke a user's support PIN, for an administrator", route)
            .response("202", json::<Empty>("It is revoked"))
            .response("404", json::<Message>("No such user, or no PIN"))
            .response("422", json::<ErrorText>("The store failed")),
        "passcode-retrieve" => broadleaf("Make a passcode for a user and a purpose", route)
            .parameters(Some(parameters::<RetrieveQuery>()))
            .response("200", json::<Retrieved>("The passcode, for the user, and its id"))
            .response("429", exhausted("Too many short passcodes made")),
        "passcode-consume" => broadleaf("Consume a passcode", route)
            .extensions(Some(verifies()))
            .request_body(Some(form::<ConsumeForm>()))
            .response("200", json::<Consumed>("It was good, and is used up"))
            .response("415", json::<SpringError>("The body is no form, or it is encoded"))
            .response("429", exhausted("Too many guesses at short passcodes")),
        "passcode-status" => broadleaf("Tell whether a passcode could be consumed", route)
            .parameters(Some(parameters::<StatusQuery>()))
            .response("200", json::<Status>("Its status"))
            .response("404", json::<SpringError>("No such passcode of this client")),
        "passcode-invalidate" => broadleaf("Invalidate a passcode", route)
            .request_body(Some(form::<InvalidateForm>()))
            .response("200", json::<Status>("It is not valid any more"))
            .response("404", json::<SpringError>("No such passcode of this client"))
            .response("415", json::<SpringError>("The body is no form, or it is encoded")),
        "registration-request" => asks_for_mail("Ask to register: a link comes by mail", route)
            .request_body(Some(object(reference::<RegistrationForm>())))
            .response(
                "200",
                json::<EraDone>("A mail is on its way, as far as one may be sent"),
            ),
        "registration-confirm" => link("Make the account, with a password", route),
        "password-reset-request" => asks_for_mail(
            "Ask for a password reset, signed out: a link comes by mail; or change the password, signed in",
            route,
        )
        // Signed out is one way, signed in the other.
        .security(SecurityRequirement::default())
        .security(SecurityRequirement::new("bearer", ["api"]))
        .request_body(Some(object(one_of([
            reference::<ResetForm>(),
            reference::<ChangeForm>(),
        ]))))
        .response(
            "200",
            json_of(
                "A mail is on its way, as far as one may be sent; or the password is changed",
                one_of([reference::<EraDone>(), reference::<PasswordSet>()]),
            ),
        )
        .response(
            "401",
            json::<EraError>("Signed in: no token, or one that is not good").header(CHALLENGE, text()),
        )
        .response(
            "403",
            json::<EraError>("Signed in: blocked, or the scope is too small; the latter has a challenge")
                .header(CHALLENGE, text()),
        ),
        "password-reset-confirm" => link("Set a new password", route)
            .parameter(idempotency())
            .response("409", under_way()),
        "token-create" => mithril::token_create(route),
        "factor-create" => mithril::factor_create(route),
        "factor-list" => mithril::factor_list(route),
        "factor-show" => mithril::factor_show(route),
        "factor-reset" => mithril::factor_reset(route),
        "factor-disable" => mithril::factor_disable(route),
        "factor-enable" => mithril::factor_enable(route),
        "otp-create" => mithril::otp_create(route),
        "factor-init" => mithril::factor_init(route),
        "factor-approve" => mithril::factor_approve(route),
        "user-block" => mithril::user_block(route),
        "user-unblock" => mithril::user_unblock(route),
        "user-create" => mithril::user_create(route),
        "app-root" => named("The page behind mailed links", route)
            .tag(ACCOUNT)
            .response(
                "200",
                ResponseBuilder::new()
                    .description("A page in the reader's language")
                    .header("Content-Language", text())
                    .header("Vary", text())
                    .content(
                        "text/html",
                        ContentBuilder::new()
                            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
                            .build(),
                    ),
            )
            .response("413", json::<EraError>("The body has more than 16 KiB"))
            .response("415", json::<EraError>("The body is encoded"))
            .response("500", json::<EraError>("Ours"))
            .response("503", unavailable(reference::<EraError>())),
        "openapi" => named("This document", route)
            .tag(DESCRIPTION)
            .response(
                "200",
                ResponseBuilder::new().description("OpenAPI 3.1").content(
                    "application/json",
                    ContentBuilder::new()
                        .schema(Some(ObjectBuilder::new().schema_type(Type::Object)))
                        .build(),
                ),
            )
            .response("413", json::<plain::Message>("The body has more than 16 KiB"))
            .response("415", json::<plain::Message>("The body is encoded"))
            .response("500", json::<plain::Message>("Ours"))
            .response("503", unavailable(reference::<plain::Message>())),
        _ => return None,
    };
    Some(operation.build())
}

fn gitlab(summary: &str, route: &Route) -> OperationBuilder {
    let refused = Schema::OneOf(
        OneOfBuilder::new()
            .item(reference::<Message>())
            .item(reference::<TokenError>())
            .build(),
    );
    let operation = named(summary, route)
        .tag(PIN)
        .security(SecurityRequirement::new("private_token", [] as [&str; 0]))
        .security(SecurityRequirement::new("bearer", [] as [&str; 0]))
        .response("400", json::<Message>("The query cannot be read"))
        .response(
            "401",
            json_of("No token, or one that is not good", refused.clone()).header(CHALLENGE, text()),
        )
        .response(
            "403",
            json_of(
                "Not an administrator, blocked, the scope is too small, or `Sudo` was sent",
                refused,
            )
            .header(CHALLENGE, text()),
        )
        .response("413", json::<Message>("The body has more than 16 KiB"))
        .response(
            "415",
            json::<ErrorText>("There is a body of a type that is not read, or one that is encoded"),
        )
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

fn era(summary: &str, route: &Route) -> OperationBuilder {
    named(summary, route)
        .tag(ACCOUNT)
        .response("400", json::<EraError>("The body is no JSON object"))
        .response(
            "412",
            json::<EraError>("A field is missing, malformed, taken or not allowed"),
        )
        .response("413", json::<EraError>("The body has more than 16 KiB"))
        .response("415", json::<EraError>("The body is no JSON, or it is encoded"))
        .response("500", json::<EraError>("Ours"))
        .response("503", unavailable(reference::<EraError>()))
}

/// What sends a mail to whoever is named: it may be asked for only so often.
fn asks_for_mail(summary: &str, route: &Route) -> OperationBuilder {
    era(summary, route)
        .parameter(idempotency())
        .response("409", under_way())
        .response(
            "429",
            json::<EraError>("Too many, too soon").header("Retry-After", seconds()),
        )
        .response(
            "503",
            json::<EraError>("The mail cannot be sent, or something of ours gave no answer; nothing stands in the way of another try")
                .header("Retry-After", seconds()),
        )
}

/// What is behind a mailed link.
fn link(summary: &str, route: &Route) -> OperationBuilder {
    era(summary, route)
        .parameter(
            ParameterBuilder::new()
                .name("uuid")
                .parameter_in(ParameterIn::Path)
                .required(Required::True)
                .description(Some("The credential that the mail's link ends with"))
                .schema(Some(uuid())),
        )
        .request_body(Some(object(reference::<PasswordForm>())))
        .response("200", json::<PasswordSet>("It is done"))
        .response(
            "404",
            json::<EraError>("The link was used, or it is over, or never was"),
        )
}

fn exhausted(description: &str) -> ResponseBuilder {
    json::<SpringError>(description).header("Retry-After", seconds())
}

fn under_way() -> ResponseBuilder {
    json::<EraError>("The same call, by its Idempotency-Key, is under way").header("Retry-After", seconds())
}

fn broadleaf(summary: &str, route: &Route) -> OperationBuilder {
    named(summary, route)
        .tag(PASSCODE)
        .security(SecurityRequirement::new("bearer", ["passcode"]))
        .parameters(Some(parameters::<ClientQuery>()))
        .response(
            "400",
            json::<SpringError>("The request cannot be read, or the passcode is not good for it"),
        )
        // The second form is the gateway's, where it verifies an identity provider's tokens.
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

fn method(name: &str) -> HttpMethod {
    match name {
        "POST" => HttpMethod::Post,
        "PUT" => HttpMethod::Put,
        "PATCH" => HttpMethod::Patch,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}
