//! What callers send: objects with the route's own fields, and no other. All that is wrong with one is said at once.

mod fields;
mod grant;

use utoipa::{IntoParams, openapi};

pub use self::grant::{GrantType, GrantWanted, read_grant};

use self::fields::Fields;
use super::{Error, invalid::Invalid};
use crate::{
    domain::{
        factor::FactorType,
        name::{DisplayName, DomainName, EmailAddress, Login},
        otp::Code,
        password::{Password, Policy},
        phone::Phone,
        secret::Secret,
    },
    http::{call::Call, json::Object, schema::one_of},
};

/// A phone for a second factor.
#[derive(Debug)]
pub struct FactorWanted {
    /// The kind of the factor.
    pub factor_type: FactorType,
    /// Where codes shall go.
    pub phone: Phone,
}

/// A user to be made.
#[derive(Debug)]
pub struct NewUser {
    /// Mail address.
    pub email: EmailAddress,
    /// The password, as given: [`accept_password`] judges it.
    pub password: Secret,
    /// Where the account is made.
    pub domain: Option<DomainName>,
    /// Login name.
    pub login: Option<Login>,
    /// Display name.
    pub name: Option<DisplayName>,
    /// Whether it is an administrator.
    pub is_admin: bool,
    /// `2fa_enable`: whether a login asks for a second factor from the first time on.
    pub second_factor: bool,
}

/// The names of all kinds of factors.
pub(super) fn factor_types() -> openapi::Object {
    one_of(FactorType::ALL.iter().map(|factor_type| factor_type.name()))
}

/// Which factors of a user are asked for: those that are like all that is said here.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FactorFilter {
    /// Of this kind.
    #[param(rename = "type", schema_with = factor_types, required = false)]
    pub factor_type: Option<FactorType>,
    /// Active, or not.
    pub is_active: Option<bool>,
}

/// Reads that nothing is said: no body, or an object without fields of its own.
///
/// # Errors
/// 400 when the body is no object; 422 naming the fields.
pub fn read_nothing(call: &Call) -> Result<(), Error> {
    if call.body()?.is_empty() {
        return Ok(());
    }
    let body = call.json()?;
    target_user(&body, call).end(|| Some(()))
}

/// Reads the token with which a code is asked for: the one of `Authorization: Bearer`, or else the field's, if one came.
///
/// # Errors
/// 400 when the body is no object; 422 naming the fields.
pub fn read_token(call: &Call) -> Result<Option<Secret>, Error> {
    if call.body()?.is_empty() {
        return Ok(presented(call, None));
    }
    let body = call.json()?;
    let mut fields = target_user(&body, call);
    let given = fields.given("token");
    fields.end(|| Some(presented(call, given)))
}

/// The fields of a route whose path names a user: the originals' clients send `user_id` in the body, too.
fn target_user<'a>(body: &'a Object, call: &Call) -> Fields<'a> {
    let mut fields = Fields::of(body);
    fields.repeats("user_id", call.path_parameter("user_id"));
    fields
}

fn presented(call: &Call, given: Option<&Secret>) -> Option<Secret> {
    let bearer = call.bearer().map(|token| Secret::new(token.to_owned()));
    bearer.or_else(|| given.cloned())
}

/// Reads whether a block by failures is to be replaced: `{"replace":true}`. Without a body, it is not.
///
/// # Errors
/// 400 when the body is no object; 422 naming the fields.
pub fn read_block(call: &Call) -> Result<bool, Error> {
    if call.body()?.is_empty() {
        return Ok(false);
    }
    let body = call.json()?;
    let mut fields = target_user(&body, call);
    let replaces = fields.flag("replace");
    fields.end(|| Some(replaces))
}

/// Reads which kind of factor shall be made. It begins without a value: `factor` is not looked at.
///
/// # Errors
/// 400 when the body is no object; 422 naming the fields.
pub fn read_factor_type(call: &Call) -> Result<FactorType, Error> {
    let body = call.json()?;
    let mut fields = target_user(&body, call);
    fields.ignore("factor");
    let factor_type = fields.factor_type("type");
    fields.end(|| factor_type)
}

/// Reads which phone a factor shall have.
///
/// # Errors
/// 400 when the body is no object; 422 naming the fields.
pub fn read_factor(call: &Call) -> Result<FactorWanted, Error> {
    let body = call.json()?;
    let mut fields = Fields::of(&body);
    let (factor_type, phone) = (fields.factor_type("type"), fields.phone("factor"));
    fields.end(|| {
        Some(FactorWanted {
            factor_type: factor_type?,
            phone: phone?,
        })
    })
}

/// Reads a code of so many digits.
///
/// # Errors
/// 400 when the body is no object; 422 naming the fields.
pub fn read_otp(call: &Call, otp_length: usize) -> Result<Code, Error> {
    let body = call.json()?;
    let mut fields = Fields::of(&body);
    let otp = fields.code("otp", otp_length);
    fields.end(|| otp)
}

/// Reads a user to be made.
///
/// # Errors
/// 400 when the body is no object; 422 naming the fields.
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

/// Takes a new password if the domain's policy does.
///
/// # Errors
/// 422 naming the rule that is broken.
pub fn accept_password(policy: &Policy, given: &Secret) -> Result<Password, Error> {
    let accepted = policy.accept(given);
    accepted.map_err(|weak| Invalid::weak("password", weak, policy).into())
}

/// Reads which factors are asked for; other parameters are not looked at.
///
/// # Errors
/// 400 when the query cannot be read; 422 naming the parameters.
pub fn read_factor_filter(call: &Call) -> Result<FactorFilter, Error> {
    let query = call.query()?;
    let mut wrong = Vec::new();
    let factor_type = query.get("type").and_then(|text| {
        let found = FactorType::parse(text.expose());
        if found.is_none() {
            wrong.push(fields::no_factor_type("type").in_query());
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
