//! What the parts of a running cloud share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Bytes;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::aws::{Faults, Secrets};
use crate::clock::LocalClock;
use crate::data::{DataDir, State};
use crate::database::Database;
use crate::gateway::Routes;
use crate::identities::Identities;
use crate::invocations::{Invocation, Invocations};
use crate::issuer::Issuer;
use crate::log::Log;
use crate::messages::{Channel, Content, Messages};
use crate::record::Record;
use crate::runtime::{Finished, Lambda, Processes};
use crate::server::Server;
use crate::streams::Streams;
use crate::template::Template;

/// What the parts of a cloud share.
pub(crate) struct Inner {
    pub(crate) template: Template,
    pub(crate) routes: Routes,
    pub(crate) functions: Vec<Arc<Lambda>>,
    pub(crate) clock: Arc<LocalClock>,
    pub(crate) log: Arc<Log>,
    pub(crate) faults: Faults,
    /// What has been used of it.
    pub(crate) usage: Record,
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
    pub(crate) processes: Arc<Processes>,
    pub(crate) control_url: String,
    /// The part of an address that stands for no process: calls from outside.
    pub(crate) outsider: String,
    pub(crate) data: Option<DataDir>,
    pub(crate) first_start: AtomicBool,
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
