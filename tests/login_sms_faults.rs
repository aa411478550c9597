//! Logins while text messages cannot be sent (security.md R65): the error is reported, nothing remains that could be
//! guessed or that blocks a retry, and a retry sends one message.

use serde_json::{Value, json};

use crate::support::{
    clock::eventually,
    factors::person_awaiting_phone,
    login::{api_grant, token_in},
    mithril::{TOKENS, fields_refused, refused, token_expired, wrong_code},
    people::{NEW_PHONE, PHONE, Person},
    requests::Response,
    words::{IMPOSSIBLE_PHONE, SERVICE_UNAVAILABLE, SMS_UNSENT},
    world::World,
};

fn sns(kind: &str, times: u32) -> Value {
    json!({ "service": "sns", "operation": null, "kind": kind, "skip": 0, "times": times })
}

#[track_caller]
fn unsent(got: &Response) {
    refused(got, 503, "internal_error", SMS_UNSENT);
    assert_eq!(got.header("retry-after"), Some("5"));
}

impl World {
    /// What remains of messages and codes to a user: messages that count for the user, for all numbers and for the
    /// deployment, and whether there is a code that could be guessed.
    async fn left(&self, person: &Person) -> (usize, usize, u64, bool) {
        let acts = |row: &Value, name: &str| row[name]["L"].as_array().map_or(0, Vec::len);
        let otps = self.rows("OtpsTable").await;
        let own = otps.iter().find(|row| row["owner"]["S"].as_str().is_some_and(|owner| owner.contains(&person.id)));
        let rate_limits = self.rows("BudgetsTable").await;
        let numbers = rate_limits.iter().map(|row| acts(row, "acts")).sum();
        // One row is the quota of all messages: for each country the minute's slots and the day's, each `slot:count`.
        let countries =
            rate_limits.iter().filter_map(|row| row["countries"]["M"].as_object()).flat_map(|row| row.values());
        let slots = countries.filter_map(|country| country["L"][1]["S"].as_str()).flat_map(str::split_whitespace);
        let counts = slots.filter_map(|slot| slot.split_once(':')?.1.parse::<u64>().ok());
        let sends = own.map_or(0, |row| acts(row, "sends"));
        (sends, numbers, counts.sum(), own.is_some_and(|row| row["code"]["M"]["mac"].is_object()))
    }
}

/// Waits until no sent message counts any more; access tokens live longer.
async fn forget(world: &World) {
    world.advance(3 * 86_400).await;
    world.sweep().await;
}

#[tokio::test]
async fn an_unsent_code_leaves_nothing_behind() {
    let world = World::new().await;
    for (n, kind) in ["error", "throttle", "opted_out"].into_iter().enumerate() {
        let phone = format!("+38088123456{n}");
        let person = world.create_person_with(&format!("someone{n}"), &phone).await;
        let (token, code) = world.begin_api_login(&person).await;
        let open = token_in(&world.submit_code(&token, &code).await);
        forget(&world).await;
        world.inject(sns(kind, 1000)).await;
        // More often than the rate limit allows.
        for _ in 0..4 {
            unsent(&world.request_token(api_grant(&person)).await);
            assert_eq!(world.left(&person).await, (0, 0, 0, false), "{kind}");
        }
        world.clear_faults().await;
        assert!(world.token_works(&open).await, "{kind}: what came to nothing ends no other login");
        let (token, code) = world.begin_api_login(&person).await;
        assert_eq!(world.left(&person).await, (1, 1, 1, true), "{kind}");
        world.inject(sns(kind, 1000)).await;
        for _ in 0..4 {
            unsent(&world.refresh_login(&token).await);
            assert_eq!(world.left(&person).await, (1, 1, 1, false), "{kind}");
        }
        world.clear_faults().await;
        wrong_code(&world.submit_code(&token, &code).await);
        let got = world.refresh_login(&token).await;
        assert_eq!(world.sms_to(&phone).await.len(), 3, "{kind}");
        assert_eq!(world.left(&person).await, (2, 2, 2, true), "{kind}");
        let got = world.submit_code(&token_in(&got), &world.code_to(&phone).await).await;
        assert!(world.token_works(&token_in(&got)).await, "{kind}");
        forget(&world).await;
    }
}

