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
    observe::{Milestone, Outcome},
    runtime::{edge::Wire, keys::Keys},
    services::{
        audit::AuditLog,
        auth::{self, Clients},
    },
    store::{
        rows::rate_limit::Creations,
        table::{Batch, BatchGet, Committed, Put, Table, Transaction, settled},
    },
};
use rand::rngs::SysRng;

/// Creates a passcode for a user and a purpose. It is not sent: the caller hands it to the user.
#[derive(Wire)]
pub struct Retrieve {
    pub clients: Clients,
    pub created: Creations,
    pub read: Table<Passcode, BatchGet>,
    pub passcodes: Table<Passcode, Put>,
    pub keys: Keys<Passcodes>,
    #[wire(passcode_policy)]
    pub policy: Policy,
    pub audit: AuditLog,
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
        call.log_subject(passcode.id.log_name());
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
            let mut transaction = Transaction::default();
            transaction.put_new(&self.passcodes, &passcode, call.now);
            self.audit.add(&mut transaction, call, Outcome::PasscodeIssued.of(passcode.id.log_name()));
            let handle = passcode.id.handle();
            let is_issued = async {
                let found = Batch::one(&self.read, &handle, call.now).await?;
                Ok(found.is_some_and(|found| found == passcode))
            };
            match settled(transaction.commit().await, is_issued).await? {
                Committed::Yes => return Ok((passcode, text)),
                Committed::No(_) => {}
            }
        }
        Err(Fault::Bug(format!("{DRAWS} passcodes in a row were taken already")))
    }
}
