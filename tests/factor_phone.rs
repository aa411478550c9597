//! Phones that users set themselves (docs/contract.md, Second factors and tokens, init_factor and approve_factor;
//! docs/security.md R15, R38, R41, R42).

use serde_json::{Value, json};

use crate::support::{
    factors::person_awaiting_phone,
    login::{other_than, token_in},
    mithril::{
        APPROVE, INIT, fields_refused, not_found, refused, token_expired, token_invalid_type, too_many_sends,
        user_blocked, wrong_code,
    },
    people::{NEW_PHONE, OTHER_PHONE, PHONE, Person},
    requests::Response,
    words::{
        BLANK, CODE_EXPIRED, IMPOSSIBLE_PHONE, INVALID, INVALID_FORMAT, NO_AUTHORIZATION, TOKEN_EXPIRED,
        UNEXPECTED_FIELD,
    },
    world::World,
};

#[track_caller]
fn not_initiated(got: &Response) {
    refused(got, 401, "token_invalid_type", "Invalid token type. Init factor at first");
}

#[track_caller]
fn expired(got: &Response) {
    refused(got, 401, "otp_expired", CODE_EXPIRED);
}

/// Asserts a whole token response.
fn token_answer(got: &Response, person: &Person, name: &str, grant_type: &str, scope: &str, next_step: &str) -> u64 {
    let body = got.ok(201);
    let token = &body["data"];
    let expected = json!({
        "meta": body["meta"],
        "data": {
            "id": token["id"], "name": name, "value": token["value"], "expires_at": token["expires_at"],
            "user_id": person.id,
            "details": { "grant_type": grant_type, "client_id": "heatclinic", "scope": scope },
        },
        "urgent": { "next_step": next_step },
    });
    assert_eq!(body, expected);
    assert_eq!((&body["meta"]["code"], &body["meta"]["type"]), (&json!(201), &json!("object")));
    token["expires_at"].as_u64().expect("epoch seconds")
}

#[tokio::test]
async fn the_first_phone_is_set_with_the_password() {
    let world = World::new().await;
    let (maria, login) = person_awaiting_phone(&world, "maria").await;
    world.advance(100).await;
    let got = world.init_factor(&login, NEW_PHONE).await;
    let ends = token_answer(&got, &maria, "2fa_access_token", "init_factor", "", "APPROVE_FACTOR");
    let left = ends - world.now().await;
    assert!((495..=500).contains(&left), "no longer than the login: {left}");
    let approval = token_in(&got);
    assert_eq!(world.factor_of(&maria).await["factor"], Value::Null, "nothing changes before the code comes back");
    let sent = world.messages().await;
    assert_eq!((sent.len(), &sent[0]["to"]), (1, &json!(NEW_PHONE)));
    let code = world.code_to(NEW_PHONE).await;
    let got = world.approve_factor(&approval, &code).await;
    let ends = token_answer(&got, &maria, "access_token", "approve_factor", "app:authorize", "REQUEST_APPS");
    let left = ends - world.now().await;
    assert!((30 * 86_400 - 30..=30 * 86_400).contains(&left), "{left}");
    let factor = world.factor_of(&maria).await;
    assert_eq!((&factor["factor"], &factor["is_active"]), (&json!("+38088*****99"), &json!(true)));

    // The tokens that led to it are revoked, and the code is single-use.
    for token in [&login, &approval] {
        token_expired(&world.init_factor(token, OTHER_PHONE).await);
    }
    token_expired(&world.approve_factor(&approval, &code).await);
    token_expired(&world.submit_code(&login, &code).await);
    token_expired(&world.refresh_login(&login).await);
    token_expired(&world.resend_code(&maria, &login).await);
    // The owner is notified by mail, out of reach of a thief of the phone, without a link (R41).
    let mails = world.mails_to(&maria.email).await;
    assert_eq!(mails.len(), 1);
    let mail = mails[0].to_string();
    assert!(mail.contains("+38088*****99") && !mail.contains("://") && !mail.contains(NEW_PHONE), "{mail}");
    // The next login sends its code there.
    let maria = Person {
        phone: Some(NEW_PHONE.into()),
        ..maria
    };
    let (login, code) = world.begin_login(&maria).await;
    world.submit_code(&login, &code).await.ok(201);
}

