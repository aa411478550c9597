//! Passwords under concurrency, and while dependencies fail, hang or lose their answers (security.md R11, R17, R63 to
//! R65).

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    clock::DAY,
    era::{CHECK_MAIL, era_refused, era_unavailable, field_refused, password_set},
    faults::fault_rule,
    password::{NEW, OLD, RESET, change_notices_sent},
    people::DOMAIN,
    requests::Response,
    words::{ERA_UNAUTHORIZED, MAIL_UNSENT, NO_REQUEST, WRONG_PASSWORD},
    world::World,
};

const EMAIL: &str = "maria@example.org";

fn won(answers: &[Response]) -> Vec<usize> {
    (0..answers.len()).filter(|n| answers[*n].status == 200).collect()
}

#[tokio::test]
async fn one_of_parallel_requests_uses_a_link() {
    let world = World::new().await;
    let (_, id) = world.new_user("maria").await;
    let link = world.reset_link("maria", EMAIL).await;
    let passwords: Vec<_> = (0..32).map(|n| format!("new-password-{n}")).collect();
    let answers = join_all(passwords.iter().map(|pwd| world.reset_password(&link, pwd))).await;
    let winners = won(&answers);
    assert_eq!(winners.len(), 1, "{answers:?}");
    for got in answers.iter().filter(|got| got.status != 200) {
        era_refused(got, 404, NO_REQUEST);
    }
    change_notices_sent(&world, EMAIL, 1).await;
    assert!(world.password_works(&id, &passwords[winners[0]]).await);
}

#[tokio::test]
async fn one_of_parallel_links_changes_the_password() {
    let world = World::new().await;
    let (_, id) = world.new_user("maria").await;
    for _ in 0..4 {
        let mut links = Vec::new();
        for _ in 0..2 {
            links.push(world.reset_link("maria", EMAIL).await);
            world.advance(121).await;
        }
        let passwords = ["new-password-0", "new-password-1"];
        let answers = join_all((0..2).map(|n| world.reset_password(&links[n], passwords[n]))).await;
        let winners = won(&answers);
        assert_eq!(winners.len(), 1, "{answers:?}");
        era_refused(&answers[1 - winners[0]], 404, NO_REQUEST);
        assert!(world.password_works(&id, passwords[winners[0]]).await);
        world.advance(DAY).await;
    }
}

#[tokio::test]
async fn one_of_a_concurrent_reset_and_change_succeeds() {
    let world = World::new().await;
    let (_, id) = world.new_user("maria").await;
    let (mut current, mut wins) = (OLD, [0, 0]);
    for round in 0..6 {
        let token = world.create_token(json!({ "user_id": id, "scopes": ["api"] })).await;
        let link = world.reset_link("maria", EMAIL).await;
        let passwords = match round % 2 {
            0 => ["by-reset-even", "by-change-even"],
            _ => ["by-reset-odd", "by-change-odd"],
        };
        let change = world.change_password(&token, current, passwords[1]);
        let (reset, change) = tokio::join!(world.reset_password(&link, passwords[0]), change);
        let answers = [reset, change];
        let winners = won(&answers);
        assert_eq!(winners.len(), 1, "{answers:?}");
        match (winners[0], answers[1].status) {
            (0, 401) => era_refused(&answers[1], 401, ERA_UNAUTHORIZED),
            (0, _) => field_refused(&answers[1], "current_pwd", WRONG_PASSWORD),
            _ => era_refused(&answers[0], 404, NO_REQUEST),
        }
        current = passwords[winners[0]];
        wins[winners[0]] += 1;
        world.advance(DAY).await;
    }
    assert!(world.password_works(&id, current).await, "{wins:?}");
}

#[tokio::test]
async fn an_administrators_block_survives_a_concurrent_reset() {
    let world = World::new().await;
    let (_, id) = world.new_user("maria").await;
    for round in 0..4 {
        let link = world.reset_link("maria", EMAIL).await;
        let block = async {
            world.run_command(json!({ "command": "block_user", "user_id": id })).await;
        };
        let (got, ()) = tokio::join!(world.reset_password(&link, NEW), block);
        match got.status {
            200 => password_set(&got, "maria"),
            // The block came first, and revoked the link.
            _ => era_refused(&got, 404, NO_REQUEST),
        }
        assert_eq!(world.user_row(&id).await["lockout"]["M"]["why"]["S"], "decision", "round {round}: it stays");
        world.run_command(json!({ "command": "unblock_user", "user_id": id })).await;
        world.advance(DAY).await;
    }
}

