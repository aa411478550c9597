//! A password reset does not allow user enumeration (security.md R27) or mail floods (R24, R30).

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    era::{CHECK_MAIL, password_set, too_many_requests},
    messages::{credential_in, suppress, suppress_for},
    password::{NEW, OLD, RESET},
    people::DOMAIN,
    requests::comparable,
    world::World,
};

/// The calls of the newest reset request.
async fn calls(world: &World) -> Value {
    let all = world.invocations().await;
    let mut own = all.into_iter().filter(|one| one["function"] == "password-reset-request");
    let calls = own.next().expect("an invocation")["calls"].take();
    assert!(own.next().is_none());
    calls
}

#[tokio::test]
async fn every_response_has_the_same_bytes_and_calls() {
    let world = World::new().await;
    for login in ["known", "mailed", "bounced", "asked", "complained"] {
        world.new_user(login).await;
    }
    let (_, blocked) = world.new_user("blocked").await;
    world.run_command(json!({ "command": "block_user", "user_id": blocked })).await;
    suppress(&world, "bounced@example.org").await;
    suppress(&world, "stranger-bounced@example.org").await;
    suppress_for(&world, "complained@example.org", "complaint").await;
    suppress_for(&world, "stranger-complained@example.org", "complaint").await;
    for key in ["asked", "nobody-asked", "stranger-asked@example.org"] {
        world.request_reset(key).send().await.is(200, CHECK_MAIL);
    }
    let before = world.messages().await.len();
    world.invocations().await;

    world.request_reset("known").send().await.is(200, CHECK_MAIL);
    let cost = calls(&world).await;
    let operations: Vec<_> = cost.as_array().expect("calls").iter().map(|call| &call["operation"]).collect();
    assert_eq!(
        operations.len(),
        11,
        "three reads, six limits, the request with its audit event, and the mail: {operations:?}"
    );
    let expected = comparable(&world.request_reset("mailed@example.org").send().await);
    assert_eq!(calls(&world).await, cost);
    for key in [
        "nobody",
        "stranger@example.org",
        "blocked",
        "bounced",
        "stranger-bounced@example.org",
        "complained",
        "complained@example.org",
        "stranger-complained@example.org",
        "asked",
        "asked@example.org",
        "nobody-asked",
        "stranger-asked@example.org",
    ] {
        assert_eq!(comparable(&world.request_reset(key).send().await), expected, "{key}");
        assert_eq!(calls(&world).await, cost, "{key}");
    }
    for domain in ["unknown.example", "a"] {
        let ask = world.post(RESET).with_new_address().json(&json!({ "key": "known", "domain": domain }));
        assert_eq!(comparable(&ask.send().await), expected, "{domain}");
        assert_eq!(calls(&world).await, cost, "{domain}");
    }

    let mails = world.messages().await.split_off(before);
    let to: Vec<_> = mails.iter().map(|mail| mail["to"].as_str().expect("an address")).collect();
    assert_eq!(
        to,
        [
            "known@example.org",
            "mailed@example.org",
            "stranger@example.org",
            "blocked@example.org",
            "complained@example.org"
        ]
    );
    for mail in &mails {
        let text = mail["text"].as_str().expect("text");
        match mail["to"] == "stranger@example.org" {
            false => assert_eq!(credential_in(text).len(), 36),
            true => {
                assert_eq!(mail["subject"], format!("No account with this address at {DOMAIN}"));
                assert!(!mail.to_string().contains("://"), "no link: {mail}");
            }
        }
    }
    // A refusal reveals no more.
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
        too_many_requests(&got);
        refused.push((calls(&world).await, got.body));
    }
    refused.dedup();
    assert_eq!(refused.len(), 1, "{refused:?}");
}

#[tokio::test]
async fn a_bounced_address_gets_no_notice() {
    let world = World::new().await;
    let (token, _) = world.new_user("maria").await;
    suppress(&world, "maria@example.org").await;
    password_set(&world.change_password(&token, OLD, NEW).await, "maria");
    assert!(world.messages().await.is_empty());
}

