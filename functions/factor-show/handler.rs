use countersign_shared::{
    domain::people::factor::Factor,
    http::{
        call::Call,
        dialects::mithril::{Error, FACTOR_READ, view::factor_answer},
        reply::Answer,
        serve::Endpoint,
    },
    observe::Outcome,
    runtime::edge::Wire,
    services::{
        auth::{self, Callers},
        factors,
    },
    store::table::{BatchGet, Table},
};

/// Returns one of a user's second factors, with its value masked.
#[derive(Wire)]
pub struct Show {
    pub callers: Callers,
    pub factors: Table<Factor, BatchGet>,
}

impl Endpoint for Show {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let admitted = auth::target_factors(&self.callers, &self.factors, call, FACTOR_READ).await??;
        let (caller, user, factors) = admitted;
        caller.require_self_or_admin_of(user)?;
        let factor = factors::of_id(call, factors).ok_or(Error::NotFound)?;
        Ok(factor_answer(call, Outcome::FactorShown, &factor))
    }
}
