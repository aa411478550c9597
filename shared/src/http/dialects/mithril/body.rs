//! Request bodies: objects with only the route's own fields. All errors are reported at once.

mod fields;
mod grant;

use utoipa::{IntoParams, openapi};

pub use self::grant::{DeviceFields, GrantType, TokenRequest, read_grant};

use self::fields::Fields;
use super::{Error, invalid::Invalid};
use crate::{
    domain::{
        crypto::secret::Secret,
        otp::Submitted,
        password::{Password, Policy},
        people::{
            factor::FactorType,
            name::{DisplayName, DomainName, EmailAddress, Login},
            phone::Phone,
        },
    },
    http::{call::Call, json::Object, schema::one_of},
};

/// A request to set a second factor.
#[derive(Debug)]
pub struct FactorRequest {
    /// The phone that codes are sent to; `None` for an authenticator app.
    pub phone: Option<Phone>,
    /// The password, if it is given.
    pub password: Option<Password>,
}

/// The type of factor that `POST` creates without a value.
pub const CREATED: &[FactorType] = &[FactorType::Sms];

/// The types of factors that users set themselves.
pub const SET: &[FactorType] = &[FactorType::Sms, FactorType::Totp];

/// A user to create.
#[derive(Debug)]
pub struct NewUser {
    /// Mail address.
    pub email: EmailAddress,
    /// The password, unverified: [`accept_password`] checks it.
    pub password: Secret,
    /// The domain of the account.
    pub domain: Option<DomainName>,
    /// Login name.
    pub login: Option<Login>,
    /// Display name.
    pub name: Option<DisplayName>,
    /// Whether the user is an administrator.
    pub is_admin: bool,
    /// `2fa_enable`: whether logins require a second factor from the first one on.
    pub second_factor: bool,
}

/// The names of all factor types.
pub(super) fn factor_types() -> openapi::Object {
    one_of(FactorType::ALL.iter().map(|factor_type| factor_type.name()))
}

/// Filter of a user's factors: those that match all given parameters.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FactorFilter {
    /// The type.
    #[param(rename = "type", schema_with = factor_types, required = false)]
    pub factor_type: Option<FactorType>,
    /// Whether active.
    pub is_active: Option<bool>,
}

/// Expects an empty request: no body, or an object without fields of its own.
///
/// # Errors
/// 400 when the body is not an object; 422 naming the fields.
pub fn read_nothing(call: &Call) -> Result<(), Error> {
    if call.body()?.is_empty() {
        return Ok(());
    }
    let body = call.json()?;
    target_user(&body, call).end(|| Some(()))
}

/// Reads the token that requests a code: that of `Authorization: Bearer`, or else the field's, if present.
///
/// # Errors
/// 400 when the body is not an object; 422 naming the fields.
pub fn read_token(call: &Call) -> Result<Option<Secret>, Error> {
    if call.body()?.is_empty() {
        return Ok(presented(call, None));
    }
    let body = call.json()?;
    let mut fields = target_user(&body, call);
    let given = fields.given("token");
    fields.end(|| Some(presented(call, given)))
}

/// The fields of a route whose path names a user: the original's clients send `user_id` in the body as well.
fn target_user<'a>(body: &'a Object, call: &Call) -> Fields<'a> {
    let mut fields = Fields::of(body);
    fields.repeats("user_id", call.path_parameter("user_id"));
    fields
}

fn presented(call: &Call, given: Option<&Secret>) -> Option<Secret> {
    let bearer = call.bearer().map(|token| Secret::new(token.to_owned()));
    bearer.or_else(|| given.cloned())
}

/// Reads whether to replace a block that failures caused: `{"replace":true}`. Without a body, it is kept.
///
/// # Errors
/// 400 when the body is not an object; 422 naming the fields.
pub fn read_block(call: &Call) -> Result<bool, Error> {
    if call.body()?.is_empty() {
        return Ok(false);
    }
    let body = call.json()?;
    let mut fields = target_user(&body, call);
    let replaces = fields.flag("replace");
    fields.end(|| Some(replaces))
}

