use countersign_shared::{
    domain::passcode::Passcode,
    http::{
        call::Call,
        dialects::broadleaf::{self, ClientQuery, Error, InvalidateForm, PASSCODE},
        reply::Answer,
        serve::Endpoint,
    },
    observe::Outcome,
    runtime::edge::Wire,
    services::{
        audit::AuditLog,
        auth::{self, Clients},
    },
    store::{
        rows::passcode,
        table::{Batch, BatchGet, Committed, Table, Transaction, Update, settled},
    },
};

/// Invalidates a passcode by its id. Idempotent: a repetition returns the same.
#[derive(Wire)]
pub struct Invalidate {
    pub clients: Clients,
    pub read: Table<Passcode, BatchGet>,
    pub passcodes: Table<Passcode, Update>,
    pub audit: AuditLog,
}

impl Endpoint for Invalidate {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let form = InvalidateForm::read(call);
        let handle = form.as_ref().ok().map(|form| form.passcode_id.handle());
        let admitted = auth::client_with(&self.clients, call, PASSCODE, |batch| {
            handle.iter().for_each(|handle| batch.want(&self.read, handle));
        });
        let (client, found) = admitted.await??;
        let ClientQuery { client_id: client } = ClientQuery::read(call, client, InvalidateForm::FIELDS)?;
        let InvalidateForm { passcode_id: id } = form?;
        call.log_subject(id.log_name());
        let handle = id.handle();
        let passcode = found.take(&self.read, &handle, call.now)?;
        let passcode = passcode.filter(|found| found.id == id && found.client == client).ok_or(Error::NoPasscode)?;
        if passcode.used.is_none() {
            let mut transaction = Transaction::default();
            let change = passcode::invalidate(&id, &client, &call.invocation, call.now);
            transaction.update(&self.passcodes, &handle, change);
            self.audit.add(&mut transaction, call, Outcome::PasscodeInvalidated.of(id.log_name()));
            let is_used = async {
                let found = Batch::one(&self.read, &handle, call.now).await?;
                Ok(found.is_some_and(|found| found.used.is_some()))
            };
            match settled(transaction.commit().await, is_used).await? {
                // Another request has used it just now: it is as invalid.
                Committed::Yes | Committed::No(_) => {}
            }
        }
        Ok(broadleaf::invalidated(&id))
    }
}
