//! Nobody learns from a password reset who has an account (security.md R27), and nobody is flooded with mail (R24, R30).

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    mail::{CHECK_MAIL, DOMAIN, RESET, credential, said, seen, suppress},
    password_change::wait_of,
    password_reset::{NEW, OLD, is_set},
    world::World,
};

/// What the newest ask for a reset called.
async fn calls(world: &World) -> Value {
    let all = world.invocations().await;
    let mut own = all
        .into_iter()
        .filter(|one| one["function"] == "password-reset-request");
    let calls = own.next().expect("an invocation")["calls"].take();
    assert!(own.next().is_none());
    calls
}

#[tokio::test]
async fn every_answer_is_the_same_and_costs_the_same() {
    let world = World::new().await;
    for login in ["known", "mailed", "bounced", "asked"] {
        world.new_user(login).await;
    }
    let (_, blocked) = world.new_user("blocked").await;
    world
        .operator(json!({ "command": "block_user", "user_id": blocked }))
        .await;
    suppress(&world, "bounced@example.org").await;
    suppress(&world, "stranger-bounced@example.org").await;
    for key in ["asked", "nobody-asked", "stranger-asked@example.org"] {
        world.forgot(key).send().await.is(200, CHECK_MAIL);
    }
    let before = world.mails().await.len();
    world.invocations().await;

    world.forgot("known").send().await.is(200, CHECK_MAIL);
    let cost = calls(&world).await;
    let operations: Vec<_> = cost
        .as_array()
        .expect("calls")
        .iter()
        .map(|call| &call["operation"])
        .collect();
    assert_eq!(
        operations.len(),
        9,
        "three reads, three budgets, the request, the mail, and the audit event: {operations:?}"
    );
    let expected = seen(&world.forgot("mailed@example.org").send().await);
    assert_eq!(calls(&world).await, cost);
    for key in [
        "nobody",
        "stranger@example.org",
        "blocked",
        "bounced",
        "stranger-bounced@example.org",
        "asked",
        "asked@example.org",
        "nobody-asked",
        "stranger-asked@example.org",
    ] {
        assert_eq!(seen(&world.forgot(key).send().await), expected, "{key}");
        assert_eq!(calls(&world).await, cost, "{key}");
    }
    for domain in ["unknown.example", "a"] {
        let ask = world
            .post(RESET)
            .of_a_new_source()
            .json(&json!({ "key": "known", "domain": domain }));
        assert_eq!(seen(&ask.send().await), expected, "{domain}");
        assert_eq!(calls(&world).await, cost, "{domain}");
    }

    let mails = world.mails().await.split_off(before);
    let to: Vec<_> = mails
        .iter()
        .map(|mail| mail["to"].as_str().expect("an address"))
        .collect();
    assert_eq!(
        to,
        [
            "known@example.org",
            "mailed@example.org",
            "stranger@example.org",
            "blocked@example.org"
        ]
    );
    for mail in &mails {
        let text = mail["text"].as_str().expect("text");
        match mail["to"] == "stranger@example.org" {
            false => assert_eq!(credential(text).len(), 36),
            true => {
                assert_eq!(mail["subject"], format!("No account with this address at {DOMAIN}"));
                assert!(!mail.to_string().contains("://"), "no link: {mail}");
            }
        }
    }
    // A refusal tells no more.
    let from = "203.0.113.9";
    let ask = async |key: &str| {
        let ask = world.post(RESET).header("x-local-source-ip", from);
        ask.json(&json!({ "key": key, "domain": DOMAIN })).send().await
    };
    ask("someone").await.is(200, CHECK_MAIL);
    calls(&world).await;
    let mut refused = Vec::new();
    for key in [
        "known",
        "nobody",
        "mailed@example.org",
        "stranger@example.org",
        "blocked",
        "bounced",
        "asked",
    ] {
        let got = ask(key).await;
        wait_of(&got);
        refused.push((calls(&world).await, got.body));
    }
    refused.dedup();
    assert_eq!(refused.len(), 1, "{refused:?}");
}

#[tokio::test]
async fn an_address_that_bounced_gets_no_notice() {
    let world = World::new().await;
    let (token, _) = world.new_user("maria").await;
    suppress(&world, "maria@example.org").await;
    is_set(&world.change_password(&token, OLD, NEW).await, "maria");
    assert!(world.mails().await.is_empty());
}

