//! The HTTP/1.1 server under every port of the local cloud.
//!
//! Not `axum::serve`, because it lacks two features: a handler that closes its connection without an answer (a lost
//! response), and connections that end with the cloud, hanging ones included.

use std::future::Future;
use std::net::SocketAddr;

use axum::body::{Body, Bytes};
use axum::http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The handler requested to close the connection without an answer.
#[derive(Debug)]
pub(crate) struct Dropped;

impl std::fmt::Display for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection was closed without an answer, as asked")
    }
}

impl std::error::Error for Dropped {}

/// Serves `listener` with `handler` until `stop`; then every connection ends at once.
pub(crate) async fn serve<H, F>(listener: TcpListener, stop: CancellationToken, tasks: TaskTracker, handler: H)
where
    H: Fn(SocketAddr, Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<Body>, Dropped>> + Send + 'static,
{
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        // A failed accept is caused by the peer (it disconnected) or by a transient shortage of file descriptors.
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let (handler, stop) = (handler.clone(), stop.clone());
        tasks.spawn(async move {
            let service = service_fn(move |request| handler(peer, request));
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                () = stop.cancelled() => {}
                // An error here is a client that disconnected, or `Dropped`.
                _ = connection => {}
            }
        });
    }
}

/// Why a body could not be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It exceeds the limit.
    TooLong,
    /// The client disconnected, or its chunks are malformed.
    Broken,
}

/// Reads a whole body of at most `limit` bytes.
pub(crate) async fn read(body: Body, limit: usize) -> Result<Bytes, Unread> {
    match Limited::new(body, limit).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.downcast_ref::<LengthLimitError>().is_some() => Err(Unread::TooLong),
        Err(error)
            if std::error::Error::source(error.as_ref())
                .is_some_and(<dyn std::error::Error>::is::<LengthLimitError>) =>
        {
            Err(Unread::TooLong)
        }
        Err(_) => Err(Unread::Broken),
    }
}

/// A complete response.
pub(crate) fn answer(status: StatusCode, media_type: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(media_type));
    response
}

/// A JSON response.
pub(crate) fn json(status: StatusCode, body: &serde_json::Value) -> Response<Body> {
    answer(status, "application/json", body.to_string())
}
