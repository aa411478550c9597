//! The steps of a start, the progress on the terminal, and the two ports that a cloud listens on.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use crate::data::State;
use crate::http::{self, Dropped};
use crate::log::Log;
use crate::server::Server;
use crate::state::Inner;
use crate::template::{Route, SecretSource, Template};
use crate::{Options, aws, gateway, page, runtime};

/// The number of functions checked concurrently.
const CHECKED_AT_ONCE: usize = 4;

/// A listener on loopback; port 0 for any free port.
pub(crate) async fn bind(port: u16) -> Result<TcpListener, String> {
    TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port)))
        .await
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                format!("port {port} is in use; stop what listens there, or choose another with --port")
            }
            _ => format!("cannot listen on port {port}: {error}"),
        })
}

/// The path of each function's binary; every one must exist.
pub(crate) fn binaries(template: &Template, folder: &Path) -> Result<Vec<PathBuf>, String> {
    let paths = template.functions.iter().map(|function| {
        let path = folder.join(format!("{}{}", function.binary, std::env::consts::EXE_SUFFIX));
        // A function has another working directory than this process.
        let path = std::path::absolute(&path).unwrap_or(path);
        match path.is_file() {
            true => Ok(path),
            false => Err(format!(
                "{} wants the binary {}, but there is no {}",
                function.logical_id,
                function.binary,
                path.display()
            )),
        }
    });
    paths.collect()
}

/// The server that replaces the built-in services, if one is given. A data directory cannot change where its rows are.
pub(crate) fn server(options: &Options, state: &State) -> Result<Option<Arc<Server>>, String> {
    let is_new = state.identities.is_none();
    if !is_new && state.account.is_some() != options.aws.is_some() {
        let before = if state.account.is_some() { "with" } else { "without" };
        return Err(format!("the data directory was begun {before} --aws, and its rows are there"));
    }
    let server = options.aws.as_deref().map(|address| Server::new(address, state.account.clone()));
    Ok(server.transpose()?.map(Arc::new))
}

/// Prints the contents of the template.
pub(crate) fn announce(log: &Log, path: &Path, template: &Template) {
    let count = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    log.say(&format!(
        "{}: {}, {}, {}",
        path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default(),
        count(template.functions.len(), "function"),
        count(template.tables.len(), "table"),
        count(template.secrets.len(), "secret"),
    ));
    for table in &template.tables {
        log.say(&format!("  table {}", table.name));
    }
    let mut routes: Vec<&Route> = template.routes.iter().collect();
    // By path, with `$default` at the end.
    routes.sort_by_key(|route| (route.path.is_none(), route.path.as_deref(), route.method.as_deref()));
    let width = template.routes.iter().map(|route| route.key().len()).max().unwrap_or_default();
    for route in routes {
        log.say(&format!("  {:width$}  → {}", route.key(), template.functions[route.function].name));
    }
    for note in &template.notes {
        log.say(&format!("  note: {note}"));
    }
    for secret in &template.secrets {
        if matches!(secret.source, SecretSource::Literal(_)) {
            log.say(&format!("  note: the secret {} has its value in the template", secret.name));
        }
    }
}

/// Starts every function once, so that a function that cannot start fails now and not on a request.
pub(crate) async fn check(inner: &Arc<Inner>) -> Result<(), String> {
    let mut waiting = inner.functions.iter().cloned();
    let mut running = tokio::task::JoinSet::new();
    loop {
        while running.len() < CHECKED_AT_ONCE
            && let Some(function) = waiting.next()
        {
            running.spawn(async move {
                let checked = function.check().await;
                checked.map_err(|error| format!("the function {} {error}", function.name()))
            });
        }
        match running.join_next().await {
            None => return Ok(()),
            Some(checked) => checked.map_err(|error| error.to_string())??,
        }
    }
}

/// Starts the gateway's server and the one for the functions.
pub(crate) fn open_doors(inner: &Arc<Inner>, control: TcpListener, listener: TcpListener, tasks: &TaskTracker) {
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

/// The internal port for functions: `/<process>/2018-06-01/runtime/…` and `/<process>/aws/<service>`.
async fn behind_the_scenes(inner: &Arc<Inner>, request: Request<Body>) -> Result<Response<Body>, Dropped> {
    let path = request.uri().path().to_owned();
    let (id, rest) = path[1..].split_once('/').unwrap_or_default();
    let process = inner.processes.get(id);
    if process.as_ref().is_some_and(|process| process.is_killed()) {
        return Err(Dropped);
    }
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