#[tokio::test]
async fn one_network_asks_once_in_two_minutes() {
    let world = World::new().await;
    let ask = async |from: &str, key: &str, spoof: &str| {
        let ask = world.post(RESET).header("x-local-source-ip", from);
        let ask = ["x-forwarded-for", "x-real-ip", "true-client-ip"]
            .into_iter()
            .fold(ask, |ask, name| ask.header(name, spoof));
        let ask = ask.header("forwarded", &format!("for={spoof}"));
        ask.json(&json!({ "key": key, "domain": DOMAIN })).send().await
    };
    for (first, second, other) in [
        ("203.0.113.7", "203.0.113.7", "203.0.113.8"),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::2", "2001:db8:1:3::1"),
    ] {
        ask(first, "maria", "198.51.100.1").await.is(200, CHECK_MAIL);
        let mut wait = 0;
        for n in 0..3 {
            let got = ask(second, &format!("other{n}"), &format!("198.51.100.{n}")).await;
            let now = wait_of(&got);
            assert!(
                (1..=120).contains(&now) && (n == 0 || now <= wait),
                "the wait does not grow"
            );
            wait = now;
        }
        ask(other, "maria", "198.51.100.1").await.is(200, CHECK_MAIL);
        world.advance(wait).await;
        ask(second, "other", "198.51.100.1").await.is(200, CHECK_MAIL);
        world.advance(121).await;
    }
    // However many come at once, one of them passes.
    let keys: Vec<_> = (0..32).map(|n| format!("racer{n}")).collect();
    let answers = join_all(keys.iter().map(|key| ask("203.0.113.7", key, "198.51.100.1"))).await;
    assert_eq!(answers.iter().filter(|got| got.status == 200).count(), 1);
    for got in answers.iter().filter(|got| got.status != 200) {
        wait_of(got);
    }
}

#[tokio::test]
async fn one_address_gets_one_mail_in_two_minutes_and_six_a_day() {
    let world = World::new().await;
    let email = "maria@example.org";
    world.new_user("maria").await;
    world.new_user_in("other.example", "maria", false).await;
    let count = async || world.mails_to(email).await.len();
    let started = world.now().await;
    for n in 1..=6 {
        // By login and by address, in any domain: it is one mailbox.
        for key in ["maria", email, "MARIA@example.org"] {
            world.forgot(key).send().await.is(200, CHECK_MAIL);
        }
        let elsewhere = json!({ "key": email, "domain": "other.example" });
        world
            .post(RESET)
            .of_a_new_source()
            .json(&elsewhere)
            .send()
            .await
            .is(200, CHECK_MAIL);
        assert_eq!(count().await, n, "one mail at a time");
        world.advance(121).await;
    }
    world.forgot("maria").send().await.is(200, CHECK_MAIL);
    assert_eq!(count().await, 6, "six a day");
    world.advance(started + 86_400 - world.now().await).await;
    // The first one may have come a little later than we looked at the clock.
    world.advance(60).await;
    world.forgot("maria").send().await.is(200, CHECK_MAIL);
    assert_eq!(count().await, 7);
}

#[tokio::test]
async fn parallel_asks_for_one_address_send_one_mail() {
    let world = World::new().await;
    world.new_user("maria").await;
    for (keys, email) in [
        (["maria", "maria@example.org"], "maria@example.org"),
        (["stranger@example.org", "STRANGER@example.org"], "stranger@example.org"),
    ] {
        let asks = keys.iter().cycle().take(32).map(|key| world.forgot(key).send());
        for got in join_all(asks).await {
            got.is(200, CHECK_MAIL);
        }
        let mails = world.mails().await;
        let to = |mail: &Value| mail["to"].as_str().expect("an address").to_lowercase();
        assert_eq!(mails.iter().filter(|mail| to(mail) == email).count(), 1, "{email}");
        world.advance(60).await;
    }
    // The link that was sent is a good one, although 31 others were not.
    assert_eq!(
        world
            .reset(&world.link_to("maria@example.org").await, "ew!hIb3V")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn one_domain_has_its_own_limit() {
    let world = World::with(&[("RequestsPerDomainPerMinute", "2")]).await;
    for key in ["one", "two@example.org"] {
        world.forgot(key).send().await.is(200, CHECK_MAIL);
    }
    let from = "203.0.113.7";
    let ask = async |domain: &str| {
        let ask = world.post(RESET).header("x-local-source-ip", from);
        ask.json(&json!({ "key": "three", "domain": domain })).send().await
    };
    let got = ask(DOMAIN).await;
    let wait = wait_of(&got);
    assert!((1..=60).contains(&wait));
    // What was refused has not used the caller's own slot up.
    ask("other.example").await.is(200, CHECK_MAIL);
    said(&ask("other.example").await, 429, "too many requests, try again later");
    world.advance(121).await;
    ask(DOMAIN).await.is(200, CHECK_MAIL);
}

/// The name of a domain that the operator has never heard of is a stranger's text: it gets into nobody's mail (R32).
#[tokio::test]
async fn a_domain_that_nobody_described_mails_nobody() {
    let world = World::new().await;
    let ask = |domain: &str| {
        let body = json!({ "key": "victim@example.com", "domain": domain });
        world.post(RESET).json(&body).of_a_new_source()
    };
    world.invocations().await;
    ask("claim-your-prize.example").send().await.is(200, CHECK_MAIL);
    let undescribed = calls(&world).await;
    assert_eq!(world.mails().await.len(), 0);
    ask(DOMAIN).send().await.is(200, CHECK_MAIL);
    assert_eq!(calls(&world).await, undescribed);
}
