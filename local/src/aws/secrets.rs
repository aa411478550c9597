//! Secrets Manager: the template's secrets, with the values generated for this cloud.

use std::collections::BTreeMap;
use std::sync::Mutex;

use axum::body::Body;
use axum::http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::service::aws_json;
use crate::random;
use crate::template::{Secret, SecretSource};

const JSON: &str = "application/x-amz-json-1.1";

/// One secret's current and previous value.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SecretState {
    current: Version,
    previous: Option<Version>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Version {
    id: String,
    value: String,
    created: u64,
}

/// All secrets, by name. No `Debug` implementation, because it would print values.
#[derive(Default)]
pub(crate) struct Secrets {
    arns: BTreeMap<String, String>,
    states: Mutex<BTreeMap<String, SecretState>>,
}

impl Secrets {
    /// The template's secrets: restored from `known`, or generated now.
    pub(crate) fn new(secrets: &[Secret], known: &BTreeMap<String, SecretState>, now: u64) -> Self {
        let mut states = BTreeMap::new();
        let mut arns = BTreeMap::new();
        for secret in secrets {
            let state = known.get(&secret.name).cloned().unwrap_or_else(|| SecretState {
                current: Version {
                    id: random::uuid(),
                    value: first_value(&secret.source),
                    created: now,
                },
                previous: None,
            });
            states.insert(secret.name.clone(), state);
            arns.insert(secret.name.clone(), secret.arn.clone());
        }
        Self {
            arns,
            states: Mutex::new(states),
        }
    }

    /// The ARN of the secret with this name or ARN.
    pub(super) fn arn(&self, wanted: &str) -> Option<&str> {
        self.found(wanted).map(|(_, arn)| arn)
    }

    fn found(&self, wanted: &str) -> Option<(&str, &str)> {
        self.arns
            .iter()
            .find(|(name, arn)| *name == wanted || *arn == wanted)
            .map(|(name, arn)| (name.as_str(), arn.as_str()))
    }

    /// The state that a data directory stores.
    pub(crate) fn states(&self) -> BTreeMap<String, SecretState> {
        self.states.lock().expect("no holder of this lock panics").clone()
    }

    /// Executes a call at this second. A successful `PutSecretValue` changes the state that a data directory stores.
    pub(super) fn answer(&self, operation: &str, body: &[u8], now: u64) -> Response<Body> {
        let Ok(Value::Object(request)) = serde_json::from_slice(body) else {
            return refusal("SerializationException", "The request is not a JSON object.");
        };
        let text = |key: &str| request.get(key).and_then(Value::as_str);
        let Some((name, arn)) = self.found(text("SecretId").unwrap_or_default()) else {
            return refusal("ResourceNotFoundException", "Secrets Manager can't find the specified secret.");
        };
        match operation {
            "GetSecretValue" => {
                let states = self.states.lock().expect("no holder of this lock panics");
                let Some(state) = states.get(name) else {
                    return refusal("ResourceNotFoundException", "Secrets Manager can't find the specified secret.");
                };
                let current = Some((&state.current, "AWSCURRENT"));
                let previous = state.previous.as_ref().map(|version| (version, "AWSPREVIOUS"));
                let stage = text("VersionStage").unwrap_or("AWSCURRENT");
                let chosen =
                    [current, previous].into_iter().flatten().find(|(version, label)| match text("VersionId") {
                        Some(id) => version.id == id,
                        None => *label == stage,
                    });
                let Some((version, label)) = chosen else {
                    let message =
                        format!("Secrets Manager can't find the specified secret value for staging label: {stage}");
                    return refusal("ResourceNotFoundException", &message);
                };
                let answer = json!({
                    "ARN": arn,
                    "Name": name,
                    "VersionId": version.id,
                    "SecretString": version.value,
                    "VersionStages": [label],
                    "CreatedDate": version.created,
                });
                aws_json(StatusCode::OK, JSON, &answer)
            }
            "PutSecretValue" => {
                let Some(value) = text("SecretString") else {
                    return refusal("InvalidParameterException", "You must provide SecretString.");
                };
                let id = text("ClientRequestToken").map_or_else(random::uuid, str::to_owned);
                let version = Version {
                    id: id.clone(),
                    value: value.to_owned(),
                    created: now,
                };
                {
                    let mut states = self.states.lock().expect("no holder of this lock panics");
                    if let Some(state) = states.get_mut(name) {
                        // A version is immutable; putting it again with the same value is idempotent.
                        let known = [Some(&state.current), state.previous.as_ref()].into_iter().flatten();
                        let same = known.filter(|known| known.id == id).map(|known| known.value == value).next();
                        match same {
                            Some(true) => {}
                            Some(false) => {
                                let message = "You can't use ClientRequestToken for another value: its version exists.";
                                return refusal("ResourceExistsException", message);
                            }
                            None => state.previous = Some(std::mem::replace(&mut state.current, version)),
                        }
                    }
                }
                let answer = json!({ "ARN": arn, "Name": name, "VersionId": id, "VersionStages": ["AWSCURRENT"] });
                aws_json(StatusCode::OK, JSON, &answer)
            }
            other => refusal("InvalidRequestException", &format!("The local cloud does not know {other}.")),
        }
    }
}

fn refusal(name: &str, message: &str) -> Response<Body> {
    aws_json(StatusCode::BAD_REQUEST, JSON, &json!({ "__type": name, "message": message }))
}

fn first_value(source: &SecretSource) -> String {
    match source {
        SecretSource::Literal(value) => value.clone(),
        SecretSource::Generated {
            length,
            alphabet,
            inside,
        } => {
            let drawn = random::text(alphabet.as_bytes(), *length);
            match inside {
                None => drawn,
                Some((template, key)) => {
                    let mut object = template.clone();
                    object.insert(key.clone(), drawn.into());
                    Value::Object(object).to_string()
                }
            }
        }
    }
}
