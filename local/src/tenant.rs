//! The demo tenant, created by the operator's function, as an operator would create it. Its users' own password and
//! phone changes are observed at the gateway, so that the shown identities stay correct.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::identities::{DOMAIN, PEOPLE};
use crate::random;
use crate::runtime::Failure;
use crate::state::Inner;
use crate::streams;

/// The demo tenant's client.
const CLIENT: &str = "heatclinic";
/// The demo user's number, by which administrators may identify the user (`/api/v4/users/123/support_pin`).
const NUMBER: u64 = 123;
/// The demo user's phone, the recipient of codes.
const PHONE: &str = "+380881234530";
/// Demo tokens have the longest lifetime that the operator's function allows.
const LIFETIME_SECONDS: u64 = 366 * 24 * 3600;
/// Demo tokens older than this are renewed at start, so that they never expire during use.
const OLD_SECONDS: u64 = 300 * 24 * 3600;
/// The alphabet of demo passwords.
const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~!";

/// Observes a function's answer to a call of a route, and the body of the call.
pub(crate) fn notice(inner: &Inner, route: &str, body: &[u8], answer: &[u8]) {
    const PASSWORDS: &str = "/rest/v1/iam/pwd_reset_requests";
    const FACTORS: &str = "/mithril/api/users/actions";
    let Some((method, path)) = route.split_once(' ') else {
        return;
    };
    if !path.starts_with(PASSWORDS) && !path.starts_with(FACTORS) {
        return;
    }
    let json = |text: &[u8]| serde_json::from_slice::<Value>(text).unwrap_or_default();
    let (asked, answer) = (json(body), json(answer));
    if !matches!(answer["statusCode"].as_u64(), Some(200 | 201)) {
        return;
    }
    let response = json(answer["body"].as_str().unwrap_or_default().as_bytes());
    let mut made = inner.identities.made();
    let is_news = match (method, path.trim_start_matches(PASSWORDS).trim_start_matches(FACTORS)) {
        ("POST", "") if response["user"].is_object() => made.has_password(&response["user"], &asked["new_pwd"]),
        ("PATCH", "/{uuid}") => made.has_password(&response["user"], &asked["pwd"]),
        ("PATCH", "/init_factor") => {
            let is_own =
                made.shown.as_ref().is_some_and(|shown| shown["user"]["user_id"] == response["data"]["user_id"]);
            if is_own {
                made.wanted_phone = Some(asked["factor"].clone());
            }
            false
        }
        ("PATCH", "/approve_factor") => made.has_phone(&response["data"]["user_id"]),
        _ => false,
    };
    drop(made);
    if is_news {
        inner.save();
        inner.changed("identities");
    }
}

/// The response of `/_local/identities`, with new tokens in place of revoked ones.
pub(crate) async fn current(inner: &Arc<Inner>) -> Option<Value> {
    let _guard = inner.identities.renewing.lock().await;
    let ended = inner.identities.made().ended.clone();
    if let (false, Some(operator)) = (ended.is_empty(), Operator::of(inner)) {
        for who in ended {
            let user_id = inner.identities.shown()?[who]["user_id"].take();
            match operator.user_token(&user_id, who == "admin").await {
                Ok(token) => {
                    let mut made = inner.identities.made();
                    if let Some(shown) = &mut made.shown {
                        shown[who]["token"] = token;
                    }
                    made.ended.remove(who);
                }
                Err(error) => inner.log.say(&format!("  note: a demo token has ended: {error}")),
            }
        }
        inner.save();
    }
    inner.identities.shown()
}

