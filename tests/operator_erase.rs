//! Erasure of a user: nothing of them remains but the receipt, and nothing restores them.

use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::future::{join, join_all};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{
    era::CHECK_MAIL,
    faults::in_some_round,
    login::token_in,
    messages::suppress,
    mithril::{user_blocked, wrong_identity},
    operator::tables_and_keys,
    people::{DOMAIN, OTHER_PHONE, Person},
    support_pin::OWN_PIN,
    world::World,
};

const PHONE: &str = "+380881234577";

/// `SHA-256(framed(parts))` as in rows: each part is prefixed with its length in eight bytes.
fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    STANDARD.encode(hash.finalize())
}

/// The key of the rate limit of text messages to a number: HMAC-SHA-256 under a key that is derived from the first one of
/// codes (HKDF-SHA-256, RFC 5869).
async fn sms_limit(world: &World, phone: &str) -> String {
    let hmac = |key: &[u8], message: &[u8]| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
        mac.update(message);
        mac.finalize().into_bytes()
    };
    let derived = |key: &[u8], purpose: &[u8]| hmac(&hmac(&[0; 32], key), &[purpose, &[1]].concat());
    let keys = world.keys("countersign-OtpKeys").await;
    let root = derived(keys["1"].as_str().expect("a text").as_bytes(), b"countersign otps");
    let parts = ["text messages", phone];
    let framed = parts.iter().flat_map(|part| [&(part.len() as u64).to_be_bytes()[..], part.as_bytes()].concat());
    STANDARD.encode(hmac(&derived(&root, b"recipients"), &framed.collect::<Vec<_>>()))
}

/// A digest of a user's id, which is hashed as bytes.
fn digest_of_id(what: &str, id: &str) -> String {
    let bytes = u128::from_str_radix(&id.replace('-', ""), 16).expect("a UUID").to_be_bytes();
    let mut hash = Sha256::new();
    for part in [what.as_bytes(), &bytes] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    STANDARD.encode(hash.finalize())
}

/// Everything that identifies a user: in plain text, or as a digest.
async fn names(world: &World, person: &Person, login: &str) -> Vec<String> {
    let email = person.email.as_str();
    vec![
        person.id.clone(),
        email.to_owned(),
        format!("{login:?}"),
        PHONE.to_owned(),
        OTHER_PHONE.to_owned(),
        digest(&["claim", "login", DOMAIN, login]),
        digest(&["claim", "email", DOMAIN, email]),
        digest(&["throttle", "mailbox", "registration", email]),
        digest(&["throttle", "mailbox", "recovery", email]),
        digest(&["throttle", "elsewhere", "password_reset", DOMAIN, login]),
        sms_limit(world, PHONE).await,
        sms_limit(world, OTHER_PHONE).await,
        digest_of_id("password guesses", &person.id),
        digest(&["suppression", email]),
    ]
}

/// Asserts that no table contains any of the names, except the id in the audit log.
async fn is_gone(world: &World, person: &Person, login: &str) {
    let rows = &world.all_rows().await;
    for name in names(world, person, login).await.iter().filter(|name| **name != person.id) {
        assert!(!rows.contains(name), "{name} is left");
    }
    is_only_audited(rows, person);
}

/// Asserts that the id, which no longer identifies a user, is in the audit log only.
#[track_caller]
fn is_only_audited(rows: &str, person: &Person) {
    let mut tables = rows.lines().filter(|table| table.contains(&person.id));
    let is_audit_only = tables.all(|table| table.starts_with("countersign-AuditTable"));
    assert!(is_audit_only, "{} is left", person.id);
}

/// The number of rows in a table.
async fn size(world: &World, table: &str) -> u64 {
    world.rows(table).await.len().try_into().expect("few")
}

