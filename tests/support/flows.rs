//! Requests that change something, each with a user of its own, and what shows that they took effect.

use serde_json::{Value, json};

use crate::support::{
    era::{CHECK_MAIL, password_set},
    factors::person_awaiting_phone,
    login::{api_grant, password_grant, token_in},
    mithril::{APPROVE, INIT, RECOVERY_CODES, TOKENS, USERS, user_blocked},
    passcode::{CLIENT, PURPOSE, USER, passcode_refused},
    password::{NEW, RESET},
    people::{DOMAIN, Person},
    registration::{PASSWORD, REGISTER},
    requests::{IDEMPOTENCY_KEY, Request, Response},
    support_pin::OWN_PIN,
    totp::App,
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
    LogInFromDevice,
    LogIn,
    GiveCode,
    GiveAppCode,
    GiveRecoveryCode,
    Refresh,
    AnotherCode,
    InitFactor,
    ApproveFactor,
    InitApp,
    ApproveApp,
    ReplaceRecoveryCodes,
    RetrievePasscode,
    ConsumePasscode,
    InvalidatePasscode,
    ClientToken,
    CreatePin,
    RevokePin,
    CreateFactor,
    DisableFactor,
    EnableFactor,
    ResetFactor,
    Block,
    Unblock,
    StartByText,
    StartByMail,
    CheckCode,
    CancelVerification,
    VerifyFactor,
    AnswerWithCode,
}

impl Flow {
    /// How many messages a request sends.
    pub fn messages(self) -> usize {
        let sends_mail = matches!(self, Self::Register | Self::AskForReset);
        let sends_code = matches!(self, Self::LogIn | Self::Refresh | Self::AnotherCode | Self::InitFactor);
        let starts = matches!(self, Self::StartByText | Self::StartByMail);
        usize::from(sends_mail || sends_code || starts)
    }

    /// How many notices its success causes, whatever was lost on the way.
    pub fn notices(self) -> usize {
        let changes_password = matches!(self, Self::ConfirmReset | Self::ChangePassword);
        let changes_factor = matches!(self, Self::ApproveFactor | Self::DisableFactor | Self::ResetFactor);
        let changes_app = matches!(self, Self::ApproveApp | Self::GiveRecoveryCode | Self::ReplaceRecoveryCodes);
        usize::from(changes_password || changes_factor || changes_app)
    }

