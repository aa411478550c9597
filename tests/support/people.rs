//! Users, administrators, clients, and their tokens.

use serde_json::{Value, json};

use crate::support::{mithril::USERS, requests::Response, world::World};

/// The demo domain, which allows self-registration.
pub const DOMAIN: &str = "pbx.era-platform.ru";

/// The demo user's phone number.
pub const PHONE: &str = "+380881234530";

/// A phone number that no demo user has.
pub const NEW_PHONE: &str = "+380881234599";

/// Another phone number that no demo user has.
pub const OTHER_PHONE: &str = "+380881234588";

/// The password of users that an administrator creates.
pub const USER_PASSWORD: &str = "ew!hIb3V-x";

/// An id that no user and no factor has.
pub const UNKNOWN_ID: &str = "00000000-0000-4000-8000-000000000000";

/// A user of the demo domain.
#[derive(Clone, Debug)]
pub struct Person {
    pub id: String,
    pub email: String,
    pub password: String,
    pub phone: Option<String>,
}

impl Person {
    /// The path of an action on this user: `block`, `unblock` or `create_otp`.
    pub fn action_path(&self, name: &str) -> String {
        format!("{USERS}/{}/actions/{name}", self.id)
    }

    /// The path of this user's second factors.
    pub fn factors_path(&self) -> String {
        format!("{USERS}/{}/authentication_factors", self.id)
    }
}

impl World {
    /// The demo user, whose logins need a code.
    pub fn demo(&self) -> Person {
        self.demo_person("user", Some(PHONE))
    }

    /// The demo administrator, whose logins need no code.
    pub fn demo_admin(&self) -> Person {
        self.demo_person("admin", None)
    }

    /// A demo identity by its name in the identities.
    fn demo_person(&self, who: &str, phone: Option<&str>) -> Person {
        let text = |field: &str| self.id(&format!("/{who}/{field}")).to_owned();
        Person {
            id: text("user_id"),
            email: text("email"),
            password: text("password"),
            phone: phone.map(str::to_owned),
        }
    }

    /// Creates a user of the demo domain with a phone number as second factor.
    pub async fn create_person_with(&self, login: &str, phone: &str) -> Person {
        let person = self.create_person(login).await;
        self.keep_phone_out_of_logs(phone);
        let set = json!({ "command": "set_factor", "user_id": person.id, "type": "SMS", "factor": phone });
        let set = self.run_command(set).await;
        assert_eq!(set["changed"], true, "{set}");
        Person {
            phone: Some(phone.to_owned()),
            ..person
        }
    }

    /// Creates a user of the demo domain without a second factor.
    pub async fn create_person(&self, login: &str) -> Person {
        let (email, password) = (format!("{login}@example.org"), format!("pass-of-{login}~1"));
        self.keep_out_of_logs(&password);
        let command = json!({
            "command": "create_user", "domain": self.id("/domain"), "email": email, "login": login, "name": login,
            "password": password,
        });
        let id = self.run_command(command).await["user_id"].as_str().expect("an id").to_owned();
        Person {
            id,
            email,
            password,
            phone: None,
        }
    }

    /// Creates a user of the demo domain; returns an access token and the user's id.
    pub async fn new_user(&self, login: &str) -> (String, String) {
        self.new_user_in(self.id("/domain"), login, false).await
    }

    /// Creates a user or an administrator of a domain; returns an access token and the user's id.
    pub async fn new_user_in(&self, domain: &str, login: &str, is_admin: bool) -> (String, String) {
        let user = self
            .run_command(json!({
                "command": "create_user", "domain": domain, "email": format!("{login}@example.org"),
                "login": login, "name": login, "password": "correct-horse", "is_admin": is_admin,
            }))
            .await;
        let id = user["user_id"].as_str().unwrap_or_else(|| panic!("{user}")).to_owned();
        (self.create_token(json!({ "user_id": id, "scopes": ["api"] })).await, id)
    }

    /// Creates a token of the demo client. `fields` name its owner and scopes, and its lifetime if it is not 366 days.
    /// It is issued by the system's clock, which may be behind the local clock.
    pub async fn create_token(&self, fields: Value) -> String {
        let mut command =
            json!({ "command": "create_token", "client_id": "heatclinic", "lifetime_seconds": 31_622_400 });
        for (name, value) in fields.as_object().expect("fields") {
            command[name] = value.clone();
        }
        let answer = self.run_command(command).await;
        answer["token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// Creates an access token that may set its owner's phone number and that [`World::token_works`] accepts.
    pub async fn create_app_token(&self, person: &Person) -> String {
        self.create_token(json!({ "user_id": person.id, "scopes": ["api", "app:authorize"] })).await
    }

    /// Creates a client of the demo domain for logins, besides the demo client.
    pub async fn create_client(&self, id: &str, scopes: Value) {
        let command = json!({
            "command": "create_client", "client_id": id, "scopes": scopes, "grants": ["password"], "domain": DOMAIN,
        });
        let made = self.run_command(command).await;
        assert_eq!(made["client_id"], id, "{made}");
    }

    /// The names of all scopes.
    pub async fn scopes(&self) -> Vec<String> {
        let command = json!({ "command": "set_client", "client_id": "heatclinic", "scopes": "all", "dry_run": true });
        let answer = self.run_command(command).await;
        let names = answer["scopes"].as_array().unwrap_or_else(|| panic!("{answer}")).iter();
        names.map(|name| name.as_str().expect("a name").to_owned()).collect()
    }

    /// Creates a user as an administrator does.
    pub async fn post_user(&self, token: &str, body: &Value) -> Response {
        self.keep_out_of_logs(USER_PASSWORD);
        self.post(USERS).bearer(token).json(body).send().await
    }

    /// The demo identities as they are now.
    pub async fn identities(&self) -> Value {
        let ids = self.get("/_local/identities").send_local().await;
        for pointer in ["/admin/token", "/user/token", "/user/password"] {
            self.keep_out_of_logs(ids.pointer(pointer).and_then(Value::as_str).expect("a text"));
        }
        ids
    }
}
