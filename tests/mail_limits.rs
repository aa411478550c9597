//! Rate limits of mail per mailbox, per domain and for the deployment (security.md R24, R30, R74): no flood, and no
//! long denial of service.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{
    clock::{DAY, HOUR, MINUTE},
    era::{CHECK_MAIL, era_refused, password_set, too_many_requests},
    messages::{suppress, suppress_for},
    password::{NEW, RESET},
    people::DOMAIN,
    registration::{PASSWORD, REGISTER},
    requests::Request,
    words::TEMPORARILY_UNAVAILABLE,
    world::World,
};

/// Mails of one kind to one mailbox, for any caller, domain and spelling of the address.
enum Kind {
    Registration,
    Reset,
}

impl Kind {
    /// Makes several kinds of requests at once.
    async fn ask(&self, world: &World, n: usize) {
        let spellings = ["maria@example.org", "MARIA@Example.ORG", "maria+shop@example.org"];
        for (m, email) in spellings.into_iter().enumerate() {
            for domain in [DOMAIN, "club.example"] {
                let ask = match self {
                    Self::Registration => {
                        let login = format!("maria{n}x{m}");
                        let body = json!({ "domain": domain, "login": login, "name": "Maria", "email": email });
                        world.post(REGISTER).json(&body)
                    }
                    Self::Reset => world.post(RESET).json(&json!({ "key": email, "domain": domain })),
                };
                ask.with_new_address().send().await.is(200, CHECK_MAIL);
            }
        }
    }
}

#[tokio::test]
async fn the_wait_for_the_next_mail_to_a_mailbox_grows_and_shrinks_again() {
    for kind in [Kind::Registration, Kind::Reset] {
        let world = World::new().await;
        world.allow_registration("club.example", json!({})).await;
        for (domain, email) in [
            (DOMAIN, "maria@example.org"),
            ("club.example", "maria@example.org"),
            (DOMAIN, "maria+shop@example.org"),
            ("club.example", "maria+shop@example.org"),
        ] {
            let login = email.replace(['@', '+'], ".");
            world
                .run_command(json!({
                    "command": "create_user", "domain": domain, "email": email, "login": login, "name": "Maria",
                    "password": "correct-horse",
                }))
                .await;
        }
        let count = async || world.mails_in("maria@example.org").await.len();
        let (mut mails, mut n) = (0, 0);
        let mut ask = async || {
            n += 1;
            kind.ask(&world, n).await;
        };
        for wait in [0, 2, 4, 15, 60, 240, 240] {
            if wait > 0 {
                // The requests take a few seconds.
                world.advance(wait * MINUTE - 30).await;
                ask().await;
                assert_eq!(count().await, mails, "before {wait} minutes have gone by");
                world.advance(30).await;
            }
            ask().await;
            mails += 1;
            assert_eq!(count().await, mails, "after {wait} minutes");
        }
        // Refused mails did not extend the wait. After a day without mail it starts again.
        world.advance(DAY).await;
        for wait in [0, 2, 4] {
            world.advance(wait * MINUTE).await;
            ask().await;
            mails += 1;
            assert_eq!(count().await, mails, "after a day, and {wait} minutes");
        }
    }
}

#[tokio::test]
async fn requests_that_send_no_mail_do_not_count_against_the_mailbox() {
    let world = World::new().await;
    let maria = world.create_person("maria").await;
    let count = async || world.mails_in("maria@example.org").await.len();
    let ask = async |key: &str, domain: &str| {
        let body = json!({ "key": key, "domain": domain });
        let got = world.post(RESET).json(&body).with_new_address().send().await;
        got.is(200, CHECK_MAIL);
    };
    for n in 0..10 {
        ask(&maria.email, &format!("nowhere{n}.example")).await;
        ask("maria", "nowhere.example").await;
    }
    assert_eq!(count().await, 0);
    // Nor does the mail about a missing account: it is another kind.
    for n in 0..4 {
        ask(&format!("maria+{n}@example.org"), DOMAIN).await;
    }
    assert_eq!(count().await, 1);
    for n in 0..4 {
        let body = json!({ "domain": DOMAIN, "login": format!("other{n}"), "name": "x", "email": maria.email });
        let got = world.post(REGISTER).json(&body).with_new_address().send().await;
        got.is(200, CHECK_MAIL);
    }
    assert_eq!(count().await, 2);
    world.block_by_passwords(&maria).await;
    let link = world.reset_link("maria", &maria.email).await;
    password_set(&world.reset_password(&link, NEW).await, "maria");
    assert_eq!(world.sign_in(&maria, NEW).await.status, 201);
}

