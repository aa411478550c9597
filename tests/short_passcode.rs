//! Passcodes of fewer than 2^64 values: their format, and the rate limits that prevent brute force.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{
    passcode::{CLIENT, PURPOSE, SHORT, USER, passcode_refused, spring_refused},
    requests::Response,
    world::World,
};

#[tokio::test]
async fn short_passcodes_have_the_format_of_their_purpose() {
    let world = World::with(&[("PasscodePurposes", SHORT)]).await;
    let short = world.retrieve(USER, "PHONE").await;
    assert!(short.token.len() == 6 && short.token.bytes().all(|b| b.is_ascii_digit()), "{}", short.token);
    assert_eq!(world.retrieve(USER, PURPOSE).await.token.len(), 32);
    world.consume(&short.token, USER, "PHONE").send().await.ok(200);
}

#[tokio::test]
async fn a_malformed_passcode_does_not_count_as_a_guess() {
    let world = World::with(&[("PasscodePurposes", SHORT)]).await;
    let issued = world.retrieve(USER, "PHONE").await;
    let rate_limits = world.rows("BudgetsTable").await;
    for text in [
        "١٢٣٤٥٦",
        "１２３４５６",
        "+12345",
        "12345",
        "0123456",
        "12345 ",
        "12345\0",
        &"1".repeat(9000),
    ] {
        for _ in 0..3 {
            passcode_refused(&world.consume(text, USER, "PHONE").send().await);
        }
    }
    assert_eq!(world.rows("BudgetsTable").await, rate_limits, "nothing was counted");
    world.consume(&issued.token, USER, "PHONE").send().await.ok(200);
}

/// A wrong code in the right format.
fn wrong(right: &str, n: u32) -> String {
    let wrong = (right.parse::<u32>().expect("digits") + 1 + n) % 1_000_000;
    format!("{wrong:06}")
}

#[tokio::test]
async fn parallel_guesses_are_evaluated_exactly_up_to_the_rate_limit() {
    let world = World::with(&[("PasscodePurposes", SHORT), ("PasscodeGuessesPerDay", "5")]).await;
    let issued = world.retrieve(USER, "PHONE").await;
    let guesses = (0..64).map(|n| {
        let guess = wrong(&issued.token, n);
        let world = &world;
        async move { world.consume(&guess, USER, "PHONE").send().await }
    });
    let all = join_all(guesses).await;
    let (evaluated, stopped): (Vec<_>, Vec<_>) = all.iter().partition(|got| got.status == 400);
    assert_eq!((evaluated.len(), stopped.len()), (5, 59));
    evaluated.into_iter().for_each(passcode_refused);
    stopped.into_iter().for_each(too_many);
    // The right one is refused too, and other users are not affected.
    too_many(&world.consume(&issued.token, USER, "PHONE").send().await);
    world.is_valid(&issued.id, true).await;
    let other = world.retrieve("other@test.com", "PHONE").await;
    world.consume(&other.token, "other@test.com", "PHONE").send().await.ok(200);
    // A new passcode does not reset the rate limit.
    let fresh = world.retrieve(USER, "PHONE").await;
    too_many(&world.consume(&fresh.token, USER, "PHONE").send().await);
}

#[track_caller]
fn too_many(got: &Response) {
    spring_refused(got, 429, "Too Many Requests", "/passcode/consume");
    let wait: u64 = got.header("retry-after").expect("Retry-After").parse().expect("seconds");
    assert!((1..=30 * 86_400).contains(&wait), "{wait}");
}

#[tokio::test]
async fn the_rate_limit_is_rolling_and_success_does_not_reset_it() {
    let world = World::with(&[
        ("PasscodePurposes", SHORT),
        ("PasscodeGuessesPerDay", "2"),
        ("PasscodeGuessesPer30Days", "3"),
    ])
    .await;
    let first = world.retrieve(USER, "PHONE").await;
    passcode_refused(&world.consume(&wrong(&first.token, 0), USER, "PHONE").send().await);
    world.consume(&first.token, USER, "PHONE").send().await.ok(200);
    let second = world.retrieve(USER, "PHONE").await;
    let got = world.consume(&second.token, USER, "PHONE").send().await;
    too_many(&got);
    let wait: u64 = got.header("retry-after").expect("Retry-After").parse().expect("seconds");
    world.advance(wait - 60).await;
    too_many(&world.consume(&second.token, USER, "PHONE").send().await);
    world.advance(60).await;
    // Guesses are allowed again, up to the month's three. (The passcode itself has expired by now.)
    passcode_refused(&world.consume(&second.token, USER, "PHONE").send().await);
    world.advance(86_400).await;
    too_many(&world.consume(&second.token, USER, "PHONE").send().await);
    world.advance(30 * 86_400).await;
    let owner = json!({ "owner_client_id": "heatclinic", "scopes": ["passcode"] });
    let token = world.create_token(owner).await;
    let fields = [
        ("passcode", second.token.as_str()),
        ("purpose", "PHONE"),
        ("username", USER),
    ];
    passcode_refused(&world.post("/passcode/consume").query(&[CLIENT]).bearer(&token).form(&fields).send().await);
}

#[tokio::test]
async fn short_passcodes_are_issued_within_a_rate_limit() {
    let world = World::with(&[("PasscodePurposes", SHORT), ("ShortPasscodesPerHour", "3")]).await;
    let query = [("purpose", "PHONE"), ("username", USER), CLIENT];
    let retrieve = || world.get("/passcode/retrieve").query(&query).bearer(world.passcode_token()).send();
    let all = join_all((0..12).map(|_| retrieve())).await;
    assert_eq!(all.iter().filter(|got| got.status == 200).count(), 3);
    for got in all.iter().filter(|got| got.status != 200) {
        spring_refused(got, 429, "Too Many Requests", "/passcode/retrieve");
        let wait: u64 = got.header("retry-after").expect("Retry-After").parse().expect("seconds");
        assert!((1..=3600).contains(&wait), "{wait}");
    }
    assert_eq!(world.rows("PasscodesTable").await.len(), 3);
    // Other users, and passcodes too long to guess, are not affected.
    world.retrieve("other@test.com", "PHONE").await;
    world.retrieve(USER, PURPOSE).await;
    world.advance(3600).await;
    world.retrieve(USER, "PHONE").await;
}
