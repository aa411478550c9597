//! Lambda: processes, their environment, and their failure modes.

use countersign_local::Options;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Folder, Local, eventually, fixture_options, read, send};

const INTERNAL: &str = "Internal Server Error";
const UNAVAILABLE: &str = "Service Unavailable";

#[tokio::test]
async fn a_function_gets_only_the_environment_of_lambda() {
    let local = Local::start().await;
    let environment = read(send(local.get("/things/1?mode=environment")).await).await;
    for (name, value) in [
        ("AWS_LAMBDA_FUNCTION_NAME", "countersign-EchoFunction"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/countersign-EchoFunction"),
        ("AWS_REGION", "us-east-1"),
        ("TZ", ":UTC"),
        ("TABLE", "countersign-ThingsTable"),
        ("SHARED", "from-function"),
        ("SECRET_ARN", "arn:aws:secretsmanager:us-east-1:123456789012:secret:countersign-KeySecret-L0cal0"),
        (
            "SECRET_ARN_AGAIN",
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:countersign-KeySecret-L0cal0",
        ),
        ("TABLE_ARN", "arn:aws:dynamodb:us-east-1:123456789012:table/countersign-ThingsTable"),
        ("SENTENCE", "countersign in us-east-1: countersign-ThingsTable, plain, ${literal}"),
        ("JOINED", "a-c-hello"),
        ("CHOSEN", "plain"),
        ("API", local.cloud.url()),
        ("LINK", &local.url("/start")),
        ("MODE", "plain"),
        ("EVENT_BUS", "countersign-local"),
        ("PUBLIC_URL", local.cloud.url()),
    ] {
        assert_eq!(environment[name], value, "{name}");
    }
    for service in ["DYNAMODB", "SES", "SNS", "SECRETS_MANAGER", "EVENTBRIDGE"] {
        let endpoint = &environment[format!("AWS_ENDPOINT_URL_{service}")];
        assert!(endpoint.as_str().is_some_and(|url| url.starts_with("http://127.0.0.1:")), "{service}: {endpoint}");
    }
    for absent in ["LEFT_OUT", "HOME", "CARGO_MANIFEST_DIR"] {
        assert_eq!(environment[absent], Value::Null, "{absent}");
    }
}

#[tokio::test]
async fn an_external_process_gets_the_same_environment_and_its_own_endpoints() {
    let local = Local::start().await;
    let asked = async |name: &str| {
        let path = format!("/_local/functions/{name}/environment");
        send(local.http.post(local.url(&path))).await
    };
    let mut ours = read(send(local.get("/things/1?mode=environment")).await).await;
    let (mut first, second) = (read(asked("EchoFunction").await).await, read(asked("EchoFunction").await).await);
    const WAY: &str = "AWS_ENDPOINT_URL_SECRETS_MANAGER";
    assert_ne!(first[WAY], second[WAY]);

    let secret = json!({ "SecretId": first["SECRET_ARN"] });
    let request = local.http.post(first[WAY].as_str().expect("an address")).json(&secret);
    let answer = read(send(request.header("x-amz-target", "secretsmanager.GetSecretValue")).await).await;
    assert_eq!(answer["ARN"], first["SECRET_ARN"], "{answer}");

    // Variables that depend on the machine, the process or the event.
    let own = |name: &String| {
        name.starts_with("AWS_ENDPOINT_URL_")
            || name == "AWS_LAMBDA_LOG_STREAM_NAME"
            || name == "AWS_LAMBDA_RUNTIME_API"
    };
    let sandbox = [
        "_X_AMZN_TRACE_ID",
        "_HANDLER",
        "LAMBDA_TASK_ROOT",
        "LAMBDA_RUNTIME_DIR",
        "LANG",
        "TZ",
        "PATH",
    ];
    for environment in [&mut ours, &mut first] {
        let environment = environment.as_object_mut().expect("an object");
        environment.retain(|name, _| !own(name) && !sandbox.contains(&name.as_str()));
    }
    assert_eq!(first, ours);

    assert_eq!(asked("nobody").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn parameters_override_defaults() {
    let given = [("Mode", "fancy"), ("PublicUrl", "https://id.example.com")];
    let local = Local::start_with(Options {
        parameters: given.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        ..fixture_options()
    })
    .await;
    let environment = read(send(local.get("/things/1?mode=environment")).await).await;
    for (name, value) in [("MODE", "fancy"), ("PUBLIC_URL", "https://id.example.com")] {
        assert_eq!(environment[name], value, "{name}");
    }
}

#[tokio::test]
async fn additional_variables_do_not_override_existing_ones() {
    let more = [("RUST_LOG", "trace"), ("MODE", "more"), ("AWS_REGION", "elsewhere")];
    let local = Local::start_with(Options {
        environment: more.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        ..fixture_options()
    })
    .await;
    let environment = read(send(local.get("/things/1?mode=environment")).await).await;
    for (name, value) in [("RUST_LOG", "trace"), ("MODE", "plain"), ("AWS_REGION", "us-east-1")] {
        assert_eq!(environment[name], value, "{name}");
    }
}

#[tokio::test]
async fn a_failing_function_fails_one_request_only() {
    let local = Local::start().await;
    for (mode, status, message, line) in [
        ("crash", 500, INTERNAL, "FallbackFunction | exited with code 9 during"),
        ("panic", 500, INTERNAL, "FallbackFunction | the fixture was asked to panic"),
        ("error", 500, INTERNAL, "FallbackFunction | the invocation failed: the fixture was asked to fail"),
        ("hang", 503, UNAVAILABLE, "Task timed out after 1.00 seconds"),
    ] {
        let response = send(local.get(&format!("/nowhere?mode={mode}"))).await;
        assert_eq!(response.status(), status, "{mode}");
        assert_eq!(read(response).await, json!({ "message": message }), "{mode}");
        local.logged(line).await;
        assert_eq!(send(local.get("/nowhere")).await.status(), StatusCode::OK, "the next call after {mode}");
    }
    let listed = local.json("/_local/invocations").await;
    let seen: Vec<(u64, bool)> = listed
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| (one["status"].as_u64().expect("a number"), one["cold"] == true))
        .collect();
    let expected = [
        (500, true),  // crash
        (200, true),  // a new process
        (500, false), // a panic leaves the process alive
        (200, false),
        (500, false),
        (200, false),
        (503, false), // the process is stopped
        (200, true),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_crash_during_start_fails_the_request_immediately() {
    let local = Local::start().await;
    let started = std::time::Instant::now();
    let response = send(local.get("/dying")).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(started.elapsed().as_secs() < 3, "the death is noticed, not waited for");
    local
        .logged("DyingFunction | exited with code 7 while it started: the fixture lacks something")
        .await;
}

#[cfg(unix)]
#[tokio::test]
async fn no_request_is_lost_if_an_idle_process_is_killed() {
    let local = Local::start().await;
    let answer = send(local.get("/things/1?mode=sleep&ms=0")).await.text().await.expect("a body");
    let process = answer.split_once(' ').expect("a process id").0.to_owned();
    let killed = std::process::Command::new("kill").args(["-9", &process]).status().expect("kill is everywhere");
    assert!(killed.success());
    let known = async || {
        let still = std::process::Command::new("kill")
            .args(["-0", &process])
            .stderr(std::process::Stdio::null())
            .status();
        !still.expect("kill is everywhere").success()
    };
    eventually("the cloud to know of the death", known).await;
    assert_eq!(send(local.get("/things/1")).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn no_request_is_lost_if_a_crash_is_detected_late() {
    let local = Local::start().await;
    // With retries, because a loaded machine may be slow to end a process.
    eventually("the second process to take a request", async || {
        send(local.delete("/_local/invocations")).await;
        assert_eq!(send(local.get("/nowhere?mode=doomed")).await.status(), StatusCode::OK);
        send(local.get("/nowhere")).await.status() == StatusCode::OK
    })
    .await;
    let listed = local.json("/_local/invocations").await;
    let seen: Vec<&Value> = listed.as_array().expect("a list").iter().collect();
    assert_eq!(seen.len(), 2, "one invocation each: {listed}");
    assert_eq!((&seen[1]["status"], &seen[1]["cold"]), (&json!(200), &json!(true)));
    local.logged("FallbackFunction | a process was found dead at ").await;
}

#[tokio::test]
async fn a_request_is_not_retried_if_its_process_called_aws_before_it_crashed() {
    let local = Local::start().await;
    send(local.get("/nowhere?mode=doomed")).await;
    let status = send(local.get("/nowhere?call=yes")).await.status();
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn a_request_that_crashes_its_process_gets_an_error_without_a_retry() {
    let local = Local::start().await;
    assert_eq!(send(local.get("/nowhere")).await.status(), StatusCode::OK);
    let status = send(local.get("/nowhere?mode=crash")).await.status();
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    let listed = local.json("/_local/invocations").await;
    assert_eq!(listed.as_array().map(Vec::len), Some(2), "{listed}");
    assert_eq!(send(local.get("/nowhere")).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn lambdas_invoke_api_passes_events_through() {
    let local = Local::start().await;
    for name in [
        "OperatorFunction",
        "operator",
        "arn:aws:lambda:us-east-1:123456789012:function:OperatorFunction",
    ] {
        let path = format!("/2015-03-31/functions/{name}/invocations");
        let response = send(local.post(&path, &json!({ "command": "create_client", "client_id": "x" }))).await;
        assert_eq!(response.status(), StatusCode::OK, "{name}");
        assert!(!response.headers().contains_key("x-amz-function-error"));
        assert_eq!(read(response).await, json!({ "client_id": "x", "client_secret": "s3cret" }));
    }
    let failed = send(local.post("/2015-03-31/functions/EchoFunction/invocations", &json!({ "mode": "error" }))).await;
    assert_eq!(failed.status(), StatusCode::OK);
    assert_eq!(failed.headers()["x-amz-function-error"], "Unhandled");
    assert_eq!(read(failed).await["errorMessage"], "the fixture was asked to fail");
    let died = send(local.post("/2015-03-31/functions/EchoFunction/invocations", &json!({ "mode": "crash" }))).await;
    assert_eq!(died.headers()["x-amz-function-error"], "Unhandled");
    assert_eq!(read(died).await["errorType"], "Runtime.ExitError");
    let unknown = send(local.post("/2015-03-31/functions/Nobody/invocations", &json!({}))).await;
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
    let listed = local.json("/_local/invocations").await;
    assert_eq!(listed[0]["route"], Value::Null, "no caller over HTTP");
    assert_eq!(listed[3]["status"], 500);
}

#[tokio::test]
async fn a_template_without_an_operator_has_no_demo_identities() {
    let folder = Folder::new();
    let mut options = fixture_options();
    options.template = folder.fixture_without("OperatorFunction");
    let local = Local::start_with(options).await;
    assert_eq!(send(local.get("/_local/identities")).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(send(local.get("/things/1")).await.status(), StatusCode::OK);
}