/// Reads the type of factor to create. It is created without a value: `factor` is ignored.
///
/// # Errors
/// 400 when the body is not an object; 422 naming the fields.
pub fn read_factor_type(call: &Call) -> Result<FactorType, Error> {
    let body = call.json()?;
    let mut fields = target_user(&body, call);
    fields.ignore("factor");
    let factor_type = fields.factor_type("type", CREATED);
    fields.end(|| factor_type)
}

/// Reads the factor to set: a phone, or an authenticator app, whose secret we draw.
///
/// # Errors
/// 400 when the body is not an object; 422 naming the fields.
pub fn read_factor(call: &Call) -> Result<FactorRequest, Error> {
    let body = call.json()?;
    let mut fields = Fields::of(&body);
    let factor_type = fields.factor_type("type", SET);
    let phone = match factor_type {
        Some(FactorType::Totp) => None,
        Some(FactorType::Sms | FactorType::RecoveryCodes) | None => Some(fields.phone("factor")),
    };
    let password = fields.optional_password("password");
    fields.end(|| {
        factor_type?;
        Some(FactorRequest {
            phone: match phone {
                None => None,
                Some(given) => Some(given?),
            },
            password,
        })
    })
}

/// Reads the password that authenticates a user again.
///
/// # Errors
/// 400 when the body is not an object; 422 naming the fields.
pub fn read_password(call: &Call) -> Result<Password, Error> {
    let body = call.json()?;
    let mut fields = Fields::of(&body);
    let password = fields.password("password");
    fields.end(|| password)
}

/// The field that a request lacks which only some users need.
#[must_use]
pub fn missing(field: &'static str) -> Error {
    Invalid::required(field).into()
}

/// Reads what is submitted as second factor; `otp_length` is the number of digits of a code by text message.
///
/// # Errors
/// 400 when the body is not an object; 422 naming the fields.
pub fn read_otp(call: &Call, otp_length: usize) -> Result<Submitted, Error> {
    let body = call.json()?;
    let mut fields = Fields::of(&body);
    let otp = fields.submitted("otp", otp_length);
    fields.end(|| otp)
}

/// Reads a user to create.
///
/// # Errors
/// 400 when the body is not an object; 422 naming the fields.
pub fn read_user(call: &Call) -> Result<NewUser, Error> {
    let body = call.json()?;
    let mut fields = Fields::wrapped(&body, "user");
    let (email, password) = (fields.parsed("email", EmailAddress::parse), fields.text("password"));
    let domain = fields.optional("domain", DomainName::parse);
    let login = fields.optional("login", Login::parse);
    let name = fields.optional("name", DisplayName::parse);
    let (is_admin, second_factor) = (fields.flag("is_admin"), fields.flag("2fa_enable"));
    fields.end(|| {
        Some(NewUser {
            email: email?,
            password: password?.clone(),
            domain,
            login,
            name,
            is_admin,
            second_factor,
        })
    })
}

/// Accepts a new password if the domain's policy allows it.
///
/// # Errors
/// 422 naming the rule that it breaks.
pub fn accept_password(policy: &Policy, given: &Secret) -> Result<Password, Error> {
    let accepted = policy.accept(given);
    accepted.map_err(|weak| Invalid::weak("password", weak, policy).into())
}

/// Reads a filter of factors; other parameters are ignored.
///
/// # Errors
/// 400 when the query is malformed; 422 naming the parameters.
pub fn read_factor_filter(call: &Call) -> Result<FactorFilter, Error> {
    let query = call.query()?;
    let mut wrong = Vec::new();
    let factor_type = query.get("type").and_then(|text| {
        let found = FactorType::parse(text.expose());
        if found.is_none() {
            wrong.push(fields::no_factor_type("type", FactorType::ALL).in_query());
        }
        found
    });
    let is_active = query.get("is_active").and_then(|text| {
        let found = text.expose().parse().ok();
        if found.is_none() {
            wrong.push(Invalid::cast("is_active", "boolean").in_query());
        }
        found
    });
    match wrong.is_empty() {
        true => Ok(FactorFilter { factor_type, is_active }),
        false => Err(Error::Invalid(wrong)),
    }
}

#[cfg(test)]
mod tests;
