use countersign_shared::{
    domain::passcode::Passcode,
    http::{
        call::Call,
        dialects::broadleaf::{self, ClientQuery, Error, InvalidateForm, PASSCODE},
        reply::Answer,
        serve::Endpoint,
    },
    runtime::edge::Wire,
    services::auth::{self, Clients},
    store::{
        rows::passcode,
        table::{Changed, Table, Update},
    },
};

/// Invalidates a passcode by its id. Idempotent: a repetition returns the same.
#[derive(Wire)]
pub struct Invalidate {
    pub clients: Clients,
    pub passcodes: Table<Passcode, Update>,
}

impl Endpoint for Invalidate {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let client = auth::client(&self.clients, call, PASSCODE).await??;
        let ClientQuery { client_id: client } = ClientQuery::read(call, client, InvalidateForm::FIELDS)?;
        let InvalidateForm { passcode_id: id } = InvalidateForm::read(call)?;
        call.log_subject(format!("passcode:{}", id.as_str()));
        let change = passcode::invalidate(&id, &client, &call.invocation, call.now);
        match self.passcodes.update(&id.handle(), change, call.now).await? {
            Changed::Yes(_) => {}
            Changed::No(Some(found)) if found.id == id && found.client == client => {}
            Changed::No(_) => return Err(Error::NoPasscode),
        }
        Ok(broadleaf::invalidated(&id))
    }
}
