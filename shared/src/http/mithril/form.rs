//! How the description shows what callers send; [`super::body`] reads it field by field.

use utoipa::ToSchema;

/// A person signs in.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct PasswordGrant {
    #[schema(pattern = "^password$", example = "password")]
    grant_type: String,
    /// Mail address.
    #[schema(example = "my.address@yandex.ru")]
    email: String,
    /// Password.
    #[schema(format = Password)]
    password: String,
    /// A client that may sign people in.
    #[schema(example = "heatclinic")]
    client_id: String,
    /// Names of scopes, separated by spaces.
    #[schema(example = "app:authorize")]
    scope: String,
}

/// A person who signed in shows the code, too.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct AuthorizeGrant {
    #[schema(pattern = "^authorize_2fa_access_token$", example = "authorize_2fa_access_token")]
    grant_type: String,
    /// The `2fa_access_token`, unless it is in the header.
    token: Option<String>,
    /// The code.
    #[schema(value_type = OtpText)]
    otp: String,
}

/// A person who signed in wants another code.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct RefreshGrant {
    #[schema(
        pattern = "^(refresh_2fa_access_token|resend_otp)$",
        example = "refresh_2fa_access_token"
    )]
    grant_type: String,
    /// The `2fa_access_token`, unless it is in the header.
    token: Option<String>,
}

/// An application, in its own name.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct ClientGrant {
    #[schema(pattern = "^client_credentials$", example = "client_credentials")]
    grant_type: String,
    /// The client.
    #[schema(example = "heatclinic")]
    client_id: String,
    /// Its secret.
    #[schema(format = Password)]
    client_secret: String,
    /// Names of scopes, separated by spaces.
    #[schema(example = "passcode")]
    scope: String,
}

/// A code: six digits, unless the operator wants another number of them. A whole number is taken, too, and gets its
/// leading zeros back.
#[derive(Debug, ToSchema)]
#[schema(pattern = "^[0-9]+$", example = "042317")]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct OtpText(String);

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
    #[schema(value_type = OtpText)]
    otp: String,
}

/// A factor to be made. It begins without a value.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct NewFactorForm {
    #[schema(pattern = "^SMS$", example = "SMS")]
    r#type: String,
    /// The user of the path, once more.
    user_id: Option<String>,
}

/// A phone for a factor.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct FactorForm {
    #[schema(pattern = "^SMS$", example = "SMS")]
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
    #[schema(example = "my.address@yandex.ru")]
    email: String,
    /// 8 to 128 characters of `A-Za-z0-9_-.~!`, unless the domain has another policy.
    #[schema(format = Password, example = "ew!hIb3V")]
    password: String,
    /// The caller's, when it is left out.
    #[schema(example = "pbx.era-platform.ru")]
    domain: Option<String>,
    /// Login name, once in the domain. One that is left out is derived from the address, and is never taken.
    #[schema(example = "my_login")]
    login: Option<String>,
    /// Display name: the login or what it is derived from, when it is left out.
    #[schema(example = "My Name")]
    name: Option<String>,
    /// Whether it is an administrator of the domain.
    is_admin: Option<bool>,
    /// Whether a login asks for a second factor from the first time on.
    #[schema(rename = "2fa_enable")]
    second_factor: Option<bool>,
}
