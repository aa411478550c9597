//! The log line of a request: one line, with what an operator needs and no secrets (security.md R57, R58).

use serde_json::{Value, json};

use crate::support::{
    login::{other_than, token_in},
    passcode::{PURPOSE, USER},
    support_pin::OWN_PIN,
    world::World,
};

/// Removes the fields that differ from run to run, after a check of their format.
fn without_times(line: &Value, request_id: &str) -> Value {
    let mut line = line.clone();
    let ms = line["ms"].as_f64().expect("a number");
    assert!(ms > 0.0 && ms < 10_000.0, "{line}");
    let trace = line["trace_id"].as_str().expect("a trace id");
    assert!(trace.starts_with("1-") && trace.len() == 35, "{line}");
    assert_eq!(line["request_id"], request_id);
    let fields = line.as_object_mut().expect("an object");
    for name in ["at", "ms", "trace_id", "request_id", "_aws"] {
        fields.remove(name);
    }
    line
}

#[tokio::test]
async fn a_request_is_one_log_line() {
    let world = World::new().await;
    let got = world.post(OWN_PIN).private_token(world.user()).send().await;
    let first = got.header("apigw-requestid").expect("an id").to_owned();
    let got = world.post(OWN_PIN).send().await;
    let second = got.header("apigw-requestid").expect("an id").to_owned();
    let lines = world.request_lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    let user = format!("user:{}", world.id("/user/user_id"));
    let created = json!({
        "level": "info", "function": "countersign-SupportPinCreateFunction", "route": "POST /api/v4/user/support_pin", "status": 201,
        "outcome": "pin_created", "cold": true, "actor": user, "Family": "SupportPin", "Issued": 1,
    });
    assert_eq!(without_times(&lines[0], &first), created);
    let refused = json!({
        "level": "info", "function": "countersign-SupportPinCreateFunction", "route": "POST /api/v4/user/support_pin", "status": 401,
        "outcome": lines[1]["outcome"], "cold": false, "Family": "SupportPin", "Reason": lines[1]["outcome"], "Refused": 1,
    });
    assert_eq!(without_times(&lines[1], &second), refused);
}

#[tokio::test]
async fn issued_verified_and_refused_secrets_are_counted_by_family() {
    let world = World::with(&[("OtpMaxAttempts", "10")]).await;
    let demo = world.demo();
    world.post(OWN_PIN).private_token(world.user()).send().await.ok(201);
    let path = format!("/api/v4/users/{}/support_pin", world.id("/user/user_id"));
    world.get(&path).private_token(world.admin()).send().await.ok(200);
    let issued = world.retrieve(USER, PURPOSE).await;
    world.consume("not one", USER, PURPOSE).send().await.ok(400);
    world.consume(&issued.token, USER, PURPOSE).send().await.ok(200);
    let (token, code) = world.begin_login(&demo).await;
    world.submit_code(&token, &other_than(&code)).await;
    token_in(&world.submit_code(&token, &code).await);
    let mail =
        json!({ "domain": world.id("/domain"), "login": "maria", "name": "Maria", "email": "maria@example.org" });
    let ask = || world.post("/rest/v1/iam/self_register_requests").json(&mail);
    ask().send().await.ok(200);
    ask().send().await.ok(429);

    let counted = world.json_lines(|line| line.get("_aws").is_some());
    let number = |name: &str, field: &str, value: &str| {
        let of = |line: &&Value| line[name] == 1 && line[field] == value;
        counted.iter().filter(of).count()
    };
    for family in ["SupportPin", "Passcode", "SecondFactor"] {
        assert_eq!((number("Issued", "Family", family), number("Verified", "Family", family)), (1, 1), "{family}");
    }
    assert_eq!(number("Refused", "Family", "Passcode"), 1);
    assert_eq!(number("Refused", "Family", "SecondFactor"), 1);
    assert_eq!((number("Issued", "Family", "Registration"), number("Throttled", "Family", "Registration")), (1, 1));
    assert_eq!(number("MailSent", "Message", "registration"), 1);
    assert_eq!(number("SmsSent", "Country", "380"), 1);
    for line in &counted {
        let metrics = &line["_aws"]["CloudWatchMetrics"][0];
        let name = metrics["Metrics"][0]["Name"].as_str().expect("a name");
        assert_eq!(line[name], 1, "{line}");
        let mut dimensions = metrics["Dimensions"]
            .as_array()
            .expect("a list")
            .iter()
            .flat_map(|of| of.as_array().expect("a list"));
        assert!(dimensions.all(|of| line[of.as_str().expect("a name")].is_string()), "{line}");
    }
}
