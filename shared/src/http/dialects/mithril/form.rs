//! The documented form of the requests; [`super::body`] reads them field by field.

use serde_json::json;
use utoipa::{
    ToSchema,
    openapi::{
        Object, ObjectBuilder, OneOfBuilder, Ref,
        schema::{Schema, SchemaType, Type},
    },
};

use super::body::{CREATED, GrantType};
use crate::{
    domain::people::factor::FactorType,
    http::schema::{anything, one_of},
};

fn password_grant() -> Object {
    one_of([GrantType::Password.name()])
}

fn authorize_grant() -> Object {
    one_of([GrantType::Authorize.name()])
}

fn refresh_grant() -> Object {
    one_of([GrantType::Refresh.name(), "resend_otp"])
}

fn client_grant() -> Object {
    one_of([GrantType::ClientCredentials.name()])
}

fn created() -> Object {
    one_of(CREATED.iter().map(|factor_type| factor_type.name()))
}

fn sms() -> Object {
    one_of([FactorType::Sms.name()])
}

fn totp() -> Object {
    one_of([FactorType::Totp.name()])
}

fn code() -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::Array(vec![Type::String, Type::Integer]))
        .pattern(Some("^([0-9]{6,8}|[0-9A-Za-z]{4}-[0-9A-Za-z]{4}-[0-9A-Za-z]{4}-[0-9A-Za-z]{4})$"))
        .minimum(Some(0))
        .maximum(Some(99_999_999))
        .examples([json!("042317")])
        .description(Some(
            "The code: six digits, unless the operator wants another number of them. A whole number is taken, too, and gets \
             its leading zeros back. To complete a login, the code of an authenticator app or a recovery code, too.",
        ))
        .build()
}

/// A user signs in.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct PasswordGrant {
    #[schema(schema_with = password_grant)]
    grant_type: String,
    /// Mail address.
    #[schema(min_length = 1, example = "my.address@yandex.ru")]
    email: String,
    /// Password.
    #[schema(format = Password, min_length = 1, max_length = 1024)]
    password: String,
    /// A client that may sign users in.
    #[schema(min_length = 1, example = "heatclinic")]
    client_id: String,
    /// Names of scopes, separated by spaces.
    #[schema(min_length = 1, example = "app:authorize")]
    scope: String,
    /// The `device_token` of an earlier login: a known device has a failure limit of its own, so failures of others do
    /// not block it. Any other text counts as no device.
    #[schema(format = Password)]
    device_token: Option<String>,
    /// Whether a login that is completed makes the device a known one: the response then has `urgent.device_token`.
    device: Option<bool>,
}

/// A user who signed in submits the code as well.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct AuthorizeGrant {
    #[schema(schema_with = authorize_grant)]
    grant_type: String,
    /// The `2fa_access_token`, unless it is in the header.
    token: Option<String>,
    #[schema(schema_with = code)]
    otp: String,
    /// Whether the device becomes a known one: the response then has `urgent.device_token`.
    device: Option<bool>,
}

/// A user who signed in requests another code.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct RefreshGrant {
    #[schema(schema_with = refresh_grant)]
    grant_type: String,
    /// The `2fa_access_token`, unless it is in the header.
    token: Option<String>,
}

/// A client, in its own name.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct ClientGrant {
    #[schema(schema_with = client_grant)]
    grant_type: String,
    /// The client.
    #[schema(min_length = 1, example = "heatclinic")]
    client_id: String,
    /// Its secret.
    #[schema(format = Password, min_length = 1)]
    client_secret: String,
    /// Names of scopes, separated by spaces.
    #[schema(min_length = 1, example = "passcode")]
    scope: String,
}

/// The same as the original's clients send it, without other fields.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct WrappedGrant {
    #[schema(schema_with = grants)]
    token: (),
}

fn grants() -> Schema {
    let grants = OneOfBuilder::new()
        .item(Ref::from_schema_name(PasswordGrant::name()))
        .item(Ref::from_schema_name(AuthorizeGrant::name()))
        .item(Ref::from_schema_name(RefreshGrant::name()))
        .item(Ref::from_schema_name(ClientGrant::name()));
    Schema::OneOf(grants.build())
}

/// Requests another code for a login.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct CodeForm {
    /// The `2fa_access_token`, unless it is in the header.
    token: Option<String>,
    /// Repeats the user of the path.
    user_id: Option<String>,
}

/// A code.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct OtpForm {
    #[schema(schema_with = code)]
    otp: String,
}

/// A factor to create, without a value.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct NewFactorForm {
    #[schema(schema_with = created)]
    r#type: String,
    /// Repeats the user of the path.
    user_id: Option<String>,
    #[schema(required = false, schema_with = anything)]
    factor: Option<String>,
}

/// A phone for a factor.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct PhoneForm {
    #[schema(schema_with = sms)]
    r#type: String,
    /// In E.164 form, and valid in the numbering plan of its country.
    #[schema(pattern = r"^\+[1-9][0-9]{6,14}$", example = "+380881234530")]
    factor: String,
    /// The password: required of a user who has an authenticator app.
    #[schema(format = Password, min_length = 1, max_length = 1024)]
    password: Option<String>,
}

/// An authenticator app, whose secret the answer has.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct AppForm {
    #[schema(schema_with = totp)]
    r#type: String,
    /// The password: required with an access token.
    #[schema(format = Password, min_length = 1, max_length = 1024)]
    password: Option<String>,
}

/// The password of a signed-in user.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct ReauthenticationForm {
    #[schema(format = Password, min_length = 1, max_length = 1024)]
    password: String,
}

/// A block.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct BlockForm {
    /// Whether it replaces a block caused by failed attempts.
    replace: Option<bool>,
}

/// A user to create.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct UserForm {
    /// Mail address, unique in the domain.
    #[schema(
        format = "idn-email",
        min_length = 1,
        max_length = 254,
        example = "my.address@yandex.ru"
    )]
    email: String,
    /// 8 to 128 characters of `A-Za-z0-9_-.~!`, unless the domain has another policy.
    #[schema(format = Password, min_length = 1, max_length = 1024, example = "ew!hIb3V")]
    password: String,
    /// The caller's domain by default.
    #[schema(min_length = 1, max_length = 253, example = "pbx.era-platform.ru")]
    domain: Option<String>,
    /// Login name, unique in the domain. The default is derived from the address, and is never taken.
    #[schema(min_length = 1, max_length = 64, example = "my_login")]
    login: Option<String>,
    /// Display name. The default is the login, or what it is derived from.
    #[schema(min_length = 1, max_length = 128, example = "My Name")]
    name: Option<String>,
    /// Whether the user is an administrator of the domain.
    is_admin: Option<bool>,
    /// Whether logins require a second factor from the first one on.
    #[schema(rename = "2fa_enable")]
    second_factor: Option<bool>,
}

/// The same as the original's clients send it, without other fields.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct WrappedUser {
    user: UserForm,
}

/// An object without fields.
#[derive(Debug, ToSchema)]
pub struct Nothing {}
