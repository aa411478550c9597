//! One process of a function: started with Lambda's environment, supervised, with one invocation at a time.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::output::Output;
use crate::invocations::{Call, Calls};
use crate::log::Log;
use crate::random;
use crate::template::{ACCOUNT, Function, REGION};

/// The configuration shared by all processes of a function.
#[derive(Debug)]
pub(crate) struct Blueprint {
    pub(crate) function: Arc<Function>,
    pub(crate) binary: PathBuf,
    /// Variables besides the template's.
    pub(crate) environment: BTreeMap<String, String>,
    /// The base URL of the runtime API and the AWS endpoints: `http://127.0.0.1:4321`.
    pub(crate) control_url: String,
    pub(crate) log: Arc<Log>,
    pub(crate) processes: Arc<Processes>,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

impl Blueprint {
    pub(crate) fn arn(&self) -> String {
        format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{}", self.function.physical_name)
    }
}

/// An event to be fetched by a process.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) request_id: String,
    pub(super) payload: Bytes,
    pub(super) timeout: Duration,
    pub(super) arn: String,
    pub(super) taken: Arc<AtomicBool>,
}

/// The answer of a process.
#[derive(Debug)]
pub(super) enum Reply {
    Response(Bytes),
    Error(Bytes),
}

/// An invocation in progress.
pub(super) struct PendingInvocation {
    pub(super) reply: oneshot::Receiver<Reply>,
    pub(super) calls: Calls,
    /// When the event was queued for the process.
    pub(super) at: Instant,
    taken: Arc<AtomicBool>,
}

impl PendingInvocation {
    /// Whether the process has fetched the event.
    pub(super) fn taken(&self) -> bool {
        self.taken.load(Ordering::SeqCst)
    }
}

/// A running process.
#[derive(Debug)]
pub(crate) struct Process {
    id: String,
    pub(crate) function: Arc<Function>,
    /// Whether the cloud started it.
    is_ours: bool,
    seat: Mutex<Seat>,
    jobs: mpsc::UnboundedSender<Job>,
    waiting: tokio::sync::Mutex<mpsc::UnboundedReceiver<Job>>,
    /// Cancelled by the first request for an event: init is complete.
    pub(super) ready: CancellationToken,
    ended: watch::Receiver<Option<String>>,
    kill: CancellationToken,
    /// Cancelled as soon as the process is known to have ended; `ended` reports the cause a moment later.
    gone: CancellationToken,
    gone_at: Arc<OnceLock<Instant>>,
    pub(super) init_calls: Calls,
    last_words: Arc<Mutex<String>>,
    outputs: OnceLock<Vec<Arc<Output>>>,
}

#[derive(Debug)]
struct Seat {
    /// Where the next AWS call is recorded: init's list first, then each invocation's.
    calls: Calls,
    pending: Option<(String, oneshot::Sender<Reply>)>,
    init_error: Option<String>,
}

impl Process {
    /// Starts the binary. It is killed with the cloud, or when `end` is called.
    pub(super) fn spawn(blueprint: &Blueprint) -> Result<Arc<Self>, String> {
        let (end, ended) = watch::channel(None);
        let process = Arc::new(Self::new(blueprint, ended, true));
        let (id, name) = (process.id.clone(), process.function.name.clone());
        let last_words = Arc::clone(&process.last_words);
        // Registered before it runs: it may request its first event before this thread returns from starting it.
        blueprint.processes.add(&process);
        let mut child = command(blueprint, &id).spawn().map_err(|error| {
            blueprint.processes.remove(&id);
            format!("cannot start {}: {error}", blueprint.binary.display())
        })?;
        let stdout = child.stdout.take().map(ChildStdout::into_owned_fd);
        let stderr = child.stderr.take().map(ChildStderr::into_owned_fd);
        let outputs = [(stdout, None), (stderr, Some(last_words))].map(|(pipe, last_words)| {
            let pipe = pipe.transpose().ok().flatten()?;
            Output::new(pipe, name.clone(), Arc::clone(&blueprint.log), last_words).ok().map(Arc::new)
        });
        let [stdout, stderr] = outputs.each_ref().map(|output| {
            let (stop, output) = (blueprint.stop.clone(), output.clone());
            blueprint.tasks.spawn(async move {
                let Some(output) = output else { return };
                // A grandchild could hold the pipe open forever.
                tokio::select! { () = stop.cancelled() => {}, () = output.follow() => {} }
            })
        });
        // Set only here, once.
        let _ = process.outputs.set(outputs.into_iter().flatten().collect());
        let (kill, gone, gone_at, processes) = (
            process.kill.clone(),
            process.gone.clone(),
            Arc::clone(&process.gone_at),
            Arc::clone(&blueprint.processes),
        );
        blueprint.tasks.spawn(async move {
            let status = wait(&mut child, &kill).await;
            // Set only here, once.
            let _ = gone_at.set(Instant::now());
            gone.cancel();
            // The last output of a dying process should precede the log line about its death.
            let said = async { tokio::join!(stdout, stderr) };
            let _ = tokio::time::timeout(Duration::from_millis(200), said).await;
            processes.remove(&id);
            let _ = end.send(Some(status));
        });
        Ok(process)
    }

