//! The cloud's own routes: `/_local/…` for users and tests, and Lambda's invoke API.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::{delete, get, post};
use futures_util::Stream;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use crate::authenticator::draw;
use crate::aws::Rule;
use crate::issuer::Issuer;
use crate::runtime::Process;
use crate::state::Inner;
use crate::{http, streams, tenant};

/// Lambda's limit of 6 MB for an event.
const LONGEST_EVENT: usize = 6 * 1024 * 1024;

const PAGE_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; \
                           frame-src 'self'; base-uri 'none'; form-action 'none'";
/// A captured mail may use styles and outgoing links, and nothing else.
const MAIL_POLICY: &str =
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/// Whether a path belongs to the cloud itself and not to the template.
pub(crate) fn is_local(path: &str) -> bool {
    path == "/_local" || path.starts_with("/_local/") || path.starts_with("/2015-03-31/functions/")
}

/// Allows users and programs of this machine, and no foreign web page: neither one that posts here (CSRF), nor one
/// whose name resolves to this address (DNS rebinding).
///
/// Returns the refusal, or `None`.
pub(crate) fn refusal(request: &Request<Body>) -> Option<Response<Body>> {
    let host = match (request.headers().get(header::HOST), request.uri().authority()) {
        (Some(host), _) => host.to_str().unwrap_or_default().to_owned(),
        (None, Some(authority)) => authority.as_str().to_owned(),
        (None, None) => String::new(),
    };
    let authority: Option<Uri> = host.parse().ok();
    let name = authority.as_ref().and_then(Uri::host).unwrap_or_default().to_ascii_lowercase();
    if !matches!(name.as_str(), "localhost" | "127.0.0.1" | "[::1]") {
        return Some(problem(StatusCode::FORBIDDEN, "ask by the name localhost or 127.0.0.1"));
    }
    let safe = matches!(*request.method(), Method::GET | Method::HEAD);
    if !safe && let Some(origin) = request.headers().get(header::ORIGIN) {
        let own = format!("http://{host}");
        if !origin.as_bytes().eq_ignore_ascii_case(own.as_bytes()) {
            return Some(problem(StatusCode::FORBIDDEN, "another site's page may not do this"));
        }
    }
    None
}

/// The routes.
pub(crate) fn router(inner: &Arc<Inner>) -> Router {
    Router::new()
        .route("/_local", get(async || page("text/html; charset=utf-8", include_str!("page/index.html"))))
        .route("/_local/", get(async || page("text/html; charset=utf-8", include_str!("page/index.html"))))
        .route("/_local/page.css", get(async || page("text/css; charset=utf-8", include_str!("page/page.css"))))
        .route(
            "/_local/page.js",
            get(async || page("text/javascript; charset=utf-8", include_str!("page/page.js"))),
        )
        .route(
            "/_local/base.js",
            get(async || page("text/javascript; charset=utf-8", include_str!("page/base.js"))),
        )
        .route(
            "/_local/requests.js",
            get(async || page("text/javascript; charset=utf-8", include_str!("page/requests.js"))),
        )
        .route(
            "/_local/factors.js",
            get(async || page("text/javascript; charset=utf-8", include_str!("page/factors.js"))),
        )
        .route("/_local/changes", get(changes))
        .route("/_local/events", get(events).delete(clear_events))
        .route("/_local/messages", get(messages).delete(clear_messages))
        .route("/_local/messages/{id}/html", get(mail))
        .route("/_local/identities", get(shown_identities))
        .route("/_local/issuer/.well-known/openid-configuration", get(issuer))
        .route("/_local/issuer/jwks.json", get(issuer_keys))
        .route("/_local/issuer/token", post(issue))
        .route("/_local/clock", get(clock).post(advance))
        .route("/_local/authenticator", get(codes).post(scan))
        .route("/_local/authenticator/{id}", delete(forget))
        .route("/_local/qr", post(qr))
        .route("/_local/sweep", post(sweep))
        .route("/_local/streams/deliver", post(deliver))
        .route("/_local/dead-letters", get(dead_letters).delete(clear_dead_letters))
        .route("/_local/tables", get(tables))
        .route("/_local/tables/{name}", get(rows))
        .route("/_local/invocations", get(invocations).delete(clear_invocations))
        .route("/_local/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/_local/functions/{name}/environment", post(environment))
        .route("/2015-03-31/functions/{name}/invocations", post(invoke))
        .fallback(async || problem(StatusCode::NOT_FOUND, "there is nothing here"))
        .method_not_allowed_fallback(async || problem(StatusCode::METHOD_NOT_ALLOWED, "not with this method"))
        .layer(DefaultBodyLimit::max(LONGEST_EVENT))
        .with_state(Arc::clone(inner))
}

type Shared = State<Arc<Inner>>;

fn page(media_type: &'static str, body: &'static str) -> Response<Body> {
    let mut response = plain(http::answer(StatusCode::OK, media_type, body));
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
    response.headers_mut().insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    response
}

