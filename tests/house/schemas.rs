//! `docs/events/` and `docs/events.md` are true to what is published.

use std::collections::BTreeMap;

use countersign_xtask::{
    events::{Published, SCHEMAS},
    source::{below, compare, read, verdict},
    template::{Template, list},
};
use serde_json::Value;

/// The document that explains events, with examples.
const DOCUMENT: &str = "docs/events.md";

fn types(broken: &mut Vec<String>) -> Vec<String> {
    Published::read(broken).types().map(|(name, _)| name.to_owned()).collect()
}

/// The schemas, by type. They are valid.
fn schemas(broken: &mut Vec<String>) -> BTreeMap<String, jsonschema::Validator> {
    let mut schemas = BTreeMap::new();
    for file in below(SCHEMAS, &[""]) {
        let name = file.path.trim_start_matches(SCHEMAS).trim_start_matches('/').trim_end_matches(".json");
        let schema = serde_json::from_str::<Value>(&file.text).ok();
        match schema.and_then(|schema| jsonschema::draft202012::new(&schema).ok()) {
            Some(schema) => {
                schemas.insert(name.to_owned(), schema);
            }
            None => {
                broken.push(format!("{} is no JSON schema of draft 2020-12: correct xtask/src/events.rs", file.path))
            }
        }
    }
    schemas
}

#[test]
fn each_published_type_has_a_schema() {
    let mut broken = Vec::new();
    let types = types(&mut broken);
    let schemas: Vec<_> = schemas(&mut broken).into_keys().collect();
    compare(
        &mut broken,
        &types,
        &schemas,
        |name| format!("{SCHEMAS} has no schema of {name}: run `cargo xtask generate`"),
        |name| format!("{SCHEMAS}/{name}.json is of a type that is not published: remove it"),
    );
    verdict(broken);
}

/// The blocks of code of a language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("\n```{language}\n");
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(&fence) {
        let (block, after) = after.split_once("\n```").unwrap_or((after, ""));
        blocks.push(block);
        rest = after;
    }
    blocks
}

#[test]
fn the_example_of_an_event_fits_its_schema() {
    let mut broken = Vec::new();
    let schemas = schemas(&mut broken);
    let text = read(DOCUMENT).text;
    let examples = blocks(&text, "json");
    assert!(!examples.is_empty(), "{DOCUMENT} shows no event: add a block of JSON");
    for example in examples {
        let event: Value = serde_json::from_str(example).unwrap_or_else(|error| panic!("{DOCUMENT}: {error}"));
        let name = event["detail-type"].as_str().unwrap_or_default();
        match schemas.get(name) {
            Some(schema) => {
                let errors = schema.iter_errors(&event["detail"]);
                broken.extend(errors.map(|error| format!("{DOCUMENT} shows an event that is none of ours: {error}")));
            }
            None => broken.push(format!("{DOCUMENT} shows an event of {name:?}, which is not published")),
        }
    }
    verdict(broken);
}

#[test]
fn the_rules_in_examples_select_published_types() {
    let mut broken = Vec::new();
    let types = types(&mut broken);
    let text = read(DOCUMENT).text;
    let mut count = 0;
    for example in blocks(&text, "yaml") {
        let (template, mut patterns) = (Template::parse(example), Vec::new());
        collect(&template.0, &mut patterns);
        for pattern in patterns {
            count += 1;
            for wanted in list(&pattern["detail-type"]) {
                let is_published = match (wanted.as_str(), wanted["prefix"].as_str()) {
                    (Some(name), _) => types.iter().any(|known| known == name),
                    (None, Some(prefix)) => types.iter().any(|known| known.starts_with(prefix)),
                    (None, None) => false,
                };
                if !is_published {
                    broken
                        .push(format!("{DOCUMENT} has a rule for {wanted}, which is not published: name another type"));
                }
            }
            if pattern["source"] != serde_json::json!(["countersign"]) {
                broken.push(format!("{DOCUMENT} has a rule for another source: write source: [countersign]"));
            }
        }
    }
    assert_eq!(count, 3, "{DOCUMENT} has three examples with one rule each: a webhook, a queue, a Lambda function");
    verdict(broken);
}

/// The event patterns in a template.
fn collect<'a>(value: &'a Value, patterns: &mut Vec<&'a Value>) {
    match value {
        Value::Object(entries) => {
            for (name, inner) in entries {
                match name.as_str() {
                    "EventPattern" | "Pattern" => patterns.push(inner),
                    _ => collect(inner, patterns),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|inner| collect(inner, patterns)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
