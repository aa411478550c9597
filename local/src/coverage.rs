//! What no test has used: permissions of the template's roles (security.md R60), and responses of its routes (R43).

use std::collections::BTreeSet;
use std::path::Path;

use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::record;
use crate::rights::line;
use crate::template::{Function, Route, Template};

/// The headers that carry a credential, in any dialect.
const CREDENTIALS: [&str; 2] = ["authorization", "private-token"];

/// The permissions that the template allows and no cloud with a record in `folder` has used, one line each.
///
/// # Errors
/// An unreadable template or folder.
pub fn unused_rights(template: &Path, folder: &Path) -> Result<Vec<String>, String> {
    let template = Template::load(template, "http://127.0.0.1", &Default::default())?;
    let used = record::read(folder)?;
    Ok(of_calls(&template.functions).filter(|line| !used.contains(line)).collect())
}

fn of_calls(functions: &[Function]) -> impl Iterator<Item = String> {
    functions.iter().flat_map(|function| {
        let rights = function.role.rights.iter().filter(|right| !right.is_lambdas_own());
        rights.map(|right| line(&function.name, right))
    })
}

/// The record of a function's answer to an HTTP request.
pub(crate) fn answered(route: &str, status: StatusCode, headers: &HeaderMap) -> String {
    let is_given = CREDENTIALS.iter().any(|name| headers.contains_key(*name));
    answer(route, status.as_u16(), is_given)
}

fn answer(route: &str, status: u16, with_credential: bool) -> String {
    let with = if with_credential { "with" } else { "without" };
    format!("{route} answered {status} {with} a credential")
}

/// The routes that lack a test in the record of all tests, each with advice. A route needs a success. It also needs a
/// 401 to an unauthenticated request, unless the OpenAPI document declares it public.
pub(crate) fn untested(routes: &[Route], document: &Value, record: &BTreeSet<String>) -> Vec<String> {
    let mut missing = Vec::new();
    for route in routes {
        let Some(path) = &route.path else { continue };
        let (key, method) = (route.key(), route.method.as_deref().unwrap_or_default());
        let succeeded = |with| (200..300).any(|status| record.contains(&answer(&key, status, with)));
        if !succeeded(true) && !succeeded(false) {
            missing.push(format!(
                "{key} has no answer 2xx: write a test in tests/ that calls it as it is meant to be called"
            ));
        }
        // The document describes HEAD only as identical to GET.
        if method == "HEAD" {
            continue;
        }
        let operation = &document["paths"][path][method.to_ascii_lowercase()];
        if operation.is_null() {
            missing.push(format!("{key} is not in /openapi.json: describe it in openapi.rs beside its handler"));
        } else if refuses_strangers(operation) && !record.contains(&answer(&key, 401, false)) {
            missing.push(format!(
                "{key} has no answer 401 to a request without a credential: write a test in tests/ that sends none; if the \
                 route is public, remove the 401 and the security from its operation in functions/openapi"
            ));
        }
    }
    missing
}