/// A user with rows in every table.
async fn known_everywhere(world: &World, login: &str) -> Person {
    world.request_reset(login).send().await.is(200, CHECK_MAIL);
    // A device becomes known by a login without a second factor.
    let person = world.create_person(login).await;
    world.add_device(&person).await;
    world.keep_phone_out_of_logs(PHONE);
    let set = json!({ "command": "set_factor", "user_id": person.id, "type": "SMS", "factor": PHONE });
    assert_eq!(world.run_command(set).await["changed"], true);
    let person = Person {
        phone: Some(PHONE.to_owned()),
        ..person
    };
    world.request_reset(login).send().await.is(200, CHECK_MAIL);
    let api = world.create_token(json!({ "user_id": person.id, "scopes": ["api"] })).await;
    world.change_password(&api, "a-wrong-one", "ew!hIb3V").await;
    let changed = world
        .post("/rest/v1/iam/pwd_reset_requests")
        .bearer(&api)
        .header("idempotency-key", "once")
        .json(&json!({ "current_pwd": person.password, "new_pwd": "pass-of-somebody~2" }))
        .send()
        .await;
    changed.ok(200);
    let person = Person {
        password: "pass-of-somebody~2".into(),
        ..person
    };
    world.keep_out_of_logs(&person.password);
    world.register("another", &person.email).send().await.is(200, CHECK_MAIL);
    let (token, code) = world.begin_login(&person).await;
    let access = token_in(&world.submit_code(&token, &code).await);
    world.init_factor(&access, OTHER_PHONE).await.ok(201);
    let api = world.create_token(json!({ "user_id": person.id, "scopes": ["api"] })).await;
    world.post(OWN_PIN).private_token(&api).send().await.ok(201);
    suppress(world, &person.email).await;
    person
}

/// Erases a user, with retries while the machine is busy.
async fn erased(world: &World, person: &Person) {
    for _ in 0..9 {
        let answer = world.run_command(erasure(person)).await;
        if answer["complete"] == true {
            return;
        }
    }
    panic!("{} cannot be erased", person.id);
}

fn erasure(person: &Person) -> Value {
    json!({ "command": "erase_user", "user_id": person.id })
}

#[tokio::test]
async fn an_erasure_leaves_only_what_the_receipt_lists() {
    let world = World::new().await;
    let others = world.create_person_with("others", "+380881234599").await;
    let login = "quitemaria";
    let person = known_everywhere(&world, login).await;
    let rows = world.all_rows().await;
    for name in names(&world, &person, login).await {
        assert!(rows.contains(&name), "{name} is not there to be erased");
    }

    let mut tried = erasure(&person);
    tried["dry_run"] = true.into();
    let before = tables_and_keys(&world).await;
    let tried = world.run_command(tried).await;
    assert_eq!(tables_and_keys(&world).await, before, "it was only tried");
    let tables = tried["receipt"]["tables"].as_object().expect("tables").clone();
    let mut sizes = Vec::new();
    for table in tables.keys() {
        sizes.push(size(&world, table).await);
    }

    let answer = world.run_command(erasure(&person)).await;
    assert_eq!(answer["receipt"]["tables"], tried["receipt"]["tables"], "a try counts the same");
    for (table, size_before) in tables.keys().zip(sizes) {
        let gone = size_before - size(&world, table).await;
        assert_eq!(tables[table], gone, "{table}");
        assert!(gone > 0, "{table} held nothing of the person");
    }
    let stays = answer["receipt"]["stays"].as_array().expect("a list");
    assert!(stays.len() > 3 && stays.iter().all(Value::is_string), "{answer}");
    let expected = json!({
        "receipt": {
            "user_id": person.id, "at": answer["receipt"]["at"], "request_id": answer["receipt"]["request_id"],
            "tables": tables, "stays": stays,
        },
        "complete": true, "continue": null, "changed": true,
    });
    assert_eq!(answer, expected);

    is_gone(&world, &person, login).await;
    let mut events = world.rows("AuditTable").await;
    events.retain(|row| row["subject"]["S"] == format!("user:{}", person.id) && row["route"]["S"] == "erase_user");
    let acts: Vec<_> = events.iter().map(|event| (&event["what"]["S"], &event["actor"]["S"])).collect();
    for what in ["user_erasure_begun", "user_erased"] {
        assert!(acts.contains(&(&json!(what), &json!("operator"))), "{acts:?}");
    }
    assert_eq!(acts.len(), 2);
    assert!(events.iter().all(|event| event["request_id"]["S"] == answer["receipt"]["request_id"]));
    wrong_identity(&world.sign_in(&person, &person.password).await);
    world.sign_in(&others, &others.password).await.ok(201);

    let done = tables_and_keys(&world).await;
    let again = world.run_command(erasure(&person)).await;
    assert_eq!((&again["changed"], &again["complete"]), (&json!(false), &json!(true)));
    let zeros = again["receipt"]["tables"].as_object().expect("tables").values().all(|count| *count == 0);
    assert!(zeros, "{again}");
    assert_eq!(tables_and_keys(&world).await, done);
}

