//! Known devices: logins from one have a failure limit of their own (docs/contract.md, Known devices; docs/security.md
//! R23, R70, R71, R72).

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use futures_util::future::join_all;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{
    devices::devices_path,
    era::password_set,
    login::{api_grant, token_in},
    mithril::{TOKENS, fields_refused, refused, user_blocked, wrong_identity},
    password::NEW,
    people::Person,
    requests::{IDEMPOTENCY_KEY, shown},
    words::ALLOWED_SCOPES,
    world::World,
};

const TOO_MANY_LOGINS: &str = "Too many failed logins. Try later.";
const ADDED: &str = "A new device for your account at pbx.era-platform.ru";

/// Asserts that a device is an unknown one: a wrong password counts on the user, in the lane that all share.
async fn is_unknown(world: &World, person: &Person, device: &str) {
    let before = world.failure_counts(person).await.0;
    wrong_identity(&world.sign_in_from(person, "wrong", device).await);
    let after = world.failure_counts(person).await.0;
    let count = |text: String| text.parse::<u64>().expect("a number");
    assert_eq!(count(after), count(before) + 1, "{}", person.email);
}

#[tokio::test]
async fn a_completed_login_makes_its_device_known_once_and_notifies_the_user() {
    let world = World::new().await;
    let maria = world.create_person("maria").await;
    let mut body = api_grant(&maria);
    body["device"] = true.into();
    let got = world.request_token(body.clone()).await;
    let (device, answer) = (world.device_in(&got), got.ok(201));
    let expected = json!({ "next_step": "REQUEST_APPS", "device_token": device });
    assert_eq!((&answer["urgent"], &answer["data"]["name"]), (&expected, &json!("access_token")));
    assert_eq!(device.len(), 64);
    let value = token_in(&got);
    assert!(value.starts_with('k') && world.token_works(&value).await);
    let rows = world.rows("DevicesTable").await;
    assert!(!json!(rows).to_string().contains(&device), "{rows:?}");
    // Another token: the device keeps its id, and the user is not notified again.
    let id = world.device_rows(&maria).await[0]["id"].clone();
    world.advance(60).await;
    body["device_token"] = device.clone().into();
    let renewed = world.device_in(&world.request_token(body.clone()).await);
    assert_ne!(renewed, device);
    let rows = world.device_rows(&maria).await;
    assert_eq!((rows.len(), &rows[0]["id"]), (1, &id));
    // The response may have been lost, so the earlier token is valid until the next replacement.
    for n in 1..=2 {
        let token = [&device, &renewed][n - 1];
        wrong_identity(&world.sign_in_from(&maria, "wrong", token).await);
        assert_eq!(world.device_failures(&maria).await, n as u64);
    }
    body["device_token"] = renewed.into();
    let renewed = world.device_in(&world.request_token(body.clone()).await);
    is_unknown(&world, &maria, &device).await;
    assert_eq!((world.device_failures(&maria).await, world.failure_counts(&maria).await.0), (0, "1".to_owned()));
    // Without `device`, no token is issued.
    let got = world.sign_in_from(&maria, &maria.password, &renewed).await.ok(201);
    assert_eq!(got["urgent"], json!({ "next_step": "REQUEST_APPS" }));
    let mails = world.mails_to(&maria.email).await;
    let subjects: Vec<_> = mails.iter().map(|mail| &mail["subject"]).collect();
    assert_eq!(subjects, [ADDED]);
    let log = world.audit_log_of(&format!("user:{}", maria.id)).await;
    assert_eq!(log.iter().filter(|(what, ..)| what == "device_added").count(), 1, "{log:?}");
}

#[tokio::test]
async fn failures_of_others_do_not_block_a_known_device() {
    let world = World::new().await;
    let maria = world.create_person("maria").await;
    let device = world.add_device(&maria).await;
    let before = token_in(&world.sign_in_from(&maria, &maria.password, &device).await);
    world.block_by_passwords(&maria).await;
    user_blocked(&world.sign_in(&maria, &maria.password).await);
    assert!(world.token_works(&before).await, "tokens of the device do not end");
    let token = token_in(&world.sign_in_from(&maria, &maria.password, &device).await);
    assert!(world.token_works(&token).await && !world.token_works(&before).await, "another session");
    assert_eq!(world.failure_counts(&maria).await.0, "4", "the counter of others is as it was");
    user_blocked(&world.sign_in(&maria, &maria.password).await);
}

