//! Helpers shared by all tests.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use countersign_local::{Cloud, Options};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

/// Long enough for a loaded machine; only a failing test waits for all of it.
const DEADLINE: Duration = Duration::from_secs(20);

/// A running cloud of the fixture's template, and an HTTP client.
pub(crate) struct Local {
    pub(crate) cloud: Cloud,
    pub(crate) http: Client,
}

impl Local {
    pub(crate) async fn start() -> Self {
        Self::start_with(fixture_options()).await
    }

    pub(crate) async fn start_with(options: Options) -> Self {
        let cloud = Cloud::start(options).await.expect("the fixture's template is in order");
        Self {
            cloud,
            http: Client::new(),
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.cloud.url())
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(self.url(path))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.http.post(self.url(path)).body(body.to_string())
    }

    pub(crate) fn delete(&self, path: &str) -> RequestBuilder {
        self.http.delete(self.url(path))
    }

    /// Returns the JSON at a path.
    pub(crate) async fn json(&self, path: &str) -> Value {
        read(send(self.get(path)).await).await
    }

    /// Posts JSON, which must succeed; returns the JSON of the response.
    pub(crate) async fn posted(&self, path: &str, body: &Value) -> Value {
        let response = send(self.post(path, body)).await;
        assert!(response.status().is_success(), "{path} answered {}", response.status());
        let text = response.text().await.expect("a body");
        if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).expect("JSON")
        }
    }

    /// Waits until a captured log line contains `part`.
    pub(crate) async fn logged(&self, part: &str) {
        eventually(&format!("a log line with {part:?}"), async || {
            self.cloud.logs().iter().any(|line| line.contains(part))
        })
        .await;
    }
}

pub(crate) async fn send(request: RequestBuilder) -> Response {
    request.send().await.expect("the local cloud answers")
}

pub(crate) async fn read(response: Response) -> Value {
    response.json().await.expect("a JSON body")
}

/// Polls until `truth` holds.
pub(crate) async fn eventually(what: &str, truth: impl AsyncFn() -> bool) {
    let asked = async {
        while !truth().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(DEADLINE, asked).await.is_ok(), "waited in vain for {what}");
}

/// The fixture's template and its binary.
pub(crate) fn fixture_options() -> Options {
    Options::new(fixture_template(), binaries())
}

pub(crate) fn fixture_template() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cloud/fixture.yaml")
}

/// The folder with the examples: Cargo builds them next to the test binaries.
pub(crate) fn binaries() -> PathBuf {
    let own = std::env::current_exe().expect("a test runs from a file");
    let folder = own.ancestors().nth(2).expect("target/debug/deps/test is three deep").join("examples");
    let fixture = folder.join(format!("fixture{}", std::env::consts::EXE_SUFFIX));
    assert!(
        fixture.is_file(),
        "run `cargo build -p countersign-local --examples` first: there is no {}",
        fixture.display()
    );
    folder
}

/// A temporary folder of one test, removed on drop.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("countersign-local-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("the temporary folder can be written");
        Self(path)
    }

    /// Options of a cloud that keeps its data in this folder.
    pub(crate) fn options(&self) -> Options {
        let mut options = fixture_options();
        options.data = Some(self.0.join("data"));
        options
    }

    /// Writes a template for this test.
    pub(crate) fn template(&self, text: &str) -> PathBuf {
        let path = self.0.join("template.yaml");
        std::fs::write(&path, text).expect("the temporary folder can be written");
        path
    }

    /// Writes the fixture's template without one of its resources.
    pub(crate) fn fixture_without(&self, resource: &str) -> PathBuf {
        let text = std::fs::read_to_string(fixture_template()).expect("the fixture is there");
        let start = text.find(&format!("\n  {resource}:\n")).expect("the resource is in the fixture") + 1;
        let end = text[start..].find("\n\n").map_or(text.len(), |end| start + end);
        self.template(&format!("{}{}", &text[..start], &text[end..]))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Injects a fault into calls, with the fields of `/_local/faults`.
pub(crate) async fn fault(local: &Local, service: &str, operation: Value, kind: &str, skip: u32, times: u32) {
    let rule = json!({ "service": service, "operation": operation, "kind": kind, "skip": skip, "times": times });
    let response = send(local.post("/_local/faults", &rule)).await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT, "{rule}");
}

/// The service's client, as a function creates it, but without retries, so that faults show.
macro_rules! client {
    ($sdk:ident, $local:expr, $service:literal) => {
        $sdk::Client::from_conf(
            $sdk::Config::builder()
                .behavior_version_latest()
                .region($sdk::config::Region::new("us-east-1"))
                .credentials_provider($sdk::config::Credentials::new("a", "b", None, None, "test"))
                .retry_config($sdk::config::retry::RetryConfig::disabled())
                .endpoint_url($local.cloud.endpoint($service))
                .http_client(aws_smithy_http_client::Builder::new().build_http())
                .build(),
        )
    };
}

pub(crate) use client;
