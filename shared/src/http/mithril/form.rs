//! How the description shows what callers send; [`super::body`] reads it field by field.

use serde_json::json;
use utoipa::{
    ToSchema,
    openapi::{
        Object, ObjectBuilder, OneOfBuilder, Ref,
        schema::{Schema, SchemaType, Type},
    },
};

use super::body::{GrantType, factor_types};
use crate::http::schema::{anything, one_of};

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

fn code() -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::Array(vec![Type::String, Type::Integer]))
        .pattern(Some("^[0-9]{6,8}$"))
        .minimum(Some(0))
        .maximum(Some(99_999_999))
        .examples([json!("042317")])
        .description(Some(
            "The code: six digits, unless the operator wants another number of them. A whole number is taken, too, and gets \
             its leading zeros back.",
        ))
        .build()
}

/// A person signs in.
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
    /// A client that may sign people in.
    #[schema(min_length = 1, example = "heatclinic")]
    client_id: String,
    /// Names of scopes, separated by spaces.
    #[schema(min_length = 1, example = "app:authorize")]
    scope: String,
}

/// A person who signed in shows the code, too.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct AuthorizeGrant {
    #[schema(schema_with = authorize_grant)]
    grant_type: String,
    /// The `2fa_access_token`, unless it is in the header.
    token: Option<String>,
    #[schema(schema_with = code)]
    otp: String,
}

/// A person who signed in wants another code.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct RefreshGrant {
    #[schema(schema_with = refresh_grant)]
    grant_type: String,
    /// The `2fa_access_token`, unless it is in the header.
    token: Option<String>,
}

/// An application, in its own name.
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

/// The same as the original's clients send it, and nothing beside it.
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

/// Another code is wanted for a login.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct CodeForm {
    /// The `2fa_access_token`, unless it is in the header.
    token: Option<String>,
    /// The user of the path, once more.
    user_id: Option<String>,
}

/// A code alone.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct OtpForm {
    #[schema(schema_with = code)]
    otp: String,
}

/// A factor to be made. It begins without a value.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct NewFactorForm {
    #[schema(schema_with = factor_types)]
    r#type: String,
    /// The user of the path, once more.
    user_id: Option<String>,
    #[schema(required = false, schema_with = anything)]
    factor: Option<String>,
}

/// A phone for a factor.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct FactorForm {
    #[schema(schema_with = factor_types)]
    r#type: String,
    /// In the form of E.164, and possible in the numbering plan of its country.
    #[schema(pattern = r"^\+[1-9][0-9]{6,14}$", example = "+380881234530")]
    factor: String,
}

/// A block.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct BlockForm {
    /// Whether it takes the place of a block by failed attempts.
    replace: Option<bool>,
}

/// A user to be made.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct UserForm {
    /// Mail address, once in the domain.
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
    /// The caller's, when it is left out.
    #[schema(min_length = 1, max_length = 253, example = "pbx.era-platform.ru")]
    domain: Option<String>,
    /// Login name, once in the domain. One that is left out is derived from the address, and is never taken.
    #[schema(min_length = 1, max_length = 64, example = "my_login")]
    login: Option<String>,
    /// Display name: the login or what it is derived from, when it is left out.
    #[schema(min_length = 1, max_length = 128, example = "My Name")]
    name: Option<String>,
    /// Whether it is an administrator of the domain.
    is_admin: Option<bool>,
    /// Whether a login asks for a second factor from the first time on.
    #[schema(rename = "2fa_enable")]
    second_factor: Option<bool>,
}

/// The same as the original's clients send it, and nothing beside it.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct WrappedUser {
    user: UserForm,
}

/// An object without fields.
#[derive(Debug, ToSchema)]
pub struct Nothing {}
