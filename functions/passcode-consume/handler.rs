use countersign_shared::{
    domain::{
        crypto::key::Passcodes,
        passcode::{Binding, Handle, Passcode, Policy},
    },
    http::{
        call::Call,
        dialects::broadleaf::{self, ClientQuery, ConsumeForm, Error, PASSCODE},
        reply::Answer,
        serve::Endpoint,
    },
    observe::Milestone,
    runtime::{edge::Wire, keys::Keys},
    services::auth::{self, Clients},
    store::{
        rows::{
            passcode,
            rate_limit::{self, Usage},
        },
        table::{Changed, Table, Update},
    },
};

/// Consumes a single-use passcode: of any number of concurrent requests, exactly one succeeds.
#[derive(Wire)]
pub struct Consume {
    pub clients: Clients,
    pub rate_limits: Table<Usage, Update>,
    pub passcodes: Table<Passcode, Update>,
    pub keys: Keys<Passcodes>,
    #[wire(passcode_policy)]
    pub policy: Policy,
}

impl Endpoint for Consume {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let client = auth::client(&self.clients, call, PASSCODE).await??;
        let ClientQuery { client_id: client } = ClientQuery::read(call, client, ConsumeForm::FIELDS)?;
        let ConsumeForm {
            passcode: given,
            purpose,
            username,
        } = ConsumeForm::read(call)?;
        let binding = Binding {
            client,
            username,
            purpose,
        };
        let shape = self.policy.shape(binding.purpose.as_str());
        if !shape.fits(given.expose()) {
            return Err(Error::Refused);
        }
        if shape.is_short() {
            // Count the guess before it is evaluated, so that concurrent guesses cannot exceed the rate limit.
            let act = call.hit();
            rate_limit::spend(&self.rate_limits, &self.policy.guesses, &binding.guesses_key(), &act)
                .await?
                .map_err(Error::RateLimited)?;
        }
        // During a key rotation there are two keys: the passcode's row depends on the key that created it.
        for key in self.keys.at(call.now).await.iter() {
            let handle = Handle::of(key, &binding, &given);
            let consume = || {
                let change = passcode::consume(&call.invocation, call.now);
                self.passcodes.update(&handle, change, call.now)
            };
            let changed = match consume().await {
                // It may have been consumed although every answer was lost: a retry shows by whom.
                Err(fault) if fault.is_transient() => consume().await.map_err(|_| fault),
                done => done,
            };
            let consumed = match changed? {
                Changed::Yes(passcode) => passcode,
                Changed::No(Some(passcode)) if passcode.was_used_by(&call.invocation) => passcode,
                Changed::No(_) => continue,
            };
            call.log_subject(format!("passcode:{}", consumed.id.as_str()));
            return Ok(broadleaf::consumed(&consumed.id).counted_as(Milestone::Verified));
        }
        Err(Error::Refused)
    }
}
