use countersign_shared::{
    domain::people::factor::Factor,
    http::{
        call::Call,
        dialects::mithril::{Error, FACTOR_READ, body::read_factor_filter, view::factor_list},
        reply::Answer,
        serve::Endpoint,
    },
    observe::Outcome,
    runtime::edge::Wire,
    services::auth::{self, Callers},
    store::table::{BatchGet, Table},
};

/// Lists a user's second factors, with masked values.
#[derive(Wire)]
pub struct List {
    pub callers: Callers,
    pub factors: Table<Factor, BatchGet>,
}

impl Endpoint for List {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let admitted = auth::target_factors(&self.callers, &self.factors, call, FACTOR_READ).await??;
        let (caller, user, mut factors) = admitted;
        caller.require_self_or_admin_of(user)?;
        let filter = read_factor_filter(call)?;
        factors.retain(|factor| {
            filter.factor_type.is_none_or(|wanted| factor.factor_type() == wanted)
                && filter.is_active.is_none_or(|wanted| factor.is_active == wanted)
        });
        Ok(factor_list(call, Outcome::FactorsListed, &factors))
    }
}