#[tokio::test]
async fn the_names_of_an_erased_user_are_available_again() {
    let world = World::new().await;
    let maria = world.create_person("maria").await;
    world.run_command(erasure(&maria)).await;
    let again = world.create_person("maria").await;
    assert_ne!(again.id, maria.id);
    world.sign_in(&again, &again.password).await.ok(201);
}

#[tokio::test]
async fn an_interrupted_erasure_continues_and_its_user_stays_blocked() {
    let world = World::new().await;
    let login = "quitemaria";
    let person = known_everywhere(&world, login).await;
    let token = world.create_token(json!({ "user_id": person.id, "scopes": ["api"] })).await;
    let mut tried = erasure(&person);
    tried["dry_run"] = true.into();
    let tried = world.run_command(tried).await["receipt"]["tables"].take();

    let mut sums = serde_json::Map::new();
    let mut place = Value::Null;
    let mut commands = 0;
    loop {
        let mut command = erasure(&person);
        command["within_seconds"] = 0.into();
        command["continue"] = place;
        let answer = world.run_command(command).await;
        for (table, count) in answer["receipt"]["tables"].as_object().expect("tables") {
            let sum = sums.get(table).and_then(Value::as_u64).unwrap_or_default();
            sums.insert(table.clone(), (sum + count.as_u64().expect("a number")).into());
        }
        commands += 1;
        place = answer["continue"].clone();
        if answer["complete"] == true {
            break;
        }
        assert!(commands < 10 && place.is_string(), "{answer}");
        user_blocked(&world.sign_in(&person, &person.password).await);
        assert!(!world.token_works(&token).await);
    }
    assert_eq!(commands, 3, "a table each, and the links with the last one");
    assert_eq!(Value::from(sums), tried);
    is_gone(&world, &person, login).await;
}

#[tokio::test]
async fn an_erasure_restarts_if_its_user_was_unblocked_meanwhile() {
    let world = World::new().await;
    let person = world.create_person("maria").await;
    let stopped = world
        .run_command(json!({ "command": "erase_user", "user_id": person.id, "within_seconds": 0 }))
        .await;
    assert_eq!(stopped["complete"], false);
    world.run_command(json!({ "command": "unblock_user", "user_id": person.id })).await;
    token_in(&world.sign_in(&person, &person.password).await);
    let mut command = erasure(&person);
    command["continue"] = stopped["continue"].clone();
    let answer = world.run_command(command).await;
    assert_eq!((&answer["complete"], &answer["receipt"]["tables"]["TokensTable"]), (&json!(true), &json!(1)));
    is_gone(&world, &person, "maria").await;
}

#[tokio::test]
async fn a_failed_erasure_can_be_retried() {
    let world = World::new().await;
    let login = "quitemaria";
    let person = known_everywhere(&world, login).await;
    let mut failed = 0;
    for skip in (0..60).step_by(4) {
        let rule = json!({ "service": "dynamodb", "operation": null, "kind": "error", "skip": skip, "times": 1000 });
        world.inject(rule).await;
        let answer = world.run_command(erasure(&person)).await;
        world.clear_faults().await;
        if answer["error"].is_null() {
            break;
        }
        failed += 1;
        // The user is blocked before anything is deleted.
        let got = world.sign_in(&person, &person.password).await;
        let users = Value::from(world.rows("UsersTable").await).to_string();
        if skip > 1 && users.contains(&person.id) {
            user_blocked(&got);
        }
    }
    assert!(failed > 5, "{failed}");
    world.run_command(erasure(&person)).await;
    is_gone(&world, &person, login).await;
}

/// A user with the tokens for every request that writes about a user.
struct Busy {
    person: Person,
    waiting: String,
    api: String,
}

impl Busy {
    async fn new(world: &World, n: usize) -> Self {
        let person = world.create_person_with(&format!("someone{n}"), &format!("+3808812346{n:02}")).await;
        let (waiting, _) = world.begin_login(&person).await;
        let api = world.create_app_token(&person).await;
        Self { person, waiting, api }
    }

