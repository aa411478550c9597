use countersign_shared::{
    domain::{
        crypto::{key::Passcodes, secret::Secret},
        passcode::{Binding, Passcode, Policy},
    },
    fault::Fault,
    http::{
        call::Call,
        dialects::broadleaf::{self, ClientQuery, Error, PASSCODE, RetrieveQuery},
        reply::Answer,
        serve::Endpoint,
    },
    observe::Milestone,
    runtime::{edge::Wire, keys::Keys},
    services::auth::{self, Clients},
    store::{
        rows::rate_limit::Creations,
        table::{Put, Table},
    },
};
use rand::rngs::SysRng;

/// Creates a passcode for a user and a purpose. It is not sent: the caller hands it to the user.
#[derive(Wire)]
pub struct Retrieve {
    pub clients: Clients,
    pub created: Creations,
    pub passcodes: Table<Passcode, Put>,
    pub keys: Keys<Passcodes>,
    #[wire(passcode_policy)]
    pub policy: Policy,
}

impl Endpoint for Retrieve {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let client = auth::client(&self.clients, call, PASSCODE).await??;
        let ClientQuery { client_id: client } = ClientQuery::read(call, client, &[])?;
        let RetrieveQuery { purpose, username } = RetrieveQuery::read(call)?;
        let binding = Binding {
            client,
            username,
            purpose,
        };
        if self.policy.shape(binding.purpose.as_str()).is_short() {
            // Every live code is another target of the same guess, so their number is rate limited like the guesses.
            self.created
                .count(&self.policy.issues, &binding.issues_key(), &call.hit())
                .await?
                .map_err(Error::RateLimited)?;
        }
        let (passcode, text) = self.issue(&binding, call).await?;
        call.log_subject(format!("passcode:{}", passcode.id.as_str()));
        Ok(broadleaf::issued(&passcode.id, &text).counted_as(Milestone::Issued))
    }
}

/// Draws of a code until a free one is found: of a million values and a thousand rows, five in a row are taken once in
/// 10^15.
const DRAWS: usize = 5;

impl Retrieve {
    async fn issue(&self, binding: &Binding, call: &Call) -> Result<(Passcode, Secret), Fault> {
        let keys = self.keys.at(call.now).await;
        for _ in 0..DRAWS {
            let (passcode, text) = Passcode::issue(&self.policy, binding, &keys, &mut SysRng, call.now)?;
            if self.passcodes.put_new(&passcode, call.now).await? {
                return Ok((passcode, text));
            }
        }
        Err(Fault::Bug(format!("{DRAWS} passcodes in a row were taken already")))
    }
}
