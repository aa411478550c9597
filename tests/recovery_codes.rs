//! Recovery codes (docs/contract.md, Second factors and tokens; NIST SP 800-63B-4, 4.2.1.1).

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    login::{api_grant, token_in},
    mithril::{RECOVERY_CODES, fields_refused, refused, token_expired, wrong_code, wrong_identity},
    people::Person,
    requests::Response,
    totp::AppUser,
    words::{BLANK, INVALID_FORMAT},
    world::World,
};

/// Logs in with a recovery code.
async fn recover(world: &World, user: &AppUser, code: &str) -> Response {
    let login = world.begin_app_login(&user.person).await;
    world.submit_code(&login, code).await
}

/// Makes new recovery codes.
async fn replace(world: &World, token: &str, person: &Person) -> Response {
    let body = json!({ "password": person.password });
    world.request("PATCH", RECOVERY_CODES).bearer(token).json(&body).send().await
}

fn left(got: &Response) -> Value {
    got.ok(201)["urgent"].clone()
}

#[tokio::test]
async fn each_recovery_code_completes_one_login_and_the_owner_is_notified() {
    let world = World::new().await;
    let user = world.create_app_user("maria").await;
    let code = |at: usize| user.recovery[at].clone();
    // In any case, and without hyphens.
    let spellings = [
        code(0),
        code(1).to_lowercase(),
        code(2).replace('-', ""),
        code(3).replace('-', " "),
    ];
    for (used, given) in spellings.iter().enumerate() {
        let before = world.mails_to(&user.person.email).await.len();
        let got = recover(&world, &user, given).await;
        assert_eq!(left(&got), json!({ "next_step": "REQUEST_APPS", "recovery_codes_left": 9 - used }));
        assert_eq!(got.json()["data"]["name"], "access_token");
        let mails = world.mails_to(&user.person.email).await;
        assert_eq!(mails.len() - before, 1);
        let text = mails.last().expect("a mail")["text"].as_str().expect("a text").to_owned();
        assert!(text.contains(&format!("Recovery codes left: {}.", 9 - used)), "{text}");
        wrong_code(&recover(&world, &user, &code(used)).await);
    }
    // What has another form is no guess, and a code of another set is a wrong one.
    let other = world.create_app_user("anna").await;
    world.advance(86_400).await;
    let login = world.begin_app_login(&user.person).await;
    let counts = world.failure_counts(&user.person).await;
    for malformed in ["7K2M-9QXC-04TV-H6Z", "7K2M-9QXC-04TV-H6ZU", ""] {
        let expected = match malformed {
            "" => ["$.otp", "required", BLANK],
            _ => ["$.otp", "format", INVALID_FORMAT],
        };
        fields_refused(&world.submit_code(&login, malformed).await, &[expected]);
    }
    assert_eq!(world.failure_counts(&user.person).await, counts);
    wrong_code(&world.submit_code(&login, &other.recovery[0]).await);
    // The app still works, and so do the other codes.
    world.submit_code(&login, &world.app_code(&user.app).await).await.ok(201);
    recover(&world, &user, &code(9)).await.ok(201);
}

#[tokio::test]
async fn of_parallel_uses_of_one_recovery_code_one_gets_a_token_and_none_loses_another() {
    let world = World::with(&[("UserOtpErrorMax", "50")]).await;
    let user = world.create_app_user("maria").await;
    let mut logins = Vec::new();
    for client in 0..8 {
        let id = format!("client{client}");
        world.create_client(&id, json!(["api", "app:authorize"])).await;
        let mut body = api_grant(&user.person);
        body["client_id"] = id.into();
        logins.push(token_in(&world.request_token(body).await));
    }
    // The same code in each login, and two others at the same time.
    let uses = logins.iter().enumerate().map(|(at, login)| {
        let code = if at < 6 { 0 } else { at };
        world.submit_code(login, &user.recovery[code])
    });
    let answers = join_all(uses).await;
    let accepted: Vec<_> = answers.iter().enumerate().filter(|(_, got)| got.status == 201).collect();
    assert_eq!(accepted.len(), 3, "{answers:?}");
    assert!(accepted.iter().filter(|(at, _)| *at < 6).count() == 1, "{answers:?}");
    world.advance(86_400).await;
    let got = recover(&world, &user, &user.recovery[1]).await;
    assert_eq!(left(&got)["recovery_codes_left"], 6);
    for used in [0, 6, 7] {
        wrong_code(&recover(&world, &user, &user.recovery[used]).await);
    }
}

