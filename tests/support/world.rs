//! A local cloud of one test's own, and how tests talk to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Mutex,
};

use countersign_local::{Cloud, Options};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;

/// A running cloud with the demo tenant. It ends with the test, after a look for secrets in everything that the
/// functions printed and in the audit rows (security.md R57), and for calls that a role does not allow (R60).
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

/// The threads that a cloud runs on: its own, so that it keeps up with all the processes that call it at once, and does not wait
/// for its test.
struct Threads(Option<Runtime>);

impl Threads {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(4)
            .enable_all()
            .build();
        Self(Some(runtime.expect("threads")))
    }

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

/// What makes functions print as much as they ever do, the SDK's wire logs included, so that the look at the end sees it.
/// It prints no more than without: nothing in a function subscribes to what libraries tell (house rules hold it to
/// that), and an operator cannot turn on what is not there.
fn talkative() -> BTreeMap<String, String> {
    [
        ("RUST_LOG", "trace"),
        ("AWS_LAMBDA_LOG_LEVEL", "TRACE"),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// What whoever runs the tests asks of all worlds.
#[expect(
    clippy::disallowed_methods,
    reason = "the suite is told by its environment what to write down; functions are told by the template"
)]
fn asked_for(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The server whose DynamoDB, SES and SNS the suite is to run against, if not the ones that are built in.
pub fn second_engine() -> Option<String> {
    asked_for("COUNTERSIGN_AWS")
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where the functions' binaries are.
pub fn binaries() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_openapi"))
        .parent()
        .expect("binaries lie in a folder")
}

impl World {
    /// With the template as it stands.
    pub async fn new() -> Self {
        Self::start(&[], None).await
    }

    /// With a folder that keeps everything, so that it can be started again.
    pub async fn durable() -> Self {
        let data = std::env::temp_dir().join(format!("countersign-{}", random_name()));
        Self::start(&[], Some(data)).await
    }

    /// The same cloud with fresh processes: what a sandbox remembers is gone.
    pub async fn restarted(mut self) -> Self {
        let data = self.data.take().expect("a durable world");
        self.cloud.take().expect("it runs").stop().await;
        Self::start(&[], Some(data)).await
    }

    /// With other values for some of the template's parameters.
    pub async fn with(parameters: &[(&str, &str)]) -> Self {
        Self::start(parameters, None).await
    }

    async fn start(parameters: &[(&str, &str)], data: Option<PathBuf>) -> Self {
        let given = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let options = Options {
            data: data.clone(),
            environment: talkative(),
            rights: asked_for("COUNTERSIGN_RIGHTS").map(PathBuf::from),
            aws: second_engine(),
            parameters: parameters.iter().map(given).collect(),
            ..Options::new(root().join("template.yaml"), binaries())
        };
        let threads = Threads::new();
        let cloud = threads
            .run(Cloud::start(options))
            .await
            .expect("the local cloud starts");
        let url = cloud.url().to_owned();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
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
        ] {
            world.keep_out_of_logs(world.id(pointer));
        }
        world.keep_phone_out_of_logs(world.id("/user/phone"));
        world
    }

    /// A value of the identities, by JSON pointer.
    pub fn id(&self, pointer: &str) -> &str {
        self.ids
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("no identity {pointer}"))
    }

    /// The demo user's token, scope `api`.
    pub fn user(&self) -> &str {
        self.id("/user/token")
    }

    /// The administrator's token, every scope.
    pub fn admin(&self) -> &str {
        self.id("/admin/token")
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// The client that requests go through, which follows no redirect.
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    pub fn cloud(&self) -> &Cloud {
        self.cloud.as_ref().expect("it runs until the world ends")
    }

    /// Remembers a secret that must not be printed by any function.
    pub fn keep_out_of_logs(&self, secret: &str) {
        self.secrets
            .lock()
            .expect("no panic while held")
            .insert(secret.to_owned());
    }

    /// Remembers that no function may print a phone number, with a plus sign or without.
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

/// A secret as it might be printed: as it is, encoded for a URL or in base64, or as a digest that its few values make
/// as good as itself.
fn forms(secret: &str) -> [String; 5] {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let digest = Sha256::digest(secret.as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let url = secret
        .bytes()
        .map(|b| match b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
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

/// Whether a text stands in a line by itself: six digits are part of many longer numbers.
pub fn holds(line: &str, secret: &str) -> bool {
    line.match_indices(secret).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + secret.len()..].chars().next();
        ![before, after].into_iter().flatten().any(char::is_alphanumeric)
    })
}

pub fn random_name() -> String {
    use std::hash::{BuildHasher, Hasher};
    format!("{:016x}", std::hash::RandomState::new().build_hasher().finish())
}
