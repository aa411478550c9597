//! The running cloud: how it starts and stops.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::Response;
use tokio::sync::broadcast;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::authenticator::Authenticator;
use crate::aws::{Faults, Secrets};
use crate::clock::LocalClock;
use crate::data::{DataDir, State};
use crate::database::Database;
use crate::events::Events;
use crate::gateway::Routes;
use crate::identities::Identities;
use crate::invocations::Invocations;
use crate::issuer::Issuer;
use crate::log::Log;
use crate::messages::Messages;
use crate::record::Record;
use crate::runtime::{Blueprint, Lambda, Processes};
use crate::server::Server;
use crate::state::Inner;
use crate::streams::{self, Streams};
use crate::template::Template;
use crate::{Options, coverage, random, record, schedules, start, tenant};

/// How long a stop waits for tasks that do not end.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running local cloud. Stopping or dropping it ends it and every process it started.
pub struct Cloud {
    inner: Arc<Inner>,
    tasks: TaskTracker,
    _stop_when_dropped: DropGuard,
}

/// Why a local cloud did not start: one line for the user.
#[derive(Debug)]
pub struct StartError(String);

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StartError {}

impl Cloud {
    /// Starts a cloud and returns when it answers and the demo identities exist.
    ///
    /// # Errors
    /// A port in use, an unreadable template, a missing binary, a function that crashes at start, an unusable data
    /// directory.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        // From here on, so that an abandoned start also leaves nothing behind.
        let guard = stop.clone().drop_guard();
        match Self::try_start(options, stop, tasks.clone()).await {
            Ok(inner) => Ok(Self {
                inner,
                tasks,
                _stop_when_dropped: guard,
            }),
            Err(message) => {
                drop(guard);
                tasks.close();
                let _ = tokio::time::timeout(PATIENCE, tasks.wait()).await;
                Err(StartError(message.split_whitespace().collect::<Vec<_>>().join(" ")))
            }
        }
    }

    /// The API's base URL: `http://127.0.0.1:3000`.
    pub fn url(&self) -> &str {
        &self.inner.url
    }

    /// Every line that the functions have printed, and the cloud's own lines about them, oldest first, each prefixed
    /// with the function's name and ` | `.
    pub fn logs(&self) -> Vec<String> {
        self.inner.log.lines()
    }

    /// An endpoint for an SDK outside the functions, for use as `AWS_ENDPOINT_URL_…`: `dynamodb`, `ses`, `sns`,
    /// `secretsmanager` or `events`. Faults hit its calls like any others; no invocation lists them.
    pub fn endpoint(&self, service: &str) -> String {
        format!("{}/{}/aws/{service}", self.inner.control_url, self.inner.outsider)
    }

    /// All rows of a table, by its name in the template, for blocking callers such as a test that ends. `None` if the
    /// tables are on another server or the table does not exist.
    pub fn rows_at_once(&self, table: &str) -> Option<Vec<serde_json::Value>> {
        let table = self.inner.template.tables.iter().find(|one| one.logical_id == table)?;
        self.inner.database.rows_at_once(table)?.ok()
    }

    /// The account on the server of [`Options::aws`], for clients that read there directly.
    pub fn account(&self) -> Option<&str> {
        self.inner.server.as_deref().map(Server::account)
    }

    /// The routes of this cloud that lack tests in the records of `folder`, with advice, one line each.
    ///
    /// # Errors
    /// An unreadable folder, a template without a function that answers `GET /openapi.json`.
    pub async fn untested_routes(&self, folder: &Path) -> Result<Vec<String>, String> {
        let record = record::read(folder)?;
        let client = reqwest::Client::builder().no_proxy().build();
        let client = client.map_err(|error| error.to_string())?;
        let answered = client.get(format!("{}/openapi.json", self.inner.url)).send().await;
        let document = match answered.and_then(Response::error_for_status) {
            Ok(answer) => answer.json().await,
            Err(error) => Err(error),
        };
        let document = document.map_err(|error| format!("there is no OpenAPI document: {error}"))?;
        Ok(coverage::untested(&self.inner.template.routes, &document, &record))
    }

    /// Stops the cloud and returns when all its processes have ended.
    pub async fn stop(self) {
        self.inner.stop.cancel();
        self.tasks.close();
        let _ = tokio::time::timeout(PATIENCE, self.tasks.wait()).await;
        match &self.inner.data {
            Some(data) => data.release(),
            None => self.inner.database.clear().await,
        }
    }

    async fn try_start(options: Options, stop: CancellationToken, tasks: TaskTracker) -> Result<Arc<Inner>, String> {
        let log = Arc::new(Log::new(options.quiet));
        let listener = start::bind(options.port).await?;
        let port = listener.local_addr().map_err(|error| error.to_string())?.port();
        let url = format!("http://127.0.0.1:{port}");
        let control = start::bind(0).await?;
        let control_url = format!("http://{}", control.local_addr().map_err(|error| error.to_string())?);
        let template = Template::load(&options.template, &url, &options.parameters)?;
        let binaries = start::binaries(&template, &options.binaries)?;
        start::announce(&log, &options.template, &template);

        let (data, state) = match &options.data {
            None => (None, State::default()),
            Some(path) => {
                let (data, state) = DataDir::open(path)?;
                (Some(data), state)
            }
        };
        let clock = Arc::new(LocalClock::ahead_by(state.clock_offset));
        let server = start::server(&options, &state)?;
        let database = match &server {
            Some(server) => {
                server.introduce(&template).await?;
                Database::remote(Arc::clone(server), &template.tables, Arc::clone(&clock)).await?
            }
            None => {
                let file = data.as_ref().map(DataDir::database);
                let (clock, stop) = (Arc::clone(&clock), stop.clone());
                Database::embedded(file.as_deref(), &template.tables, clock, stop, &tasks)?
            }
        };
        let processes = Arc::new(Processes::default());
        let functions = template.functions.iter().zip(binaries).map(|(function, binary)| {
            let blueprint = Blueprint {
                function: Arc::new(function.clone()),
                binary,
                environment: options.environment.clone(),
                control_url: control_url.clone(),
                log: Arc::clone(&log),
                processes: Arc::clone(&processes),
                stop: stop.clone(),
                tasks: tasks.clone(),
            };
            Arc::new(Lambda::new(blueprint, options.processes_per_function))
        });
        let inner = Arc::new(Inner {
            routes: Routes::new(&template.routes),
            functions: functions.collect(),
            secrets: Secrets::new(&template.secrets, &state.secrets, clock.seconds()),
            streams: Streams::new(&template, &state.streams),
            template,
            clock,
            log,
            faults: Faults::default(),
            usage: Record::new(options.rights.as_deref())?,
            invocations: Invocations::default(),
            messages: Messages::default(),
            events: Events::default(),
            database,
            server,
            identities: Identities::new(state.identities, state.identities_made_at),
            issuer: Issuer::default(),
            authenticator: Authenticator::new(&state.authenticator),
            changes: broadcast::channel(64).0,
            stop,
            port,
            url,
            processes,
            control_url,
            outsider: random::hex(),
            data,
            first_start: AtomicBool::new(state.first_start),
        });
        inner.save();
        start::open_doors(&inner, control, listener, &tasks);
        if options.check_functions {
            start::check(&inner).await?;
        }
        tenant::make(&inner).await?;
        inner.first_start.store(false, Ordering::SeqCst);
        inner.save();
        if options.follow_streams {
            tasks.spawn(streams::follow(Arc::clone(&inner)));
        }
        tasks.spawn(schedules::follow(Arc::clone(&inner)));
        Ok(inner)
    }
}
