//! Text messages reserved for established users, however many new accounts there are (security.md R31, R79).

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    clock::DAY,
    factors::person_awaiting_phone,
    login::{other_than, token_in},
    mithril::{token_expired, too_many_sends, wrong_code},
    people::Person,
    requests::Response,
    world::World,
};

/// The default of the template: the local cloud has a larger one.
const AS_DEPLOYED: (&str, &str) = ("OtpSendsFirstDay", "3");

/// The longest wait for a message of the day.
const MESSAGE: u64 = DAY + 3600;

async fn sign_in(world: &World, person: &Person) -> Response {
    world.sign_in(person, &person.password).await
}

/// Logs in to the end.
async fn log_in(world: &World, person: &Person) {
    let (token, code) = world.begin_login(person).await;
    token_in(&world.submit_code(&token, &code).await);
}

/// Verifies a phone with a code; returns the user with it.
async fn show(world: &World, person: Person, token: &str, phone: &str) -> Person {
    let approval = token_in(&world.init_factor(token, phone).await);
    token_in(&world.approve_factor(&approval, &world.code_to(phone).await).await);
    Person {
        phone: Some(phone.to_owned()),
        ..person
    }
}

/// A new account with a verified phone.
async fn newcomer(world: &World, login: &str, phone: &str) -> Person {
    let (person, token) = person_awaiting_phone(world, login).await;
    show(world, person, &token, phone).await
}

/// The trust level of the last message to a user.
async fn trust(world: &World, person: &Person) -> String {
    token_in(&sign_in(world, person).await);
    let code = world.code_row(person).await;
    code["trust"]["S"].as_str().unwrap_or_else(|| panic!("{code}")).to_owned()
}

/// The day's messages to 380 in one map of the quota.
async fn counted(world: &World, name: &str) -> u64 {
    let rows = world.rows("BudgetsTable").await;
    let quota = rows.iter().find(|row| row.get("countries").is_some()).expect("the quota");
    let day = quota[name]["M"]["380"]["L"][1]["S"].as_str().unwrap_or_default();
    let counts = day.split_whitespace().map(|slot| slot.split_once(':').expect("slot:count").1);
    counts.map(|count| count.parse::<u64>().expect("a number")).sum()
}

#[tokio::test]
async fn a_flood_of_new_accounts_does_not_lock_out_established_users() {
    let world = World::with(&[
        ("SmsPerMinute", "100"),
        ("SmsPerCountryPerMinute", "100"),
        ("SmsPerDay", "100"),
        ("SmsPerCountryPerDay", "13"),
    ])
    .await;
    let demo = world.demo();
    let mut flood = Vec::new();
    for n in 0..20 {
        flood.push(person_awaiting_phone(&world, &format!("mallory{n}")).await);
    }
    // Concurrently: no more than half of the country's quota, rounded up.
    let asked = flood.iter().enumerate();
    let asked = asked.map(async |(n, (_, token))| world.init_factor(token, &format!("+3808812346{n:02}")).await);
    let got = join_all(asked).await;
    let sent = got.iter().filter(|got| got.status == 201).count();
    assert_eq!((sent, world.messages().await.len()), (7, 7));
    for got in got.iter().filter(|got| got.status != 201) {
        too_many_sends(got, MESSAGE);
    }
    // An established user logs in all day, and new ones get nothing more.
    for (mallory, _) in flood.iter().take(8) {
        world.advance(2 * 3600).await;
        log_in(&world, &demo).await;
        let token = token_in(&sign_in(&world, mallory).await);
        too_many_sends(&world.init_factor(&token, "+380881234699").await, MESSAGE);
    }
    assert_eq!(counted(&world, "newcomers").await, 7);
}

#[tokio::test]
async fn logins_of_established_users_do_not_use_the_half_of_new_accounts() {
    let world = World::with(&[("SmsPerCountryPerDay", "8")]).await;
    for n in 0..5 {
        let person = world.create_person_with(&format!("person{n}"), &format!("+38088123454{n}")).await;
        token_in(&sign_in(&world, &person).await);
    }
    // More than half is used; the rest is first come, first served.
    for n in 0..3 {
        let (_, token) = person_awaiting_phone(&world, &format!("newcomer{n}")).await;
        token_in(&world.init_factor(&token, &format!("+38088123455{n}")).await);
    }
    let (_, token) = person_awaiting_phone(&world, "late").await;
    too_many_sends(&world.init_factor(&token, "+380881234559").await, MESSAGE);
    too_many_sends(&sign_in(&world, &world.demo()).await, MESSAGE);
}

