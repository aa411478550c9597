//! The payloads in `events/`, which people and AWS's own tools invoke functions with. What they are answered stands in
//! `aws/answers.json`, in the order in which they are sent; the scripts in `aws/` go by the same list.

use serde_json::{Value, json};

use crate::world::{World, root};

/// A payload with the demo tenant's identities in the places of their names (`<user.token>`), and the present time.
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
        Value::Object(inner) => inner
            .iter()
            .flat_map(|(name, value)| leaves(&format!("{path}.{name}"), value))
            .collect(),
        Value::String(text) => vec![(path.trim_start_matches('.').to_owned(), text)],
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => Vec::new(),
    }
}

/// What a function answered: `status` and `body` over HTTP, `answer` elsewhere.
fn answered(answer: Value) -> Value {
    match (answer.get("statusCode"), answer["body"].as_str()) {
        (Some(status), Some(body)) => {
            let body: Value = serde_json::from_str(body).unwrap_or_else(|_| body.into());
            json!({ "status": status, "body": body })
        }
        _ => json!({ "answer": answer }),
    }
}

/// Whether a value is as it is said; `"*"` stands for any.
fn fits(said: &Value, value: &Value) -> bool {
    match (said, value) {
        (Value::String(any), _) if any == "*" => true,
        (Value::Object(said), Value::Object(value)) => {
            said.len() == value.len()
                && said
                    .iter()
                    .all(|(name, said)| value.get(name).is_some_and(|value| fits(said, value)))
        }
        (Value::Array(said), Value::Array(value)) => {
            said.len() == value.len() && said.iter().zip(value).all(|(said, value)| fits(said, value))
        }
        (said, value) => said == value,
    }
}

#[tokio::test]
async fn every_payload_is_answered_as_it_is_said() {
    let world = World::new().await;
    let list: Vec<Value> = serde_json::from_str(include_str!("aws/answers.json")).expect("JSON");
    let mut broken = Vec::new();
    for mut said in list {
        let function = said["function"].take();
        let function = function.as_str().expect("a name");
        said.as_object_mut().expect("an object").remove("function");
        let payload = filled(&world, function, world.now().await * 1000);
        let invoke = format!("/2015-03-31/functions/{function}/invocations");
        let answer = answered(world.post(&invoke).json(&payload).local().await);
        if !fits(&said, &answer) {
            broken.push(format!("{function} answered {answer}, and {said} is said"));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
