//! Logins with passwords and with codes.

use serde_json::{Value, json};

use crate::support::{mithril::TOKENS, people::Person, requests::Response, world::World};

impl World {
    /// Asks for a token.
    pub async fn request_token(&self, body: Value) -> Response {
        self.post(TOKENS).json(&body).send().await
    }

    /// Logs a person in with a password.
    pub async fn sign_in(&self, person: &Person, password: &str) -> Response {
        self.request_token(password_grant(&person.email, password)).await
    }

    /// Gives a code.
    pub async fn submit_code(&self, token: &str, otp: &str) -> Response {
        let body = json!({ "grant_type": "authorize_2fa_access_token", "token": token, "otp": otp });
        self.request_token(body).await
    }

    /// Asks for another code.
    pub async fn refresh_login(&self, token: &str) -> Response {
        self.request_token(json!({ "grant_type": "refresh_2fa_access_token", "token": token }))
            .await
    }

    /// A login that waits for its code: the token, and the code.
    pub async fn begin_login(&self, person: &Person) -> (String, String) {
        let got = self.sign_in(person, &person.password).await;
        assert_eq!(got.ok(201)["urgent"]["next_step"], "REQUEST_OTP");
        let phone = person.phone.as_deref().expect("a person with a phone");
        (token_in(&got), self.code_to(phone).await)
    }

    /// Asks for another code for a login.
    pub async fn resend_code(&self, person: &Person, token: &str) -> Response {
        self.request("PATCH", &person.action("create_otp"))
            .bearer(token)
            .send()
            .await
    }

    /// The newest code of a person, as stored.
    pub async fn code_row(&self, person: &Person) -> Value {
        let rows = self.rows("OtpsTable").await;
        let mut own = rows
            .into_iter()
            .filter(|row| row["owner"]["S"].as_str().is_some_and(|id| id.contains(&person.id)));
        own.next().expect("the user's codes")["code"]["M"].take()
    }

    /// Whether an access token of the scope `api` opens anything.
    pub async fn token_works(&self, token: &str) -> bool {
        let got = self.get("/api/v4/user/support_pin").bearer(token).send().await;
        match got.status {
            404 => true,
            401 | 403 => false,
            _ => panic!("{got:?}"),
        }
    }

    /// A user's counters: wrong passwords, failed codes.
    pub async fn failure_counts(&self, person: &Person) -> (String, String) {
        let lockout = &self.user_row(&person.id).await["lockout"]["M"];
        let count = |name: &str| lockout[name]["N"].as_str().expect("a number").to_owned();
        (count("passwords"), count("otps"))
    }

    /// A login that waits for its code, whose access token will open something: see [`World::token_works`].
    pub async fn begin_api_login(&self, person: &Person) -> (String, String) {
        let token = token_in(&self.request_token(api_grant(person)).await);
        (token, self.code_to(person.phone.as_deref().expect("a phone")).await)
    }

    /// How many access tokens were given to a person, ever.
    pub async fn count_access_tokens(&self, person: &Person) -> usize {
        let rows = self.rows("TokensTable").await;
        let own = rows.iter().filter(|row| row["user_id"]["S"] == person.id.as_str());
        own.filter(|row| row["kind"]["S"] == "access" && row["session"].is_object())
            .count()
    }

    /// A person's login, whole: the token, of the scope `api`.
    pub async fn log_in(&self, person: &Person) -> String {
        let token = token_in(&self.request_token(api_grant(person)).await);
        match &person.phone {
            None => token,
            Some(phone) => token_in(&self.submit_code(&token, &self.code_to(phone).await).await),
        }
    }

    /// What the next login asks for; and what it was sent.
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

/// The token in an answer.
#[track_caller]
pub fn token_in(got: &Response) -> String {
    got.ok(201)["data"]["value"].as_str().expect("a token").to_owned()
}

/// Another code than this one.
pub fn other_than(code: &str) -> String {
    let number: u32 = code.parse().expect("digits");
    format!("{:06}", (number + 1) % 1_000_000)
}

/// A login for an access token that opens something: see [`World::token_works`].
pub fn api_grant(person: &Person) -> Value {
    let mut body = password_grant(&person.email, &person.password);
    body["scope"] = "api app:authorize".into();
    body
}