#[tokio::test]
async fn an_unsent_mail_leaves_nothing_that_blocks_a_retry() {
    let world = World::new().await;
    world.new_user("maria").await;
    let from = "203.0.113.7";
    let ask = async |key: &str| {
        let ask = world.post(RESET).header("x-local-source-ip", from);
        ask.json(&json!({ "key": key, "domain": DOMAIN })).send().await
    };
    for kind in ["error", "throttle", "rejected"] {
        for (key, mails) in [("maria", 1), (EMAIL, 1), ("stranger@example.org", 1), ("nobody", 0)] {
            world.inject(fault_rule("ses", kind, 0, 1000)).await;
            for _ in 0..2 {
                let got = ask(key).await;
                era_refused(&got, 503, MAIL_UNSENT);
                assert_eq!(got.header("retry-after"), Some("5"), "{kind} {key}");
                assert!(world.rows("PasswordResetRequestsTable").await.is_empty(), "{kind} {key}");
            }
            world.clear_faults().await;
            // From the same source, for the same account, at once.
            ask(key).await.is(200, CHECK_MAIL);
            assert_eq!(world.messages().await.len(), mails, "{kind} {key}");
            if mails > 0 && !key.starts_with("stranger") {
                password_set(&world.reset_password(&world.link_to(EMAIL).await, NEW).await, "maria");
            }
            world.sweep().await;
            world.request("DELETE", "/_local/messages").send_unchecked().await;
            world.advance(DAY).await;
            world.sweep().await;
        }
    }
}

#[tokio::test]
async fn a_reset_mail_with_a_lost_response_is_sent_once_with_a_valid_link() {
    let world = World::new().await;
    world.new_user("maria").await;
    world.inject(fault_rule("ses", "drop_response", 0, 1)).await;
    world.inject(fault_rule("ses", "error", 0, 1000)).await;
    let got = world.request_reset("maria").send().await;
    era_refused(&got, 503, MAIL_UNSENT);
    world.clear_faults().await;
    assert_eq!(world.mails_to(EMAIL).await.len(), 1);
    assert_eq!(world.rows("PasswordResetRequestsTable").await.len(), 1);
    password_set(&world.reset_password(&world.link_to(EMAIL).await, NEW).await, "maria");
}

#[tokio::test]
async fn a_notice_with_a_lost_response_is_sent_again() {
    let world = World::new().await;
    let (token, _) = world.new_user("maria").await;
    world.inject(fault_rule("ses", "drop_response", 0, 1)).await;
    password_set(&world.change_password(&token, OLD, NEW).await, "maria");
    // Whether SES has sent it cannot be asked, and a missing warning is worse than two.
    change_notices_sent(&world, EMAIL, 2).await;
}

#[tokio::test]
async fn a_hanging_service_is_reported_before_the_timeout() {
    let world = World::new().await;
    let (token, id) = world.new_user("maria").await;
    world.inject(fault_rule("ses", "hang", 0, 1)).await;
    era_refused(&world.request_reset("maria").send().await, 503, MAIL_UNSENT);
    // The mail may be on its way: then its link must be valid.
    assert_eq!(world.rows("PasswordResetRequestsTable").await.len(), 1);
    let link = world.reset_link("maria", EMAIL).await;
    assert_eq!(world.messages().await.len(), 1);
    // The store hangs permanently: nothing is written, and a retry succeeds afterwards.
    world.inject(fault_rule("dynamodb", "hang", 1, 1000)).await;
    era_unavailable(&world.reset_password(&link, NEW).await);
    world.clear_faults().await;
    // It hangs once, on the write itself: a retry hides it.
    world
        .inject(
            json!({ "service": "dynamodb", "operation": "TransactWriteItems", "kind": "hang", "skip": 0, "times": 1 }),
        )
        .await;
    password_set(&world.change_password(&token, OLD, NEW).await, "maria");
    era_refused(&world.reset_password(&link, OLD).await, 404, NO_REQUEST);
    assert!(world.password_works(&id, NEW).await);
    for invocation in world.invocations().await {
        let ms = invocation["ms"].as_f64().expect("a number");
        assert!(ms < 10_000.0, "the function's time-out is 10 s: {invocation}");
    }
}

