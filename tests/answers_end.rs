//! The idempotency record of a call with an `Idempotency-Key` ends with its owner's tokens, whatever revokes those, and
//! does not return when a block expires (docs/contract.md, All routes; docs/security.md R72).

use serde_json::{Value, json};

use crate::support::{
    clock::{DAY, eventually},
    era::{CHECK_MAIL, era_refused},
    factors::person_awaiting_phone,
    login::{api_grant, other_than, token_in},
    mithril::{INIT, TOKENS, refused, token_expired, token_invalid, user_blocked, wrong_identity},
    password::{NEW, RESET},
    people::{DOMAIN, Person},
    requests::{IDEMPOTENCY_KEY, Request, Response},
    words::{ERA_UNAUTHORIZED, NO_REQUEST, REQUEST_IN_PROGRESS, WRONG_CLIENT_SECRET},
    world::World,
};

/// A route that stores the answer of an idempotent call about a user.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Route {
    OtpCreate,
    FactorInit,
    Login,
    LoginWithCode,
    Authorize,
    Refresh,
    ChangePassword,
    ConfirmReset,
}

const ROUTES: [Route; 8] = [
    Route::OtpCreate,
    Route::FactorInit,
    Route::Login,
    Route::LoginWithCode,
    Route::Authorize,
    Route::Refresh,
    Route::ChangePassword,
    Route::ConfirmReset,
];

/// What revokes a user's tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cause {
    BlockByOperator,
    BlockByAdministrator,
    WrongPasswords,
    WrongCodes,
    EndTokens,
    Reset,
    Change,
    Erasure,
}

const CAUSES: [Cause; 8] = [
    Cause::BlockByOperator,
    Cause::BlockByAdministrator,
    Cause::WrongPasswords,
    Cause::WrongCodes,
    Cause::EndTokens,
    Cause::Reset,
    Cause::Change,
    Cause::Erasure,
];

/// An idempotent call whose answer is stored, with everything needed to repeat it byte for byte.
struct Call {
    method: &'static str,
    path: String,
    token: Option<String>,
    body: Value,
}

impl Call {
    fn ask<'a>(&self, world: &'a World) -> Request<'a> {
        let ask = world.request(self.method, &self.path).json(&self.body);
        let ask = ask.header("idempotency-key", IDEMPOTENCY_KEY);
        match &self.token {
            Some(token) => ask.bearer(token),
            None => ask,
        }
    }

    async fn send(&self, world: &World) -> Response {
        self.ask(world).send().await
    }

    fn change(token: String, person: &Person) -> Self {
        Self {
            method: "POST",
            path: RESET.into(),
            token: Some(token),
            body: json!({ "current_pwd": person.password, "new_pwd": NEW }),
        }
    }

    fn grant(body: Value) -> Self {
        Self {
            method: "POST",
            path: TOKENS.into(),
            token: None,
            body,
        }
    }
}

/// Creates a user and makes one successful call.
async fn answered(world: &World, route: Route, n: usize) -> (Person, Call, Response) {
    let (login, phone) = (format!("someone{n}"), format!("+38088123{n:04}"));
    world.keep_phone_out_of_logs(&phone);
    let person = match route {
        Route::Login | Route::FactorInit => None,
        _ => Some(world.create_person_with(&login, &phone).await),
    };
    let (person, call) = match (route, person) {
        (Route::FactorInit, _) => {
            let (person, token) = person_awaiting_phone(world, &login).await;
            let call = Call {
                method: "PATCH",
                path: INIT.into(),
                token: Some(token),
                body: json!({ "type": "SMS", "factor": phone }),
            };
            let phone = Some(phone);
            (Person { phone, ..person }, call)
        }
        (_, None) => {
            let person = world.create_person(&login).await;
            let call = Call::grant(api_grant(&person));
            (person, call)
        }
        (Route::OtpCreate, Some(person)) => {
            let (token, _) = world.begin_login(&person).await;
            let call = Call {
                method: "PATCH",
                path: person.action_path("create_otp"),
                token: Some(token),
                body: json!({}),
            };
            (person, call)
        }
        (Route::Authorize, Some(person)) => {
            let (token, otp) = world.begin_login(&person).await;
            let body = json!({ "grant_type": "authorize_2fa_access_token", "token": token, "otp": otp });
            (person, Call::grant(body))
        }
        (Route::Refresh, Some(person)) => {
            let (token, _) = world.begin_login(&person).await;
            let body = json!({ "grant_type": "refresh_2fa_access_token", "token": token });
            (person, Call::grant(body))
        }
        (Route::ChangePassword, Some(person)) => {
            let token = world.create_token(json!({ "user_id": person.id, "scopes": ["api"] })).await;
            let call = Call::change(token, &person);
            let password = NEW.to_owned();
            (Person { password, ..person }, call)
        }
        (Route::ConfirmReset, Some(person)) => {
            let link = world.reset_link(&person.email, &person.email).await;
            let call = Call {
                method: "PATCH",
                path: format!("{RESET}/{link}"),
                token: None,
                body: json!({ "pwd": NEW }),
            };
            let password = NEW.to_owned();
            (Person { password, ..person }, call)
        }
        (Route::Login | Route::LoginWithCode, Some(person)) => {
            let call = Call::grant(api_grant(&person));
            (person, call)
        }
    };
    let first = call.send(world).await;
    assert!(first.status < 300, "{route:?}: {first:?}");
    let again = call.send(world).await;
    assert_eq!((again.status, &again.body), (first.status, &first.body), "{route:?}");
    (person, call, first)
}

