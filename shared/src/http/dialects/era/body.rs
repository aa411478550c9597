//! Request bodies: objects with exactly the route's fields, all of them strings.

use utoipa::ToSchema;

use super::Error;
use crate::{
    domain::{
        crypto::secret::Secret,
        password::{Password, Policy},
        people::name::{DisplayName, DomainName, EmailAddress, Login, Malformed},
        registration::AccountRequest,
    },
    http::{
        call::Call,
        json::{Json, Object},
    },
};

/// A request to register.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct RegistrationForm {
    /// A domain that allows registration.
    #[schema(min_length = 1, max_length = 253, example = "pbx.era-platform.ru")]
    domain: String,
    /// The login name.
    #[schema(min_length = 1, max_length = 64, example = "my_login")]
    login: String,
    /// The display name.
    #[schema(min_length = 1, max_length = 128, example = "My Name")]
    name: String,
    /// The address that the link is mailed to.
    #[schema(
        format = "idn-email",
        min_length = 1,
        max_length = 254,
        example = "my.address@yandex.ru"
    )]
    email: String,
}

/// A new password, set by a link.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct PasswordForm {
    /// 8 to 128 characters of `A-Za-z0-9_-.~!`, unless the domain has another policy.
    #[schema(format = Password, min_length = 1, max_length = 1024, example = "ew!hIb3V")]
    pwd: String,
}

/// A request of a signed-out user to reset a password.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct ResetForm {
    /// The login name or the mail address.
    #[schema(min_length = 1, max_length = 254, example = "my_login")]
    key: String,
    /// The domain.
    #[schema(min_length = 1, max_length = 253, example = "pbx.era-platform.ru")]
    domain: String,
}

/// A change of one's own password by a signed-in user.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct ChangeForm {
    /// The current password.
    #[schema(format = Password, min_length = 1, max_length = 1024, example = "ew!hIb3V")]
    current_pwd: String,
    /// The new password.
    #[schema(format = Password, min_length = 1, max_length = 1024, example = "qW-9.tR_2")]
    new_pwd: String,
}

/// A signed-out caller's request to reset a password.
#[derive(Debug)]
pub struct ResetRequest {
    /// The account.
    pub key: Key,
    /// The domain of the account.
    pub domain: DomainName,
}

/// How a request identifies an account.
#[derive(Debug)]
pub enum Key {
    /// By login.
    Login(Login),
    /// By mail address: any text with an `@`, which no login contains.
    Email(EmailAddress),
}

/// A signed-in caller's request to change the password.
#[derive(Debug)]
pub struct ChangeRequest {
    /// The current password.
    pub current: Password,
    /// The new password, unverified.
    pub new: Secret,
}

/// The two requests of `POST /rest/v1/iam/pwd_reset_requests`.
#[derive(Debug)]
pub enum PasswordRequest {
    /// Request a link, signed out.
    Reset(ResetRequest),
    /// Change the password, signed in.
    Change(ChangeRequest),
}

/// A request to register.
#[derive(Debug)]
pub struct RegisterRequest {
    /// The domain to register in.
    pub domain: DomainName,
    /// The other fields, or what is invalid about them: reported only once the domain is known to exist.
    pub values: Result<AccountRequest, Error>,
}

/// Reads a registration: exactly its fields.
///
/// # Errors
/// 400 when the body is not an object; 412 naming the field.
pub fn read_registration(call: &Call) -> Result<RegisterRequest, Error> {
    let body = Body::read(call, &["domain", "login", "name", "email"])?;
    // An invalid domain name is a domain whose registration is closed.
    let domain = DomainName::parse(body.text("domain")?.expose()).map_err(|_| Error::RegistrationClosed)?;
    let values = || {
        Ok(AccountRequest {
            domain: domain.clone(),
            login: Login::parse(body.text("login")?.expose()).map_err(malformed("login"))?,
            name: DisplayName::parse(body.text("name")?.expose()).map_err(malformed("name"))?,
            email: EmailAddress::parse(body.text("email")?.expose()).map_err(malformed("email"))?,
        })
    };
    let values = values();
    Ok(RegisterRequest { domain, values })
}

/// Reads a new password.
///
/// # Errors
/// 400 when the body is not an object; 412 naming the field.
pub fn read_password(call: &Call) -> Result<Secret, Error> {
    Body::read(call, &["pwd"])?.text("pwd").cloned()
}

/// Reads a password request: it is a change if it has the fields of one, or a token and no fields of a reset.
///
/// # Errors
/// 400 when the body is not an object; 412 naming the field.
pub fn read_password_request(call: &Call) -> Result<PasswordRequest, Error> {
    let object = call.json()?;
    let names = |wanted: [&str; 2]| wanted.iter().any(|name| object.get(name).is_some());
    let changes = names(["current_pwd", "new_pwd"]);
    if changes || (call.bearer().is_some() && !names(["key", "domain"])) {
        let body = Body::of(object, &["current_pwd", "new_pwd"])?;
        return Ok(PasswordRequest::Change(ChangeRequest {
            current: Password::given(body.text("current_pwd")?).map_err(malformed("current_pwd"))?,
            new: body.text("new_pwd")?.clone(),
        }));
    }
    let body = Body::of(object, &["key", "domain"])?;
    let (key, domain) = (body.text("key")?.expose(), body.text("domain")?);
    Ok(PasswordRequest::Reset(ResetRequest {
        key: match key.contains('@') {
            true => Key::Email(EmailAddress::parse(key).map_err(malformed("key"))?),
            false => Key::Login(Login::parse(key).map_err(malformed("key"))?),
        },
        domain: DomainName::parse(domain.expose()).map_err(malformed("domain"))?,
    }))
}

/// Accepts a new password if the domain's policy allows it.
///
/// # Errors
/// 412 naming `field` and the rule that it breaks.
pub fn accept_password(policy: &Policy, field: &'static str, given: &Secret) -> Result<Password, Error> {
    policy.accept(given).map_err(|weak| {
        let alphabet = policy.alphabet.clone();
        Error::Weak { field, weak, alphabet }
    })
}

fn malformed(field: &'static str) -> impl Fn(Malformed) -> Error {
    move |malformed| Error::Malformed(field, malformed)
}

struct Body(Object);

impl Body {
    fn read(call: &Call, fields: &'static [&'static str]) -> Result<Self, Error> {
        Self::of(call.json()?, fields)
    }

    /// Requires exactly these fields. An empty text counts as missing.
    fn of(object: Object, fields: &'static [&'static str]) -> Result<Self, Error> {
        let is_missing = |field: &&&str| match object.get(field) {
            None => true,
            Some(Json::Text(text)) => text.expose().is_empty(),
            Some(Json::Null | Json::Integer(_) | Json::Flag(_) | Json::Object(_) | Json::Other) => false,
        };
        if let Some(field) = fields.iter().find(is_missing) {
            return Err(Error::Missing(field));
        }
        let unexpected = object.names().find(|name| !fields.contains(name));
        if let Some(name) = unexpected {
            return Err(Error::Unexpected(name.chars().take(64).collect()));
        }
        Ok(Self(object))
    }

    fn text(&self, field: &'static str) -> Result<&Secret, Error> {
        match self.0.get(field) {
            Some(Json::Text(text)) => Ok(text),
            Some(Json::Integer(_) | Json::Flag(_) | Json::Object(_) | Json::Other) => Err(Error::NoText(field)),
            Some(Json::Null) | None => Err(Error::Missing(field)),
        }
    }
}
