//! Key rotation by the operator: the contents of the secrets, and what is refused.

use serde_json::{Value, json};

use crate::support::{
    operator::{refuses, tables_and_keys},
    world::World,
};

const SECRETS: [(&str, &str); 6] = [
    ("support_pin", "countersign-SupportPinKeys"),
    ("passcode", "countersign-PasscodeKeys"),
    ("otp", "countersign-OtpKeys"),
    ("answer", "countersign-AnswerKeys"),
    ("verify", "countersign-VerifyKeys"),
    ("factor", "countersign-FactorKeys"),
];

fn epoch(iso: &Value) -> i64 {
    let text = iso.as_str().unwrap_or_else(|| panic!("{iso} is no time"));
    let at = time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).expect("RFC 3339");
    at.unix_timestamp()
}

/// Asserts the format of a key in its secret: its text is like the template's. Returns when it starts to sign.
fn signs_from(key: &Value) -> i64 {
    let text = key["key"].as_str().expect("a text");
    assert!(text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{text}");
    assert_eq!(key.as_object().map(serde_json::Map::len), Some(2), "{key}");
    key["signs_from"].as_i64().expect("a time")
}

#[tokio::test]
async fn a_key_is_added_once_and_signs_after_all_functions_have_loaded_it() {
    let world = World::new().await;
    for (keys, secret) in SECRETS {
        let command = json!({ "command": "rotate_key", "keys": keys, "new_id": 2 });
        let mut tried = command.clone();
        tried["dry_run"] = true.into();
        let (first, before) = (world.keys(secret).await["1"].clone(), tables_and_keys(&world).await);
        let answer = world.run_command(tried).await;
        assert_eq!((&answer["ids"], &answer["dry_run"]), (&json!([1, 2]), &json!(true)), "{answer}");
        assert_eq!(tables_and_keys(&world).await, before, "it was only tried");

        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        let answer = world.run_command(command.clone()).await;
        let held = world.keys(secret).await;
        world.keep_out_of_logs(held["2"]["key"].as_str().expect("a text"));
        let from = signs_from(&held["2"]);
        assert!((now + 600..now + 660).contains(&from), "{from} at {now}");
        assert_eq!(held, json!({ "1": first, "2": held["2"] }), "the old one stays");
        let expected = json!({
            "keys": keys, "id": 2, "signs_from": answer["signs_from"], "ids": [1, 2], "changed": true,
        });
        assert_eq!((&answer, epoch(&answer["signs_from"])), (&expected, from));

        let again = world.run_command(command).await;
        assert_eq!((&again["changed"], &again["signs_from"]), (&json!(false), &answer["signs_from"]));
        assert_eq!(world.keys(secret).await, held);
    }
}

#[tokio::test]
async fn a_key_may_sign_later_or_at_once() {
    let world = World::new().await;
    for (id, field, value, wait) in [
        (2, "signs_after_seconds", json!(86_400), 86_400),
        (3, "at_once", json!(true), 0),
    ] {
        let mut command = json!({ "command": "rotate_key", "keys": "otp", "new_id": id });
        command[field] = value;
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        world.run_command(command).await;
        let from = signs_from(&world.keys("countersign-OtpKeys").await[id.to_string()]);
        assert!((now + wait..now + wait + 60).contains(&from), "{from} at {now}");
    }
}

#[tokio::test]
async fn an_unsafe_rotation_is_refused() {
    let world = World::new().await;
    let rotate = |fields: Value| {
        let mut command = json!({ "command": "rotate_key", "keys": "passcode", "new_id": 9 });
        for (name, value) in fields.as_object().expect("fields") {
            command[name] = value.clone();
        }
        command
    };
    world.run_command(rotate(json!({ "new_id": 7 }))).await;
    let soon = "signs_after_seconds is 600 to 2592000; a key that signs sooner is made \"at_once\"";
    for (fields, words) in [
        (json!({ "new_id": 6 }), "the highest id signs: new_id must be above 7"),
        (json!({ "new_id": 0 }), "the highest id signs: new_id must be above 7"),
        (json!({ "signs_after_seconds": 599 }), soon),
        (json!({ "signs_after_seconds": 2_592_001 }), soon),
        (
            json!({ "signs_after_seconds": 600, "at_once": true }),
            "at_once and signs_after_seconds say two different things",
        ),
        (
            json!({ "keys": "password" }),
            "not a command: keys is support_pin, passcode, otp, answer, verify or factor",
        ),
    ] {
        assert_eq!(refuses(&world, rotate(fields)).await, words);
    }
    for fields in [
        json!({ "new_id": -1 }),
        json!({ "new_id": "8" }),
        json!({ "new_id": 4_294_967_296_u64 }),
    ] {
        refuses(&world, rotate(fields)).await;
    }
    let newest = json!({ "command": "retire_key", "keys": "passcode", "id": 7, "force": true });
    let words = "it is the newest key, which signs or will: rotate_key makes another one first";
    assert_eq!(refuses(&world, newest).await, words);
}

#[tokio::test]
async fn an_old_key_cannot_be_retired_while_it_is_needed() {
    let world = World::new().await;
    let longest = [
        ("support_pin", 7 * 86_400),
        ("passcode", 86_400),
        ("otp", 600),
        ("answer", 86_400),
        ("verify", 31 * 86_400),
        ("factor", 3653 * 86_400),
    ];
    for ((keys, secret), (_, life)) in SECRETS.into_iter().zip(longest) {
        let mut held = world.keys(secret).await;
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        // Functions may sign with the old key for another five minutes.
        let since = |ago: i64| json!({ "key": "k".repeat(64), "signs_from": now - ago });
        held["2"] = since(life + 300 - 60);
        world.set_keys(secret, &held).await;
        let command = json!({ "command": "retire_key", "keys": keys, "id": 1 });
        let words = refuses(&world, command.clone()).await;
        let words = words.as_str().expect("words");
        let (_, end) = words.split_once("what it made may be good until ").expect("an end");
        let (end, rest) = end.split_once(';').expect("what then");
        assert_eq!(epoch(&end.into()), now + 60);
        assert_eq!(rest, " with \"force\":true it goes at once, and all of that with it");

        held["2"] = since(life + 300);
        world.set_keys(secret, &held).await;
        let left = json!({ "2": held["2"] });
        let expected = json!({ "keys": keys, "id": 1, "signs_from": null, "ids": [2], "changed": true });
        assert_eq!(world.run_command(command.clone()).await, expected);
        assert_eq!(world.keys(secret).await, left);
        let again = world.run_command(command).await;
        assert_eq!((&again["changed"], &again["ids"]), (&json!(false), &json!([2])));
        assert_eq!(world.keys(secret).await, left);
    }
}

#[tokio::test]
async fn a_leaked_key_can_be_retired_immediately() {
    let world = World::new().await;
    let secret = "countersign-OtpKeys";
    world
        .run_command(json!({ "command": "rotate_key", "keys": "otp", "new_id": 2, "at_once": true }))
        .await;
    let command = json!({ "command": "retire_key", "keys": "otp", "id": 1, "force": true });
    let mut tried = command.clone();
    tried["dry_run"] = true.into();
    let before = tables_and_keys(&world).await;
    assert_eq!(world.run_command(tried).await["ids"], json!([2]));
    assert_eq!(tables_and_keys(&world).await, before);
    assert_eq!(world.run_command(command).await["changed"], true);
    let held = world.keys(secret).await;
    assert_eq!(held.as_object().map(serde_json::Map::len), Some(1));
    signs_from(&held["2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_parallel_command_is_lost() {
    let world = World::new().await;
    let rotate = |id: u32| world.run_command(json!({ "command": "rotate_key", "keys": "otp", "new_id": id }));
    let answers = futures_util::future::join_all((2..10).map(rotate)).await;
    let held = world.keys("countersign-OtpKeys").await;
    let mut done = 0;
    for (id, answer) in (2..10).zip(&answers) {
        let is_held = held[id.to_string()].is_object();
        assert_eq!(answer["changed"] == true, is_held, "{answer}: {held}");
        done += usize::from(is_held);
        if !is_held {
            let words = answer["error"].as_str().expect("words");
            let again = words == "the keys were changed meanwhile: send the command again";
            assert!(again || words.starts_with("the highest id signs"), "{words}");
        }
    }
    assert!(done >= 1, "{answers:?}");
    assert!(held["1"].is_string());
}

#[tokio::test]
async fn a_change_with_a_lost_response_is_made_once() {
    let world = World::new().await;
    let lost =
        json!({ "service": "secretsmanager", "operation": "PutSecretValue", "kind": "drop_response", "times": 1 });
    world.inject(lost).await;
    let answer = world.run_command(json!({ "command": "rotate_key", "keys": "otp", "new_id": 2 })).await;
    assert_eq!(answer["changed"], true, "{answer}");
    signs_from(&world.keys("countersign-OtpKeys").await["2"]);
}
