//! API Gateway: events, routes, responses.

use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Local, eventually, read, send};

#[tokio::test]
async fn the_event_has_the_format_of_api_gateway() {
    let local = Local::start().await;
    let request = local
        .get("/things/a%20b%C3%A9?x=1&x=2&y=%2F+z&empty")
        .header("X-Twice", "one")
        .header("X-Twice", "two")
        .header("cookie", "a=b; c=d")
        .header("x-local-source-ip", "203.0.113.9")
        .header("x-forwarded-for", "198.51.100.1")
        .header("user-agent", "a test");
    let mut event = read(send(request).await).await;
    let trace = event["headers"]["x-amzn-trace-id"].take();
    assert!(trace.as_str().is_some_and(|trace| trace.starts_with("Root=1-")), "{trace}");
    let id = event["requestContext"]["requestId"].take();
    assert_eq!(id.as_str().map(str::len), Some(16), "{id}");
    let epoch = event["requestContext"]["timeEpoch"].take();
    assert!(epoch.as_u64().is_some_and(|epoch| epoch > 1_700_000_000_000), "milliseconds, not {epoch}");
    let time = event["requestContext"]["time"].take();
    assert!(time.as_str().is_some_and(|time| time.ends_with(" +0000") && time.len() == 26), "{time}");
    let authority = local.cloud.url().strip_prefix("http://").expect("an HTTP address").to_owned();
    let port = authority.rsplit_once(':').expect("a port").1.to_owned();
    let expected = json!({
        "version": "2.0",
        "routeKey": "GET /things/{id}",
        "rawPath": "/things/a bé",
        "rawQueryString": "x=1&x=2&y=%2F+z&empty",
        "cookies": ["a=b", "c=d"],
        "headers": {
            "accept": "*/*",
            "host": authority,
            "user-agent": "a test",
            "x-amzn-trace-id": null,
            "x-forwarded-for": "198.51.100.1, 203.0.113.9",
            "x-forwarded-port": port,
            "x-forwarded-proto": "http",
            "x-twice": "one,two",
        },
        "queryStringParameters": { "x": "1,2", "y": "/ z", "empty": "" },
        "pathParameters": { "id": "a bé" },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "local",
            "domainName": authority,
            "domainPrefix": "localhost",
            "http": {
                "method": "GET",
                "path": "/things/a bé",
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.9",
                "userAgent": "a test",
            },
            "requestId": null,
            "routeKey": "GET /things/{id}",
            "stage": "$default",
            "time": null,
            "timeEpoch": null,
        },
        "isBase64Encoded": false,
    });
    assert_eq!(event, expected);
}

#[tokio::test]
async fn bodies_are_text_for_four_kinds_of_media_types_only() {
    let local = Local::start().await;
    for (media_type, body, sent, base64) in [
        (Some("application/json; charset=utf-8"), "{\"a\":1}", "{\"a\":1}", false),
        (Some("text/plain"), "hé", "hé", false),
        (Some("application/x-www-form-urlencoded"), "a=b", "YT1i", true),
        (Some("application/octet-stream"), "a", "YQ==", true),
        (None, "a", "YQ==", true),
    ] {
        let mut request = local.http.post(local.url("/things")).body(body);
        if let Some(media_type) = media_type {
            request = request.header("content-type", media_type);
        }
        let event = read(send(request).await).await;
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!(sent), &json!(base64)), "{media_type:?}");
        assert_eq!(event["headers"]["content-length"], body.len().to_string(), "{media_type:?}");
    }
    let broken = local.http.post(local.url("/things")).header("content-type", "text/plain").body(vec![0xff, 0xfe]);
    assert_eq!(read(send(broken).await).await["body"], "//4=", "text that is none travels as bytes");
}

#[tokio::test]
async fn each_request_matches_its_route() {
    let local = Local::start().await;
    for (method, path, route) in [
        (Method::GET, "/things/mine", "GET /things/mine"),
        (Method::GET, "/things/7", "GET /things/{id}"),
        (Method::PUT, "/things/7", "$default"),
        (Method::GET, "/things", "$default"),
        (Method::POST, "/things", "POST /things"),
        (Method::DELETE, "/files/a/b/c", "ANY /files/{path+}"),
        (Method::GET, "/files", "$default"),
        (Method::GET, "/things/a%2Fb", "$default"),
        (Method::GET, "/", "$default"),
    ] {
        let event = read(send(local.http.request(method.clone(), local.url(path))).await).await;
        assert_eq!(event["routeKey"], route, "{method} {path}");
    }
}

#[tokio::test]
async fn function_responses_become_http_responses() {
    let local = Local::start().await;
    let response = send(local.get("/things/1")).await;
    assert_eq!(response.headers()["content-type"], "application/json");
    let cookies: Vec<_> = response.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert!(response.headers().contains_key("apigw-requestid"));

    for (answer, status, media_type, body) in [
        (
            json!({ "statusCode": 200, "body": "aGk=", "isBase64Encoded": true }),
            200,
            "text/plain;charset=UTF-8",
            "hi",
        ),
        (json!({ "statusCode": 404, "headers": { "Content-Type": "a/b" }, "body": "no" }), 404, "a/b", "no"),
        (json!({ "some": "thing" }), 200, "application/json", "{\"some\":\"thing\"}"),
        (json!("plain"), 200, "application/json", "plain"),
        (json!({ "statusCode": 1000 }), 500, "application/json", "{\"message\":\"Internal Server Error\"}"),
    ] {
        let encoded: String = form_urlencoded::byte_serialize(answer.to_string().as_bytes()).collect();
        let request = local.get(&format!("/files/x?mode=raw&answer={encoded}"));
        let response = send(request).await;
        assert_eq!(response.status(), status, "{answer}");
        assert_eq!(response.headers()["content-type"], media_type, "{answer}");
        assert_eq!(response.text().await.expect("a body"), body, "{answer}");
    }
    local.logged("its answer cannot be passed on: its statusCode is no HTTP status").await;
}

