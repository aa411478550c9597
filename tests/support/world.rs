//! A test's local cloud: starting it, its demo identities, and the search for secrets when it ends.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Mutex,
};

use countersign_local::{Cloud, Options};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;

/// A running local cloud with the demo tenant. When a test ends, its world searches everything that the functions
/// printed, and the audit log, for secrets (security.md R57), and looks for calls that a role does not allow (R60).
pub struct World {
    cloud: Option<Cloud>,
    _threads: Threads,
    url: String,
    http: reqwest::Client,
    secrets: Mutex<BTreeSet<String>>,
    data: Option<PathBuf>,
    /// The answer of `GET /_local/identities`.
    pub ids: Value,
}

/// The threads of a cloud. They are separate from its test's, so that a cloud keeps up with all the processes that call
/// it concurrently.
struct Threads(Option<Runtime>);

impl Threads {
    /// Four threads.
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build();
        Self(Some(runtime.expect("threads")))
    }

    /// Runs work on these threads.
    async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        let runtime = self.0.as_ref().expect("there until they are dropped");
        runtime.spawn(work).await.expect("no panic")
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.0.take().expect("dropped once").shutdown_background();
    }
}

/// The environment in which functions print as much as they can, so that the search at the end covers it. Nothing in a
/// function subscribes to the logs of libraries (a house rule), so they print no more than in production.
fn talkative() -> BTreeMap<String, String> {
    [
        ("RUST_LOG", "trace"),
        ("AWS_LAMBDA_LOG_LEVEL", "TRACE"),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// A variable of the test run's own environment.
#[expect(
    clippy::disallowed_methods,
    reason = "the test run's own environment says what to write down; functions are configured by the template"
)]
fn asked_for(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Whether sweeps try every case, and not a sample: `COUNTERSIGN_SWEEP=all`.
pub fn sweeps_everything() -> bool {
    asked_for("COUNTERSIGN_SWEEP").is_some_and(|cases| cases == "all")
}

/// Whether this is CI, where no test is skipped because a tool is missing.
pub fn in_ci() -> bool {
    asked_for("CI").is_some_and(|ci| ci == "true")
}

/// The URL of the DynamoDB, SES and SNS to run against, if not the built-in ones.
pub fn second_engine() -> Option<String> {
    asked_for("COUNTERSIGN_AWS")
}

/// The root folder of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder of the functions' binaries.
pub fn binaries() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_openapi")).parent().expect("binaries are in a folder")
}

impl World {
    /// A world with the parameters of the template.
    pub async fn new() -> Self {
        Self::start(&[], None).await
    }

    /// A world whose data is kept in a folder, so that it can be restarted.
    pub async fn durable() -> Self {
        let data = std::env::temp_dir().join(format!("countersign-{}", random_name()));
        Self::start(&[], Some(data)).await
    }

    /// The same data with fresh processes: a sandbox's in-memory state is lost.
    pub async fn restarted(mut self) -> Self {
        let data = self.data.take().expect("a durable world");
        self.cloud.take().expect("it runs").stop().await;
        Self::start(&[], Some(data)).await
    }

    /// A world with other values for some parameters of the template.
    pub async fn with(parameters: &[(&str, &str)]) -> Self {
        Self::start(parameters, None).await
    }

