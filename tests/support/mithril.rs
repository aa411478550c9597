//! Logins: passwords, codes, tokens.

use serde_json::{Value, json};

use crate::support::{people::Person, requests::Got, world::World};

pub const API: &str = "/mithril/api";
pub const TOKENS: &str = "/mithril/api/tokens";

pub const USERS: &str = "/mithril/api/users";
pub const INIT: &str = "/mithril/api/users/actions/init_factor";
pub const APPROVE: &str = "/mithril/api/users/actions/approve_factor";

impl World {
    /// Asks for a token.
    pub async fn grant(&self, body: Value) -> Got {
        self.post(TOKENS).json(&body).send().await
    }

    /// Logs a person in with a password.
    pub async fn sign_in(&self, person: &Person, password: &str) -> Got {
        self.grant(password_grant(&person.email, password)).await
    }

    /// Gives a code.
    pub async fn authorize(&self, token: &str, otp: &str) -> Got {
        let body = json!({ "grant_type": "authorize_2fa_access_token", "token": token, "otp": otp });
        self.grant(body).await
    }

    /// Asks for another code.
    pub async fn refresh(&self, token: &str) -> Got {
        self.grant(json!({ "grant_type": "refresh_2fa_access_token", "token": token }))
            .await
    }

    /// A login that waits for its code: the token, and the code.
    pub async fn waiting(&self, person: &Person) -> (String, String) {
        let got = self.sign_in(person, &person.password).await;
        assert_eq!(got.ok(201)["urgent"]["next_step"], "REQUEST_OTP");
        let phone = person.phone.as_deref().expect("a person with a phone");
        (value(&got), self.code_to(phone).await)
    }

    /// The newest code of a person, as stored.
    pub async fn code_row(&self, person: &Person) -> Value {
        let rows = self.rows("OtpsTable").await;
        let mut own = rows
            .into_iter()
            .filter(|row| row["owner"]["S"].as_str().is_some_and(|id| id.contains(&person.id)));
        own.next().expect("the user's codes")["code"]["M"].take()
    }

    /// The one factor of a person.
    pub async fn factor_of(&self, person: &Person) -> Value {
        let got = self.get(&person.factors()).bearer(self.admin()).send().await;
        let [factor] = serde_json::from_value::<[Value; 1]>(got.ok(200)["data"].take()).expect("one factor");
        factor
    }

    /// Asks for a code to a phone that shall be a factor.
    pub async fn init(&self, token: &str, phone: &str) -> Got {
        self.keep_phone_out_of_logs(phone);
        let body = json!({ "type": "SMS", "factor": phone });
        self.ask("PATCH", INIT).bearer(token).json(&body).send().await
    }

    /// Gives the code that came to that phone.
    pub async fn approve(&self, token: &str, otp: &str) -> Got {
        self.ask("PATCH", APPROVE)
            .bearer(token)
            .json(&json!({ "otp": otp }))
            .send()
            .await
    }

    /// Asks for another code for a login.
    pub async fn another_code(&self, person: &Person, token: &str) -> Got {
        self.ask("PATCH", &person.action("create_otp"))
            .bearer(token)
            .send()
            .await
    }

    /// Whether an access token of the scope `api` opens anything.
    pub async fn is_open(&self, token: &str) -> bool {
        let got = self.get("/api/v4/user/support_pin").bearer(token).send().await;
        match got.status {
            404 => true,
            401 | 403 => false,
            _ => panic!("{got:?}"),
        }
    }

    /// The text messages to a number so far, oldest first.
    pub async fn sms_to(&self, phone: &str) -> Vec<String> {
        let messages = self.mails().await;
        let to = messages.iter().filter(|message| message["to"] == phone);
        to.map(|message| message["text"].as_str().expect("a text").to_owned())
            .collect()
    }