async fn befall(world: &World, person: &Person, cause: Cause) {
    const OTHER: &str = "another-horse";
    let operator = async |command: &str| {
        let done = world.run_command(json!({ "command": command, "user_id": person.id })).await;
        assert_eq!(done["changed"], true, "{done}");
    };
    match cause {
        Cause::BlockByOperator => operator("block_user").await,
        Cause::BlockByAdministrator => {
            let ask = world.request("PATCH", &person.action_path("block")).bearer(world.admin());
            ask.send().await.ok(200);
        }
        Cause::WrongPasswords => world.block_by_passwords(person).await,
        Cause::WrongCodes => {
            // The code is that of a new login, or of a first phone.
            let phone = person.phone.as_deref().expect("a phone");
            let (token, code) = match world.sign_in(person, &person.password).await {
                got if got.json()["urgent"]["next_step"] == "REQUEST_OTP" => {
                    (token_in(&got), world.code_to(phone).await)
                }
                got => {
                    let approval = token_in(&world.init_factor(&token_in(&got), phone).await);
                    (approval, world.code_to(phone).await)
                }
            };
            for _ in 0..4 {
                let got = match person.phone.is_some() && !world.has_phone(person).await {
                    true => world.approve_factor(&token, &other_than(&code)).await,
                    false => world.submit_code(&token, &other_than(&code)).await,
                };
                got.ok(401);
            }
        }
        Cause::EndTokens => operator("end_tokens").await,
        Cause::Reset => {
            // Mails to one mailbox are rate limited.
            world.advance(240).await;
            let link = world.reset_link(&person.email, &person.email).await;
            world.reset_password(&link, OTHER).await.ok(200);
        }
        Cause::Change => {
            let token = world.create_token(json!({ "user_id": person.id, "scopes": ["api"] })).await;
            world.change_password(&token, &person.password, OTHER).await.ok(200);
        }
        Cause::Erasure => operator("erase_user").await,
    }
}

impl Cause {
    fn blocks(self) -> bool {
        match self {
            Self::BlockByOperator | Self::BlockByAdministrator | Self::WrongPasswords | Self::WrongCodes => true,
            Self::EndTokens | Self::Reset | Self::Change | Self::Erasure => false,
        }
    }

    /// Only an operator or administrator unblocks what one has blocked.
    fn ends_by_itself(self) -> bool {
        matches!(self, Self::WrongPasswords | Self::WrongCodes)
    }
}

/// Asserts the answer to a call without an idempotency record.
fn judged_anew(route: Route, cause: Cause, got: &Response) {
    match (route, cause) {
        (Route::ConfirmReset, _) => era_refused(got, 404, NO_REQUEST),
        (Route::ChangePassword, _) => era_refused(got, 401, ERA_UNAUTHORIZED),
        (_, cause) if cause.blocks() => user_blocked(got),
        (Route::Login | Route::LoginWithCode, Cause::EndTokens) => drop(token_in(got)),
        (Route::Login | Route::LoginWithCode, _) => wrong_identity(got),
        (_, Cause::Erasure) => token_invalid(got),
        (_, _) => token_expired(got),
    }
}

