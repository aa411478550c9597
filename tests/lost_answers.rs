//! Every answer of one call to AWS is lost, each call in turn: a completed request is reported as done, a delivered
//! message works, and a failed request can be retried at once (security.md R17, R64, R65).

use std::ops::RangeInclusive;

use serde_json::{Value, json};

use crate::support::{
    clock::DAY,
    era::{CHECK_MAIL, era_refused, password_set},
    factors::person_awaiting_phone,
    login::{api_grant, password_grant, token_in},
    mithril::{APPROVE, INIT, TOKENS, USERS, token_expired},
    passcode::{CLIENT, PURPOSE, USER, passcode_refused},
    password::{NEW, RESET},
    people::{DOMAIN, Person},
    registration::{PASSWORD, REGISTER},
    requests::{IDEMPOTENCY_KEY, Request, Response},
    words::{ERA_UNAUTHORIZED, NO_REQUEST},
    world::World,
};

/// The SDK's attempts for DynamoDB; it tries SES and SNS once.
const ATTEMPTS: u32 = 3;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Flow {
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
    fn messages(self) -> RangeInclusive<usize> {
        match self {
            Self::Register | Self::AskForReset => 1..=1,
            Self::LogIn | Self::Refresh | Self::AnotherCode | Self::InitFactor => 1..=1,
            Self::ConfirmReset | Self::ChangePassword | Self::ApproveFactor => 0..=1,
            Self::ConfirmRegistration | Self::MakeUser | Self::LogInWithoutFactor | Self::GiveCode => 0..=0,
            Self::RetrievePasscode | Self::ConsumePasscode => 0..=0,
        }
    }

    /// Whether it accepts an `Idempotency-Key`.
    fn is_repeatable(self) -> bool {
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
struct Trial {
    flow: Flow,
    login: String,
    person: Option<Person>,
    /// The recipient of its message.
    to: String,
    method: &'static str,
    path: String,
    token: Option<String>,
    body: Value,
}

impl Trial {
    /// Creates everything that the request needs.
    async fn new(world: &World, flow: Flow, n: usize) -> Self {
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

    fn ask<'a>(&self, world: &'a World) -> Request<'a> {
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

    async fn send(&self, world: &World) -> Response {
        self.ask(world).send().await
    }

    /// The number of messages so far.
    async fn messages(&self, world: &World) -> usize {
        let messages = world.messages().await;
        messages.iter().filter(|message| message["to"] == self.to).count()
    }

    /// Asserts success, and that the result works.
    async fn works(&self, world: &World, got: &Response) {
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

/// Asserts a transient error in the flow's dialect.
#[track_caller]
fn unavailable(got: &Response, what: &str) {
    assert_eq!((got.status, got.header("retry-after")), (503, Some("5")), "{what}: {got:?}");
}

/// The outcome of one request while a call lost its answers.
struct Survival {
    /// Whether the request made such a call.
    is_hit: bool,
    /// Whether a link was mailed although the answer reports an error.
    untold_link: bool,
}

/// Makes one request while a call loses `times` answers.
async fn survives(world: &World, flow: Flow, (service, times): (&str, u32), skip: u32, n: usize) -> Survival {
    let what = format!("{flow:?}, {times} of {service} after {skip}");
    let trial = Trial::new(world, flow, n).await;
    let before = trial.messages(world).await;
    let lost = json!({ "service": service, "operation": null, "kind": "drop_response", "skip": skip, "times": times });
    world.inject(lost).await;
    let mut got = trial.send(world).await;
    let is_hit = world.get("/_local/faults").send_local().await == json!([]);
    world.clear_faults().await;
    let mut sent = trial.messages(world).await - before;
    let untold_link = got.status >= 300 && sent == 1 && matches!(flow, Flow::Register | Flow::AskForReset);
    if got.status >= 300 {
        assert!(service != "dynamodb" || times == ATTEMPTS, "{what}: the second try is answered: {got:?}");
        unavailable(&got, &what);
        assert!(sent <= *flow.messages().end(), "{what}: {sent} messages");
        if untold_link {
            let link = world.link_to(&trial.to).await;
            let followed = match flow {
                Flow::Register => world.confirm_registration(&link, "short").await,
                _ => world.reset_password(&link, "short").await,
            };
            assert_eq!(followed.status, 412, "{what}: it leads somewhere");
        }
        let between = trial.messages(world).await;
        got = trial.send(world).await;
        assert!(got.status < 300, "{what}: locked: {got:?}");
        sent = trial.messages(world).await - between;
    }
    assert!(flow.messages().contains(&sent), "{what}: {sent} messages");
    if flow.is_repeatable() {
        let between = trial.messages(world).await;
        let again = trial.send(world).await;
        assert_eq!((again.status, &again.body), (got.status, &got.body), "{what}");
        assert_eq!(trial.messages(world).await, between, "{what}: it was repeated");
    }
    trial.works(world, &got).await;
    world.advance(DAY).await;
    Survival { is_hit, untold_link }
}

/// Each call of a request in turn.
async fn sweep(flows: &[Flow]) {
    let world = World::new().await;
    let mut n = 0;
    for flow in flows {
        let (mut messages, mut untold_links) = (0, 0);
        for (service, times) in [("dynamodb", 1), ("dynamodb", ATTEMPTS), ("ses", 1), ("sns", 1)] {
            let mut skip = 0;
            loop {
                n += 1;
                let survival = survives(&world, *flow, (service, times), skip, n).await;
                untold_links += usize::from(survival.untold_link);
                if !survival.is_hit {
                    break;
                }
                skip += 1;
            }
            match service {
                "dynamodb" => assert!(skip > 0, "{flow:?} calls the store"),
                _ => messages += skip,
            }
        }
        assert_eq!(messages as usize, *flow.messages().end(), "{flow:?}");
        let mails_a_link = matches!(flow, Flow::Register | Flow::AskForReset);
        assert_eq!(untold_links > 0, mails_a_link, "{flow:?}: {untold_links} links");
    }
}

#[tokio::test]
async fn registrations_survive_lost_responses() {
    sweep(&[Flow::Register, Flow::ConfirmRegistration, Flow::MakeUser]).await;
}

#[tokio::test]
async fn password_resets_survive_lost_responses() {
    sweep(&[Flow::AskForReset, Flow::ConfirmReset, Flow::ChangePassword]).await;
}

#[tokio::test]
async fn logins_survive_lost_responses() {
    sweep(&[
        Flow::LogInWithoutFactor,
        Flow::LogIn,
        Flow::GiveCode,
        Flow::Refresh,
        Flow::AnotherCode,
    ])
    .await;
}

#[tokio::test]
async fn factors_and_passcodes_survive_lost_responses() {
    sweep(&[
        Flow::InitFactor,
        Flow::ApproveFactor,
        Flow::RetrievePasscode,
        Flow::ConsumePasscode,
    ])
    .await;
}

/// Requests that consume something, and the operation that consumes it.
const CONSUMERS: [(Flow, &str); 8] = [
    (Flow::ConfirmRegistration, "TransactWriteItems"),
    (Flow::ConfirmReset, "TransactWriteItems"),
    (Flow::ChangePassword, "TransactWriteItems"),
    (Flow::MakeUser, "TransactWriteItems"),
    (Flow::LogInWithoutFactor, "TransactWriteItems"),
    (Flow::GiveCode, "TransactWriteItems"),
    (Flow::ApproveFactor, "TransactWriteItems"),
    (Flow::ConsumePasscode, "UpdateItem"),
];

#[tokio::test]
async fn a_consumption_is_reported_although_every_response_was_lost() {
    let world = World::new().await;
    for (n, (flow, operation)) in CONSUMERS.into_iter().enumerate() {
        let trial = Trial::new(&world, flow, n).await;
        let lost = json!({
            "service": "dynamodb", "operation": operation, "kind": "drop_response", "skip": 0, "times": ATTEMPTS,
        });
        world.inject(lost).await;
        let got = trial.send(&world).await;
        assert_eq!(world.get("/_local/faults").send_local().await, json!([]), "{flow:?}");
        assert!(got.status < 300, "{flow:?}: {got:?}");
        trial.works(&world, &got).await;
        world.advance(DAY).await;
    }
}

#[tokio::test]
async fn a_change_whose_outcome_cannot_be_read_takes_effect_once() {
    let world = World::new().await;
    for (n, (flow, operation)) in CONSUMERS.into_iter().enumerate() {
        let trial = Trial::new(&world, flow, n).await;
        // The write succeeds, and nothing can be read after it.
        let lost = json!({
            "service": "dynamodb", "operation": operation, "kind": "drop_response", "skip": 0, "times": 1000,
        });
        world.inject(lost).await;
        let skip = json!({ "service": "dynamodb", "operation": "BatchGetItem", "kind": "error", "skip": reads_before(flow), "times": 1000 });
        world.inject(skip).await;
        let got = trial.send(&world).await;
        world.clear_faults().await;
        unavailable(&got, &format!("{flow:?}"));
        // The outcome is revealed neither to a retry nor to a guess.
        let again = trial.send(&world).await;
        match flow {
            Flow::ConfirmRegistration | Flow::ConfirmReset => {
                era_refused(&again, 404, NO_REQUEST);
                let path = &trial.path;
                let other = world.request("PATCH", path).json(&json!({ "pwd": "another-horse" })).send().await;
                era_refused(&other, 404, NO_REQUEST);
            }
            Flow::ChangePassword => era_refused(&again, 401, ERA_UNAUTHORIZED),
            Flow::MakeUser => assert_eq!(again.status, 422, "{again:?}"),
            Flow::LogInWithoutFactor => assert!(world.token_works(&token_in(&again)).await),
            Flow::GiveCode => token_expired(&again),
            Flow::ApproveFactor => token_expired(&again),
            Flow::ConsumePasscode => passcode_refused(&again),
            _ => panic!("{flow:?} uses nothing up"),
        }
        let email = format!("{}@example.org", trial.login);
        let password = match flow {
            Flow::ConfirmRegistration => PASSWORD.to_owned(),
            Flow::ConfirmReset | Flow::ChangePassword | Flow::MakeUser => NEW.to_owned(),
            _ => continue,
        };
        token_in(&world.request_token(password_grant(&email, &password)).await);
        world.advance(DAY).await;
    }
}

/// How often a request reads several rows before it writes.
fn reads_before(flow: Flow) -> u32 {
    match flow {
        Flow::MakeUser | Flow::ChangePassword => 2,
        _ => 1,
    }
}
