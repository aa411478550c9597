//! IAM: the cloud denies calls that the function's role does not allow, and reports unused permissions and routes.

use std::process::Command;

use countersign_local::{Cloud, Options, unused_rights};
use serde_json::json;

use crate::support::{Folder, Local, binaries, fixture_options, fixture_template, send};

const THINGS: &str = "countersign-ThingsTable";
const KEYS: &str = "countersign-KeySecret";
const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:countersign-Topic";

async fn call(local: &Local, function: &str, what: &str, of: &str) -> String {
    let path = format!("/2015-03-31/functions/{function}/invocations");
    let answer = local.posted(&path, &json!({ "mode": "aws", "call": what, "of": of })).await;
    answer["code"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

#[tokio::test]
async fn a_call_is_carried_out_if_the_role_allows_it() {
    let local = Local::start().await;
    for (what, of, code) in [
        ("get", THINGS, "AccessDeniedException"),
        ("put", "countersign-OthersTable", "AccessDeniedException"),
        // The role allows PutItem, but not ConditionCheckItem.
        ("transact", THINGS, "AccessDeniedException"),
        ("secret", "countersign-Others", "AccessDeniedException"),
        ("mail", "a@example.org", "AccessDenied"),
        ("mail", "a@ample.com", "AccessDenied"),
        // The role allows the identity, but not this sender address.
        ("mail", "c@example.com", "AccessDenied"),
        ("mail", "A@example.com", "AccessDenied"),
        ("publish", TOPIC, "AuthorizationError"),
    ] {
        assert_eq!(call(&local, "EchoFunction", what, of).await, code, "{what} {of}");
    }
    for (what, of, code) in [
        ("secret", KEYS, "AccessDeniedException"),
        ("mail", "a@example.com", "AccessDenied"),
        ("publish", "+380881234567", "AuthorizationError"),
    ] {
        assert_eq!(call(&local, "FallbackFunction", what, of).await, code, "{what} {of}");
    }
    assert_eq!(call(&local, "OperatorFunction", "put", THINGS).await, "");
    local
        .logged("FallbackFunction | countersign-ThingsRole is not authorized to perform: sns:Publish on resource: a phone number")
        .await;
    assert_eq!(local.json("/_local/messages").await, json!([]));
    for (what, of) in [
        ("put", THINGS),
        ("secret", KEYS),
        ("mail", "a@example.com"),
        ("mail", "b@below.example.com"),
        ("publish", "+380881234567"),
    ] {
        assert_eq!(call(&local, "EchoFunction", what, of).await, "", "{what} {of}");
    }
    assert_eq!(local.json("/_local/messages").await.as_array().map(Vec::len), Some(3));
    let made = local.json("/_local/invocations").await;
    assert_eq!(made[0]["calls"][0]["operation"], "GetItem", "what was refused is written down, too");
}

#[tokio::test]
async fn unused_permissions_are_reported() {
    let folder = Folder::new();
    let local = Local::start_with(Options {
        rights: Some(folder.0.clone()),
        ..fixture_options()
    })
    .await;
    for what in ["put", "get"] {
        call(&local, "EchoFunction", what, THINGS).await;
        call(&local, "FallbackFunction", what, THINGS).await;
    }
    local.cloud.stop().await;
    // Records of another cloud count as well.
    let arn = "arn:aws:ses:us-east-1:123456789012:identity/example.com";
    let line = format!("EchoFunction may ses:SendEmail on {arn}\n");
    std::fs::write(folder.0.join("another"), line).expect("a file");
    let table = "dynamodb:PutItem on arn:aws:dynamodb:us-east-1:123456789012:table/countersign-ThingsTable";
    let unused = [
        "EchoFunction may ses:SendEmail on arn:aws:ses:us-east-1:123456789012:configuration-set/countersign-MailSet"
            .to_owned(),
        "EchoFunction may events:PutEvents on arn:aws:events:us-east-1:123456789012:event-bus/things".to_owned(),
        "EchoFunction may sns:Publish on all but arn:aws:sns:*:*:*".to_owned(),
        format!("OperatorFunction may {table}"),
        format!("StreamFunction may {table}"),
        format!("TimerFunction may {table}"),
    ];
    assert_eq!(unused_rights(&fixture_template(), &folder.0), Ok(unused.to_vec()));

    let output = Command::new(env!("CARGO_BIN_EXE_countersign-local"))
        .arg("--template")
        .arg(fixture_template())
        .arg("rights")
        .arg(&folder.0)
        .output()
        .expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stdout), unused.join("\n") + "\n");
    assert!(String::from_utf8_lossy(&output.stderr).contains("6 rights of"));
    let missing = unused_rights(&fixture_template(), &folder.0.join("nowhere"));
    assert!(missing.is_err_and(|error| error.contains("nowhere")));
}

