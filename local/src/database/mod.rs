//! DynamoDB: the embedded engine, or another server's. Nothing outside this folder knows which one it is.

mod embedded;
mod remote;

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

/// The template's tables, wherever they are.
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

    /// Tables of this cloud's own on another server.
    pub(crate) async fn remote(server: Arc<Server>, tables: &[Table], clock: Arc<LocalClock>) -> Result<Self, String> {
        Ok(Self::Remote(Remote::open(server, tables, clock).await?))
    }

    /// Passes a request on as it came; the answer as it comes back.
    pub(crate) async fn forward(&self, head: Parts, body: Bytes) -> Result<Response<Body>, String> {
        match self {
            Self::Embedded(engine) => engine.forward(head, body).await,
            Self::Remote(server) => server.forward(head, body).await,
        }
    }

    /// Deletes what has expired by the local clock; how many rows. `done` is how far the records of each table's stream
    /// have come to everybody.
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
            Self::Remote(server) => server.sweep().await,
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

    /// The same for those who cannot wait, and may block; `None` where another server has them.
    pub(crate) fn rows_at_once(&self, table: &Table) -> Option<Result<Vec<Value>, String>> {
        match self {
            Self::Embedded(engine) => Some(engine.rows(&table.name)),
            Self::Remote(_) => None,
        }
    }

    /// Up to `limit` stream records of a table that come after the sequence number `after`, as a Lambda event has them. On
    /// another server these are the rows that a sweep removed, and no others.
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

    /// Leaves nothing behind where others are.
    pub(crate) async fn clear(&self) {
        match self {
            Self::Embedded(_) => {}
            Self::Remote(server) => server.clear().await,
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| error.to_string())?
}
