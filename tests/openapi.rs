//! `/openapi.json` describes the routes of template.yaml and the responses of the functions.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    process::Command,
};

use saphyr::{LoadableYamlNode, Yaml};
use serde_json::{Value, json};

use crate::support::{
    login::token_in,
    requests::media_type_of,
    world::{World, random_name, root},
};

#[tokio::test]
async fn the_document_has_exactly_the_routes_of_the_template() {
    let world = World::new().await;
    let document = world.get("/openapi.json").send().await.ok(200);
    assert_eq!(document["openapi"], "3.1.0");
    let mut described = BTreeMap::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("an item") {
            let name = operation["operationId"].as_str().expect("an id").to_owned();
            described.insert(format!("{} {path}", method.to_uppercase()), name);
        }
    }
    let declared = declared();
    let routes = |described: &BTreeMap<String, String>| described.keys().cloned().collect::<Vec<_>>();
    assert_eq!(routes(&described), routes(&declared), "describe the route in openapi.rs beside its handler");
    let ids: BTreeSet<_> = described.values().collect();
    assert_eq!(ids.len(), described.len(), "each operation has an id of its own: {described:?}");
    for (route, function) in &declared {
        // Of a function with several routes, the rest of an id says which.
        let rest = described[route].strip_prefix(function.as_str());
        let is_only = declared.values().filter(|other| *other == function).count() == 1;
        let fits = rest.is_some_and(|rest| rest.is_empty() == is_only && (is_only || rest.starts_with('-')));
        assert!(fits, "{route} has the id {}: begin it with {function}", described[route]);
    }
}

/// The routes of the template, and the functions behind them.
fn declared() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(root().join("template.yaml")).expect("template.yaml");
    let yaml = Yaml::load_from_str(&text).expect("YAML");
    let at = |node: &Yaml, path: &[&str]| -> Option<String> {
        let found = path.iter().try_fold(node, |node, key| node.as_mapping_get(key))?;
        found.as_str().map(str::to_owned)
    };
    let mut routes = BTreeMap::new();
    for resource in yaml[0].as_mapping_get("Resources").and_then(Yaml::as_mapping).expect("resources").values() {
        let Some(events) = resource.as_mapping_get("Properties").and_then(|p| p.as_mapping_get("Events")) else {
            continue;
        };
        for event in events.as_mapping().expect("events").values() {
            let method = at(event, &["Properties", "Method"]);
            let path = at(event, &["Properties", "Path"]);
            // The description states in a sentence where HEAD is supported.
            if let (Some(method), Some(path)) = (method, path)
                && method != "HEAD"
            {
                let function = at(resource, &["Metadata", "BuildProperties", "Binary"]).expect("a binary");
                routes.insert(format!("{method} {path}"), function);
            }
        }
    }
    routes
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_valid_openapi() {
    let world = World::new().await;
    let document = world.get("/openapi.json").send().await.body;
    let file = std::env::temp_dir().join(format!("countersign-{}.json", random_name()));
    std::fs::write(&file, document).expect("a temporary file");
    let module = "openapi_spec_validator";
    let known = Command::new("python3").args(["-c", &format!("import {module}")]).output();
    if known.is_ok_and(|output| output.status.success()) {
        let output = Command::new("python3").args(["-m", module]).arg(&file).output().expect("python3 runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    } else {
        // Bypasses the test's output capture: a skip must be visible.
        let words = "SKIPPED: /openapi.json was NOT validated; pip install -r .ci/requirements.txt";
        let _ = writeln!(std::io::stderr(), "\n*** {words}");
    }
    std::fs::remove_file(file).expect("it is there");
}

#[tokio::test]
async fn responses_have_the_documented_media_types() {
    let world = World::new().await;
    let document = world.get("/openapi.json").send().await.ok(200);
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("an item") {
            for (status, response) in operation["responses"].as_object().expect("responses") {
                let Some(content) = response["content"].as_object() else {
                    continue;
                };
                let kinds: BTreeSet<_> = content.keys().map(String::as_str).collect();
                let mut expected = BTreeSet::from([match (path.as_str(), status.as_str()) {
                    ("/app-root", "200") => "text/html",
                    _ => media_type_of(path),
                }]);
                // The gateway also returns these, and 429 on many routes by itself.
                if ["413", "429", "500", "503"].contains(&status.as_str()) {
                    expected.insert("application/json");
                    expected.retain(|kind| status != "429" || kinds.contains(kind));
                }
                assert_eq!(kinds, expected, "{method} {path}: {status}");
            }
        }
    }
}

