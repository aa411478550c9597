use serde_json::{Value, json};

use super::*;

/// A call as API Gateway sends it, with these fields of the event changed.
pub(crate) fn call(changed: &Value) -> Call {
    let mut event = json!({
        "version": "2.0", "routeKey": "GET /", "rawPath": "/", "rawQueryString": "", "headers": {},
        "requestContext": {
            "accountId": "1", "apiId": "a", "domainName": "d", "requestId": "r", "stage": "$default",
            "time": "t", "timeEpoch": 1_772_230_017_999_u64,
            "http": { "method": "GET", "path": "/", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "" },
        },
        "isBase64Encoded": false,
    });
    for (name, value) in changed.as_object().expect("fields") {
        event[name] = value.clone();
    }
    let clock = || Timestamp::from_seconds(1_700_000_000);
    Call::new(serde_json::from_value(event).expect("an event"), "i".into(), clock)
}

#[test]
fn parameters_are_parsed_strictly() {
    let check = |raw: &str, expected: Option<&str>| {
        let found = Parameters::parse(raw.as_bytes());
        let found = found.and_then(|p| p.required("a").map(|value| value.expose().to_owned())).ok();
        assert_eq!(found.as_deref(), expected, "{raw}");
    };
    check("a=1", Some("1"));
    check("b=2&a=1", Some("1"));
    check("a=", Some(""));
    check("a", Some(""));
    check("&a=1&&", Some("1"));
    check("a=test%2Bme%40test.com", Some("test+me@test.com"));
    check("a=x+y%20z", Some("x y z"));
    check("a=%D1%84", Some("ф"));
    check("a=ф", Some("ф"));
    check("a=b=c", Some("b=c"));
    check("%61=1", Some("1"));
    for refused in [
        "",
        "b=1",
        "a=1&a=1",
        "a=1&%61=2",
        "a=%",
        "a=%1",
        "a=%zz",
        "a=%ff",
        "a=%ff%zz",
        "a[]=1",
    ] {
        check(refused, None);
    }
    assert!(Parameters::parse(b"a=\xff").is_err());
}

#[test]
fn an_event_time_is_a_plausible_epoch() {
    for (epoch, iso) in [
        (1_772_230_017_999, Some("2026-02-27T22:06:57Z")),
        // The form that `sam local` sends.
        (1_772_230_017, Some("2026-02-27T22:06:57Z")),
        (1_000_000_000, Some("2001-09-09T01:46:40Z")),
        (99_999_999_999, Some("5138-11-16T09:46:39Z")),
        (100_000_000_000, Some("1973-03-03T09:46:40Z")),
        (999_999_999, None),
        (0, None),
        (-1_772_230_017_999, None),
    ] {
        let time = event_time(epoch);
        assert_eq!(time.map(Timestamp::iso).as_deref(), iso, "{epoch}");
    }
}

#[test]
fn only_the_identity_encoding_is_accepted() {
    for (given, refused) in [
        (None, None),
        (Some(""), None),
        (Some("identity"), None),
        (Some("Identity, identity"), None),
        (Some("gzip"), Some("gzip")),
        (Some("identity, br"), Some("br")),
        (Some("x-gzip"), Some("x-gzip")),
    ] {
        let headers = given.map_or(json!({}), |given| json!({ "content-encoding": given }));
        let found = match call(&json!({ "headers": headers })).expect_no_encoding() {
            Err(Rejection::WrongEncoding(coding)) => Some(coding),
            _ => None,
        };
        assert_eq!(found.as_deref(), refused, "{given:?}");
    }
}

#[test]
fn a_parameter_is_found_in_the_query_and_in_the_body() {
    let check = |query: &str, body: &str, expected: bool| {
        let call = call(&json!({ "rawQueryString": query, "body": body }));
        assert_eq!(call.brings("sudo"), expected, "{query:?}, {body:?}");
    };
    for named in [
        "sudo=root",
        "sudo",
        "sudo=",
        "a=1&sudo=2",
        "a=1;sudo=2",
        "%73udo=root",
        "sud%6F[]=1",
        "sudo%5Bid%5D=1",
        "+sudo=1",
        "a=%zz&sudo=1",
    ] {
        check(named, "", true);
        check("", named, true);
    }
    for other in ["", "a=sudo", "pseudo=1", "sudoer=1", "SUDO=1", "sudo.x=1", "a[sudo]=1"] {
        check(other, "", false);
        check("", other, false);
    }
    for (body, expected) in [
        (r#"{"sudo":1}"#, true),
        (r#"{"a":1,"sudo":null,"sudo":2}"#, true),
        (r#"{"\u0073udo":"root"}"#, true),
        (r#"{"a":{"sudo":1}}"#, false),
        (r#"["sudo"]"#, false),
        (r#"{"sudo":"#, false),
    ] {
        check("", body, expected);
    }
}

#[test]
fn a_body_is_limited_to_16_kib() {
    for (length, good) in [
        (LARGEST_BODY, true),
        (LARGEST_BODY + 1, false),
        (10 * LARGEST_BODY, false),
    ] {
        assert_eq!(body("x".repeat(length), false).is_ok(), good, "{length}");
        assert_eq!(body(STANDARD.encode("x".repeat(length)), true).is_ok(), good, "{length} in base64");
    }
    assert!(body("%".into(), true).is_err());
}
