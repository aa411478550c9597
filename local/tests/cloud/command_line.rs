//! `cargo local` on the command line: one-line errors, and a shutdown that leaves no process or file behind.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::support::{Folder, binaries, eventually, fixture_template};

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign-local"));
    command
        .arg("--binaries")
        .arg(binaries())
        .env_remove("COUNTERSIGN_RIGHTS")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

async fn run(command: &mut Command) -> Output {
    let output = tokio::time::timeout(Duration::from_secs(20), command.output()).await;
    output.expect("it ends").expect("it starts")
}

/// Asserts exit code 1 and one line on stderr that contains these parts.
fn one_line(output: &Output, parts: &[&str]) {
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert_eq!(error.lines().count(), 1, "one line, not\n{error}");
    for part in parts {
        assert!(error.contains(part), "{part:?} is not in {error}");
    }
}

#[tokio::test]
async fn a_port_in_use_is_reported_in_one_line() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = taken.local_addr().expect("bound").port().to_string();
    let output = run(command().arg("--template").arg(fixture_template()).args(["--port", &port])).await;
    one_line(&output, &["error: port", &port, "is in use"]);
}

#[tokio::test]
async fn an_invalid_template_is_reported_in_one_line() {
    let folder = Folder::new();
    let function = |rest: &str| {
        format!(
            "Resources:\n  R:\n    Type: AWS::IAM::Role\n  F:\n    Type: AWS::Serverless::Function\n    \
             Metadata: {{BuildProperties: {{Binary: fixture}}}}\n    Properties:\n      Role: !GetAtt R.Arn\n{rest}"
        )
    };
    for (text, parts) in [
        ("Resources: [".to_owned(), &["is not a template", "line"][..]),
        ("Parameters: {}".to_owned(), &["has no Resources"]),
        (
            function("      Environment: {Variables: {A: !ImportValue x}}"),
            &["Resources.F.Properties.Environment.Variables.A", "Fn::ImportValue"],
        ),
        (function("      Environment: {Variables: {A: !Ref Nobody}}"), &["Variables.A", "Nobody"]),
        (function("      Timeout: soon"), &["Resources.F.Properties.Timeout", "soon"]),
        (
            function(
                "      Events:\n        A: {Type: HttpApi, Properties: {Path: /a, Method: GET}}\n        B: {Type: HttpApi, Properties: {Path: /a, Method: get}}",
            ),
            &["the route GET /a is given twice"],
        ),
        (function("").replace("fixture", "nothing"), &["F wants the binary nothing"]),
        (
            "Resources:\n  F:\n    Type: AWS::Serverless::Function".to_owned(),
            &["Resources.F.Metadata.BuildProperties.Binary"],
        ),
        (
            "Resources:\n  T:\n    Type: AWS::DynamoDB::Table\n    Properties: {BillingMode: PAY_PER_REQUEST}"
                .to_owned(),
            &["cannot create the table T"],
        ),
    ] {
        let output = run(command().arg("--template").arg(folder.template(&text)).args(["--port", "0"])).await;
        one_line(&output, parts);
    }
    let output = run(command().args(["--template", "/nowhere/template.yaml", "--port", "0"])).await;
    one_line(&output, &["cannot read /nowhere/template.yaml"]);
}

#[tokio::test]
async fn a_function_that_crashes_on_start_is_reported_in_one_line() {
    let output = run(command().arg("--template").arg(fixture_template()).args(["--port", "0"])).await;
    one_line(
        &output,
        &["the function DyingFunction exited with code 7 while it started: the fixture lacks something"],
    );
}

#[tokio::test]
async fn invalid_arguments_are_reported_in_one_line() {
    for arguments in [
        &["--port", "many"][..],
        &["--nothing"],
        &["dance"],
        &["operator"],
        &["operator", "not json"],
        &["--parameter", "Mode"],
        &["--parameter", "Nobody=1"],
    ] {
        one_line(&run(command().args(arguments)).await, &["error: "]);
    }
    let help = run(command().arg("--help")).await;
    assert!(help.status.success());
    assert!(String::from_utf8_lossy(&help.stdout).contains("--data DIR"));
}

/// A running cloud, started on the command line and ready.
struct Running {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
    url: String,
}

