//! The operator's commands.

use serde_json::{Value, json};

use crate::support::{people::Person, world::World};

impl World {
    /// Runs a command and returns its response, `{"error":…}` included.
    pub async fn run_command(&self, command: Value) -> Value {
        let answer = self.post("/2015-03-31/functions/operator/invocations").json(&command).send_local().await;
        for secret in ["token", "client_secret", "auth_token", "secret"] {
            if let Some(text) = answer[secret].as_str() {
                self.keep_out_of_logs(text);
            }
        }
        answer
    }

    /// Runs a command about a user, which must succeed.
    pub async fn run_command_about(&self, command: &str, person: &Person) {
        let answer = self.run_command(json!({ "command": command, "user_id": person.id })).await;
        assert!(answer["error"].is_null(), "{answer}");
    }
}

/// The rows of all tables and the keys of all secrets, as one text.
pub async fn tables_and_keys(world: &World) -> String {
    let mut all = world.all_rows().await;
    for secret in ["SupportPinKeys", "PasscodeKeys", "OtpKeys", "AnswerKeys"] {
        all += &format!("{secret}: {}\n", world.keys(&format!("countersign-{secret}")).await);
    }
    all
}

/// Asserts that a command is refused with an error and changes nothing; returns the error.
pub async fn refuses(world: &World, command: Value) -> Value {
    let before = tables_and_keys(world).await;
    let mut answer = world.run_command(command.clone()).await;
    assert!(answer["error"].as_str().is_some_and(|words| !words.is_empty()), "{command}: {answer}");
    assert_eq!(answer.as_object().expect("an object").len(), 1, "{answer}");
    assert_eq!(tables_and_keys(world).await, before, "{command} was refused and changed something");
    answer["error"].take()
}
