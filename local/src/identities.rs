//! The demo tenant: made by the operator's function, as an operator would make it.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::cloud::Inner;
use crate::random;
use crate::runtime::Failure;

/// The demo tenant's domain.
const DOMAIN: &str = "pbx.era-platform.ru";
/// The demo tenant's client.
const CLIENT: &str = "heatclinic";
/// Demo tokens live as long as the operator's function lets a token live.
const LIFETIME_SECONDS: u64 = 366 * 24 * 3600;
/// What demo passwords are drawn from.
const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~!";

/// Makes the demo identities, unless they exist or the template has no operator's function.
pub(crate) async fn make(inner: &Arc<Inner>) -> Result<(), String> {
    if inner.identities.get().is_some() {
        return Ok(());
    }
    let Some(operator) = inner.template.function_named("operator") else {
        inner
            .log
            .say("  note: the template has no OperatorFunction, so there are no demo identities");
        return Ok(());
    };
    let operator = Operator {
        inner,
        function: operator,
    };
    let client = operator
        .command(
            json!({ "command": "create_client", "client_id": CLIENT, "scopes": "all" }),
            &["client_id", "client_secret"],
        )
        .await?;
    let owned = json!({ "owner_client_id": CLIENT, "scopes": ["passcode"] });
    let identities = json!({
        "domain": DOMAIN,
        "client": { "client_id": client["client_id"], "client_secret": client["client_secret"] },
        "passcode_token": operator.token(owned).await?,
        "admin": operator.person("admin", "Demo Admin", true, json!("all")).await?,
        "user": operator.person("demo", "Demo User", false, json!(["api"])).await?,
    });
    // Set only here, once.
    let _ = inner.identities.set(identities);
    inner.invocations.clear();
    Ok(())
}

struct Operator<'c> {
    inner: &'c Arc<Inner>,
    function: usize,
}

impl Operator<'_> {
    async fn person(&self, login: &str, name: &str, is_admin: bool, scopes: Value) -> Result<Value, String> {
        let (email, password) = (format!("{login}@{DOMAIN}"), random::text(ALPHABET, 16));
        let command = json!({
            "command": "create_user",
            "domain": DOMAIN,
            "email": email,
            "login": login,
            "name": name,
            "password": password,
            "is_admin": is_admin,
        });
        let user_id = self.command(command, &["user_id"]).await?["user_id"].take();
        let token = self.token(json!({ "user_id": user_id, "scopes": scopes })).await?;
        Ok(json!({ "user_id": user_id, "email": email, "login": login, "password": password, "token": token }))
    }

    async fn token(&self, mut command: Value) -> Result<Value, String> {
        command["command"] = "create_token".into();
        command["client_id"] = CLIENT.into();
        command["lifetime_seconds"] = LIFETIME_SECONDS.into();
        Ok(self.command(command, &["token"]).await?["token"].take())
    }

    /// Sends a command; the answer has at least the keys in `expected`.
    async fn command(&self, command: Value, expected: &[&str]) -> Result<Value, String> {
        let name = command["command"].as_str().unwrap_or_default().to_owned();
        let failed = |why: &str| format!("the demo identities cannot be made: {} {why}", self.name());
        let finished = self.inner.run(self.function, None, command.to_string().into()).await;
        let answer: Value = match &finished.result {
            Ok(answer) => serde_json::from_slice(answer).unwrap_or_default(),
            Err(Failure::TimedOut(message) | Failure::Died(message)) => return Err(failed(message)),
            Err(failure) => serde_json::from_slice(&failure.document()).unwrap_or_default(),
        };
        if let Some(error) = answer.get("error").or(answer.get("errorMessage")) {
            return Err(failed(&format!("answered {name} with {error}")));
        }
        match expected.iter().find(|key| answer.get(**key).is_none()) {
            Some(key) => Err(failed(&format!("answered {name} without {key}"))),
            None => Ok(answer),
        }
    }

    fn name(&self) -> &str {
        &self.inner.template.functions[self.function].name
    }
}