#[tokio::test]
async fn the_responses_of_routes_are_recorded_once() {
    let folder = Folder::new();
    let local = Local::start_with(Options {
        rights: Some(folder.0.clone()),
        ..fixture_options()
    })
    .await;
    let raw = [("mode", "raw"), ("answer", r#"{"statusCode":401}"#)];
    for request in [
        local.get("/things/mine").bearer_auth("a"),
        local.get("/things/mine").bearer_auth("b"),
        local.get("/things/mine"),
        local.get("/things/1").header("Private-Token", "a"),
        local.get("/things/1").query(&raw),
        local.get("/_local/clock"),
    ] {
        send(request).await;
    }
    let untested = local.cloud.untested_routes(&folder.0).await.expect("an answer in JSON");
    local.cloud.stop().await;
    let files = std::fs::read_dir(&folder.0).expect("a folder");
    let files = files.map(|file| std::fs::read_to_string(file.expect("a file").path()).expect("a text"));
    let answers = [
        "GET /things/mine answered 200 with a credential",
        "GET /things/mine answered 200 without a credential",
        "GET /things/{id} answered 200 with a credential",
        "GET /things/{id} answered 401 without a credential",
        // The fixture has no OpenAPI document to describe this route.
        "$default answered 200 without a credential",
    ];
    let written = files.collect::<String>();
    let written = written.lines().filter(|line| line.contains(" answered "));
    assert_eq!(written.collect::<Vec<_>>(), answers);
    let lacks = |part: &str| untested.iter().any(|line| line.starts_with(part));
    assert!(lacks("POST /things has no answer 2xx"), "{untested:?}");
    assert!(!lacks("GET /things/mine has no answer 2xx"), "{untested:?}");
    assert!(lacks("GET /things/mine is not in /openapi.json"), "{untested:?}");
}

#[tokio::test]
async fn an_unreadable_role_prevents_the_start() {
    let folder = Folder::new();
    let with = |role: &str, properties: &str| {
        format!(
            "Resources:\n  R: {{Type: AWS::IAM::Role, Properties: {properties}}}\n  F:\n    \
             Type: AWS::Serverless::Function\n    Metadata: {{BuildProperties: {{Binary: fixture}}}}\n    \
             Properties: {{Timeout: 3{role}}}"
        )
    };
    let own = ", Role: !GetAtt R.Arn";
    let stating =
        |statement: &str| with(own, &format!("{{Policies: [{{PolicyDocument: {{Statement: [{statement}]}}}}]}}"));
    for (template, part) in [
        (with("", "{}"), "Resources.F.Properties.Role must be !GetAtt of a role"),
        (
            with(", Role: 'arn:aws:iam::123456789012:role/elsewhere'", "{}"),
            "Resources.F.Properties.Role must be !GetAtt of a role",
        ),
        (with(own, "{ManagedPolicyArns: [a]}"), "Resources.R.Properties has ManagedPolicyArns"),
        (with(own, "{PermissionsBoundary: a}"), "Resources.R.Properties has PermissionsBoundary"),
        (stating("{Effect: Deny, Action: a, Resource: b}"), "a statement that does not allow"),
        (stating("{Effect: Allow, NotAction: a, Resource: b}"), "a statement with NotAction"),
        (
            stating("{Effect: Allow, Action: a, Resource: b, Condition: {}}"),
            "a condition that is no StringLike of one key",
        ),
        (
            stating("{Effect: Allow, Action: a, Resource: b, Condition: {StringNotLike: {c: d}}}"),
            "a condition that is no StringLike of one key",
        ),
        (
            stating("{Effect: Allow, Action: a, Resource: b, Condition: {StringLike: {c: d, e: f}}}"),
            "a condition that is no StringLike of one key",
        ),
        (stating("{Effect: Allow, Action: a}"), "a statement without a Resource"),
        (
            stating("{Effect: Allow, Action: a, Resource: b, NotResource: c}"),
            "a statement with both Resource and NotResource",
        ),
        (stating("{Effect: Allow, Action: a, Resource: [1]}"), "a statement about 1"),
        (stating("{Effect: Allow, Action: a, Resource: !ImportValue b}"), "Fn::ImportValue"),
    ] {
        let started = Cloud::start(Options::new(folder.template(&template), binaries())).await;
        let error = started.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(part), "{template}: {error:?}");
    }
}