#[tokio::test]
async fn a_number_that_sns_rejects_is_reported_and_leaves_nothing_behind() {
    let world = World::new().await;
    let demo = world.demo();
    let impossible = |got: &Response| {
        fields_refused(got, &[["$.factor", "format", IMPOSSIBLE_PHONE]]);
        assert_eq!(got.header("retry-after"), None, "{got:?}");
    };
    let rejected = sns("rejected", 1000);
    world.inject(rejected.clone()).await;
    impossible(&world.request_token(api_grant(&demo)).await);
    assert_eq!(world.left(&demo).await, (0, 0, 0, false));
    let failures = world.metrics("token-create", "SmsFailed");
    assert_eq!((failures.len(), &failures[0]["Reason"]), (1, &json!("not_a_phone")));
    world.clear_faults().await;
    let (token, code) = world.begin_api_login(&demo).await;
    world.inject(rejected.clone()).await;
    impossible(&world.refresh_login(&token).await);
    impossible(&world.resend_code(&demo, &token).await);
    assert_eq!(world.left(&demo).await, (1, 1, 1, false));
    world.clear_faults().await;
    wrong_code(&world.submit_code(&token, &code).await);
    let token = token_in(&world.refresh_login(&token).await);
    token_in(&world.submit_code(&token, &world.code_to(PHONE).await).await);
    let app = world.create_app_token(&demo).await;
    world.inject(rejected).await;
    impossible(&world.init_factor(&app, NEW_PHONE).await);
    world.clear_faults().await;
    token_in(&world.init_factor(&app, NEW_PHONE).await);
}

#[tokio::test]
async fn a_transient_fault_is_hidden_by_retries() {
    let world = World::new().await;
    for kind in ["error", "throttle"] {
        let before = world.sms_to(PHONE).await.len();
        world.inject(sns(kind, 1)).await;
        let token = token_in(&world.request_token(api_grant(&world.demo())).await);
        assert_eq!(world.sms_to(PHONE).await.len() - before, 1, "{kind}");
        token_in(&world.submit_code(&token, &world.code_to(PHONE).await).await);
    }
}

#[tokio::test]
async fn a_code_is_invalid_if_the_outcome_of_its_message_is_unknown() {
    let world = World::new().await;
    let demo = world.demo();
    world.inject(sns("drop_response", 1000)).await;
    unsent(&world.request_token(api_grant(&demo)).await);
    world.clear_faults().await;
    assert_eq!(world.sms_to(PHONE).await.len(), 1, "it is not sent again");
    let lost = world.code_to(PHONE).await;
    assert_eq!(world.left(&demo).await, (0, 0, 0, false));
    let (token, _) = world.begin_api_login(&demo).await;
    wrong_code(&world.submit_code(&token, &lost).await);
    world.inject(sns("drop_response", 1000)).await;
    unsent(&world.refresh_login(&token).await);
    world.clear_faults().await;
    wrong_code(&world.submit_code(&token, &world.code_to(PHONE).await).await);
    let renewed = token_in(&world.refresh_login(&token).await);
    token_expired(&world.refresh_login(&token).await);
    token_in(&world.submit_code(&renewed, &world.code_to(PHONE).await).await);
}

