//! Compares each response of a function with `/openapi.json`: status, headers, and the whole body.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use jsonschema::{Draft, Registry, Validator};
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::support::{requests::Response, world::World};

/// The name under which schemas refer to the document.
const DOCUMENT: &str = "urn:openapi";

/// Headers of the connection and of the body, which OpenAPI omits.
const OF_HTTP: &[&str] = &[
    "connection",
    "content-length",
    "content-type",
    "date",
    "transfer-encoding",
];

/// The document, and the validators that were built from it.
pub struct Described {
    document: Value,
    registry: Registry<'static>,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Described {
    /// From its own cloud: a request for it would be counted in the test's.
    pub async fn of_the_cloud() -> &'static Self {
        static DESCRIBED: OnceCell<Described> = OnceCell::const_new();
        DESCRIBED
            .get_or_init(|| async {
                let world = Box::pin(World::new()).await;
                Self::new(world.get("/openapi.json").send_unchecked().await.json())
            })
            .await
    }

    /// From a document.
    pub fn new(mut document: Value) -> Self {
        close(&mut document);
        let registry = Registry::new()
            .draft(Draft::Draft202012)
            .add(DOCUMENT, document.clone())
            .and_then(|registry| registry.prepare())
            .expect("schemas");
        Self {
            document,
            registry,
            validators: Mutex::default(),
        }
    }

    /// The operation of a method and path, and the path's template.
    fn operation(&self, method: &str, path: &str) -> Option<(&str, &Value)> {
        let paths = self.document["paths"].as_object()?;
        // If two match, the one with fewer parameters is the route.
        let (template, item) = paths
            .iter()
            .filter(|(template, _)| fits(template, path))
            .min_by_key(|(template, _)| template.matches('{').count())?;
        let operation = item.get(method.to_ascii_lowercase())?;
        Some((template, operation))
    }

    /// The parts of a response that the document does not describe.
    pub fn compare(&self, method: &str, template: &str, got: &Response) -> Vec<String> {
        let at = [
            "paths",
            template,
            &method.to_ascii_lowercase(),
            "responses",
            &got.status.to_string(),
        ];
        let at: String = at.iter().map(|part| format!("/{}", escaped(part))).collect();
        let Some(response) = self.document.pointer(&at) else {
            return vec![format!("no answer {}", got.status)];
        };
        let described: Vec<_> = response["headers"].as_object().into_iter().flatten().collect();
        let names = got.headers.keys().map(|name| name.as_str());
        let mut wrong: Vec<_> = names
            .filter(|name| {
                let is_described = described.iter().any(|(header, _)| header.eq_ignore_ascii_case(name));
                // CORS headers are added by the gateway, for pages of other origins.
                !is_described && !OF_HTTP.contains(name) && !name.starts_with("access-control-")
            })
            .map(|name| format!("no header {name}"))
            .collect();
        let required = described.iter().filter(|(_, header)| self.is_required(header));
        let missing = required.filter(|(name, _)| got.header(name).is_none());
        wrong.extend(missing.map(|(name, _)| format!("the header {name} is missing")));
        let Some(content) = response["content"].as_object() else {
            if !got.body.is_empty() {
                wrong.push("no content at all, and there is a body".to_owned());
            }
            return wrong;
        };
        let media_type = got.header("content-type").unwrap_or_default();
        match content.keys().find(|kind| *kind == media_type) {
            None => wrong.push(format!("no content {media_type}")),
            Some(kind) if kind.starts_with("application/json") => match serde_json::from_str(&got.body) {
                Err(error) => wrong.push(format!("no JSON: {error}")),
                Ok(body) => {
                    let validator = self.validator(&format!("{at} {kind}"), &content[kind]["schema"]);
                    let errors = validator.iter_errors(&body);
                    wrong.extend(errors.map(|error| format!("{}: {error}", error.instance_path())));
                }
            },
            Some(_) => {}
        }
        wrong
    }

    /// Whether a header, or the one that it refers to, is required.
    fn is_required(&self, header: &Value) -> bool {
        let target = header["$ref"].as_str();
        let pointer = target.map(|target| target.strip_prefix(DOCUMENT).unwrap_or(target).trim_start_matches('#'));
        let header = match pointer {
            Some(pointer) => self.document.pointer(pointer).expect("a reference leads somewhere"),
            None => header,
        };
        header["required"] == true
    }

    /// The validator of a schema, built once.
    fn validator(&self, at: &str, schema: &Value) -> Arc<Validator> {
        let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        let built = validators.entry(at.to_owned()).or_insert_with(|| {
            let validator = jsonschema::options()
                .with_draft(Draft::Draft202012)
                .with_registry(&self.registry)
                .should_validate_formats(true)
                .build(schema);
            Arc::new(validator.expect("a schema"))
        });
        built.clone()
    }
}

/// Fails if the response is not as the document describes it. A route that it does not describe is answered by
/// `$default`.
pub async fn check(method: &str, path: &str, got: &Response) {
    let described = Described::of_the_cloud().await;
    if let Some((template, _)) = described.operation(method, path) {
        let wrong = described.compare(method, template, got);
        assert!(
            wrong.is_empty(),
            "{method} {path} is answered as /openapi.json does not say: {wrong:#?}; describe it in functions/openapi/ \
             ({got:?})"
        );
    }
}

/// Closes every object to undescribed fields: the document itself leaves that open, for fields of later versions. A
/// reference names the document, so that a part of it is a schema by itself.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(entries) => {
            entries.values_mut().for_each(close);
            if let Some(Value::String(target)) = entries.get_mut("$ref") {
                target.insert_str(0, DOCUMENT);
            }
            if entries.get("type").is_some_and(|kind| kind == "object") && entries.contains_key("properties") {
                entries.entry("additionalProperties").or_insert(false.into());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

/// A part of a JSON pointer in a URI.
fn escaped(part: &str) -> String {
    part.replace('~', "~0").replace('/', "~1")
}

/// Whether a path matches a template.
fn fits(template: &str, path: &str) -> bool {
    // The gateway decodes a slash before it looks for a route.
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    !path.to_ascii_lowercase().contains("%2f")
        && template.split('/').count() == path.split('/').count()
        && wanted.all(|part| {
            let given = given.next().unwrap_or_default();
            part == given || (part.starts_with('{') && !given.is_empty())
        })
}
