//! Verifications: applications and their credentials.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::support::{requests::Request, world::World};

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

/// The body of an error.
pub fn verify_error(status: u16, code: u32, message: &str) -> Value {
    let more_info = format!("https://www.twilio.com/docs/errors/{code}");
    json!({ "code": code, "message": message, "more_info": more_info, "status": status })
}

/// The error of a path that does not exist for the caller.
pub fn verify_not_found(path: &str) -> Value {
    verify_error(404, 20404, &format!("The requested resource {path} was not found"))
}
