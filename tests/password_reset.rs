//! Password resets by mail, of users who are signed out: docs/contract.md, Registration and password reset.

use serde_json::json;

use crate::{
    mail::{CHECK_MAIL, RESET, bad_value, credential, said},
    support::{logs::fault_lines, people::DOMAIN, requests::Got, world::World},
};

/// The password that [`World::new_user`] gives, and another one.
pub const OLD: &str = "correct-horse";
pub const NEW: &str = "ew!hIb3V";

pub const NO_REQUEST: &str = "request not found or expired";
pub const UNKNOWN: &str = "19738eb3-0183-b148-9420-7cd30a921f58";

/// The answer to a password that was set.
#[track_caller]
pub fn is_set(got: &Got, login: &str) {
    got.is(200, &set_body(DOMAIN, login));
}

/// That body, in any domain.
pub fn set_body(domain: &str, login: &str) -> String {
    format!(
        r#"{{"error_code":0,"result":true,"result_msg":"Now login with new password","user":{{"domain":"{domain}","login":"{login}"}}}}"#
    )
}

impl World {
    /// Whether a password is the user's. It is asked by changing it into itself, which ends what a change ends.
    pub async fn opens(&self, user_id: &str, pwd: &str) -> bool {
        let token = self.token(json!({ "user_id": user_id, "scopes": ["api"] })).await;
        let got = self.change_password(&token, pwd, pwd).await;
        match got.status {
            200 => true,
            _ => {
                bad_value(&got, "current_pwd", "current_pwd is wrong");
                false
            }
        }
    }

    /// Asks for a reset, and gives the credential of the link that was mailed.
    pub async fn reset_link(&self, key: &str, email: &str) -> String {
        self.forgot(key).send().await.is(200, CHECK_MAIL);
        self.link_to(email).await
    }
}

#[tokio::test]
async fn a_link_sets_a_new_password_once() {
    let world = World::new().await;
    let (_, id) = world.new_user("Maria_K").await;
    let before = world.user_row(&id).await;
    world.forgot("Maria_K").send().await.is(200, CHECK_MAIL);
    assert_eq!(world.user_row(&id).await, before, "asking changes nothing");
    let mails = world.mails().await;
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(mails[0]["to"], "Maria_K@example.org");
    let link = world.link_to("Maria_K@example.org").await;
    let address = format!("{}/app-root#/pwd_reset/{link}", world.url());
    for part in ["text", "html"] {
        assert!(
            mails[0][part].as_str().expect("text").contains(&address),
            "{part}: {mails:?}"
        );
    }
    assert!(!world.all_rows().await.contains(&link), "only its digest is stored");

    is_set(&world.reset(&link, NEW).await, "Maria_K");
    assert!(
        world.rows("PasswordResetRequestsTable").await.is_empty(),
        "the request is used up"
    );
    let after = world.user_row(&id).await;
    for again in [NEW, "another-horse", OLD] {
        said(&world.reset(&link, again).await, 404, NO_REQUEST);
    }
    assert_eq!(world.user_row(&id).await, after, "a used link changes nothing");
    assert!(!world.opens(&id, OLD).await, "the old password is no more");
    assert!(world.opens(&id, NEW).await);
}

#[tokio::test]
async fn the_old_password_works_until_the_link_is_followed() {
    let world = World::new().await;
    let (_, id) = world.new_user("maria").await;
    world.reset_link("maria", "maria@example.org").await;
    said(&world.reset(UNKNOWN, NEW).await, 404, NO_REQUEST);
    assert!(world.opens(&id, OLD).await, "R39: no effect before a good link");
    assert!(!world.opens(&id, NEW).await);
}

#[tokio::test]
async fn login_and_mail_address_are_one_in_any_spelling() {
    let world = World::new().await;
    world.new_user("Maria_K").await;
    for key in [
        "maria_k",
        "MARIA_K",
        "ｍａｒｉａ_k",
        "maria_k@EXAMPLE.ORG",
        "Maria_K@example.org",
    ] {
        let so_far = world.mails().await.len();
        world.forgot(key).send().await.is(200, CHECK_MAIL);
        let mails = world.mails().await;
        assert_eq!(mails.len(), so_far + 1, "{key}");
        assert_eq!(
            mails[so_far]["to"], "Maria_K@example.org",
            "the registered address, not the given one"
        );
        credential(mails[so_far]["text"].as_str().expect("text"));
        // The longest wait between two mails to one mailbox.
        world.advance(14_400).await;
    }
    let ask = world.post(RESET).of_a_new_source();
    let ask = ask.json(&json!({ "key": "maria_k", "domain": DOMAIN.to_uppercase() }));
    ask.send().await.is(200, CHECK_MAIL);
    is_set(
        &world.reset(&world.link_to("Maria_K@example.org").await, NEW).await,
        "Maria_K",
    );
}

