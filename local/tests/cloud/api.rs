//! `/_local/…`: response shapes, and access control by origin and host.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Local, fixture_options, read, send};

#[tokio::test]
async fn the_demo_identities_have_the_expected_format() {
    let local = Local::start().await;
    let mut identities = local.json("/_local/identities").await;
    let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~!".contains(&byte);
    let mut passwords = Vec::new();
    for who in ["admin", "user"] {
        let password = identities[who]["password"].take();
        let password = password.as_str().expect("a text").to_owned();
        assert!(password.len() == 16 && password.bytes().all(alphabet), "{password}");
        passwords.push(password);
    }
    assert_ne!(passwords[0], passwords[1]);
    let person = |login: &str, scopes: &str| {
        json!({
            "user_id": format!("user-{login}"),
            "email": format!("{login}@pbx.era-platform.ru"),
            "login": login,
            "password": null,
            "token": format!("user-{login}:{scopes}"),
        })
    };
    let mut user = person("demo", "[\"api\"]");
    user["phone"] = "+380881234530".into();
    let expected = json!({
        "domain": "pbx.era-platform.ru",
        "client": { "client_id": "heatclinic", "client_secret": "s3cret" },
        "passcode_token": "heatclinic:[\"passcode\"]",
        "admin": person("admin", "\"all\""),
        "user": user,
        "verify": { "account_sid": "AC1", "auth_token": "t0ken", "service_sid": "VA1", "basic": "QUMxOnQwa2Vu" },
    });
    assert_eq!(identities, expected);
    assert_eq!(local.json("/_local/invocations").await, json!([]), "making them is not in the list");
    local.logged("OperatorFunction | a token for 31622400 seconds").await;
    let factor = r#"OperatorFunction | a factor of "user-demo": "SMS" "+380881234530""#;
    local.logged(factor).await;
}

#[tokio::test]
async fn tables_are_found_by_both_names() {
    let local = Local::start().await;
    assert_eq!(local.json("/_local/tables").await, json!(["countersign-ThingsTable"]));
    for name in ["ThingsTable", "countersign-ThingsTable"] {
        assert_eq!(local.json(&format!("/_local/tables/{name}")).await, json!([]));
    }
    let missing = send(local.get("/_local/tables/nothing")).await;
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
    assert!(read(missing).await["error"].is_string());
}

#[tokio::test]
async fn requests_from_other_origins_are_refused() {
    let local = Local::start().await;
    let own = local.cloud.url().to_owned();
    let host = own.strip_prefix("http://").expect("an HTTP address").to_owned();
    let port = host.rsplit_once(':').expect("a port").1;
    let local_host = format!("localhost:{port}");
    for (method, path, header, value, allowed) in [
        (Method::GET, "/_local/identities", "host", "evil.example", false),
        (Method::GET, "/_local/identities", "host", "127.0.0.1.evil.example", false),
        (Method::GET, "/_local/identities", "host", local_host.as_str(), true),
        (Method::GET, "/_local/identities", "origin", "http://evil.example", true), // the browser hides it from the page
        (Method::DELETE, "/_local/messages", "origin", "http://evil.example", false),
        (Method::DELETE, "/_local/messages", "origin", "null", false),
        (Method::DELETE, "/_local/messages", "origin", "http://localhost:1", false),
        (Method::DELETE, "/_local/messages", "origin", own.as_str(), true),
        (Method::POST, "/_local/sweep", "origin", "http://evil.example", false),
        (Method::POST, "/_local/sweep", "host", "evil.example", false),
        (Method::POST, "/2015-03-31/functions/operator/invocations", "origin", "http://evil.example", false),
        (Method::POST, "/2015-03-31/functions/operator/invocations", "host", "evil.example", false),
    ] {
        let request = local.http.request(method.clone(), local.url(path)).header(header, value);
        let status = send(request).await.status();
        assert_eq!(status != StatusCode::FORBIDDEN, allowed, "{method} {path} with {header}: {value} got {status}");
    }
    let api = send(local.get("/things/1").header("host", "api.example")).await;
    assert_eq!(api.status(), StatusCode::OK, "the API itself answers to any name");
}