    /// The code in the newest message to a number.
    pub async fn code_to(&self, phone: &str) -> String {
        let texts = self.sms_to(phone).await;
        let text = texts.last().unwrap_or_else(|| panic!("no message to {phone}"));
        let (_, code) = text.rsplit_once('#').expect("an origin-bound line");
        self.keep_out_of_logs(code);
        code.to_owned()
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
pub fn value(got: &Got) -> String {
    got.ok(201)["data"]["value"].as_str().expect("a token").to_owned()
}

/// Another code than this one.
pub fn other_than(code: &str) -> String {
    let number: u32 = code.parse().expect("digits");
    format!("{:06}", (number + 1) % 1_000_000)
}

/// That somebody is not known by this address and password.
#[track_caller]
pub fn wrong_identity(got: &Got) {
    refused(got, 401, "access_denied", "Identity, password combination is wrong.");
}

/// That a code is not the right one.
#[track_caller]
pub fn wrong_code(got: &Got) {
    refused(got, 401, "otp_invalid", "Invalid OTP code.");
}

/// That a text is no token, and never was.
#[track_caller]
pub fn token_invalid(got: &Got) {
    refused(got, 401, "token_invalid", "Invalid token.");
}

/// That a token has ended: by its time, by another one in its place, or with all of its owner's.
#[track_caller]
pub fn token_expired(got: &Got) {
    refused(got, 401, "token_expired", "Token expired.");
}

/// That a user is blocked.
#[track_caller]
pub fn user_blocked(got: &Got) {
    refused(got, 401, "user_blocked", "User blocked.");
}

/// For how many seconds a refusal asks to wait; at most so many.
#[track_caller]
pub fn wait_of(got: &Got, most: u64) -> u64 {
    let wait = got.header("retry-after").and_then(|wait| wait.parse().ok());
    let wait = wait.unwrap_or_else(|| panic!("no Retry-After: {got:?}"));
    assert!((1..=most).contains(&wait), "{got:?}");
    wait
}

/// That too many codes were sent; gives for how many seconds, at most so many, none is sent.
#[track_caller]
pub fn too_many_sends(got: &Got, most: u64) -> u64 {
    refused(got, 429, "otp_timeout", "Sending OTP timeout. Try later.");
    wait_of(got, most)
}

/// Compares a whole refusal.
#[track_caller]
pub fn refused(got: &Got, status: u16, r#type: &str, message: &str) {
    let body = got.json();
    assert_eq!(got.status, status, "{got:?}");
    assert_eq!(body["error"], json!({ "type": r#type, "message": message }), "{got:?}");
    let meta = &body["meta"];
    assert_eq!((&meta["code"], &meta["type"]), (&json!(status), &json!("object")));
    assert!(meta["url"].as_str().is_some_and(|url| url.contains(API)), "{got:?}");
    assert!(meta["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{got:?}");
    assert_eq!(body.as_object().map(|body| body.len()), Some(2), "{got:?}");
}

/// The data of a success, in an answer that holds nothing else.
#[track_caller]
pub fn data(got: &Got, status: u16) -> Value {
    let mut body = got.ok(status);
    let meta = &body["meta"];
    assert_eq!((&meta["code"], &meta["type"]), (&json!(status), &json!("object")));
    assert!(meta["url"].as_str().is_some_and(|url| url.contains(API)), "{got:?}");
    assert!(meta["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{got:?}");
    assert_eq!(body.as_object().map(|body| body.len()), Some(2), "{got:?}");
    body["data"].take()
}

/// Compares what is said of values that were not taken: of each the place, the rule and the words.
#[track_caller]
pub fn not_taken(got: &Got, expected: &[[&str; 3]]) {
    let mut body = got.json();
    let invalid = body["error"]["invalid"].take();
    let error = json!({ "type": "validation_failed", "message": "Validation failed.", "invalid": null });
    assert_eq!((got.status, &body["error"]), (422, &error), "{got:?}");
    let invalid = invalid.as_array().expect("a list").iter();
    let said: Vec<_> = invalid
        .map(|invalid| {
            let rule = &invalid["rules"][0];
            [&invalid["entry"], &rule["rule"], &rule["description"]].map(|text| text.as_str().expect("a text"))
        })
        .collect();
    assert_eq!(said, expected, "{got:?}");
}
