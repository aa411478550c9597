//! Authenticator apps as second factors (docs/contract.md, Second factors and tokens; docs/security.md R11 to R15, R42).

use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    factors::person_awaiting_phone,
    login::{api_grant, other_than, token_in},
    mithril::{
        APPROVE, INIT, fields_refused, refused, token_expired, token_invalid_type, user_blocked, wrong_code,
        wrong_identity,
    },
    people::{NEW_PHONE, PHONE, Person},
    requests::Response,
    totp::App,
    words::{BLANK, INVALID_FORMAT, UNEXPECTED_FIELD},
    world::World,
};

/// Asserts the whole answer that shows a secret; returns the token and the app that scans its URI.
fn secret_shown(world: &World, got: &Response, person: &Person) -> (String, App) {
    let body = got.ok(201);
    let (token, totp) = (&body["data"], &body["urgent"]["totp"]);
    let secret = totp["secret"].as_str().expect("a secret");
    assert!(
        secret.len() == 32 && secret.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7')),
        "{secret}"
    );
    let (domain, email) = (world.id("/domain"), person.email.replace('@', "%40"));
    let uri =
        format!("otpauth://totp/{domain}:{email}?secret={secret}&issuer={domain}&algorithm=SHA1&digits=6&period=30");
    let expected = json!({
        "meta": body["meta"],
        "data": {
            "id": token["id"], "name": "2fa_access_token", "value": token["value"], "expires_at": token["expires_at"],
            "user_id": person.id,
            "details": { "grant_type": "init_factor", "client_id": "heatclinic", "scope": "" },
        },
        "urgent": { "next_step": "APPROVE_FACTOR", "totp": { "secret": secret, "uri": uri } },
    });
    assert_eq!(body, expected);
    (token_in(got), App::of_uri(&uri))
}

/// The factors of a user, as an administrator sees them: type, value, and whether active.
async fn factors(world: &World, person: &Person) -> Vec<(String, Value, bool)> {
    let got = world.get(&person.factors_path()).bearer(world.admin()).send().await.ok(200);
    let factors = got["data"].as_array().expect("a list").iter();
    let shown = |factor: &Value| {
        let text = factor["type"].as_str().expect("a type").to_owned();
        (text, factor["factor"].clone(), factor["is_active"] == true)
    };
    factors.map(shown).collect()
}

/// The id of a user's factor of that type.
async fn id_of(world: &World, person: &Person, factor_type: &str) -> String {
    let path = format!("{}?type={factor_type}", person.factors_path());
    let got = world.get(&path).bearer(world.admin()).send().await.ok(200);
    got["data"][0]["id"].as_str().expect("an id").to_owned()
}

async fn switch(world: &World, person: &Person, factor_type: &str, action: &str) -> Response {
    let id = id_of(world, person, factor_type).await;
    let path = format!("{}/{id}/actions/{action}", person.factors_path());
    world.request("PATCH", &path).bearer(world.admin()).send().await
}

#[tokio::test]
async fn a_signed_in_user_without_a_factor_sets_up_an_app() {
    let world = World::new().await;
    let (maria, access) = world.create_signed_in("maria").await;
    let got = world.init_app(&access, Some(&maria.password)).await;
    let (approval, app) = secret_shown(&world, &got, &maria);
    assert_eq!(factors(&world, &maria).await, [], "nothing changes before the code comes back");
    assert!(world.messages().await.is_empty());
    let code = world.app_code(&app).await;
    wrong_code(&world.approve_factor(&approval, &other_than(&code)).await);
    let got = world.approve_factor(&approval, &code).await;
    let body = got.ok(201);
    let codes = world.recovery_codes(&got);
    assert_eq!(body["urgent"], json!({ "next_step": "REQUEST_APPS", "recovery_codes": codes }));
    assert_eq!((&body["data"]["name"], codes.len()), (&json!("access_token"), 10));
    assert_eq!(body["data"]["details"]["scope"], "app:authorize");
    let expected = [("TOTP", json!("******")), ("RECOVERY_CODES", json!("10"))];
    assert_eq!(factors(&world, &maria).await, expected.map(|(kind, shown)| (kind.to_owned(), shown, true)));
    // The owner is notified, without a link (R41).
    let mails = world.mails_to(&maria.email).await;
    assert_eq!(mails.len(), 1);
    assert!(mails[0]["subject"].as_str().expect("a subject").contains("authenticator app"), "{}", mails[0]);
    assert!(!mails[0].to_string().contains("://"));
    // The approval is used up, and so are its code and the session before it.
    token_expired(&world.approve_factor(&approval, &code).await);
    token_expired(&world.init_app(&access, Some(&maria.password)).await);
    let login = world.begin_app_login(&maria).await;
    wrong_code(&world.submit_code(&login, &code).await);
    world.advance(30).await;
    world.submit_code(&login, &world.app_code(&app).await).await.ok(201);
}

