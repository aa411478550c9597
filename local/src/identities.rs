//! The demo tenant: made by the operator's function, as an operator would make it.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::cloud::Inner;
use crate::random;
use crate::runtime::Failure;

/// The demo tenant's domain.
pub(crate) const DOMAIN: &str = "pbx.era-platform.ru";
/// The demo tenant's client.
const CLIENT: &str = "heatclinic";
/// The demo user's phone, to which codes are sent.
const PHONE: &str = "+380881234530";
/// Demo tokens live as long as the operator's function lets a token live.
const LIFETIME_SECONDS: u64 = 366 * 24 * 3600;
/// Demo tokens older than this are made again at start, so that they never expire in the middle of somebody's work.
const OLD_SECONDS: u64 = 300 * 24 * 3600;
/// What demo passwords are drawn from.
const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~!";

/// The demo identities, once they exist.
#[derive(Debug)]
pub(crate) struct Identities(Mutex<Made>);

#[derive(Debug)]
struct Made {
    shown: Option<Value>,
    at: u64,
}

impl Identities {
    /// What a data directory remembers, if it does.
    pub(crate) fn new(shown: Option<Value>, at: u64) -> Self {
        Self(Mutex::new(Made { shown, at }))
    }

    /// What `/_local/identities` shows.
    pub(crate) fn shown(&self) -> Option<Value> {
        self.made().shown.clone()
    }

    /// When the tokens were made, in seconds of the system's clock.
    pub(crate) fn made_at(&self) -> u64 {
        self.made().at
    }

    fn set(&self, shown: Value, at: u64) {
        *self.made() = Made { shown: Some(shown), at };
    }

    fn made(&self) -> std::sync::MutexGuard<'_, Made> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

/// Makes the demo identities, unless they exist or the template has no operator's function. Of those that exist, old
/// tokens are made again.
pub(crate) async fn make(inner: &Arc<Inner>) -> Result<(), String> {
    let remembered = inner.identities.shown();
    // The local clock may be ahead of the one that the tokens were made by.
    let age = inner.clock.seconds().saturating_sub(inner.identities.made_at());
    if remembered.is_some() && age <= OLD_SECONDS {
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
    let made_at = inner.clock.system_seconds();
    let identities = match remembered {
        Some(remembered) => match operator.renewed(remembered).await {
            Ok(renewed) => renewed,
            Err(error) => {
                // Somebody may have removed the demo users since; everything else in the directory is still of use.
                inner.log.say(&format!("  note: the demo tokens stay old: {error}"));
                inner.invocations.clear();
                return Ok(());
            }
        },
        None => operator.all().await?,
    };
    inner.identities.set(identities, made_at);
    inner.invocations.clear();
    Ok(())
}

struct Operator<'c> {
    inner: &'c Arc<Inner>,
    function: usize,
}

impl Operator<'_> {
    async fn all(&self) -> Result<Value, String> {
        let domain = json!({ "command": "set_domain", "domain": DOMAIN, "self_register_allowed": true });
        self.command(domain, &["domain"]).await?;
        let client = self
            .command(
                json!({
                    "command": "create_client",
                    "client_id": CLIENT,
                    "scopes": "all",
                    "grants": ["password", "client_credentials"],
                    "domain": DOMAIN,
                }),
                &["client_id", "client_secret"],
            )
            .await?;
        let mut user = self.person("demo", "Demo User", false).await?;
        let factor = json!({ "command": "set_factor", "user_id": user["user_id"], "type": "SMS", "factor": PHONE });
        self.command(factor, &["factor_id"]).await?;
        user["phone"] = PHONE.into();
        Ok(json!({
            "domain": DOMAIN,
            "client": { "client_id": client["client_id"], "client_secret": client["client_secret"] },
            "passcode_token": self.passcode_token().await?,
            "admin": self.person("admin", "Demo Admin", true).await?,
            "user": user,
        }))
    }

    /// The same identities with new tokens.
    async fn renewed(&self, mut identities: Value) -> Result<Value, String> {
        identities["passcode_token"] = self.passcode_token().await?;
        for (who, is_admin) in [("admin", true), ("user", false)] {
            let user_id = identities[who]["user_id"].clone();
            identities[who]["token"] = self.user_token(&user_id, is_admin).await?;
        }
        Ok(identities)
    }

    async fn person(&self, login: &str, name: &str, is_admin: bool) -> Result<Value, String> {
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
        let token = self.user_token(&user_id, is_admin).await?;
        Ok(json!({ "user_id": user_id, "email": email, "login": login, "password": password, "token": token }))
    }

    async fn user_token(&self, user_id: &Value, is_admin: bool) -> Result<Value, String> {
        let scopes = if is_admin { json!("all") } else { json!(["api"]) };
        self.token(json!({ "user_id": user_id, "scopes": scopes })).await
    }

    async fn passcode_token(&self) -> Result<Value, String> {
        self.token(json!({ "owner_client_id": CLIENT, "scopes": ["passcode"] }))
            .await
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