async fn mail(State(inner): Shared, Path(id): Path<String>) -> Response<Body> {
    let Some(html) = inner.messages.html(&id) else {
        return problem(StatusCode::NOT_FOUND, "no message of this id has HTML");
    };
    // Links of a mail open in a new tab: its own frame blocks everything else.
    let html = format!("<!doctype html><base target=\"_blank\">{html}");
    let mut response = plain(http::answer(StatusCode::OK, "text/html; charset=utf-8", html));
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(MAIL_POLICY));
    response
}

async fn changes(State(inner): Shared) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let changes = inner.changes.subscribe();
    let stream = futures_util::stream::unfold(changes, |mut changes| async move {
        let what = match changes.recv().await {
            Ok(what) => what,
            // A client that is too slow for every change reconnects and reads everything again.
            Err(RecvError::Lagged(_) | RecvError::Closed) => return None,
        };
        let event = Event::default().event("change").data(json!({ "what": what }).to_string());
        Some((Ok(event), changes))
    });
    Sse::new(stream).keep_alive(KeepAlive::default())
}

async fn messages(State(inner): Shared, uri: Uri) -> Response<Body> {
    let mut list = inner.messages.list();
    if !is_asked(&uri, "full") {
        for message in &mut list {
            (message.from, message.reply_to) = (None, None);
        }
    }
    listed(&list)
}

/// Whether a query sets the flag: `?name=true`.
fn is_asked(uri: &Uri, name: &str) -> bool {
    let query = uri.query().unwrap_or_default().as_bytes();
    form_urlencoded::parse(query).any(|(key, value)| key == name && value == "true")
}

async fn clear_messages(State(inner): Shared) -> Response<Body> {
    inner.messages.clear();
    inner.changed("messages");
    done()
}

async fn events(State(inner): Shared) -> Response<Body> {
    listed(&inner.events.list())
}

async fn clear_events(State(inner): Shared) -> Response<Body> {
    inner.events.clear();
    inner.changed("events");
    done()
}

async fn shown_identities(State(inner): Shared) -> Response<Body> {
    match tenant::current(&inner).await {
        Some(identities) => plain(http::json(StatusCode::OK, &identities)),
        None if inner.template.function_named("operator").is_some() => {
            problem(StatusCode::NOT_FOUND, "the demo identities are being made")
        }
        None => problem(StatusCode::NOT_FOUND, "there are no demo identities: the template has no OperatorFunction"),
    }
}

async fn issuer(State(inner): Shared) -> Response<Body> {
    plain(http::json(StatusCode::OK, &Issuer::configuration(&inner.url)))
}

async fn issuer_keys(State(inner): Shared) -> Response<Body> {
    plain(http::json(StatusCode::OK, &inner.issuer.keys()))
}

async fn issue(State(inner): Shared, body: Bytes) -> Response<Body> {
    match serde_json::from_slice(&body) {
        Ok(claims) => {
            let token = inner.issuer.token(claims, &inner.url, inner.clock.seconds());
            let answer = json!({ "access_token": token, "token_type": "Bearer" });
            plain(http::json(StatusCode::OK, &answer))
        }
        Err(error) => problem(StatusCode::BAD_REQUEST, &format!("the claims must be a JSON object: {error}")),
    }
}

async fn clock(State(inner): Shared) -> Response<Body> {
    plain(http::json(StatusCode::OK, &json!({ "now": inner.clock.iso() })))
}

/// A body, or what is wrong with it.
fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

async fn advance(State(inner): Shared, body: Bytes) -> Response<Body> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Advance {
        advance_seconds: u64,
    }
    let asked = read::<Advance>(&body);
    if let Err(error) = asked.and_then(|asked| inner.clock.advance(asked.advance_seconds)) {
        return problem(StatusCode::BAD_REQUEST, &error);
    }
    inner.save();
    inner.changed("clock");
    clock(State(inner)).await
}

async fn codes(State(inner): Shared) -> Response<Body> {
    listed(&inner.authenticator.list(inner.clock.seconds()))
}

async fn scan(State(inner): Shared, body: Bytes) -> Response<Body> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Scan {
        uri: String,
    }
    let asked = read::<Scan>(&body);
    if let Err(error) = asked.and_then(|asked| inner.authenticator.scan(&asked.uri)) {
        return problem(StatusCode::BAD_REQUEST, &error);
    }
    inner.save();
    inner.changed("authenticator");
    codes(State(inner)).await
}

async fn forget(State(inner): Shared, Path(id): Path<String>) -> Response<Body> {
    if !inner.authenticator.forget(&id) {
        return problem(StatusCode::NOT_FOUND, "the authenticator has no such entry");
    }
    inner.save();
    inner.changed("authenticator");
    done()
}

/// A QR code of a text. The text is in the body, because it is a secret, and browsers keep addresses in histories.
async fn qr(body: Bytes) -> Response<Body> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Drawing {
        text: String,
    }
    let asked = read::<Drawing>(&body);
    match asked.and_then(|asked| draw(&asked.text)) {
        Ok(svg) => plain(http::answer(StatusCode::OK, "image/svg+xml", svg)),
        Err(error) => problem(StatusCode::BAD_REQUEST, &error),
    }
}

