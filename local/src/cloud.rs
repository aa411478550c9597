//! The running cloud: what its parts share, and how it starts and stops.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Request, Response, StatusCode};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::aws::{self, Faults, Secrets};
use crate::clock::LocalClock;
use crate::data::{DataDir, State};
use crate::database::Database;
use crate::gateway::{self, Routes};
use crate::http::{self, Dropped};
use crate::identities::{self, Identities};
use crate::invocations::{Invocation, Invocations};
use crate::issuer::Issuer;
use crate::log::Log;
use crate::messages::{Channel, Content, Messages};
use crate::rights::Used;
use crate::runtime::{self, Blueprint, Finished, Lambda, Processes};
use crate::server::Server;
use crate::streams::{self, Streams};
use crate::template::Template;
use crate::{Options, page, random, schedules, start};

/// When a stop has to wait for something that does not end.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the parts of a cloud share.
pub(crate) struct Inner {
    pub(crate) template: Template,
    pub(crate) routes: Routes,
    pub(crate) functions: Vec<Arc<Lambda>>,
    pub(crate) clock: Arc<LocalClock>,
    pub(crate) log: Arc<Log>,
    pub(crate) faults: Faults,
    pub(crate) used: Used,
    pub(crate) invocations: Invocations,
    pub(crate) messages: Messages,
    pub(crate) secrets: Secrets,
    pub(crate) database: Database,
    /// Where DynamoDB, SES and SNS are, if they are not here.
    pub(crate) server: Option<Arc<Server>>,
    pub(crate) streams: Streams,
    pub(crate) identities: Identities,
    pub(crate) issuer: Issuer,
    /// Says what has changed: `messages`, `invocations`, `identities` or `clock`.
    pub(crate) changes: broadcast::Sender<&'static str>,
    pub(crate) stop: CancellationToken,
    pub(crate) port: u16,
    pub(crate) url: String,
    processes: Arc<Processes>,
    control_url: String,
    /// The part of an address that stands for no process: calls from outside.
    outsider: String,
    data: Option<DataDir>,
    first_start: AtomicBool,
}

impl Inner {
    /// Runs a function for nobody on HTTP, and writes the invocation down.
    pub(crate) async fn run(self: &Arc<Self>, function: usize, route: Option<String>, payload: Bytes) -> Finished {
        let inner = Arc::clone(self);
        // In a task of its own, so that a caller who goes away leaves no process half way.
        let task = tokio::spawn(async move {
            let finished = inner.functions[function].invoke(payload).await;
            let status = if finished.result.is_ok() { 200 } else { 500 };
            inner.record(function, route, status, &finished);
            finished
        });
        task.await
            .expect("an invocation does not panic, and nobody else ends its task")
    }

    /// Writes a finished invocation down.
    pub(crate) fn record(&self, function: usize, route: Option<String>, status: u16, finished: &Finished) {
        self.invocations.push(Invocation {
            function: self.functions[function].name().to_owned(),
            route,
            status,
            cold: finished.cold,
            ms: finished.ms,
            calls: finished.calls.clone(),
            units: finished.calls.units.clone(),
            init_calls: Some(finished.init_calls.clone()),
        });
        self.changed("invocations");
    }

    /// Captures a message.
    pub(crate) fn captured(&self, channel: Channel, to: String, content: Content) {
        self.messages.capture(channel, to, content, self.clock.iso());
        self.changed("messages");
    }

    /// Tells whoever watches.
    pub(crate) fn changed(&self, what: &'static str) {
        // An error means that nobody watches.
        let _ = self.changes.send(what);
    }

    /// Deletes expired rows and delivers what that leaves in the streams; how many rows.
    pub(crate) async fn sweep(self: &Arc<Self>) -> Result<usize, String> {
        let done = self.streams.done().into_iter();
        let done = done.map(|(table, reached)| (self.template.tables[table].clone(), reached));
        let deleted = self.database.sweep(done.collect()).await?;
        streams::deliver_all(self).await;
        Ok(deleted)
    }

    /// Remembers what a restart must find again, where there is a data directory.
    pub(crate) fn save(&self) {
        let Some(data) = &self.data else { return };
        let state = || State {
            first_start: self.first_start.load(Ordering::SeqCst),
            clock_offset: self.clock.offset(),
            secrets: self.secrets.states(),
            identities: self.identities.shown(),
            identities_made_at: self.identities.made_at(),
            streams: self.streams.reached(),
            account: self.server.as_ref().map(|server| server.account().to_owned()),
        };
        if let Err(error) = data.save(state) {
            self.log.function("local", &error);
        }
    }
}