#[tokio::test]
async fn head_is_answered_without_a_body() {
    let local = Local::start().await;
    let response = send(local.http.head(local.url("/things/1"))).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["x-fixture"], "echo");
    assert_eq!(response.text().await.expect("no body"), "");
    assert_eq!(send(local.get("/things/1")).await.status(), StatusCode::OK, "and the connection still works");
}

#[tokio::test]
async fn the_gateway_refuses_invalid_and_oversized_requests() {
    let local = Local::start().await;
    let long = send(local.http.post(local.url("/things")).body(vec![b'x'; 10 * 1024 * 1024 + 1])).await;
    assert_eq!(long.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(read(long).await, json!({ "message": "Request Entity Too Large" }));
    for request in [
        local.get("/things/%ff"),
        local.get("/things/1").header("x-local-source-ip", "nobody"),
    ] {
        let response = send(request).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(read(response).await, json!({ "message": "Bad Request" }));
    }
    assert_eq!(local.json("/_local/invocations").await, json!([]), "no function has seen any of it");
}

#[tokio::test]
async fn an_unknown_path_is_404_without_a_default_route() {
    let folder = crate::support::Folder::new();
    let mut options = crate::support::fixture_options();
    options.template = folder.fixture_without("FallbackFunction");
    let local = Local::start_with(options).await;
    let response = send(local.get("/nowhere")).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(read(response).await, json!({ "message": "Not Found" }));
}

#[tokio::test]
async fn requests_run_in_parallel_and_get_their_own_responses() {
    let local = Local::start().await;
    let requests = (0..64).map(|token| {
        let request = local.get(&format!("/things/1?mode=sleep&ms=20&token=token-{token}"));
        async move { (token, send(request).await.text().await.expect("a body")) }
    });
    let mut processes = std::collections::BTreeSet::new();
    for (token, answer) in join_all(requests).await {
        let (process, echoed) = answer.split_once(' ').expect("a process and a token");
        assert_eq!(echoed, format!("token-{token}"));
        processes.insert(process.to_owned());
    }
    assert!((2..=10).contains(&processes.len()), "up to ten processes share the work, not {}", processes.len());
    let invocations = local.json("/_local/invocations").await;
    let invocations = invocations.as_array().expect("a list");
    assert_eq!(invocations.len(), 64);
    let cold = invocations.iter().filter(|invocation| invocation["cold"] == true).count();
    assert_eq!(cold, processes.len(), "a process is cold once");
}

#[tokio::test]
async fn a_disconnected_caller_does_not_affect_the_next_one() {
    let mut options = crate::support::fixture_options();
    options.processes_per_function = 1;
    let local = Local::start_with(options).await;
    let impatient = tokio::spawn(local.get("/things/1?mode=sleep&ms=200").send());
    local.logged("EchoFunction | asleep").await;
    impatient.abort();
    assert!(impatient.await.is_err_and(|error| error.is_cancelled()));
    let next = send(local.get("/things/2")).await;
    assert_eq!(next.status(), StatusCode::OK);
    assert_eq!(read(next).await["pathParameters"], json!({ "id": "2" }), "the next caller gets their own answer");
    eventually("both invocations", async || {
        local.json("/_local/invocations").await.as_array().map(Vec::len) == Some(2)
    })
    .await;
}

#[tokio::test]
async fn the_cost_of_a_request_is_listed() {
    let local = Local::start().await;
    for id in ["a", "b"] {
        assert_eq!(send(local.get(&format!("/things/1?mode=put&id={id}"))).await.status(), StatusCode::CREATED);
    }
    let listed = async |path: &str| {
        let mut listed = local.json(path).await;
        for invocation in listed.as_array_mut().expect("a list") {
            let ms = invocation["ms"].take();
            assert!(ms.as_f64().is_some_and(|ms| ms > 0.0), "{ms}");
            let digits = ms.to_string().split_once('.').map_or(0, |(_, digits)| digits.len());
            assert!(digits <= 3, "{ms} has three decimals at most");
            // A request to the gateway, one to Lambda, a write unit, and some milliseconds of 256 MB.
            let cost = invocation["cost_usd"].take().as_f64().expect("a number");
            let time = cost - 1e-6 - 0.2e-6 - 0.625e-6;
            let expected = 0.25 * (ms.as_f64().unwrap_or_default().ceil() / 1000.0) * 0.000_013_333_4;
            assert!((time - expected).abs() < 1e-11, "{cost} for {ms} ms");
        }
        listed
    };
    let units = |write: f64| json!({ "read": 0.0, "write": write });
    let table = "countersign-ThingsTable";
    let call = json!({ "service": "dynamodb", "operation": "PutItem", "table": table, "units": units(1.0) });
    let secret =
        json!({ "service": "secretsmanager", "operation": "GetSecretValue", "table": null, "units": units(0.0) });
    let invocation = |cold: bool| {
        json!({
            "function": "EchoFunction",
            "route": "GET /things/{id}",
            "status": 201,
            "cold": cold,
            "ms": null,
            "calls": [call],
            "units": units(1.0),
            "cost_usd": null,
        })
    };
    assert_eq!(listed("/_local/invocations").await, json!([invocation(true), invocation(false)]));
    let mut with_init = [invocation(true), invocation(false)];
    with_init[0]["init_calls"] = json!([secret]);
    with_init[1]["init_calls"] = json!([]);
    assert_eq!(listed("/_local/invocations?init=true").await, json!(with_init));
    assert_eq!(send(local.delete("/_local/invocations")).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(local.json("/_local/invocations").await, json!([]));
}
