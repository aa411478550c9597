//! The curl lines of the original systems' documents, verbatim except for the base URL, the token and the ids.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};

use crate::support::{
    era::CHECK_MAIL,
    login::password_grant,
    people::PHONE,
    words::FACTOR_EXISTS,
    world::{World, root},
};

/// Runs a shell line and returns its output.
async fn shell(line: String) -> String {
    let run = move || Command::new("sh").args(["-c", &line]).output();
    let output = tokio::task::spawn_blocking(run).await.expect("no panic").expect("sh runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[tokio::test(flavor = "multi_thread")]
async fn seed_000_support_pin() {
    let world = World::new().await;
    let seed = |line: &str, token: &str| {
        let line = line.replace("glpat-XXXXXXXXXXXXXXXXX", token);
        let line = line.replace("https://gitlab.example.com", world.url());
        shell(format!("{line} -s"))
    };
    let created = seed(
        r#"curl -X POST -H "PRIVATE-TOKEN: glpat-XXXXXXXXXXXXXXXXX" "https://gitlab.example.com/api/v4/user/support_pin""#,
        world.user(),
    )
    .await;
    assert!(created.starts_with(r#"{"pin":""#), "{created}");
    for (path, token) in [("user", world.user()), ("users/123", world.admin())] {
        let line = format!(
            r#"curl -X GET -H "PRIVATE-TOKEN: glpat-XXXXXXXXXXXXXXXXX" "https://gitlab.example.com/api/v4/{path}/support_pin""#
        );
        assert_eq!(seed(&line, token).await, created);
    }
}

/// The original's example of a request, but for the comma before its closing brace, which no JSON has.
#[tokio::test(flavor = "multi_thread")]
async fn seed_001_registration() {
    let world = World::new().await;
    let path = "/rest/v1/iam/self_register_requests";
    let url = world.url();
    let asked = shell(format!(
        r#"curl -s -X POST {url}{path} -H 'Content-Type: application/json; charset=utf-8' -d '{{
"domain": "pbx.era-platform.ru",
"login": "my_login",
"name": "My Name",
"email": "my.address@yandex.ru"
}}'"#
    ))
    .await;
    assert_eq!(asked, CHECK_MAIL);
    let link = world.link_to("my.address@yandex.ru").await;
    let confirm = |pwd: &str| {
        shell(format!(
            r#"curl -s -X PATCH {url}{path}/{link} -H 'Content-Type: application/json; charset=utf-8' -d '{{
"pwd": "{pwd}"
}}'"#
        ))
    };
    assert_eq!(
        confirm("ew hIb3V").await,
        r#"{"error_code":1501,"error_message":"pwd contains invalid symbols. Expected: A-Za-z0-9_-.~!","error_details":{"field":"pwd"}}"#
    );
    assert_eq!(
        confirm("ew!hIb3V").await,
        r#"{"error_code":0,"result":true,"result_msg":"Now login with new password","user":{"domain":"pbx.era-platform.ru","login":"my_login"}}"#
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn seed_002_passcodes() {
    let world = World::new().await;
    let seed = |line: &str, id: &str, token: &str| {
        let line = line
            .replace("eyJ...SUA", world.id("/passcode_token"))
            .replace("https://localhost:8443", world.url())
            .replace("01FM98Y1WCT0KT0AT56TMJ1973", id)
            .replace("FCobPMiwtlHtr67TM6izFOL506L6T4k5", token);
        shell(format!("{line} -s"))
    };
    let issued = seed(
        "curl --location --request GET 'https://localhost:8443/passcode/retrieve?purpose=TEST_PURPOSE&username=test@test.com&client_id=heatclinic' \\\n\
         --header 'Authorization: Bearer eyJ...SUA'",
        "",
        "",
    )
    .await;
    let issued: Value = serde_json::from_str(&issued).expect("JSON");
    let (id, token) = (issued["id"].as_str().expect("an id"), issued["token"].as_str().expect("a token"));
    let status = "curl --location --request GET 'https://localhost:8443/passcode/status?passcode_id=01FM98Y1WCT0KT0AT56TMJ1973&client_id=heatclinic' \\\n\
         --header 'Authorization: Bearer eyJ...SUA'";
    assert_eq!(seed(status, id, token).await, format!(r#"{{"id":"{id}","valid":true}}"#));
    let consume = "curl --location --request POST 'https://localhost:8443/passcode/consume?client_id=heatclinic' \\\n\
         --header 'Authorization: Bearer eyJ...SUA' \\\n\
         --header 'Content-Type: application/x-www-form-urlencoded' \\\n\
         --data-urlencode 'passcode=FCobPMiwtlHtr67TM6izFOL506L6T4k5' \\\n\
         --data-urlencode 'purpose=TEST_PURPOSE' \\\n\
         --data-urlencode 'username=test@test.com'";
    assert_eq!(seed(consume, id, token).await, format!(r#"{{"id":"{id}"}}"#));
    assert_eq!(seed(status, id, token).await, format!(r#"{{"id":"{id}","valid":false}}"#));
    let invalidate = "curl --location --request POST 'https://localhost:8443/passcode/invalidate?client_id=heatclinic' \\\n\
         --header 'Authorization: Bearer eyJ...SUA' \\\n\
         --header 'Content-Type: application/x-www-form-urlencoded' \\\n\
         --data-urlencode 'passcode_id=01FM98Y1WCT0KT0AT56TMJ1973'";
    assert_eq!(seed(invalidate, id, token).await, format!(r#"{{"id":"{id}","valid":false}}"#));
}

/// The original's pages have no curl line; they list the parameters of each request, flat in the body. The
/// administrator creates the factor as its page describes.
#[tokio::test(flavor = "multi_thread")]
async fn seeds_003_and_004_a_login_with_a_code() {
    let world = World::new().await;
    let url = world.url();
    let post = async |path: &str, token: &str, body: Value| -> Value {
        let line = format!(
            "curl -s -X POST {url}/mithril/api{path} -H 'Content-Type: application/json' -H 'Authorization: Bearer {token}' \
             -d '{body}'"
        );
        serde_json::from_str(&shell(line.replace(" -H 'Authorization: Bearer '", "")).await).expect("JSON")
    };
    let text = |answer: &Value, pointer: &str| {
        let text = answer.pointer(pointer).and_then(Value::as_str);
        text.unwrap_or_else(|| panic!("no {pointer} in {answer}")).to_owned()
    };
    let (demo, phone) = (world.demo(), PHONE);
    let made =
        post(&format!("/users/{}/authentication_factors", demo.id), world.admin(), json!({ "type": "SMS" })).await;
    assert_eq!(text(&made, "/error/message"), FACTOR_EXISTS);

    let login = password_grant(&demo.email, &demo.password);
    let waits = post("/tokens", "", login).await;
    assert_eq!(
        (text(&waits, "/data/name"), text(&waits, "/urgent/next_step")),
        ("2fa_access_token".into(), "REQUEST_OTP".into())
    );
    let resend = json!({ "grant_type": "refresh_2fa_access_token", "token": text(&waits, "/data/value") });
    let waits = post("/tokens", "", resend).await;
    assert_eq!(text(&waits, "/urgent/next_step"), "REQUEST_OTP");
    let mut code = json!({
        "grant_type": "authorize_2fa_access_token", "token": text(&waits, "/data/value"), "otp": "",
    });
    assert_eq!(text(&post("/tokens", "", code.clone()).await, "/error/type"), "validation_failed");
    code["otp"] = world.code_to(phone).await.into();
    let done = post("/tokens", "", code.clone()).await;
    assert_eq!(
        (text(&done, "/data/name"), text(&done, "/data/details/scope"), text(&done, "/urgent/next_step")),
        ("access_token".into(), "app:authorize".into(), "REQUEST_APPS".into())
    );
    assert_eq!(text(&post("/tokens", "", code).await, "/error/type"), "token_expired");
}

/// The part of a line that two runs have in common: words with a digit, and long ones, differ between runs.
fn outline(line: &str) -> String {
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || "-_+/=:.*#".contains(c);
    let mut outline = String::new();
    let mut rest = line;
    while !rest.is_empty() {
        let (word, other) = rest.split_at(rest.find(|c| !is_of_word(c)).unwrap_or(rest.len()));
        let is_own = word.len() >= 15 || word.contains(|c: char| c.is_ascii_digit());
        outline += if is_own { "…" } else { word };
        let gap = other.find(is_of_word).unwrap_or(other.len());
        outline += &other[..gap];
        rest = &other[gap..];
    }
    outline
}

/// Runs every command of the README's chapters in one shell and compares the output. The shell reads it as typed: in
/// zsh a script's comment is then not a comment.
async fn the_readme_holds_in(shell: &str, options: &[&str]) {
    if !has(shell) {
        // Bypasses the test's output capture: a skip must be visible.
        let words = format!("SKIPPED: the README was NOT tried in {shell}; apt-get install {shell}");
        let _ = writeln!(std::io::stderr(), "\n*** {words}");
        return;
    }
    let world = World::new().await;
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README.md");
    let chapters = ["Five minutes", "Try it"].map(|name| {
        let (_, chapter) = readme.split_once(&format!("\n## {name}\n")).expect("a chapter");
        chapter.split_once("\n## ").expect("another chapter").0
    });
    let blocks = |language: &str| -> String {
        let start = format!("```{language}\n");
        let blocks = chapters.iter().flat_map(|chapter| chapter.split(&start).skip(1));
        blocks
            .filter_map(|block| block.split("```").next())
            // The cloud is already running.
            .filter(|block| *block != "cargo local\n")
            .collect()
    };
    // Each answer on its own line, as in a terminal.
    let commands = format!("curl() {{ command curl -s \"$@\" && echo; }}\n{}", blocks("sh"));
    let commands = commands.replace("http://127.0.0.1:3000", world.url());
    let mut typed = Command::new(shell);
    // No line editor, and no history.
    typed.args(options).env("TERM", "dumb").env("HISTFILE", "");
    let output = tokio::task::spawn_blocking(move || given(typed, &commands)).await.expect("no panic");
    let lines = |text: &str| -> Vec<String> { text.lines().filter(|line| !line.is_empty()).map(outline).collect() };
    let (printed, promised) = (lines(&String::from_utf8_lossy(&output.stdout)), lines(&blocks("text")));
    assert!(
        promised.len() > 15 && printed == promised,
        "{printed:#?}\n{promised:#?}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn has(shell: &str) -> bool {
    Command::new(shell).args(["-c", "true"]).output().is_ok()
}

/// A program's output for this input.
fn given(mut command: Command, input: &str) -> Output {
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().expect("it runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    // The output until then fits into a pipe.
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readme_examples_work_in_bash() {
    the_readme_holds_in("bash", &["--norc", "--noprofile", "--noediting", "-i"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readme_examples_work_in_zsh() {
    // Without its start-up files, and without the line editor, which would echo the input.
    the_readme_holds_in("zsh", &["-f", "-i", "+Z"]).await;
}
