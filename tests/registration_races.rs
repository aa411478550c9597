//! Of concurrent confirmations, one creates the account (security.md R11, R55); and retries are idempotent.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    clock::DAY,
    era::{CHECK_MAIL, era_refused, field_refused, too_soon},
    people::DOMAIN,
    registration::{PASSWORD, register_from},
    requests::{Request, comparable},
    words::{EMAIL_TAKEN, IN_PROGRESS, LOGIN_SYMBOLS, LOGIN_TAKEN, MALFORMED, NO_REQUEST},
    world::World,
};

#[tokio::test]
async fn one_of_parallel_confirmations_of_a_link_succeeds() {
    let world = World::new().await;
    for round in 0..3 {
        let login = format!("someone{round}");
        let id = world.registration_link(DOMAIN, &login, &format!("{login}@yandex.ru")).await;
        let got = join_all((0..32).map(|_| world.confirm_registration(&id, PASSWORD))).await;
        assert_eq!(got.iter().filter(|got| got.status == 200).count(), 1, "round {round}");
        for got in got.iter().filter(|got| got.status != 200) {
            era_refused(got, 404, NO_REQUEST);
        }
        assert_eq!((world.accounts(&login).await.len(), world.registration_requests().await), (1, 0));
    }
}

#[tokio::test]
async fn the_slower_confirmation_is_refused_as_used() {
    let world = World::new().await;
    let id = world.registration_link(DOMAIN, "someone", "someone@yandex.ru").await;
    // The slower request has read the row when the faster one consumes it.
    world
        .inject(json!({ "service": "dynamodb", "operation": "BatchGetItem", "kind": "hang", "skip": 0, "times": 1 }))
        .await;
    let (one, other) =
        tokio::join!(world.confirm_registration(&id, PASSWORD), world.confirm_registration(&id, PASSWORD));
    let slower = if one.status == 200 { other } else { one };
    era_refused(&slower, 404, NO_REQUEST);
    assert_eq!(world.accounts("someone").await.len(), 1);
}

#[tokio::test]
async fn one_of_parallel_registrations_gets_a_login_in_any_spelling() {
    let world = World::new().await;
    for logins in [
        vec!["same"; 8],
        vec!["chief", "CHIEF", "Chief", "ｃｈｉｅｆ", "ＣＨＩＥＦ", "𝐜𝐡𝐢𝐞𝐟", "ⓒⓗⓘⓔⓕ"],
        vec!["straße", "STRASSE", "Strasse"],
        vec!["йод", "и\u{306}од", "ЙОД"],
    ] {
        let users = world.rows("UsersTable").await.len();
        let mut links = Vec::new();
        for (n, login) in logins.iter().enumerate() {
            let email = format!("{}{n}@yandex.ru", logins[0].len());
            let got = world.register(login, &email).send().await;
            // Circled letters are symbols, not letters.
            if got.status == 200 {
                links.push(world.link_to(&email).await);
            }
        }
        assert!(links.len() >= 3, "{logins:?}");
        let got = join_all(links.iter().map(|id| world.confirm_registration(id, PASSWORD))).await;
        assert_eq!(got.iter().filter(|got| got.status == 200).count(), 1, "{logins:?}");
        for got in got.iter().filter(|got| got.status != 200) {
            field_refused(got, "login", LOGIN_TAKEN);
        }
        assert_eq!(world.rows("UsersTable").await.len(), users + 1, "{logins:?}");
        assert_eq!(world.registration_requests().await, links.len() - 1, "theirs stay: {logins:?}");
        world.advance(DAY).await;
        world.sweep().await;
    }
}

#[tokio::test]
async fn one_of_parallel_registrations_gets_an_address() {
    let world = World::new().await;
    let mut links = Vec::new();
    for (n, email) in ["me@yandex.ru", "ME@yandex.ru", "Me@yandex.ru", "mE@yandex.ru"].into_iter().enumerate() {
        links.push(world.registration_link(DOMAIN, &format!("me{n}"), email).await);
        // The longest wait after three mails to one mailbox.
        world.advance(900).await;
    }
    let got = join_all(links.iter().map(|id| world.confirm_registration(id, PASSWORD))).await;
    assert_eq!(got.iter().filter(|got| got.status == 200).count(), 1);
    for got in got.iter().filter(|got| got.status != 200) {
        field_refused(got, "email", EMAIL_TAKEN);
    }
    assert_eq!((world.rows("UsersTable").await.len(), world.registration_requests().await), (3, 3));
}

