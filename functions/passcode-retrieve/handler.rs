use countersign_shared::{
    admission,
    domain::{
        client::Client,
        key::{Keyring, Passcodes},
        passcode::{Binding, Passcode, Policy},
        token::Token,
        user::User,
    },
    fault::Fault,
    http::{
        broadleaf::{ClientQuery, Error, PASSCODE, RetrieveQuery, Retrieved},
        call::Call,
        reply::Answer,
        serve::Endpoint,
    },
    store::table::{BatchGet, Put, Table},
};
use rand::rngs::SysRng;

/// Makes a passcode for a user and a purpose. Nothing is sent: the caller gives it to the user.
pub struct Retrieve {
    pub tokens: Table<Token, BatchGet>,
    pub users: Table<User, BatchGet>,
    pub clients: Table<Client, BatchGet>,
    pub passcodes: Table<Passcode, Put>,
    pub keys: Keyring<Passcodes>,
    pub policy: Policy,
}

impl Endpoint for Retrieve {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let caller = admission::caller(&self.tokens, &self.users, &self.clients, call, PASSCODE).await??;
        let ClientQuery { client_id: client } = ClientQuery::read(call, &caller, &[])?;
        let RetrieveQuery { purpose, username } = RetrieveQuery::read(call)?;
        let binding = Binding {
            client,
            username,
            purpose,
        };
        let (passcode, text) =
            Passcode::issue(&self.policy, &binding, &self.keys, &mut SysRng, call.now).map_err(Fault::from)?;
        call.note_subject(format!("passcode:{}", passcode.id.as_str()));
        if !self.passcodes.put_new(&passcode, call.now).await? {
            return Err(Fault::new("a new passcode's row is taken: 80 bits came twice".into()).into());
        }
        Ok(Answer::json(
            200,
            "passcode_issued",
            &Retrieved::new(&passcode.id, &text),
        ))
    }
}