#[tokio::test]
async fn stored_responses_are_revoked_with_their_owners_tokens() {
    let world = World::with(&[("BlockSeconds", "60")]).await;
    let mut n = 0;
    for route in ROUTES {
        for cause in CAUSES {
            if (route, cause) == (Route::Login, Cause::WrongCodes) {
                // No code is sent, so none can be wrong.
                continue;
            }
            n += 1;
            let what = format!("{route:?}, {cause:?}");
            let (person, call, first) = answered(&world, route, n).await;
            befall(&world, &person, cause).await;
            let before = world.messages().await.len();
            let again = call.send(&world).await;
            assert_ne!(again.body, first.body, "{what}");
            judged_anew(route, cause, &again);
            let sends = (route, cause) == (Route::LoginWithCode, Cause::EndTokens);
            assert_eq!(world.messages().await.len(), before + usize::from(sends), "{what}");
            if cause == Cause::Erasure {
                let rows = Value::from(world.rows("RepetitionsTable").await).to_string();
                for name in [&person.id, &person.email, &format!("someone{n}")] {
                    assert!(!rows.contains(name), "{what}: {name} is left in {rows}");
                }
            }
            if cause.blocks() {
                world.advance(60).await;
                if !cause.ends_by_itself() {
                    judged_anew(route, cause, &call.send(&world).await);
                    let ask = world.request("PATCH", &person.action_path("unblock")).bearer(world.admin());
                    ask.send().await.ok(200);
                }
                let again = call.send(&world).await;
                assert_ne!(again.body, first.body, "{what}, and the block has expired");
                judged_anew(route, Cause::EndTokens, &again);
            }
            world.advance(DAY).await;
        }
    }
}

#[tokio::test]
async fn a_clients_stored_response_is_revoked_with_its_tokens_and_its_secret() {
    let world = World::new().await;
    let body = json!({
        "grant_type": "client_credentials", "client_id": "heatclinic", "scope": "passcode",
        "client_secret": world.id("/client/client_secret"),
    });
    let call = Call::grant(body);
    let first = call.send(&world).await;
    token_in(&first);
    assert_eq!(call.send(&world).await.body, first.body);
    world.run_command(json!({ "command": "end_tokens", "client_id": "heatclinic" })).await;
    let second = call.send(&world).await;
    assert_ne!(token_in(&second), token_in(&first));
    assert_eq!(call.send(&world).await.body, second.body, "that one is stored");
    world.run_command(json!({ "command": "set_client_secret", "client_id": "heatclinic" })).await;
    let got = call.send(&world).await;
    refused(&got, 401, "access_denied", WRONG_CLIENT_SECRET);
}

#[tokio::test]
async fn stored_responses_of_public_routes_do_not_reveal_whether_an_account_exists() {
    let world = World::new().await;
    let maria = world.create_person("maria").await;
    let (known, unknown) = ("maria@example.org", "nobody@example.org");
    let ask = async |email: &str| {
        let body = json!({ "key": email, "domain": DOMAIN });
        let ask = world.post(RESET).with_new_address().json(&body);
        ask.header("idempotency-key", IDEMPOTENCY_KEY).send().await
    };
    let register = async |login: &str, email: &str| {
        let ask = world.register(login, email).with_new_address();
        ask.header("idempotency-key", IDEMPOTENCY_KEY).send().await
    };
    for email in [known, unknown] {
        ask(email).await.is(200, CHECK_MAIL);
        register(&format!("as-{}", &email[..4]), email).await.is(200, CHECK_MAIL);
    }
    let said = |row: &Value| (row["answer_status"].clone(), row["answer_body"].clone());
    let rows = world.rows("RepetitionsTable").await;
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().all(|row| said(row) == said(&rows[0])), "{rows:?}");
    let names = |row: &Value| row.as_object().expect("a row").keys().cloned().collect::<Vec<_>>();
    assert!(rows.iter().all(|row| names(row) == names(&rows[0])), "{rows:?}");

    // In any state of the user, a retry gives the same answer for both, costs the same and sends no mail.
    for command in ["block_user", "end_tokens", "erase_user"] {
        world.run_command(json!({ "command": command, "user_id": maria.id })).await;
        let before = world.messages().await.len();
        let mut calls = Vec::new();
        for email in [known, unknown] {
            world.invocations().await;
            ask(email).await.is(200, CHECK_MAIL);
            register(&format!("as-{}", &email[..4]), email).await.is(200, CHECK_MAIL);
            let mut invocations = world.invocations().await;
            invocations.retain(|invocation| !invocation["route"].is_null());
            calls.push(invocations.iter().map(|done| done["calls"].clone()).collect::<Vec<_>>());
        }
        assert_eq!(calls[0], calls[1], "{command}");
        assert_eq!(world.messages().await.len(), before, "{command}");
    }
}

