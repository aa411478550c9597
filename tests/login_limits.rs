//! Rate limits of sending and guessing codes (docs/contract.md, Second factors and tokens; docs/security.md R20, R22,
//! R25, R30).

use serde_json::{Value, json};

use crate::support::{
    clock::{DAY, HOUR},
    login::{other_than, password_grant, token_in},
    mithril::{refused, too_many_sends, user_blocked, wait_of, wrong_code, wrong_identity},
    people::PHONE,
    requests::Response,
    world::World,
};

const MONTH: u64 = 30 * DAY;

/// Asserts that too many codes were guessed; returns the seconds to wait, at most `most`.
#[track_caller]
fn too_many_guesses(got: &Response, most: u64) -> u64 {
    refused(got, 429, "otp_timeout", "Too many OTP attempts. Try later.");
    wait_of(got, most)
}

/// The counters of a user's codes and failures.
async fn counted(world: &World) -> (Vec<Value>, Value) {
    let user = world.user_row(&world.demo().id).await;
    (world.rows("OtpsTable").await, user["lockout"].clone())
}

#[tokio::test]
async fn three_codes_are_sent_in_a_minute() {
    let world = World::new().await;
    let demo = world.demo();
    let (token, code) = world.begin_api_login(&demo).await;
    let open = token_in(&world.submit_code(&token, &code).await);
    world.create_client("shop", json!("all")).await;
    world.advance(30).await;
    let mut login = password_grant(&demo.email, &demo.password);
    login["client_id"] = "shop".into();
    let token = token_in(&world.request_token(login).await);
    let (token, code) = {
        let third = token_in(&world.refresh_login(&token).await);
        (third, world.code_to(PHONE).await)
    };
    let before = counted(&world).await;
    world.invocations().await;
    let mut wait = 60;
    for _ in 0..2 {
        wait = too_many_sends(&world.sign_in(&demo, &demo.password).await, wait);
        wait = too_many_sends(&world.refresh_login(&token).await, wait);
    }
    assert!(wait <= 31, "the first one was 30 seconds ago: {wait}");
    for invocation in world.invocations().await {
        let calls = invocation["calls"].as_array().expect("calls");
        assert!(calls.iter().all(|call| call["service"] != "sns"), "{invocation}");
    }
    assert_eq!(world.sms_to(PHONE).await.len(), 3);
    assert_eq!(counted(&world).await, before, "nothing counts, and the code stays");
    assert!(world.token_works(&open).await, "a login that came to nothing ends no other");
    world.advance(wait).await;
    // The two of half a minute ago still count: one more is allowed.
    let token = token_in(&world.refresh_login(&token).await);
    too_many_sends(&world.refresh_login(&token).await, 60);
    assert_ne!(world.code_to(PHONE).await, code);
    token_in(&world.submit_code(&token, &world.code_to(PHONE).await).await);
    // Sent messages still count after the login.
    too_many_sends(&world.sign_in(&demo, &demo.password).await, 60);
}

#[tokio::test]
async fn ten_codes_are_sent_in_an_hour_and_twenty_in_a_day() {
    let world = World::new().await;
    let demo = world.demo();
    let started = world.now().await;
    let sent = async || world.sms_to(PHONE).await.len();
    for n in 1..=10 {
        world.begin_login(&demo).await;
        assert_eq!(sent().await, n);
        world.advance(21).await;
    }
    let wait = too_many_sends(&world.sign_in(&demo, &demo.password).await, HOUR);
    let first_ends = started + HOUR;
    let now = world.now().await;
    assert!((first_ends - 5..=first_ends + 30).contains(&(now + wait)), "{now} + {wait}");
    world.advance(wait - 10).await;
    too_many_sends(&world.sign_in(&demo, &demo.password).await, 10);
    world.advance(10).await;
    world.begin_login(&demo).await;
    world.advance(HOUR).await;
    for _ in 12..=20 {
        world.begin_login(&demo).await;
        world.advance(21).await;
    }
    world.advance(HOUR).await;
    let wait = too_many_sends(&world.sign_in(&demo, &demo.password).await, DAY);
    let now = world.now().await;
    let day_ends = started + DAY;
    assert!((day_ends - 5..=day_ends + 30).contains(&(now + wait)), "{now} + {wait}");
    world.advance(wait).await;
    let (token, code) = world.begin_login(&demo).await;
    token_in(&world.submit_code(&token, &code).await);
    assert_eq!(sent().await, 21);
}

