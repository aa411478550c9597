use countersign_shared::{
    domain::{audit::Notice, people::factor::Factor},
    http::{
        call::Call,
        dialects::mithril::{Error, FACTOR_RESET, body::read_nothing, view::factor_answer},
        reply::Answer,
        serve::Endpoint,
    },
    observe::Outcome,
    runtime::edge::Wire,
    services::factors::Factors,
    store::rows,
};

/// Removes the value of a second factor, and notifies its owner, who sets a new one at the next login.
#[derive(Wire)]
pub struct Reset {
    pub factors: Factors,
}

impl Endpoint for Reset {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let (user, found) = self.factors.find::<Error>(call, FACTOR_RESET).await?;
        let factor = found.ok_or(Error::NotFound)?;
        read_nothing(call)?;
        // A repetition changes nothing, and causes no other notice.
        if factor.is_active && factor.value.is_none() {
            return Ok(factor_answer(call, Outcome::FactorReset, &factor));
        }
        let act = Outcome::FactorReset.of_user(&user).with_notice(Notice::FactorReset);
        if !self.factors.change(call, &factor, rows::factor::reset, act).await? {
            return Err(Error::NotFound);
        }
        let factor = Factor {
            value: None,
            phone_set_at: None,
            by_operator: false,
            updated_at: call.now,
            ..factor
        };
        Ok(factor_answer(call, Outcome::FactorReset, &factor))
    }
}
