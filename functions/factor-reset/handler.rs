use countersign_shared::{
    delivery::words::Message,
    domain::people::factor::Factor,
    http::{
        call::Call,
        dialects::mithril::{Error, FACTOR_RESET, body::read_nothing, view::factor_answer},
        reply::Answer,
        serve::Endpoint,
    },
    observe::Outcome,
    runtime::edge::Wire,
    services::{factors::Factors, notices::Notices},
    store::rows,
};

/// Removes the value of a second factor, and notifies its owner, who sets a new one at the next login.
#[derive(Wire)]
pub struct Reset {
    pub factors: Factors,
    pub notices: Notices,
}

impl Endpoint for Reset {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let (user, found) = self.factors.find::<Error>(call, FACTOR_RESET).await?;
        let factor = found.ok_or(Error::NotFound)?;
        read_nothing(call)?;
        if !self.factors.change(call, &factor, rows::factor::reset).await? {
            return Err(Error::NotFound);
        }
        let factor = Factor {
            value: None,
            phone_set_at: None,
            by_operator: false,
            updated_at: call.now,
            ..factor
        };
        let message = Message::FactorReset { at: call.now };
        self.notices.notify(call, &user, &message, "factor_reset").await;
        Ok(factor_answer(call, Outcome::FactorReset, &factor))
    }
}
