//! The description of every route: paths from template.yaml, bodies from the types that the handlers use.

mod mithril;

use countersign_shared::http::{
    broadleaf::{
        ClientQuery, ConsumeForm, Consumed, InvalidateForm, RetrieveQuery, Retrieved, SpringError, Status, StatusQuery,
    },
    era::{
        self, Account, Details, EraDone, EraError, PasswordSet,
        body::{ChangeForm, PasswordForm, RegistrationForm, ResetForm},
    },
    gitlab::{Empty, ErrorText, Message, SupportPin, TokenError},
    plain,
    reply::{Dialect, JSON},
    route::Route,
};
use utoipa::{
    IntoParams, ToSchema,
    openapi::{
        self, ComponentsBuilder, ContentBuilder, Header, HttpMethod, InfoBuilder, LicenseBuilder, OpenApi,
        OpenApiBuilder, PathsBuilder, Ref, RefOr, Required, ResponseBuilder, SecurityRequirement,
        extensions::{Extensions, ExtensionsBuilder},
        header::HeaderBuilder,
        path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
        request_body::{RequestBody, RequestBodyBuilder},
        schema::{ObjectBuilder, OneOfBuilder, Schema, Type},
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

include!(concat!(env!("OUT_DIR"), "/routes.rs"));

/// The document.
pub fn document() -> OpenApi {
    let mut paths = PathsBuilder::new();
    for route in ROUTES {
        if let Some(mut operation) = operation(route) {
            if route.path.starts_with("/rest/v1/") || route.path == "/app-root" {
                name_charset(&mut operation);
            }
            let item = openapi::PathItem::new(method(route.method), operation);
            paths = paths.path(route.path, item);
        }
    }
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An access token"))
        .build();
    let private_token = ApiKey::Header(ApiKeyValue::new("PRIVATE-TOKEN"));
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Countersign")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some("Proves that a person is who they say they are."))
                .license(Some(
                    LicenseBuilder::new()
                        .name("Apache-2.0")
                        .identifier(Some("Apache-2.0"))
                        .build(),
                )),
        )
        .paths(paths)
        .components(Some(
            ComponentsBuilder::new()
                .security_scheme("bearer", SecurityScheme::Http(bearer))
                .security_scheme("private_token", SecurityScheme::ApiKey(private_token))
                .schemas_from_iter(schemas().into_iter().chain(mithril::schemas()))
                .build(),
        ))
        .build()
}

/// Gives the JSON answers of an operation the media type that the Era dialect gives them.
fn name_charset(operation: &mut Operation) {
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response
            && let Some(content) = response.content.shift_remove(JSON)
        {
            response.content.insert(era::Error::MEDIA_TYPE.to_owned(), content);
        }
    }
}

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
        named::<RegistrationForm>(),
        named::<PasswordForm>(),
        named::<ResetForm>(),
        named::<ChangeForm>(),
        named::<EraDone>(),
        named::<PasswordSet>(),
        named::<EraError>(),
        named::<Account>(),
        named::<Details>(),
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
            .response("415", json::<SpringError>("The body is no form"))
            .response("429", exhausted("Too many guesses at short passcodes")),
        "passcode-status" => broadleaf("Tell whether a passcode could be consumed", route)
            .parameters(Some(parameters::<StatusQuery>()))
            .response("200", json::<Status>("Its status"))
            .response("404", json::<SpringError>("No such passcode of this client")),
        "passcode-invalidate" => broadleaf("Invalidate a passcode", route)
            .request_body(Some(form::<InvalidateForm>()))
            .response("200", json::<Status>("It is not valid any more"))
            .response("404", json::<SpringError>("No such passcode of this client"))
            .response("415", json::<SpringError>("The body is no form")),
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
            .parameter(repetition())
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
            .tag("Registration and password reset")
            .response(
                "200",
                ResponseBuilder::new()
                    .description("A page in the reader's language")
                    .content(
                        "text/html",
                        ContentBuilder::new()
                            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
                            .build(),
                    ),
            )
            .response("413", json::<EraError>("The body has more than 16 KiB"))
            .response("500", json::<EraError>("Ours"))
            .response("503", unavailable(reference::<EraError>())),
        "openapi" => named("This document", route)
            .tag("Description")
            .response(
                "200",
                ResponseBuilder::new().description("OpenAPI 3.1").content(
                    "application/json",
                    ContentBuilder::new()
                        .schema(Some(ObjectBuilder::new().schema_type(Type::Object)))
                        .build(),
                ),
            )
            .response(
                "413",
                json_of("The body has more than 16 KiB", inline::<plain::Message>()),
            )
            .response("500", json_of("Ours", inline::<plain::Message>()))
            .response("503", unavailable(inline::<plain::Message>())),
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
        .tag("Support PIN")
        .security(SecurityRequirement::new("private_token", [] as [&str; 0]))
        .security(SecurityRequirement::new("bearer", [] as [&str; 0]))
        .response("400", json::<Message>("The query cannot be read"))
        .response(
            "401",
            json_of("No token, or one that is not good", refused.clone()).header(CHALLENGE, text()),
        )
        .response(
            "403",
            json_of("Not an administrator, blocked, or the scope is too small", refused).header(CHALLENGE, text()),
        )
        .response("413", json::<Message>("The body has more than 16 KiB"))
        .response("415", json::<ErrorText>("There is a body of a type that is not read"))
        .response("500", json::<Message>("Ours"))
        .response("503", unavailable(reference::<Message>()));
    match route.path.contains("{id}") {
        true => operation.parameter(
            ParameterBuilder::new()
                .name("id")
                .parameter_in(ParameterIn::Path)
                .required(Required::True)
                .description(Some("The user's id"))
                .schema(Some(ObjectBuilder::new().schema_type(Type::String))),
        ),
        false => operation,
    }
}