    /// Whether it accepts an `Idempotency-Key`.
    pub fn is_repeatable(self) -> bool {
        match self {
            Self::ConfirmRegistration | Self::MakeUser | Self::ApproveFactor | Self::ApproveApp => false,
            Self::RetrievePasscode | Self::ConsumePasscode | Self::InvalidatePasscode => false,
            Self::CreatePin | Self::RevokePin | Self::Block | Self::Unblock => false,
            Self::CreateFactor | Self::DisableFactor | Self::EnableFactor | Self::ResetFactor => false,
            Self::CheckCode | Self::CancelVerification | Self::VerifyFactor | Self::AnswerWithCode => false,
            Self::ClientToken | Self::StartByText | Self::StartByMail => true,
            Self::Register | Self::AskForReset | Self::ConfirmReset | Self::ChangePassword => true,
            Self::LogInWithoutFactor | Self::LogInFromDevice | Self::LogIn | Self::GiveCode => true,
            Self::GiveAppCode | Self::GiveRecoveryCode => true,
            Self::Refresh | Self::AnotherCode | Self::InitFactor => true,
            Self::InitApp | Self::ReplaceRecoveryCodes => true,
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
    /// An access token of the user.
    owner: String,
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
            owner: String::new(),
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
            Flow::LogInFromDevice => {
                // Others have blocked all but the device.
                let person = world.create_person(&login).await;
                let mut body = api_grant(&person);
                body["device_token"] = world.add_device(&person).await.into();
                body["device"] = true.into();
                world.block_by_passwords(&person).await;
                of(&person, &email, trial("POST", TOKENS.into(), None, body))
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
            Flow::GiveAppCode | Flow::GiveRecoveryCode => {
                let user = world.create_app_user(&login).await;
                let token = token_in(&world.request_token(api_grant(&user.person)).await);
                let otp = match flow {
                    Flow::GiveAppCode => world.app_code(&user.app).await,
                    _ => user.recovery[0].clone(),
                };
                let body = json!({ "grant_type": "authorize_2fa_access_token", "token": token, "otp": otp });
                of(&user.person, &email, trial("POST", TOKENS.into(), None, body))
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
            Flow::InitApp | Flow::ApproveApp => {
                let person = world.create_person(&login).await;
                let access = token_in(&world.request_token(api_grant(&person)).await);
                let ask = match flow {
                    Flow::InitApp => {
                        let body = json!({ "type": "TOTP", "password": person.password });
                        trial("PATCH", INIT.into(), Some(access), body)
                    }
                    _ => {
                        let got = world.init_app(&access, Some(&person.password)).await;
                        let uri = got.json()["urgent"]["totp"]["uri"].as_str().expect("a URI").to_owned();
                        let body = json!({ "otp": world.app_code(&App::of_uri(&uri)).await });
                        trial("PATCH", APPROVE.into(), Some(token_in(&got)), body)
                    }
                };
                of(&person, &email, ask)
            }
            Flow::ReplaceRecoveryCodes => {
                let user = world.create_app_user(&login).await;
                let token = token_in(&world.request_token(api_grant(&user.person)).await);
                let access = token_in(&world.submit_code(&token, &world.app_code(&user.app).await).await);
                let body = json!({ "password": user.person.password });
                of(&user.person, &email, trial("PATCH", RECOVERY_CODES.into(), Some(access), body))
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
            Flow::InvalidatePasscode => {
                let passcode = world.retrieve(USER, PURPOSE).await;
                let body = json!({ "passcode_id": passcode.id, "passcode": passcode.token });
                trial("POST", "/passcode/invalidate".into(), Some(world.passcode_token().into()), body)
            }
            Flow::ClientToken => {
                let secret = world.id("/client/client_secret");
                let body = json!({
                    "grant_type": "client_credentials", "client_id": "heatclinic", "client_secret": secret,
                    "scope": "passcode",
                });
                trial("POST", TOKENS.into(), None, body)
            }
            Flow::CreatePin => {
                let (token, _) = world.new_user(&login).await;
                trial("POST", OWN_PIN.into(), Some(token), Value::Null)
            }
            Flow::RevokePin => {
                let (owner, id) = world.new_user(&login).await;
                world.post(OWN_PIN).private_token(&owner).send().await.ok(201);
                let path = format!("/api/v4/users/{id}/support_pin/revoke");
                Self {
                    owner,
                    ..trial("POST", path, Some(world.admin().into()), Value::Null)
                }
            }
            Flow::CreateFactor => {
                let person = world.create_person(&login).await;
                let ask = trial("POST", person.factors_path(), Some(world.admin().into()), json!({ "type": "SMS" }));
                of(&person, &email, ask)
            }
            Flow::DisableFactor | Flow::EnableFactor | Flow::ResetFactor => {
                let person = world.create_person_with(&login, &phone).await;
                let action = match flow {
                    Flow::DisableFactor => "disable",
                    Flow::EnableFactor => "enable",
                    _ => "reset",
                };
                if flow == Flow::EnableFactor {
                    world.switch_factor_as_admin(&person, "disable").await;
                }
                let id = world.factor_of(&person).await["id"].as_str().expect("an id").to_owned();
                let path = format!("{}/{id}/actions/{action}", person.factors_path());
                of(&person, &email, trial("PATCH", path, Some(world.admin().into()), Value::Null))
            }
            Flow::Block | Flow::Unblock => {
                let person = world.create_person(&login).await;
                if flow == Flow::Unblock {
                    world.change_block(&person, "block").await;
                }
                let path = person.action_path(if flow == Flow::Block { "block" } else { "unblock" });
                of(&person, &email, trial("PATCH", path, Some(world.admin().into()), Value::Null))
            }
            Flow::StartByText | Flow::StartByMail => {
                let to = if flow == Flow::StartByText { &phone } else { &email };
                let path = format!("{}/Verifications", world.application().path());
                Self {
                    to: to.clone(),
                    ..trial("POST", path, None, json!({ "To": to, "Channel": "auto" }))
                }
            }
            Flow::CheckCode | Flow::CancelVerification => {
                let app = world.application();
                app.start(world, &email).await;
                let code = world.verification_code(&email).await;
                let (path, body) = match flow {
                    Flow::CheckCode => ("/VerificationCheck".to_owned(), json!({ "To": email, "Code": code })),
                    _ => (format!("/Verifications/{email}"), json!({ "Status": "canceled" })),
                };
                trial("POST", format!("{}{path}", app.path()), None, body)
            }
            Flow::VerifyFactor => {
                let app = world.application();
                let device = app.device(world, &format!("identity-{n}")).await;
                let body = json!({ "AuthPayload": device.code(world, 1).await });
                trial("POST", format!("{}{}", app.path(), device.path()), None, body)
            }
            Flow::AnswerWithCode => {
                let app = world.application();
                let device = app.verified_device(world, &format!("identity-{n}")).await;
                let body = json!({ "FactorSid": device.sid, "AuthPayload": device.code(world, 1).await });
                trial("POST", format!("{}{}/Challenges", app.path(), device.entity), None, body)
            }
        }
    }

    pub fn ask<'a>(&self, world: &'a World, key: Option<&str>) -> Request<'a> {
        let ask = world.request(self.method, &self.path);
        let ask = match key {
            Some(key) => ask.header("idempotency-key", key),
            None => ask,
        };
        let ask = match (self.flow, &self.body) {
            (Flow::ConsumePasscode, body) => {
                let field = |name: &'static str| (name, body[name].as_str().expect("a text"));
                let form = [field("passcode"), field("purpose"), field("username")];
                ask.query(&[CLIENT]).form(&form)
            }
            (Flow::InvalidatePasscode, body) => {
                let id = body["passcode_id"].as_str().expect("a text");
                ask.query(&[CLIENT]).form(&[("passcode_id", id)])
            }
            (_, body) if self.path.starts_with("/v2/") => {
                let fields = body.as_object().expect("fields").iter();
                let form: Vec<_> =
                    fields.map(|(name, value)| (name.as_str(), value.as_str().expect("a text"))).collect();
                ask.by(&world.application()).form(&form)
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
        self.ask(world, Some(IDEMPOTENCY_KEY)).send().await
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
            Flow::LogInWithoutFactor | Flow::GiveCode | Flow::GiveAppCode | Flow::GiveRecoveryCode => {
                assert!(world.token_works(&token_in(got)).await)
            }
            Flow::LogInFromDevice => {
                assert!(world.token_works(&token_in(got)).await);
                token_in(&world.sign_in_from(person(), &person().password, &world.device_in(got)).await);
            }
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
            Flow::InitApp => {
                let uri = got.json()["urgent"]["totp"]["uri"].as_str().expect("a URI").to_owned();
                let code = world.app_code(&App::of_uri(&uri)).await;
                world.approve_factor(&token_in(got), &code).await.ok(201);
            }
            Flow::ApproveApp => {
                assert!(world.token_works(&token_in(got)).await);
                let got = world.sign_in(person(), &person().password).await.ok(201);
                assert_eq!(got["urgent"]["factors"], json!(["TOTP"]));
            }
            Flow::ReplaceRecoveryCodes => {
                let codes = world.recovery_codes(got);
                let login = world.begin_app_login(person()).await;
                world.submit_code(&login, &codes[0]).await.ok(201);
            }
            Flow::RetrievePasscode => {
                let token = got.json()["token"].as_str().expect("a passcode").to_owned();
                world.consume(&token, &self.login, PURPOSE).send().await.ok(200);
            }
            Flow::ConsumePasscode | Flow::InvalidatePasscode => {
                passcode_refused(
                    &world.consume(self.body["passcode"].as_str().expect("a text"), USER, PURPOSE).send().await,
                );
            }
            Flow::ClientToken => {
                let path = "/passcode/status?client_id=heatclinic&passcode_id=01FM98Y1WCT0KT0AT56TMJ1973";
                world.get(path).bearer(&token_in(got)).send().await.ok(404);
            }
            Flow::CreatePin => {
                let token = self.token.as_deref().expect("a token");
                world.get(OWN_PIN).private_token(token).send().await.is(200, &got.body);
            }
            Flow::RevokePin => {
                world.get(OWN_PIN).private_token(&self.owner).send().await.ok(404);
            }
            Flow::CreateFactor | Flow::EnableFactor => {
                assert_eq!(world.factor_of(person()).await["is_active"], true);
            }
            Flow::DisableFactor => assert_eq!(world.factor_of(person()).await["is_active"], false),
            Flow::ResetFactor => assert_eq!(world.factor_of(person()).await["factor"], Value::Null),
            Flow::Block => user_blocked(&world.sign_in(person(), &person().password).await),
            Flow::StartByText | Flow::StartByMail => {
                let code = world.verification_code(&self.to).await;
                assert_eq!(world.application().check(world, &self.to, &code).await.ok(200)["valid"], true);
            }
            Flow::CheckCode | Flow::CancelVerification => {
                let code = world.verification_code(&self.to).await;
                assert_eq!(world.application().check(world, &self.to, &code).await.status, 404);
            }
            Flow::VerifyFactor => {
                let app = world.application();
                let factor = world.get(&self.path).by(&app).send().await.ok(200);
                assert_eq!(factor["status"], "verified");
            }
            // A retry of what took effect creates another challenge, for which the step is used up.
            Flow::AnswerWithCode => {
                let app = world.application();
                let approved = world.get(&format!("{}?Status=approved", self.path)).by(&app).send().await.ok(200);
                assert_eq!(approved["challenges"].as_array().expect("a list").len(), 1, "{approved}");
            }
            Flow::Unblock => drop(token_in(&world.sign_in(person(), &person().password).await)),
        }
    }
}
