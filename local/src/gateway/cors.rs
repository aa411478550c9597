//! API Gateway's CORS headers.

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, Response, header};

use crate::template::Cors;

/// Whether this is a CORS preflight request.
pub(super) fn is_preflight(head: &Parts) -> bool {
    head.method == Method::OPTIONS
        && head.headers.contains_key(header::ORIGIN)
        && head.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Adds the headers for the requesting origin, if it is listed. The function's own CORS headers are dropped.
pub(super) fn add(cors: &Cors, head: &Parts, response: &mut Response<Body>) {
    let is_said = |name: &&HeaderName| name.as_str().starts_with("access-control-");
    let said: Vec<_> = response.headers().keys().filter(is_said).cloned().collect();
    for name in said {
        response.headers_mut().remove(name);
    }
    let origin = head.headers.get(header::ORIGIN);
    let Some(origin) = origin.filter(|origin| cors.origins.iter().any(|listed| origin.as_bytes() == listed.as_bytes()))
    else {
        return;
    };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    let mut add = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value)
            && !value.is_empty()
        {
            headers.insert(name, value);
        }
    };
    match is_preflight(head) {
        true => {
            add(header::ACCESS_CONTROL_ALLOW_METHODS, &cors.methods);
            add(header::ACCESS_CONTROL_ALLOW_HEADERS, &cors.headers);
            add(header::ACCESS_CONTROL_MAX_AGE, &cors.max_age.to_string());
        }
        false => add(header::ACCESS_CONTROL_EXPOSE_HEADERS, &cors.exposed),
    }
}