async fn sweep(State(inner): Shared) -> Response<Body> {
    match streams::sweep(&inner).await {
        Ok(deleted) => plain(http::json(StatusCode::OK, &json!({ "deleted": deleted }))),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error),
    }
}

async fn deliver(State(inner): Shared) -> Response<Body> {
    streams::deliver_all(&inner).await;
    done()
}

async fn dead_letters(State(inner): Shared) -> Response<Body> {
    listed(&inner.streams.dead_letters.list())
}

async fn clear_dead_letters(State(inner): Shared) -> Response<Body> {
    inner.streams.dead_letters.clear();
    done()
}

async fn tables(State(inner): Shared) -> Response<Body> {
    let names: Vec<&str> = inner.template.tables.iter().map(|table| table.name.as_str()).collect();
    listed(&names)
}

async fn rows(State(inner): Shared, Path(name): Path<String>) -> Response<Body> {
    let table = inner.template.tables.iter().find(|table| table.name == name || table.logical_id == name);
    let Some(table) = table else {
        return problem(StatusCode::NOT_FOUND, &format!("the template has no table {name}"));
    };
    match inner.database.rows(table).await {
        Ok(rows) => listed(&rows),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error),
    }
}

async fn invocations(State(inner): Shared, uri: Uri) -> Response<Body> {
    listed(&inner.invocations.list(is_asked(&uri, "init")))
}

async fn clear_invocations(State(inner): Shared) -> Response<Body> {
    inner.invocations.clear();
    inner.changed("invocations");
    done()
}

async fn faults(State(inner): Shared) -> Response<Body> {
    listed(&inner.faults.list())
}

async fn add_fault(State(inner): Shared, body: Bytes) -> Response<Body> {
    match Rule::parse(&body, &inner.template) {
        Ok(rule) => {
            inner.faults.add(rule);
            done()
        }
        Err(error) => problem(StatusCode::BAD_REQUEST, &error),
    }
}

async fn clear_faults(State(inner): Shared) -> Response<Body> {
    inner.faults.clear();
    done()
}

/// The environment for a process of the function that is started outside the cloud. Each has its own.
async fn environment(State(inner): Shared, Path(name): Path<String>) -> Response<Body> {
    match inner.template.function_named(&name) {
        Some(function) => {
            let environment = Process::elsewhere(&inner.functions[function].blueprint);
            plain(http::json(StatusCode::OK, &json!(environment)))
        }
        None => problem(StatusCode::NOT_FOUND, &format!("the template has no function {name}")),
    }
}

/// Lambda's invoke API, as `aws lambda invoke --endpoint-url` speaks it.
async fn invoke(State(inner): Shared, Path(name): Path<String>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    // An ARN ends with the name; a qualifier after it is ignored.
    let short = name.rsplit_once(":function:").map_or(name.as_str(), |(_, rest)| rest);
    let short = short.split(':').next().unwrap_or_default();
    let Some(function) = inner.template.function_named(short) else {
        let message = format!("Function not found: {name}");
        let mut response = http::json(StatusCode::NOT_FOUND, &json!({ "Type": "User", "Message": message }));
        response
            .headers_mut()
            .insert("x-amzn-errortype", HeaderValue::from_static("ResourceNotFoundException"));
        return response;
    };
    let body = if body.is_empty() {
        Bytes::from_static(b"{}")
    } else {
        body
    };
    if serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_err() {
        let message = "Could not parse request body into json";
        let mut response = http::json(StatusCode::BAD_REQUEST, &json!({ "Type": "User", "Message": message }));
        response
            .headers_mut()
            .insert("x-amzn-errortype", HeaderValue::from_static("InvalidRequestContentException"));
        return response;
    }
    match headers.get("x-amz-invocation-type").map_or(&b"RequestResponse"[..], HeaderValue::as_bytes) {
        b"DryRun" => return done(),
        b"Event" => {
            tokio::spawn(async move { inner.run(function, None, body).await });
            return http::answer(StatusCode::ACCEPTED, "application/json", Body::empty());
        }
        _ => {}
    }
    let finished = inner.run(function, None, body).await;
    let mut response = match &finished.result {
        Ok(answer) => http::answer(StatusCode::OK, "application/json", answer.clone()),
        Err(failure) => {
            let mut response = http::answer(StatusCode::OK, "application/json", failure.document());
            response.headers_mut().insert("x-amz-function-error", HeaderValue::from_static("Unhandled"));
            response
        }
    };
    response.headers_mut().insert("x-amz-executed-version", HeaderValue::from_static("$LATEST"));
    response
}

fn listed(list: &impl serde::Serialize) -> Response<Body> {
    let list = serde_json::to_value(list).unwrap_or(Value::Null);
    plain(http::json(StatusCode::OK, &list))
}

fn done() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

fn problem(status: StatusCode, message: &str) -> Response<Body> {
    plain(http::json(status, &json!({ "error": message })))
}

/// Responses about tokens and mail are not cached, and their media type is not sniffed.
fn plain(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
