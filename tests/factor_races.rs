//! Of concurrent requests that set a phone, one succeeds; and a message that could not be sent leaves nothing behind
//! (security.md R11, R12, R17, R65).

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    factors::person_awaiting_phone,
    login::{other_than, password_grant, token_in},
    mithril::{INIT, refused, token_expired, too_many_sends, user_blocked},
    people::{NEW_PHONE, Person},
    words::{SERVICE_UNAVAILABLE, SMS_UNSENT},
    world::World,
};

/// The number of stored access tokens of users.
async fn access_tokens(world: &World) -> usize {
    let rows = world.rows("TokensTable").await;
    rows.iter().filter(|row| row["kind"]["S"] == "access").count()
}

#[tokio::test]
async fn one_of_parallel_approvals_with_the_correct_code_succeeds() {
    let world = World::new().await;
    for round in 0..5 {
        let (maria, login) = person_awaiting_phone(&world, &format!("maria{round}")).await;
        let phone = format!("+38088123450{round}");
        let approval = token_in(&world.init_factor(&login, &phone).await);
        let code = world.code_to(&phone).await;
        let before = access_tokens(&world).await;
        let got = join_all((0..64).map(|_| world.approve_factor(&approval, &code))).await;
        assert_eq!(got.iter().filter(|got| got.status == 201).count(), 1, "round {round}");
        for got in got.iter().filter(|got| got.status != 201) {
            token_expired(got);
        }
        assert_eq!(access_tokens(&world).await, before + 1);
        assert_eq!(world.mails_to(&maria.email).await.len(), 1);
        world.advance(60).await;
    }
}

#[tokio::test]
async fn no_more_wrong_codes_are_compared_than_attempts_allow() {
    let world = World::new().await;
    for round in 0..5 {
        let (maria, login) = person_awaiting_phone(&world, &format!("maria{round}")).await;
        let phone = format!("+38088123450{round}");
        let approval = token_in(&world.init_factor(&login, &phone).await);
        let code = world.code_to(&phone).await;
        let wrong = other_than(&code);
        let got = join_all((0..64).map(|_| world.approve_factor(&approval, &wrong))).await;
        assert_eq!(got.iter().filter(|got| got.json()["error"]["type"] == "otp_invalid").count(), 4);
        got.iter().filter(|got| got.json()["error"]["type"] != "otp_invalid").for_each(user_blocked);
        user_blocked(&world.approve_factor(&approval, &code).await);
        assert_eq!(world.factor_of(&maria).await["factor"], Value::Null);
        world.advance(60).await;
    }
}

#[tokio::test]
async fn one_of_two_concurrently_approved_phones_is_set() {
    let world = World::new().await;
    for round in 0..3 {
        let phone = format!("+38088123450{round}");
        let person = world.create_person_with(&format!("maria{round}"), &phone).await;
        let (one, other) = (format!("+38088123460{round}"), format!("+38088123470{round}"));
        let token = world.create_app_token(&person).await;
        // A code replaces the previous one, whichever phone that was sent to.
        let first = token_in(&world.init_factor(&token, &one).await);
        let first_code = world.code_to(&one).await;
        let second = token_in(&world.init_factor(&token, &other).await);
        let second_code = world.code_to(&other).await;
        let (slow, quick) =
            tokio::join!(world.approve_factor(&first, &first_code), world.approve_factor(&second, &second_code));
        assert_eq!(quick.status, 201, "{quick:?}");
        assert!(slow.status == 401, "{slow:?}");
        let set = world.factor_of(&person).await["factor"].clone();
        assert_eq!(set, format!("+38088*****0{round}"));
        let person = Person {
            phone: Some(other.clone()),
            ..person
        };
        world.advance(60).await;
        world.begin_login(&person).await;
    }
    // Of two concurrent initiations one succeeds, and one message is sent.
    for round in 0..4 {
        let (_, login) = person_awaiting_phone(&world, &format!("twice{round}")).await;
        let numbers = [format!("+38088123480{round}"), format!("+38088123490{round}")];
        let before = world.messages().await.len();
        let got = join_all(numbers.iter().map(|phone| world.init_factor(&login, phone))).await;
        let (won, lost): (Vec<_>, Vec<_>) = got.iter().zip(&numbers).partition(|(got, _)| got.status == 201);
        assert_eq!((won.len(), world.messages().await.len()), (1, before + 1), "{got:?}");
        token_expired(lost[0].0);
        let code = world.code_to(won[0].1).await;
        world.approve_factor(&token_in(won[0].0), &code).await.ok(201);
        world.advance(60).await;
    }
}

#[tokio::test]
async fn setting_the_first_phone_does_not_replace_a_concurrent_one() {
    let world = World::new().await;
    let client = json!({
        "command": "create_client", "client_id": "second", "scopes": "all", "grants": ["password"],
        "domain": world.id("/domain"),
    });
    assert_eq!(world.run_command(client).await["client_id"], "second");
    let (person, login) = person_awaiting_phone(&world, "maria").await;
    let mut elsewhere = password_grant(&person.email, &person.password);
    elsewhere["client_id"] = "second".into();
    let other = token_in(&world.request_token(elsewhere).await);
    // Both clients' logins may set the first phone, each with its own code.
    let late = token_in(&world.init_factor(&login, NEW_PHONE).await);
    let approval = token_in(&world.init_factor(&other, "+380881234577").await);
    let code = world.code_to("+380881234577").await;
    world.approve_factor(&approval, &code).await.ok(201);
    token_expired(&world.approve_factor(&late, &code).await);
    token_expired(&world.init_factor(&login, NEW_PHONE).await);
    assert_eq!(world.factor_of(&person).await["factor"], "+38088*****77");
}