/// A request with an `Idempotency-Key`, from any source.
fn keyed<'a>(world: &'a World, key: &str, login: &str) -> Request<'a> {
    let email = format!("{login}@yandex.ru");
    world.register(login, &email).header("idempotency-key", key)
}

#[tokio::test]
async fn a_repeated_registration_is_idempotent() {
    let world = World::new().await;
    let first = keyed(&world, "key", "first").send().await;
    first.is(200, CHECK_MAIL);
    for _ in 0..3 {
        let again = keyed(&world, "key", "first").send().await;
        assert_eq!(comparable(&again), comparable(&first));
    }
    assert_eq!((world.messages().await.len(), world.registration_requests().await), (1, 1));
    // Another body, another key or no key is another call.
    keyed(&world, "key", "second").send().await.is(200, CHECK_MAIL);
    keyed(&world, "KEY", "third").send().await.is(200, CHECK_MAIL);
    assert_eq!((world.messages().await.len(), world.registration_requests().await), (3, 3));
    let id = world.link_to("first@yandex.ru").await;
    let rows = world.all_rows().await;
    assert!(!rows.contains(&id) && !rows.contains("\"key\""), "{rows}");
    // The stored answer is final, whatever happens to the login.
    world.confirm_registration(&id, PASSWORD).await.ok(200);
    keyed(&world, "key", "first").send().await.is(200, CHECK_MAIL);
    field_refused(&keyed(&world, "other", "first").send().await, "login", LOGIN_TAKEN);

    // After a day the record has expired.
    let ends = |rows: Vec<Value>| rows.iter().filter_map(|row| row["ttl"]["N"].as_str()?.parse::<u64>().ok()).max();
    let ends = ends(world.rows("RepetitionsTable").await).expect("rows");
    world.advance(ends - world.now().await - 10).await;
    keyed(&world, "KEY", "third").send().await.is(200, CHECK_MAIL);
    assert_eq!(world.messages().await.len(), 3);
    world.advance(10).await;
    keyed(&world, "KEY", "third").send().await.is(200, CHECK_MAIL);
    assert_eq!(world.messages().await.len(), 4);
}

#[tokio::test]
async fn parallel_registrations_with_one_idempotency_key_are_one() {
    let world = World::new().await;
    for round in 1..=2 {
        let login = format!("someone{round}");
        let got = join_all((0..32).map(|_| keyed(&world, "key", &login).send())).await;
        assert!(got.iter().any(|got| got.status == 200));
        for got in &got {
            if got.status == 200 {
                got.is(200, CHECK_MAIL);
            } else {
                era_refused(got, 409, IN_PROGRESS);
                assert!((1..=15).contains(&got.retry_after()), "{got:?}");
            }
        }
        assert_eq!((world.messages().await.len(), world.registration_requests().await), (round, round));
        keyed(&world, "key", &login).send().await.is(200, CHECK_MAIL);
    }
}

#[tokio::test]
async fn an_idempotency_key_is_reusable_after_a_refusal() {
    let world = World::new().await;
    let ask = |login: &str| register_from(&world, "203.0.113.7", login).header("idempotency-key", "key");
    field_refused(&ask("a b").send().await, "login", LOGIN_SYMBOLS);
    let other = world.registration_link(DOMAIN, "taken", "other@yandex.ru").await;
    register_from(&world, "203.0.113.7", "first").send().await.is(200, CHECK_MAIL);
    too_soon(&ask("taken").send().await, 120);
    let wait = too_soon(&ask("taken").send().await, 120);
    world.advance(wait).await;
    ask("taken").send().await.is(200, CHECK_MAIL);
    ask("taken").send().await.is(200, CHECK_MAIL);
    assert_eq!(world.mails_to("taken@yandex.ru").await.len(), 1);
    world.confirm_registration(&other, PASSWORD).await.ok(200);

    world.advance(120).await;
    let ask = |login: &str| register_from(&world, "203.0.113.9", login).header("idempotency-key", "other key");
    for _ in 0..2 {
        field_refused(&ask("taken").send().await, "login", LOGIN_TAKEN);
    }
    let long = "k".repeat(256);
    for key in ["", " ", &long, "ключ"] {
        let got = world.register("second", "second@yandex.ru").header("idempotency-key", key).send_unchecked().await;
        assert!(got.status == 400, "{key:?}: {got:?}");
        era_refused(&got, 400, MALFORMED);
    }
    assert!(world.mails_to("second@yandex.ru").await.is_empty());
    keyed(&world, &long[1..], "second").send().await.is(200, CHECK_MAIL);
}