#[tokio::test]
async fn new_recovery_codes_replace_all_earlier_ones() {
    let world = World::new().await;
    let user = world.create_app_user("maria").await;
    let access = token_in(&recover(&world, &user, &user.recovery[0]).await);
    let ask = |body: Value| world.request("PATCH", RECOVERY_CODES).bearer(&access).json(&body).send();
    fields_refused(&ask(json!({})).await, &[["$.password", "required", BLANK]]);
    wrong_identity(&ask(json!({ "password": "not-the-password" })).await);
    let got = replace(&world, &access, &user.person).await;
    let (body, codes) = (got.ok(200), world.recovery_codes(&got));
    assert_eq!(body["urgent"], json!({ "recovery_codes": codes }));
    assert_eq!((&body["data"]["id"], codes.len()), (&json!(user.person.id), 10));
    assert!(codes.iter().all(|code| !user.recovery.contains(code)));
    let mails = world.mails_to(&user.person.email).await;
    assert!(mails.last().expect("a mail")["subject"].as_str().expect("a subject").contains("recovery codes"));
    wrong_code(&recover(&world, &user, &user.recovery[1]).await);
    let got = recover(&world, &user, &codes[0]).await;
    assert_eq!(left(&got)["recovery_codes_left"], 9);
    // That login ended the session before it.
    token_expired(&replace(&world, &access, &user.person).await);

    // With the key of the request, a lost answer can be had again; without it, the codes are others.
    let access = token_in(&got);
    let keyed = || {
        let ask = world.request("PATCH", RECOVERY_CODES).bearer(&access).header("idempotency-key", "once");
        ask.json(&json!({ "password": user.person.password })).send()
    };
    let (first, second) = (keyed().await, keyed().await);
    assert_eq!(world.recovery_codes(&first), world.recovery_codes(&second));
    let third = replace(&world, &access, &user.person).await;
    assert_ne!(world.recovery_codes(&first), world.recovery_codes(&third));
}

#[tokio::test]
async fn recovery_codes_belong_to_a_second_factor() {
    let world = World::new().await;
    let (maria, access) = world.create_signed_in("maria").await;
    let got = replace(&world, &access, &maria).await;
    refused(&got, 409, "request_conflict", "Not found 2FA data for user");
    // A phone is one.
    let demo = world.demo();
    let (login, code) = world.begin_login(&demo).await;
    // Without recovery codes, a text that looks like one is no code.
    let got = world.submit_code(&login, "7K2M-9QXC-04TV-H6ZD").await;
    fields_refused(&got, &[["$.otp", "format", INVALID_FORMAT]]);
    let access = token_in(&world.submit_code(&login, &code).await);
    let codes = world.recovery_codes(&replace(&world, &access, &demo).await);
    let (login, _) = world.begin_login(&demo).await;
    let got = world.submit_code(&login, &codes[0]).await;
    assert_eq!(left(&got)["recovery_codes_left"], 9);
    // A token that an operator issued is no exception, and one of a client has no user.
    let token = world.create_token(json!({ "user_id": demo.id, "scopes": ["api"] })).await;
    assert_eq!(replace(&world, &token, &demo).await.status, 403);
}

#[tokio::test]
async fn the_operator_resets_the_factors_of_a_user_who_has_lost_them() {
    let world = World::new().await;
    let demo = world.demo();
    let (login, code) = world.begin_login(&demo).await;
    let user = world.enrol(&demo, &token_in(&world.submit_code(&login, &code).await)).await;
    let command = json!({ "command": "reset_factors", "user_id": demo.id });
    let mut tried = command.clone();
    tried["dry_run"] = true.into();
    let reset = json!(["SMS", "TOTP", "RECOVERY_CODES"]);
    assert_eq!(world.run_command(tried).await["reset"], reset);
    world.advance(60).await;
    let login = world.begin_app_login(&demo).await;
    assert_eq!(world.run_command(command.clone()).await, json!({ "changed": true, "reset": reset }));
    let mails = world.mails_to(&demo.email).await;
    assert!(mails.last().expect("a mail")["subject"].as_str().expect("a subject").contains("second factor"));
    // A login that was under way cannot be completed, and the next one asks for a factor.
    for code in [&user.recovery[0], &world.app_code(&user.app).await] {
        refused(&world.submit_code(&login, code).await, 409, "request_conflict", "Factor not set");
    }
    let got = world.sign_in(&demo, &demo.password).await.ok(201);
    assert_eq!(got["urgent"], json!({ "next_step": "REQUEST_FACTOR" }));
    assert_eq!(world.run_command(command).await, json!({ "changed": false, "reset": [] }));
}