#[tokio::test]
async fn ten_guesses_are_compared_in_a_day_whatever_their_outcome() {
    let world = World::with(&[
        ("UserOtpErrorMax", "50"),
        ("OtpMaxAttempts", "10"),
        ("OtpSendCounterMax", "10"),
    ])
    .await;
    let demo = world.demo();
    let started = world.now().await;
    let (token, code) = world.begin_login(&demo).await;
    for _ in 0..3 {
        wrong_code(&world.submit_code(&token, &other_than(&code)).await);
    }
    // The right one counts as a guess, too, and resets no counter.
    token_in(&world.submit_code(&token, &code).await);
    let (token, code) = world.begin_login(&demo).await;
    for _ in 0..6 {
        wrong_code(&world.submit_code(&token, &other_than(&code)).await);
    }
    let before = counted(&world).await;
    for given in [&code, &other_than(&code)] {
        too_many_guesses(&world.submit_code(&token, given).await, DAY);
    }
    assert_eq!(counted(&world).await, before, "what is not compared does not count, and does not extend the wait");
    // Another code or another login does not get a new limit.
    let token = token_in(&world.refresh_login(&token).await);
    too_many_guesses(&world.submit_code(&token, &world.code_to(PHONE).await).await, DAY);
    let (token, code) = world.begin_login(&demo).await;
    let wait = too_many_guesses(&world.submit_code(&token, &code).await, DAY);
    let now = world.now().await;
    assert!((started + DAY - 5..=started + DAY + 30).contains(&(now + wait)), "{now} + {wait}");
    world.advance(wait - 60).await;
    let (token, code) = world.begin_login(&demo).await;
    too_many_guesses(&world.submit_code(&token, &code).await, 60);
    world.advance(60).await;
    token_in(&world.submit_code(&token, &code).await);
}

#[tokio::test]
async fn a_month_has_its_own_rate_limit_of_guesses() {
    let world = World::with(&[("OtpGuessesPerDay", "2"), ("OtpGuessesPer30Days", "3")]).await;
    let demo = world.demo();
    for _ in 0..2 {
        let (token, code) = world.begin_login(&demo).await;
        token_in(&world.submit_code(&token, &code).await);
    }
    let (token, code) = world.begin_login(&demo).await;
    let wait = too_many_guesses(&world.submit_code(&token, &code).await, DAY);
    world.advance(wait).await;
    let (token, code) = world.begin_login(&demo).await;
    token_in(&world.submit_code(&token, &code).await);
    world.advance(DAY).await;
    let (token, code) = world.begin_login(&demo).await;
    let wait = too_many_guesses(&world.submit_code(&token, &code).await, MONTH);
    assert!(wait > 27 * DAY, "{wait}");
    world.advance(wait).await;
    let (token, code) = world.begin_login(&demo).await;
    token_in(&world.submit_code(&token, &code).await);
}

#[tokio::test]
async fn password_spraying_is_rate_limited_per_source() {
    let world = World::with(&[("FailedLoginsPerSourcePerHour", "6"), ("UserLoginErrorMax", "1")]).await;
    let demo = world.demo();
    let tries = std::cell::Cell::new(0_u32);
    // Forwarding headers of the caller are ignored, and a /64 counts as one source.
    let ask = |email: &str, password: &str| {
        tries.set(tries.get() + 1);
        let n = tries.get();
        let asked = world.post("/mithril/api/tokens").json(&password_grant(email, password));
        asked
            .header("x-local-source-ip", &format!("2001:db8:1:2::{n:x}"))
            .header("x-forwarded-for", &format!("198.51.100.{n}"))
            .header("x-real-ip", &format!("198.51.100.{n}"))
    };
    for n in 0..3 {
        wrong_identity(&ask(&format!("nobody{n}@example.org"), "one-password").send().await);
    }
    wrong_identity(&ask(&demo.email, "one-password").send().await);
    wrong_identity(&ask(&demo.email, "one-password").send().await);
    user_blocked(&ask(&demo.email, &demo.password).send().await);
    let (unknown, admin) = (ask("nobody@example.org", "one-password").send().await, world.demo_admin());
    refused(&unknown, 429, "login_timeout", "Too many failed logins. Try later.");
    // Not even a right password is accepted from there; from another source it is.
    let right = ask(&admin.email, &admin.password).send().await;
    refused(&right, 429, "login_timeout", "Too many failed logins. Try later.");
    token_in(&world.request_token(password_grant(&admin.email, &admin.password)).await);
    wait_of(&unknown, HOUR);
    world.advance(wait_of(&right, HOUR)).await;
    token_in(&ask(&admin.email, &admin.password).send().await);
}

#[tokio::test]
async fn parallel_failed_logins_do_not_exceed_the_rate_limit_of_their_source() {
    let world = World::with(&[("FailedLoginsPerSourcePerHour", "10")]).await;
    let tries = (0..64).map(|n| {
        let body = password_grant(&format!("nobody{n}@example.org"), "wrong");
        world.request_token(body)
    });
    let got = futures_util::future::join_all(tries).await;
    let (unauthorized, late): (Vec<_>, Vec<_>) = got.iter().partition(|got| got.status == 401);
    assert_eq!(unauthorized.len(), 10);
    assert!(late.iter().all(|got| got.status == 429), "{late:?}");
}
