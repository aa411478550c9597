//! Requests that change something, each with a user of its own, and what shows that they took effect.

use std::ops::RangeInclusive;

use serde_json::{Value, json};

use crate::support::{
    era::{CHECK_MAIL, password_set},
    factors::person_awaiting_phone,
    login::{api_grant, password_grant, token_in},
    mithril::{APPROVE, INIT, TOKENS, USERS},
    passcode::{CLIENT, PURPOSE, USER, passcode_refused},
    password::{NEW, RESET},
    people::{DOMAIN, Person},
    registration::{PASSWORD, REGISTER},
    requests::{IDEMPOTENCY_KEY, Request, Response},
    world::World,
};

/// A request that changes something.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Flow {
    Register,
    ConfirmRegistration,
    AskForReset,
    ConfirmReset,
    ChangePassword,
    MakeUser,
    LogInWithoutFactor,
    LogIn,
    GiveCode,
    Refresh,
    AnotherCode,
    InitFactor,
    ApproveFactor,
    RetrievePasscode,
    ConsumePasscode,
}

impl Flow {
    /// How many messages a success sends. A notice is sent at most once: its failure undoes nothing.
    pub fn messages(self) -> RangeInclusive<usize> {
        match self {
            Self::Register | Self::AskForReset => 1..=1,
            Self::LogIn | Self::Refresh | Self::AnotherCode | Self::InitFactor => 1..=1,
            Self::ConfirmReset | Self::ChangePassword | Self::ApproveFactor => 0..=1,
            Self::ConfirmRegistration | Self::MakeUser | Self::LogInWithoutFactor | Self::GiveCode => 0..=0,
            Self::RetrievePasscode | Self::ConsumePasscode => 0..=0,
        }
    }

    /// Whether it accepts an `Idempotency-Key`.
    pub fn is_repeatable(self) -> bool {
        match self {
            Self::ConfirmRegistration | Self::MakeUser | Self::ApproveFactor => false,
            Self::RetrievePasscode | Self::ConsumePasscode => false,
            Self::Register | Self::AskForReset | Self::ConfirmReset | Self::ChangePassword => true,
            Self::LogInWithoutFactor | Self::LogIn | Self::GiveCode => true,
            Self::Refresh | Self::AnotherCode | Self::InitFactor => true,
        }
    }
}

/// One request of its own user, who has made no other like it.
pub struct Trial {
    flow: Flow,
    pub login: String,
    pub person: Option<Person>,
    /// The recipient of its message.
    pub to: String,
    method: &'static str,
    pub path: String,
    token: Option<String>,
    body: Value,
}

impl Trial {
    /// Creates everything that the request needs.
    pub async fn new(world: &World, flow: Flow, n: usize) -> Self {
        let (login, phone) = (format!("someone{n}"), format!("+38088123{n:04}"));
        let email = format!("{login}@example.org");
        world.keep_phone_out_of_logs(&phone);
        let trial = |method, path: String, token: Option<String>, body| Self {
            flow,
            login: login.clone(),
            person: None,
            to: email.clone(),
            method,
            path,
            token,
            body,
        };
        let of = |person: &Person, to: &str, trial| Self {
            person: Some(person.clone()),
            to: to.to_owned(),
            ..trial
        };
        match flow {
            Flow::Register => {
                let body = json!({ "domain": DOMAIN, "login": login, "name": "My Name", "email": email });
                trial("POST", REGISTER.into(), None, body)
            }
            Flow::ConfirmRegistration => {
                let link = world.registration_link(DOMAIN, &login, &email).await;
                trial("PATCH", format!("{REGISTER}/{link}"), None, json!({ "pwd": PASSWORD }))
            }
            Flow::AskForReset => {
                let person = world.create_person(&login).await;
                let body = json!({ "key": login, "domain": DOMAIN });
                of(&person, &email, trial("POST", RESET.into(), None, body))
            }
            Flow::ConfirmReset => {
                let person = world.create_person(&login).await;
                let link = world.reset_link(&login, &email).await;
                let ask = trial("PATCH", format!("{RESET}/{link}"), None, json!({ "pwd": NEW }));
                of(&person, &email, ask)
            }
            Flow::ChangePassword => {
                let person = world.create_person(&login).await;
                let token = world.create_token(json!({ "user_id": person.id, "scopes": ["api"] })).await;
                let body = json!({ "current_pwd": person.password, "new_pwd": NEW });
                of(&person, &email, trial("POST", RESET.into(), Some(token), body))
            }
            Flow::MakeUser => {
                let body = json!({ "email": email, "password": NEW, "2fa_enable": n.is_multiple_of(2) });
                trial("POST", USERS.into(), Some(world.admin().into()), body)
            }
            Flow::LogInWithoutFactor => {
                let person = world.create_person(&login).await;
                of(&person, &email, trial("POST", TOKENS.into(), None, api_grant(&person)))
            }
            Flow::LogIn => {
                let person = world.create_person_with(&login, &phone).await;
                of(&person, &phone, trial("POST", TOKENS.into(), None, api_grant(&person)))
            }
            Flow::GiveCode => {
                let person = world.create_person_with(&login, &phone).await;
                let (token, otp) = world.begin_api_login(&person).await;
                let body = json!({ "grant_type": "authorize_2fa_access_token", "token": token, "otp": otp });
                of(&person, &phone, trial("POST", TOKENS.into(), None, body))
            }
            Flow::Refresh => {
                let person = world.create_person_with(&login, &phone).await;
                let (token, _) = world.begin_api_login(&person).await;
                let body = json!({ "grant_type": "refresh_2fa_access_token", "token": token });
                of(&person, &phone, trial("POST", TOKENS.into(), None, body))
            }
            Flow::AnotherCode => {
                let person = world.create_person_with(&login, &phone).await;
                let (token, _) = world.begin_api_login(&person).await;
                let ask = trial("PATCH", person.action_path("create_otp"), Some(token), json!({}));
                of(&person, &phone, ask)
            }
            Flow::InitFactor => {
                let (person, token) = person_awaiting_phone(world, &login).await;
                let body = json!({ "type": "SMS", "factor": phone });
                of(&person, &phone, trial("PATCH", INIT.into(), Some(token), body))
            }
            Flow::ApproveFactor => {
                let (person, token) = person_awaiting_phone(world, &login).await;
                let token = token_in(&world.init_factor(&token, &phone).await);
                let body = json!({ "otp": world.code_to(&phone).await });
                of(&person, &email, trial("PATCH", APPROVE.into(), Some(token), body))
            }
            Flow::RetrievePasscode => {
                let path = format!("/passcode/retrieve?purpose={PURPOSE}&username={login}&client_id=heatclinic");
                trial("GET", path, Some(world.passcode_token().into()), Value::Null)
            }
            Flow::ConsumePasscode => {
                let passcode = world.retrieve(USER, PURPOSE).await.token;
                let body = json!({ "passcode": passcode, "purpose": PURPOSE, "username": USER });
                let path = "/passcode/consume".to_owned();
                trial("POST", path, Some(world.passcode_token().into()), body)
            }
        }
    }

