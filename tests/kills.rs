//! Processes are killed at random moments: an act and its audit event are there together or not at all, and notices are
//! mailed at least once (docs/security.md R76).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{
    mithril::USERS,
    passcode::{PURPOSE, USER},
    password::{NEW, OLD, RESET},
    requests::Request,
    world::{World, random_name, sweeps_everything},
};

/// The number of acts: a sample, or as many as the requirement names.
fn acts() -> usize {
    if sweeps_everything() { 1000 } else { 40 }
}

/// What is done, and the function that does it.
const ACTS: [(&str, &str); 4] = [
    ("passcode_issued", "passcode-retrieve"),
    ("passcode_consumed", "passcode-consume"),
    ("password_changed", "password-reset-request"),
    ("user_created", "user-create"),
];

/// The longest sequence of calls of such a request or of a batch of publish: a fault that skips more hits none.
const CALLS: u32 = 6;

/// A kill at a random call of a function, or none. The same seed gives the same kills.
fn kill(seed: &str, n: usize, function: &str, service: &str) -> Option<Value> {
    let drawn = Sha256::digest(format!("{seed} {n} {function}"));
    let kind = ["kill_before", "kill_after"][usize::from(drawn[0] % 2)];
    let skip = u32::from(drawn[1]) % CALLS;
    let rule = json!({ "service": service, "kind": kind, "skip": skip, "function": function });
    (drawn[2] % 4 > 0).then_some(rule)
}

/// The request of an act, which is prepared without a fault.
async fn prepared<'a>(world: &'a World, what: &str, n: usize) -> Request<'a> {
    let login = format!("someone{n}");
    match what {
        "passcode_issued" => {
            let path = format!("/passcode/retrieve?purpose={PURPOSE}&username={USER}&client_id=heatclinic");
            world.get(&path).bearer(world.passcode_token())
        }
        "passcode_consumed" => world.consume(&world.retrieve(USER, PURPOSE).await.token, USER, PURPOSE),
        "password_changed" => {
            let (token, _) = world.new_user(&login).await;
            world.post(RESET).bearer(&token).json(&json!({ "current_pwd": OLD, "new_pwd": NEW }))
        }
        "user_created" => {
            let body = json!({ "email": format!("{login}@example.net"), "password": NEW });
            world.post(USERS).bearer(world.admin()).json(&body)
        }
        _ => panic!("no act {what}"),
    }
}

/// The subjects of the audit events of each kind, as often as they occur.
async fn recorded(world: &World) -> BTreeMap<String, Vec<String>> {
    let mut events = BTreeMap::<_, Vec<_>>::new();
    for row in world.audit_rows().await {
        let text = |name: &str| row[name]["S"].as_str().expect("a text").to_owned();
        events.entry(text("what")).or_default().push(text("subject"));
    }
    events.values_mut().for_each(|subjects| subjects.sort());
    events
}

/// The subjects of the rows that such an act leaves.
async fn done(
    world: &World,
    table: &str,
    is_done: impl Fn(&Value) -> bool,
    subject: impl Fn(&Value) -> String,
) -> Vec<String> {
    let rows = world.rows(table).await;
    let mut subjects: Vec<_> = rows.iter().filter(|row| is_done(row)).map(subject).collect();
    subjects.sort();
    subjects
}

#[tokio::test]
async fn an_act_and_its_audit_event_are_there_together_whenever_a_process_is_killed() {
    let world = World::new().await;
    let seed = random_name();
    println!("seed {seed}");
    let (mut killed, mut unharmed) = (0, BTreeSet::new());
    for n in 0..acts() {
        let (what, function) = ACTS[n % ACTS.len()];
        let request = prepared(&world, what, n).await;
        world.deliver_streams().await;
        let kills = [
            kill(&seed, n, function, "dynamodb"),
            kill(&seed, n, "publish", ["dynamodb", "ses"][n % 2]),
        ];
        for rule in kills.iter().flatten() {
            world.inject(rule.clone()).await;
        }
        let got = request.send_unchecked().await;
        world.deliver_streams().await;
        let left = world.get("/_local/faults").send_local().await;
        let hits = kills.iter().flatten().count() - left.as_array().expect("a list").len();
        killed += hits;
        world.clear_faults().await;
        if hits == 0 {
            assert!(got.status < 300, "{what}: {got:?}");
            unharmed.insert(format!("someone{n}@example.org"));
        }
    }
    assert!(killed > acts() / 4, "{killed} kills");

    let mut events = recorded(&world).await;
    let mut of = |what: &str| events.remove(what).unwrap_or_default();
    let text = |row: &Value, name: &str| row[name]["S"].as_str().expect("a text").to_owned();
    let passcode = |row: &Value| format!("passcode:{}", text(row, "id"));
    assert_eq!(of("passcode_issued"), done(&world, "PasscodesTable", |_| true, passcode).await);
    let is_used = |row: &Value| row.get("used_by").is_some();
    assert_eq!(of("passcode_consumed"), done(&world, "PasscodesTable", is_used, passcode).await);
    let user = |row: &Value| format!("user:{}", text(row, "user_id"));
    let is_created = |row: &Value| text(row, "email").ends_with("@example.net");
    assert_eq!(of("user_created"), done(&world, "UsersTable", is_created, user).await);
    let is_changed = |row: &Value| text(row, "email").ends_with("@example.org") && row["token_generation"]["N"] == "1";
    assert_eq!(of("password_changed"), done(&world, "UsersTable", is_changed, user).await);

    let changed = done(&world, "UsersTable", is_changed, |row| text(row, "email")).await;
    let mails = world.messages().await;
    for email in &changed {
        let notices = mails.iter().filter(|mail| mail["to"] == **email).count();
        assert!(notices >= 1, "{email} has no notice");
        assert!(notices == 1 || !unharmed.contains(email), "{email} has {notices} notices");
    }
    assert!(mails.iter().all(|mail| changed.iter().any(|email| mail["to"] == **email)), "a notice of nothing");
}
