//! Names on every route and operator's command that takes one: mail addresses, logins and keys. Their rules are in
//! tables beside `domain::name`; these tests cover what callers see of them.

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use crate::support::{
    era::{CHECK_MAIL, field_refused, password_set},
    login::password_grant,
    mithril::{USERS, data, fields_refused},
    password::RESET,
    people::DOMAIN,
    registration::{PASSWORD, REGISTER, registration_form},
    words::{LOGIN_TAKEN, TAKEN},
    world::World,
};

/// A name surrounded by whitespace, as keyboards and clipboards add it.
fn blanks(name: &str) -> String {
    format!(" \t{name}\u{a0} ")
}

#[tokio::test]
async fn blanks_around_a_mail_address_login_or_key_are_trimmed() {
    let world = World::with(&[("MailDomain", "shop.example")]).await;
    let (login, email) = ("masha", "masha@yandex.ru");
    let body = registration_form(&[("login", json!(blanks(login))), ("email", json!(blanks(email)))]);
    let got = world.post(REGISTER).json(&body).send().await;
    got.is(200, CHECK_MAIL);
    let link = world.link_to(email).await;
    password_set(&world.confirm_registration(&link, PASSWORD).await, login);
    let [account] = world.accounts(login).await.try_into().expect("one account");
    assert_eq!(account["email"]["S"], email);

    for key in [login, email] {
        let body = json!({ "key": blanks(key), "domain": DOMAIN });
        let got = world.post(RESET).json(&body).with_new_address().send().await;
        got.is(200, CHECK_MAIL);
        world.advance(121).await;
    }
    assert_eq!(world.mails_to(email).await.len(), 3);

    let got = world.request_token(password_grant(&blanks(email), PASSWORD)).await;
    assert_eq!(got.ok(201)["data"]["user_id"], account["user_id"]["S"]);

    let body = json!({ "email": blanks("olga@yandex.ru"), "password": PASSWORD, "login": blanks("olga") });
    let user = data(&world.post(USERS).bearer(world.admin()).json(&body).send().await, 201);
    assert_eq!((&user["email"], &user["login"]), (&json!("olga@yandex.ru"), &json!("olga")));

    let made = json!({
        "command": "create_user", "domain": DOMAIN, "email": blanks("ivan@yandex.ru"), "login": blanks("ivan"),
        "name": "Ivan", "password": PASSWORD,
    });
    let made = world.run_command(made).await;
    for (name, value) in [("email", "ivan@yandex.ru"), ("login", "ivan")] {
        let shown = world.run_command(json!({ "command": "show_user", "domain": DOMAIN, name: blanks(value) })).await;
        assert_eq!((&shown["user_id"], &shown["login"]), (&made["user_id"], &json!("ivan")), "{shown}");
    }
    for command in ["suppression", "lift_suppression"] {
        let run = |email: String| world.run_command(json!({ "command": command, "email": email }));
        assert_eq!(run(blanks("ivan@yandex.ru")).await, run("ivan@yandex.ru".to_owned()).await);
    }
    let set = json!({
        "command": "set_domain", "domain": "other.example", "sender": blanks("no-reply@shop.example"),
        "reply_to": blanks("help@other.example"),
    });
    let set = world.run_command(set).await;
    assert_eq!(
        (&set["sender"], &set["reply_to"]),
        (&json!("no-reply@shop.example"), &json!("help@other.example")),
        "{set}"
    );
}

/// Single-script logins that look like `coco` (homographs), including itself.
const ALIKE: [&str; 4] = ["coco", "сосо", "ϲοϲο", "COCO"];

/// Asserts that a login is refused as taken or confusable, in each dialect.
async fn taken(world: &World, login: &str) {
    let got = world.register(login, "other@yandex.ru").send().await;
    field_refused(&got, "login", LOGIN_TAKEN);
    let body = json!({ "email": "other@yandex.ru", "password": PASSWORD, "login": login });
    let got = world.post(USERS).bearer(world.admin()).json(&body).send().await;
    fields_refused(&got, &[["$.login", "unique", TAKEN]]);
    for dry_run in [true, false] {
        let mut command = create(login, "other@yandex.ru");
        command["dry_run"] = dry_run.into();
        let answer = world.run_command(command).await;
        let words = answer["error"].as_str().unwrap_or_else(|| panic!("{login}: {answer}"));
        assert!(
            [
                "the login is taken in that domain",
                "the login looks like one that is taken in that domain"
            ]
            .contains(&words),
            "{words}"
        );
    }
}

fn create(login: &str, email: &str) -> Value {
    json!({
        "command": "create_user", "domain": DOMAIN, "email": email, "login": login, "name": "My Name", "password": PASSWORD,
    })
}

