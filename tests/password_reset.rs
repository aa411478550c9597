//! Password reset by mail, for signed-out users: docs/contract.md, Registration and password reset.

use serde_json::json;

use crate::support::{
    era::{CHECK_MAIL, era_refused, field_refused, password_set, password_set_body},
    messages::credential_in,
    password::{NEW, OLD, RESET, UNKNOWN_REQUEST, change_notices_sent},
    people::DOMAIN,
    words::{NO_REQUEST, PASSWORD_TOO_SHORT},
    world::World,
};

#[tokio::test]
async fn a_link_sets_a_new_password_once() {
    let world = World::new().await;
    let (_, id) = world.new_user("Maria_K").await;
    let before = world.user_row(&id).await;
    world.request_reset("Maria_K").send().await.is(200, CHECK_MAIL);
    assert_eq!(world.user_row(&id).await, before, "asking changes nothing");
    let mails = world.messages().await;
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(mails[0]["to"], "Maria_K@example.org");
    let link = world.link_to("Maria_K@example.org").await;
    let address = format!("{}/app-root#/pwd_reset/{link}", world.url());
    for part in ["text", "html"] {
        assert!(mails[0][part].as_str().expect("text").contains(&address), "{part}: {mails:?}");
    }
    assert!(!world.all_rows().await.contains(&link), "only its digest is stored");

    password_set(&world.reset_password(&link, NEW).await, "Maria_K");
    assert!(world.rows("PasswordResetRequestsTable").await.is_empty(), "the request is used up");
    let after = world.user_row(&id).await;
    for again in [NEW, "another-horse", OLD] {
        era_refused(&world.reset_password(&link, again).await, 404, NO_REQUEST);
    }
    assert_eq!(world.user_row(&id).await, after, "a used link changes nothing");
    assert!(!world.password_works(&id, OLD).await, "the old password is no more");
    assert!(world.password_works(&id, NEW).await);
}

#[tokio::test]
async fn the_old_password_works_until_the_link_is_followed() {
    let world = World::new().await;
    let (_, id) = world.new_user("maria").await;
    world.reset_link("maria", "maria@example.org").await;
    era_refused(&world.reset_password(UNKNOWN_REQUEST, NEW).await, 404, NO_REQUEST);
    assert!(world.password_works(&id, OLD).await, "R39: no effect before a good link");
    assert!(!world.password_works(&id, NEW).await);
}

#[tokio::test]
async fn a_login_or_mail_address_is_found_in_any_spelling() {
    let world = World::new().await;
    world.new_user("Maria_K").await;
    for key in [
        "maria_k",
        "MARIA_K",
        "ｍａｒｉａ_k",
        "maria_k@EXAMPLE.ORG",
        "Maria_K@example.org",
    ] {
        let so_far = world.messages().await.len();
        world.request_reset(key).send().await.is(200, CHECK_MAIL);
        let mails = world.messages().await;
        assert_eq!(mails.len(), so_far + 1, "{key}");
        assert_eq!(mails[so_far]["to"], "Maria_K@example.org", "the registered address, not the given one");
        credential_in(mails[so_far]["text"].as_str().expect("text"));
        // The longest wait between two mails to one mailbox.
        world.advance(14_400).await;
    }
    let ask = world.post(RESET).with_new_address();
    let ask = ask.json(&json!({ "key": "maria_k", "domain": DOMAIN.to_uppercase() }));
    ask.send().await.is(200, CHECK_MAIL);
    password_set(&world.reset_password(&world.link_to("Maria_K@example.org").await, NEW).await, "Maria_K");
}

#[tokio::test]
async fn an_account_is_found_in_its_own_domain_only() {
    let world = World::new().await;
    let ask = async |domain: &str, key: &str| {
        let ask = world.post(RESET).with_new_address();
        let ask = ask.json(&json!({ "key": key, "domain": domain }));
        ask.send().await.is(200, CHECK_MAIL);
    };
    world.new_user_in("other.example", "maria", false).await;
    for domain in [DOMAIN, "unknown.example", "a"] {
        ask(domain, "maria").await;
    }
    assert!(world.messages().await.is_empty(), "an unknown login is no address");
    // This domain is not configured; its users are still users.
    ask("other.example", "maria").await;
    let got = world.reset_password(&world.link_to("maria@example.org").await, NEW).await;
    got.is(200, &password_set_body("other.example", "maria"));
}

