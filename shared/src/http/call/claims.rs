//! The claims of an identity provider's token that the gateway has verified.

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use lambda_http::http::HeaderMap;
use serde_json::Value;

use crate::domain::auth::provider::{Claim, Claims};

/// The claims of the token in `Authorization`, which the gateway has verified. They are read from the token itself: the
/// gateway's own rendering does not distinguish the list `["a b"]` from `["a","b"]`.
pub(super) fn of_token(headers: &HeaderMap) -> Option<Claims> {
    let given = headers.get("authorization")?.to_str().ok()?;
    let token = match given.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => given,
    };
    // Two headers arrive as one text with a comma, of which the gateway verified one: neither is read.
    let parts: Option<Vec<_>> = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).ok()).collect();
    let [_, payload, _] = <[Vec<u8>; 3]>::try_from(parts?).ok()?;
    let payload: HashMap<String, Value> = serde_json::from_slice(&payload).ok()?;
    let claims = payload.into_iter();
    Some(claims.filter_map(|(name, value)| Some((name, claim(value)?))).collect())
}

fn claim(value: Value) -> Option<Claim> {
    match value {
        Value::Array(members) => Some(Claim::List(members.into_iter().filter_map(scalar).collect())),
        value @ (Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null | Value::Object(_)) => {
            scalar(value).map(Claim::Text)
        }
    }
}

fn scalar(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::http::call::tests::call;

    #[test]
    fn only_the_claims_of_the_verified_token_are_used() {
        let token = |payload: &Value| {
            let part = |text: String| URL_SAFE_NO_PAD.encode(text);
            format!("{}.{}.{}", part("{}".into()), part(payload.to_string()), part("s".into()))
        };
        let found = |authorization: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("authorization", authorization.parse().expect("a header value"));
            of_token(&headers)
        };
        let payload = json!({
            "sub": "anna", "groups": ["a b", "c"], "number": 1_795_325_548, "is_support": true,
            "mixed": ["a", 1, false, null, ["b"], {}], "nothing": null, "address": { "country": "UA" },
        });
        let text = |text: &str| Claim::Text(text.to_owned());
        let list = |members: &[&str]| Claim::List(members.iter().map(|&member| member.to_owned()).collect());
        let expected: Claims = [
            ("sub", text("anna")),
            ("groups", list(&["a b", "c"])),
            ("number", text("1795325548")),
            ("is_support", text("true")),
            ("mixed", list(&["a", "1", "false"])),
        ]
        .map(|(name, claim)| (name.to_owned(), claim))
        .into();
        let good = token(&payload);
        for authorization in [format!("Bearer {good}"), format!("bearer  {good}"), good.clone()] {
            assert_eq!(found(&authorization), Some(expected.clone()), "{authorization}");
        }
        let other = token(&json!({ "sub": "bob" }));
        for authorization in [
            format!("Bearer {good}, Bearer {other}"),
            format!("Bearer {good},Bearer {other}"),
            format!("{good},{other}"),
            format!("Basic {good}"),
            format!("Bearer {good}.x"),
            format!("Bearer {}", &good[..good.rfind('.').expect("parts")]),
            format!("Bearer {}", token(&json!(["sub", "anna"]))),
            "Bearer".to_owned(),
        ] {
            assert_eq!(found(&authorization), None, "{authorization}");
        }
        let call = call(&json!({ "headers": { "authorization": format!("Bearer {good}") } }));
        assert!(call.claims.is_none(), "a token that the gateway did not verify says nothing");
    }
}