#[tokio::test]
async fn a_confusable_login_is_taken() {
    let world = World::new().await;
    let before = world.rows("ClaimsTable").await.len();
    world.create_account("coco", "one@yandex.ru", PASSWORD).await;
    for login in ALIKE {
        taken(&world, login).await;
    }
    // In another domain it is free.
    world.allow_registration("other.example", json!({})).await;
    world.registration_link("other.example", ALIKE[1], "one@yandex.ru").await;
    // Deleting the user releases the lookalikes, too.
    let [user] = world.accounts("coco").await.try_into().expect("one account");
    let erase = json!({ "command": "erase_user", "user_id": user["user_id"]["S"] });
    let receipt = world.run_command(erase).await;
    assert_eq!(receipt["receipt"]["tables"]["ClaimsTable"], 4, "{receipt}");
    assert_eq!(world.rows("ClaimsTable").await.len(), before);

    let body = json!({ "email": "two@yandex.ru", "password": PASSWORD, "login": ALIKE[1] });
    let user = data(&world.post(USERS).bearer(world.admin()).json(&body).send().await, 201);
    for login in ALIKE {
        taken(&world, login).await;
    }
    let erase = json!({ "command": "erase_user", "user_id": user["id"] });
    assert_eq!(world.run_command(erase).await["complete"], true);
    let made = world.run_command(create(ALIKE[2], "three@yandex.ru")).await;
    assert_eq!(made["changed"], true, "{made}");
    // Repeating the command is idempotent.
    let again = world.run_command(create(ALIKE[2], "three@yandex.ru")).await;
    assert_eq!((&again["user_id"], &again["changed"]), (&made["user_id"], &json!(false)));
    for login in [ALIKE[0], ALIKE[1]] {
        taken(&world, login).await;
    }
}

#[tokio::test]
async fn one_of_parallel_confusable_logins_is_created() {
    let world = World::new().await;
    let mut links = Vec::new();
    for (n, login) in ALIKE.iter().enumerate() {
        links.push(world.registration_link(DOMAIN, login, &format!("a{n}@yandex.ru")).await);
    }
    let confirmed = links.iter().map(async |link| world.confirm_registration(link, PASSWORD).await.status);
    let made = ALIKE.iter().enumerate().map(async |(n, login)| {
        let body = json!({ "email": format!("b{n}@yandex.ru"), "password": PASSWORD, "login": login });
        world.post(USERS).bearer(world.admin()).json(&body).send().await.status
    });
    let (confirmed, made) = join(join_all(confirmed), join_all(made)).await;
    let won = [&confirmed[..], &made].concat();
    assert_eq!(won.iter().filter(|status| matches!(status, 200 | 201)).count(), 1, "{won:?}");
    assert!(won.iter().all(|status| matches!(status, 200 | 201 | 412 | 422)), "{won:?}");
}

/// A user stored by a version without claims on looks.
#[tokio::test]
async fn a_user_without_claims_to_confusable_logins_is_kept_and_erased() {
    let world = World::new().await;
    world.create_account("coco", "one@yandex.ru", PASSWORD).await;
    let [user] = world.accounts("coco").await.try_into().expect("one account");
    let id = user["user_id"]["S"].as_str().expect("an id");
    let store = world.dynamodb();
    let key = AttributeValue::S(id.to_owned());
    let forget = store.update_item().table_name("countersign-UsersTable").key("user_id", key);
    forget.update_expression("REMOVE looks").send().await.expect("it is there");
    for look in user["looks"]["L"].as_array().expect("looks") {
        let name = STANDARD.decode(look["B"].as_str().expect("bytes")).expect("base64");
        let key = AttributeValue::B(Blob::new(name));
        let claim = store.delete_item().table_name("countersign-ClaimsTable").key("name", key);
        claim.send().await.expect("it is there");
    }
    world.request_token(password_grant("one@yandex.ru", PASSWORD)).await.ok(201);
    // An unclaimed look is free; its new owner keeps it when the other user is erased.
    let made = world.run_command(create(ALIKE[1], "two@yandex.ru")).await;
    assert_eq!(made["changed"], true, "{made}");
    let receipt = world.run_command(json!({ "command": "erase_user", "user_id": id })).await;
    assert_eq!(
        (&receipt["complete"], &receipt["receipt"]["tables"]["ClaimsTable"]),
        (&json!(true), &json!(2)),
        "{receipt}"
    );
    taken(&world, "coco").await;
}

#[tokio::test]
async fn joiners_are_accepted_where_a_script_requires_them() {
    let world = World::new().await;
    let (login, name, email) = ("علی\u{200c}رضا", "ශ්\u{200d}රී 👩🏽\u{200d}🚀", "ali@نامه\u{200c}ای.com");
    let ascii = "ali@xn--mgba3gch31f060k.com";
    let body = registration_form(&[("login", json!(login)), ("name", json!(name)), ("email", json!(email))]);
    world.post(REGISTER).json(&body).send().await.is(200, CHECK_MAIL);
    password_set(&world.confirm_registration(&world.link_to(ascii).await, PASSWORD).await, login);
    let [account] = world.accounts(login).await.try_into().expect("one account");
    assert_eq!((&account["name"]["S"], &account["email"]["S"]), (&json!(name), &json!(ascii)));
    // Without the joiner it is the same login.
    let plain = login.replace('\u{200c}', "");
    taken(&world, &plain).await;
    world.request_reset(&plain).send().await.is(200, CHECK_MAIL);
    assert_eq!(world.mails_to(ascii).await.len(), 2);
    world.request_token(password_grant(email, PASSWORD)).await.ok(201);
    for (field, value) in [
        ("login", "ad\u{200d}min"),
        ("name", "Ma\u{200c}sha"),
        ("name", "Masha\u{200d}"),
        ("email", "a@yan\u{200d}dex.ru"),
    ] {
        let body = registration_form(&[(field, json!(value))]);
        let got = world.post(REGISTER).json(&body).with_new_address().send().await;
        field_refused(&got, field, &format!("{field} contains invalid symbols"));
    }
}
