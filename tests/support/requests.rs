//! Requests to the local cloud, and their responses.

use std::sync::atomic::{AtomicU32, Ordering};

use reqwest::{
    Method,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use serde_json::Value;

use crate::support::{described, world::World};

/// A key for the header `idempotency-key`.
pub const IDEMPOTENCY_KEY: &str = "5b9b0ea7-3d25-4d7c-8b5b-3a6c0f6d9f11";

/// A response: status, headers and body.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Response {
    /// A header, if present.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("ASCII"))
    }

    /// Asserts the status and the whole body, byte for byte.
    #[track_caller]
    pub fn is(&self, status: u16, body: &str) {
        assert_eq!((self.status, self.body.as_str()), (status, body));
    }

    /// The seconds of `Retry-After`.
    #[track_caller]
    pub fn retry_after(&self) -> u64 {
        let wait = self.header("retry-after").expect("Retry-After");
        wait.parse().expect("whole seconds")
    }

    /// The body, which must be JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The body of a response with this status.
    #[track_caller]
    pub fn ok(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.json()
    }
}

/// A request that is not sent yet.
pub struct Request<'a> {
    world: &'a World,
    request: reqwest::RequestBuilder,
}

impl Request<'_> {
    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
        self.request = self.request.header(name, HeaderValue::from_bytes(value.as_bytes()).expect("a header value"));
        self
    }

    /// Adds a bearer token.
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Adds a token in the header `private-token`.
    pub fn private_token(self, token: &str) -> Self {
        self.header("private-token", token)
    }

    /// Sends it from a new source address, so that no rate limit of one source applies.
    pub fn with_new_address(self) -> Self {
        static CALLERS: AtomicU32 = AtomicU32::new(0);
        // Counted, because random ones could share a /48 and its rate limit; of RFC 9637's prefix, which no test writes.
        let caller = u128::from(CALLERS.fetch_add(1, Ordering::Relaxed));
        let address = std::net::Ipv6Addr::from((0x3fff_u128 << 112) + (caller << 80) + 1);
        self.header("x-local-source-ip", &address.to_string())
    }

    /// Adds a query.
    pub fn query(mut self, pairs: &[(&str, &str)]) -> Self {
        self.request = self.request.query(pairs);
        self
    }

    /// Sets a form as the body.
    pub fn form(mut self, pairs: &[(&str, &str)]) -> Self {
        self.request = self.request.form(pairs);
        self
    }

    /// Sets a JSON body.
    pub fn json(mut self, body: &Value) -> Self {
        self.request = self.request.json(body);
        self
    }

    /// Sets a body of any media type.
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.request = self.request.header("content-type", content_type).body(body.into());
        self
    }

    /// Sends it to a function and checks the response: it is as `/openapi.json` describes it, has the same headers
    /// whatever its status (R47), and shows nothing internal. The secrets in it must be in no log.
    pub async fn send(self) -> Response {
        let world = self.world;
        let built = self.request.try_clone().expect("a body in memory").build();
        let built = built.expect("a good request");
        let (method, path) = (built.method().as_str(), built.url().path());
        let media_type = media_type_of(path);
        let got = self.send_unchecked().await;
        described::check(method, path, &got).await;
        // A response without a body has no dialect.
        let media_type = if got.status == 204 {
            "application/json"
        } else {
            media_type
        };
        for (name, value) in [
            ("content-type", media_type),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("strict-transport-security", "max-age=63072000; includeSubDomains"),
            ("referrer-policy", "no-referrer"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ] {
            assert_eq!(got.header(name), Some(value), "header {name} of {got:?}");
        }
        assert!(got.header("server").is_none() && got.header("x-powered-by").is_none(), "a banner: {got:?}");
        for internal in [
            "arn:aws",
            "countersign-",
            "src/",
            "panicked",
            "smithy",
            "DynamoDb",
            "Exception",
        ] {
            assert!(!got.body.contains(internal), "an internal word in {got:?}");
        }
        if got.status < 300
            && let Ok(body) = serde_json::from_str::<Value>(&got.body)
        {
            let secrets = [&body["pin"], &body["token"], &body["data"]["value"]];
            for secret in secrets.into_iter().filter_map(Value::as_str) {
                world.keep_out_of_logs(secret);
            }
        }
        got
    }

    /// Sends it and checks nothing.
    pub async fn send_unchecked(self) -> Response {
        let response = self.request.send().await.expect("the cloud answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Response {
            status,
            headers,
            body: response.text().await.expect("a body"),
        }
    }

    /// Sends it to `/_local`; returns the JSON of a success.
    pub async fn send_local(self) -> Value {
        let got = self.send_unchecked().await;
        assert!(got.status < 300, "{got:?}");
        serde_json::from_str(&got.body).unwrap_or(Value::Null)
    }
}

