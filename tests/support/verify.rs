//! Verifications: applications and their credentials.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::support::{
    requests::{Request, Response},
    world::World,
};

/// The destinations of most tests.
pub const NUMBER: &str = "+14155550142";
pub const ADDRESS: &str = "maria@example.com";

/// An application: an account with a service.
pub struct Application {
    pub account: String,
    pub token: String,
    pub service: String,
}

impl Application {
    /// The path of its service.
    pub fn path(&self) -> String {
        format!("/v2/Services/{}", self.service)
    }

    /// A request below its service.
    pub fn request<'a>(&self, world: &'a World, method: &str, path: &str) -> Request<'a> {
        world.request(method, &format!("{}{path}", self.path())).by(self)
    }

    /// A request to start a verification.
    pub fn starting<'a>(&self, world: &'a World, form: &[(&str, &str)]) -> Request<'a> {
        self.request(world, "POST", "/Verifications").form(form)
    }

    /// Starts a verification: its body.
    pub async fn start(&self, world: &World, to: &str) -> Value {
        self.starting(world, &[("To", to), ("Channel", "auto")]).send().await.ok(201)
    }

    /// A request to check a code.
    pub fn checking<'a>(&self, world: &'a World, to: &str, code: &str) -> Request<'a> {
        self.request(world, "POST", "/VerificationCheck").form(&[("To", to), ("Code", code)])
    }

    /// Checks a code.
    pub async fn check(&self, world: &World, to: &str, code: &str) -> Response {
        self.checking(world, to, code).send().await
    }

    /// Another service of the account with these settings.
    pub async fn service_with(&self, world: &World, settings: &[(&str, &str)]) -> Self {
        let form = [&[("FriendlyName", "Other")], settings].concat();
        let made = world.post("/v2/Services").by(self).form(&form).send().await.ok(201);
        Self {
            account: self.account.clone(),
            token: self.token.clone(),
            service: made["sid"].as_str().expect("a SID").to_owned(),
        }
    }
}

impl World {
    /// The demo tenant's application.
    pub fn application(&self) -> Application {
        let id = |name: &str| self.id(&format!("/verify/{name}")).to_owned();
        Application {
            account: id("account_sid"),
            token: id("auth_token"),
            service: id("service_sid"),
        }
    }

    /// A new application of a tenant.
    pub async fn create_application(&self, domain: &str) -> Application {
        let command = json!({ "command": "create_verify_account", "domain": domain, "name": "Other Shop" });
        let made = self.run_command(command).await;
        let text = |key: &str| made[key].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
        Application {
            account: text("account_sid"),
            token: text("auth_token"),
            service: text("service_sid"),
        }
    }
}

impl Request<'_> {
    /// Adds an application's credential.
    pub fn by(self, application: &Application) -> Self {
        self.basic(&application.account, &application.token)
    }

    /// Adds a user name and a password (RFC 7617).
    pub fn basic(self, user: &str, password: &str) -> Self {
        self.header("authorization", &format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
    }
}

impl World {
    /// The code in the newest message to a destination.
    pub async fn verification_code(&self, to: &str) -> String {
        let messages = self.messages().await;
        let newest = messages.iter().rfind(|message| message["to"] == to);
        let text = newest.unwrap_or_else(|| panic!("no message to {to}"))["text"].as_str().expect("a text");
        let is_code = |word: &&str| (4..=10).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_digit());
        let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
        let code = words.find(is_code).unwrap_or_else(|| panic!("no code in {text}")).to_owned();
        self.keep_out_of_logs(&code);
        code
    }
}

/// A code that is not this one.
pub fn wrong(code: &str) -> String {
    let last = if code.ends_with('0') { '1' } else { '0' };
    format!("{}{last}", &code[..code.len() - 1])
}

/// Asserts an error of the dialect, whole.
#[track_caller]
pub fn refused(got: &Response, status: u16, code: u32, message: &str) {
    got.is(status, &verify_error(status, code, message).to_string());
}

/// Asserts that a resource is not there: always in the same words.
#[track_caller]
pub fn not_found(got: &Response, path: &str) {
    got.is(404, &verify_not_found(path).to_string());
}

/// The body of an error.
pub fn verify_error(status: u16, code: u32, message: &str) -> Value {
    let more_info = format!("https://www.twilio.com/docs/errors/{code}");
    json!({ "code": code, "message": message, "more_info": more_info, "status": status })
}

/// The error of a path that does not exist for the caller.
pub fn verify_not_found(path: &str) -> Value {
    verify_error(404, 20404, &format!("The requested resource {path} was not found"))
}