    pub fn ask<'a>(&self, world: &'a World) -> Request<'a> {
        let ask = world.request(self.method, &self.path).header("idempotency-key", IDEMPOTENCY_KEY);
        let ask = match (self.flow, &self.body) {
            (Flow::ConsumePasscode, body) => {
                let field = |name: &'static str| (name, body[name].as_str().expect("a text"));
                let form = [field("passcode"), field("purpose"), field("username")];
                ask.query(&[CLIENT]).form(&form)
            }
            (_, Value::Null) => ask,
            (_, body) => ask.json(body),
        };
        match &self.token {
            Some(token) => ask.bearer(token),
            None => ask,
        }
    }

    pub async fn send(&self, world: &World) -> Response {
        self.ask(world).send().await
    }

    /// The number of messages so far.
    pub async fn messages(&self, world: &World) -> usize {
        let messages = world.messages().await;
        messages.iter().filter(|message| message["to"] == self.to).count()
    }

    /// Asserts success, and that the result works.
    pub async fn works(&self, world: &World, got: &Response) {
        let person = || self.person.as_ref().expect("a person");
        let sign_in = async |password: &str| {
            let email = format!("{}@example.org", self.login);
            let body = password_grant(&email, password);
            token_in(&world.request_token(body).await);
        };
        match self.flow {
            Flow::Register => {
                got.is(200, CHECK_MAIL);
                let link = world.link_to(&self.to).await;
                password_set(&world.confirm_registration(&link, PASSWORD).await, &self.login);
            }
            Flow::ConfirmRegistration => {
                password_set(got, &self.login);
                assert_eq!(world.accounts(&self.login).await.len(), 1);
            }
            Flow::AskForReset => {
                got.is(200, CHECK_MAIL);
                password_set(&world.reset_password(&world.link_to(&self.to).await, NEW).await, &self.login);
            }
            Flow::ConfirmReset | Flow::ChangePassword => {
                password_set(got, &self.login);
                sign_in(NEW).await;
            }
            Flow::MakeUser => sign_in(NEW).await,
            Flow::LogIn | Flow::Refresh => {
                let code = world.code_to(&self.to).await;
                assert!(world.token_works(&token_in(&world.submit_code(&token_in(got), &code).await)).await);
            }
            Flow::LogInWithoutFactor | Flow::GiveCode => assert!(world.token_works(&token_in(got)).await),
            Flow::AnotherCode => {
                let token = self.token.as_deref().expect("a token");
                token_in(&world.submit_code(token, &world.code_to(&self.to).await).await);
            }
            Flow::InitFactor => {
                token_in(&world.approve_factor(&token_in(got), &world.code_to(&self.to).await).await);
                assert!(world.factor_of(person()).await["factor"].is_string());
            }
            Flow::ApproveFactor => {
                token_in(got);
                assert!(world.factor_of(person()).await["factor"].is_string());
            }
            Flow::RetrievePasscode => {
                let token = got.json()["token"].as_str().expect("a passcode").to_owned();
                world.consume(&token, &self.login, PURPOSE).send().await.ok(200);
            }
            Flow::ConsumePasscode => {
                passcode_refused(
                    &world.consume(self.body["passcode"].as_str().expect("a text"), USER, PURPOSE).send().await,
                );
            }
        }
    }
}
