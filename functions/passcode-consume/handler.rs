use countersign_shared::{
    domain::{
        crypto::key::{Keyring, Passcodes},
        passcode::{Binding, Handle, Passcode, Policy},
        people::id::ClientId,
    },
    fault::Fault,
    http::{
        call::Call,
        dialects::broadleaf::{self, ClientQuery, ConsumeForm, Error, PASSCODE},
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
        rows::{
            passcode,
            rate_limit::{self, Usage},
        },
        table::{Batch, BatchGet, Committed, Table, Transaction, Update, settled},
    },
};

/// Consumes a single-use passcode: of any number of concurrent requests, exactly one succeeds.
#[derive(Wire)]
pub struct Consume {
    pub clients: Clients,
    pub rate_limits: Table<Usage, Update>,
    pub read: Table<Passcode, BatchGet>,
    pub passcodes: Table<Passcode, Update>,
    pub keys: Keys<Passcodes>,
    #[wire(passcode_policy)]
    pub policy: Policy,
    pub audit: AuditLog,
}

/// A guess at a passcode.
struct Guess {
    binding: Binding,
    /// The rows that it may be of. During a key rotation there are two keys: the passcode's row depends on the key that
    /// created it. None for a text that is no passcode.
    handles: Vec<Handle>,
}

impl Endpoint for Consume {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let keys = self.keys.at(call.now).await;
        let form = ConsumeForm::read(call);
        let guess = match ClientQuery::named(call) {
            Some(client) => form.map(|form| self.guess(client, form, &keys)).map(Some),
            None => form.map(|_| None),
        };
        let handles = guess.iter().flatten().flat_map(|guess| &guess.handles);
        let admitted = auth::client_with(&self.clients, call, PASSCODE, |batch| {
            handles.for_each(|handle| batch.want(&self.read, handle));
        });
        let (client, found) = admitted.await??;
        ClientQuery::read(call, client, ConsumeForm::FIELDS)?;
        let Some(guess) = guess?.filter(|guess| !guess.handles.is_empty()) else {
            return Err(Error::Refused);
        };
        if self.policy.shape(guess.binding.purpose.as_str()).is_short() {
            // Count the guess before it is evaluated, so that concurrent guesses cannot exceed the rate limit.
            let subject = guess.binding.guesses_key();
            rate_limit::spend(&self.rate_limits, &self.policy.guesses, &subject, &call.hit())
                .await?
                .map_err(Error::RateLimited)?;
        }
        for handle in &guess.handles {
            let Some(passcode) = found.take(&self.read, handle, call.now)?.filter(|found| found.is_valid(call.now))
            else {
                continue;
            };
            if self.consume(call, handle, &passcode).await? {
                call.log_subject(passcode.id.log_name());
                return Ok(broadleaf::consumed(&passcode.id).counted_as(Milestone::Verified));
            }
        }
        Err(Error::Refused)
    }
}

impl Consume {
    fn guess(&self, client: ClientId, form: ConsumeForm, keys: &Keyring<Passcodes>) -> Guess {
        let ConsumeForm {
            passcode: given,
            purpose,
            username,
        } = form;
        let binding = Binding {
            client,
            username,
            purpose,
        };
        let handles = match self.policy.shape(binding.purpose.as_str()).fits(given.expose()) {
            true => keys.iter().map(|key| Handle::of(key, &binding, &given)).collect(),
            false => Vec::new(),
        };
        Guess { binding, handles }
    }

    /// `false` when another request was faster.
    async fn consume(&self, call: &Call, handle: &Handle, read: &Passcode) -> Result<bool, Fault> {
        let mut transaction = Transaction::default();
        transaction.update(&self.passcodes, handle, passcode::consume(&call.invocation, call.now));
        self.audit.add(&mut transaction, call, Outcome::PasscodeConsumed.of(read.id.log_name()));
        let is_ours = async {
            let found = Batch::one(&self.read, handle, call.now).await?;
            Ok(found.is_some_and(|found| found.was_used_by(&call.invocation)))
        };
        let committed = settled(transaction.commit().await, is_ours).await?;
        Ok(matches!(committed, Committed::Yes))
    }
}
