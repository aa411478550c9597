//! Rate limits of registration, and protection against user enumeration (security.md R24, R25, R27).

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{
    clock::DAY,
    era::{CHECK_MAIL, too_soon},
    messages::suppress,
    people::DOMAIN,
    registration::{REGISTER, register_from},
    requests::comparable,
    world::World,
};

#[tokio::test]
async fn a_source_is_limited_to_one_request_in_two_minutes() {
    let world = World::new().await;
    register_from(&world, "203.0.113.7", "first").send().await.is(200, CHECK_MAIL);
    let asked = world.now().await;
    let headers = [
        "x-forwarded-for",
        "forwarded",
        "x-real-ip",
        "true-client-ip",
        "cf-connecting-ip",
    ];
    for n in 0..20 {
        let mut ask = register_from(&world, "203.0.113.7", "second");
        for name in headers {
            ask = ask.header(name, &format!("198.51.100.{n}"));
        }
        too_soon(&ask.send().await, 120);
    }
    too_soon(&register_from(&world, "::ffff:203.0.113.7", "second").send().await, 120);

    // Refused requests did not extend the wait, which ends at its second.
    world.advance(110).await;
    loop {
        let before = world.now().await;
        let got = register_from(&world, "203.0.113.7", "second").send().await;
        let after = world.now().await;
        if got.status == 200 {
            // The first request was made within the second before `asked`, or in it.
            assert!(after + 1 >= asked + 120, "{asked} {after}");
            break;
        }
        let wait = too_soon(&got, 10);
        assert!(before < asked + 120, "{asked} {before}");
        assert!(before + wait <= asked + 120, "a promise that holds: {wait} at {before}, {asked}");
        world.advance(1).await;
    }
    assert_eq!(world.mails_to("second@yandex.ru").await.len(), 1);
    too_soon(&register_from(&world, "203.0.113.7", "third").send().await, 120);
    register_from(&world, "203.0.113.8", "third").send().await.is(200, CHECK_MAIL);
}

#[tokio::test]
async fn a_request_after_retry_after_is_accepted() {
    let world = World::new().await;
    register_from(&world, "203.0.113.7", "first").send().await.is(200, CHECK_MAIL);
    world.advance(60).await;
    let wait = too_soon(&register_from(&world, "203.0.113.7", "second").send().await, 60);
    world.advance(wait).await;
    register_from(&world, "203.0.113.7", "second").send().await.is(200, CHECK_MAIL);
}

#[tokio::test]
async fn an_ipv6_caller_is_counted_by_its_64_prefix() {
    let world = World::new().await;
    register_from(&world, "2001:db8:1:2::1", "first").send().await.is(200, CHECK_MAIL);
    for source in ["2001:db8:1:2::2", "2001:DB8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::"] {
        too_soon(&register_from(&world, source, "second").send().await, 120);
    }
    register_from(&world, "2001:db8:1:3::1", "second").send().await.is(200, CHECK_MAIL);
    // A request that is refused for another reason does not use up the limit.
    for login in ["demo", "a b"] {
        assert_eq!(register_from(&world, "2001:db8:1:4::1", login).send().await.status, 412);
    }
    register_from(&world, "2001:db8:1:4::2", "third").send().await.is(200, CHECK_MAIL);
}

#[tokio::test]
async fn a_domain_has_a_rate_limit_per_minute() {
    let world = World::with(&[("RequestsPerDomainPerMinute", "3")]).await;
    world.allow_registration("club.example", json!({})).await;
    for round in 0..2 {
        let burst =
            (0..32).map(|n| register_from(&world, &format!("203.0.113.{n}"), &format!("login{round}x{n}")).send());
        let got = join_all(burst).await;
        let taken: Vec<_> = (0..32).filter(|n| got[*n].status == 200).collect();
        assert_eq!(taken.len(), 3, "round {round}: {:?}", got.iter().map(|got| got.status).collect::<Vec<_>>());
        assert_eq!(world.messages().await.len(), 3);
        for got in got.iter().filter(|got| got.status != 200) {
            too_soon(got, 60);
        }
        // A refusal by the domain's limit uses nothing up: another domain accepts the source at once.
        let turned_away = (0..32).find(|n| !taken.contains(n)).expect("29 of them");
        let login = format!("elsewhere{round}");
        let body = json!({ "domain": "club.example", "login": login, "name": "My Name", "email": "x@yandex.ru" });
        let ask = world.post(REGISTER).json(&body);
        let ask = ask.header("x-local-source-ip", &format!("203.0.113.{turned_away}"));
        ask.send().await.is(200, CHECK_MAIL);
        world.request("DELETE", "/_local/messages").send_unchecked().await;
        world.advance(120).await;
    }
}

