use countersign_shared::{
    domain::people::factor::Value,
    http::{
        call::Call,
        dialects::mithril::{Error, FACTOR_RESET, body::read_nothing, view::factor_answer},
        reply::Answer,
        serve::Endpoint,
    },
    observe::Outcome,
    runtime::edge::Wire,
    services::factors::{self, Factors},
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
        let (user, found, factors) = self.factors.find::<Error>(call, FACTOR_RESET).await?;
        let factor = found.ok_or(Error::NotFound)?;
        read_nothing(call)?;
        // A repetition changes nothing, and causes no other notice.
        if factor.is_active && !factor.is_set() {
            return Ok(factor_answer(call, Outcome::FactorReset, &factor));
        }
        let reset = factor.clone().with(Value::none(factor.factor_type()), call.now);
        let notice = factors::removal_notice(&reset, &factors.with(&reset));
        let act = Outcome::FactorReset.of_user(&user).with_notice(notice);
        if !self.factors.change(call, &factor, rows::factor::reset, act).await? {
            return Err(Error::NotFound);
        }
        Ok(factor_answer(call, Outcome::FactorReset, &reset))
    }
}
