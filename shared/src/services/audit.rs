//! Floor 2: the audit log (ASVS 16.3): who did what, and to whom. An act and its event are written in one transaction, so
//! that neither is there without the other (R76). What changes nothing is a log line.

use crate::{
    domain::{
        audit::{Act, AuditedRequest, Event, Policy},
        time::Timestamp,
    },
    fault::Fault,
    http::call::Call,
    runtime::edge::Wire,
    store::table::{Check, Put, Table, Transaction},
};

/// What an act is done by: a request, or a command of the operator.
#[derive(Clone, Copy, Debug)]
pub struct Cause<'a> {
    /// The authenticated actor, if any.
    pub actor: Option<&'a str>,
    /// The route's pattern, or the command's name.
    pub route: &'a str,
    /// The request id, which leads to the log.
    pub request_id: &'a str,
    /// Lambda's id of the invocation.
    pub invocation: &'a str,
    /// When it is done.
    pub at: Timestamp,
}

impl<'a> From<&'a Call> for Cause<'a> {
    fn from(call: &'a Call) -> Self {
        Self {
            actor: call.actor(),
            route: &call.route,
            request_id: &call.request_id,
            invocation: &call.invocation,
            at: call.now,
        }
    }
}

/// The table of the audit log.
#[derive(Debug, Wire)]
pub struct AuditLog {
    events: Table<Event, Put>,
    #[wire(audit_policy)]
    policy: Policy,
}

impl AuditLog {
    /// Adds the event of an act to the act's own transaction.
    pub fn add<'a>(&self, transaction: &mut Transaction, cause: impl Into<Cause<'a>>, act: Act) {
        transaction.put(&self.events, &self.event(cause.into(), act));
    }

    /// Adds a check instead of an event, for an act on an unknown identity, of which none is recorded: the transaction has
    /// as many writes as for a known one, so that timing does not reveal which users exist (enumeration).
    pub fn add_none<'a>(
        &self,
        transaction: &mut Transaction,
        checks: &Table<Event, Check>,
        cause: impl Into<Cause<'a>>,
        act: Act,
    ) {
        transaction.expect_none(checks, &self.event(cause.into(), act));
    }

    /// Records what no transaction can contain, before it is done: a disclosure, or a change of another service. Without
    /// an event, it is not done (ASVS 16.2.1, R46).
    ///
    /// # Errors
    /// [`Fault`] when the event could not be recorded.
    pub async fn before<'a>(&self, cause: impl Into<Cause<'a>>, act: Act) -> Result<(), Fault> {
        self.events.put(&self.event(cause.into(), act)).await
    }

    fn event(&self, cause: Cause<'_>, act: Act) -> Event {
        let request = AuditedRequest {
            actor: cause.actor.map(str::to_owned),
            route: cause.route.to_owned(),
            request_id: cause.request_id.to_owned(),
        };
        Event::of_request(self.policy, act, cause.invocation, request, cause.at)
    }
}