    /// Starts the cloud and reads its demo identities.
    async fn start(parameters: &[(&str, &str)], data: Option<PathBuf>) -> Self {
        let given = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let options = Options {
            data: data.clone(),
            environment: talkative(),
            rights: asked_for("COUNTERSIGN_RIGHTS").map(PathBuf::from),
            aws: second_engine(),
            parameters: parameters.iter().map(given).collect(),
            // A fault hits the request that a test makes, and no function that runs because of an earlier one.
            follow_streams: false,
            ..Options::new(root().join("template.yaml"), binaries())
        };
        let threads = Threads::new();
        let cloud = threads.run(Cloud::start(options)).await.expect("the local cloud starts");
        let url = cloud.url().to_owned();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        let ids: Value = http
            .get(format!("{url}/_local/identities"))
            .send()
            .await
            .expect("the cloud answers")
            .json()
            .await
            .expect("identities are JSON");
        let world = Self {
            cloud: Some(cloud),
            _threads: threads,
            url,
            http,
            secrets: Mutex::default(),
            data,
            ids,
        };
        for pointer in [
            "/client/client_secret",
            "/passcode_token",
            "/admin/token",
            "/admin/password",
            "/user/token",
            "/user/password",
            "/verify/auth_token",
            "/verify/basic",
        ] {
            world.keep_out_of_logs(world.id(pointer));
        }
        world.keep_phone_out_of_logs(world.id("/user/phone"));
        world
    }

    /// A value of the demo identities, by JSON pointer.
    pub fn id(&self, pointer: &str) -> &str {
        self.ids.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no identity {pointer}"))
    }

    /// The demo user's access token, of the scope `api`.
    pub fn user(&self) -> &str {
        self.id("/user/token")
    }

    /// The demo administrator's access token, of every scope.
    pub fn admin(&self) -> &str {
        self.id("/admin/token")
    }

    /// The base URL of the cloud.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The HTTP client of all requests. It follows no redirect.
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// The cloud itself.
    pub fn cloud(&self) -> &Cloud {
        self.cloud.as_ref().expect("it runs until the world ends")
    }

    /// Adds a secret that must be in no log line and no audit row when the test ends.
    pub fn keep_out_of_logs(&self, secret: &str) {
        self.secrets.lock().expect("no panic while held").insert(secret.to_owned());
    }

    /// Adds a phone number to these secrets, with its plus sign and without.
    pub fn keep_phone_out_of_logs(&self, phone: &str) {
        self.keep_out_of_logs(phone);
        self.keep_out_of_logs(phone.trim_start_matches('+'));
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(data) = &self.data {
            let _ = std::fs::remove_dir_all(data);
        }
        let Some(cloud) = &self.cloud else { return };
        if std::thread::panicking() {
            return;
        }
        let mut lines = cloud.logs();
        let denied = lines.iter().find(|line| line.contains("is not authorized to perform"));
        assert!(
            denied.is_none(),
            "a function did what its role does not allow, {}: allow it in template.yaml, or leave it",
            denied.expect("just found")
        );
        let audited = cloud.rows_at_once("AuditTable").unwrap_or_default();
        lines.extend(audited.iter().map(|row| format!("AuditTable | {row}")));
        for secret in self.secrets.lock().expect("no panic while held").iter() {
            for form in forms(secret) {
                let seen = lines.iter().find(|line| holds(line, &form));
                assert!(
                    seen.is_none(),
                    "a function printed {secret} as {form}, or put it into an audit row: {}",
                    seen.expect("just found")
                );
            }
        }
    }
}

/// The forms in which a secret could be printed: as it is, URL-encoded, in base64, and as a digest, which is reversible
/// where there are few possible values.
fn forms(secret: &str) -> [String; 5] {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let digest = Sha256::digest(secret.as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let url = secret.bytes().map(|b| match b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
        true => char::from(b).to_string(),
        false => format!("%{b:02X}"),
    });
    [
        secret.to_owned(),
        url.collect(),
        STANDARD.encode(secret),
        hex,
        STANDARD.encode(digest),
    ]
}

/// Whether a line contains a text as a separate word. Six digits are part of many longer numbers.
pub fn holds(line: &str, secret: &str) -> bool {
    line.match_indices(secret).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + secret.len()..].chars().next();
        ![before, after].into_iter().flatten().any(char::is_alphanumeric)
    })
}

/// A random name of 16 hexadecimal digits.
pub fn random_name() -> String {
    use std::hash::{BuildHasher, Hasher};
    format!("{:016x}", std::hash::RandomState::new().build_hasher().finish())
}
