use countersign_shared::{
    domain::{crypto::key::Answers, idempotency::Storage},
    http::{
        call::Call,
        dialects::verify::{Error, Urls, expect_features, read_start, started},
        reply::Answer,
        serve::Endpoint,
    },
    runtime::{edge::Wire, keys::Keys},
    services::{
        idempotency::{self, Caller, Idempotency, Once, Owners},
        verification_sender::VerificationSender,
        verify_accounts,
    },
};

/// Starts a verification of a number or an address, or sends the code of the pending one again.
#[derive(Wire)]
pub struct Start {
    pub idempotency: Idempotency,
    pub answers: Keys<Answers>,
    pub sender: VerificationSender,
    #[wire(public_url)]
    pub public_url: Option<String>,
}

impl Endpoint for Start {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        if call.idempotency_key()?.is_some() {
            // A stored response has no owner whose end would end it: it is replayed to an application that exists.
            verify_accounts::account(&self.sender.reader.accounts.applications, call, |_| {}).await??;
        }
        let answer = async |_: &Once<'_>| self.start(call).await;
        let caller = Caller {
            // The path is part of the request.
            function: "verification-start",
            credential: &format!("{} {}", call.path, call.header("authorization").unwrap_or_default()),
        };
        let answers = self.answers.at(call.now).await;
        let storage = Storage::Encrypted(&answers);
        idempotency::run_once(&self.idempotency, Owners::Public, storage, call, caller, answer).await
    }
}

impl Start {
    async fn start(&self, call: &Call) -> Result<Answer, Error> {
        let read = read_start(call);
        let opened = self.sender.open(call, read.as_ref().ok()).await??;
        let start = read?;
        expect_features(&opened.service, &start)?;
        let shown = self.sender.start(call, &opened, &start).await?;
        Ok(started(&Urls::of(self.public_url.as_deref(), call), &opened.service, &shown))
    }
}