#[tokio::test]
async fn a_login_from_a_known_device_gives_others_no_new_guesses() {
    let world = World::new().await;
    let maria = world.create_person("maria").await;
    let device = world.add_device(&maria).await;
    for n in 1..=3 {
        wrong_identity(&world.sign_in(&maria, "wrong").await);
        token_in(&world.sign_in_from(&maria, &maria.password, &device).await);
        assert_eq!(world.failure_counts(&maria).await.0, n.to_string());
    }
    wrong_identity(&world.sign_in(&maria, "wrong").await);
    user_blocked(&world.sign_in(&maria, "wrong").await);
}

#[tokio::test]
async fn failures_from_a_known_device_count_on_the_device_only() {
    let world = World::with(&[("FailedLoginsPerSourcePerHour", "1")]).await;
    let maria = world.create_person("maria").await;
    let device = world.add_device(&maria).await;
    for n in 1..=4 {
        wrong_identity(&world.sign_in_from(&maria, "wrong", &device).await);
        assert_eq!(world.device_failures(&maria).await, n);
    }
    assert_eq!(world.failure_counts(&maria).await.0, "0");
    // A scope that the client may not ask for is no failure, and resets none.
    let mut body = api_grant(&maria);
    (body["device_token"], body["scope"]) = (device.clone().into(), "passcode".into());
    let got = world.request_token(body).await;
    let message = got.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
    assert!(got.status == 401 && message.starts_with(ALLOWED_SCOPES), "{got:?}");
    assert_eq!(world.device_failures(&maria).await, 4);
    token_in(&world.sign_in_from(&maria, &maria.password, &device).await);
    assert_eq!(world.device_failures(&maria).await, 0, "not in a row");
    // Neither do failures of its network matter.
    wrong_identity(&world.sign_in(&maria, "wrong").await);
    refused(&world.sign_in(&maria, &maria.password).await, 429, "login_timeout", TOO_MANY_LOGINS);
    token_in(&world.sign_in_from(&maria, &maria.password, &device).await);
    for _ in 0..5 {
        wrong_identity(&world.sign_in_from(&maria, "wrong", &device).await);
    }
    assert_eq!((world.device_failures(&maria).await, world.failure_counts(&maria).await.0), (5, "1".to_owned()));
    // It is an unknown device now, in the lane that all share.
    refused(&world.sign_in_from(&maria, &maria.password, &device).await, 429, "login_timeout", TOO_MANY_LOGINS);
    world.advance(3600).await;
    is_unknown(&world, &maria, &device).await;
    assert_eq!(world.device_failures(&maria).await, 5);
}

#[tokio::test]
async fn five_of_parallel_wrong_passwords_from_a_device_are_compared_in_its_lane() {
    let world = World::with(&[("FailedLoginsPerSourcePerHour", "300")]).await;
    for round in 0..3 {
        let person = world.create_person(&format!("someone{round}")).await;
        let device = world.add_device(&person).await;
        let answers = join_all((0..64).map(|_| world.sign_in_from(&person, "wrong", &device))).await;
        // Then the shared lane: three wrong passwords, and one that blocks.
        let (compared, blocked): (Vec<_>, Vec<_>) =
            answers.iter().partition(|got| got.json()["error"]["type"] == "access_denied");
        assert_eq!((compared.len(), blocked.len()), (9, 55), "round {round}");
        compared.into_iter().for_each(wrong_identity);
        blocked.into_iter().for_each(user_blocked);
        let counts = (world.device_failures(&person).await, world.failure_counts(&person).await.0);
        assert_eq!(counts, (5, "4".to_owned()), "round {round}");
        user_blocked(&world.sign_in_from(&person, &person.password, &device).await);
    }
}

