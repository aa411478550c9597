//! The event of an HTTP API, payload format 2.0.
//!
//! Serialized as JSON and not through an event type of a library: those also write fields that the gateway omits.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::clock::LocalClock;
use crate::random;
use crate::template::{ACCOUNT, API};

/// Sets the caller's source address; not passed on.
pub(super) const SOURCE_IP: &str = "x-local-source-ip";

/// The input for an event.
pub(super) struct Incoming<'r> {
    pub(super) head: &'r Parts,
    /// URL-decoded, as an HTTP API passes it on.
    pub(super) path: &'r str,
    pub(super) body: &'r Bytes,
    pub(super) route_key: &'r str,
    pub(super) parameters: &'r [(String, String)],
    pub(super) request_id: &'r str,
    pub(super) source_ip: &'r str,
    pub(super) port: u16,
    /// By the local clock.
    pub(super) millis: u64,
    /// The authorizer's context about the caller.
    pub(super) authorizer: Option<Value>,
}

impl Incoming<'_> {
    /// The event that the function receives.
    pub(super) fn event(&self) -> Value {
        let headers = self.headers();
        let user_agent = headers.get("user-agent").cloned().unwrap_or_default();
        let query = self.head.uri.query().unwrap_or_default();
        let mut event = json!({
            "version": "2.0",
            "routeKey": self.route_key,
            "rawPath": self.path,
            "rawQueryString": query,
            "headers": headers,
            "requestContext": {
                "accountId": ACCOUNT,
                "apiId": API,
                "domainName": self.domain_name(),
                "domainPrefix": "localhost",
                "http": {
                    "method": self.head.method.as_str(),
                    "path": self.path,
                    "protocol": format!("{:?}", self.head.version),
                    "sourceIp": self.source_ip,
                    "userAgent": user_agent,
                },
                "requestId": self.request_id,
                "routeKey": self.route_key,
                "stage": "$default",
                "time": LocalClock::gateway_time(self.millis),
                "timeEpoch": self.millis,
            },
            "isBase64Encoded": false,
        });
        if let Some(authorizer) = &self.authorizer {
            event["requestContext"]["authorizer"] = authorizer.clone();
        }
        let cookies = cookies(&self.head.headers);
        if !cookies.is_empty() {
            event["cookies"] = cookies.into();
        }
        let query = pairs(form_urlencoded::parse(query.as_bytes()).into_owned());
        if !query.is_empty() {
            event["queryStringParameters"] = query.into();
        }
        if !self.parameters.is_empty() {
            event["pathParameters"] = pairs(self.parameters.iter().cloned()).into();
        }
        if !self.body.is_empty() {
            match std::str::from_utf8(self.body) {
                Ok(text) if is_text(&self.head.headers) => event["body"] = text.into(),
                _ => {
                    event["body"] = STANDARD.encode(self.body).into();
                    event["isBase64Encoded"] = true.into();
                }
            }
        }
        event
    }

    /// The requested host name and port, if they are this machine's. Any other Host header is ignored: a caller must
    /// not be able to choose what the function receives.
    fn domain_name(&self) -> String {
        let called = self.head.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let own = ["127.0.0.1", "localhost"].map(|name| format!("{name}:{}", self.port));
        let [fallback, _] = &own;
        let known = own.iter().find(|own| called.is_some_and(|called| called.eq_ignore_ascii_case(own)));
        known.unwrap_or(fallback).clone()
    }

    /// Lower-case names, several values joined with commas, and the headers that the gateway adds.
    fn headers(&self) -> BTreeMap<String, String> {
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        for name in self.head.headers.keys() {
            if !is_kept(name) {
                continue;
            }
            let values: Vec<_> = self
                .head
                .headers
                .get_all(name)
                .iter()
                .map(|value| String::from_utf8_lossy(value.as_bytes()))
                .collect();
            headers.insert(name.as_str().to_owned(), values.join(","));
        }
        let forwarded = match headers.get("x-forwarded-for") {
            Some(claimed) => format!("{claimed}, {}", self.source_ip),
            None => self.source_ip.to_owned(),
        };
        headers.insert("x-forwarded-for".to_owned(), forwarded);
        headers.insert("x-forwarded-proto".to_owned(), "http".to_owned());
        headers.insert("x-forwarded-port".to_owned(), self.port.to_string());
        let id = random::hex();
        headers.insert("x-amzn-trace-id".to_owned(), format!("Root=1-{:08x}-{}", self.millis / 1000, &id[..24]));
        headers
    }
}

/// Cookies have a field of their own; the other omitted headers belong to the connection.
fn is_kept(name: &HeaderName) -> bool {
    *name != header::COOKIE
        && *name != header::CONNECTION
        && *name != header::TRANSFER_ENCODING
        && *name != header::TE
        && *name != header::UPGRADE
        && name.as_str() != "keep-alive"
        && name.as_str() != SOURCE_IP
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    let lines = headers
        .get_all(header::COOKIE)
        .iter()
        .map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned());
    lines
        .flat_map(|line| line.split(';').map(|cookie| cookie.trim().to_owned()).collect::<Vec<_>>())
        .collect()
}

/// An object of texts; several values under one name are joined with commas.
fn pairs(pairs: impl Iterator<Item = (String, String)>) -> Map<String, Value> {
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in pairs {
        joined
            .entry(name)
            .and_modify(|all| {
                all.push(',');
                all.push_str(&value);
            })
            .or_insert_with(|| value.clone());
    }
    joined.into_iter().map(|(name, value)| (name, value.into())).collect()
}

/// The gateway treats only these as text. Forms, and bodies without a type, arrive in base64.
fn is_text(headers: &HeaderMap) -> bool {
    let declared = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.starts_with("text/")
        || matches!(essence.as_str(), "application/json" | "application/xml" | "application/javascript")
}