#[tokio::test]
async fn a_signed_in_user_changes_the_phone() {
    let world = World::new().await;
    let demo = world.demo();
    let (login, code) = world.begin_login(&demo).await;
    // A half-finished login is not enough to change the second factor.
    token_invalid_type(&world.init_factor(&login, NEW_PHONE).await);
    let got = world.submit_code(&login, &code).await;
    let (access, ends) = (token_in(&got), got.ok(201)["data"]["expires_at"].clone());
    world.advance(10).await;
    let approval = token_in(&world.init_factor(&access, NEW_PHONE).await);
    assert_eq!(world.factor_of(&demo).await["factor"], "+38088*****30");
    let code = world.code_to(NEW_PHONE).await;
    let got = world.approve_factor(&approval, &code).await;
    let changed = token_in(&got);
    // A change does not extend the expiry of the token that authorized it.
    assert_eq!(got.ok(201)["data"]["expires_at"], ends);
    assert_eq!(world.factor_of(&demo).await["factor"], "+38088*****99");
    // The earlier login's token is revoked; one created by an operator is not.
    token_expired(&world.init_factor(&access, OTHER_PHONE).await);
    assert!(world.token_works(world.user()).await);
    assert_eq!(world.init_factor(&changed, OTHER_PHONE).await.status, 201);
    world.advance(61).await;
    let before = world.sms_to(PHONE).await.len();
    world.sign_in(&demo, &demo.password).await.ok(201);
    assert_eq!(world.sms_to(PHONE).await.len(), before);
    assert_eq!(world.sms_to(NEW_PHONE).await.len(), 2);
    // The domain's own administrator has no factor: 404.
    not_found(&world.init_factor(world.admin(), OTHER_PHONE).await);
    // If the factor has no phone, an access token is of the wrong type: the next login sets it.
    let (maria, _) = person_awaiting_phone(&world, "maria").await;
    let token = world.create_app_token(&maria).await;
    token_invalid_type(&world.init_factor(&token, OTHER_PHONE).await);
}

#[tokio::test]
async fn an_access_token_needs_a_scope_to_change_a_phone() {
    let world = World::new().await;
    let (demo, admin) = (world.demo(), world.demo_admin());
    let (maria, _) = person_awaiting_phone(&world, "maria").await;
    let before = world.factor_of(&demo).await;
    for name in world.scopes().await {
        let name = name.as_str();
        let token = async |person: &Person| world.create_token(json!({ "user_id": person.id, "scopes": [name] })).await;
        let got = world.init_factor(&token(&demo).await, NEW_PHONE).await;
        if matches!(name, "app:authorize" | "authentication_factor:write") {
            let approval = token_in(&got);
            world.approve_factor(&approval, &world.code_to(NEW_PHONE).await).await.ok(201);
            world.run_command(json!({ "command": "end_tokens", "user_id": demo.id })).await;
            world.advance(61).await;
            continue;
        }
        // Neither the number's format nor the factor's state is revealed.
        let body = json!({ "factor": "x" });
        let malformed = world.request("PATCH", INIT).bearer(&token(&demo).await).json(&body);
        for got in [
            got,
            malformed.send().await,
            world.init_factor(&token(&maria).await, NEW_PHONE).await,
            world.init_factor(&token(&admin).await, NEW_PHONE).await,
        ] {
            let words = "Your scope does not allow to access this resource. Missing allowances: app:authorize, \
                         authentication_factor:write";
            refused(&got, 403, "forbidden", words);
            let challenge = r#"Bearer error="insufficient_scope", scope="app:authorize authentication_factor:write""#;
            assert_eq!(got.header("www-authenticate"), Some(challenge), "{name}");
        }
    }
    assert_eq!(world.sms_to(NEW_PHONE).await.len(), 2);
    assert_eq!(world.factor_of(&maria).await["factor"], Value::Null);
    assert_ne!(world.factor_of(&demo).await, before);
}

