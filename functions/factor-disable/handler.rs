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
    services::factors::{self, Factors},
    store::rows,
};

/// Disables a second factor, so that logins no longer require it, and notifies its owner.
#[derive(Wire)]
pub struct Disable {
    pub factors: Factors,
}

impl Endpoint for Disable {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let (user, found, factors) = self.factors.find::<Error>(call, FACTOR_WRITE).await?;
        let factor = found.ok_or(Error::NotFound)?;
        read_nothing(call)?;
        let disabled = Factor {
            is_active: false,
            updated_at: call.now,
            ..factor.clone()
        };
        let notice = factors::removal_notice(&disabled, &factors.with(&disabled));
        let act = Outcome::FactorDisabled.of_user(&user).with_notice(notice);
        if !self.factors.change(call, &factor, rows::factor::disable, act).await? {
            return Err(Error::AlreadyDisabled);
        }
        Ok(factor_answer(call, Outcome::FactorDisabled, &disabled))
    }
}
