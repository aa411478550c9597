//! API Gateway's JWT authorizer: RS256, the issuer's published keys, `iss`, `aud` or `client_id`, `exp`, `nbf` and `iat`.

use std::time::Duration;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde_json::{Map, Value, json};

use crate::http;
use crate::issuer::CONFIGURATION;
use crate::template::Authorizer;

/// Timeout of a request for an issuer's keys.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a call is not authorized: no token, or what is invalid about it.
#[derive(Debug)]
pub(super) struct Unauthorized(Option<&'static str>);

impl Unauthorized {
    /// API Gateway's response.
    pub(super) fn response(&self) -> Response<Body> {
        let mut response = http::json(StatusCode::UNAUTHORIZED, &json!({ "message": "Unauthorized" }));
        let challenge = match self.0 {
            None => "Bearer".to_owned(),
            Some(why) => format!("Bearer scope=\"\" error=\"invalid_token\" error_description=\"{why}\""),
        };
        let challenge = HeaderValue::try_from(challenge).expect("our own words are visible ASCII");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        response
    }
}

/// Verifies the token of a call at this second; returns the event's `requestContext.authorizer`.
pub(super) async fn authorize(authorizer: &Authorizer, head: &Parts, now: u64) -> Result<Value, Unauthorized> {
    let invalid = |why| Unauthorized(Some(why));
    let given = head.headers.get(header::AUTHORIZATION).ok_or(Unauthorized(None))?;
    let given = given.to_str().map_err(|_| invalid("the token is not valid"))?;
    let token = match given.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => given,
    };
    let (signed, signature) = token.rsplit_once('.').ok_or(invalid("the token has no parts"))?;
    let (header, payload) = signed.split_once('.').ok_or(invalid("the token has too few parts"))?;
    let header = object(header).ok_or(invalid("the token's header cannot be read"))?;
    if header.get("alg") != Some(&json!("RS256")) {
        return Err(invalid("the token's signing method is not RS256"));
    }
    let kid = header.get("kid").ok_or(invalid("the token names no key"))?;
    let key = key(&authorizer.issuer, kid).await;
    let key = key.ok_or(invalid("the issuer has no such key"))?;
    let signature = URL_SAFE_NO_PAD.decode(signature);
    let signature = signature.map_err(|_| invalid("the token's signature cannot be read"))?;
    key.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature)
        .map_err(|_| invalid("the token's signature is invalid"))?;
    let claims = object(payload).ok_or(invalid("the token's claims cannot be read"))?;
    judge(authorizer, &claims, now).map_err(invalid)?;
    let claims: Map<_, _> = claims
        .iter()
        .filter(|(_, claim)| !claim.is_null())
        .map(|(name, claim)| (name.clone(), text(claim).into()))
        .collect();
    Ok(json!({ "jwt": { "claims": claims, "scopes": null } }))
}

/// The issuer's currently published key with this id.
async fn key(issuer: &str, kid: &Value) -> Option<RsaPublicKeyComponents<Vec<u8>>> {
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().ok()?;
    let read = async |address: &str| -> Option<Value> { client.get(address).send().await.ok()?.json().await.ok() };
    let configuration = read(&format!("{}{CONFIGURATION}", issuer.trim_end_matches('/'))).await?;
    let keys = read(configuration["jwks_uri"].as_str()?).await?;
    let mut keys = keys["keys"].as_array()?.iter();
    let key = keys.find(|key| key["kid"] == *kid && key["kty"] == "RSA")?;
    let number = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str()?).ok();
    Some(RsaPublicKeyComponents {
        n: number("n")?,
        e: number("e")?,
    })
}

fn judge(authorizer: &Authorizer, claims: &Map<String, Value>, now: u64) -> Result<(), &'static str> {
    if claims.get("iss") != Some(&json!(authorizer.issuer)) {
        return Err("the token has another issuer");
    }
    // Cognito's access tokens have no `aud`.
    let meant_for: &[Value] = match claims.get("aud").or(claims.get("client_id")) {
        Some(Value::Array(several)) => several,
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    let is_ours = |name: &Value| authorizer.audience.iter().any(|audience| name == audience);
    if !meant_for.iter().any(is_ours) {
        return Err("the token does not have a valid audience");
    }
    // Seconds, possibly with a fraction (RFC 7519 §2).
    let now = Duration::from_secs(now).as_secs_f64();
    let time = |name: &str| claims.get(name).map(|time| time.as_f64().unwrap_or(f64::NAN));
    if !time("exp").is_some_and(|end| now < end) {
        return Err("the token has expired");
    }
    if !["nbf", "iat"].iter().all(|name| time(name).is_none_or(|start| start <= now)) {
        return Err("the token is not valid yet");
    }
    Ok(())
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// A claim as functions see it: always a text.
fn text(claim: &Value) -> String {
    match claim {
        Value::String(text) => text.clone(),
        Value::Array(several) => {
            let several: Vec<_> = several.iter().map(text).collect();
            format!("[{}]", several.join(" "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => claim.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1000;

    #[test]
    fn claims_are_validated_to_the_second() {
        let authorizer = Authorizer {
            issuer: "http://127.0.0.1/i".to_owned(),
            audience: vec!["a".to_owned(), "b".to_owned()],
        };
        let check = |changed: Value, expected: Result<(), &'static str>| {
            let mut claims = json!({ "iss": "http://127.0.0.1/i", "aud": "a", "exp": NOW + 1 });
            for (name, claim) in changed.as_object().expect("claims") {
                claims[name] = claim.clone();
            }
            let mut claims = claims.as_object().expect("claims").clone();
            claims.retain(|_, claim| *claim != "-");
            assert_eq!(judge(&authorizer, &claims, NOW), expected, "{claims:?}");
        };
        let (issuer, audience) = ("the token has another issuer", "the token does not have a valid audience");
        let (expired, early) = ("the token has expired", "the token is not valid yet");
        check(json!({}), Ok(()));
        check(json!({ "iss": "-" }), Err(issuer));
        check(json!({ "iss": "http://127.0.0.1/i/" }), Err(issuer));
        check(json!({ "iss": ["http://127.0.0.1/i"] }), Err(issuer));
        check(json!({ "aud": "b" }), Ok(()));
        check(json!({ "aud": ["c", "b"] }), Ok(()));
        check(json!({ "aud": [] }), Err(audience));
        check(json!({ "aud": "ab" }), Err(audience));
        check(json!({ "aud": "c", "client_id": "a" }), Err(audience));
        check(json!({ "aud": "-", "client_id": "a" }), Ok(()));
        check(json!({ "aud": "-", "client_id": "c" }), Err(audience));
        check(json!({ "aud": "-" }), Err(audience));
        check(json!({ "exp": NOW }), Err(expired));
        check(json!({ "exp": 1000.5 }), Ok(()));
        check(json!({ "exp": "-" }), Err(expired));
        check(json!({ "exp": "2000" }), Err(expired));
        for name in ["nbf", "iat"] {
            check(json!({ name: NOW }), Ok(()));
            check(json!({ name: NOW + 1 }), Err(early));
            check(json!({ name: "soon" }), Err(early));
        }
    }

    #[test]
    fn claims_are_converted_to_strings() {
        for (claim, expected) in [
            (json!("a b"), "a b"),
            (json!(["a", "b"]), "[a b]"),
            (json!(["a"]), "[a]"),
            (json!([]), "[]"),
            (json!(1_795_325_548), "1795325548"),
            (json!(true), "true"),
            (json!({ "a": 1 }), r#"{"a":1}"#),
        ] {
            assert_eq!(text(&claim), expected);
        }
    }
}
