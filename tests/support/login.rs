//! Logins with passwords and codes, and their tokens.

use serde_json::{Value, json};

use crate::support::{mithril::TOKENS, people::Person, requests::Response, world::World};

impl World {
    /// Requests a token with any grant.
    pub async fn request_token(&self, body: Value) -> Response {
        self.post(TOKENS).json(&body).send().await
    }

    /// Logs in with a password: the first step.
    pub async fn sign_in(&self, person: &Person, password: &str) -> Response {
        self.request_token(password_grant(&person.email, password)).await
    }

    /// Submits a code: the second step.
    pub async fn submit_code(&self, token: &str, otp: &str) -> Response {
        let body = json!({ "grant_type": "authorize_2fa_access_token", "token": token, "otp": otp });
        self.request_token(body).await
    }

    /// Requests another token and code for a login.
    pub async fn refresh_login(&self, token: &str) -> Response {
        self.request_token(json!({ "grant_type": "refresh_2fa_access_token", "token": token })).await
    }

    /// Creates a user without a second factor and logs in; returns the access token, too.
    pub async fn create_signed_in(&self, login: &str) -> (Person, String) {
        let person = self.create_person(login).await;
        let access = token_in(&self.sign_in(&person, &person.password).await);
        (person, access)
    }

    /// Logs in with the password; returns the token of the login and its code.
    pub async fn begin_login(&self, person: &Person) -> (String, String) {
        let got = self.sign_in(person, &person.password).await;
        assert_eq!(got.ok(201)["urgent"]["next_step"], "REQUEST_OTP");
        let phone = person.phone.as_deref().expect("a person with a phone");
        (token_in(&got), self.code_to(phone).await)
    }

    /// Requests another code for a login.
    pub async fn resend_code(&self, person: &Person, token: &str) -> Response {
        self.request("PATCH", &person.action_path("create_otp")).bearer(token).send().await
    }

    /// The newest code of a user, as stored.
    pub async fn code_row(&self, person: &Person) -> Value {
        let rows = self.rows("OtpsTable").await;
        let mut own =
            rows.into_iter().filter(|row| row["owner"]["S"].as_str().is_some_and(|id| id.contains(&person.id)));
        own.next().expect("the user's codes")["code"]["M"].take()
    }

    /// Whether an access token with the scope `api` works.
    pub async fn token_works(&self, token: &str) -> bool {
        let got = self.get("/api/v4/user/support_pin").bearer(token).send().await;
        match got.status {
            404 => true,
            401 | 403 => false,
            _ => panic!("{got:?}"),
        }
    }

    /// The counters of wrong passwords and wrong codes of a user.
    pub async fn failure_counts(&self, person: &Person) -> (String, String) {
        let lockout = &self.user_row(&person.id).await["lockout"]["M"];
        let count = |name: &str| lockout[name]["N"].as_str().expect("a number").to_owned();
        (count("passwords"), count("otps"))
    }

    /// Logs in with the password for an access token with the scope `api`; returns the token of the login and its code.
    pub async fn begin_api_login(&self, person: &Person) -> (String, String) {
        let token = token_in(&self.request_token(api_grant(person)).await);
        (token, self.code_to(person.phone.as_deref().expect("a phone")).await)
    }

    /// How many access tokens a user has ever been issued.
    pub async fn count_access_tokens(&self, person: &Person) -> usize {
        let rows = self.rows("TokensTable").await;
        let own = rows.iter().filter(|row| row["user_id"]["S"] == person.id.as_str());
        own.filter(|row| row["kind"]["S"] == "access" && row["session"].is_object()).count()
    }

    /// Logs in to the end; returns an access token with the scope `api`.
    pub async fn log_in(&self, person: &Person) -> String {
        let token = token_in(&self.request_token(api_grant(person)).await);
        match &person.phone {
            None => token,
            Some(phone) => token_in(&self.submit_code(&token, &self.code_to(phone).await).await),
        }
    }

    /// The next step that a login names, and how many messages it sent.
    pub async fn next_step(&self, person: &Person) -> (String, usize) {
        let before = self.messages().await.len();
        let got = self.sign_in(person, &person.password).await.ok(201);
        let step = got["urgent"]["next_step"].as_str().expect("a step").to_owned();
        (step, self.messages().await.len() - before)
    }
}

/// The body of a login with a password.
pub fn password_grant(email: &str, password: &str) -> Value {
    json!({
        "grant_type": "password", "email": email, "password": password, "client_id": "heatclinic",
        "scope": "app:authorize",
    })
}

/// The token in a response.
#[track_caller]
pub fn token_in(got: &Response) -> String {
    got.ok(201)["data"]["value"].as_str().expect("a token").to_owned()
}

/// A code that differs from this one.
pub fn other_than(code: &str) -> String {
    let number: u32 = code.parse().expect("digits");
    format!("{:06}", (number + 1) % 1_000_000)
}

/// The body of a login with a password for an access token that [`World::token_works`] accepts.
pub fn api_grant(person: &Person) -> Value {
    let mut body = password_grant(&person.email, &person.password);
    body["scope"] = "api app:authorize".into();
    body
}
