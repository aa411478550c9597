//! The payloads in `events/`, with which users and AWS's own tools invoke functions. The expected answers are in
//! `aws/answers.json`, in the order in which they are sent; the scripts in `aws/` use the same list.

use serde_json::{Value, json};

use crate::support::world::{World, root};

/// A payload with the demo tenant's identities in place of their names (`<user.token>`), and the present time.
fn filled(world: &World, function: &str, millis: u64) -> Value {
    let path = root().join(format!("events/{function}.json"));
    let mut text = std::fs::read_to_string(path).expect("each function has a payload");
    for (name, value) in leaves("", &world.ids) {
        text = text.replace(&format!("<{name}>"), value);
    }
    let mut payload: Value = serde_json::from_str(&text).expect("JSON");
    if let Some(context) = payload.get_mut("requestContext") {
        context["timeEpoch"] = millis.into();
    }
    payload
}

/// Every text in an object of objects, by its path: `user.token`.
fn leaves<'v>(path: &str, value: &'v Value) -> Vec<(String, &'v str)> {
    match value {
        Value::Object(inner) => {
            inner.iter().flat_map(|(name, value)| leaves(&format!("{path}.{name}"), value)).collect()
        }
        Value::String(text) => vec![(path.trim_start_matches('.').to_owned(), text)],
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => Vec::new(),
    }
}

/// A function's answer: `status` and `body` over HTTP, `answer` elsewhere.
fn answered(answer: Value) -> Value {
    match (answer.get("statusCode"), answer["body"].as_str()) {
        (Some(status), Some(body)) => {
            let body: Value = serde_json::from_str(body).unwrap_or_else(|_| body.into());
            json!({ "status": status, "body": body })
        }
        _ => json!({ "answer": answer }),
    }
}

/// Whether a value is as expected; `"*"` matches any.
fn fits(said: &Value, value: &Value) -> bool {
    match (said, value) {
        (Value::String(any), _) if any == "*" => true,
        (Value::Object(said), Value::Object(value)) => {
            said.len() == value.len()
                && said.iter().all(|(name, said)| value.get(name).is_some_and(|value| fits(said, value)))
        }
        (Value::Array(said), Value::Array(value)) => {
            said.len() == value.len() && said.iter().zip(value).all(|(said, value)| fits(said, value))
        }
        (said, value) => said == value,
    }
}

#[tokio::test]
async fn every_payload_gets_its_expected_response() {
    let world = World::new().await;
    let list: Vec<Value> = serde_json::from_str(include_str!("aws/answers.json")).expect("JSON");
    let mut broken = Vec::new();
    for mut said in list {
        let function = said["function"].take();
        let function = function.as_str().expect("a name");
        said.as_object_mut().expect("an object").remove("function");
        let payload = filled(&world, function, world.now().await * 1000);
        let invoke = format!("/2015-03-31/functions/{function}/invocations");
        let answer = answered(world.post(&invoke).json(&payload).send_local().await);
        if !fits(&said, &answer) {
            broken.push(format!("{function} answered {answer}, and {said} is said"));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[tokio::test]
async fn an_event_without_a_time_is_refused_and_changes_nothing() {
    let world = World::new().await;
    let before = world.all_rows().await;
    let list: Vec<Value> = serde_json::from_str(include_str!("aws/answers.json")).expect("JSON");
    let mut seen = 0;
    for function in list.iter().filter_map(|said| said["function"].as_str()) {
        let mut payload = filled(&world, function, 0);
        if payload.get("requestContext").is_none() {
            continue;
        }
        let invoke = format!("/2015-03-31/functions/{function}/invocations");
        for time in [None, Some(json!(0)), Some(json!(-1)), Some(json!(1))] {
            let context = payload["requestContext"].as_object_mut().expect("an object");
            context.remove("timeEpoch");
            context.extend(time.map(|time| ("timeEpoch".to_owned(), time)));
            let answer = answered(world.post(&invoke).json(&payload).send_local().await);
            let path = payload["rawPath"].as_str().expect("a path");
            let words = match path.split('/').nth(1) {
                Some("api") => json!({ "message": "500 Internal Server Error" }),
                Some("rest" | "app-root") => json!({ "error_code": 1500, "error_message": "internal error" }),
                Some("passcode") => {
                    json!({ "timestamp": "*", "status": 500, "error": "Internal Server Error", "path": path })
                }
                Some("mithril") => json!({
                    "meta": { "code": 500, "url": "*", "type": "object", "request_id": "*" },
                    "error": { "type": "internal_error", "message": "*" },
                }),
                Some("v2") => json!({
                    "code": 20500, "message": "Internal server error", "status": 500,
                    "more_info": "https://www.twilio.com/docs/errors/20500",
                }),
                _ => json!({ "message": "Internal Server Error" }),
            };
            let said = json!({ "status": 500, "body": words });
            assert!(fits(&said, &answer), "{function} answered {answer}");
            assert!(!answer.to_string().contains("1970-"), "{answer}");
        }
        seen += 1;
    }
    assert!(seen > 20, "every function with a route was asked");
    assert_eq!(world.all_rows().await, before, "nothing was written");
    let lines = world.cloud().logs();
    let refused = lines.iter().filter(|line| line.contains("the event has no requestContext.timeEpoch"));
    assert_eq!(refused.clone().count(), 4 * seen);
    assert!(refused.clone().all(|line| !line.contains("1970-")), "{:?}", refused.clone().next());
}