#[tokio::test]
async fn parallel_failures_of_others_do_not_refuse_a_login_from_a_known_device() {
    let world = World::with(&[("FailedLoginsPerSourcePerHour", "300")]).await;
    let maria = world.create_person("maria").await;
    let device = world.add_device(&maria).await;
    for _ in 0..3 {
        let attack = join_all((0..24).map(|_| world.sign_in(&maria, "wrong")));
        let logins = async {
            for _ in 0..4 {
                let token = token_in(&world.sign_in_from(&maria, &maria.password, &device).await);
                assert!(world.token_works(&token).await);
            }
        };
        futures_util::future::join(attack, logins).await;
    }
    assert_eq!(world.device_failures(&maria).await, 0);
}

#[tokio::test]
async fn whatever_ends_all_tokens_ends_a_known_device() {
    let world = World::new().await;
    let changed = async |person: &Person| {
        let token = world.log_in(person).await;
        assert_eq!(world.change_password(&token, &person.password, NEW).await.status, 200);
    };
    let reset = async |person: &Person| {
        let link = world.reset_link(&person.email, &person.email).await;
        password_set(&world.reset_password(&link, NEW).await, person.email.split('@').next().expect("a login"));
    };
    for (n, ends) in ["changed", "reset", "end_tokens", "unblocked"].into_iter().enumerate() {
        let person = world.create_person(&format!("someone{n}")).await;
        let device = world.add_device(&person).await;
        match ends {
            "changed" => changed(&person).await,
            "reset" => reset(&person).await,
            "end_tokens" => world.run_command_about("end_tokens", &person).await,
            _ => {
                world.change_block(&person, "block").await;
                user_blocked(&world.sign_in_from(&person, &person.password, &device).await);
                world.change_block(&person, "unblock").await;
            }
        }
        is_unknown(&world, &person, &device).await;
        let path = devices_path(&person);
        let listed = world.get(&path).bearer(world.admin()).send().await.ok(200);
        assert_eq!(listed["data"], json!([]), "{ends}");
    }
}

#[tokio::test]
async fn an_administrators_block_refuses_a_known_device_and_its_tokens() {
    let world = World::new().await;
    let maria = world.create_person("maria").await;
    let device = world.add_device(&maria).await;
    let token = token_in(&world.sign_in_from(&maria, &maria.password, &device).await);
    world.block_by_passwords(&maria).await;
    assert!(world.token_works(&token).await);
    world.change_block(&maria, "block").await;
    assert!(!world.token_works(&token).await);
    for password in [maria.password.as_str(), "wrong"] {
        user_blocked(&world.sign_in_from(&maria, password, &device).await);
    }
    assert_eq!(world.device_failures(&maria).await, 0, "it was not compared");
    world.change_block(&maria, "unblock").await;
    assert!(!world.token_works(&token).await, "and does not come back");
}

#[tokio::test]
async fn a_device_token_expires_and_is_valid_for_its_own_user_only() {
    let world = World::with(&[("KnownDeviceLifetime", "86400")]).await;
    let (maria, olga) = (world.create_person("maria").await, world.create_person("olga").await);
    let device = world.add_device(&maria).await;
    is_unknown(&world, &olga, &device).await;
    is_unknown(&world, &maria, &format!("{}A", &device[..63])).await;
    is_unknown(&world, &maria, "").await;
    let issued = world.device_rows(&maria).await[0]["added_at"]["N"].as_str().and_then(|text| text.parse().ok());
    let issued: u64 = issued.expect("a number");
    world.advance(issued + 86_390 - world.now().await).await;
    token_in(&world.sign_in_from(&maria, &maria.password, &device).await);
    world.advance(issued + 86_400 - world.now().await).await;
    assert_eq!(world.failure_counts(&maria).await.0, "2");
    is_unknown(&world, &maria, &device).await;
    // The fields have types like all others.
    let mut body = api_grant(&maria);
    (body["device_token"], body["device"]) = (json!(7), json!("yes"));
    fields_refused(
        &world.request_token(body).await,
        &[
            ["$.device_token", "cast", "is invalid"],
            ["$.device", "cast", "is invalid"],
        ],
    );
}