    /// Makes one of the requests that write about a user, whatever the outcome.
    async fn does(&self, world: &World, n: usize) {
        let Self { person, waiting, api } = self;
        let operator = async |mut command: Value| {
            command["user_id"] = person.id.as_str().into();
            world.run_command(command).await;
        };
        match n % ACTS {
            0 => drop(world.sign_in(person, &person.password).await),
            1 => drop(world.refresh_login(waiting).await),
            2 => drop(world.resend_code(person, waiting).await),
            3 => drop(world.init_factor(api, OTHER_PHONE).await),
            4 => drop(world.post(OWN_PIN).private_token(api).send().await),
            5 => drop(world.request_reset(&person.email).send().await),
            6 => {
                let factors = world.post(&person.factors_path()).bearer(world.admin());
                drop(factors.json(&json!({ "type": "SMS" })).send().await);
            }
            7 => {
                let command = json!({ "command": "create_token", "client_id": "heatclinic" });
                let life = json!({ "scopes": ["api"], "lifetime_seconds": 60 });
                operator(with(command, &life)).await;
            }
            _ => {
                let command = json!({ "command": "set_factor", "type": "SMS" });
                operator(with(command, &json!({ "factor": OTHER_PHONE }))).await;
            }
        }
    }
}

/// The number of requests that [`Busy::does`] makes.
const ACTS: usize = 9;

fn with(mut command: Value, fields: &Value) -> Value {
    for (name, value) in fields.as_object().expect("fields") {
        command[name] = value.clone();
    }
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_checked_before_an_erasure_writes_nothing_after_it() {
    let world = World::new().await;
    for act in 0..ACTS {
        in_some_round(async |round| {
            let n = act + ACTS * round;
            let busy = Busy::new(&world, n).await;
            // The write's other conditions are true: there is no code yet, and the user has no factor.
            let table = if act < 6 {
                "countersign-OtpsTable"
            } else {
                "countersign-FactorsTable"
            };
            let key = aws_sdk_dynamodb::types::AttributeValue::S(format!("{} SMS", busy.person.id));
            let delete = world.dynamodb().delete_item().table_name(table);
            delete.key("owner", key).send().await.expect("deleted");
            // Everything is read, and then the user is erased.
            let gone = world.overtaken(busy.does(&world, n), erased(&world, &busy.person)).await;
            is_only_audited(&world.all_rows().await, &busy.person);
            assert!(!world.token_works(&busy.api).await);
            gone
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_requests_do_not_restore_an_erased_user() {
    let world = World::new().await;
    for round in 0..4 {
        let busy = Busy::new(&world, round).await;
        let all = join_all((0..64).map(|n| busy.does(&world, n)));
        join(erased(&world, &busy.person), all).await;
        is_only_audited(&world.all_rows().await, &busy.person);
        assert!(!world.token_works(&busy.api).await);
        wrong_identity(&world.sign_in(&busy.person, &busy.person.password).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_concurrent_login_does_not_outlive_an_erased_user() {
    let world = World::new().await;
    for round in 0..4 {
        let person = world.create_person(&format!("someone{round}")).await;
        let logins = join_all((0..64).map(|_| world.sign_in(&person, &person.password)));
        let ((), logins) = join(erased(&world, &person), logins).await;
        for got in logins.iter().filter(|got| got.status == 201) {
            assert!(!world.token_works(&token_in(got)).await);
        }
        is_only_audited(&world.all_rows().await, &person);
    }
}

#[tokio::test]
async fn a_continued_erasure_does_not_erase_the_next_user_of_the_id() {
    let world = World::new().await;
    let person = world.create_person("maria").await;
    // The continuation token of a command that got as far as the links.
    let mut command = erasure(&person);
    command["continue"] = "7 PasswordResetRequestsTable ".into();
    for dry_run in [true, false] {
        command["dry_run"] = dry_run.into();
        let refused = world.run_command(command.clone()).await;
        assert_eq!(
            refused["error"],
            "the user is erased, and another one has the id now: without continue, that one would be erased"
        );
    }
    token_in(&world.sign_in(&person, &person.password).await);
    erased(&world, &person).await;
    // It is valid when there is no user.
    command["dry_run"] = false.into();
    assert_eq!(world.run_command(command).await["complete"], true);
}
