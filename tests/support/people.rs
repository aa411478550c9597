//! Users, administrators, clients, and their tokens.

use serde_json::{Value, json};

use crate::support::{mithril::USERS, requests::Response, world::World};

/// The demo user's phone.
pub const PHONE: &str = "+380881234530";

/// The demo domain, where everybody may register.
pub const DOMAIN: &str = "pbx.era-platform.ru";

pub const NEW_PHONE: &str = "+380881234599";

/// Nobody's id, and no factor's.
pub const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

pub const USER_PASSWORD: &str = "ew!hIb3V-x";

pub const OTHER_PHONE: &str = "+380881234588";

/// A user of the demo domain, and the phone if there is one.
#[derive(Clone, Debug)]
pub struct Person {
    pub id: String,
    pub email: String,
    pub password: String,
    pub phone: Option<String>,
}

impl Person {
    /// The path of one of the things that are done with this user: `block`, `unblock`, `create_otp`.
    pub fn action(&self, name: &str) -> String {
        format!("{USERS}/{}/actions/{name}", self.id)
    }

    /// The path of this user's second factors.
    pub fn factors(&self) -> String {
        format!("{USERS}/{}/authentication_factors", self.id)
    }
}

impl World {
    /// The demo user, whose logins ask for a code.
    pub fn demo(&self) -> Person {
        self.demo_person("user", Some(PHONE))
    }

    /// The demo administrator, whose logins ask for none.
    pub fn demo_admin(&self) -> Person {
        self.demo_person("admin", None)
    }

    fn demo_person(&self, who: &str, phone: Option<&str>) -> Person {
        let text = |field: &str| self.id(&format!("/{who}/{field}")).to_owned();
        Person {
            id: text("user_id"),
            email: text("email"),
            password: text("password"),
            phone: phone.map(str::to_owned),
        }
    }

    /// A new user of the demo domain, with a phone.
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

    /// A new user of the demo domain, without a second factor.
    pub async fn create_person(&self, login: &str) -> Person {
        let (email, password) = (format!("{login}@example.org"), format!("pass-of-{login}~1"));
        self.keep_out_of_logs(&password);
        let command = json!({
            "command": "create_user", "domain": self.id("/domain"), "email": email, "login": login, "name": login,
            "password": password,
        });
        let id = self.run_command(command).await["user_id"]
            .as_str()
            .expect("an id")
            .to_owned();
        Person {
            id,
            email,
            password,
            phone: None,
        }
    }

    /// The token of a new user of the demo domain, and the user's id.
    pub async fn new_user(&self, login: &str) -> (String, String) {
        self.new_user_in(self.id("/domain"), login, false).await
    }

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

    /// A token of the demo client; `fields` say for whom, with which scopes, and for how long if not 366 days. It
    /// is issued by the system's clock, which the local clock may have left behind.
    pub async fn create_token(&self, fields: Value) -> String {
        let mut command =
            json!({ "command": "create_token", "client_id": "heatclinic", "lifetime_seconds": 31_622_400 });
        for (name, value) in fields.as_object().expect("fields") {
            command[name] = value.clone();
        }
        let answer = self.run_command(command).await;
        answer["token"]
            .as_str()
            .unwrap_or_else(|| panic!("{answer}"))
            .to_owned()
    }

    /// An access token that may change the phone of its owner's factor, and opens what [`World::token_works`] asks for.
    pub async fn create_app_token(&self, person: &Person) -> String {
        self.create_token(json!({ "user_id": person.id, "scopes": ["api", "app:authorize"] }))
            .await
    }

    /// A client of the demo domain that people log in with, beside the demo client.
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

    /// Makes a user in an administrator's name.
    pub async fn make_user(&self, token: &str, body: &Value) -> Response {
        self.keep_out_of_logs(USER_PASSWORD);
        self.post(USERS).bearer(token).json(body).send().await
    }

    /// The demo identities as they are shown now.
    pub async fn identities(&self) -> Value {
        let ids = self.get("/_local/identities").send_local().await;
        for pointer in ["/admin/token", "/user/token", "/user/password"] {
            self.keep_out_of_logs(ids.pointer(pointer).and_then(Value::as_str).expect("a text"));
        }
        ids
    }
}
