//! Converts a function's answer to the HTTP response: format 2.0, and the inferred format if there is no `statusCode`.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// Parses a function's answer; the error describes what is invalid.
pub(super) fn response(answer: &[u8]) -> Result<Response<Body>, String> {
    let answer: Value = serde_json::from_slice(answer).map_err(|error| format!("it is not JSON: {error}"))?;
    let Some(status) = answer.get("statusCode") else {
        return Ok(inferred(answer));
    };
    let status = match status {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    let status = status
        .and_then(|status| u16::try_from(status).ok())
        .filter(|status| (200..=599).contains(status))
        .and_then(|status| StatusCode::from_u16(status).ok())
        .ok_or("its statusCode is no HTTP status")?;
    let body = match &answer["body"] {
        Value::Null => Vec::new(),
        Value::String(text) if answer["isBase64Encoded"] == Value::Bool(true) => {
            STANDARD.decode(text).map_err(|_| "its body is not base64, although it says so")?
        }
        Value::String(text) => text.clone().into_bytes(),
        _ => return Err("its body is not a text".to_owned()),
    };
    let empty = body.is_empty();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        let value = match value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            Value::Null => continue,
            Value::Array(_) | Value::Object(_) => return Err(format!("its header {name} is not a text")),
        };
        let name = HeaderName::try_from(name).map_err(|_| format!("its header name {name:?} is not allowed"))?;
        if belongs_to_the_connection(&name) {
            continue;
        }
        let value =
            HeaderValue::try_from(value).map_err(|_| format!("the value of its header {name} is not allowed"))?;
        headers.insert(name, value);
    }
    for cookie in answer["cookies"].as_array().into_iter().flatten() {
        let cookie = cookie.as_str().and_then(|cookie| HeaderValue::try_from(cookie).ok());
        headers.append(header::SET_COOKIE, cookie.ok_or("one of its cookies is not allowed")?);
    }
    if !empty && !headers.contains_key(header::CONTENT_TYPE) {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain;charset=UTF-8"));
    }
    Ok(response)
}

/// A text is the body; any other value is serialized as JSON.
fn inferred(answer: Value) -> Response<Body> {
    let body = match answer {
        Value::String(text) => text,
        other => other.to_string(),
    };
    crate::http::answer(StatusCode::OK, "application/json", body)
}

fn belongs_to_the_connection(name: &HeaderName) -> bool {
    *name == header::CONTENT_LENGTH
        || *name == header::CONNECTION
        || *name == header::TRANSFER_ENCODING
        || *name == header::TE
        || *name == header::TRAILER
        || *name == header::UPGRADE
        || name.as_str() == "keep-alive"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn function_responses_are_validated() {
        for (answer, status) in [
            (r#"{"statusCode":201,"headers":{"a":"b"},"body":"x"}"#, Some(201)),
            (r#"{"statusCode":"404"}"#, Some(404)),
            (
                r#"{"statusCode":200,"body":"eA==","isBase64Encoded":true,"cookies":["a=b"],"headers":{"n":1}}"#,
                Some(200),
            ),
            (r#"{"any":"thing"}"#, Some(200)),
            (r#""text""#, Some(200)),
            ("null", Some(200)),
            (r#"{"statusCode":99}"#, None),
            (r#"{"statusCode":"abc"}"#, None),
            (r#"{"statusCode":200,"body":{"a":1}}"#, None),
            (r#"{"statusCode":200,"body":"%","isBase64Encoded":true}"#, None),
            (r#"{"statusCode":200,"headers":{"a":"b\nc"}}"#, None),
            ("not json", None),
            ("", None),
        ] {
            let response = response(answer.as_bytes());
            assert_eq!(response.as_ref().ok().map(|response| response.status().as_u16()), status, "{answer}");
        }
    }
}