fn era(summary: &str, route: &Route) -> OperationBuilder {
    named(summary, route)
        .tag("Registration and password reset")
        .response("400", json::<EraError>("The body is no JSON object"))
        .response(
            "412",
            json::<EraError>("A field is missing, malformed, taken or not allowed"),
        )
        .response("413", json::<EraError>("The body has more than 16 KiB"))
        .response("415", json::<EraError>("The body is no JSON"))
        .response("500", json::<EraError>("Ours"))
        .response("503", unavailable(reference::<EraError>()))
}

/// What sends a mail to whoever is named: it may be asked for only so often.
fn asks_for_mail(summary: &str, route: &Route) -> OperationBuilder {
    era(summary, route)
        .parameter(repetition())
        .response("409", under_way())
        .response(
            "429",
            json::<EraError>("Too many, too soon").header("Retry-After", text()),
        )
        .response(
            "503",
            json::<EraError>("The mail cannot be sent, or something of ours gave no answer; nothing stands in the way of another try")
                .header("Retry-After", text()),
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
                .schema(Some(ObjectBuilder::new().schema_type(Type::String))),
        )
        .request_body(Some(object(reference::<PasswordForm>())))
        .response("200", json::<PasswordSet>("It is done"))
        .response(
            "404",
            json::<EraError>("The link was used, or it is over, or never was"),
        )
}

fn repetition() -> Parameter {
    let length = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(255));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "The same key and body within 24 hours get the same answer, and send nothing again",
        ))
        .schema(Some(length))
        .build()
}

fn under_way() -> ResponseBuilder {
    json::<EraError>("The same call, by its Idempotency-Key, is under way").header("Retry-After", text())
}

/// Of a route that checks codes or passcodes: what holds for one of them (R11 to R13) holds for all (R26).
fn verifies() -> Extensions {
    ExtensionsBuilder::new().add("x-verifies", true).build()
}

fn one_of<const N: usize>(schemas: [Ref; N]) -> Schema {
    Schema::OneOf(
        schemas
            .into_iter()
            .fold(OneOfBuilder::new(), OneOfBuilder::item)
            .build(),
    )
}

fn object(schema: impl Into<RefOr<Schema>>) -> RequestBody {
    let content = ContentBuilder::new().schema(Some(schema)).build();
    RequestBodyBuilder::new()
        .required(Some(Required::True))
        .content("application/json", content)
        .build()
}

fn broadleaf(summary: &str, route: &Route) -> OperationBuilder {
    named(summary, route)
        .tag("Passcodes")
        .security(SecurityRequirement::new("bearer", ["passcode"]))
        .parameters(Some(parameters::<ClientQuery>()))
        .response(
            "400",
            json::<SpringError>("The request cannot be read, or the passcode is not good for it"),
        )
        .response(
            "401",
            json::<SpringError>("No token, or one that is not good").header(CHALLENGE, text()),
        )
        .response(
            "403",
            json::<SpringError>("The scope is too small, or the client is another").header(CHALLENGE, text()),
        )
        .response("413", json::<SpringError>("The body has more than 16 KiB"))
        .response("500", json::<SpringError>("Ours"))
        .response("503", unavailable(reference::<SpringError>()))
}

const CHALLENGE: &str = "WWW-Authenticate";

fn exhausted(description: &str) -> ResponseBuilder {
    json::<SpringError>(description).header("Retry-After", text())
}

fn text() -> Header {
    HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build()
}

fn named(summary: &str, route: &Route) -> OperationBuilder {
    OperationBuilder::new()
        .summary(Some(summary))
        .operation_id(Some(route.function))
}

fn parameters<T: IntoParams>() -> Vec<Parameter> {
    T::into_params(|| None)
}

fn form<T: ToSchema>() -> RequestBody {
    let content = ContentBuilder::new().schema(Some(reference::<T>())).build();
    RequestBodyBuilder::new()
        .required(Some(Required::True))
        .content("application/x-www-form-urlencoded", content)
        .build()
}

fn json<T: ToSchema>(description: &str) -> ResponseBuilder {
    json_of(description, reference::<T>())
}

/// Something of ours gave no answer in time.
fn unavailable(schema: impl Into<RefOr<Schema>>) -> ResponseBuilder {
    json_of("Ours, and passing", schema).header("Retry-After", text())
}

fn json_of(description: &str, schema: impl Into<RefOr<Schema>>) -> ResponseBuilder {
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new()
        .description(description)
        .content("application/json", content)
}

fn reference<T: ToSchema>() -> Ref {
    Ref::from_schema_name(T::name())
}

/// For the one schema whose name another family has taken.
fn inline<T: ToSchema>() -> RefOr<Schema> {
    T::schema()
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