#[tokio::test]
async fn every_reference_has_a_target() {
    let world = World::new().await;
    let document = world.get("/openapi.json").send().await.ok(200);
    let schemas = document["components"]["schemas"].as_object().expect("schemas");
    let mut used = BTreeSet::new();
    references(&document, &mut used);
    let headers = document["components"]["headers"].as_object().expect("headers");
    let have: BTreeSet<_> = schemas
        .keys()
        .map(|name| format!("#/components/schemas/{name}"))
        .chain(headers.keys().map(|name| format!("#/components/headers/{name}")))
        .collect();
    assert_eq!(used, have, "components that are used, and components that there are");
}

/// Every operation, by method and path.
fn operations(document: &Value) -> impl Iterator<Item = (String, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().expect("an item");
        methods
            .iter()
            .map(move |(method, operation)| (format!("{} {path}", method.to_uppercase()), operation))
    })
}

#[tokio::test]
async fn every_operation_declares_its_security() {
    let world = World::new().await;
    let document = world.get("/openapi.json").send().await.ok(200);
    let public: BTreeSet<_> = operations(&document)
        .filter(|(_, operation)| operation["security"] == json!([]))
        .map(|(name, _)| name)
        .collect();
    let expected = [
        "GET /app-root",
        "GET /openapi.json",
        "PATCH /rest/v1/iam/pwd_reset_requests/{uuid}",
        "PATCH /rest/v1/iam/self_register_requests/{uuid}",
        "POST /rest/v1/iam/self_register_requests",
    ];
    assert_eq!(public, expected.map(str::to_owned).into());
    for (name, operation) in operations(&document) {
        assert!(operation["security"].is_array(), "{name} does not say who may call it");
    }
}

#[tokio::test]
async fn every_operation_documents_the_responses_of_the_gateway() {
    let world = World::new().await;
    let document = world.get("/openapi.json").send().await.ok(200);
    let plain = json!({ "$ref": "#/components/schemas/PlainMessage" });
    // GitLab's `Message` has the same format.
    let same = json!({ "$ref": "#/components/schemas/Message" });
    for (name, operation) in operations(&document) {
        for status in ["413", "429", "500", "503"] {
            let schema = &operation["responses"][status]["content"]["application/json"]["schema"];
            let any = schema["anyOf"].as_array().is_some_and(|any| any.contains(&plain));
            assert!(any || *schema == plain || *schema == same, "{name} {status}: {schema}");
        }
    }
}

/// The document describes valid requests, so that clients do not depend on error responses.
#[tokio::test]
async fn request_bodies_are_documented_completely() {
    let world = World::new().await;
    let document = world.get("/openapi.json").send().await.ok(200);
    let mut seen = BTreeSet::new();
    for (name, operation) in operations(&document) {
        let Some(content) = operation["requestBody"]["content"].as_object() else {
            continue;
        };
        for (media_type, content) in content {
            // Unknown form parameters are ignored, unknown JSON fields are refused.
            let closed = media_type == "application/json";
            described(&document, &content["schema"], closed, &name, &mut seen);
        }
    }
    assert!(seen.contains("#/components/schemas/PasswordGrant"), "{seen:?}");
    assert!(seen.contains("#/components/schemas/ConsumeForm"), "{seen:?}");
}

