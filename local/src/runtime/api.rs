//! The Lambda runtime API, as each process sees it under its own path.

use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use super::process::{Process, Reply};
use crate::http::{self, Unread};
use crate::log::Log;

/// Lambda's limit for an answer, plus the JSON around it.
const LONGEST_ANSWER: usize = 6 * 1024 * 1024 + 102_400;

/// Answers a process's request; `path` starts after the version: `invocation/next`.
pub(crate) async fn answer(process: &Process, path: &str, request: Request<Body>, log: &Log) -> Response<Body> {
    let segments: Vec<&str> = path.split('/').collect();
    match (request.method(), segments.as_slice()) {
        (&Method::GET, ["invocation", "next"]) => next(process).await,
        (&Method::POST, ["invocation", id, kind @ ("response" | "error")]) => {
            let body = match http::read(request.into_body(), LONGEST_ANSWER).await {
                Ok(body) => body,
                Err(Unread::Broken) => return accepted(),
                Err(Unread::TooLong) => {
                    let message = "Exceeded maximum allowed payload size (6291556 bytes).";
                    let document = json!({ "errorType": "Function.ResponseSizeTooLarge", "errorMessage": message });
                    process.finish(id, Reply::Error(document.to_string().into()));
                    return refused(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", message);
                }
            };
            let reply = if *kind == "response" {
                Reply::Response(body)
            } else {
                Reply::Error(body)
            };
            if process.finish(id, reply) {
                accepted()
            } else {
                refused(StatusCode::BAD_REQUEST, "InvalidRequestID", "no invocation has this request id")
            }
        }
        (&Method::POST, ["init", "error"]) => {
            let body = http::read(request.into_body(), LONGEST_ANSWER).await.unwrap_or_default();
            let error: Value = serde_json::from_slice(&body).unwrap_or_default();
            let message = error["errorMessage"].as_str().unwrap_or("it reported an init error").to_owned();
            log.function(&process.function.name, &format!("init error: {message}"));
            process.init_failed(message);
            accepted()
        }
        _ => refused(StatusCode::NOT_FOUND, "NotFound", "no such part of the runtime API"),
    }
}

async fn next(process: &Process) -> Response<Body> {
    let Some(job) = process.next().await else {
        return refused(StatusCode::GONE, "Gone", "the local cloud is stopping");
    };
    job.taken.store(true, Ordering::SeqCst);
    // Deadlines are real time: the function compares them with its own clock, which has no offset.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let deadline = now.saturating_add(job.timeout).as_millis();
    let mut response = http::answer(StatusCode::OK, "application/json", job.payload);
    let trace = format!("Root=1-{:08x}-{};Sampled=0", now.as_secs(), &job.request_id.replace('-', "")[..24]);
    for (name, value) in [
        ("lambda-runtime-aws-request-id", job.request_id),
        ("lambda-runtime-deadline-ms", deadline.to_string()),
        ("lambda-runtime-invoked-function-arn", job.arn),
        ("lambda-runtime-trace-id", trace),
    ] {
        // Only a function name that AWS would reject does not fit a header.
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn accepted() -> Response<Body> {
    http::json(StatusCode::ACCEPTED, &json!({ "status": "OK" }))
}

fn refused(status: StatusCode, kind: &str, message: &str) -> Response<Body> {
    http::json(status, &json!({ "errorType": kind, "errorMessage": message }))
}
