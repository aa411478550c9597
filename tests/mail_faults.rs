//! Registration while the store or SES is down, slow, throttling, or loses an answer: never a success without its
//! effect, never two accounts, and a healthy retry succeeds (security.md R17, R63 to R65).

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::{
    era::{CHECK_MAIL, era_refused, era_unavailable, password_set},
    faults::fault_rule,
    people::DOMAIN,
    registration::{PASSWORD, register_from},
    requests::{Request, Response},
    words::{IN_PROGRESS, MAIL_UNSENT, NO_REQUEST},
    world::World,
};

/// Asserts that a mail cannot be sent, within the timeout.
async fn unsent(world: &World, ask: Request<'_>) {
    world.invocations().await;
    let got = ask.send().await;
    era_refused(&got, 503, MAIL_UNSENT);
    assert_eq!(got.header("retry-after"), Some("5"));
    for invocation in world.invocations().await {
        let ms = invocation["ms"].as_f64().expect("a number");
        assert!(ms < 8_000.0, "{invocation}");
    }
}

#[tokio::test]
async fn an_unsent_mail_leaves_nothing_behind() {
    let world = World::with(&[("RequestsPerDomainPerMinute", "2"), ("MailWaits", "14400")]).await;
    let again = || register_from(&world, "203.0.113.7", "someone");
    for (kind, times) in [("rejected", 1), ("error", 3), ("throttle", 3), ("rejected", 1)] {
        world.inject(fault_rule("ses", kind, 0, times)).await;
        unsent(&world, again()).await;
        world.clear_faults().await;
        assert_eq!((world.registration_requests().await, world.messages().await.len()), (0, 0), "{kind}");
    }
    // The rate limits of the source, the address and the domain are all refunded.
    again().send().await.is(200, CHECK_MAIL);
    assert_eq!((world.registration_requests().await, world.mails_to("someone@yandex.ru").await.len()), (1, 1));
    register_from(&world, "203.0.113.8", "second").send().await.is(200, CHECK_MAIL);
    assert_eq!(register_from(&world, "203.0.113.9", "third").send().await.status, 429);
    let id = world.link_to("someone@yandex.ru").await;
    password_set(&world.confirm_registration(&id, PASSWORD).await, "someone");
}

#[tokio::test]
async fn a_hanging_mail_service_is_reported_before_the_timeout() {
    let world = World::new().await;
    let again = || register_from(&world, "203.0.113.7", "someone").header("idempotency-key", "key");
    world.inject(fault_rule("ses", "hang", 0, 1)).await;
    unsent(&world, again()).await;
    // The mail may be on its way: then its link must be valid.
    assert_eq!((world.registration_requests().await, world.messages().await.len()), (1, 0));
    // With the same key, too; then the retry succeeds.
    for _ in 0..2 {
        again().send().await.is(200, CHECK_MAIL);
    }
    assert_eq!((world.registration_requests().await, world.messages().await.len()), (2, 1));
}

#[tokio::test]
async fn a_mail_with_a_lost_response_is_sent_once_with_a_valid_link() {
    let world = World::new().await;
    // A second attempt would be refused, and the refusal would not reveal the first one's outcome.
    for (login, second) in [("one", None), ("two", Some("error")), ("three", Some("rejected"))] {
        world.inject(fault_rule("ses", "drop_response", 0, 1)).await;
        if let Some(kind) = second {
            world.inject(fault_rule("ses", kind, 0, 1000)).await;
        }
        unsent(&world, register_from(&world, "203.0.113.7", login)).await;
        world.clear_faults().await;
        let email = format!("{login}@yandex.ru");
        assert_eq!(world.mails_to(&email).await.len(), 1, "{login}");
        password_set(&world.confirm_registration(&world.link_to(&email).await, PASSWORD).await, login);
    }
}

#[tokio::test]
async fn a_transient_fault_of_the_mail_service_is_hidden_by_retries() {
    let world = World::new().await;
    for (kind, login) in [("error", "one"), ("throttle", "two")] {
        world.inject(fault_rule("ses", kind, 0, 1)).await;
        let email = format!("{login}@yandex.ru");
        world.register(login, &email).send().await.is(200, CHECK_MAIL);
        assert_eq!(world.mails_to(&email).await.len(), 1, "{kind}");
        password_set(&world.confirm_registration(&world.link_to(&email).await, PASSWORD).await, login);
    }
}

#[tokio::test]
async fn a_failure_does_not_reveal_whether_an_address_is_known() {
    let world = World::new().await;
    let mut found = Vec::new();
    for (n, email) in ["demo@pbx.era-platform.ru", "none@pbx.era-platform.ru"].into_iter().enumerate() {
        world.inject(fault_rule("ses", "rejected", 0, 1)).await;
        world.invocations().await;
        let got = world.register(&format!("login{n}"), email).send().await;
        era_refused(&got, 503, MAIL_UNSENT);
        let mut cost = world.invocations().await;
        cost.retain(|invocation| !invocation["route"].is_null());
        found.push(cost[0]["calls"].clone());
    }
    assert_eq!(found[0], found[1]);
    assert!(world.messages().await.is_empty());
}