async fn start(template: &Path) -> Running {
    let mut child = command()
        .stderr(Stdio::inherit())
        .arg("--template")
        .arg(template)
        .args(["--port", "0"])
        .spawn()
        .expect("it starts");
    let mut output = BufReader::new(child.stdout.take().expect("piped")).lines();
    let ready = async {
        while let Some(line) = output.next_line().await.expect("text") {
            if let Some(rest) = line.strip_prefix("Ready on ") {
                return rest.split(' ').next().expect("an address").to_owned();
            }
        }
        panic!("it ended before it was ready");
    };
    let url = tokio::time::timeout(Duration::from_secs(20), ready).await.expect("it gets ready");
    Running { child, output, url }
}

impl Running {
    /// The ids of some of its processes, busy and idle.
    async fn processes(&self) -> Vec<String> {
        let http = reqwest::Client::new();
        let ask = async |path: &str| {
            let answer =
                http.get(format!("{}{path}", self.url)).send().await.expect("an answer").text().await.expect("text");
            answer.split_once(' ').expect("a process id").0.to_owned()
        };
        let idle = ask("/things/1?mode=sleep&ms=0").await;
        let other = ask("/nowhere?mode=sleep&ms=0").await;
        vec![idle, other]
    }

    async fn signal(&self, signal: &str) {
        let id = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args([signal, &id]).status().await.expect("kill is everywhere");
        assert!(sent.success());
    }
}

/// Whether a process exists and is not a zombie.
#[cfg(target_os = "linux")]
fn lives(process: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{process}/stat"))
        .is_ok_and(|stat| stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z')))
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_signal_terminates_every_process() {
    let folder = Folder::new();
    let template = folder.fixture_without("DyingFunction");
    for signal in ["-INT", "-TERM"] {
        let mut running = start(&template).await;
        let processes = running.processes().await;
        assert!(processes.iter().all(|process| lives(process)));
        // One process is busy with a request.
        let busy = reqwest::Client::new().get(format!("{}/things/1?mode=sleep&ms=4000", running.url)).send();
        let busy = tokio::spawn(busy);
        // Two others slept for 0 ms, only to report their ids.
        let asleep = async {
            for _ in 0..3 {
                while let Some(line) = running.output.next_line().await.expect("text") {
                    if line.ends_with("| asleep") {
                        break;
                    }
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), asleep).await.expect("they fall asleep");
        running.signal(signal).await;
        let status = tokio::time::timeout(Duration::from_secs(5), running.child.wait())
            .await
            .expect("it ends")
            .expect("waited");
        assert_eq!(status.code(), Some(0), "{signal}");
        assert!(processes.iter().all(|process| !lives(process)), "{signal} leaves nothing behind");
        let busy = busy.await.expect("no panic").map(|answer| answer.status().as_u16());
        assert!(!matches!(busy, Ok(200)), "the busy one was not waited for: {busy:?}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_killed_cloud_leaves_no_idle_process() {
    let folder = Folder::new();
    let mut running = start(&folder.fixture_without("DyingFunction")).await;
    let processes = running.processes().await;
    running.child.kill().await.expect("killed");
    eventually("the processes to notice", async || processes.iter().all(|process| !lives(process))).await;
}

#[tokio::test]
async fn an_operator_command_reaches_the_running_cloud() {
    let folder = Folder::new();
    let running = start(&folder.fixture_without("DyingFunction")).await;
    let port = running.url.rsplit_once(':').expect("a port").1.to_owned();
    let asked = r#"{"command":"create_token","user_id":"u","scopes":["api"]}"#;
    let output = run(command().args(["operator", asked, "--port", &port])).await;
    assert!(output.status.success(), "{output:?}");
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        answer,
        serde_json::json!({ "token": "u:[\"api\"]", "lifetime_seconds": null }),
        "nothing is added to the command"
    );
    let refused = run(command().args(["operator", r#"{"command":"dance"}"#, "--port", &port])).await;
    one_line(&refused, &["there is no command dance"]);
    drop(running);
    let output = run(command().args(["operator", asked, "--port", "1"])).await;
    one_line(&output, &["no local cloud answers on port 1"]);
}