/// Creates the demo identities, unless they exist or the template has no operator's function. Old tokens of existing
/// ones are renewed.
pub(crate) async fn make(inner: &Arc<Inner>) -> Result<(), String> {
    let remembered = inner.identities.shown();
    // The local clock may be ahead of the one that the tokens were issued by.
    let age = inner.clock.seconds().saturating_sub(inner.identities.made_at());
    let is_whole = remembered.as_ref().is_some_and(|shown| shown["verify"].is_object());
    if is_whole && age <= OLD_SECONDS {
        return Ok(());
    }
    let Some(operator) = Operator::of(inner) else {
        inner.log.say("  note: the template has no OperatorFunction, so there are no demo identities");
        return Ok(());
    };
    let made_at = inner.clock.system_seconds();
    let identities = match remembered {
        Some(remembered) => match operator.renewed(remembered).await {
            Ok(renewed) => renewed,
            Err(error) => {
                // The demo users may have been deleted since; everything else in the directory is still usable.
                inner.log.say(&format!("  note: the demo tokens stay old: {error}"));
                inner.invocations.clear();
                return Ok(());
            }
        },
        None => {
            let identities = operator.all().await?;
            // No user requested them, so no function handles the changes.
            streams::pass_over(inner).await?;
            identities
        }
    };
    inner.identities.set(identities, made_at);
    inner.invocations.clear();
    inner.changed("identities");
    Ok(())
}

struct Operator<'c> {
    inner: &'c Arc<Inner>,
    function: usize,
}

impl<'c> Operator<'c> {
    fn of(inner: &'c Arc<Inner>) -> Option<Self> {
        let function = inner.template.function_named("operator")?;
        Some(Self { inner, function })
    }

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
        let mut user = self.person("demo", "Demo User", false, Some(NUMBER)).await?;
        let factor = json!({ "command": "set_factor", "user_id": user["user_id"], "type": "SMS", "factor": PHONE });
        self.command(factor, &["factor_id"]).await?;
        user["phone"] = PHONE.into();
        Ok(json!({
            "domain": DOMAIN,
            "client": { "client_id": client["client_id"], "client_secret": client["client_secret"] },
            "passcode_token": self.passcode_token().await?,
            "admin": self.person("admin", "Demo Admin", true, None).await?,
            "user": user,
            "verify": self.verify_account().await?,
        }))
    }

    /// An account for verifications, with a service; `basic` is what a request has after `Authorization: Basic`.
    async fn verify_account(&self) -> Result<Value, String> {
        let command = json!({ "command": "create_verify_account", "domain": DOMAIN, "name": "Demo Shop" });
        let made = self.command(command, &["account_sid", "auth_token", "service_sid"]).await?;
        let text = |key: &str| made[key].as_str().unwrap_or_default();
        let basic = STANDARD.encode(format!("{}:{}", text("account_sid"), text("auth_token")));
        Ok(json!({
            "account_sid": made["account_sid"],
            "auth_token": made["auth_token"],
            "service_sid": made["service_sid"],
            "basic": basic,
        }))
    }

    /// The same identities with new tokens, and with those that an earlier version did not make.
    async fn renewed(&self, mut identities: Value) -> Result<Value, String> {
        if !identities["verify"].is_object() {
            identities["verify"] = self.verify_account().await?;
        }
        identities["passcode_token"] = self.passcode_token().await?;
        for who in PEOPLE {
            let user_id = identities[who]["user_id"].clone();
            identities[who]["token"] = self.user_token(&user_id, who == "admin").await?;
        }
        Ok(identities)
    }

    async fn person(&self, login: &str, name: &str, is_admin: bool, number: Option<u64>) -> Result<Value, String> {
        let (email, password) = (format!("{login}@{DOMAIN}"), random::text(ALPHABET, 16));
        let command = json!({
            "command": "create_user",
            "domain": DOMAIN,
            "email": email,
            "login": login,
            "name": name,
            "password": password,
            "is_admin": is_admin,
            "number": number,
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
        self.token(json!({ "owner_client_id": CLIENT, "scopes": ["passcode"] })).await
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
        let function = Arc::clone(&self.inner.functions[self.function]);
        // In its own task: a caller that disconnects leaves no process half way. Not listed: no user requested it.
        let task = tokio::spawn(async move { function.invoke(command.to_string().into()).await });
        let finished = task.await.map_err(|error| failed(&error.to_string()))?;
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
