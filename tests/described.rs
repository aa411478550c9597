//! The comparison of each response with `/openapi.json` detects what the document does not describe.

use serde_json::json;

use crate::support::{described::Described, requests::Response, world::World};

#[tokio::test]
async fn an_undocumented_response_is_detected() {
    let world = World::new().await;
    let path = "/api/v4/user/support_pin";
    let mut got = world.post(path).private_token(world.user()).send().await;
    let described = Described::of_the_cloud().await;
    let compare = |got: &Response| described.compare("POST", path, got);
    assert_eq!(compare(&got), [""; 0]);
    let body = got.body.clone();
    for (body, expected) in [
        (r#"{"pin":"123456"}"#, r#": "expires_at" is a required property"#),
        (r#"{"pin":123456,"expires_at":"2026-01-01T00:00:00Z"}"#, r#"/pin: 123456 is not of type "string""#),
        (
            r#"{"pin":"12345","expires_at":"2026-01-01T00:00:00Z"}"#,
            r#"/pin: "12345" does not match "^[0-9]{6}$""#,
        ),
        (r#"{"pin":"123456","expires_at":"tomorrow"}"#, r#"/expires_at: "tomorrow" is not a "date-time""#),
        (
            r#"{"pin":"123456","expires_at":"2026-01-01T00:00:00Z","more":1}"#,
            ": Additional properties are not allowed ('more' was unexpected)",
        ),
        ("x", "no JSON: expected value at line 1 column 1"),
    ] {
        body.clone_into(&mut got.body);
        assert_eq!(compare(&got), [expected]);
    }
    got.body = body;
    got.headers.insert("x-more", "1".parse().expect("a value"));
    assert_eq!(compare(&got), ["no header x-more"]);
    got.status = 418;
    assert_eq!(compare(&got), ["no answer 418"]);
}

#[tokio::test]
async fn a_missing_header_and_an_undocumented_body_are_detected() {
    let world = World::new().await;
    let mut got = world.get("/openapi.json").send_unchecked().await;
    let described = Described::new(json!({
        "paths": { "/x": { "get": { "responses": { "202": { "headers": {
            "X-One": { "required": true },
            "X-Two": { "$ref": "#/components/headers/X-Two" },
            "X-Three": { "required": false },
        } } } } } },
        "components": { "headers": { "X-Two": { "required": true } } },
    }));
    let mut compare = |headers: &[&'static str], body: &str| {
        got.status = 202;
        got.headers.clear();
        for name in headers {
            got.headers.insert(*name, "1".parse().expect("a value"));
        }
        body.clone_into(&mut got.body);
        described.compare("GET", "/x", &got)
    };
    assert_eq!(compare(&["x-one", "x-two"], ""), [""; 0]);
    assert_eq!(compare(&["x-one", "x-two", "x-three"], ""), [""; 0]);
    let mut missing = compare(&[], "");
    missing.sort();
    assert_eq!(missing, ["the header X-One is missing", "the header X-Two is missing"]);
    assert_eq!(compare(&["x-one", "x-two"], "{}"), ["no content at all, and there is a body"]);
}
