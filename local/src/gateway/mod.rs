//! API Gateway: an HTTP request becomes an event, a function's answer becomes a response.

mod answer;
mod authorizer;
mod cors;
mod event;
mod routes;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::json;

pub(crate) use routes::Routes;

use crate::http::{self, Unread};
use crate::runtime::Failure;
use crate::state::Inner;
use crate::{coverage, random, tenant};

/// API Gateway's limit.
const LONGEST_BODY: usize = 10 * 1024 * 1024;
/// This much more is read and discarded, so that an ordinary client sees the refusal and not a broken connection.
const READ_TO_REFUSE: usize = 64 * 1024 * 1024;

/// Answers one request to the API.
pub(crate) async fn answer(inner: &Arc<Inner>, peer: SocketAddr, request: Request<Body>) -> Response<Body> {
    let started = Instant::now();
    let request_id = random::gateway_id();
    let (head, body) = request.into_parts();
    let mut response = match read(&head, body).await {
        Err(status) => {
            let seen = Seen {
                started,
                what: shown(&head, None),
                cold: false,
            };
            inner.log.say(&seen.line(status));
            message(status)
        }
        Ok((path, body)) => {
            // In its own task: a caller that disconnects must not leave a process between two requests.
            let (inner, request_id) = (Arc::clone(inner), request_id.clone());
            let task = tokio::spawn(async move { run(&inner, peer, &head, &path, body, &request_id, started).await });
            task.await.unwrap_or_else(|_| message(StatusCode::INTERNAL_SERVER_ERROR))
        }
    };
    if let Ok(id) = HeaderValue::try_from(request_id) {
        response.headers_mut().insert("apigw-requestid", id);
    }
    response
}

/// The decoded path and the body, or the status with which the gateway refuses the request.
async fn read(head: &Parts, body: Body) -> Result<(String, Bytes), StatusCode> {
    let path = percent_decode_str(head.uri.path()).decode_utf8().map_err(|_| StatusCode::BAD_REQUEST)?;
    if !path.starts_with('/') {
        return Err(StatusCode::BAD_REQUEST);
    }
    if let Some(claimed) = head.headers.get(event::SOURCE_IP)
        && claimed.to_str().ok().and_then(|claimed| claimed.parse::<IpAddr>().ok()).is_none()
    {
        return Err(StatusCode::BAD_REQUEST);
    }
    let body = http::read(body, READ_TO_REFUSE).await.map_err(|unread| match unread {
        Unread::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
        Unread::Broken => StatusCode::BAD_REQUEST,
    })?;
    if body.len() > LONGEST_BODY {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    Ok((path.into_owned(), body))
}

async fn run(
    inner: &Arc<Inner>,
    peer: SocketAddr,
    head: &Parts,
    path: &str,
    body: Bytes,
    request_id: &str,
    started: Instant,
) -> Response<Body> {
    let refused = |route_key, response: Response<Body>| {
        let seen = Seen {
            started,
            what: shown(head, route_key),
            cold: false,
        };
        inner.log.say(&seen.line(response.status()));
        response
    };
    let Some(found) = inner.routes.find(head.method.as_str(), path) else {
        return match &inner.template.cors {
            // Only if no route matches: `ANY` and `$default` would.
            Some(cors) if cors::is_preflight(head) => {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::NO_CONTENT;
                cors::add(cors, head, &mut response);
                refused(None, response)
            }
            _ => refused(None, message(StatusCode::NOT_FOUND)),
        };
    };
    let route = &inner.template.routes[found.route];
    let route_key = route.key();
    let authorizer = match &route.authorizer {
        None => None,
        Some(authorizer) => match authorizer::authorize(authorizer, head, inner.clock.seconds()).await {
            Ok(authorizer) => Some(authorizer),
            Err(unauthorized) => return refused(Some(&route_key), unauthorized.response()),
        },
    };
    let source_ip = match head.headers.get(event::SOURCE_IP).and_then(|claimed| claimed.to_str().ok()) {
        Some(claimed) => claimed.to_owned(),
        None => peer.ip().to_string(),
    };
    let incoming = event::Incoming {
        head,
        path,
        body: &body,
        route_key: &route_key,
        parameters: &found.parameters,
        request_id,
        source_ip: &source_ip,
        port: inner.port,
        millis: inner.clock.millis(),
        authorizer,
    };
    let payload = incoming.event().to_string();
    let lambda = &inner.functions[route.function];
    let finished = lambda.invoke(payload.into()).await;
    if let Ok(answer) = &finished.result {
        tenant::notice(inner, &route_key, &body, answer);
    }
    let mut response = match &finished.result {
        Ok(answer) => answer::response(answer).unwrap_or_else(|wrong| {
            inner.log.function(lambda.name(), &format!("its answer cannot be passed on: {wrong}"));
            message(StatusCode::INTERNAL_SERVER_ERROR)
        }),
        Err(Failure::Unhandled(_) | Failure::Died(_)) => message(StatusCode::INTERNAL_SERVER_ERROR),
        Err(Failure::TimedOut(_) | Failure::NoCapacity) => message(StatusCode::SERVICE_UNAVAILABLE),
    };
    if let Some(cors) = &inner.template.cors {
        cors::add(cors, head, &mut response);
    }
    let seen = Seen {
        started,
        what: shown(head, Some(&route_key)),
        cold: finished.cold,
    };
    inner.log.say(&seen.line(response.status()));
    let answered = coverage::answered(&route_key, response.status(), &head.headers);
    inner.usage.note(answered);
    inner.record(route.function, Some(route_key), response.status().as_u16(), &finished);
    response
}

/// An error response of the gateway itself.
fn message(status: StatusCode) -> Response<Body> {
    let text = match status {
        StatusCode::NOT_FOUND => "Not Found",
        StatusCode::BAD_REQUEST => "Bad Request",
        StatusCode::PAYLOAD_TOO_LARGE => "Request Entity Too Large",
        StatusCode::SERVICE_UNAVAILABLE => "Service Unavailable",
        _ => "Internal Server Error",
    };
    http::json(status, &json!({ "message": text }))
}

/// A request as the terminal shows it.
struct Seen {
    started: Instant,
    what: String,
    cold: bool,
}

impl Seen {
    fn line(&self, status: StatusCode) -> String {
        let (what, ms) = (&self.what, self.started.elapsed().as_millis());
        let cold = if self.cold { "  cold" } else { "" };
        format!("  {} {what}  {ms} ms{cold}", status.as_u16())
    }
}

/// The route, and never the path or query that was sent: paths can contain secrets. Without a matching route, every
/// segment that has a digit or is long is masked.
fn shown(head: &Parts, route_key: Option<&str>) -> String {
    match route_key {
        Some(key) if key != "$default" => match key.split_once(' ') {
            Some(("ANY", path)) => format!("{} {path}", head.method),
            _ => key.to_owned(),
        },
        _ => {
            let hidden =
                |part: &&str| part.len() > 24 || part.bytes().any(|byte| byte.is_ascii_digit() && part.len() > 3);
            let parts = head.uri.path().split('/').map(|part| if hidden(&part) { "…" } else { part });
            format!("{} {}", head.method, parts.collect::<Vec<_>>().join("/"))
        }
    }
}