#[tokio::test]
async fn a_new_account_gets_three_messages_on_its_first_day() {
    let world = World::with(&[AS_DEPLOYED]).await;
    let phone = "+380881234540";
    let maria = newcomer(&world, "maria", phone).await;
    world.advance(100).await;
    let token = token_in(&sign_in(&world, &maria).await);
    let token = token_in(&world.refresh_login(&token).await);
    world.advance(100).await;
    // The fourth, on any route.
    let access = world.create_app_token(&maria).await;
    for got in [
        sign_in(&world, &maria).await,
        world.refresh_login(&token).await,
        world.resend_code(&maria, &token).await,
        world.init_factor(&access, "+380881234541").await,
    ] {
        let wait = too_many_sends(&got, DAY);
        assert!(wait > DAY - 600, "the end of its first day: {wait}");
    }
    assert_eq!(world.sms_to(phone).await.len(), 3);
    // The code that was sent is still valid.
    token_in(&world.submit_code(&token, &world.code_to(phone).await).await);
    // `Retry-After` is correct.
    let wait = too_many_sends(&sign_in(&world, &maria).await, DAY);
    world.advance(wait - 60).await;
    too_many_sends(&sign_in(&world, &maria).await, 60);
    world.advance(60).await;
    for _ in 0..3 {
        token_in(&sign_in(&world, &maria).await);
    }
    // A phone set by the operator is established: no first-day limit.
    let known = world.create_person_with("known", "+380881234542").await;
    for _ in 0..4 {
        log_in(&world, &known).await;
        world.advance(61).await;
    }
}

#[tokio::test]
async fn a_first_day_counts_messages_sent_while_the_phone_was_new() {
    let world = World::with(&[AS_DEPLOYED]).await;
    let demo = world.demo();
    for _ in 0..3 {
        token_in(&sign_in(&world, &demo).await);
    }
    // The operator set the phone, so nothing was counted so far. The code to another one is.
    world.advance(61).await;
    let token = world.create_app_token(&demo).await;
    let demo = show(&world, demo, &token, "+380881234540").await;
    world.advance(61).await;
    for _ in 0..2 {
        token_in(&sign_in(&world, &demo).await);
    }
    world.advance(61).await;
    too_many_sends(&sign_in(&world, &demo).await, DAY);
}

#[tokio::test]
async fn a_new_account_with_an_established_factor_gets_three_messages_to_other_phones() {
    let world = World::with(&[AS_DEPLOYED]).await;
    let maria = world.create_person_with("maria", "+380881234540").await;
    let token = world.create_app_token(&maria).await;
    for n in 0..3 {
        token_in(&world.init_factor(&token, &format!("+38088123455{n}")).await);
        world.advance(100).await;
    }
    too_many_sends(&world.init_factor(&token, "+380881234553").await, DAY);
    token_in(&sign_in(&world, &maria).await);
}

/// The `UpdateItem` calls: the quota on a send; the quota and the number's rate limit on a refund.
#[tokio::test]
async fn a_message_is_counted_once_and_refunded_once_despite_a_lost_response() {
    let world = World::new().await;
    let lost = |skip: u32, times: u32| json!({ "service": "dynamodb", "operation": "UpdateItem", "kind": "drop_response", "skip": skip, "times": times });
    world.inject(lost(0, 1)).await;
    token_in(&sign_in(&world, &world.demo()).await);
    assert_eq!(world.get("/_local/faults").send_local().await, json!([]));
    assert_eq!(counted(&world, "countries").await, 1);

    let person = world.create_person_with("person", "+380881234549").await;
    world.inject(json!({ "service": "sns", "operation": null, "kind": "error", "times": 99 })).await;
    world.inject(lost(1, 2)).await;
    assert_eq!(sign_in(&world, &person).await.status, 503);
    let left = world.get("/_local/faults").send_local().await;
    assert_eq!((left.as_array().map(Vec::len), &left[0]["service"]), (Some(1), &json!("sns")), "{left}");
    assert_eq!(counted(&world, "countries").await, 1);
}

