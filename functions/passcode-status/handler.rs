use countersign_shared::{
    admission::{self, Doors},
    domain::{client::Client, passcode::Passcode, provider::Provider, token::Token, user::User},
    edge::Wire,
    http::{
        broadleaf::{self, ClientQuery, Error, PASSCODE, StatusQuery},
        call::Call,
        reply::Answer,
        serve::Endpoint,
    },
    store::table::{BatchGet, Get, Table},
};

/// Tells whether a passcode could be consumed. Asking changes nothing.
#[derive(Wire)]
pub struct Status {
    pub tokens: Table<Token, BatchGet>,
    pub users: Table<User, BatchGet>,
    pub clients: Table<Client, BatchGet>,
    pub passcodes: Table<Passcode, Get>,
    #[wire(identity_provider)]
    pub provider: Option<Provider>,
}

impl Endpoint for Status {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let doors = Doors {
            tokens: &self.tokens,
            users: &self.users,
            clients: &self.clients,
        };
        let client = admission::client(self.provider.as_ref(), doors, call, PASSCODE).await??;
        let ClientQuery { client_id: client } = ClientQuery::read(call, client, &[])?;
        let StatusQuery { passcode_id: id } = StatusQuery::read(call)?;
        call.note_subject(format!("passcode:{}", id.as_str()));
        let found = self.passcodes.get(&id.handle(), call.now).await?;
        let passcode = found
            .filter(|found| found.id == id && found.client == client)
            .ok_or(Error::NoPasscode)?;
        Ok(broadleaf::status_read(&id, passcode.is_valid(call.now)))
    }
}
