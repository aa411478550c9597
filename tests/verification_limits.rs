//! How many messages and guesses a verification may use: docs/contract.md, Verify.

use serde_json::json;

use crate::support::{
    people::PHONE,
    verify::{ADDRESS, NUMBER, refused, wrong},
    world::World,
};

const BUDGET: &str = "Messages to this destination are suspended: too many were not verified";

#[tokio::test]
async fn five_messages_are_sent_in_ten_minutes() {
    let world = World::new().await;
    let app = world.application();
    for _ in 0..5 {
        app.start(&world, ADDRESS).await;
        let cancel = app.request(&world, "POST", &format!("/Verifications/{ADDRESS}")).form(&[("Status", "canceled")]);
        cancel.send().await.ok(200);
    }
    let got = app.starting(&world, &[("To", ADDRESS), ("Channel", "email")]).send().await;
    refused(&got, 429, 60203, "Max send attempts reached");
    let wait = got.retry_after();
    assert!((590..=600).contains(&wait), "{wait}");
    world.advance(wait).await;
    app.start(&world, ADDRESS).await;
    assert_eq!(world.mails_to(ADDRESS).await.len(), 6);
}

#[tokio::test]
async fn the_guess_budget_survives_cancels_new_verifications_services_and_addresses() {
    let world = World::with(&[("UnverifiedBudget", "record")]).await;
    let demo = world.application();
    let services = [
        demo.service_with(&world, &[]).await,
        demo.service_with(&world, &[]).await,
        demo.service_with(&world, &[]).await,
        demo.service_with(&world, &[]).await,
        demo.service_with(&world, &[]).await,
    ];
    let mut compared = 0;
    for app in &services {
        app.start(&world, ADDRESS).await;
        let code = wrong(&world.verification_code(ADDRESS).await);
        for _ in 0..5 {
            let got = app.checking(&world, ADDRESS, &code).with_new_address().send().await;
            match got.status {
                200 => compared += 1,
                _ => refused(&got, 429, 60202, "Max check attempts reached"),
            }
        }
        let cancel = app.request(&world, "POST", &format!("/Verifications/{ADDRESS}")).form(&[("Status", "canceled")]);
        cancel.send().await.ok(200);
    }
    assert_eq!(compared, 20);
    // Until a day has passed since the first guess, a right one is not compared either.
    services[0].start(&world, ADDRESS).await;
    let code = world.verification_code(ADDRESS).await;
    let got = services[0].check(&world, ADDRESS, &code).await;
    refused(&got, 429, 60202, "Max check attempts reached");
    let wait = got.retry_after();
    assert!((86_000..=86_400).contains(&wait), "{wait}");
    world.advance(wait).await;
    services[0].start(&world, ADDRESS).await;
    let code = world.verification_code(ADDRESS).await;
    assert_eq!(services[0].check(&world, ADDRESS, &code).await.ok(200)["valid"], true);
}

#[tokio::test]
async fn messages_to_a_number_are_limited_across_services_and_families() {
    let world = World::with(&[("UnverifiedBudget", "record"), ("SmsPerNumberPerHour", "3")]).await;
    let demo = world.application();
    // Half of the limit is kept for the logins of the number's owner.
    for _ in 0..2 {
        let app = demo.service_with(&world, &[]).await;
        app.start(&world, NUMBER).await;
    }
    let app = demo.service_with(&world, &[]).await;
    let got = app.starting(&world, &[("To", NUMBER), ("Channel", "sms")]).send().await;
    refused(&got, 429, 60203, "Max send attempts reached");
    assert!((3500..=3600).contains(&got.retry_after()));
    assert_eq!(world.sms_to(NUMBER).await.len(), 2);
}

#[tokio::test]
async fn unverified_messages_to_a_country_have_a_budget() {
    let world = World::new().await;
    let app = world.application();
    // 14 quiet days: nothing of an earlier day counts.
    world.advance(15 * 86_400).await;
    let number = |n: u32| format!("+4479112345{n:02}");
    for n in 0..3 {
        app.start(&world, &number(n)).await;
    }
    let start = |n: u32| {
        let to = number(n);
        let form = [("To", to.as_str()), ("Channel", "sms")];
        app.starting(&world, &form)
    };
    refused(&start(3).send().await, 403, 60410, BUDGET);
    // Another country has its own.
    app.start(&world, NUMBER).await;
    // An approval makes room.
    let code = world.verification_code(&number(0)).await;
    assert_eq!(app.check(&world, &number(0), &code).await.ok(200)["valid"], true);
    app.start(&world, &number(4)).await;
    refused(&start(5).send().await, 403, 60410, BUDGET);
    assert_eq!(world.messages().await.len(), 5);
    // A pending code is sent again, and a number that was verified before gets one.
    app.start(&world, &number(1)).await;
    app.start(&world, &number(0)).await;
    // What was refused left nothing behind.
    world.advance(2 * 3600).await;
    start(3).send().await.ok(201);
}

