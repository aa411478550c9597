//! Request bodies, field by field.

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

/// The invalid entries, each with the rule that it breaks.
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
fn a_code_has_the_configured_number_of_ascii_digits() {
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
        (r#"{"otp":"042317","code":"042317"}"#, Err("$.code additionalProperties")),
    ];
    check(|call| read_otp(call, 6), |_| "taken".into(), &table);
    check(|call| read_otp(call, 7), |_| "taken".into(), &[(seven, Ok("taken"))]);
}

#[test]
fn an_action_without_fields_accepts_no_fields() {
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
    assert!(matches!(read_nothing(&plain), Err(Error::Rejected(Rejection::WrongMediaType(_)))));
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
fn the_token_for_a_code_is_in_the_header_or_in_the_body() {
    for (body, bearer, expected) in [
        ("", None, Ok(None)),
        ("", Some("header"), Ok(Some("header"))),
        ("{}", None, Ok(None)),
        (r#"{"token":"field"}"#, None, Ok(Some("field"))),
        (r#"{"token":"field"}"#, Some("header"), Ok(Some("header"))),
        (r#"{"token":""}"#, None, Ok(None)),
        (r#"{"token":7}"#, Some("header"), Err("$.token cast")),
        (r#"{"token":"field","otp":"1"}"#, None, Err("$.otp additionalProperties")),
        ("[]", Some("header"), Err("Rejected(Malformed)")),
    ] {
        let found = read_token(&post(body, bearer)).map_err(refused);
        let found = found.map(|token| token.map(|token| token.expose().to_owned()));
        let expected: Result<Option<&str>, &str> = expected;
        assert_eq!(found, expected.map(|token| token.map(str::to_owned)).map_err(str::to_owned), "{body}");
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
fn a_factor_is_created_without_a_value_and_gets_a_phone_later() {
    check(
        read_factor_type,
        |factor_type| factor_type.name().to_owned(),
        &[
            (r#"{"type":"SMS"}"#, Ok("SMS")),
            (r#"{"type":"SMS","factor":7}"#, Ok("SMS")),
            (r#"{"type":"sms"}"#, Err("$.type inclusion")),
            (r#"{"type":"TOTP"}"#, Err("$.type inclusion")),
            (r#"{"type":7}"#, Err("$.type cast")),
            (r#"{"type":"","user_id":"x"}"#, Err("$.user_id inclusion, $.type required")),
            ("{}", Err("$.type required")),
            (r#"{"authentication_factor":{"type":"SMS"}}"#, Err(WRAPPED)),
        ],
    );
    check(
        read_factor,
        |wanted| {
            let phone = wanted.phone.map_or("app".to_owned(), |phone| phone.as_str().to_owned());
            format!("{phone} {}", wanted.password.is_some())
        },
        &[
            (r#"{"type":"SMS","factor":"+380881234530"}"#, Ok("+380881234530 false")),
            (r#"{"type":"SMS","factor":"+380881234530","password":"x"}"#, Ok("+380881234530 true")),
            (r#"{"type":"SMS","factor":"+380881234530","password":""}"#, Err("$.password required")),
            (r#"{"type":"SMS"}"#, Err("$.factor required")),
            (r#"{"type":"SMS","factor":"380881234530"}"#, Err("$.factor format")),
            (r#"{"type":"SMS","factor":"+3800881234530"}"#, Err("$.factor format")),
            (r#"{"type":"SMS","factor":380881234530}"#, Err("$.factor cast")),
            (r#"{"type":"TOTP"}"#, Ok("app false")),
            (r#"{"type":"TOTP","password":"x"}"#, Ok("app true")),
            (r#"{"type":"TOTP","factor":"+380881234530"}"#, Err("$.factor additionalProperties")),
            (r#"{"type":"TOTP","password":7}"#, Err("$.password cast")),
            (r#"{"type":"RECOVERY_CODES"}"#, Err("$.type inclusion, $.factor required")),
        ],
    );
}

const WRAPPED: &str = "$.type required, $.authentication_factor additionalProperties";

#[test]
fn a_user_is_parsed_flat_and_wrapped() {
    let show = |user: NewUser| {
        let login = user.login.map(|login| login.as_str().to_owned()).unwrap_or_default();
        format!("{} {login} {} {}", user.email.as_str(), user.is_admin, user.second_factor)
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
            (&format!(r#"{{{least},"user":"x"}}"#), Err("$.user additionalProperties")),
            (&format!(r#"{{"user":{{{least}}},"a":1}}"#), Err("$.a additionalProperties")),
            (
                r#"{"email":"a","domain":"-","login":"a b","name":" ","is_admin":"true","2fa_enable":1}"#,
                Err("$.email format, $.password required, $.domain format, $.login format, $.name required, \
                     $.is_admin cast, $.2fa_enable cast"),
            ),
        ],
    );
    let weak = accept_password(&Policy::default(), &Secret::new("short".into()));
    assert_eq!(weak.map(|_| ()).map_err(refused), Err("$.password length".to_owned()));
}

#[test]
fn factors_are_filtered_by_the_query() {
    for (query, expected) in [
        ("", Ok((None, None))),
        ("type=SMS&is_active=true", Ok((Some(FactorType::Sms), Some(true)))),
        ("is_active=false&page=2", Ok((None, Some(false)))),
        ("type=&is_active=1", Err("type inclusion, is_active cast")),
        ("type=SMS&type=SMS", Err("Rejected(Malformed)")),
    ] {
        let found = read_factor_filter(&call(&json!({ "rawQueryString": query })));
        let found = found.map(|filter| (filter.factor_type, filter.is_active)).map_err(refused);
        assert_eq!(found, expected.map_err(str::to_owned), "{query}");
    }
}
