//! What callers send: objects with the route's own fields, every one a text, and no other.

use utoipa::ToSchema;

use super::Error;
use crate::{
    domain::{
        name::{DisplayName, DomainName, EmailAddress, Login, Malformed},
        password::{Password, Policy},
        registration::Wanted,
        secret::Secret,
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
    /// A domain that allows it.
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

/// A new password, behind a link.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct PasswordForm {
    /// 8 to 128 characters of `A-Za-z0-9_-.~!`, unless the domain has another policy.
    #[schema(format = Password, min_length = 1, max_length = 1024, example = "ew!hIb3V")]
    pwd: String,
}

/// A request to reset a password, of somebody who is signed out.
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

/// A change of one's own password, by somebody who is signed in.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read field by field; the type is the description's")]
pub struct ChangeForm {
    /// The password until now.
    #[schema(format = Password, min_length = 1, max_length = 1024, example = "ew!hIb3V")]
    current_pwd: String,
    /// The password from now on.
    #[schema(format = Password, min_length = 1, max_length = 1024, example = "qW-9.tR_2")]
    new_pwd: String,
}

/// What a signed-out caller wants to reset.
#[derive(Debug)]
pub struct ResetWanted {
    /// Whose.
    pub key: Key,
    /// Where.
    pub domain: DomainName,
}

/// How somebody names an account.
#[derive(Debug)]
pub enum Key {
    /// By login.
    Login(Login),
    /// By mail address: what has an `@`, for no login has one.
    Email(EmailAddress),
}

/// What a signed-in caller wants to change.
#[derive(Debug)]
pub struct ChangeWanted {
    /// The password until now.
    pub current: Password,
    /// The password from now on, as given.
    pub new: Secret,
}

/// What `POST /rest/v1/iam/pwd_reset_requests` is asked for.
#[derive(Debug)]
pub enum PasswordWanted {
    /// A link, signed out.
    Reset(ResetWanted),
    /// Another password, signed in.
    Change(ChangeWanted),
}

/// What somebody who registers sent.
#[derive(Debug)]
pub struct RegistrationWanted {
    /// Where.
    pub domain: DomainName,
    /// The rest, or what is wrong with it: that is said once the domain is known to be one.
    pub values: Result<Wanted, Error>,
}

/// Reads a registration: every field there, nothing else.
///
/// # Errors
/// 400 when the body is no object; 412 naming the field.
pub fn read_registration(call: &Call) -> Result<RegistrationWanted, Error> {
    let body = Body::read(call, &["domain", "login", "name", "email"])?;
    // A domain that is none is one that nobody may register in.
    let domain = DomainName::parse(body.text("domain")?.expose()).map_err(|_| Error::RegistrationClosed)?;
    let values = || {
        Ok(Wanted {
            domain: domain.clone(),
            login: Login::parse(body.text("login")?.expose()).map_err(malformed("login"))?,
            name: DisplayName::parse(body.text("name")?.expose()).map_err(malformed("name"))?,
            email: EmailAddress::parse(body.text("email")?.expose()).map_err(malformed("email"))?,
        })
    };
    let values = values();
    Ok(RegistrationWanted { domain, values })
}

/// Reads a new password.
///
/// # Errors
/// 400 when the body is no object; 412 naming the field.
pub fn read_password(call: &Call) -> Result<Secret, Error> {
    Body::read(call, &["pwd"])?.text("pwd").cloned()
}

/// Reads what is asked of a password: with the fields of a change, or with a token and without those of a reset, it is
/// a change.
///
/// # Errors
/// 400 when the body is no object; 412 naming the field.
pub fn read_password_wanted(call: &Call) -> Result<PasswordWanted, Error> {
    let object = call.json()?;
    let names = |wanted: [&str; 2]| wanted.iter().any(|name| object.get(name).is_some());
    let changes = names(["current_pwd", "new_pwd"]);
    if changes || (call.bearer().is_some() && !names(["key", "domain"])) {
        let body = Body::of(object, &["current_pwd", "new_pwd"])?;
        return Ok(PasswordWanted::Change(ChangeWanted {
            current: Password::given(body.text("current_pwd")?).map_err(malformed("current_pwd"))?,
            new: body.text("new_pwd")?.clone(),
        }));
    }
    let body = Body::of(object, &["key", "domain"])?;
    let (key, domain) = (body.text("key")?.expose(), body.text("domain")?);
    Ok(PasswordWanted::Reset(ResetWanted {
        key: match key.contains('@') {
            true => Key::Email(EmailAddress::parse(key).map_err(malformed("key"))?),
            false => Key::Login(Login::parse(key).map_err(malformed("key"))?),
        },
        domain: DomainName::parse(domain.expose()).map_err(malformed("domain"))?,
    }))
}

/// Takes a new password if the domain's policy does.
///
/// # Errors
/// 412 naming `field` and the rule that is broken.
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

    /// Every field must be there, and no other. An empty text is none.
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