#[tokio::test]
async fn an_address_with_a_complaint_gets_one_recovery_mail_a_day() {
    let world = World::new().await;
    for login in ["maria", "olga"] {
        world.new_user(login).await;
    }
    suppress_for(&world, "maria@example.org", "complaint").await;
    suppress(&world, "olga@example.org").await;
    suppress_for(&world, "stranger@example.org", "complaint").await;
    let count = async |email: &str| world.mails_to(email).await.len();
    let mut links = Vec::new();
    for day in 1..=2 {
        for hours in [0, 4, 4] {
            world.advance(hours * HOUR).await;
            for key in ["maria", "maria@example.org", "olga", "stranger@example.org"] {
                world.request_reset(key).send().await.is(200, CHECK_MAIL);
            }
            assert_eq!(count("maria@example.org").await, day);
        }
        links.push(world.link_to("maria@example.org").await);
        // The suppression lasts for a day from the bounce or complaint.
        world.advance(16 * HOUR).await;
        suppress_for(&world, "maria@example.org", "complaint").await;
        suppress(&world, "olga@example.org").await;
        suppress_for(&world, "stranger@example.org", "complaint").await;
    }
    // Only mail that the owner requested: no other mail that a stranger could trigger.
    world.register("other", "maria@example.org").send().await.is(200, CHECK_MAIL);
    assert_eq!(count("maria@example.org").await, 2);
    for email in ["olga@example.org", "stranger@example.org"] {
        assert_eq!(count(email).await, 0, "{email}");
    }
    world.request_reset("maria").send().await.is(200, CHECK_MAIL);
    password_set(&world.reset_password(&world.link_to("maria@example.org").await, NEW).await, "maria");
    assert_ne!(links[0], links[1]);
}

#[tokio::test]
async fn one_of_parallel_requests_mails_a_mailbox() {
    let world = World::new().await;
    for n in 0..16 {
        let email = format!("maria+{n}@example.org");
        let command = json!({
            "command": "create_user", "domain": DOMAIN, "email": email, "login": format!("maria{n}"), "name": "Maria",
            "password": "correct-horse",
        });
        world.run_command(command).await;
    }
    for round in 1..=2 {
        let logins: Vec<_> = (0..16).map(|n| format!("maria{n}")).collect();
        for got in join_all(logins.iter().map(|login| world.request_reset(login).send())).await {
            got.is(200, CHECK_MAIL);
        }
        assert_eq!(world.mails_in("maria@example.org").await.len(), round);
        world.advance(2 * MINUTE).await;
    }
}

/// A registration with its own login, mail address and source address.
fn from<'a>(world: &'a World, domain: &str, n: usize) -> Request<'a> {
    from_source(world, domain, n, n)
}

fn from_source<'a>(world: &'a World, domain: &str, n: usize, source: usize) -> Request<'a> {
    let login = format!("{}-{n}", domain.replace('.', "-"));
    let body = json!({ "domain": domain, "login": login, "name": "My Name", "email": format!("{login}@yandex.ru") });
    let source = format!("198.51.{}.{}", source / 250, source % 250);
    world.post(REGISTER).json(&body).header("x-local-source-ip", &source)
}

#[tokio::test]
async fn a_domain_and_the_deployment_have_rate_limits_of_mails() {
    let world = World::with(&[("MailsPerDomainPerHour", "10"), ("MailsPerHour", "15")]).await;
    world.allow_registration("club.example", json!({})).await;
    for n in 0..10 {
        from(&world, DOMAIN, n).send().await.is(200, CHECK_MAIL);
    }
    let wait = too_many_requests(&from(&world, DOMAIN, 10).send().await);
    assert!((300..=360).contains(&wait), "one comes back in six minutes: {wait}");
    for n in 20..25 {
        from(&world, "club.example", n).send().await.is(200, CHECK_MAIL);
    }
    let shorter = too_many_requests(&from(&world, "club.example", 25).send().await);
    assert!((180..=240).contains(&shorter), "one comes back in four minutes: {shorter}");
    assert_eq!(world.messages().await.len(), 15);
    let over = |budget: &str| {
        let lines = world.cloud().logs();
        let dimension = format!("\"Budget\":\"{budget}\"");
        lines.iter().filter(|line| line.contains(&dimension)).count()
    };
    assert_eq!((over("domain"), over("deployment"), over("unconfirmed")), (1, 1, 0));

    // Refused requests have used nothing up, and `Retry-After` is correct.
    world.advance(wait).await;
    from(&world, DOMAIN, 10).send().await.is(200, CHECK_MAIL);
    too_many_requests(&from(&world, DOMAIN, 11).send().await);
    // Of concurrent requests, no more succeed than the limit allows.
    world.advance(HOUR).await;
    let all = join_all((100..132).map(|n| from(&world, DOMAIN, n).send())).await;
    assert_eq!(all.iter().filter(|got| got.status == 200).count(), 10);
}

/// What one limit refuses is refunded to the others, so that their rows change more often than their limits.
#[tokio::test]
async fn every_request_of_a_burst_gets_429_whichever_limit_refuses_it() {
    let world = World::with(&[("RequestsPerDomainPerMinute", "10"), ("MailsPerDomainPerHour", "10")]).await;
    for n in 0..10 {
        from(&world, DOMAIN, n).send().await.is(200, CHECK_MAIL);
    }
    for round in 1..4 {
        world.advance(MINUTE).await;
        let all = join_all((0..64).map(|n| from(&world, DOMAIN, 100 * round + n).send())).await;
        for got in all {
            too_many_requests(&got);
        }
    }
    assert_eq!(world.messages().await.len(), 10);
}