#[tokio::test]
async fn an_unsent_message_leaves_nothing_behind() {
    let world = World::new().await;
    let (person, login) = person_awaiting_phone(&world, "maria").await;
    for kind in ["error", "throttle", "opted_out"] {
        for _ in 0..2 {
            world.inject(json!({ "service": "sns", "operation": null, "kind": kind, "times": 99 })).await;
            let got = world.init_factor(&login, NEW_PHONE).await;
            refused(&got, 503, "internal_error", SMS_UNSENT);
            assert!(got.header("retry-after").is_some(), "{got:?}");
            world.clear_faults().await;
        }
        let otps = world.rows("OtpsTable").await;
        let own = otps.iter().find(|row| row["owner"]["S"].as_str().is_some_and(|owner| owner.contains(&person.id)));
        let own = own.expect("the user's row").to_string();
        assert!(
            own.contains("CANCELED") && !own.contains("NEW"),
            "{kind}: no code is left that could be guessed: {own}"
        );
    }
    // Six sends were refunded: the rate limit is again that of an unverified number.
    let first = token_in(&world.init_factor(&login, NEW_PHONE).await);
    let second = token_in(&world.init_factor(&first, NEW_PHONE).await);
    too_many_sends(&world.init_factor(&second, NEW_PHONE).await, 60);
    assert_eq!(world.sms_to(NEW_PHONE).await.len(), 2);
    let code = world.code_to(NEW_PHONE).await;
    token_expired(&world.approve_factor(&first, &code).await);
    world.approve_factor(&second, &code).await.ok(201);
}

#[tokio::test]
async fn a_repeated_initiation_is_idempotent() {
    let world = World::new().await;
    let (person, login) = person_awaiting_phone(&world, "maria").await;
    world.keep_phone_out_of_logs(NEW_PHONE);
    let ask = |phone: &str, key: &str| {
        let ask = world.request("PATCH", INIT).bearer(&login).header("idempotency-key", key);
        ask.json(&json!({ "type": "SMS", "factor": phone })).send()
    };
    // A refused call is not stored: the retry is checked again.
    world.inject(json!({ "service": "sns", "operation": null, "kind": "error", "times": 1000 })).await;
    assert_eq!(ask(NEW_PHONE, "one").await.status, 503);
    world.clear_faults().await;
    assert!(world.rows("RepetitionsTable").await.is_empty());
    let first = ask(NEW_PHONE, "one").await;
    for _ in 0..2 {
        assert_eq!(ask(NEW_PHONE, "one").await.body, first.body);
    }
    assert_eq!(world.sms_to(NEW_PHONE).await.len(), 1);
    let code = world.code_to(NEW_PHONE).await;
    let rows = world.all_rows().await;
    assert!(!rows.contains(&token_in(&first)) && !rows.contains(&format!("\"{code}\"")), "R05");
    // Another key, or another number, is another call: the login continues with the answer's token.
    token_expired(&ask(NEW_PHONE, "two").await);
    token_expired(&ask("+380881234588", "one").await);
    assert_eq!(ask(NEW_PHONE, "one").await.body, first.body);
    assert_eq!(world.messages().await.len(), 1);
    token_in(&world.init_factor(&token_in(&first), "+380881234588").await);
    assert_eq!(world.factor_of(&person).await["factor"], Value::Null);
}

#[tokio::test]
async fn a_phone_is_set_despite_a_lost_response() {
    let world = World::new().await;
    let (person, login) = person_awaiting_phone(&world, "maria").await;
    let lose = json!({ "service": "dynamodb", "operation": "TransactWriteItems", "kind": "drop_response", "times": 1 });
    world.inject(lose.clone()).await;
    let approval = token_in(&world.init_factor(&login, NEW_PHONE).await);
    assert_eq!(world.sms_to(NEW_PHONE).await.len(), 1);
    let code = world.code_to(NEW_PHONE).await;
    world.inject(lose).await;
    let before = access_tokens(&world).await;
    world.approve_factor(&approval, &code).await.ok(201);
    assert_eq!(access_tokens(&world).await, before + 1);
    assert_eq!(world.factor_of(&person).await["factor"], "+38088*****99");
    // If nothing could be written, nothing changed: the code is still valid.
    let (other, login) = person_awaiting_phone(&world, "other").await;
    let approval = token_in(&world.init_factor(&login, "+380881234588").await);
    let code = world.code_to("+380881234588").await;
    for kind in ["error", "throttle"] {
        for skip in [0, 1] {
            let fault = json!({ "service": "dynamodb", "operation": null, "kind": kind, "skip": skip, "times": 99 });
            world.inject(fault).await;
            refused(&world.approve_factor(&approval, &code).await, 503, "internal_error", SERVICE_UNAVAILABLE);
            world.clear_faults().await;
        }
    }
    assert_eq!(world.factor_of(&other).await["factor"], Value::Null);
    world.approve_factor(&approval, &code).await.ok(201);
}