#[tokio::test]
async fn an_invalid_phone_or_an_unlisted_country_is_refused() {
    let world = World::new().await;
    let (_, login) = person_awaiting_phone(&world, "maria").await;
    let before = world.rows("OtpsTable").await;
    let format = ["$.factor", "format", INVALID_FORMAT];
    let (blank, cast) = (["$.factor", "required", BLANK], ["$.factor", "cast", INVALID]);
    let country = ["$.factor", "inclusion", INVALID];
    let impossible = ["$.factor", "format", IMPOSSIBLE_PHONE];
    let no_type = ["$.type", "required", BLANK];
    let ask = |body: &Value| world.request("PATCH", INIT).bearer(&login).json(body).send();
    for (factor, expected) in [
        (json!("380881234599"), format),
        (json!("0881234599"), format),
        (json!("+380 88 1234599"), format),
        (json!("+3808812345990000"), format),
        (json!("+0380881234599"), format),
        (json!("+380881234599\n"), format),
        (json!("+٣٨٠٨٨١٢٣٤٥٩٩"), format),
        (json!("tel:+380881234599"), format),
        (json!("+38088123459"), impossible),
        (json!("+3808812345990"), impossible),
        (json!("+3800881234599"), impossible),
        (json!("+380088123459"), impossible),
        (json!("+3361234567"), impossible),
        (json!("+999881234599"), impossible),
        (json!("+883510000000"), country),
        (json!("+979123456789"), country),
        (json!("+33612345678"), country),
        (json!(""), blank),
        (Value::Null, blank),
        (json!(380_881_234_599_u64), cast),
        (json!({}), cast),
    ] {
        fields_refused(&ask(&json!({ "type": "SMS", "factor": factor })).await, &[expected]);
    }
    fields_refused(&ask(&json!({ "factor": "x" })).await, &[no_type, format]);
    let otp = ["$.otp", "additionalProperties", UNEXPECTED_FIELD];
    fields_refused(&ask(&json!({ "type": "SMS", "factor": NEW_PHONE, "otp": "1" })).await, &[otp]);
    assert_eq!(world.rows("OtpsTable").await, before);
    assert_eq!(world.messages().await, [] as [Value; 0]);
    // No attempt was counted: the send limit is unchanged. Each answer has the token for the next attempt.
    let mut token = login;
    for phone in [NEW_PHONE, NEW_PHONE, OTHER_PHONE] {
        token = token_in(&world.init_factor(&token, phone).await);
        world.advance(1).await;
    }
    too_many_sends(&world.init_factor(&token, OTHER_PHONE).await, 60);
}

#[tokio::test]
async fn a_code_is_valid_for_its_own_token_phone_and_purpose_only() {
    let world = World::new().await;
    let (demo, (maria, first)) = (world.demo(), person_awaiting_phone(&world, "maria").await);
    // A typo is corrected by another initiation with the answer's token: the code to the wrong number is revoked (R14).
    let typo = token_in(&world.init_factor(&first, OTHER_PHONE).await);
    let wrong = world.code_to(OTHER_PHONE).await;
    let approval = token_in(&world.init_factor(&typo, NEW_PHONE).await);
    let right = world.code_to(NEW_PHONE).await;
    for code in [&wrong, &right] {
        token_expired(&world.approve_factor(&typo, code).await);
    }
    wrong_code(&world.approve_factor(&approval, &wrong).await);
    // Without an initiation there is no approval; the code of an initiation does not complete a login.
    not_initiated(&world.approve_factor(&first, &right).await);
    token_invalid_type(&world.submit_code(&approval, &right).await);
    token_invalid_type(&world.refresh_login(&approval).await);
    token_invalid_type(&world.resend_code(&maria, &approval).await);
    world.approve_factor(&approval, &right).await.ok(201);
    assert_eq!(world.factor_of(&maria).await["factor"], "+38088*****99");

    // Nor does a login's code complete an initiation, or another user's token.
    let (login, code) = world.begin_login(&demo).await;
    not_initiated(&world.approve_factor(&login, &code).await);
    not_initiated(&world.approve_factor(world.user(), &code).await);
    let approval = token_in(&world.init_factor(&world.create_app_token(&demo).await, OTHER_PHONE).await);
    let new = world.code_to(OTHER_PHONE).await;
    for (token, code) in [(&login, &new), (&login, &code)] {
        wrong_code(&world.submit_code(token, code).await);
    }
    let (_, theirs) = person_awaiting_phone(&world, "other").await;
    let theirs = token_in(&world.init_factor(&theirs, "+380881234577").await);
    wrong_code(&world.approve_factor(&theirs, &new).await);
    let (header, unknown) = (NO_AUTHORIZATION, other_than("000000"));
    let bare = world.request("PATCH", APPROVE).json(&json!({ "otp": unknown })).send().await;
    refused(&bare, 401, "access_denied", header);
    // A token in the body is not accepted here.
    let named = json!({ "otp": new, "token": approval });
    refused(&world.request("PATCH", APPROVE).json(&named).send().await, 401, "access_denied", header);
    world.approve_factor(&approval, &new).await.ok(201);
}