#[tokio::test]
async fn a_network_is_limited_to_one_reset_request_in_two_minutes() {
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
            let now = too_many_requests(&got);
            assert!((1..=120).contains(&now) && (n == 0 || now <= wait), "the wait does not grow");
            wait = now;
        }
        ask(other, "maria", "198.51.100.1").await.is(200, CHECK_MAIL);
        world.advance(wait).await;
        ask(second, "other", "198.51.100.1").await.is(200, CHECK_MAIL);
        world.advance(121).await;
    }
    // Of concurrent requests, one succeeds.
    let keys: Vec<_> = (0..32).map(|n| format!("racer{n}")).collect();
    let answers = join_all(keys.iter().map(|key| ask("203.0.113.7", key, "198.51.100.1"))).await;
    assert_eq!(answers.iter().filter(|got| got.status == 200).count(), 1);
    for got in answers.iter().filter(|got| got.status != 200) {
        too_many_requests(got);
    }
}

#[tokio::test]
async fn parallel_requests_for_one_address_send_one_mail() {
    let world = World::new().await;
    world.new_user("maria").await;
    for (keys, email) in [
        (["maria", "maria@example.org"], "maria@example.org"),
        (["stranger@example.org", "STRANGER@example.org"], "stranger@example.org"),
    ] {
        let asks = keys.iter().cycle().take(32).map(|key| world.request_reset(key).send());
        for got in join_all(asks).await {
            got.is(200, CHECK_MAIL);
        }
        let mails = world.messages().await;
        let to = |mail: &Value| mail["to"].as_str().expect("an address").to_lowercase();
        assert_eq!(mails.iter().filter(|mail| to(mail) == email).count(), 1, "{email}");
        world.advance(60).await;
    }
    // The mailed link is valid, although 31 others were not sent.
    assert_eq!(world.reset_password(&world.link_to("maria@example.org").await, "ew!hIb3V").await.status, 200);
}

/// A flood stops mail to unknown addresses, with the same responses and calls as before, and no owner's mail.
#[tokio::test]
async fn a_flood_neither_blocks_the_owners_mail_nor_reveals_an_account() {
    let world = World::with(&[("RequestsPerDomainPerMinute", "2"), ("MailsPerDomainPerHour", "10")]).await;
    for login in ["maria", "olga"] {
        world.new_user(login).await;
    }
    for flood in 0..2 {
        // First the minute is used up, then the hour.
        for n in 0..[2, 10][flood] {
            world.request_reset(&format!("flood{flood}x{n}")).send().await.is(200, CHECK_MAIL);
            if flood == 1 {
                world.advance(31).await;
            }
        }
        // Nothing is refunded in between.
        for n in 0..3 {
            world.request_reset(&format!("more{flood}x{n}")).send().await.is(200, CHECK_MAIL);
        }
        let before = world.messages().await.len();
        world.invocations().await;
        let owner = ["maria", "olga@example.org"][flood];
        let known = comparable(&world.request_reset(owner).send().await);
        let cost = calls(&world).await;
        for key in ["nobody", "stranger@example.org", "maria@example.org"] {
            assert_eq!(comparable(&world.request_reset(key).send().await), known, "{key}");
            assert_eq!(calls(&world).await, cost, "{key}");
        }
        let to: Vec<_> = world.messages().await.split_off(before);
        let to: Vec<_> = to.iter().map(|mail| mail["to"].as_str().expect("an address")).collect();
        match flood {
            0 => assert_eq!(to, ["maria@example.org"]),
            // The waits of two and of four minutes have passed.
            _ => assert_eq!(to, ["olga@example.org", "maria@example.org"]),
        }
        world.advance(61).await;
    }
    let lines = world.cloud().logs();
    assert!(lines.iter().any(|line| line.contains("\"MailOverBudget\":1")));
}

/// The name of an unconfigured domain is attacker-controlled: it gets into no mail (R32).
#[tokio::test]
async fn an_unconfigured_domain_sends_no_mail() {
    let world = World::new().await;
    let ask = |domain: &str| {
        let body = json!({ "key": "victim@example.com", "domain": domain });
        world.post(RESET).json(&body).with_new_address()
    };
    world.invocations().await;
    ask("claim-your-prize.example").send().await.is(200, CHECK_MAIL);
    let undescribed = calls(&world).await;
    assert_eq!(world.messages().await.len(), 0);
    ask(DOMAIN).send().await.is(200, CHECK_MAIL);
    assert_eq!(calls(&world).await, undescribed);
}
