//! The audit log: who did what to whom, one event each, without secrets (security.md R46, R58).

use serde_json::{Value, json};

use crate::support::{
    login::{other_than, password_grant, token_in},
    passcode::{PURPOSE, USER},
    people::DOMAIN,
    support_pin::OWN_PIN,
    words::UNAVAILABLE,
    world::World,
};

#[tokio::test]
async fn an_audit_event_has_an_actor_an_action_a_subject_and_a_time() {
    let world = World::new().await;
    let (user, admin) = (world.id("/user/user_id").to_owned(), world.id("/admin/user_id").to_owned());
    let of = format!("/api/v4/users/{user}/support_pin");
    world.post(OWN_PIN).private_token(world.user()).send().await.ok(201);
    world.advance(1).await;
    let got = world.get(&of).private_token(world.admin()).send().await;
    let request_id = got.header("apigw-requestid").expect("an id").to_owned();
    let pin = got.ok(200)["pin"].as_str().expect("a PIN").to_owned();
    let now = world.now().await;

    let rows = world.rows("AuditTable").await;
    let [row] = rows
        .iter()
        .filter(|row| row["what"]["S"] == "pin_read")
        .collect::<Vec<_>>()
        .try_into()
        .expect("one event");
    let at: u64 = row["at"]["N"].as_str().expect("a number").parse().expect("seconds");
    assert!(at <= now && now - at < 60, "{row}");
    let expected = json!({
        "subject": { "S": format!("user:{user}") }, "event": row["event"], "id": row["id"],
        "type": { "S": "support_pin.read" }, "domain": { "S": DOMAIN },
        "what": { "S": "pin_read" }, "at": { "N": at.to_string() }, "ttl": { "N": (at + 365 * 86_400).to_string() },
        "actor": { "S": format!("user:{admin}") }, "route": { "S": "GET /api/v4/users/{id}/support_pin" },
        "request_id": { "S": request_id },
    });
    assert_eq!(row, &expected);
    assert!(!Value::from(rows).to_string().contains(&format!("\"{pin}\"")));
}

#[tokio::test]
async fn each_step_of_a_login_is_in_the_audit_log() {
    let world = World::new().await;
    let demo = world.demo();
    let subject = format!("user:{}", world.id("/user/user_id"));
    world.sign_in(&demo, "wrong").await;
    world.advance(1).await;
    let (token, code) = world.begin_login(&demo).await;
    world.advance(1).await;
    world.submit_code(&token, &other_than(&code)).await;
    world.advance(1).await;
    let access = token_in(&world.submit_code(&token, &code).await);
    world.advance(1).await;
    world.switch_factor_as_admin(&demo, "disable").await;
    let log = world.audit_log_of(&subject).await;
    let words: Vec<_> = log.iter().map(|(what, route, _)| (what.as_str(), route.as_str())).collect();
    let tokens = "POST /mithril/api/tokens";
    let [wrong, ..] = words.as_slice() else {
        panic!("{words:?}")
    };
    let expected = [
        (wrong.0, tokens),
        ("otp_requested", tokens),
        (words[2].0, tokens),
        ("otp_verified", tokens),
        ("factor_disabled", "PATCH /mithril/api/users/{user_id}/authentication_factors/{id}/actions/disable"),
    ];
    assert_eq!(words, expected);
    assert!(wrong.0.contains("identity") || wrong.0.contains("password"), "{wrong:?}");
    assert!(words[2].0.contains("otp"), "{words:?}");
    let all = world.all_rows().await;
    for secret in [&token, &access] {
        assert!(!all.contains(secret.as_str()), "a token is stored in a table");
    }
}

#[tokio::test]
async fn an_unknown_user_causes_the_same_calls_as_a_known_one_and_no_event() {
    let world = World::new().await;
    let demo = world.demo();
    let mut made = Vec::new();
    for (email, events) in [(demo.email.as_str(), 1), ("nobody@example.org", 0), ("no address", 0)] {
        let before = world.audit_rows().await.len();
        world.invocations().await;
        assert_eq!(world.request_token(password_grant(email, "wrong")).await.status, 401);
        let [one] = world.invocations().await.try_into().expect("one invocation");
        made.push((one["calls"].clone(), one["units"].clone()));
        assert_eq!(world.audit_rows().await.len(), before + events, "{email}");
    }
    assert_eq!((&made[1], &made[2]), (&made[0], &made[0]));
}

#[tokio::test]
async fn what_changes_nothing_records_no_event() {
    let world = World::new().await;
    let of = format!("/api/v4/users/{}/support_pin", world.id("/user/user_id"));
    world.get(&of).send().await.ok(401);
    world.post(&format!("{of}/revoke")).private_token("unknown").send().await.ok(401);
    world.post("/passcode/consume").send().await.ok(401);
    assert_eq!(world.audit_rows().await, Vec::<Value>::new());
    // A refusal changes nothing, and neither does a read of one's own PIN: they are lines of the log.
    world.get(&of).private_token(world.user()).send().await.ok(403);
    world.post(OWN_PIN).private_token(world.user()).send().await.ok(201);
    world.get(OWN_PIN).private_token(world.user()).send().await.ok(200);
    let log = world.audit_log_of(&format!("user:{}", world.id("/user/user_id"))).await;
    let acts: Vec<_> = log.iter().map(|(what, ..)| what.as_str()).collect();
    assert_eq!(acts, ["pin_created"]);
}

#[tokio::test]
async fn a_pin_is_not_shown_if_its_audit_event_cannot_be_written() {
    let world = World::new().await;
    let of = format!("/api/v4/users/{}/support_pin", world.id("/user/user_id"));
    let created = world.post(OWN_PIN).private_token(world.user()).send().await;
    world.get(&of).private_token(world.admin()).send().await.ok(200);
    for kind in ["error", "throttle", "hang", "drop_response"] {
        world.clear_faults().await;
        let rule = json!({ "service": "dynamodb", "operation": "PutItem", "kind": kind, "skip": 0, "times": 1000 });
        world.inject(rule).await;
        let got = world.get(&of).private_token(world.admin()).send().await;
        got.is(503, UNAVAILABLE);
        assert_eq!(got.header("retry-after"), Some("5"), "{kind}");
    }
    world.clear_faults().await;
    world.get(&of).private_token(world.admin()).send().await.is(200, &created.body);
}

#[tokio::test]
async fn nothing_changes_if_its_audit_event_cannot_be_written() {
    let world = World::new().await;
    let issued = world.retrieve(USER, PURPOSE).await;
    let events = world.audit_rows().await.len();
    for kind in ["error", "throttle", "conflict"] {
        let rule = json!({ "service": "dynamodb", "operation": "TransactWriteItems", "kind": kind, "times": 1000 });
        world.inject(rule).await;
        world.consume(&issued.token, USER, PURPOSE).send().await.ok(503);
        world.clear_faults().await;
        world.is_valid(&issued.id, true).await;
    }
    assert_eq!(world.audit_rows().await.len(), events);
    world.advance(1).await;
    world.consume(&issued.token, USER, PURPOSE).send().await.ok(200);
    let log = world.audit_log_of(&format!("passcode:{}", issued.id)).await;
    let acts: Vec<_> = log.iter().map(|(what, ..)| what.as_str()).collect();
    assert_eq!(acts, ["passcode_issued", "passcode_consumed"]);
}
