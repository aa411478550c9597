use countersign_shared::{
    delivery::words::Message,
    domain::people::factor::Factor,
    http::{
        call::Call,
        dialects::mithril::{Error, FACTOR_WRITE, body::read_nothing, view::factor_answer},
        reply::Answer,
        serve::Endpoint,
    },
    observe::Outcome,
    runtime::edge::Wire,
    services::{factors::Factors, notices::Notices},
    store::rows,
};

/// Disables a second factor, so that logins no longer require it, and notifies its owner.
#[derive(Wire)]
pub struct Disable {
    pub factors: Factors,
    pub notices: Notices,
}

impl Endpoint for Disable {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let (user, found) = self.factors.find::<Error>(call, FACTOR_WRITE).await?;
        let factor = found.ok_or(Error::NotFound)?;
        read_nothing(call)?;
        if !self.factors.change(call, &factor, rows::factor::disable).await? {
            return Err(Error::AlreadyDisabled);
        }
        let factor = Factor {
            is_active: false,
            updated_at: call.now,
            ..factor
        };
        let message = Message::FactorDisabled { at: call.now };
        self.notices.notify(call, &user, &message, "factor_disabled").await;
        Ok(factor_answer(call, Outcome::FactorDisabled, &factor))
    }
}