#[tokio::test]
async fn unknown_paths_are_404_and_wrong_methods_are_405() {
    let local = Local::start().await;
    for (method, path, status) in [
        (Method::GET, "/_local/nothing", 404),
        (Method::PUT, "/_local/clock", 405),
        (Method::GET, "/_local/sweep", 405),
        (Method::GET, "/_localized", 200), // a route of the template
    ] {
        let response = send(local.http.request(method.clone(), local.url(path))).await;
        assert_eq!(response.status(), status, "{method} {path}");
    }
}

#[tokio::test]
async fn the_page_and_a_mail_have_their_content_security_policies() {
    let local = Local::start().await;
    let policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; frame-src 'self'; \
                  base-uri 'none'; form-action 'none'";
    for (path, media_type) in [
        ("/_local", "text/html; charset=utf-8"),
        ("/_local/page.css", "text/css; charset=utf-8"),
        ("/_local/page.js", "text/javascript; charset=utf-8"),
    ] {
        let response = send(local.get(path)).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(response.headers()["content-type"], media_type, "{path}");
        assert_eq!(response.headers()["content-security-policy"], policy, "{path}");
    }
    let form = "Action=SendEmail&Source=a%40b.c&Destination.ToAddresses.member.1=d%40e.f&Message.Body.Html.Data=%3Cb%3Ehi%3C%2Fb%3E";
    send(local.http.post(local.cloud.endpoint("ses")).body(form)).await;
    let id = local.json("/_local/messages").await[0]["id"].as_str().expect("an id").to_owned();
    let mail = send(local.get(&format!("/_local/messages/{id}/html"))).await;
    let mail_policy = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:";
    assert_eq!(mail.headers()["content-security-policy"], mail_policy);
    assert_eq!(mail.text().await.expect("a body"), "<!doctype html><base target=\"_blank\"><b>hi</b>");
    assert_eq!(send(local.get("/_local/messages/0/html")).await.status(), StatusCode::NOT_FOUND);
}

/// An open page survives a restart of the cloud: it reads identities that exist, and is notified of later ones.
#[tokio::test]
async fn identities_are_available_or_will_be_announced() {
    for _ in 0..12 {
        let mut options = fixture_options();
        options.port = free_port().await;
        let url = format!("http://127.0.0.1:{}", options.port);
        let start = tokio::spawn(Local::start_with(options));
        let http = reqwest::Client::new();
        let mut stream = loop {
            match http.get(format!("{url}/_local/changes")).send().await {
                Ok(response) => break response,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        let there = async || send(http.get(format!("{url}/_local/identities"))).await.status() == StatusCode::OK;
        if !there().await {
            let mut seen = String::new();
            let announced = async {
                while !seen.contains(r#"{"what":"identities"}"#) {
                    let part = stream.chunk().await.expect("the connection holds");
                    seen.push_str(&String::from_utf8_lossy(&part.expect("the stream goes on")));
                }
            };
            tokio::time::timeout(std::time::Duration::from_secs(20), announced)
                .await
                .expect("they are announced");
            assert!(there().await, "what is announced is there");
        }
        start.await.expect("it starts").cloud.stop().await;
    }
}

async fn free_port() -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

#[tokio::test]
async fn changes_are_streamed_as_they_happen() {
    let local = Local::start().await;
    let mut response = send(local.get("/_local/changes")).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");

    send(local.get("/things/1")).await;
    local.posted("/_local/clock", &json!({ "advance_seconds": 1 })).await;
    let form = "Action=Publish&PhoneNumber=%2B15555550123&Message=hi";
    send(local.http.post(local.cloud.endpoint("sns")).body(form)).await;
    let mut seen = String::new();
    let changes = async {
        while seen.matches("event: change").count() < 3 {
            let part = response.chunk().await.expect("the connection holds").expect("the stream goes on");
            seen.push_str(&String::from_utf8_lossy(&part));
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), changes).await.expect("three changes");
    let data: Vec<Value> = seen
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).expect("JSON"))
        .collect();
    assert_eq!(
        data,
        [
            json!({ "what": "invocations" }),
            json!({ "what": "clock" }),
            json!({ "what": "messages" })
        ]
    );
}

#[tokio::test]
async fn internal_endpoints_require_the_secret_path_of_a_process() {
    let local = Local::start().await;
    let endpoint = local.cloud.endpoint("dynamodb");
    let base = endpoint.split('/').take(3).collect::<Vec<_>>().join("/");
    for path in ["/", "/x/aws/dynamodb", "/x/2018-06-01/runtime/invocation/next", "/x"] {
        let response = local.http.get(format!("{base}{path}")).send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path}");
    }
}