#[tokio::test]
async fn the_rate_limit_of_the_first_day_is_configurable() {
    let world = World::with(&[("OtpSendsFirstDay", "1")]).await;
    let maria = newcomer(&world, "maria", "+380881234540").await;
    too_many_sends(&sign_in(&world, &maria).await, DAY);
}

#[tokio::test]
async fn a_phone_is_established_after_a_day_and_a_code_or_by_the_operator() {
    let world = World::with(&[AS_DEPLOYED]).await;
    let maria = newcomer(&world, "maria", "+380881234540").await;
    let olga = newcomer(&world, "olga", "+380881234541").await;
    log_in(&world, &maria).await;
    assert_eq!(trust(&world, &maria).await, "new", "not a day old");
    world.advance(DAY).await;
    assert_eq!(trust(&world, &maria).await, "established");
    assert_eq!(trust(&world, &olga).await, "new", "it was never used");
    log_in(&world, &olga).await;
    assert_eq!(trust(&world, &olga).await, "established");

    // Disabled and enabled again it is the same phone.
    world.advance(60).await;
    for action in ["disable", "enable"] {
        world.switch_factor_as_admin(&olga, action).await;
    }
    assert_eq!(trust(&world, &olga).await, "established");
    // Another phone starts as new.
    let token = world.create_app_token(&maria).await;
    let maria = show(&world, maria, &token, "+380881234542").await;
    log_in(&world, &maria).await;
    world.advance(DAY - 60).await;
    assert_eq!(trust(&world, &maria).await, "new");
    world.advance(60).await;
    assert_eq!(trust(&world, &maria).await, "established");
    // So does the same one after a reset, if its owner sets it.
    world.advance(60).await;
    world.switch_factor_as_admin(&maria, "reset").await;
    let stored = world.rows("FactorsTable").await;
    let stored = stored.iter().find(|row| row["user_id"]["S"] == *maria.id).expect("the row stays");
    for name in ["value", "phone_set_at", "by_operator"] {
        assert_eq!(stored.get(name), None, "nothing of the phone is left");
    }
    let token = token_in(&sign_in(&world, &maria).await);
    let maria = show(&world, maria, &token, "+380881234542").await;
    assert_eq!(trust(&world, &maria).await, "new");
    // The operator vouches for it.
    world.advance(60).await;
    world.switch_factor_as_admin(&maria, "reset").await;
    let set = json!({ "command": "set_factor", "user_id": maria.id, "type": "SMS", "factor": "+380881234542" });
    assert_eq!(world.run_command(set).await["changed"], true);
    assert_eq!(trust(&world, &maria).await, "established");
    assert_eq!(trust(&world, &world.demo()).await, "established");
    // But not for another one, neither before nor after its approval.
    world.advance(60).await;
    let token = world.create_app_token(&maria).await;
    let approval = token_in(&world.init_factor(&token, "+380881234543").await);
    assert_eq!(world.code_row(&maria).await["trust"]["S"], "new");
    let code = world.code_to("+380881234543").await;
    token_in(&world.approve_factor(&approval, &code).await);
    assert_eq!(trust(&world, &maria).await, "new");
}

#[tokio::test]
async fn a_phone_without_a_stored_time_is_established_when_it_is_a_day_old() {
    let world = World::with(&[AS_DEPLOYED]).await;
    let maria = newcomer(&world, "maria", "+380881234540").await;
    for row in world.rows("FactorsTable").await {
        let owner = row["owner"]["S"].as_str().expect("an owner");
        let owner = aws_sdk_dynamodb::types::AttributeValue::S(owner.to_owned());
        let older = world.dynamodb().update_item().table_name("countersign-FactorsTable");
        let older = older.key("owner", owner).update_expression("REMOVE phone_set_at, by_operator");
        older.send().await.expect("the row is there");
    }
    log_in(&world, &maria).await;
    assert_eq!(trust(&world, &maria).await, "new");
    world.advance(DAY).await;
    assert_eq!(trust(&world, &maria).await, "established");
    assert_eq!(trust(&world, &world.demo()).await, "established");
}

