use countersign_shared::{
    http::{
        call::Call,
        dialects::verify::{Error, checked, read_check},
        reply::Answer,
        serve::Endpoint,
    },
    observe::{Milestone, Outcome},
    runtime::edge::Wire,
    services::verifications::{Checked, VerificationChecker},
};

/// Compares a code with a verification, which the right one approves.
#[derive(Wire)]
pub struct Check {
    pub checker: VerificationChecker,
}

impl Endpoint for Check {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let read = read_check(call);
        let name = read.as_ref().ok().map(|guess| &guess.name);
        let opened = self.checker.reader.open(call, name, |_| {}).await??;
        let guess = read?;
        match self.checker.check(call, &opened, &guess).await? {
            Checked::NotFound => Err(Error::NotFound),
            Checked::Limited(limited) => Err(Error::MaxCheckAttempts(limited)),
            Checked::Wrong(shown) => Ok(checked(Outcome::VerificationWrongCode, &opened.service, &shown)),
            Checked::Right(shown) => {
                let answer = checked(Outcome::VerificationApproved, &opened.service, &shown);
                Ok(answer.counted_as(Milestone::Verified))
            }
        }
    }
}