/// The faults of a store call: the kind, and how often in a row.
const FAULTS: [(&str, u32); 7] = [
    ("error", 3),
    ("error", 1000),
    ("throttle", 3),
    ("drop_response", 1),
    ("drop_response", 3),
    ("conflict", 3),
    ("conflict", 1000),
];

/// Every fault in every step: `calls` of the store, of which `writes` can conflict with others.
fn each_step(calls: u32, writes: u32) -> impl Iterator<Item = (String, Value)> {
    FAULTS.into_iter().flat_map(move |(kind, times)| {
        let steps = if kind == "conflict" { writes } else { calls };
        (0..steps).map(move |skip| (format!("{kind} x{times} after {skip}"), fault_rule("dynamodb", kind, skip, times)))
    })
}

#[tokio::test]
async fn a_reset_request_survives_a_fault_in_any_step() {
    let world = World::new().await;
    world.new_user("maria").await;
    for (what, rule) in each_step(10, 7) {
        world.inject(rule).await;
        let got = world.request_reset("maria").send().await;
        world.clear_faults().await;
        match got.status {
            200 => got.is(200, CHECK_MAIL),
            _ => {
                era_unavailable(&got);
                assert!(world.messages().await.is_empty(), "{what}: nothing was promised");
                world.advance(121).await;
                world.request_reset("maria").send().await.is(200, CHECK_MAIL);
            }
        }
        assert_eq!(world.messages().await.len(), 1, "{what}");
        // A refused password shows that the link is valid.
        let link = world.link_to(EMAIL).await;
        assert_eq!(world.reset_password(&link, "short").await.status, 412, "{what}");
        let is_passing = what.starts_with("drop_response x1 ");
        assert!(!is_passing || got.status == 200, "{what}: it was done, and is said so");
        world.request("DELETE", "/_local/messages").send_unchecked().await;
        world.advance(DAY).await;
    }
}

#[tokio::test]
async fn a_reset_survives_a_fault_in_any_step() {
    let world = World::new().await;
    let (_, id) = world.new_user("maria").await;
    let mut n = 0;
    for (what, rule) in each_step(4, 1) {
        n += 1;
        let pwd = format!("new-password-{n}");
        let link = world.reset_link("maria", EMAIL).await;
        let before = world.user_row(&id).await;
        world.inject(rule).await;
        let got = world.reset_password(&link, &pwd).await;
        world.clear_faults().await;
        let is_done = world.user_row(&id).await != before;
        match got.status {
            200 => password_set(&got, "maria"),
            _ => era_unavailable(&got),
        }
        assert!(is_done || got.status != 200, "{what}: a success that is none");
        let again = world.reset_password(&link, &pwd).await;
        match is_done {
            true => era_refused(&again, 404, NO_REQUEST),
            false => password_set(&again, "maria"),
        }
        if got.status != 200 {
            assert!(world.password_works(&id, &pwd).await, "{what}: a link that is used up has set the password");
        }
        world.advance(DAY).await;
    }
}

#[tokio::test]
async fn a_change_survives_a_fault_in_any_step() {
    let world = World::new().await;
    let (_, id) = world.new_user("maria").await;
    let (mut current, mut n) = (OLD.to_owned(), 0);
    for (what, rule) in each_step(5, 2) {
        n += 1;
        let pwd = format!("new-password-{n}");
        let token = world.create_token(json!({ "user_id": id, "scopes": ["api"] })).await;
        let before = world.user_row(&id).await;
        world.inject(rule).await;
        let got = world.change_password(&token, &current, &pwd).await;
        world.clear_faults().await;
        let is_done = world.user_row(&id).await != before;
        match got.status {
            200 => password_set(&got, "maria"),
            _ => era_unavailable(&got),
        }
        assert!(is_done || got.status != 200, "{what}: a success that is none");
        let again = world.change_password(&token, &current, &pwd).await;
        match is_done {
            true => era_refused(&again, 401, ERA_UNAUTHORIZED),
            false => password_set(&again, "maria"),
        }
        current = pwd;
        world.advance(DAY).await;
    }
    assert!(world.password_works(&id, &current).await);
}
