//! API Gateway's access control: an identity provider's tokens (JWT authoriser) and other origins (CORS).

use countersign_local::{Cloud, Options};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::support::{Folder, Local, fixture_options, read, send};

fn options(parameters: &[(&str, &str)]) -> Options {
    let given = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Options {
        parameters: parameters.iter().map(given).collect(),
        ..fixture_options()
    }
}

async fn guarded() -> Local {
    Local::start_with(options(&[("JwtIssuer", "local"), ("JwtAudience", "us,them")])).await
}

#[tokio::test]
async fn an_event_carries_the_claims_as_strings() {
    let local = guarded().await;
    let claims = json!({
        "aud": "them", "sub": "anna", "scope": "read write", "iat": 1000, "exp": 9_999_999_999_u64,
        "groups": ["a", "b"], "verified": true, "nothing": null,
    });
    let issued = local.posted("/_local/issuer/token", &claims).await;
    let token = issued["access_token"].as_str().expect("a token");
    let event = read(send(local.post("/things", &json!({})).bearer_auth(token)).await).await;
    let expected = json!({ "jwt": {
        "claims": {
            "iss": local.url("/_local/issuer"), "aud": "them", "sub": "anna", "scope": "read write", "iat": "1000",
            "exp": "9999999999", "groups": "[a b]", "verified": "true",
        },
        "scopes": null,
    } });
    assert_eq!(event["requestContext"]["authorizer"], expected);
    let open = read(send(local.get("/things/mine").bearer_auth(token)).await).await;
    assert_eq!(open["requestContext"]["authorizer"], Value::Null, "another route");
}

#[tokio::test]
async fn an_invalid_token_does_not_reach_a_function() {
    let local = guarded().await;
    let issued = local.posted("/_local/issuer/token", &json!({ "aud": "others" })).await;
    let strange = issued["access_token"].as_str().expect("a token").to_owned();
    for (authorization, challenge) in [
        (None, "Bearer"),
        (Some("Bearer x".to_owned()), INVALID),
        (Some(format!("Bearer {strange}")), INVALID),
        (Some(strange), INVALID),
    ] {
        let mut request = local.post("/things", &json!({}));
        if let Some(text) = &authorization {
            request = request.header("authorization", text);
        }
        let response = send(request).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{authorization:?}");
        let said = header(&response, "www-authenticate").unwrap_or_default().to_owned();
        assert!(said.starts_with(challenge), "{said}");
        assert_eq!(read(response).await, json!({ "message": "Unauthorized" }));
    }
    let invocations = local.json("/_local/invocations").await;
    assert_eq!(invocations, json!([]));
}

const INVALID: &str = "Bearer scope=\"\" error=\"invalid_token\" error_description=\"";

#[tokio::test]
async fn insecure_access_settings_prevent_the_start() {
    for (parameters, words) in [
        (&[("JwtIssuer", "local")][..], "has no audience"),
        (&[("JwtIssuer", "https://idp.example.com"), ("JwtAudience", "us")], "must be one of this machine"),
        (&[("CorsOrigins", "*")], "is no origin"),
        (&[("CorsOrigins", "https://a.example.com,https://*")], "is no origin"),
    ] {
        let refused = Cloud::start(options(parameters)).await.err();
        let refused = refused.expect("it does not start").to_string();
        assert!(refused.contains(words), "{refused}");
    }
}

fn header<'r>(response: &'r Response, name: &str) -> Option<&'r str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

#[tokio::test]
async fn the_gateway_answers_a_preflight_if_no_route_matches() {
    let folder = Folder::new();
    let local = Local::start_with(Options {
        template: folder.fixture_without("FallbackFunction"),
        ..options(&[("CorsOrigins", ORIGIN)])
    })
    .await;
    let ask = |path: &str, origin: &'static str| {
        let request = local.http.request(Method::OPTIONS, local.url(path));
        request.header("origin", origin).header("access-control-request-method", "POST")
    };
    for (origin, allowed) in [(ORIGIN, true), ("https://app.example.org", false)] {
        let response = send(ask("/things", origin)).await;
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
        for (name, value) in [
            ("access-control-allow-origin", ORIGIN),
            ("access-control-allow-methods", "GET,POST"),
            ("access-control-allow-headers", "authorization,content-type"),
            ("access-control-max-age", "60"),
        ] {
            assert_eq!(header(&response, name), allowed.then_some(value), "{name} for {origin}");
        }
    }
    // `ANY` matches OPTIONS, and the gateway adds its headers to the function's response.
    let response = send(ask("/files/a", ORIGIN)).await;
    assert_eq!(header(&response, "access-control-allow-methods"), Some("GET,POST"));
    assert_eq!(read(response).await["routeKey"], "ANY /files/{path+}");
    let plain = send(local.http.request(Method::OPTIONS, local.url("/things")).header("origin", ORIGIN)).await;
    assert_eq!(plain.status(), StatusCode::NOT_FOUND, "no preflight");
}

const ORIGIN: &str = "https://app.example.com";
