//! Self-registration: requests, and the links that confirm them.

use serde_json::{Value, json};

use crate::support::{
    era::CHECK_MAIL,
    people::DOMAIN,
    requests::{Request, Response},
    world::World,
};

/// The path of registrations.
pub const REGISTER: &str = "/rest/v1/iam/self_register_requests";

/// A password that the demo domain accepts.
pub const PASSWORD: &str = "ew!hIb3V";

impl World {
    /// A request to register in the demo domain, from a new address.
    pub fn register(&self, login: &str, email: &str) -> Request<'_> {
        self.post(REGISTER)
            .json(&json!({ "domain": DOMAIN, "login": login, "name": "My Name", "email": email }))
            .with_new_address()
    }

    /// Confirms a registration with a password.
    pub async fn confirm_registration(&self, id: &str, pwd: &str) -> Response {
        self.keep_out_of_logs(pwd);
        let request = self.request("PATCH", &format!("{REGISTER}/{id}"));
        request.json(&json!({ "pwd": pwd })).send().await
    }

    /// Registers in the demo domain and confirms it.
    pub async fn create_account(&self, login: &str, email: &str, pwd: &str) {
        let got = self.register(login, email).send().await;
        assert_eq!((got.status, got.body.as_str()), (200, CHECK_MAIL));
        let got = self.confirm_registration(&self.link_to(email).await, pwd).await;
        assert_eq!(got.status, 200, "{got:?}");
    }

    /// The stored accounts with a login, in all domains.
    pub async fn accounts(&self, login: &str) -> Vec<Value> {
        let mut users = self.rows("UsersTable").await;
        users.retain(|user| user["login"]["S"] == login);
        users
    }

    /// How many registration requests are stored, expired ones included.
    pub async fn registration_requests(&self) -> usize {
        self.rows("RegistrationRequestsTable").await.len()
    }

    /// Registers in a domain; returns the id of the mailed link.
    pub async fn registration_link(&self, domain: &str, login: &str, email: &str) -> String {
        let body = json!({ "domain": domain, "login": login, "name": "My Name", "email": email });
        let got = self.post(REGISTER).json(&body).with_new_address().send().await;
        got.is(200, CHECK_MAIL);
        self.link_to(email).await
    }

    /// Creates or changes a domain that allows self-registration, with these further fields.
    pub async fn allow_registration(&self, domain: &str, fields: Value) {
        let mut command = json!({ "command": "set_domain", "domain": domain, "self_register_allowed": true });
        for (name, value) in fields.as_object().expect("fields") {
            command[name] = value.clone();
        }
        assert_eq!(self.run_command(command).await["domain"], domain);
    }

    /// A confirmation without a body yet.
    pub fn follow_registration(&self, id: &str) -> Request<'_> {
        self.request("PATCH", &format!("{REGISTER}/{id}"))
    }
}

/// The contract's example of a registration, with these changes; `null` for a field that is left out.
pub fn registration_form(changes: &[(&str, Value)]) -> Value {
    let mut form = json!({
        "domain": DOMAIN, "login": "my_login", "name": "My Name", "email": "my.address@yandex.ru",
    });
    for (name, value) in changes {
        form[*name] = value.clone();
    }
    form
}

/// A request to register with a login, from a source address.
pub fn register_from<'a>(world: &'a World, source: &str, login: &str) -> Request<'a> {
    let body = json!({ "domain": DOMAIN, "login": login, "name": "My Name", "email": format!("{login}@yandex.ru") });
    world.post(REGISTER).json(&body).header("x-local-source-ip", source)
}