#[tokio::test]
async fn a_device_token_does_not_reveal_whether_an_account_exists() {
    let world = World::with(&[("FailedLoginsPerSourcePerHour", "300")]).await;
    let (maria, olga) = (world.create_person("maria").await, world.create_person("olga").await);
    world.add_device(&olga).await;
    let foreign = world.add_device(&world.create_person("other").await).await;
    for device in [foreign.as_str(), "no token", ""] {
        for wants in [false, true] {
            let mut expected = None;
            for email in [&maria.email, &olga.email, "unknown@example.org", "no address"] {
                let mut body = api_grant(&maria);
                (body["email"], body["password"]) = (email.into(), "wrong".into());
                (body["device_token"], body["device"]) = (device.into(), wants.into());
                world.invocations().await;
                let got = world.request_token(body).await;
                let found = (shown(&got), world.login_calls().await);
                let expected = expected.get_or_insert_with(|| found.clone());
                assert_eq!(found, *expected, "{email} {device:?} {wants}");
            }
        }
    }
}

#[tokio::test]
async fn a_login_with_a_code_keeps_the_lane_of_its_device() {
    let world = World::new().await;
    let maria = world.create_person("maria").await;
    let device = world.add_device(&maria).await;
    let phone = "+380881234531";
    world.keep_phone_out_of_logs(phone);
    let set = json!({ "command": "set_factor", "user_id": maria.id, "type": "SMS", "factor": phone });
    assert_eq!(world.run_command(set).await["changed"], true);
    let mut body = api_grant(&maria);
    (body["device_token"], body["device"]) = (device.clone().into(), true.into());
    let got = world.request_token(body).await;
    assert_eq!(got.ok(201)["urgent"], json!({ "next_step": "REQUEST_OTP" }), "it is not completed");
    let token = token_in(&got);
    assert!(token.starts_with('k'));
    world.block_by_passwords(&maria).await;
    let refreshed = token_in(&world.refresh_login(&token).await);
    assert!(refreshed.starts_with('k'));
    let access = token_in(&world.submit_code(&refreshed, &world.code_to(phone).await).await);
    assert!(access.starts_with('k') && world.token_works(&access).await);
    user_blocked(&world.sign_in(&maria, &maria.password).await);
}

/// What a remembered device depends on, for a user with one factor: SHA-256 over parts that are prefixed with their
/// lengths.
fn fingerprint(factor: &Value) -> Vec<u8> {
    let framed = |parts: &[&[u8]]| -> Vec<u8> {
        parts.iter().flat_map(|part| [&(part.len() as u64).to_be_bytes()[..], part].concat()).collect()
    };
    let text = |name: &str| factor[name]["S"].as_str().expect("a text").as_bytes();
    let changed: u64 = factor["updated_at"]["N"].as_str().and_then(|text| text.parse().ok()).expect("a number");
    let is_active = u8::from(factor["is_active"]["BOOL"] == true);
    let one = framed(&[text("id"), b"SMS", &[is_active], &changed.to_be_bytes(), text("value")]);
    Sha256::digest(framed(&[b"factors", &one])).to_vec()
}

impl World {
    /// Makes a user's only device a remembered one until then, as the rows are after a login with a code.
    async fn remember_device(&self, person: &Person, until: u64) {
        let factors = self.rows("FactorsTable").await;
        let own = |row: &&Value| row["owner"]["S"].as_str().is_some_and(|owner| owner.starts_with(&person.id));
        let fingerprint = fingerprint(factors.iter().find(own).expect("a factor"));
        let update = self.dynamodb().update_item().table_name("countersign-DevicesTable");
        let update = update.key("user_id", AttributeValue::S(person.id.clone()));
        let update = update.expression_attribute_values(":until", AttributeValue::N(until.to_string()));
        let update = update.expression_attribute_values(":factors", AttributeValue::B(Blob::new(fingerprint)));
        let set = "SET devices[0].remembered_until = :until, devices[0].remembered_factors = :factors";
        update.update_expression(set).send().await.expect("it is set");
    }
}