#[tokio::test]
async fn a_budget_that_is_only_recorded_refuses_nothing() {
    let world = World::with(&[("UnverifiedBudget", "record")]).await;
    let app = world.application();
    world.advance(15 * 86_400).await;
    for n in 0..5 {
        app.start(&world, &format!("+4479112345{n:02}")).await;
    }
    assert_eq!(world.metrics("verification-start", "UnverifiedBudgetExhausted").len(), 2);
}

#[tokio::test]
async fn text_messages_have_a_budget_in_money() {
    let world = World::with(&[
        ("SmsCountries", "1,44"),
        ("SmsPrices", "1=0.5,44=1"),
        ("SmsMoneyPerDay", "4"),
        ("UnverifiedBudget", "record"),
    ])
    .await;
    let app = world.application();
    // Half of the money is for destinations that were verified before.
    for n in 0..4 {
        app.start(&world, &format!("+1415555014{n}")).await;
    }
    let got = app.starting(&world, &[("To", "+447911123456"), ("Channel", "sms")]).send().await;
    refused(&got, 429, 20429, "Too many requests");
    assert!(got.retry_after() > 3600);
    let code = world.verification_code("+14155550140").await;
    assert_eq!(app.check(&world, "+14155550140", &code).await.ok(200)["valid"], true);
    app.start(&world, "+14155550140").await;
}

#[tokio::test]
async fn a_rate_limit_that_an_application_defines_counts_each_value() {
    let world = World::new().await;
    let app = world.application().service_with(&world, &[]).await;
    let limit = app
        .request(&world, "POST", "/RateLimits")
        .form(&[("UniqueName", "end_user_ip")])
        .send()
        .await
        .ok(201);
    let path = format!("/RateLimits/{}/Buckets", limit["sid"].as_str().expect("a SID"));
    app.request(&world, "POST", &path).form(&[("Max", "2"), ("Interval", "60")]).send().await.ok(201);
    let start = |to: &'static str, ip: &str| {
        let limits = json!({ "end_user_ip": ip }).to_string();
        app.starting(&world, &[("To", to), ("Channel", "email"), ("RateLimits", limits.as_str())])
    };
    start("a@example.com", "203.0.113.7").send().await.ok(201);
    start("b@example.com", "203.0.113.7").send().await.ok(201);
    let got = start("c@example.com", "203.0.113.7").send().await;
    refused(&got, 429, 20429, "Too many requests");
    assert!((30..=60).contains(&got.retry_after()));
    start("c@example.com", "203.0.113.8").send().await.ok(201);
    world.advance(60).await;
    start("d@example.com", "203.0.113.7").send().await.ok(201);
}

#[tokio::test]
async fn a_suppressed_address_gets_no_code() {
    let world = World::new().await;
    let app = world.application();
    crate::support::messages::suppress(&world, ADDRESS).await;
    let got = app.starting(&world, &[("To", ADDRESS), ("Channel", "email")]).send().await;
    refused(&got, 400, 60200, "Invalid parameter: To");
    assert!(world.mails_to(ADDRESS).await.is_empty());
}

#[tokio::test]
async fn five_text_messages_are_sent_in_ten_minutes_and_the_owner_can_still_log_in() {
    let world = World::new().await;
    let (app, demo) = (world.application(), world.demo());
    for _ in 0..5 {
        app.start(&world, PHONE).await;
    }
    let got = app.starting(&world, &[("To", PHONE), ("Channel", "sms")]).send().await;
    refused(&got, 429, 60203, "Max send attempts reached");
    world.advance(60).await;
    world.log_in(&demo).await;
}

#[tokio::test]
async fn a_start_that_fails_counts_in_no_rate_limit() {
    let world = World::new().await;
    let app = world.application().service_with(&world, &[]).await;
    let limit = app.request(&world, "POST", "/RateLimits").form(&[("UniqueName", "user")]).send().await.ok(201);
    let path = format!("/RateLimits/{}/Buckets", limit["sid"].as_str().expect("a SID"));
    app.request(&world, "POST", &path).form(&[("Max", "1"), ("Interval", "60")]).send().await.ok(201);
    let form = [
        ("To", ADDRESS),
        ("Channel", "email"),
        ("RateLimits", r#"{"user":"maria"}"#),
    ];
    world
        .inject(json!({ "service": "ses", "operation": null, "kind": "error", "skip": 0, "times": 100 }))
        .await;
    for _ in 0..2 {
        let got = app.starting(&world, &form).send().await;
        refused(&got, 503, 20503, "The message cannot be sent, try again later");
    }
    world.clear_faults().await;
    app.starting(&world, &form).send().await.ok(201);
}