#[tokio::test]
async fn a_link_is_valid_for_exactly_an_hour() {
    let world = World::new().await;
    world.new_user("maria").await;
    let before = world.now().await;
    let link = world.reset_link("maria", "maria@example.org").await;
    let after = world.now().await;
    let row = world.rows("PasswordResetRequestsTable").await.remove(0);
    let end: u64 = row["ttl"]["N"].as_str().expect("N").parse().expect("a number");
    assert!((before + 3600..=after + 3600).contains(&end), "{before} {end} {after}");

    world.advance(end - 3 - world.now().await).await;
    while world.now().await < end {
        // A refused password does not consume the link. A slow machine may pass its expiry.
        let got = world.reset_password(&link, "short").await;
        if world.now().await < end {
            field_refused(&got, "pwd", PASSWORD_TOO_SHORT);
        }
        world.advance(1).await;
    }
    era_refused(&world.reset_password(&link, NEW).await, 404, NO_REQUEST);
    era_refused(&world.reset_password(&link, "short").await, 404, NO_REQUEST);
    assert_eq!(world.rows("PasswordResetRequestsTable").await.len(), 1, "the broom has not come yet");
}

#[tokio::test]
async fn request_headers_do_not_change_the_host_of_the_link() {
    let world = World::new().await;
    for (login, name) in [
        ("one", "host"),
        ("two", "x-forwarded-host"),
        ("three", "forwarded"),
        ("four", "x-original-host"),
        ("five", "origin"),
        ("six", "referer"),
    ] {
        world.new_user(login).await;
        let value = match name {
            "forwarded" => "host=evil.example;proto=https",
            "origin" | "referer" => "https://evil.example",
            _ => "evil.example",
        };
        world.request_reset(login).header(name, value).send().await.is(200, CHECK_MAIL);
        let mails = world.mails_to(&format!("{login}@example.org")).await;
        assert_eq!(mails.len(), 1, "{name}");
        let mail = mails[0].to_string();
        assert!(!mail.contains("evil"), "{name}: {mail}");
        assert!(mail.contains(&format!("{}/app-root#/pwd_reset/", world.url())), "{name}: {mail}");
    }
}

#[tokio::test]
async fn only_a_patch_consumes_a_link() {
    let world = World::new().await;
    world.new_user("maria").await;
    let link = world.reset_link("maria", "maria@example.org").await;
    let path = format!("{RESET}/{link}");
    for method in ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE"] {
        for path in [&path, "/app-root"] {
            let got = world.request(method, path).send_unchecked().await;
            assert!(got.status != 500, "{method} {path}: {got:?}");
        }
    }
    password_set(&world.reset_password(&link.to_uppercase(), NEW).await, "maria");
}

#[tokio::test]
async fn a_malformed_or_unknown_link_is_not_found() {
    let world = World::new().await;
    world.new_user("maria").await;
    let link = world.reset_link("maria", "maria@example.org").await;
    let simple = link.replace('-', "");
    let braces = format!("%7B{link}%7D");
    let spaced = format!("{link}%20");
    let nul = format!("{link}%00");
    for id in [
        UNKNOWN_REQUEST,
        &simple,
        &braces,
        &spaced,
        &nul,
        "%20",
        "123",
        "%F0%9F%94%91",
        &"a".repeat(2000),
    ] {
        era_refused(&world.reset_password(id, NEW).await, 404, NO_REQUEST);
    }
    // A registration link does not reset a password.
    let got = world.register("other", "other@example.org").send().await;
    got.is(200, CHECK_MAIL);
    era_refused(&world.reset_password(&world.link_to("other@example.org").await, NEW).await, 404, NO_REQUEST);
    era_refused(&world.confirm_registration(&link, NEW).await, 404, NO_REQUEST);
    password_set(&world.reset_password(&link, NEW).await, "maria");
}

#[tokio::test]
async fn a_reset_is_kept_and_its_notice_retried_if_the_mail_fails() {
    let world = World::new().await;
    for (login, ses_is_up) in [("maria", true), ("marek", false)] {
        let (_, id) = world.new_user(login).await;
        let email = format!("{login}@example.org");
        let link = world.reset_link(&email, &email).await;
        if !ses_is_up {
            world.inject(json!({ "service": "ses", "kind": "error", "times": 3 })).await;
        }
        password_set(&world.reset_password(&link, NEW).await, login);
        change_notices_sent(&world, &email, 1).await;
        assert!(world.password_works(&id, NEW).await);
    }
}