#[tokio::test]
async fn two_verified_messages_refund_one() {
    let world = World::with(&[("SmsPerDay", "3")]).await;
    let mut waiting = Vec::new();
    for n in 0..3 {
        let person = world.create_person_with(&format!("person{n}"), &format!("+38088123454{n}")).await;
        let (token, code) = world.begin_login(&person).await;
        waiting.push((token, code));
    }
    let last = world.create_person_with("last", "+380881234549").await;
    too_many_sends(&sign_in(&world, &last).await, MESSAGE);
    let (token, code) = &waiting[0];
    wrong_code(&world.submit_code(token, &other_than(code)).await);
    assert_eq!(counted(&world, "verified").await, 0);
    token_in(&world.submit_code(token, code).await);
    // Once per message, however often its code is submitted.
    for _ in 0..3 {
        token_expired(&world.submit_code(token, code).await);
    }
    assert_eq!(counted(&world, "verified").await, 1);
    too_many_sends(&sign_in(&world, &last).await, MESSAGE);
    let (token, code) = &waiting[1];
    token_in(&world.submit_code(token, code).await);
    token_in(&sign_in(&world, &last).await);
    too_many_sends(&sign_in(&world, &world.demo()).await, MESSAGE);
    assert_eq!((counted(&world, "countries").await, counted(&world, "verified").await), (4, 2));
    assert_eq!(counted(&world, "newcomers").await, 0);
}

#[tokio::test]
async fn a_verified_phone_refunds_quota_for_new_accounts() {
    let world = World::with(&[("SmsPerCountryPerDay", "4")]).await;
    for n in 0..2 {
        newcomer(&world, &format!("person{n}"), &format!("+38088123454{n}")).await;
    }
    // Each of the two counts half: of two messages, one is left.
    let (_, token) = person_awaiting_phone(&world, "third").await;
    token_in(&world.init_factor(&token, "+380881234543").await);
    let (_, token) = person_awaiting_phone(&world, "fourth").await;
    too_many_sends(&world.init_factor(&token, "+380881234544").await, MESSAGE);
    for (name, expected) in [
        ("countries", 3),
        ("verified", 2),
        ("newcomers", 3),
        ("newcomers_verified", 2),
    ] {
        assert_eq!(counted(&world, name).await, expected, "{name}");
    }
}

#[tokio::test]
async fn parallel_correct_codes_all_succeed_and_are_refunded_at_most_once() {
    let world = World::new().await;
    let mut waiting = Vec::new();
    for n in 0..8 {
        let person = world.create_person_with(&format!("person{n}"), &format!("+38088123454{n}")).await;
        waiting.push(world.begin_login(&person).await);
    }
    // Each of them twice.
    let all = waiting.iter().chain(&waiting);
    let got = join_all(all.map(|(token, code)| world.submit_code(token, code))).await;
    assert_eq!(got.iter().filter(|got| got.status == 201).count(), 8);
    let verified = counted(&world, "verified").await;
    // A refund is retried a few times only: under contention, some of the quota is not returned.
    assert!((1..=8).contains(&verified), "{verified} of 8 came back");
}

#[tokio::test]
async fn a_failing_quota_neither_delays_nor_refuses_a_login_nor_refunds_twice() {
    let world = World::new().await;
    let mut verified = 0;
    for (n, (kind, times, comes_back)) in [
        ("error", 1000, 0),
        ("throttle", 1000, 0),
        ("hang", 1000, 0),
        ("drop_response", 1, 1),
        ("drop_response", 1000, 1),
    ]
    .into_iter()
    .enumerate()
    {
        let person = world.create_person_with(&format!("person{n}"), &format!("+38088123454{n}")).await;
        let (token, code) = world.begin_login(&person).await;
        let rule = json!({ "service": "dynamodb", "operation": "UpdateItem", "kind": kind, "times": times });
        world.inject(rule).await;
        world.invocations().await;
        token_in(&world.submit_code(&token, &code).await);
        let [made] = <[Value; 1]>::try_from(world.invocations().await).expect("one");
        world.clear_faults().await;
        let calls = made["calls"].as_array().expect("calls");
        let tried = calls.iter().filter(|call| call["operation"] == "UpdateItem").count();
        assert_eq!(tried, 1, "{kind}: {made}");
        verified += comes_back;
        assert_eq!(counted(&world, "verified").await, verified, "{kind}");
    }
}