fn described(document: &Value, schema: &Value, closed: bool, at: &str, seen: &mut BTreeSet<String>) {
    if let Some(target) = schema["$ref"].as_str() {
        if seen.insert(target.to_owned()) {
            let pointer = target.trim_start_matches('#');
            let schema = document.pointer(pointer).unwrap_or_else(|| panic!("{target}"));
            described(document, schema, closed, target, seen);
        }
        return;
    }
    for schema in ["oneOf", "anyOf"].iter().filter_map(|any| schema[any].as_array()).flatten() {
        described(document, schema, closed, at, seen);
    }
    let is = |name: &str| {
        schema["type"] == name || schema["type"].as_array().is_some_and(|types| types.contains(&name.into()))
    };
    if is("object") && closed {
        assert_eq!(schema["additionalProperties"], false, "{at} takes fields that it does not name");
    }
    // An empty text is equivalent to `null`, where that is allowed.
    if schema["type"] == "string" {
        let bounds = ["enum", "minLength", "pattern"];
        assert!(bounds.iter().any(|bound| !schema[bound].is_null()), "{at} takes an empty text");
        let pattern = schema["pattern"].as_str().unwrap_or_default();
        let is_literal = pattern.chars().all(|symbol| symbol.is_alphanumeric() || "^$_".contains(symbol));
        assert!(pattern.is_empty() || !is_literal, "{at}: {pattern} is an enum");
    }
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        described(document, schema, closed, &format!("{at}.{name}"), seen);
    }
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(target)) = fields.get("$ref") {
                found.insert(target.clone());
            }
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn responses_have_the_documented_keys() {
    let world = World::new().await;
    let document = world.get("/openapi.json").send().await.ok(200);
    let described = |schema: &str| -> BTreeSet<String> {
        let properties = &document["components"]["schemas"][schema]["properties"];
        properties.as_object().unwrap_or_else(|| panic!("{schema}")).keys().cloned().collect()
    };
    let keys = |body: &Value| -> BTreeSet<String> { body.as_object().expect("an object").keys().cloned().collect() };
    let own = "/api/v4/user/support_pin";
    let created = world.post(own).private_token(world.user()).send().await.ok(201);
    assert_eq!(keys(&created), described("SupportPin"));
    assert_eq!(keys(&world.get(own).send().await.ok(401)), described("Message"));
    assert_eq!(
        keys(&world.get(own).bearer(world.id("/passcode_token")).send().await.ok(403)),
        described("TokenError")
    );
    let query = [("purpose", "p"), ("username", "u"), ("client_id", "heatclinic")];
    let issued = world.get("/passcode/retrieve").query(&query).bearer(world.admin()).send().await.ok(200);
    assert_eq!(keys(&issued), described("Retrieved"));
    assert_eq!(keys(&world.get("/passcode/retrieve").send().await.ok(401)), described("SpringError"));
    let form = [("passcode_id", issued["id"].as_str().expect("an id"))];
    let got = world
        .post("/passcode/invalidate?client_id=heatclinic")
        .bearer(world.admin())
        .form(&form)
        .send()
        .await;
    assert_eq!(keys(&got.ok(200)), described("Status"));

    let demo = world.demo();
    let factors = world.get(&demo.factors_path()).bearer(world.admin()).send().await.ok(200);
    assert_eq!(keys(&factors), described("FactorList"));
    assert_eq!(keys(&factors["meta"]), described("Meta"));
    assert_eq!(keys(&factors["paging"]), described("Paging"));
    let mut shown = keys(&factors["data"][0]);
    shown.insert("user".to_owned());
    assert_eq!(shown, described("FactorShown"));
    let login = world.sign_in(&demo, &demo.password).await;
    let (token, login) = (token_in(&login), login.ok(201));
    assert_eq!(keys(&login), described("TokenAnswer"));
    assert_eq!(keys(&login["data"]), described("TokenShown"));
    assert_eq!(keys(&login["data"]["details"]), described("TokenDetails"));
    let urgent = described("Urgent");
    assert!(keys(&login["urgent"]).is_subset(&urgent), "a login shows what it has");
    let device = world.add_device(&world.create_person("maria").await).await;
    assert!(!device.is_empty() && urgent.contains("device_token"));
    let user = world.resend_code(&demo, &token).await.ok(200);
    assert_eq!(keys(&user), described("UserAnswer"));
    assert_eq!(keys(&user["data"]), described("UserShown"));
    let mut wrong = world.submit_code(&token, "1").await.ok(422);
    assert_eq!(keys(&wrong), described("MithrilError"));
    assert_eq!(keys(&wrong["error"]), described("Problem"));
    let wrong = wrong["error"]["invalid"][0].take();
    assert_eq!(keys(&wrong), described("Invalid"));
    assert_eq!(keys(&wrong["rules"][0]), described("Rule"));
}

#[tokio::test]
async fn the_documented_form_fields_are_those_that_are_read() {
    let world = World::new().await;
    let document = world.get("/openapi.json").send().await.ok(200);
    let form = &document["components"]["schemas"]["ConsumeForm"];
    let named: BTreeSet<_> = form["required"]
        .as_array()
        .expect("required")
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    let fields = ["passcode", "purpose", "username"];
    assert_eq!(named, fields.map(str::to_owned).into());
    // Without any one of them the form is refused, with all of them it is accepted.
    let query = json!([("purpose", "p"), ("username", "u"), ("client_id", "heatclinic")]);
    let query: Vec<(String, String)> = serde_json::from_value(query).expect("pairs");
    let query: Vec<_> = query.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let issued = world.get("/passcode/retrieve").query(&query).bearer(world.admin()).send().await.ok(200);
    let all = [
        ("passcode", issued["token"].as_str().expect("a token")),
        ("purpose", "p"),
        ("username", "u"),
    ];
    for (left_out, _) in all {
        let some: Vec<_> = all.into_iter().filter(|(name, _)| *name != left_out).collect();
        let ask = world.post("/passcode/consume?client_id=heatclinic").bearer(world.admin());
        ask.form(&some).send().await.ok(400);
    }
    world
        .post("/passcode/consume?client_id=heatclinic")
        .bearer(world.admin())
        .form(&all)
        .send()
        .await
        .ok(200);
}
