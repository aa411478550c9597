//! Verifications, as an application with an account calls them.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::support::{
    requests::{Request, Response},
    world::World,
};

/// The destinations of most tests.
pub const NUMBER: &str = "+14155550142";
pub const ADDRESS: &str = "maria@example.com";

/// What an account logs in with, and its service.
pub struct Application {
    pub user: String,
    pub secret: String,
    pub service: String,
}

impl Application {
    /// The demo tenant's.
    pub fn demo(world: &World) -> Self {
        let text = |name: &str| world.ids["verify"][name].as_str().expect("a demo application").to_owned();
        Self {
            user: text("account_sid"),
            secret: text("auth_token"),
            service: text("service_sid"),
        }
    }

    /// The path of its service.
    pub fn path(&self) -> String {
        format!("/v2/Services/{}", self.service)
    }

    /// The value of `Authorization`.
    pub fn basic(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", self.user, self.secret)))
    }

    /// A request below its service.
    pub fn request<'a>(&self, world: &'a World, method: &str, path: &str) -> Request<'a> {
        world
            .request(method, &format!("{}{path}", self.path()))
            .header("authorization", &self.basic())
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
        let made = world.post("/v2/Services").header("authorization", &self.basic()).form(&form).send().await.ok(201);
        Self {
            user: self.user.clone(),
            secret: self.secret.clone(),
            service: made["sid"].as_str().expect("a SID").to_owned(),
        }
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
    got.is(
        status,
        &format!(
            r#"{{"code":{code},"message":"{message}","more_info":"https://www.twilio.com/docs/errors/{code}","status":{status}}}"#
        ),
    );
}

/// Asserts that a resource is not there: always in the same words.
#[track_caller]
pub fn not_found(got: &Response, path: &str) {
    refused(got, 404, 20404, &format!("The requested resource {path} was not found"));
}