#[tokio::test]
async fn a_login_with_an_app_sends_no_message_and_names_its_factors() {
    let world = World::new().await;
    let demo = world.demo();
    let (login, code) = world.begin_login(&demo).await;
    let access = token_in(&world.submit_code(&login, &code).await);
    let user = world.enrol(&demo, &access).await;
    world.advance(60).await;
    let before = world.messages().await.len();
    let got = world.sign_in(&demo, &demo.password).await.ok(201);
    assert_eq!(got["urgent"], json!({ "next_step": "REQUEST_OTP", "factors": ["TOTP", "SMS"] }));
    assert_eq!((&got["data"]["name"], &got["data"]["details"]["scope"]), (&json!("2fa_access_token"), &json!("")));
    assert_eq!(world.messages().await.len(), before);
    // The app's code completes it.
    let login = got["data"]["value"].as_str().expect("a token");
    let got = world.submit_code(login, &world.app_code(&user.app).await).await.ok(201);
    assert_eq!(
        (&got["data"]["name"], &got["urgent"]),
        (&json!("access_token"), &json!({ "next_step": "REQUEST_APPS" }))
    );

    // A text message comes on request, and its code completes the login as well.
    let login = world.begin_app_login(&demo).await;
    let got = world.refresh_login(&login).await;
    assert_eq!(got.ok(201)["urgent"], json!({ "next_step": "REQUEST_OTP", "factors": ["TOTP", "SMS"] }));
    let (login, code) = (token_in(&got), world.code_to(PHONE).await);
    world.submit_code(&login, &code).await.ok(201);
    world.advance(61).await;
    let login = world.begin_app_login(&demo).await;
    world.resend_code(&demo, &login).await.ok(200);
    let code = world.code_to(PHONE).await;
    wrong_code(&world.submit_code(&login, &other_than(&code)).await);
    world.submit_code(&login, &code).await.ok(201);
    // The code of another login does not.
    world.advance(61).await;
    let login = world.begin_app_login(&demo).await;
    world.resend_code(&demo, &login).await.ok(200);
    let code = world.code_to(PHONE).await;
    let other = world.begin_app_login(&demo).await;
    wrong_code(&world.submit_code(&other, &code).await);
    // Without a phone there is none to send.
    let anna = world.create_app_user("anna").await.person;
    let login = world.begin_app_login(&anna).await;
    refused(
        &world.refresh_login(&login).await,
        409,
        "request_conflict",
        "Not found authentication factor for user.",
    );
    refused(&world.resend_code(&anna, &login).await, 409, "request_conflict", "Not found 2FA data for user");
}

#[tokio::test]
async fn a_code_is_accepted_for_one_step_of_skew_and_each_step_once() {
    let world = World::new().await;
    let user = world.create_app_user("maria").await;
    let now = world.now().await;
    // To the start of a step, so that the test knows where it is.
    world.advance(30 - now % 30).await;
    let now = world.now().await / 30 * 30 + 1;
    let submit = async |at: u64| {
        let login = world.begin_app_login(&user.person).await;
        world.submit_code(&login, &user.app.code(at)).await
    };
    wrong_code(&submit(now - 60).await);
    wrong_code(&submit(now + 60).await);
    submit(now - 30).await.ok(201);
    wrong_code(&submit(now - 30).await);
    submit(now + 30).await.ok(201);
    for used in [now + 30, now] {
        wrong_code(&submit(used).await);
    }
    // Once they are no longer acceptable, later ones are.
    world.advance(60).await;
    submit(now + 60).await.ok(201);
}