    /// The environment of a process started outside the cloud, for example by AWS's own emulator. Its AWS endpoints are
    /// its own, and stay open as long as the cloud; it receives no events from the cloud.
    pub(crate) fn elsewhere(blueprint: &Blueprint) -> BTreeMap<String, String> {
        let (_, ended) = watch::channel(None);
        let process = Arc::new(Self::new(blueprint, ended, false));
        blueprint.processes.add(&process);
        environment(blueprint, &process.id)
    }

    fn new(blueprint: &Blueprint, ended: watch::Receiver<Option<String>>, is_ours: bool) -> Self {
        let (jobs, waiting) = mpsc::unbounded_channel();
        let init_calls = Calls::default();
        Self {
            id: random::hex(),
            function: Arc::clone(&blueprint.function),
            is_ours,
            seat: Mutex::new(Seat {
                calls: init_calls.clone(),
                pending: None,
                init_error: None,
            }),
            jobs,
            waiting: tokio::sync::Mutex::new(waiting),
            ready: CancellationToken::new(),
            ended,
            kill: blueprint.stop.child_token(),
            gone: CancellationToken::new(),
            gone_at: Arc::default(),
            init_calls,
            last_words: Arc::default(),
            outputs: OnceLock::new(),
        }
    }

    /// Waits until the process has ended and returns how; never, while it lives.
    pub(super) async fn ended(&self) -> String {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(status) => status.clone().unwrap_or_default(),
            // The watcher has stopped, and so has the cloud.
            Err(_) => "stopped with the local cloud".to_owned(),
        }
    }

    pub(super) fn is_alive(&self) -> bool {
        !self.gone.is_cancelled() && !self.is_killed()
    }

    /// How long after `moment` the process ended; `None` while it lives.
    pub(super) fn lived_after(&self, moment: Instant) -> Option<Duration> {
        self.gone_at.get().map(|gone| gone.saturating_duration_since(moment))
    }

    /// Kills the process.
    pub(super) fn end(&self) {
        self.kill.cancel();
    }

    /// Kills the process and waits until it has ended. Does nothing to a process that was started outside the cloud.
    pub(crate) async fn kill(&self) {
        if self.is_ours {
            self.end();
            self.gone.cancelled().await;
        }
    }

    /// Whether the process was killed. It may still run for a moment, and nothing that it asks for then is done.
    pub(crate) fn is_killed(&self) -> bool {
        self.kill.is_cancelled()
    }

    /// Queues an event. The process fetches it with its next request.
    pub(super) fn begin(&self, payload: Bytes, timeout: Duration, arn: String) -> (String, PendingInvocation) {
        let request_id = random::uuid();
        let (answer, reply) = oneshot::channel();
        let (calls, taken) = (Calls::default(), Arc::new(AtomicBool::new(false)));
        {
            let mut seat = self.seat();
            seat.pending = Some((request_id.clone(), answer));
            seat.calls = calls.clone();
        }
        let job = Job {
            request_id: request_id.clone(),
            payload,
            timeout,
            arn,
            taken: Arc::clone(&taken),
        };
        // The receiver lives in this same struct.
        let _ = self.jobs.send(job);
        let begun = PendingInvocation {
            reply,
            calls,
            at: Instant::now(),
            taken,
        };
        (request_id, begun)
    }

    /// Waits for the next event.
    pub(super) async fn next(&self) -> Option<Job> {
        self.ready.cancel();
        self.waiting.lock().await.recv().await
    }

    /// Accepts the answer to `request_id`; false if no invocation waits for it. Output that the process printed before
    /// the answer is logged before the answer is delivered.
    pub(super) fn finish(&self, request_id: &str, reply: Reply) -> bool {
        self.outputs.get().into_iter().flatten().for_each(|output| output.catch_up());
        let pending = self.seat().pending.take_if(|(pending, _)| pending == request_id);
        pending.is_some_and(|(_, answer)| answer.send(reply).is_ok())
    }

    pub(super) fn init_failed(&self, message: String) {
        self.seat().init_error = Some(message);
    }

    pub(super) fn init_error(&self) -> Option<String> {
        self.seat().init_error.clone()
    }

    /// The last line that the process wrote to stderr: usually the cause of its death.
    pub(super) fn last_words(&self) -> String {
        self.last_words.lock().expect("no holder of this lock panics").clone()
    }

    /// Records an AWS call with its invocation.
    pub(crate) fn called(&self, call: Call) {
        self.seat().calls.push(call);
    }

    fn seat(&self) -> std::sync::MutexGuard<'_, Seat> {
        self.seat.lock().expect("no holder of this lock panics")
    }
}