#[tokio::test]
async fn a_remembered_device_needs_no_code_until_a_factor_changes() {
    let world = World::with(&[("RememberDeviceDays", "30")]).await;
    let people = [world.create_person("maria").await, world.create_person("olga").await];
    let phones = ["+380881234531", "+380881234532"];
    for ((person, phone), ends) in people.iter().zip(phones).zip(["it expires", "a factor changes"]) {
        let device = world.add_device(person).await;
        world.keep_phone_out_of_logs(phone);
        let set = json!({ "command": "set_factor", "user_id": person.id, "type": "SMS", "factor": phone });
        assert_eq!(world.run_command(set).await["changed"], true);
        let step = async || {
            let got = world.sign_in_from(person, &person.password, &device).await.ok(201);
            got["urgent"]["next_step"].as_str().expect("a step").to_owned()
        };
        assert_eq!(step().await, "REQUEST_OTP", "it is known, and not remembered");
        let until = world.now().await + 1000;
        world.remember_device(person, until).await;
        assert_eq!(step().await, "REQUEST_APPS", "{ends}");
        let listed = world.get(&devices_path(person)).bearer(world.admin()).send().await.ok(200);
        assert!(listed["data"][0]["remembered_until"].is_string(), "{listed}");
        // Others need the code.
        let got = world.sign_in(person, &person.password).await.ok(201);
        assert_eq!(got["urgent"]["next_step"], "REQUEST_OTP");
        if ends == "it expires" {
            let command = |is_admin| json!({ "command": "set_admin", "user_id": person.id, "is_admin": is_admin });
            world.run_command(command(true)).await;
            assert_eq!(step().await, "REQUEST_OTP", "administrators need it");
            world.run_command(command(false)).await;
            assert_eq!(step().await, "REQUEST_APPS");
            world.advance(until - world.now().await).await;
        } else {
            world.advance(1).await;
            world.switch_factor_as_admin(person, "disable").await;
            world.switch_factor_as_admin(person, "enable").await;
        }
        assert_eq!(step().await, "REQUEST_OTP", "{ends}");
        world.advance(3600).await;
    }
}

#[tokio::test]
async fn a_repeated_login_from_a_known_device_gets_the_same_answer_while_others_are_blocked() {
    let world = World::new().await;
    let maria = world.create_person("maria").await;
    let device = world.add_device(&maria).await;
    world.block_by_passwords(&maria).await;
    let mut body = api_grant(&maria);
    (body["device_token"], body["device"]) = (device.into(), true.into());
    let log_in = || world.post(TOKENS).header("idempotency-key", IDEMPOTENCY_KEY).json(&body).send();
    let first = log_in().await;
    world.device_in(&first);
    assert_eq!(log_in().await.body, first.body);
    assert_eq!(world.device_rows(&maria).await.len(), 1);
}

#[tokio::test]
async fn a_year_of_attacks_never_refuses_the_owner_and_compares_the_published_number_of_passwords() {
    let world = World::with(&[("BlockSeconds", "2592000"), ("FailedLoginsPerSourcePerHour", "300")]).await;
    let maria = world.create_person("maria").await;
    let mut device = world.add_device(&maria).await;
    let mut compared = 0;
    for day in 0..365 {
        loop {
            let got = world.sign_in(&maria, "wrong").await;
            if got.json()["error"]["type"] == "user_blocked" {
                break;
            }
            wrong_identity(&got);
            compared += 1;
        }
        let mut body = api_grant(&maria);
        (body["device_token"], body["device"]) = (device.into(), true.into());
        let got = world.request_token(body).await;
        assert_eq!(got.status, 201, "day {day}: {got:?}");
        assert!(world.token_works(&token_in(&got)).await, "day {day}");
        device = world.device_in(&got);
        world.advance(86_400).await;
    }
    // docs/security.md, Known devices: one more than the limit for each block, and a block for each 30 days that began.
    assert_eq!(compared, (3 + 1) * (1 + 364 / 30));
    assert_eq!((world.device_failures(&maria).await, world.device_rows(&maria).await.len()), (0, 1));
}
