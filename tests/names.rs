//! Names on every route and operator's command that takes one: mail addresses, logins and keys. Their rules are in tables
//! beside `domain::name`; here is what callers see of them.

use serde_json::json;

use crate::{
    mail::{CHECK_MAIL, DOMAIN, REGISTER, RESET, bad_value},
    mithril::{USERS, data, password_grant},
    registration::{PASSWORD, form, made},
    world::World,
};

/// A name with blanks around it, as keyboards and clipboards leave them.
fn blanks(name: &str) -> String {
    format!(" \t{name}\u{a0} ")
}

#[tokio::test]
async fn blanks_around_a_mail_address_login_or_key_are_trimmed() {
    let world = World::with(&[("MailDomain", "shop.example")]).await;
    let (login, email) = ("masha", "masha@yandex.ru");
    let body = form(&[("login", json!(blanks(login))), ("email", json!(blanks(email)))]);
    let got = world.post(REGISTER).json(&body).send().await;
    got.is(200, CHECK_MAIL);
    let link = world.link_to(email).await;
    made(&world.confirm(&link, PASSWORD).await, login);
    let [account] = world.accounts(login).await.try_into().expect("one account");
    assert_eq!(account["email"]["S"], email);

    for key in [login, email] {
        let body = json!({ "key": blanks(key), "domain": DOMAIN });
        let got = world.post(RESET).json(&body).of_a_new_source().send().await;
        got.is(200, CHECK_MAIL);
        world.advance(121).await;
    }
    assert_eq!(world.mails_to(email).await.len(), 3);

    let got = world.grant(password_grant(&blanks(email), PASSWORD)).await;
    assert_eq!(got.ok(201)["data"]["user_id"], account["user_id"]["S"]);

    let body = json!({ "email": blanks("olga@yandex.ru"), "password": PASSWORD, "login": blanks("olga") });
    let user = data(&world.post(USERS).bearer(world.admin()).json(&body).send().await, 201);
    assert_eq!(
        (&user["email"], &user["login"]),
        (&json!("olga@yandex.ru"), &json!("olga"))
    );

    let made = json!({
        "command": "create_user", "domain": DOMAIN, "email": blanks("ivan@yandex.ru"), "login": blanks("ivan"),
        "name": "Ivan", "password": PASSWORD,
    });
    let made = world.operator(made).await;
    for (name, value) in [("email", "ivan@yandex.ru"), ("login", "ivan")] {
        let shown = world
            .operator(json!({ "command": "show_user", "domain": DOMAIN, name: blanks(value) }))
            .await;
        assert_eq!(
            (&shown["user_id"], &shown["login"]),
            (&made["user_id"], &json!("ivan")),
            "{shown}"
        );
    }
    for command in ["suppression", "lift_suppression"] {
        let told = |email: String| world.operator(json!({ "command": command, "email": email }));
        assert_eq!(
            told(blanks("ivan@yandex.ru")).await,
            told("ivan@yandex.ru".to_owned()).await
        );
    }
    let set = json!({
        "command": "set_domain", "domain": "other.example", "sender": blanks("no-reply@shop.example"),
        "reply_to": blanks("help@other.example"),
    });
    let set = world.operator(set).await;
    assert_eq!(
        (&set["sender"], &set["reply_to"]),
        (&json!("no-reply@shop.example"), &json!("help@other.example")),
        "{set}"
    );
}

#[tokio::test]
async fn joiners_are_taken_where_a_script_needs_them() {
    let world = World::new().await;
    let (login, name, email) = ("علی\u{200c}رضا", "ශ්\u{200d}රී 👩🏽\u{200d}🚀", "ali@نامه\u{200c}ای.com");
    let ascii = "ali@xn--mgba3gch31f060k.com";
    let body = form(&[("login", json!(login)), ("name", json!(name)), ("email", json!(email))]);
    world.post(REGISTER).json(&body).send().await.is(200, CHECK_MAIL);
    made(&world.confirm(&world.link_to(ascii).await, PASSWORD).await, login);
    let [account] = world.accounts(login).await.try_into().expect("one account");
    assert_eq!(
        (&account["name"]["S"], &account["email"]["S"]),
        (&json!(name), &json!(ascii))
    );
    // Without the joiner it is the same login.
    let plain = login.replace('\u{200c}', "");
    let got = world.register(&plain, "other@yandex.ru").send().await;
    bad_value(&got, "login", "login already exists");
    world.forgot(&plain).send().await.is(200, CHECK_MAIL);
    assert_eq!(world.mails_to(ascii).await.len(), 2);
    world.grant(password_grant(email, PASSWORD)).await.ok(201);
    for (field, value) in [
        ("login", "ad\u{200d}min"),
        ("name", "Ma\u{200c}sha"),
        ("name", "Masha\u{200d}"),
        ("email", "a@yan\u{200d}dex.ru"),
    ] {
        let body = form(&[(field, json!(value))]);
        let got = world.post(REGISTER).json(&body).of_a_new_source().send().await;
        bad_value(&got, field, &format!("{field} contains invalid symbols"));
    }
}
