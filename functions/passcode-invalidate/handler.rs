use countersign_shared::{
    admission::{self, Doors},
    domain::{client::Client, passcode::Passcode, provider::Provider, token::Token, user::User},
    edge::Wire,
    http::{
        broadleaf::{self, ClientQuery, Error, InvalidateForm, PASSCODE},
        call::Call,
        reply::Answer,
        serve::Endpoint,
    },
    store::{
        rows::passcode,
        table::{BatchGet, Changed, Table, Update},
    },
};

/// Marks a passcode as used, by its id. Doing it again changes nothing and answers the same.
#[derive(Wire)]
pub struct Invalidate {
    pub tokens: Table<Token, BatchGet>,
    pub users: Table<User, BatchGet>,
    pub clients: Table<Client, BatchGet>,
    pub passcodes: Table<Passcode, Update>,
    #[wire(identity_provider)]
    pub provider: Option<Provider>,
}

impl Endpoint for Invalidate {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let doors = Doors {
            tokens: &self.tokens,
            users: &self.users,
            clients: &self.clients,
        };
        let client = admission::client(self.provider.as_ref(), doors, call, PASSCODE).await??;
        let ClientQuery { client_id: client } = ClientQuery::read(call, client, InvalidateForm::FIELDS)?;
        let InvalidateForm { passcode_id: id } = InvalidateForm::read(call)?;
        call.note_subject(format!("passcode:{}", id.as_str()));
        let change = passcode::invalidate(&id, &client, &call.invocation, call.now);
        match self.passcodes.update(&id.handle(), change, call.now).await? {
            Changed::Yes(_) => {}
            Changed::No(Some(found)) if found.id == id && found.client == client => {}
            Changed::No(_) => return Err(Error::NoPasscode),
        }
        Ok(broadleaf::invalidated(&id))
    }
}