#[tokio::test]
async fn a_login_that_sets_a_phone_continues_with_another_token() {
    let world = World::new().await;
    let (maria, login) = person_awaiting_phone(&world, "maria").await;
    let approval = token_in(&world.init_factor(&login, NEW_PHONE).await);
    let code = world.code_to(NEW_PHONE).await;
    // A double click, at once, and after the grace period of a renewed token: nothing is sent, and the first code stays
    // valid.
    for seconds in [0, 9, 60] {
        world.advance(seconds).await;
        token_expired(&world.init_factor(&login, NEW_PHONE).await);
        token_expired(&world.init_factor(&login, OTHER_PHONE).await);
        token_expired(&world.submit_code(&login, &code).await);
        token_expired(&world.refresh_login(&login).await);
        token_expired(&world.resend_code(&maria, &login).await);
        not_initiated(&world.approve_factor(&login, &code).await);
    }
    assert_eq!(world.messages().await.len(), 1);
    world.approve_factor(&approval, &code).await.ok(201);
    assert_eq!(world.factor_of(&maria).await["factor"], "+38088*****99");

    // A signed-in user stays signed in: the access token that started the change is valid until the approval.
    let demo = world.demo();
    let app = world.create_app_token(&demo).await;
    let first = token_in(&world.init_factor(&app, OTHER_PHONE).await);
    let second = token_in(&world.init_factor(&app, OTHER_PHONE).await);
    world.advance(60).await;
    let third = token_in(&world.init_factor(&second, OTHER_PHONE).await);
    token_expired(&world.init_factor(&second, OTHER_PHONE).await);
    token_expired(&world.approve_factor(&second, "000000").await);
    let code = world.code_to(OTHER_PHONE).await;
    wrong_code(&world.approve_factor(&first, &code).await);
    assert!(world.token_works(&app).await);
    world.approve_factor(&third, &code).await.ok(201);
}

#[tokio::test]
async fn failed_approval_codes_share_the_lockout_of_logins() {
    let world = World::new().await;
    let demo = world.demo();
    // Two guesses in a login, two in an approval: the fourth blocks the user.
    let (login, code) = world.begin_login(&demo).await;
    for _ in 0..2 {
        wrong_code(&world.submit_code(&login, &other_than(&code)).await);
    }
    let token = world.create_app_token(&demo).await;
    let approval = token_in(&world.init_factor(&token, NEW_PHONE).await);
    let code = world.code_to(NEW_PHONE).await;
    for _ in 0..2 {
        wrong_code(&world.approve_factor(&approval, &other_than(&code)).await);
    }
    user_blocked(&world.approve_factor(&approval, &code).await);
    user_blocked(&world.init_factor(&token, NEW_PHONE).await);
    let mails = world.mails_to(&demo.email).await;
    assert_eq!(mails.len(), 1, "the notice of the block");
    assert_eq!(world.factor_of(&demo).await["factor"], "+38088*****30");
    let unblock = world.request("PATCH", &demo.action_path("unblock")).bearer(world.admin()).send().await;
    assert_eq!(unblock.ok(200)["data"]["is_blocked"], false);
    token_expired(&world.approve_factor(&approval, &code).await);

    // Three guesses at one code; malformed codes do not count.
    let (_, login) = person_awaiting_phone(&world, "maria").await;
    let approval = token_in(&world.init_factor(&login, OTHER_PHONE).await);
    let code = world.code_to(OTHER_PHONE).await;
    for otp in ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "+12345", "12345 "] {
        assert_eq!(world.approve_factor(&approval, otp).await.status, 422, "{otp:?}");
    }
    for _ in 0..3 {
        wrong_code(&world.approve_factor(&approval, &other_than(&code)).await);
    }
    wrong_code(&world.approve_factor(&approval, &code).await);
    user_blocked(&world.approve_factor(&approval, &code).await);
}

#[tokio::test]
async fn attempts_are_limited_and_tokens_expire() {
    let world = World::new().await;
    let (maria, login) = person_awaiting_phone(&world, "maria").await;
    let approval = token_in(&world.init_factor(&login, NEW_PHONE).await);
    let code = world.code_to(NEW_PHONE).await;
    world.advance(300).await;
    expired(&world.approve_factor(&approval, &code).await);
    // Another code, and the number as a JSON integer.
    let approval = token_in(&world.init_factor(&approval, NEW_PHONE).await);
    world.advance(200).await;
    let number: u32 = world.code_to(NEW_PHONE).await.parse().expect("digits");
    let body = json!({ "otp": number });
    world.request("PATCH", APPROVE).bearer(&approval).json(&body).send().await.ok(201);
    // Repeated initiations do not extend the login (R37).
    let person = Person {
        phone: Some(NEW_PHONE.into()),
        ..maria
    };
    let (login, _) = world.begin_login(&person).await;
    world.advance(600).await;
    for got in [
        world.init_factor(&login, OTHER_PHONE).await,
        world.resend_code(&person, &login).await,
    ] {
        refused(&got, 401, "token_expired", TOKEN_EXPIRED);
    }
    let (_, login) = person_awaiting_phone(&world, "late").await;
    world.advance(590).await;
    let approval = token_in(&world.init_factor(&login, OTHER_PHONE).await);
    let code = world.code_to(OTHER_PHONE).await;
    world.advance(10).await;
    refused(&world.approve_factor(&approval, &code).await, 401, "token_expired", TOKEN_EXPIRED);
}
