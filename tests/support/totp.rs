//! An authenticator app, implemented independently of the product, and logins with it.

use serde_json::{Value, json};

use crate::support::{login::token_in, mithril::INIT, people::Person, requests::Response, world::World};

/// An authenticator app with one secret.
#[derive(Clone)]
pub struct App(totp_rs::Totp);

impl App {
    /// The app that scans this URI, as a QR code has it.
    pub fn of_uri(uri: &str) -> Self {
        Self(totp_rs::Totp::from_url(uri).unwrap_or_else(|error| panic!("{uri}: {error}")))
    }

    /// The code that it shows at this moment.
    pub fn code(&self, at: u64) -> String {
        self.0.generate(at).to_string()
    }
}

/// The code of a step, with SHA-1; a step of any length.
pub fn code(secret: &str, step: u64, digits: usize) -> String {
    let uri = format!("otpauth://totp/x?secret={secret}&digits={digits}&period=30");
    let app = totp_rs::Totp::from_url_unchecked(&uri).unwrap_or_else(|error| panic!("{uri}: {error}"));
    app.generate(step * 30).to_string()
}

/// A user with an authenticator app.
pub struct AppUser {
    pub person: Person,
    pub app: App,
    /// The recovery codes.
    pub recovery: Vec<String>,
}

impl World {
    /// Requests a secret for an authenticator app.
    pub async fn init_app(&self, token: &str, password: Option<&str>) -> Response {
        let mut body = json!({ "type": "TOTP" });
        if let Some(password) = password {
            body["password"] = password.into();
        }
        let got = self.request("PATCH", INIT).bearer(token).json(&body).send().await;
        for pointer in ["/urgent/totp/secret", "/urgent/totp/uri"] {
            if let Some(secret) = got.json().pointer(pointer).and_then(Value::as_str) {
                self.keep_out_of_logs(secret);
            }
        }
        got
    }

    /// The recovery codes in a response, which must not be logged.
    pub fn recovery_codes(&self, got: &Response) -> Vec<String> {
        let codes: Vec<String> =
            serde_json::from_value(got.json()["urgent"]["recovery_codes"].clone()).expect("recovery codes");
        codes.iter().for_each(|code| self.keep_out_of_logs(code));
        codes
    }

    /// The code that an app shows now.
    pub async fn app_code(&self, app: &App) -> String {
        app.code(self.now().await)
    }

    /// Sets up an authenticator app for a signed-in user; the code of the approval is used up, and the next one is not
    /// yet shown.
    pub async fn enrol(&self, person: &Person, access: &str) -> AppUser {
        let got = self.init_app(access, Some(&person.password)).await;
        let (approval, body) = (token_in(&got), got.json());
        let app = App::of_uri(body["urgent"]["totp"]["uri"].as_str().expect("a URI"));
        let got = self.approve_factor(&approval, &self.app_code(&app).await).await;
        got.ok(201);
        AppUser {
            recovery: self.recovery_codes(&got),
            person: person.clone(),
            app,
        }
    }

    /// A new user with an authenticator app and no phone. Its last code is a minute old.
    pub async fn create_app_user(&self, login: &str) -> AppUser {
        let (person, access) = self.create_signed_in(login).await;
        let user = self.enrol(&person, &access).await;
        self.advance(60).await;
        user
    }

    /// The first step of a login with an authenticator app: its token.
    pub async fn begin_app_login(&self, person: &Person) -> String {
        let got = self.sign_in(person, &person.password).await;
        assert_eq!(got.ok(201)["urgent"]["next_step"], "REQUEST_OTP");
        token_in(&got)
    }
}
