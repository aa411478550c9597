use countersign_shared::{
    domain::passcode::Passcode,
    http::{
        call::Call,
        dialects::broadleaf::{self, ClientQuery, Error, PASSCODE, StatusQuery},
        reply::Answer,
        serve::Endpoint,
    },
    runtime::edge::Wire,
    services::auth::{self, Clients},
    store::table::{Get, Table},
};

/// Reports whether a passcode could be consumed. Read-only.
#[derive(Wire)]
pub struct Status {
    pub clients: Clients,
    pub passcodes: Table<Passcode, Get>,
}

impl Endpoint for Status {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let client = auth::client(&self.clients, call, PASSCODE).await??;
        let ClientQuery { client_id: client } = ClientQuery::read(call, client, &[])?;
        let StatusQuery { passcode_id: id } = StatusQuery::read(call)?;
        call.log_subject(id.log_name());
        let found = self.passcodes.get(&id.handle(), call.now).await?;
        let passcode = found.filter(|found| found.id == id && found.client == client).ok_or(Error::NoPasscode)?;
        Ok(broadleaf::status_read(&id, passcode.is_valid(call.now)))
    }
}
