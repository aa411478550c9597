//! DynamoDB: the embedded engine, or another server's. Code outside this folder does not depend on which.

mod embedded;
mod remote;
mod written;

use std::path::Path;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::Response;
use axum::http::request::Parts;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::embedded::Embedded;
use self::remote::Remote;
use crate::clock::LocalClock;
use crate::server::Server;
use crate::template::Table;

/// The template's tables, on either engine.
pub(crate) enum Database {
    Embedded(Arc<Embedded>),
    Remote(Remote),
}

impl Database {
    /// The embedded engine: in memory, or in the file at `path`.
    pub(crate) fn embedded(
        path: Option<&Path>,
        tables: &[Table],
        clock: Arc<LocalClock>,
        stop: CancellationToken,
        tasks: &TaskTracker,
    ) -> Result<Self, String> {
        let engine = Embedded::open(path, tables, clock, stop, tasks)?;
        Ok(Self::Embedded(Arc::new(engine)))
    }

    /// Tables of this cloud on another server.
    pub(crate) async fn remote(server: Arc<Server>, tables: &[Table], clock: Arc<LocalClock>) -> Result<Self, String> {
        Ok(Self::Remote(Remote::open(server, tables, clock).await?))
    }

    /// Passes a request on unchanged and returns the answer unchanged.
    pub(crate) async fn forward(&self, head: Parts, body: Bytes) -> Result<Response<Body>, String> {
        match self {
            Self::Embedded(engine) => engine.forward(head, body).await,
            Self::Remote(server) => server.forward(head, body).await,
        }
    }

    /// Deletes rows that have expired by the local clock; returns their number. `done` is the sequence number up to
    /// which every subscription has processed each table's stream.
    pub(crate) async fn sweep(&self, done: Vec<(Table, String)>) -> Result<usize, String> {
        match self {
            Self::Embedded(engine) => {
                let _closed = engine.closed().await;
                let engine = Arc::clone(engine);
                blocking(move || {
                    for (table, reached) in done {
                        engine.trim(&table, &reached)?;
                    }
                    engine.sweep()
                })
                .await
            }
            Self::Remote(server) => {
                done.iter().for_each(|(table, reached)| server.trim(table, reached));
                server.sweep().await
            }
        }
    }

    /// All rows of a table as stored.
    pub(crate) async fn rows(&self, table: &Table) -> Result<Vec<Value>, String> {
        match self {
            Self::Embedded(engine) => {
                let (engine, name) = (Arc::clone(engine), table.name.clone());
                blocking(move || engine.rows(&name)).await
            }
            Self::Remote(server) => server.rows(table).await,
        }
    }

    /// Like `rows`, for callers that may block but cannot await; `None` if the rows are on another server.
    pub(crate) fn rows_at_once(&self, table: &Table) -> Option<Result<Vec<Value>, String>> {
        match self {
            Self::Embedded(engine) => Some(engine.rows(&table.name)),
            Self::Remote(_) => None,
        }
    }

    /// Up to `limit` stream records of a table after the sequence number `after`, as a Lambda event has them. On
    /// another server, a stream without the new image has only the rows that a sweep removed.
    pub(crate) async fn records(
        &self,
        table: &Table,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<Value>, String> {
        match self {
            Self::Embedded(engine) => {
                let (engine, table) = (Arc::clone(engine), table.clone());
                blocking(move || engine.records(&table, after.as_deref(), limit)).await
            }
            Self::Remote(server) => Ok(server.records(table, after.as_deref(), limit)),
        }
    }

    /// Deletes the tables if they are on another server.
    pub(crate) async fn clear(&self) {
        match self {
            Self::Embedded(_) => {}
            Self::Remote(server) => server.clear().await,
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())?
}
