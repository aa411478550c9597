//! The shared state of a running cloud.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Bytes;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::authenticator::Authenticator;
use crate::aws::{Faults, Secrets};
use crate::clock::LocalClock;
use crate::data::{DataDir, State};
use crate::database::Database;
use crate::events::Events;
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

/// The shared state of a cloud.
pub(crate) struct Inner {
    pub(crate) template: Template,
    pub(crate) routes: Routes,
    pub(crate) functions: Vec<Arc<Lambda>>,
    pub(crate) clock: Arc<LocalClock>,
    pub(crate) log: Arc<Log>,
    pub(crate) faults: Faults,
    /// The usage record.
    pub(crate) usage: Record,
    pub(crate) invocations: Invocations,
    pub(crate) messages: Messages,
    pub(crate) events: Events,
    pub(crate) secrets: Secrets,
    pub(crate) database: Database,
    /// The server for DynamoDB, SES and SNS, if they are not built in.
    pub(crate) server: Option<Arc<Server>>,
    pub(crate) streams: Streams,
    pub(crate) identities: Identities,
    pub(crate) issuer: Issuer,
    pub(crate) authenticator: Authenticator,
    /// Notifies of changes: `messages`, `events`, `invocations`, `identities`, `authenticator` or `clock`.
    pub(crate) changes: broadcast::Sender<&'static str>,
    pub(crate) stop: CancellationToken,
    pub(crate) port: u16,
    pub(crate) url: String,
    pub(crate) processes: Arc<Processes>,
    pub(crate) control_url: String,
    /// The URL segment for calls from outside, which belongs to no process.
    pub(crate) outsider: String,
    pub(crate) data: Option<DataDir>,
    pub(crate) first_start: AtomicBool,
}

impl Inner {
    /// Runs a function without an HTTP caller and records the invocation.
    pub(crate) async fn run(self: &Arc<Self>, function: usize, route: Option<String>, payload: Bytes) -> Finished {
        let inner = Arc::clone(self);
        // In its own task, so that a caller that disconnects does not leave a process half way.
        let task = tokio::spawn(async move {
            let finished = inner.functions[function].invoke(payload).await;
            let status = if finished.result.is_ok() { 200 } else { 500 };
            inner.record(function, route, status, &finished);
            finished
        });
        task.await.expect("an invocation does not panic, and no other code ends its task")
    }

    /// Records a finished invocation.
    pub(crate) fn record(&self, function: usize, route: Option<String>, status: u16, finished: &Finished) {
        let lambda = &self.functions[function];
        self.invocations.push(Invocation {
            function: lambda.name().to_owned(),
            memory_mb: lambda.blueprint.function.memory_mb,
            route,
            status,
            cold: finished.cold,
            ms: finished.ms,
            calls: finished.calls.clone(),
            init_calls: finished.init_calls.clone(),
        });
        self.changed("invocations");
    }

    /// Captures a message.
    pub(crate) fn captured(&self, channel: Channel, to: String, content: Content) {
        self.messages.capture(channel, to, content, self.clock.iso());
        self.changed("messages");
    }

    /// Notifies subscribers of a change.
    pub(crate) fn changed(&self, what: &'static str) {
        // An error means that there are no subscribers.
        let _ = self.changes.send(what);
    }

    /// Saves the state that must survive a restart, if there is a data directory.
    pub(crate) fn save(&self) {
        let Some(data) = &self.data else { return };
        let state = || State {
            first_start: self.first_start.load(Ordering::SeqCst),
            clock_offset: self.clock.offset(),
            secrets: self.secrets.states(),
            identities: self.identities.shown(),
            identities_made_at: self.identities.made_at(),
            streams: self.streams.reached(),
            authenticator: self.authenticator.uris(),
            account: self.server.as_ref().map(|server| server.account().to_owned()),
        };
        if let Err(error) = data.save(state) {
            self.log.function("local", &error);
        }
    }
}
