use countersign_shared::{
    domain::verification::record::Status,
    http::{
        call::Call,
        dialects::verify::{Error, Urls, named, read_status, shown},
        reply::Answer,
        serve::Endpoint,
    },
    observe::Outcome,
    runtime::edge::Wire,
    services::verifications::VerificationChecker,
};

/// Cancels a verification, or approves it without its code.
#[derive(Wire)]
pub struct Update {
    pub checker: VerificationChecker,
    #[wire(public_url)]
    pub public_url: Option<String>,
}

impl Endpoint for Update {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let name = named(call);
        let opened = self.checker.reader.open(call, name.as_ref().ok(), |_| {}).await??;
        let (name, status) = (name?, read_status(call)?);
        let closed = self.checker.close(call, &opened, &name, status).await?.ok_or(Error::NotFound)?;
        let outcome = match status {
            Status::Approved => Outcome::VerificationApproved,
            Status::Canceled | Status::Pending | Status::MaxAttemptsReached => Outcome::VerificationCanceled,
        };
        let urls = Urls::of(self.public_url.as_deref(), call);
        Ok(shown(outcome, &urls, &opened.service, &closed))
    }
}