/// The stored digest of a link's credential.
fn digest(id: &str) -> String {
    STANDARD.encode(Sha256::digest(id))
}

/// One request during a fault, and then a healthy one; `login` is the only one of its name.
async fn request_converges(world: &World, rule: Value, source: &str, login: &str) {
    let what = format!("{rule}");
    let email = format!("{login}@yandex.ru");
    world.inject(rule.clone()).await;
    let got = register_from(world, source, login).header("idempotency-key", login).send().await;
    world.clear_faults().await;
    let mails = world.mails_to(&email).await.len();
    if got.status == 200 {
        got.is(200, CHECK_MAIL);
        assert_eq!(mails, 1, "{what}");
    } else {
        assert_eq!(mails, 0, "{what}: {got:?}");
        era_unavailable(&got);
        // Rate limits are refunded at once, although answers were lost; while the store is down they expire instead.
        if rule["times"] == 1000 {
            world.advance(120).await;
        }
    }
    let again = register_from(world, source, login).header("idempotency-key", login).send().await;
    if got.status == 200 && again.status == 409 {
        // It is done, and only recording that failed.
        era_refused(&again, 409, IN_PROGRESS);
    } else {
        assert_eq!((again.status, again.body.as_str()), (200, CHECK_MAIL), "{what}, then");
    }
    assert_eq!(world.mails_to(&email).await.len(), 1, "{what}");
    let id = world.link_to(&email).await;
    let mut known = world.rows("RegistrationRequestsTable").await;
    known.retain(|row| row["digest"]["B"] == digest(&id));
    assert_eq!(known.len(), 1, "the link leads somewhere: {what}");
}

#[tokio::test]
async fn a_request_converges_after_a_fault_in_any_step() {
    let world = World::new().await;
    let mut n = 0;
    // The claim of the key, the batch, seven limits, the request, the stored answer.
    for skip in 0..11 {
        for (kind, times) in [
            ("error", 3),
            ("error", 1000),
            ("throttle", 1),
            ("drop_response", 1),
            ("drop_response", 3),
            ("conflict", 1),
            ("conflict", 1000),
        ] {
            n += 1;
            let rule = fault_rule("dynamodb", kind, skip, times);
            request_converges(&world, rule, &format!("203.0.113.{n}"), &format!("login{n}")).await;
            world.advance(60).await;
        }
    }
}

#[tokio::test]
async fn a_request_converges_when_the_store_hangs() {
    let world = World::new().await;
    for (n, (skip, times)) in [(1, 1), (2, 3), (5, 3)].into_iter().enumerate() {
        let rule = fault_rule("dynamodb", "hang", skip, times);
        request_converges(&world, rule, &format!("203.0.113.{n}"), &format!("login{n}")).await;
    }
}

/// One confirmation during a fault, and then a healthy one.
async fn confirmation_converges(world: &World, rule: Value, login: &str) {
    let what = format!("{rule}");
    let id = world.registration_link(DOMAIN, login, &format!("{login}@yandex.ru")).await;
    world.inject(rule).await;
    let got: Response = world.confirm_registration(&id, PASSWORD).await;
    world.clear_faults().await;
    let accounts = world.accounts(login).await.len();
    if got.status == 200 {
        password_set(&got, login);
        assert_eq!(accounts, 1, "{what}");
    } else {
        era_unavailable(&got);
    }
    assert_eq!(world.registration_requests().await, 1 - accounts, "before or after, never between: {what}");
    let again = world.confirm_registration(&id, PASSWORD).await;
    match accounts {
        0 => password_set(&again, login),
        _ => era_refused(&again, 404, NO_REQUEST),
    }
    assert_eq!((world.accounts(login).await.len(), world.registration_requests().await), (1, 0), "{what}");
}

#[tokio::test]
async fn a_confirmation_converges_after_a_fault_in_any_step() {
    let world = World::new().await;
    let mut n = 0;
    // The request, the batch, the transaction, the domain's unconfirmed registrations.
    let everywhere = (0..4).flat_map(|skip| {
        let kinds = [
            ("error", 3),
            ("throttle", 1),
            ("drop_response", 1),
            ("drop_response", 3),
        ];
        kinds.map(|(kind, times)| (kind, skip, times))
    });
    for (kind, skip, times) in everywhere.chain([("conflict", 0, 1), ("conflict", 0, 3), ("conflict", 0, 1000)]) {
        n += 1;
        confirmation_converges(&world, fault_rule("dynamodb", kind, skip, times), &format!("login{n}")).await;
    }
}

#[tokio::test]
async fn a_confirmation_converges_when_the_store_hangs() {
    let world = World::new().await;
    for (n, (skip, times)) in [(1, 1), (2, 1), (2, 3)].into_iter().enumerate() {
        confirmation_converges(&world, fault_rule("dynamodb", "hang", skip, times), &format!("login{n}")).await;
    }
}
