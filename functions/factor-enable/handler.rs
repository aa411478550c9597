use countersign_shared::{
    domain::people::factor::Factor,
    http::{
        call::Call,
        dialects::mithril::{Error, FACTOR_WRITE, body::read_nothing, view::factor_answer},
        reply::Answer,
        serve::Endpoint,
    },
    observe::Outcome,
    runtime::edge::Wire,
    services::factors::Factors,
    store::rows,
};

/// Enables a second factor, so that logins require it again.
#[derive(Wire)]
pub struct Enable {
    pub factors: Factors,
}

impl Endpoint for Enable {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let (user, found, _) = self.factors.find::<Error>(call, FACTOR_WRITE).await?;
        let factor = found.ok_or(Error::NotFound)?;
        read_nothing(call)?;
        let act = Outcome::FactorEnabled.of_user(&user);
        if !self.factors.change(call, &factor, rows::factor::enable, act).await? {
            return Err(Error::AlreadyEnabled);
        }
        let factor = Factor {
            is_active: true,
            updated_at: call.now,
            ..factor
        };
        Ok(factor_answer(call, Outcome::FactorEnabled, &factor))
    }
}
