//! Errors of every dialect for requests that no handler accepts: docs/contract.md, All routes.

use serde_json::{Value, json};

use crate::support::{
    devices::devices_path,
    entities::IDENTITY,
    factors::person_awaiting_phone,
    login::token_in,
    mithril::{APPROVE, refused},
    passcode::CLIENT,
    people::{NEW_PHONE, PHONE},
    requests::Request,
    verify::{ADDRESS, Application, verify_error, verify_not_found},
    words::{
        BAD_MEDIA_TYPE, BAD_REQUEST, ERA_TOO_LARGE_BODY, FORBIDDEN, MALFORMED_REQUEST, NO_METHOD, NO_ROUTE,
        UNAUTHORIZED,
    },
    world::World,
};

#[tokio::test]
async fn unknown_routes_are_404_in_the_dialect_of_their_path() {
    let world = World::new().await;
    for (path, body) in [
        ("/", r#"{"message":"Not Found"}"#),
        ("/nothing", r#"{"message":"Not Found"}"#),
        ("/api/v4x", r#"{"message":"Not Found"}"#),
        ("/passcodes", r#"{"message":"Not Found"}"#),
        ("/api/v4", NO_ROUTE),
        ("/api/v4/user/security_pin", NO_ROUTE),
        ("/api/v4/user/support_pin/", NO_ROUTE),
        ("/api/v4/users//support_pin", NO_ROUTE),
        ("/rest/v1/iam/nothing", r#"{"error_code":1404,"error_message":"not found"}"#),
    ] {
        for method in ["GET", "POST", "DELETE"] {
            world.request(method, path).send().await.is(404, body);
        }
    }
    let got = world.get("/passcode/nothing").send().await;
    let body = got.ok(404);
    assert_eq!(
        (&body["status"], &body["error"], &body["path"]),
        (&json!(404), &json!("Not Found"), &json!("/passcode/nothing"))
    );
    for path in ["/v2", "/v2/Services/", "/v2/services", "/v2/Services/VA1/Nothing"] {
        for method in ["GET", "POST", "DELETE"] {
            assert_eq!(world.request(method, path).send().await.ok(404), verify_not_found(path));
        }
    }
    for path in [
        "/mithril/api",
        "/mithril/api/nothing",
        "/mithril/api/token",
        "/mithril/api/tokens/",
        "/mithril/api/users/7",
        "/mithril/api/users//authentication_factors",
        "/mithril/api/users/7/actions/nothing",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            let got = world.request(method, path).send().await;
            refused(&got, 404, "not_found", "Page not found.");
            let url = got.json()["meta"]["url"].clone();
            assert!(url.as_str().is_some_and(|url| url.ends_with(path)), "{url}");
        }
    }
}

#[tokio::test]
async fn wrong_methods_are_405_and_list_the_allowed_ones() {
    let world = World::new().await;
    for (path, allow) in [
        ("/api/v4/user/support_pin", "GET, HEAD, POST"),
        ("/api/v4/users/7/support_pin", "GET, HEAD"),
        ("/api/v4/users/7/support_pin/revoke", "POST"),
        ("/passcode/retrieve", "GET"),
        ("/passcode/consume", "POST"),
        ("/passcode/status", "GET, HEAD"),
        ("/passcode/invalidate", "POST"),
        ("/openapi.json", "GET, HEAD"),
        ("/mithril/api/tokens", "POST"),
        ("/mithril/api/users", "POST"),
        ("/mithril/api/users/actions/init_factor", "PATCH"),
        ("/mithril/api/users/actions/approve_factor", "PATCH"),
        ("/mithril/api/users/7/actions/block", "PATCH"),
        ("/mithril/api/users/7/actions/unblock", "PATCH"),
        ("/mithril/api/users/7/actions/create_otp", "PATCH"),
        ("/mithril/api/users/7/authentication_factors", "GET, HEAD, POST"),
        ("/mithril/api/users/7/authentication_factors/7", "GET, HEAD"),
        ("/mithril/api/users/7/authentication_factors/7/actions/reset", "PATCH"),
        ("/mithril/api/users/7/authentication_factors/7/actions/disable", "PATCH"),
        ("/mithril/api/users/7/authentication_factors/7/actions/enable", "PATCH"),
        ("/v2/Services", "GET, HEAD, POST"),
        ("/v2/Services/VA1", "DELETE, GET, HEAD, POST"),
        ("/v2/Services/VA1/RateLimits", "GET, HEAD, POST"),
        ("/v2/Services/VA1/RateLimits/RK1/Buckets/BL1", "DELETE, GET, HEAD, POST"),
    ] {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "HEAD"] {
            if allow.split(", ").any(|one| one == method) {
                continue;
            }
            let got = world.request(method, path).bearer(world.admin()).send().await;
            assert_eq!((got.status, got.header("allow")), (405, Some(allow)), "{method} {path}");
            let expected = match path.split('/').nth(1) {
                _ if method == "HEAD" => String::new(),
                Some("mithril") => {
                    refused(&got, 405, "method_not_allowed", "Method not allowed.");
                    continue;
                }
                Some("v2") => {
                    assert_eq!(got.json(), verify_error(405, 20004, "Method not allowed"), "{method} {path}");
                    continue;
                }
                Some("api") => NO_METHOD.into(),
                Some("openapi.json") => r#"{"message":"Method Not Allowed"}"#.into(),
                _ => {
                    let at = serde_json::from_str::<Value>(&got.body).expect("JSON")["timestamp"].clone();
                    format!(r#"{{"timestamp":{at},"status":405,"error":"Method Not Allowed","path":"{path}"}}"#)
                }
            };
            assert_eq!(got.body, expected, "{method} {path}");
        }
    }
    assert!(world.rows("PasscodesTable").await.is_empty(), "nothing was written");
}

#[tokio::test]
async fn an_encoded_body_is_415_in_every_dialect() {
    let world = World::new().await;
    let demo = format!("/mithril/api/users/{}", world.id("/user/user_id"));
    let before = world.state().await;
    let gitlab = r#"{"error":"The provided content-encoding 'gzip' is not supported."}"#;
    let era = r#"{"error_code":1415,"error_message":"unsupported content encoding"}"#;
    let plain = r#"{"message":"Unsupported Media Type"}"#;
    let gzip = include_bytes!("fixtures/empty-object.json.gz");
    for (method, path, body) in [
        ("POST", "/api/v4/user/support_pin", gitlab),
        ("GET", "/api/v4/user/support_pin", gitlab),
        ("POST", "/api/v4/nothing", gitlab),
        ("POST", "/rest/v1/iam/self_register_requests", era),
        ("PATCH", "/rest/v1/iam/self_register_requests/19738eb3-0183-b148-9420-7cd30a921f58", era),
        ("POST", "/rest/v1/iam/pwd_reset_requests", era),
        ("PATCH", "/rest/v1/iam/pwd_reset_requests/19738eb3-0183-b148-9420-7cd30a921f58", era),
        ("GET", "/app-root", era),
        ("GET", "/passcode/retrieve", ""),
        ("POST", "/passcode/consume", ""),
        ("POST", "/passcode/invalidate", ""),
        ("POST", "/mithril/api/tokens", ""),
        ("POST", "/mithril/api/users", ""),
        ("PATCH", &format!("{demo}/actions/block"), ""),
        ("POST", &format!("{demo}/authentication_factors"), ""),
        ("PATCH", "/mithril/api/users/actions/init_factor", ""),
        ("GET", "/openapi.json", plain),
        ("POST", "/v2/Services", ""),
        ("GET", "/v2/Services/VA1", ""),
        ("POST", "/elsewhere", plain),
    ] {
        let ask = || world.request(method, path).bearer(world.admin());
        for coding in ["gzip", "GZIP", "identity, gzip", "gzip, identity"] {
            let got = ask().header("content-encoding", coding).body("application/json", gzip);
            let got = got.send().await;
            assert_eq!((got.status, got.header("accept-encoding")), (415, Some("identity")), "{path}");
            match path {
                _ if path.starts_with("/mithril") => {
                    refused(&got, 415, "content_type_invalid", "Invalid Content-Encoding header.");
                }
                _ if path.starts_with("/passcode") => assert_eq!(got.json()["error"], BAD_MEDIA_TYPE),
                _ if path.starts_with("/v2") => {
                    assert_eq!(got.json(), verify_error(415, 20001, "Unsupported content encoding"));
                }
                _ => assert_eq!(got.body.to_lowercase(), body.to_lowercase()),
            }
        }
    }
    assert_eq!(world.state().await, before, "nothing was changed");
    let create = world.post("/api/v4/user/support_pin").private_token(world.user());
    create.header("content-encoding", "identity").send().await.ok(201);
}

#[tokio::test]
async fn urls_have_the_host_and_the_port_of_the_request() {
    let world = World::new().await;
    let port = world.url().rsplit_once(':').expect("a port").1;
    let (by_name, path) = (format!("localhost:{port}"), "/mithril/api/tokens");
    for (host, named) in [
        (&by_name, &by_name),
        (&format!("127.0.0.1:{port}"), &format!("127.0.0.1:{port}")),
        // A caller cannot control the URLs in responses.
        (&"evil.example".to_owned(), &format!("127.0.0.1:{port}")),
        (&"localhost:1".to_owned(), &format!("127.0.0.1:{port}")),
        (&format!("localhost:{port}.evil.example"), &format!("127.0.0.1:{port}")),
    ] {
        let ask = world.post(path).header("host", host).header("x-forwarded-host", "evil.example");
        let got = ask.json(&json!({})).send().await;
        assert_eq!(got.json()["meta"]["url"], format!("http://{named}{path}"), "{host}");
    }
}

#[tokio::test]
async fn bodies_are_limited_to_16_kib() {
    let world = World::new().await;
    let form = "application/x-www-form-urlencoded";
    let token = world.id("/passcode_token");
    let consume = |size: usize| {
        let ask = world.post("/passcode/consume?client_id=heatclinic").bearer(token);
        ask.body(form, format!("username=u&purpose=p&passcode={}", "x".repeat(size - 30)))
    };
    assert_eq!(consume(16_384 + 1).send().await.ok(413)["error"], "Payload Too Large");
    assert_eq!(consume(1_000_000).send().await.ok(413)["error"], "Payload Too Large");
    assert_eq!(consume(16_384).send().await.ok(400)["error"], BAD_REQUEST);
    let create = |size: usize| {
        let ask = world.post("/api/v4/user/support_pin").private_token(world.user());
        ask.body("application/json", "x".repeat(size))
    };
    create(16_384 + 1).send().await.is(413, r#"{"message":"413 Request Entity Too Large"}"#);
    create(16_384).send().await.ok(201);
    // Binary bodies arrive in base64.
    let binary = world.post("/api/v4/user/support_pin").private_token(world.user());
    binary.body("application/octet-stream", vec![0xff; 16_385]).send().await.ok(413);
    for (path, body) in [
        ("/rest/v1/iam/x", ERA_TOO_LARGE_BODY),
        ("/elsewhere", r#"{"message":"Request Too Long"}"#),
    ] {
        world.post(path).body("application/json", "x".repeat(16_385)).send().await.is(413, body);
    }
    for path in ["/mithril/api/x", "/mithril/api/tokens", "/mithril/api/users"] {
        let body = format!(r#"{{"email":"{}"}}"#, "x".repeat(16_385 - 12));
        let got = world.post(path).bearer(world.admin()).body("application/json", body).send().await;
        refused(&got, 413, "request_too_large", "Request body is too large.");
    }
}

/// Values of the parameters of paths: each names something that exists.
async fn parameters(world: &World, app: &Application) -> Vec<(&'static str, String)> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let olga = world.create_person("olga").await;
    world.add_device(&olga).await;
    world.keep_phone_out_of_logs(NEW_PHONE);
    let set = json!({ "command": "set_factor", "user_id": olga.id, "type": "SMS", "factor": NEW_PHONE });
    world.run_command(set).await;
    let devices = world.get(&devices_path(&olga)).bearer(world.admin()).send().await.ok(200);
    let entity = app.verified_device(world, IDENTITY).await;
    let challenge = entity.challenge(world, app, None).await;
    app.start(world, ADDRESS).await;
    let create = |path: &str, form: &[(&str, &str)]| app.request(world, "POST", path).form(form).send();
    let limit = text(&create("/RateLimits", &[("UniqueName", "end_user_ip")]).await.ok(201)["sid"]);
    let form = [("Max", "5"), ("Interval", "60")];
    let bucket = create(&format!("/RateLimits/{limit}/Buckets"), &form).await.ok(201);
    vec![
        ("devices/{id}", format!("devices/{}", text(&devices["data"][0]["id"]))),
        ("{id}", text(&world.factor_of(&olga).await["id"])),
        ("{user_id}", olga.id),
        ("{service}", app.service.clone()),
        ("{identity}", IDENTITY.to_owned()),
        ("{factor}", entity.sid),
        ("{challenge}", text(&challenge["sid"])),
        ("{verification}", ADDRESS.to_owned()),
        ("{rate_limit}", limit),
        ("{bucket}", text(&bucket["sid"])),
    ]
}

#[tokio::test]
async fn every_route_refuses_a_large_body_and_another_media_type() {
    let world = World::new().await;
    let app = world.application();
    let parameters = parameters(&world, &app).await;
    let (_, factorless) = person_awaiting_phone(&world, "maria").await;
    world.keep_phone_out_of_logs(PHONE);
    let approving = token_in(&world.init_factor(&factorless, PHONE).await);
    let document = world.get("/openapi.json").send().await.ok(200);
    let before = world.state().await;
    let mut tried = 0;
    for (path, item) in document["paths"].as_object().expect("paths") {
        let filled = parameters.iter().fold(path.clone(), |path, (name, value)| path.replace(name, value));
        for (method, operation) in item.as_object().expect("an item") {
            let Some(content) = operation["requestBody"]["content"].as_object() else {
                continue;
            };
            let ask = || {
                let ask = world.request(&method.to_uppercase(), &filled);
                match path.split('/').nth(1).expect("a first part") {
                    "v2" => ask.by(&app),
                    "passcode" => ask.query(&[CLIENT]).bearer(world.passcode_token()),
                    _ if path == APPROVE => ask.bearer(&approving),
                    _ => ask.bearer(world.admin()),
                }
            };
            for media_type in content.keys() {
                let got = ask().body(media_type, "x".repeat(16_385)).send().await;
                assert_eq!(got.status, 413, "{method} {path}: {got:?}");
            }
            let got = ask().body("text/plain", "x").send().await;
            assert_eq!(got.status, 415, "{method} {path}: {got:?}");
            tried += 1;
        }
    }
    assert!(tried > 25, "{tried}");
    assert_eq!(world.state().await, before, "nothing was changed");
}

/// Each route of Mithril's that reads a body, and a token for it.
fn readers(world: &World) -> Vec<(&'static str, String, Option<&str>)> {
    let user = format!("/mithril/api/users/{}", world.id("/user/user_id"));
    vec![
        ("POST", "/mithril/api/tokens".to_owned(), None),
        ("POST", "/mithril/api/users".to_owned(), Some(world.admin())),
        ("POST", format!("{user}/authentication_factors"), Some(world.admin())),
        ("PATCH", "/mithril/api/users/actions/init_factor".to_owned(), Some(world.admin())),
        ("PATCH", format!("{user}/actions/block"), Some(world.admin())),
    ]
}

#[tokio::test]
async fn only_a_json_object_is_accepted() {
    let world = World::new().await;
    let before = world.state().await;
    for (method, path, token) in readers(&world) {
        let ask = || token.into_iter().fold(world.request(method, &path), Request::bearer);
        let deep = format!(r#"{{"type":{}{}}}"#, "[".repeat(5000), "]".repeat(5000));
        for body in [
            "[]",
            r#"["SMS"]"#,
            "null",
            r#""SMS""#,
            "{",
            r#"{"type":"SMS"} x"#,
            r#"{"type":"SMS","type":"SMS"}"#,
            r#"{"type":"\ud800"}"#,
            r#"{"type":1e999}"#,
            "{'type':'SMS'}",
            &deep,
        ] {
            let got = ask().body("application/json", body).send().await;
            refused(&got, 400, "request_malformed", MALFORMED_REQUEST);
        }
        let got = ask().body("application/json", &b"{\"type\":\"\xff\"}"[..]).send().await;
        refused(&got, 400, "request_malformed", MALFORMED_REQUEST);
        for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"] {
            let got = ask().body(content_type, "{}").send().await;
            refused(&got, 415, "content_type_invalid", "Invalid Content-Type header.");
        }
        let got = ask().body("application/json", "x".repeat(16_385)).send().await;
        refused(&got, 413, "request_too_large", "Request body is too large.");
    }
    assert_eq!(world.state().await, before);
}

#[tokio::test]
async fn an_unexpected_body_must_have_a_supported_media_type() {
    let world = World::new().await;
    let create = || world.post("/api/v4/user/support_pin").private_token(world.user());
    create()
        .body("text/plain", "{}")
        .send()
        .await
        .is(415, r#"{"error":"The provided content-type 'text/plain' is not supported."}"#);
    create()
        .body("a\"b/\u{e9}", "{}")
        .send()
        .await
        .is(415, r#"{"error":"The provided content-type '' is not supported."}"#);
    assert!(world.rows("SupportPinsTable").await.is_empty(), "nothing was written");
    create().body("application/json", "{}").send().await.ok(201);
    create().body("application/x-www-form-urlencoded", "a=b").send().await.ok(201);
}

#[tokio::test]
async fn malformed_queries_and_headers_are_refused_without_a_crash() {
    let world = World::new().await;
    let own = "/api/v4/user/support_pin";
    for query in ["?a=%zz", "?a=1&a=1", "?a=%ff"] {
        let got = world.get(&format!("{own}{query}")).private_token(world.user()).send().await;
        got.is(400, r#"{"message":"400 Bad request"}"#);
    }
    for (name, value) in [
        ("authorization", "Bearer"),
        ("authorization", "Bearer \u{e9}"),
        ("private-token", "\u{e9}"),
    ] {
        world.get(own).header(name, value).send().await.is(401, UNAUTHORIZED);
    }
    // A function sees two headers as one list.
    let got = world.get(own).bearer(world.user()).bearer(world.user()).send().await;
    got.is(401, UNAUTHORIZED);
    world.get(&format!("{own}?page=1&per_page=20")).private_token(world.user()).send().await.ok(404);
}

#[tokio::test]
async fn headers_with_another_time_or_host_change_nothing() {
    let world = World::new().await;
    let got = world
        .post("/api/v4/user/support_pin")
        .private_token(world.user())
        .header("date", "Wed, 01 Jan 2020 00:00:00 GMT")
        .header("x-amzn-request-context", r#"{"timeEpoch":0}"#)
        .header("x-amzn-trace-id", "Root=1-00000000-000000000000000000000000")
        .header("x-forwarded-proto", "gopher")
        .header("x-http-method-override", "GET")
        .send()
        .await
        .ok(201);
    let year: u32 = got["expires_at"].as_str().expect("a time")[..4].parse().expect("a year");
    assert!(year >= 2025, "{got}");
}

#[tokio::test]
async fn no_origin_may_read_responses_by_default() {
    let world = World::new().await;
    for origin in ["null", "https://evil.example", world.url()] {
        for method in ["GET", "OPTIONS"] {
            let ask = world.request(method, "/api/v4/user/support_pin").private_token(world.user());
            let got = ask.header("origin", origin).header("access-control-request-method", "POST").send().await;
            assert!(got.headers.keys().all(|name| !name.as_str().starts_with("access-control")), "{got:?}");
        }
    }
}

#[tokio::test]
async fn authorization_is_checked_before_the_body() {
    let world = World::new().await;
    let own = "/api/v4/user/support_pin";
    let revoke = format!("/api/v4/users/{}/support_pin/revoke", world.id("/user/user_id"));
    let text = |path: &str| world.post(path).body("text/plain", "x");
    let unauthorized = UNAUTHORIZED;
    text(own).send().await.is(401, unauthorized);
    text(own).private_token("glpat-XXXXXXXXXXXXXXXXX").send().await.is(401, unauthorized);
    text(&revoke).private_token(world.user()).send().await.is(403, FORBIDDEN);
    text(&revoke).private_token(world.admin()).send().await.ok(415);
    world.get(&format!("{own}?%zz")).send().await.is(401, unauthorized);
    world.get(&format!("{own}?%zz")).private_token(world.user()).send().await.ok(400);
    // An empty header is equivalent to none.
    world.get(own).private_token("").bearer(world.user()).send().await.ok(404);
}
