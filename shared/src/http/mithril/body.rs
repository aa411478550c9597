//! What callers send: objects with the route's own fields, and no other. All that is wrong with one is said at once.

mod fields;
mod grant;

use utoipa::IntoParams;

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
    http::{call::Call, json::Object},
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

/// Which factors of a user are asked for: those that are like all that is said here.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FactorFilter {
    /// Of this kind.
    #[param(rename = "type", value_type = Option<String>, pattern = "^SMS$", example = "SMS")]
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
    upon_user(&body, call).end(|| Some(()))
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
    let mut fields = upon_user(&body, call);
    let given = fields.given("token");
    fields.end(|| Some(presented(call, given)))
}

/// The fields of a route whose path names a user: the originals' clients send `user_id` in the body, too.
fn upon_user<'a>(body: &'a Object, call: &Call) -> Fields<'a> {
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
    let mut fields = upon_user(&body, call);
    let replaces = fields.flag("replace");
    fields.end(|| Some(replaces))
}

/// Reads which kind of factor shall be made. It begins without a value: `factor` is not looked at.
///
/// # Errors
/// 400 when the body is no object; 422 naming the fields.
pub fn read_factor_type(call: &Call) -> Result<FactorType, Error> {
    let body = call.json()?;
    let mut fields = upon_user(&body, call);
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
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::http::{call::tests::call, rejection::Rejection};

    /// A call with this body and, if any, this token.
    pub(super) fn post(body: &str, bearer: Option<&str>) -> Call {
        let mut headers = json!({ "content-type": "application/json" });
        if let Some(token) = bearer {
            headers["authorization"] = json!(format!("Bearer {token}"));
        }
        call(&json!({ "body": body, "headers": headers }))
    }

    /// What was refused: each entry and the rule that it breaks.
    pub(super) fn refused(error: Error) -> String {
        let Error::Invalid(invalid) = error else {
            return format!("{error:?}");
        };
        let entries: Vec<_> = invalid.iter().map(Invalid::short).collect();
        entries.join(", ")
    }

    pub(super) fn check<T>(
        read: impl Fn(&Call) -> Result<T, Error>,
        show: impl Fn(T) -> String,
        table: &[(&str, Result<&str, &str>)],
    ) {
        for (body, expected) in table {
            let found = read(&post(body, None)).map(&show).map_err(refused);
            assert_eq!(found.as_deref().map_err(String::as_str), *expected, "{body}");
        }
    }

    #[test]
    fn a_code_is_so_many_ascii_digits() {
        let seven = r#"{"otp":"0423170"}"#;
        let malformed = Err("Rejected(Malformed)");
        let (format, required) = (Err("$.otp format"), Err("$.otp required"));
        let zeros = &format!(r#"{{"otp":"{}"}}"#, "0".repeat(10_000));
        let table = [
            (r#"{"otp":"042317"}"#, Ok("taken")),
            (r#"{"otp":42317}"#, Ok("taken")),
            (r#"{"otp":0}"#, Ok("taken")),
            (r#"{"otp":999999}"#, Ok("taken")),
            (r#"{"otp":1000000}"#, format),
            (r#"{"otp":-1}"#, format),
            (r#"{"otp":1e5}"#, format),
            (r#"{"otp":42317.0}"#, format),
            (r#"{"otp":042317}"#, malformed),
            (r#"{"otp":"42317"}"#, format),
            (seven, format),
            (r#"{"otp":"+12345"}"#, format),
            (r#"{"otp":"-12345"}"#, format),
            (r#"{"otp":"042317 "}"#, format),
            (r#"{"otp":" 42317"}"#, format),
            (r#"{"otp":"04231\u0000"}"#, format),
            (r#"{"otp":"١٢٣٤٥٦"}"#, format),
            (r#"{"otp":"１２３４５６"}"#, format),
            (r#"{"otp":"١٢٣"}"#, format),
            (r#"{"otp":["042317"]}"#, format),
            (r#"{"otp":true}"#, format),
            (zeros, format),
            (r#"{"otp":""}"#, required),
            (r#"{"otp":null}"#, required),
            ("{}", required),
            (
                r#"{"otp":"042317","code":"042317"}"#,
                Err("$.code additionalProperties"),
            ),
        ];
        check(|call| read_otp(call, 6), |_| "taken".into(), &table);
        check(|call| read_otp(call, 7), |_| "taken".into(), &[(seven, Ok("taken"))]);
    }

    #[test]
    fn what_needs_no_words_takes_none() {
        check(
            read_nothing,
            |()| "nothing".into(),
            &[
                ("", Ok("nothing")),
                (" {} ", Ok("nothing")),
                (r#"{"a":null}"#, Err("$.a additionalProperties")),
                ("[]", Err("Rejected(Malformed)")),
                ("x", Err("Rejected(Malformed)")),
            ],
        );
        let plain = call(&json!({ "body": "{}" }));
        assert!(matches!(
            read_nothing(&plain),
            Err(Error::Rejected(Rejection::WrongMediaType(_)))
        ));
    }

    #[test]
    fn a_body_may_name_the_user_of_the_path_and_no_other() {
        let read = |user_id: Value| {
            let body = json!({ "user_id": user_id, "type": "SMS" }).to_string();
            let call = call(&json!({
                "body": body, "headers": { "content-type": "application/json" },
                "pathParameters": { "user_id": "5ad61494-b10b-4f7f-90e4-6d2792e4c2e6" },
            }));
            read_factor_type(&call).map(|_| ()).map_err(refused)
        };
        let other = Err("$.user_id inclusion".to_owned());
        for (user_id, expected) in [
            (json!("5ad61494-b10b-4f7f-90e4-6d2792e4c2e6"), Ok(())),
            (json!("5AD61494-B10B-4F7F-90E4-6D2792E4C2E6"), Ok(())),
            (json!("5ad61494-b10b-4f7f-90e4-6d2792e4c2e7"), other.clone()),
            (json!(""), other.clone()),
            (Value::Null, Ok(())),
            (json!(5), other.clone()),
        ] {
            assert_eq!(read(user_id.clone()), expected, "{user_id}");
        }
    }

    #[test]
    fn the_token_for_a_code_is_the_headers_or_the_bodys() {
        for (body, bearer, expected) in [
            ("", None, Ok(None)),
            ("", Some("header"), Ok(Some("header"))),
            ("{}", None, Ok(None)),
            (r#"{"token":"field"}"#, None, Ok(Some("field"))),
            (r#"{"token":"field"}"#, Some("header"), Ok(Some("header"))),
            (r#"{"token":""}"#, None, Ok(None)),
            (r#"{"token":7}"#, Some("header"), Err("$.token cast")),
            (
                r#"{"token":"field","otp":"1"}"#,
                None,
                Err("$.otp additionalProperties"),
            ),
            ("[]", Some("header"), Err("Rejected(Malformed)")),
        ] {
            let found = read_token(&post(body, bearer)).map_err(refused);
            let found = found.map(|token| token.map(|token| token.expose().to_owned()));
            let expected: Result<Option<&str>, &str> = expected;
            assert_eq!(
                found,
                expected.map(|token| token.map(str::to_owned)).map_err(str::to_owned),
                "{body}"
            );
        }
    }

    #[test]
    fn a_block_by_failures_is_replaced_on_request_only() {
        check(
            read_block,
            |replaces| replaces.to_string(),
            &[
                ("", Ok("false")),
                ("{}", Ok("false")),
                (r#"{"replace":false}"#, Ok("false")),
                (r#"{"replace":true}"#, Ok("true")),
                (r#"{"replace":"true"}"#, Err("$.replace cast")),
                (r#"{"replace":null}"#, Ok("false")),
                (r#"{"replace":true,"why":"x"}"#, Err("$.why additionalProperties")),
                ("[]", Err("Rejected(Malformed)")),
            ],
        );
    }

    #[test]
    fn a_factor_is_made_without_a_value_and_given_a_phone() {
        check(
            read_factor_type,
            |factor_type| factor_type.name().to_owned(),
            &[
                (r#"{"type":"SMS"}"#, Ok("SMS")),
                (r#"{"type":"SMS","factor":7}"#, Ok("SMS")),
                (r#"{"type":"sms"}"#, Err("$.type inclusion")),
                (r#"{"type":7}"#, Err("$.type cast")),
                (
                    r#"{"type":"","user_id":"x"}"#,
                    Err("$.user_id inclusion, $.type required"),
                ),
                ("{}", Err("$.type required")),
                (r#"{"authentication_factor":{"type":"SMS"}}"#, Err(WRAPPED)),
            ],
        );
        check(
            read_factor,
            |wanted| format!("{} {}", wanted.factor_type.name(), wanted.phone.as_str()),
            &[
                (r#"{"type":"SMS","factor":"+380881234530"}"#, Ok("SMS +380881234530")),
                (r#"{"type":"SMS","factor":"380881234530"}"#, Err("$.factor format")),
                (r#"{"type":"SMS","factor":380881234530}"#, Err("$.factor cast")),
                (r#"{"type":"TOTP"}"#, Err("$.type inclusion, $.factor required")),
            ],
        );
    }

    const WRAPPED: &str = "$.type required, $.authentication_factor additionalProperties";

    #[test]
    fn a_user_is_read_flat_and_wrapped() {
        let show = |user: NewUser| {
            let login = user.login.map(|login| login.as_str().to_owned()).unwrap_or_default();
            format!(
                "{} {login} {} {}",
                user.email.as_str(),
                user.is_admin,
                user.second_factor
            )
        };
        let least = r#""email":"a@b.cd","password":"ew!hIb3V""#;
        let all = r#""domain":"d","login":"l","name":"N","is_admin":true,"2fa_enable":true"#;
        check(
            read_user,
            show,
            &[
                (&format!("{{{least}}}"), Ok("a@b.cd  false false")),
                (&format!("{{{least},{all}}}"), Ok("a@b.cd l true true")),
                (&format!(r#"{{"user":{{{least},{all}}}}}"#), Ok("a@b.cd l true true")),
                (&format!(r#"{{{least},"login":null}}"#), Ok("a@b.cd  false false")),
                (
                    &format!(r#"{{{least},"user":"x"}}"#),
                    Err("$.user additionalProperties"),
                ),
                (
                    &format!(r#"{{"user":{{{least}}},"a":1}}"#),
                    Err("$.a additionalProperties"),
                ),
                (
                    r#"{"email":"a","domain":"-","login":"a b","name":" ","is_admin":"true","2fa_enable":1}"#,
                    Err(
                        "$.email format, $.password required, $.domain format, $.login format, $.name required, \
                         $.is_admin cast, $.2fa_enable cast",
                    ),
                ),
            ],
        );
        let weak = accept_password(&Policy::default(), &Secret::new("short".into()));
        assert_eq!(weak.map(|_| ()).map_err(refused), Err("$.password length".to_owned()));
    }

    #[test]
    fn factors_are_filtered_by_what_is_asked() {
        for (query, expected) in [
            ("", Ok((None, None))),
            ("type=SMS&is_active=true", Ok((Some(FactorType::Sms), Some(true)))),
            ("is_active=false&page=2", Ok((None, Some(false)))),
            ("type=&is_active=1", Err("type inclusion, is_active cast")),
            ("type=SMS&type=SMS", Err("Rejected(Malformed)")),
        ] {
            let found = read_factor_filter(&call(&json!({ "rawQueryString": query })));
            let found = found
                .map(|filter| (filter.factor_type, filter.is_active))
                .map_err(refused);
            assert_eq!(found, expected.map_err(str::to_owned), "{query}");
        }
    }
}