impl World {
    /// A request of any method.
    pub fn request(&self, method: &str, path: &str) -> Request<'_> {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        Request {
            world: self,
            request: self.http().request(method, format!("{}{path}", self.url())),
        }
    }

    /// A GET request.
    pub fn get(&self, path: &str) -> Request<'_> {
        self.request("GET", path)
    }

    /// A POST request.
    pub fn post(&self, path: &str) -> Request<'_> {
        self.request("POST", path)
    }

    /// Invokes a function with records of a stream, and returns the sequence numbers of those that it reports as failed.
    pub async fn invoke_with_records(&self, function: &str, records: &[Value]) -> Vec<String> {
        let path = format!("/2015-03-31/functions/{function}/invocations");
        let answer = self.post(&path).json(&serde_json::json!({ "Records": records })).send_local().await;
        let failures = answer["batchItemFailures"].as_array();
        let failures = failures.unwrap_or_else(|| panic!("{answer}")).iter();
        failures.map(|failure| failure["itemIdentifier"].as_str().expect("a text").to_owned()).collect()
    }

    /// The invocations since the last call of this method: function, status, and the calls to AWS that each made. Those
    /// that publish made are left out: a test delivers streams when it looks at its messages.
    pub async fn invocations(&self) -> Vec<Value> {
        let list = self.get("/_local/invocations").send_local().await;
        assert!(self.request("DELETE", "/_local/invocations").send_unchecked().await.status < 300);
        let list = list.as_array().expect("a list").iter();
        list.filter(|invocation| invocation["function"] != "publish").cloned().collect()
    }

    /// The calls of the only login since the last look at invocations, without periodic refreshes of keys, and without
    /// units: the failures of a network are one row, which grows with each of them.
    pub async fn login_calls(&self) -> Vec<Value> {
        let mut logins = self.invocations().await;
        logins.retain(|invocation| invocation["function"] == "token-create");
        assert_eq!(logins.len(), 1, "{logins:?}");
        let mut calls = logins[0]["calls"].as_array().expect("calls").clone();
        calls.retain(|call| call["service"] != "secretsmanager");
        calls.iter_mut().for_each(|call| drop(call.as_object_mut().expect("a call").remove("units")));
        calls
    }
}

/// The media type of JSON responses of a path. The Era dialect names the charset.
pub fn media_type_of(path: &str) -> &'static str {
    let is_below =
        |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    match is_below("/rest/v1") || is_below("/app-root") {
        true => "application/json; charset=utf-8",
        false => "application/json",
    }
}

/// The status, headers and body of a response, without the headers that differ in any two responses.
pub fn comparable(got: &Response) -> (u16, Vec<(String, String)>, String) {
    let headers = got.headers.iter().filter(|(name, _)| *name != "date" && *name != "apigw-requestid");
    let mut headers: Vec<_> =
        headers.map(|(name, value)| (name.to_string(), value.to_str().expect("ASCII").to_owned())).collect();
    headers.sort();
    (got.status, headers, got.body.clone())
}

/// A response without the id of its request.
pub fn shown(got: &Response) -> (u16, Vec<(String, String)>, Value) {
    let (status, headers, body) = comparable(got);
    let mut body: Value = serde_json::from_str(&body).expect("JSON");
    body["meta"]["request_id"].take();
    (status, headers, body)
}