#[tokio::test]
async fn of_64_parallel_submissions_of_one_code_one_gets_a_token() {
    let world = World::new().await;
    let user = world.create_app_user("maria").await;
    // One login, and a login for each.
    for logins in [1, 8] {
        world.advance(60).await;
        let code = world.app_code(&user.app).await;
        let mut tokens = Vec::new();
        for client in 0..logins {
            let id = format!("client{logins}x{client}");
            world.create_client(&id, json!(["api", "app:authorize"])).await;
            let mut body = api_grant(&user.person);
            body["client_id"] = id.into();
            tokens.push(token_in(&world.request_token(body).await));
        }
        let before = world.count_access_tokens(&user.person).await;
        let submissions = (0..64).map(|at| world.submit_code(&tokens[at % logins], &code));
        let answers = join_all(submissions).await;
        let accepted = answers.iter().filter(|got| got.status == 201).count();
        assert_eq!((accepted, world.count_access_tokens(&user.person).await - before), (1, 1));
        for got in answers.iter().filter(|got| got.status != 201) {
            assert!([401, 429].contains(&got.status), "{got:?}");
        }
        // The owner was blocked by the others' failures, or the guesses are exhausted: forget both.
        world.run_command(json!({ "command": "unblock_user", "user_id": user.person.id })).await;
        world.advance(31 * 86_400).await;
    }
}

#[tokio::test]
async fn guesses_at_the_app_and_at_text_messages_share_one_budget() {
    let world = World::with(&[("UserOtpErrorMax", "50")]).await;
    let demo = world.demo();
    let (login, code) = world.begin_login(&demo).await;
    let user = world.enrol(&demo, &token_in(&world.submit_code(&login, &code).await)).await;
    world.advance(60).await;
    let mut compared = 0;
    loop {
        let login = world.begin_app_login(&demo).await;
        let guess = other_than(&other_than(&world.app_code(&user.app).await));
        let got = match compared % 2 {
            0 => world.submit_code(&login, &guess).await,
            _ => world.submit_code(&login, "0000-0000-0000-0000").await,
        };
        if got.status == 429 {
            assert!(got.retry_after() > 0);
            break;
        }
        wrong_code(&got);
        compared += 1;
    }
    // Two right codes were counted, too: of the first login, and of the approval.
    assert_eq!(compared + 2, 10, "OtpGuessesPerDay");
    // Whatever is right is not compared either.
    let login = world.begin_app_login(&demo).await;
    assert_eq!(world.submit_code(&login, &world.app_code(&user.app).await).await.status, 429);
    assert_eq!(world.submit_code(&login, &user.recovery[0]).await.status, 429);
    world.advance(86_400).await;
    let login = world.begin_app_login(&demo).await;
    world.submit_code(&login, &world.app_code(&user.app).await).await.ok(201);
}

#[tokio::test]
async fn wrong_codes_block_a_user_and_the_owner_is_notified() {
    let world = World::new().await;
    let user = world.create_app_user("maria").await;
    let mails = async || world.mails_to(&user.person.email).await.len();
    let before = mails().await;
    let login = world.begin_app_login(&user.person).await;
    let wrong = other_than(&other_than(&world.app_code(&user.app).await));
    for expected in [0, 0, 1, 2] {
        wrong_code(&world.submit_code(&login, &wrong).await);
        assert_eq!(mails().await - before, expected);
    }
    user_blocked(&world.submit_code(&login, &world.app_code(&user.app).await).await);
}

#[tokio::test]
async fn a_password_alone_does_not_set_a_factor_beside_another_one() {
    let world = World::new().await;
    // A fresh account whose login requires a factor: the first one may be an app.
    let (maria, login) = person_awaiting_phone(&world, "maria").await;
    let (approval, app) = secret_shown(&world, &world.init_app(&login, None).await, &maria);
    token_expired(&world.init_app(&login, None).await);
    let got = world.approve_factor(&approval, &world.app_code(&app).await).await;
    got.ok(201);
    world.recovery_codes(&got);
    // From now on, a password does not lead to another one: neither an app nor the empty phone.
    world.advance(60).await;
    let login = world.begin_app_login(&maria).await;
    token_invalid_type(&world.init_app(&login, Some(&maria.password)).await);
    token_invalid_type(&world.init_factor(&login, NEW_PHONE).await);
    let access = token_in(&world.submit_code(&login, &world.app_code(&app).await).await);
    // Nor beside a phone.
    let demo = world.demo();
    let (login, _) = world.begin_login(&demo).await;
    token_invalid_type(&world.init_app(&login, Some(&demo.password)).await);

    // Two that were started concurrently set one.
    let (anna, login) = person_awaiting_phone(&world, "anna").await;
    let other = token_in(&world.request_token(other_client(&world, &anna).await).await);
    let phone = token_in(&world.init_factor(&login, NEW_PHONE).await);
    let (approval, app) = secret_shown_to(&world, &world.init_app(&other, None).await);
    world.approve_factor(&phone, &world.code_to(NEW_PHONE).await).await.ok(201);
    token_expired(&world.approve_factor(&approval, &world.app_code(&app).await).await);

    // A signed-in user with an app gives the password to add a phone.
    let ask = |body: Value| world.request("PATCH", INIT).bearer(&access).json(&body).send();
    let phone = json!({ "type": "SMS", "factor": NEW_PHONE });
    let expected = [["$.password", "required", BLANK]];
    fields_refused(&ask(phone.clone()).await, &expected);
    let mut wrong = phone.clone();
    wrong["password"] = "not-it-at-all".into();
    wrong_identity(&ask(wrong).await);
    let mut right = phone;
    right["password"] = maria.password.clone().into();
    world.advance(61).await;
    let approval = token_in(&ask(right).await);
    world.approve_factor(&approval, &world.code_to(NEW_PHONE).await).await.ok(201);
    let got = world.sign_in(&maria, &maria.password).await.ok(201);
    assert_eq!(got["urgent"]["factors"], json!(["TOTP", "SMS"]));
}