#[tokio::test]
async fn rate_limits_are_exact_for_parallel_requests() {
    let world = World::new().await;
    // From one source, for 32 addresses: twice, because the second time the row already exists.
    for round in 0..2 {
        let burst = (0..32).map(|n| register_from(&world, "203.0.113.7", &format!("login{round}x{n}")).send());
        let got = join_all(burst).await;
        assert_eq!(got.iter().filter(|got| got.status == 200).count(), 1);
        for got in got.iter().filter(|got| got.status != 200) {
            too_soon(got, 120);
        }
        assert_eq!((world.messages().await.len(), world.registration_requests().await), (round + 1, round + 1));
        world.advance(120).await;
    }
    // From 32 sources, for one address.
    for round in 0..2 {
        let burst = (0..32).map(|n| world.register(&format!("me{round}x{n}"), "me@yandex.ru").send());
        for got in join_all(burst).await {
            got.is(200, CHECK_MAIL);
        }
        assert_eq!(world.mails_to("me@yandex.ru").await.len(), round + 1);
        world.advance(120).await;
    }
}

#[tokio::test]
async fn a_registration_does_not_reveal_whether_an_address_is_known() {
    let world = World::new().await;
    let (known, unknown) = ("demo@pbx.era-platform.ru", "nobody@pbx.era-platform.ru");
    let (throttled, suppressed) = ("often@pbx.era-platform.ru", "bounced@pbx.era-platform.ru");
    // Mailed before, with the wait over since.
    let rested = "again@pbx.era-platform.ru";
    suppress(&world, suppressed).await;
    world.register("login-r", rested).send().await.is(200, CHECK_MAIL);
    world.advance(130).await;
    world.register("login-0", throttled).send().await.is(200, CHECK_MAIL);
    world.invocations().await;
    let mut found = Vec::new();
    for (n, email) in [known, unknown, throttled, suppressed, rested].into_iter().enumerate() {
        let got = world.register(&format!("login-{}", n + 1), email).send().await;
        got.is(200, CHECK_MAIL);
        let mut cost = world.invocations().await;
        cost.retain(|invocation| !invocation["route"].is_null());
        assert_eq!(cost.len(), 1);
        let calls = cost[0]["calls"].clone();
        assert!(calls.as_array().expect("calls").iter().any(|call| call["service"] == "ses"), "{calls}");
        found.push((comparable(&got), calls));
    }
    for (n, what) in found.iter().enumerate() {
        assert_eq!(what, &found[0], "{n}");
    }
    assert_eq!(world.registration_requests().await, 7, "a request each");
    let mails = world.mails_to(known).await;
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0]["subject"], format!("You already have an account at {DOMAIN}"));
    for part in ["text", "html"] {
        let part = mails[0][part].as_str().expect("a part");
        assert!(!part.contains("://") && !part.contains("app-root") && !part.contains("<a "), "{part}");
        assert!(part.contains("already an account with this"), "{part}");
    }
    world.link_to(unknown).await;
    assert_eq!(world.mails_to(throttled).await.len(), 1, "the first only");
    assert_eq!(world.mails_to(suppressed).await.len(), 0);
    assert_eq!(world.mails_to(rested).await.len(), 2);
    assert_eq!(world.messages().await.len(), 5);

    // The rate limit is the same for all of them; and so is a taken login.
    let mut refused = Vec::new();
    for email in [known, unknown, throttled, suppressed] {
        let ask = |login: &str| {
            let body = json!({ "domain": DOMAIN, "login": login, "name": "My Name", "email": email });
            world.post(REGISTER).json(&body).header("x-local-source-ip", "203.0.113.7")
        };
        refused.push(comparable(&ask("demo").send().await));
        assert_eq!(refused.last().expect("one"), &refused[0]);
    }
    // Suppressed addresses get mail again once the suppression has expired.
    world.advance(DAY).await;
    world.register("login-9", suppressed).send().await.is(200, CHECK_MAIL);
    assert_eq!(world.mails_to(suppressed).await.len(), 1);
}