#[tokio::test]
async fn an_account_is_found_in_its_own_domain_only() {
    let world = World::new().await;
    let ask = async |domain: &str, key: &str| {
        let ask = world.post(RESET).of_a_new_source();
        let ask = ask.json(&json!({ "key": key, "domain": domain }));
        ask.send().await.is(200, CHECK_MAIL);
    };
    world.new_user_in("other.example", "maria", false).await;
    for domain in [DOMAIN, "unknown.example", "a"] {
        ask(domain, "maria").await;
    }
    assert!(
        world.mails().await.is_empty(),
        "a login that nobody has is nobody's address"
    );
    // Nobody has described this domain; its users are users all the same.
    ask("other.example", "maria").await;
    let got = world.reset(&world.link_to("maria@example.org").await, NEW).await;
    got.is(200, &set_body("other.example", "maria"));
}

#[tokio::test]
async fn a_link_is_good_for_an_hour_to_the_second() {
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
        // A password that is refused leaves the link as it is. A slow machine may take it past its end.
        let got = world.reset(&link, "short").await;
        if world.now().await < end {
            bad_value(&got, "pwd", "pwd is too short. Expected: at least 8 characters");
        }
        world.advance(1).await;
    }
    said(&world.reset(&link, NEW).await, 404, NO_REQUEST);
    said(&world.reset(&link, "short").await, 404, NO_REQUEST);
    assert_eq!(
        world.rows("PasswordResetRequestsTable").await.len(),
        1,
        "the broom has not come yet"
    );
}

#[tokio::test]
async fn the_link_does_not_believe_the_request_about_the_host() {
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
        world.forgot(login).header(name, value).send().await.is(200, CHECK_MAIL);
        let mails = world.mails_to(&format!("{login}@example.org")).await;
        assert_eq!(mails.len(), 1, "{name}");
        let mail = mails[0].to_string();
        assert!(!mail.contains("evil"), "{name}: {mail}");
        assert!(
            mail.contains(&format!("{}/app-root#/pwd_reset/", world.url())),
            "{name}: {mail}"
        );
    }
}

#[tokio::test]
async fn only_a_patch_uses_a_link_up() {
    let world = World::new().await;
    world.new_user("maria").await;
    let link = world.reset_link("maria", "maria@example.org").await;
    let path = format!("{RESET}/{link}");
    for method in ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE"] {
        for path in [&path, "/app-root"] {
            let got = world.ask(method, path).bare().await;
            assert!(got.status != 500, "{method} {path}: {got:?}");
        }
    }
    is_set(&world.reset(&link.to_uppercase(), NEW).await, "maria");
}

#[tokio::test]
async fn what_is_no_link_is_not_found() {
    let world = World::new().await;
    world.new_user("maria").await;
    let link = world.reset_link("maria", "maria@example.org").await;
    let simple = link.replace('-', "");
    let braces = format!("%7B{link}%7D");
    let spaced = format!("{link}%20");
    let nul = format!("{link}%00");
    for id in [
        UNKNOWN,
        &simple,
        &braces,
        &spaced,
        &nul,
        "%20",
        "123",
        "%F0%9F%94%91",
        &"a".repeat(2000),
    ] {
        said(&world.reset(id, NEW).await, 404, NO_REQUEST);
    }
    // What a mailed link of another kind opens is no password's.
    let got = world.register("other", "other@example.org").send().await;
    got.is(200, CHECK_MAIL);
    said(
        &world.reset(&world.link_to("other@example.org").await, NEW).await,
        404,
        NO_REQUEST,
    );
    said(&world.confirm(&link, NEW).await, 404, NO_REQUEST);
    is_set(&world.reset(&link, NEW).await, "maria");
}

#[tokio::test]
async fn a_notice_follows_a_reset_and_its_failure_undoes_nothing() {
    let world = World::new().await;
    for (login, ses_is_up) in [("maria", true), ("marek", false)] {
        let (_, id) = world.new_user(login).await;
        let email = format!("{login}@example.org");
        let link = world.reset_link(&email, &email).await;
        if !ses_is_up {
            world
                .fault(json!({ "service": "ses", "operation": null, "kind": "error", "skip": 0, "times": 1000 }))
                .await;
        }
        is_set(&world.reset(&link, NEW).await, login);
        world.clear_faults().await;
        notices(&world, &email, usize::from(ses_is_up)).await;
        assert!(world.opens(&id, NEW).await);
    }
    assert_eq!(
        fault_lines(&world, "password_changed").len(),
        1,
        "one line for the notice that was not sent"
    );
}

/// So many notices of a change came to an address: without a link, with the time.
pub async fn notices(world: &World, email: &str, count: usize) {
    let mut mails = world.mails_to(email).await;
    mails.retain(|mail| mail["subject"] == format!("Your password at {DOMAIN} was changed"));
    assert_eq!(mails.len(), count, "{mails:?}");
    for mail in mails {
        let time = mail["at"].as_str().expect("a time")[..16].replace('T', " ");
        for part in ["text", "html"] {
            let body = mail[part].as_str().expect("text");
            for link in ["://", "href", "<a", "app-root", "www."] {
                assert!(!body.contains(link), "a link in {body}");
            }
            // A minute may end between the change and the mail.
            assert!(
                body.contains(&time[..13]) && body.contains("UTC"),
                "{time} is not in {body}"
            );
        }
    }
}