/// Whether an operation declares a 401, or requires a credential for every request.
fn refuses_strangers(operation: &Value) -> bool {
    let is_empty = |requirement: &Value| requirement.as_object().is_none_or(serde_json::Map::is_empty);
    let security = operation["security"].as_array();
    operation["responses"]["401"].is_object()
        || security.is_some_and(|all| !all.is_empty() && !all.iter().any(is_empty))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What these routes lack, identified by the first word after the key.
    fn missing(routes: &[&str], record: &[&str]) -> Vec<String> {
        let routes: Vec<_> = routes
            .iter()
            .map(|key| {
                let (method, path) = key.split_once(' ').unzip();
                Route {
                    method: method.map(str::to_owned),
                    path: path.map(str::to_owned),
                    function: 0,
                    authorizer: None,
                }
            })
            .collect();
        let document = json!({ "paths": {
            "/pin": {
                "get": { "security": [{ "bearer": [] }], "responses": { "200": {}, "401": {} } },
                "post": { "security": [{ "bearer": [] }, { "private_token": [] }], "responses": { "201": {} } },
            },
            "/mail": {
                "post": { "security": [], "responses": { "200": {} } },
                "patch": { "responses": { "200": {} } },
            },
            "/code": { "patch": { "security": [{}, { "bearer": [] }], "responses": { "200": {}, "401": {} } } },
            "/page": { "get": { "security": [{}, { "bearer": [] }], "responses": { "200": {} } } },
        } });
        let record = record.iter().map(|line| (*line).to_owned()).collect();
        let gaps = untested(&routes, &document, &record);
        gaps.iter().map(|line| line.split(':').next().unwrap_or_default().to_owned()).collect()
    }

    const SUCCESS: &str = "GET /pin answered 200 with a credential";
    const REFUSAL: &str = "GET /pin answered 401 without a credential";

    #[test]
    fn a_protected_route_needs_a_success_and_a_refusal() {
        const NO_SUCCESS: &str = "GET /pin has no answer 2xx";
        const NO_REFUSAL: &str = "GET /pin has no answer 401 to a request without a credential";
        for (record, expected) in [
            (&[][..], &[NO_SUCCESS, NO_REFUSAL][..]),
            (&[SUCCESS], &[NO_REFUSAL]),
            (&[REFUSAL], &[NO_SUCCESS]),
            (&[SUCCESS, REFUSAL], &[]),
            // An invalid token is another case than a missing one.
            (&[SUCCESS, "GET /pin answered 401 with a credential"], &[NO_REFUSAL]),
            (&[REFUSAL, "GET /pin answered 303 with a credential"], &[NO_SUCCESS]),
            (&[REFUSAL, "GET /pin answered 204 without a credential"], &[]),
            // Records of other routes and permissions do not count for this one.
            (&[REFUSAL, "HEAD /pin answered 200 with a credential"], &[NO_SUCCESS]),
            (&[REFUSAL, "pin-show may s:GET /pin on a"], &[NO_SUCCESS]),
        ] {
            assert_eq!(missing(&["GET /pin"], record), expected, "{record:?}");
        }
    }

    #[test]
    fn public_routes_are_read_from_the_openapi_document() {
        for (route, is_public) in [
            ("POST /pin", false),
            ("POST /mail", true),
            ("PATCH /mail", true),
            // The credential may be in the body; without any, the answer is a 401.
            ("PATCH /code", false),
            ("GET /page", true),
        ] {
            let success = format!("{route} answered 201 with a credential");
            let expected = match is_public {
                true => vec![],
                false => vec![format!("{route} has no answer 401 to a request without a credential")],
            };
            assert_eq!(missing(&[route], &[&success]), expected, "{route}");
        }
    }

    #[test]
    fn a_route_is_counted_by_its_own_key() {
        assert_eq!(missing(&["$default"], &[]), [""; 0]);
        assert_eq!(missing(&["HEAD /pin"], &[SUCCESS]), ["HEAD /pin has no answer 2xx"]);
        let head = "HEAD /pin answered 200 with a credential";
        assert_eq!(missing(&["HEAD /pin"], &[head]), [""; 0]);
        let other = "GET /other answered 200 with a credential";
        assert_eq!(missing(&["GET /other"], &[other]), ["GET /other is not in /openapi.json"]);
    }

    #[test]
    fn a_credential_is_recognized_in_the_header_of_each_dialect() {
        let answered_to = |name: &'static str| {
            let headers = HeaderMap::from_iter([(name.parse().expect("a name"), "x".parse().expect("a value"))]);
            answered("GET /pin", StatusCode::OK, &headers)
        };
        for name in ["authorization", "private-token"] {
            assert_eq!(answered_to(name), SUCCESS, "{name}");
        }
        assert_eq!(answered_to("accept"), "GET /pin answered 200 without a credential");
    }
}