/// A running local cloud. It ends, with every process it started, when it is stopped or dropped.
pub struct Cloud {
    inner: Arc<Inner>,
    tasks: TaskTracker,
    _stop_when_dropped: DropGuard,
}

/// Why a local cloud did not start: one line for the person who started it.
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
    /// A port in use, a template that cannot be read, a binary that is missing, a function that dies while it starts, a
    /// data directory that cannot be used.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        // From here on, so that a start that is given up half way leaves nothing behind either.
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

    /// Where the API answers: `http://127.0.0.1:3000`.
    pub fn url(&self) -> &str {
        &self.inner.url
    }

    /// Every line that the functions have printed, and the cloud's own lines about them, oldest first, each behind the
    /// function's name and ` | `.
    pub fn logs(&self) -> Vec<String> {
        self.inner.log.lines()
    }

    /// An endpoint for an SDK outside the functions, in the place of `AWS_ENDPOINT_URL_…`: `dynamodb`, `ses`, `sns` or
    /// `secretsmanager`. Faults hit its calls like any others; no invocation lists them.
    pub fn endpoint(&self, service: &str) -> String {
        format!("{}/{}/aws/{service}", self.inner.control_url, self.inner.outsider)
    }

    /// All rows of a table, by its name in the template, for those who can only block: a test that ends. `None` where
    /// another server has them, or there is no such table.
    pub fn rows_at_once(&self, table: &str) -> Option<Vec<serde_json::Value>> {
        let table = self.inner.template.tables.iter().find(|one| one.logical_id == table)?;
        self.inner.database.rows_at_once(table)?.ok()
    }

    /// The account on the server of [`Options::aws`], for those who look there by themselves.
    pub fn account(&self) -> Option<&str> {
        self.inner.server.as_deref().map(Server::account)
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
            used: Used::new(options.rights.as_deref())?,
            invocations: Invocations::default(),
            messages: Messages::default(),
            database,
            server,
            identities: Identities::new(state.identities, state.identities_made_at),
            issuer: Issuer::default(),
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
        open_doors(&inner, control, listener, &tasks);
        if options.check_functions {
            start::check(&inner).await?;
        }
        identities::make(&inner).await?;
        inner.first_start.store(false, Ordering::SeqCst);
        inner.save();
        tasks.spawn(streams::follow(Arc::clone(&inner)));
        tasks.spawn(schedules::follow(Arc::clone(&inner)));
        Ok(inner)
    }
}

/// Starts the gateway's server and the one that the functions talk to.
fn open_doors(inner: &Arc<Inner>, control: TcpListener, listener: TcpListener, tasks: &TaskTracker) {
    let shared = Arc::clone(inner);
    let behind = move |_, request: Request<hyper::body::Incoming>| {
        let inner = Arc::clone(&shared);
        async move { behind_the_scenes(&inner, request.map(Body::new)).await }
    };
    tasks.spawn(http::serve(control, inner.stop.clone(), tasks.clone(), behind));

    let (shared, local) = (Arc::clone(inner), page::router(inner));
    let front = move |peer, request: Request<hyper::body::Incoming>| {
        let (inner, local) = (Arc::clone(&shared), local.clone());
        async move { Ok(front(&inner, local, peer, request.map(Body::new)).await) }
    };
    tasks.spawn(http::serve(listener, inner.stop.clone(), tasks.clone(), front));
}

/// The public port: the cloud's own routes, then the template's.
async fn front(inner: &Arc<Inner>, local: Router, peer: SocketAddr, request: Request<Body>) -> Response<Body> {
    if page::is_local(request.uri().path()) {
        if let Some(refusal) = page::refusal(&request) {
            return refusal;
        }
        return match TowerToHyperService::new(local).call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
    }
    gateway::answer(inner, peer, request).await
}

/// The port that only functions know: `/<process>/2018-06-01/runtime/…` and `/<process>/aws/<service>`.
async fn behind_the_scenes(inner: &Arc<Inner>, request: Request<Body>) -> Result<Response<Body>, Dropped> {
    let path = request.uri().path().to_owned();
    let (id, rest) = path[1..].split_once('/').unwrap_or_default();
    let process = inner.processes.get(id);
    if let Some(service) = rest.strip_prefix("aws/")
        && (process.is_some() || id == inner.outsider)
    {
        return aws::answer(inner, process.as_deref(), service.trim_end_matches('/'), request).await;
    }
    Ok(match (process, rest.strip_prefix("2018-06-01/runtime/")) {
        (Some(process), Some(rest)) => runtime::answer(&process, rest, request, &inner.log).await,
        _ => http::json(StatusCode::FORBIDDEN, &json!({ "message": "Forbidden" })),
    })
}