#[tokio::test]
async fn a_revoked_response_has_one_successor() {
    let world = World::new().await;
    let person = world.create_person("maria").await;
    let call = Call::grant(api_grant(&person));
    let first = call.send(&world).await;
    world.run_command(json!({ "command": "end_tokens", "user_id": person.id })).await;
    let answers = futures_util::future::join_all((0..16).map(|_| call.send(&world))).await;
    let (done, waiting): (Vec<_>, Vec<_>) = answers.iter().partition(|got| got.status == 201);
    let second = token_in(done.first().expect("one of them"));
    assert_ne!(second, token_in(&first));
    assert!(done.iter().all(|got| token_in(got) == second), "{done:?}");
    for got in waiting {
        refused(got, 409, "request_conflict", REQUEST_IN_PROGRESS);
    }
    assert_eq!(token_in(&call.send(&world).await), second);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_request_does_not_replace_the_successor_of_a_revoked_response() {
    let world = World::new().await;
    let person = world.create_person("maria").await;
    let call = Call::grant(api_grant(&person));
    call.send(&world).await.ok(201);
    world.run_command(json!({ "command": "end_tokens", "user_id": person.id })).await;
    // The revoked answer is found, and reading its owner's row takes more than a second.
    let hang = json!({ "service": "dynamodb", "operation": "BatchGetItem", "kind": "hang", "skip": 0, "times": 1 });
    world.inject(hang).await;
    let successor = async {
        eventually(async || world.get("/_local/faults").send_local().await == json!([])).await;
        call.send(&world).await
    };
    let (late, successor) = tokio::join!(call.send(&world), successor);
    refused(&late, 409, "request_conflict", REQUEST_IN_PROGRESS);
    assert_eq!(call.send(&world).await.body, successor.body);
    assert!(world.token_works(&token_in(&successor)).await, "no other login took its place");
}

#[tokio::test]
async fn a_lost_response_does_not_block_the_successor() {
    let world = World::new().await;
    let person = world.create_person("maria").await;
    let call = Call::grant(api_grant(&person));
    let mut earlier = call.send(&world).await;
    for (times, status) in [(1, 201), (3, 503)] {
        world.run_command(json!({ "command": "end_tokens", "user_id": person.id })).await;
        // The first write is refused because a record exists, the second one replaces it.
        let lost = json!({
            "service": "dynamodb", "operation": "PutItem", "kind": "drop_response", "skip": 1, "times": times,
        });
        world.inject(lost).await;
        let got = call.send(&world).await;
        assert_eq!(got.status, status, "{got:?}");
        world.clear_faults().await;
        let again = call.send(&world).await;
        assert_ne!(token_in(&again), token_in(&earlier));
        assert!(status != 201 || again.body == got.body, "{again:?}");
        earlier = again;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_is_not_stored_if_its_user_is_erased_meanwhile() {
    let world = World::new().await;
    let person = world.create_person("maria").await;
    let token = world.create_token(json!({ "user_id": person.id, "scopes": ["api"] })).await;
    let call = Call::change(token, &person);
    // The user is read, and setting the password takes more than a second: meanwhile the user is erased.
    let hang = json!({ "service": "dynamodb", "operation": "TransactWriteItems", "kind": "hang", "times": 1 });
    world.inject(hang).await;
    let erased = async {
        eventually(async || world.get("/_local/faults").send_local().await == json!([])).await;
        let done = world.run_command(json!({ "command": "erase_user", "user_id": person.id })).await;
        assert_eq!(done["complete"], true, "{done}");
    };
    let (changed, ()) = tokio::join!(call.send(&world), erased);
    assert_eq!(changed.status, 412, "the user is not as it was read: {changed:?}");
    assert!(world.rows("RepetitionsTable").await.is_empty());
    era_refused(&call.send(&world).await, 401, ERA_UNAUTHORIZED);
}