/// The running processes by the unguessable part of their addresses.
#[derive(Debug, Default)]
pub(crate) struct Processes(Mutex<HashMap<String, Arc<Process>>>);

impl Processes {
    pub(crate) fn get(&self, id: &str) -> Option<Arc<Process>> {
        self.0.lock().expect("no holder of this lock panics").get(id).cloned()
    }

    fn add(&self, process: &Arc<Process>) {
        self.0
            .lock()
            .expect("no holder of this lock panics")
            .insert(process.id.clone(), Arc::clone(process));
    }

    fn remove(&self, id: &str) {
        self.0.lock().expect("no holder of this lock panics").remove(id);
    }
}

/// The environment that Lambda sets, the template's, and the AWS endpoints: nothing else is passed on.
fn command(blueprint: &Blueprint, id: &str) -> Command {
    let home = blueprint.binary.parent().map(PathBuf::from).unwrap_or_default();
    let mut command = Command::new(&blueprint.binary);
    command
        .env_clear()
        .env("_HANDLER", "bootstrap")
        .env("LAMBDA_TASK_ROOT", &home)
        .env("LAMBDA_RUNTIME_DIR", "/var/runtime")
        .env("LANG", "en_US.UTF-8")
        .env("TZ", ":UTC")
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        // The runtime only accepts a path here behind an explicit scheme.
        .env("AWS_LAMBDA_RUNTIME_API", format!("{}/{id}", blueprint.control_url))
        .envs(environment(blueprint, id))
        .current_dir(&home)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// The part of it that does not depend on where the process runs.
fn environment(blueprint: &Blueprint, id: &str) -> BTreeMap<String, String> {
    let Blueprint {
        function, control_url, ..
    } = blueprint;
    let name = &function.physical_name;
    let (memory, group) = (function.memory_mb.to_string(), format!("/aws/lambda/{name}"));
    let stream = format!("local/[$LATEST]{id}");
    let fixed = [
        ("AWS_LAMBDA_FUNCTION_NAME", name.as_str()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &memory),
        ("AWS_LAMBDA_LOG_GROUP_NAME", &group),
        ("AWS_LAMBDA_LOG_STREAM_NAME", &stream),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023"),
        ("AWS_REGION", REGION),
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", "LOCALACCESSKEY"),
        ("AWS_SECRET_ACCESS_KEY", "local-secret-access-key"),
        ("AWS_SESSION_TOKEN", "local-session-token"),
    ];
    let fixed = fixed.map(|(variable, value)| (variable.to_owned(), value.to_owned()));
    let endpoints = [
        ("AWS_ENDPOINT_URL_DYNAMODB", "dynamodb"),
        ("AWS_ENDPOINT_URL_SES", "ses"),
        ("AWS_ENDPOINT_URL_SNS", "sns"),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "secretsmanager"),
        ("AWS_ENDPOINT_URL_EVENTBRIDGE", "events"),
    ];
    let endpoints = endpoints.map(|(variable, service)| {
        let endpoint = format!("{control_url}/{id}/aws/{service}");
        (variable.to_owned(), endpoint)
    });
    let given = blueprint.environment.clone().into_iter();
    given.chain(fixed).chain(function.environment.clone()).chain(endpoints).collect()
}

async fn wait(child: &mut Child, kill: &CancellationToken) -> String {
    let status = tokio::select! {
        status = child.wait() => status,
        () = kill.cancelled() => {
            // It fails only if the process has just ended by itself.
            let _ = child.start_kill();
            child.wait().await
        }
    };
    match status {
        Ok(status) => describe(status),
        Err(error) => format!("was lost: {error}"),
    }
}

#[cfg(unix)]
fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with code {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => format!("ended: {status}"),
    }
}

#[cfg(not(unix))]
fn describe(status: ExitStatus) -> String {
    format!("ended: {status}")
}