async fn other_client(world: &World, person: &Person) -> Value {
    world.create_client("other", json!(["api", "app:authorize"])).await;
    let mut body = api_grant(person);
    body["client_id"] = "other".into();
    body
}

fn secret_shown_to(world: &World, got: &Response) -> (String, App) {
    let uri = got.ok(201)["urgent"]["totp"]["uri"].as_str().expect("a URI").to_owned();
    world.keep_out_of_logs(&uri);
    (token_in(got), App::of_uri(&uri))
}

#[tokio::test]
async fn the_password_is_required_again_and_its_guesses_are_limited() {
    let world = World::new().await;
    let (maria, access) = world.create_signed_in("maria").await;
    fields_refused(&world.init_app(&access, None).await, &[["$.password", "required", BLANK]]);
    let got = loop {
        let got = world.init_app(&access, Some("not-the-password")).await;
        if got.status == 429 {
            break got;
        }
        wrong_identity(&got);
    };
    assert!(got.retry_after() > 0);
    assert_eq!(world.init_app(&access, Some(&maria.password)).await.status, 429);
    world.advance(86_400).await;
    // An approval that a stranger of the session got without the password does not help.
    world.init_app(&access, Some(&maria.password)).await.ok(201);
    // A token without the scope may not.
    let token = world.create_token(json!({ "user_id": maria.id, "scopes": ["api"] })).await;
    let got = world.init_app(&token, Some(&maria.password)).await;
    let missing = "Missing allowances: app:authorize, authentication_factor:write";
    refused(&got, 403, "forbidden", &format!("Your scope does not allow to access this resource. {missing}"));
}

#[tokio::test]
async fn a_session_from_before_the_first_factor_sets_no_other() {
    let world = World::new().await;
    let (maria, access) = world.create_signed_in("maria").await;
    let stale = token_in(&world.request_token(other_client(&world, &maria).await).await);
    let stale_approval = token_in(&world.init_app(&stale, Some(&maria.password)).await);
    let user = world.enrol(&maria, &access).await;
    token_invalid_type(&world.init_app(&stale, Some(&maria.password)).await);
    token_invalid_type(&world.init_app(&stale_approval, Some(&maria.password)).await);
    // An approval that was begun before is as stale as its session.
    token_expired(&world.approve_factor(&stale_approval, "123456").await);
    world.advance(60).await;
    let login = world.begin_app_login(&maria).await;
    world.submit_code(&login, &world.app_code(&user.app).await).await.ok(201);
}

#[tokio::test]
async fn malformed_enrolments_are_refused() {
    let world = World::new().await;
    let (maria, access) = world.create_signed_in("maria").await;
    let ask = |body: Value| world.request("PATCH", INIT).bearer(&access).json(&body).send();
    let got = ask(json!({ "type": "TOTP", "factor": NEW_PHONE, "password": maria.password })).await;
    fields_refused(&got, &[["$.factor", "additionalProperties", UNEXPECTED_FIELD]]);
    let (approval, app) = secret_shown(&world, &world.init_app(&access, Some(&maria.password)).await, &maria);
    // What cannot be a code is not a guess.
    for otp in ["12345", "1234567", "7K2M-9QXC-04TV-H6ZD", "abcdef"] {
        let got = world.approve_factor(&approval, otp).await;
        fields_refused(&got, &[["$.otp", "format", INVALID_FORMAT]]);
    }
    world.advance(600).await;
    token_expired(&world.approve_factor(&approval, &world.app_code(&app).await).await);
    assert_eq!(world.failure_counts(&maria).await.1, "0");
    let got = world.request("PATCH", APPROVE).bearer(&access).json(&json!({ "otp": "123456" })).send().await;
    refused(&got, 401, "token_invalid_type", "Invalid token type. Init factor at first");
}