#[tokio::test]
async fn a_hanging_message_service_is_reported_before_the_timeout() {
    let world = World::new().await;
    let demo = world.demo();
    let ask = || world.post(TOKENS).json(&api_grant(&demo)).header("idempotency-key", "key");
    world.inject(sns("hang", 1)).await;
    unsent(&ask().send().await);
    assert_eq!(world.left(&demo).await, (0, 0, 0, false));
    // With the same key, too; then the retry succeeds.
    let got = ask().send().await;
    let token = token_in(&got);
    world.keep_out_of_logs(&token);
    assert_eq!(ask().send().await.body, got.body);
    assert_eq!(world.sms_to(PHONE).await.len(), 1);
    world.inject(sns("hang", 1)).await;
    unsent(&world.refresh_login(&token).await);
    let renewed = token_in(&world.refresh_login(&token).await);
    token_in(&world.submit_code(&renewed, &world.code_to(PHONE).await).await);
    for invocation in world.invocations().await {
        let ms = invocation["ms"].as_f64().expect("a number");
        assert!(ms < 8_000.0, "{invocation}");
    }
}

/// Ends all processes while one is sending the code of a replacement token.
async fn killed_while_sending(world: World, sends: impl AsyncFn(&World) -> Response) -> World {
    world.inject(sns("hang", 1000)).await;
    let is_sending = async || {
        let tokens = world.rows("TokensTable").await;
        tokens.iter().any(|row| row["replacing_since"].is_object())
    };
    tokio::select! {
        got = sends(&world) => panic!("it hangs: {got:?}"),
        () = eventually(&is_sending) => {}
    }
    world.restarted().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_stays_valid_if_the_process_that_replaces_it_crashes() {
    let world = World::durable().await;
    let (token, code) = world.begin_api_login(&world.demo()).await;
    let world = killed_while_sending(world, async |world| world.refresh_login(&token).await).await;
    // The code is revoked, and the token is not: it can be renewed at once.
    let renewed = token_in(&world.refresh_login(&token).await);
    token_expired(&world.refresh_login(&token).await);
    wrong_code(&world.submit_code(&renewed, &code).await);
    token_in(&world.submit_code(&renewed, &world.code_to(PHONE).await).await);

    let (maria, login) = person_awaiting_phone(&world, "maria").await;
    let world = killed_while_sending(world, async |world| world.init_factor(&login, NEW_PHONE).await).await;
    let approval = token_in(&world.init_factor(&login, NEW_PHONE).await);
    token_expired(&world.init_factor(&login, NEW_PHONE).await);
    token_in(&world.approve_factor(&approval, &world.code_to(NEW_PHONE).await).await);
    assert_eq!(world.factor_of(&maria).await["factor"], "+38088*****99");
}

#[tokio::test]
async fn a_token_stays_valid_if_the_store_fails_after_its_code_was_written() {
    let world = World::new().await;
    let demo = world.demo();
    let (token, _) = world.begin_api_login(&demo).await;
    let sent = world.sms_to(PHONE).await.len();
    // The transaction is written; every later write fails, including the compensation.
    let down = json!({ "service": "dynamodb", "operation": null, "kind": "error", "skip": 2, "times": 1000 });
    world.inject(down.clone()).await;
    let got = world.refresh_login(&token).await;
    refused(&got, 503, "internal_error", SERVICE_UNAVAILABLE);
    world.clear_faults().await;
    assert_eq!(world.sms_to(PHONE).await.len(), sent);
    let renewed = token_in(&world.refresh_login(&token).await);
    token_expired(&world.refresh_login(&token).await);
    // Once the sending process must have died, no request waits for it.
    world.advance(60).await;
    world.inject(down).await;
    assert_eq!(world.refresh_login(&renewed).await.status, 503);
    world.clear_faults().await;
    world.advance(10).await;
    world.invocations().await;
    let again = token_in(&world.refresh_login(&renewed).await);
    let invocations = world.invocations().await;
    let calls = invocations[0]["calls"].as_array().expect("calls").iter();
    let looks = calls.filter(|call| call["operation"] == "BatchGetItem").count();
    assert_eq!(looks, 1, "it did not wait");
    token_in(&world.submit_code(&again, &world.code_to(PHONE).await).await);
}
