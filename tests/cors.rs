//! CORS: exactly the listed origins, and never with credentials (security.md R48).

use crate::support::{requests::Response, support_pin::OWN_PIN, words::NO_METHOD, world::World};

const APP: &str = "https://app.example.com";
const LOCAL: &str = "http://localhost:5173";

async fn world() -> World {
    World::with(&[("CorsOrigins", &format!("{APP},{LOCAL}"))]).await
}

/// The CORS headers of a response.
fn allowed(got: &Response) -> Vec<(&str, &str)> {
    let name = |name| got.header(name).map(|value| (name, value));
    let names = got.headers.keys().map(|name| name.as_str());
    names.filter(|name| name.starts_with("access-control-")).filter_map(name).collect()
}

async fn preflight(world: &World, path: &str, origin: &str) -> Response {
    let ask = world.request("OPTIONS", path).header("origin", origin);
    let ask = ask.header("access-control-request-method", "POST");
    ask.header("access-control-request-headers", "authorization").send().await
}

#[tokio::test]
async fn a_listed_origin_gets_its_cors_headers() {
    let world = world().await;
    for origin in [APP, LOCAL] {
        for path in [
            OWN_PIN,
            "/passcode/consume",
            "/v2/Services",
            "/mithril/api/tokens",
            "/rest/v1/iam/pwd_reset_requests",
        ] {
            let got = preflight(&world, path, origin).await;
            got.is(204, "");
            let mut said = allowed(&got);
            said.sort_unstable();
            let expected = [
                ("access-control-allow-headers", "authorization,content-type,idempotency-key,private-token"),
                ("access-control-allow-methods", "DELETE,GET,PATCH,POST"),
                ("access-control-allow-origin", origin),
                ("access-control-max-age", "600"),
            ];
            assert_eq!(said, expected, "{path}");
        }
        for (token, status) in [(world.user(), 201), ("nobody's", 401)] {
            let got = world.post(OWN_PIN).private_token(token).header("origin", origin).send().await;
            assert_eq!(got.status, status);
            let mut said = allowed(&got);
            said.sort_unstable();
            let expected = [
                ("access-control-allow-origin", origin),
                ("access-control-expose-headers", "apigw-requestid,location,retry-after,www-authenticate"),
            ];
            assert_eq!(said, expected, "{token}");
        }
    }
}

#[tokio::test]
async fn an_origin_similar_to_a_listed_one_gets_no_cors_headers() {
    let world = world().await;
    for origin in [
        "null",
        "*",
        "http://app.example.com",
        "https://app.example.com:443",
        "https://app.example.com:8443",
        "https://app.example.com.evil.example",
        "https://evil-app.example.com",
        "https://evil.app.example.com",
        "https://app.example.com@evil.example",
        "https://app.example.co",
        "https://app.example.com/",
        "https://APP.example.com",
        "https://app.example.com https://evil.example",
        "https://app.example.com,http://localhost:5173",
        "http://localhost",
        "http://127.0.0.1:5173",
        world.url(),
    ] {
        let asked = preflight(&world, OWN_PIN, origin).await;
        assert_eq!(allowed(&asked), [], "{origin}");
        let got = world.get(OWN_PIN).private_token(world.user()).header("origin", origin).send().await;
        assert_eq!(allowed(&got), [], "{origin}");
    }
    let got = world.get(OWN_PIN).private_token(world.user()).send().await;
    assert_eq!(allowed(&got), [], "no origin at all");
}

#[tokio::test]
async fn other_options_requests_are_answered_as_without_cors() {
    let world = world().await;
    let got = world.request("OPTIONS", OWN_PIN).header("origin", APP).send().await;
    got.is(405, NO_METHOD);
    assert_eq!(preflight(&world, "/api/v4/nowhere", APP).await.status, 404);
    assert_eq!(world.request("OPTIONS", OWN_PIN).send().await.status, 405);
    let without = World::new().await;
    let got = preflight(&without, OWN_PIN, APP).await;
    got.is(405, NO_METHOD);
    assert_eq!(allowed(&got), []);
}