#[tokio::test]
async fn unconfirmed_registrations_limit_the_rate_of_their_domain() {
    let world = World::with(&[("UnconfirmedMailsPerHour", "4")]).await;
    world.allow_registration("club.example", json!({})).await;
    // The allowance of three hours.
    for n in 0..12 {
        from(&world, DOMAIN, n).send().await.is(200, CHECK_MAIL);
    }
    let wait = too_many_requests(&from(&world, DOMAIN, 12).send().await);
    assert!((800..=900).contains(&wait), "four an hour: {wait}");
    from(&world, "club.example", 13).send().await.is(200, CHECK_MAIL);
    world.advance(wait).await;
    from(&world, DOMAIN, 12).send().await.is(200, CHECK_MAIL);
    too_many_requests(&from(&world, DOMAIN, 14).send().await);
    // One network gets a tenth of that, too.
    world.advance(HOUR).await;
    from(&world, DOMAIN, 14).send().await.is(200, CHECK_MAIL);
    world.advance(5 * MINUTE).await;
    let again = from_source(&world, DOMAIN, 15, 14);
    assert!(too_many_requests(&again.send().await) > 50 * MINUTE);

    // A confirmation allows ten more.
    let login = "pbx-era-platform-ru-0";
    let id = world.link_to(&format!("{login}@yandex.ru")).await;
    password_set(&world.confirm_registration(&id, PASSWORD).await, login);
    for n in 20..30 {
        from(&world, DOMAIN, n).send().await.is(200, CHECK_MAIL);
    }
}

#[tokio::test]
async fn a_48_prefix_has_a_tenth_of_a_domains_rate_limit() {
    let world = World::new().await;
    world.new_user("maria").await;
    for (path, body) in [
        (REGISTER, json!({ "domain": DOMAIN, "name": "My Name" })),
        (RESET, json!({ "domain": DOMAIN })),
    ] {
        let ask = |source: &str, n: usize| {
            let mut body = body.clone();
            match path {
                RESET => body["key"] = format!("n{n}").into(),
                _ => {
                    body["login"] = format!("n{n}").into();
                    body["email"] = format!("n{n}@yandex.ru").into();
                }
            }
            world.post(path).json(&body).header("x-local-source-ip", source)
        };
        let sources: Vec<_> = (0..60).map(|n| format!("2001:db8:7:{n:x}::1")).collect();
        let asks = sources.iter().enumerate().map(|(n, source)| ask(source, n).send());
        let all = join_all(asks).await;
        assert_eq!(all.iter().filter(|got| got.status == 200).count(), 6, "{path}");
        let waits: Vec<_> = all.iter().filter(|got| got.status != 200).map(too_many_requests).collect();
        assert!(waits.iter().all(|wait| (1..=60).contains(wait)), "{waits:?}");
        // Other networks are served.
        for (n, source) in ["2001:db8:8:1::1", "203.0.113.7", "2001:db8:6:ffff::1"].into_iter().enumerate() {
            ask(source, 100 + n).send().await.is(200, CHECK_MAIL);
        }
        // `Retry-After` is correct, and the hourly limit is also a tenth.
        let mut taken = 6;
        for minute in 1..12 {
            world.advance(MINUTE).await;
            for n in 0..7 {
                let source = format!("2001:db8:7:{minute:x}{n:02x}::1");
                taken += usize::from(ask(&source, 1000 + 10 * minute + n).send().await.status == 200);
            }
        }
        assert_eq!(taken, 60, "{path}");
        world.advance(HOUR).await;
    }
    world.request_reset("maria").send().await.is(200, CHECK_MAIL);
    assert_eq!(world.mails_to("maria@example.org").await.len(), 1);
}

#[tokio::test]
async fn a_hit_with_a_lost_response_is_refunded() {
    let world = World::with(&[
        ("MailsPerDomainPerHour", "10"),
        ("RequestWait", "86400"),
        ("MailWaits", "14400"),
    ])
    .await;
    // The source, its share, the domain's minute, its confirmations, its mails, all mails, the mailbox.
    for skip in 0..7 {
        let lost = json!({
            "service": "dynamodb", "operation": "UpdateItem", "kind": "drop_response", "skip": skip, "times": 3,
        });
        world.inject(lost).await;
        let got = from(&world, DOMAIN, 0).send().await;
        era_refused(&got, 503, TEMPORARILY_UNAVAILABLE);
        world.clear_faults().await;
    }
    for n in 0..10 {
        from(&world, DOMAIN, n).send().await.is(200, CHECK_MAIL);
    }
    assert_eq!(world.messages().await.len(), 10);
}
