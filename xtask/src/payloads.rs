//! `events/*.json`: what API Gateway sends a function for its example request, in format 2.0.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;

use crate::{
    Generated,
    endpoints::{Function, Trigger},
    source::root,
};

const HOST: &str = "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com";
const AGENT: &str = "curl/8.5.0";
const SOURCE: &str = "192.0.2.10";

type Texts = BTreeMap<String, String>;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    version: &'static str,
    route_key: String,
    raw_path: String,
    raw_query_string: String,
    headers: Texts,
    #[serde(skip_serializing_if = "Texts::is_empty")]
    query_string_parameters: Texts,
    #[serde(skip_serializing_if = "Texts::is_empty")]
    path_parameters: Texts,
    request_context: Context,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    is_base64_encoded: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    account_id: &'static str,
    api_id: &'static str,
    domain_name: &'static str,
    domain_prefix: &'static str,
    http: Http,
    request_id: &'static str,
    route_key: String,
    stage: &'static str,
    time: &'static str,
    time_epoch: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Http {
    method: String,
    path: String,
    protocol: &'static str,
    source_ip: &'static str,
    user_agent: &'static str,
}

/// An example request: `functions/<name>/request.http`, in the format of editors' HTTP clients. It names identities of
/// the local cloud, `<user.token>`.
struct Request {
    method: String,
    path: String,
    query: String,
    headers: Texts,
    body: Option<String>,
}

/// The payload of a function that has a route.
pub fn payload(function: &Function, problems: &mut Vec<String>) -> Option<Generated> {
    if !function.has_route() {
        return None;
    }
    let path = format!("functions/{}/request.http", function.name);
    let text = std::fs::read_to_string(root().join(&path)).unwrap_or_default();
    let Some(request) = Request::parse(&text) else {
        problems.push(format!(
            "{path} is no request: write `METHOD /path?query`, headers, and after an empty line the body"
        ));
        return None;
    };
    let (route_key, parameters) = match &function.trigger {
        Trigger::Routes(routes) => {
            let found = routes.iter().filter(|route| request.method == route.method).find_map(|route| {
                let parameters = matched(&route.path, &request.path)?;
                Some((format!("{} {}", route.method, route.path), parameters))
            });
            if found.is_none() {
                problems.push(format!(
                    "{path} asks for {} {}, which is no route of the function",
                    request.method, request.path
                ));
            }
            found?
        }
        _ => ("$default".to_owned(), Texts::new()),
    };
    let event = request.event(route_key, parameters);
    let text = serde_json::to_string_pretty(&event).expect("texts and numbers are JSON");
    Some(Generated {
        path: format!("events/{}.json", function.name),
        text: text + "\n",
    })
}

/// The values of a pattern's parameters in a path.
fn matched(pattern: &str, path: &str) -> Option<Texts> {
    let (patterns, segments): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), path.split('/').collect());
    if patterns.len() != segments.len() {
        return None;
    }
    let mut parameters = Texts::new();
    for (pattern, segment) in patterns.iter().zip(segments) {
        match pattern.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) => {
                parameters.insert(name.to_owned(), segment.to_owned());
            }
            None if *pattern == segment => {}
            None => return None,
        }
    }
    Some(parameters)
}

impl Request {
    fn parse(text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut lines = head.lines();
        let (method, target) = lines.next()?.split_once(' ')?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers: Option<Texts> = lines
            .map(|line| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned())))
            .collect();
        let body = body.trim_end_matches('\n');
        Some(Self {
            method: method.to_owned(),
            path: path.starts_with('/').then(|| path.to_owned())?,
            query: query.to_owned(),
            headers: headers?,
            body: (!body.is_empty()).then(|| body.to_owned()),
        })
    }

    /// The event. API Gateway writes the names of headers in lower case, and forms in base64.
    fn event(self, route_key: String, path_parameters: Texts) -> Event {
        let is_form = self.headers.get("content-type").is_some_and(|kind| kind.contains("form"));
        let length = self.body.as_ref().map_or(0, String::len);
        let mut headers = self.headers;
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        headers.extend(
            [
                ("accept", "*/*"),
                ("host", HOST),
                ("user-agent", AGENT),
                ("x-amzn-trace-id", "Root=1-6921a000-5e1b4dcd6c1f0a2b3c4d5e6f"),
                ("x-forwarded-for", SOURCE),
                ("x-forwarded-port", "443"),
                ("x-forwarded-proto", "https"),
            ]
            .map(own),
        );
        if self.method != "GET" {
            headers.insert("content-length".to_owned(), length.to_string());
        }
        let query = form_urlencoded::parse(self.query.as_bytes());
        Event {
            version: "2.0",
            raw_path: self.path.clone(),
            query_string_parameters: query.into_owned().collect(),
            raw_query_string: self.query,
            headers,
            path_parameters,
            request_context: Context {
                account_id: "123456789012",
                api_id: "a1b2c3d4e5",
                domain_name: HOST,
                domain_prefix: "a1b2c3d4e5",
                http: Http {
                    method: self.method,
                    path: self.path,
                    protocol: "HTTP/1.1",
                    source_ip: SOURCE,
                    user_agent: AGENT,
                },
                request_id: "JAGWpXmPvHcESEA=",
                route_key: route_key.clone(),
                stage: "$default",
                time: "22/Nov/2026:11:39:12 +0000",
                time_epoch: 1_795_347_552_000,
            },
            route_key,
            body: self.body.map(|body| if is_form { STANDARD.encode(body) } else { body }),
            is_base64_encoded: is_form,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_request_is_an_event() {
        let text = "POST /users/7/one?a=b%20c\nPrivate-Token: <user.token>\nContent-Type: application/x-www-form-urlencoded\n\nx=1\n";
        let request = Request::parse(text).expect("a request");
        let parameters = matched("/users/{id}/one", &request.path).expect("its route");
        let event = serde_json::to_value(request.event("POST /users/{id}/one".to_owned(), parameters)).expect("JSON");
        for (pointer, expected) in [
            ("/rawPath", "/users/7/one"),
            ("/rawQueryString", "a=b%20c"),
            ("/queryStringParameters/a", "b c"),
            ("/pathParameters/id", "7"),
            ("/headers/private-token", "<user.token>"),
            ("/headers/content-length", "3"),
            ("/body", "eD0x"),
            ("/requestContext/http/method", "POST"),
        ] {
            assert_eq!(event.pointer(pointer).and_then(|value| value.as_str()), Some(expected), "{pointer}");
        }
        assert_eq!(event["isBase64Encoded"], true);
    }

    #[test]
    fn an_invalid_request_of_a_route_is_refused() {
        for text in ["", "GET", "GET users", "GET /users\nno header"] {
            assert!(Request::parse(text).is_none(), "{text}");
        }
        for path in ["/users/7", "/users/7/two", "/users/7/one/more"] {
            assert!(matched("/users/{id}/one", path).is_none(), "{path}");
        }
    }
}
