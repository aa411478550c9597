//! What an API's own OpenAPI document adds to the events' routes: authorizers and CORS.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::eval::{Scope, object};
use super::{Authorizer, Cors, Template};

/// Reads the document at `at`, which may be absent, once the events' routes are known.
pub(super) fn read(scope: &Scope<'_>, document: &Value, at: &str, out: &mut Template) -> Result<(), String> {
    let Some(document) = scope.value(document, at)? else {
        return Ok(());
    };
    if let Some(cors) = document.get("x-amazon-apigateway-cors") {
        out.cors = Some(read_cors(cors).map_err(|wrong| format!("{at}.x-amazon-apigateway-cors {wrong}"))?);
    }
    let mut authorizers = BTreeMap::new();
    for (name, scheme) in object(&document["components"], "securitySchemes") {
        let at = format!("{at}.components.securitySchemes.{name}");
        let authorizer = read_authorizer(&scheme["x-amazon-apigateway-authorizer"]);
        authorizers.insert(name.as_str(), authorizer.map_err(|wrong| format!("{at} {wrong}"))?);
    }
    for (path, methods) in object(&document, "paths") {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let at = format!("{at}.paths.{path}.{method}");
            let key = format!("{} {path}", method.to_ascii_uppercase());
            let route = out.routes.iter_mut().find(|route| route.key() == key);
            let route = route.ok_or_else(|| format!("{at} is the route of no event"))?;
            for (name, value) in operation.as_object().into_iter().flatten() {
                let named = authorizers
                    .iter()
                    .find(|(authorizer, _)| name == "security" && *value == json!([{ **authorizer: [] }]));
                let (_, authorizer) = named
                    .ok_or_else(|| format!("{at}.{name} must be the security of one authoriser, without scopes"))?;
                route.authorizer = Some(authorizer.clone());
            }
        }
    }
    Ok(())
}

fn read_authorizer(authorizer: &Value) -> Result<Authorizer, String> {
    if authorizer["type"] != "jwt" || authorizer["identitySource"] != "$request.header.Authorization" {
        return Err("must be a JWT authoriser that reads the header Authorization".to_owned());
    }
    let issuer = authorizer["jwtConfiguration"]["issuer"].as_str().unwrap_or_default();
    // TLS to external issuers needs a deployment; a trial uses an issuer on this machine.
    let host = issuer.strip_prefix("http://").unwrap_or_default();
    let host = &host[..host.find([':', '/']).unwrap_or(host.len())];
    if !matches!(host, "127.0.0.1" | "localhost") {
        return Err(format!(
            "has the issuer {issuer:?}: here it must be one of this machine (http://127.0.0.1…), or `local`, the cloud's own"
        ));
    }
    let audience = texts(&authorizer["jwtConfiguration"]["audience"]);
    match audience.is_empty() {
        true => Err("has no audience, so that tokens for any other API would open this one".to_owned()),
        false => Ok(Authorizer {
            issuer: issuer.to_owned(),
            audience,
        }),
    }
}

fn read_cors(cors: &Value) -> Result<Cors, String> {
    for (name, _) in cors.as_object().into_iter().flatten() {
        if ![
            "allowOrigins",
            "allowMethods",
            "allowHeaders",
            "exposeHeaders",
            "maxAge",
        ]
        .contains(&name.as_str())
        {
            return Err(format!("has {name}, which the local cloud does not do"));
        }
    }
    let origins = texts(&cors["allowOrigins"]);
    match origins.iter().find(|origin| !is_origin(origin)) {
        Some(other) => Err(format!(
            "allows {other:?}, which is no origin: a scheme, a host in lower case, and no more than a port"
        )),
        None => Ok(Cors {
            origins,
            methods: texts(&cors["allowMethods"]).join(","),
            headers: texts(&cors["allowHeaders"]).join(","),
            exposed: texts(&cors["exposeHeaders"]).join(","),
            max_age: cors["maxAge"].as_u64().unwrap_or_default(),
        }),
    }
}

/// A single origin without wildcards: `https://*` would allow every site.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| {
        !host.is_empty()
            && host
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:[]".contains(&byte))
    })
}

/// The texts of a list without empty ones: an empty parameter splits into one empty text.
fn texts(list: &Value) -> Vec<String> {
    let texts = list.as_array().into_iter().flatten().filter_map(Value::as_str);
    texts.filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_exact() {
        for (text, expected) in [
            ("https://app.example.com", true),
            ("http://localhost:5173", true),
            ("http://[::1]:80", true),
            ("https://", false),
            ("https://*", false),
            ("https://*.example.com", false),
            ("*", false),
            ("null", false),
            ("app.example.com", false),
            ("https://app.example.com/", false),
            ("https://APP.example.com", false),
            ("https://app.example.com?", false),
        ] {
            assert_eq!(is_origin(text), expected, "{text}");
        }
    }

    #[test]
    fn an_issuer_must_be_local_and_an_audience_is_required() {
        for (issuer, audience, expected) in [
            ("http://127.0.0.1:3000/_local/issuer", "a", true),
            ("http://localhost/realms/x", "a", true),
            ("http://127.0.0.1:3000", "", false),
            ("https://idp.example.com", "a", false),
            ("http://idp.example.com", "a", false),
            ("http://127.0.0.1.example.com", "a", false),
            ("http://localhost@example.com", "a", false),
            ("", "a", false),
        ] {
            let authorizer = json!({
                "type": "jwt", "identitySource": "$request.header.Authorization",
                "jwtConfiguration": { "issuer": issuer, "audience": [audience] },
            });
            assert_eq!(read_authorizer(&authorizer).is_ok(), expected, "{issuer} for {audience:?}");
        }
    }
}