#[tokio::test]
async fn no_secret_of_an_app_and_no_recovery_code_is_at_rest() {
    let world = World::new().await;
    let (maria, access) = world.create_signed_in("maria").await;
    let got = world.init_app(&access, Some(&maria.password)).await;
    let secret = got.ok(201)["urgent"]["totp"]["secret"].as_str().expect("a secret").to_owned();
    let bytes = base32(&secret);
    let absent = async |codes: &[String]| {
        let all = world.state().await;
        let forms = [
            secret.clone(),
            STANDARD.encode(&secret),
            STANDARD.encode(&bytes),
            hex(&bytes),
        ];
        let codes = codes.iter().flat_map(|code| {
            let bare = code.replace('-', "");
            [code.clone(), STANDARD.encode(code), STANDARD.encode(&bare), bare]
        });
        for form in forms.into_iter().chain(codes) {
            let form = form.trim_end_matches('=');
            assert!(!all.contains(form), "{form} is stored");
        }
    };
    absent(&[]).await;
    let app = App::of_uri(got.json()["urgent"]["totp"]["uri"].as_str().expect("a URI"));
    let got = world.approve_factor(&token_in(&got), &world.app_code(&app).await).await;
    absent(&world.recovery_codes(&got)).await;
    let got = world.get(&maria.factors_path()).bearer(world.admin()).send().await;
    assert!(!got.body.contains(&secret));
}

fn base32(text: &str) -> Vec<u8> {
    let bits: String = text
        .bytes()
        .map(|symbol| {
            if symbol.is_ascii_digit() {
                symbol - b'2' + 26
            } else {
                symbol - b'A'
            }
        })
        .map(|value| format!("{value:05b}"))
        .collect();
    let byte = |at: usize| u8::from_str_radix(&bits[at..at + 8], 2).expect("bits");
    (0..bits.len() / 8).map(|index| byte(index * 8)).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn an_app_is_replaced_reset_and_disabled() {
    let world = World::new().await;
    let user = world.create_app_user("maria").await;
    let maria = &user.person;
    let log_in = async |app: &App| {
        world.advance(60).await;
        let login = world.begin_app_login(maria).await;
        world.submit_code(&login, &world.app_code(app).await).await
    };
    let id = id_of(&world, maria, "TOTP").await;
    let access = token_in(&log_in(&user.app).await);
    let again = world.enrol(maria, &access).await;
    assert_eq!(id_of(&world, maria, "TOTP").await, id, "it is the same factor");
    wrong_code(&log_in(&user.app).await);
    log_in(&again.app).await.ok(201);
    let login = world.begin_app_login(maria).await;
    wrong_code(&world.submit_code(&login, &user.recovery[0]).await);

    // Disabled, the password is enough, and the owner is told so.
    switch(&world, maria, "TOTP", "disable").await.ok(200);
    let mails = world.mails_to(&maria.email).await;
    let subject = |mails: &[Value]| mails.last().expect("a mail")["subject"].as_str().expect("a subject").to_owned();
    assert!(subject(&mails).contains("Two-factor authentication"), "{}", subject(&mails));
    let got = world.sign_in(maria, &maria.password).await.ok(201);
    assert_eq!(got["urgent"]["next_step"], "REQUEST_APPS");
    switch(&world, maria, "TOTP", "enable").await.ok(200);
    log_in(&again.app).await.ok(201);

    // Reset, the next login asks for a new one; recovery codes are no way around it.
    switch(&world, maria, "TOTP", "reset").await.ok(200);
    assert!(subject(&world.mails_to(&maria.email).await).contains("second factor"));
    let got = world.sign_in(maria, &maria.password).await;
    assert_eq!(got.ok(201)["urgent"], json!({ "next_step": "REQUEST_FACTOR" }));
    let login = token_in(&got);
    refused(&world.submit_code(&login, &again.recovery[0]).await, 409, "request_conflict", "Factor not set");
    let (approval, app) = secret_shown(&world, &world.init_app(&login, None).await, maria);
    let got = world.approve_factor(&approval, &world.app_code(&app).await).await;
    got.ok(201);
    world.recovery_codes(&got);
    log_in(&app).await.ok(201);
}
