use countersign_shared::{
    domain::factor::Factor,
    http::{
        call::Call,
        mithril::{Error, FACTOR_WRITE, view::factor_answer},
        reply::Answer,
        serve::Endpoint,
    },
    observe::Outcome,
    runtime::edge::Wire,
    services::factors::Factors,
    store::rows,
};

/// Has logins ask for a second factor again.
#[derive(Wire)]
pub struct Enable {
    pub factors: Factors,
}

impl Endpoint for Enable {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let changed = self
            .factors
            .change(call, FACTOR_WRITE, rows::factor::enable, Error::AlreadyEnabled)
            .await?;
        let (_, factor) = changed;
        let factor = Factor {
            is_active: true,
            updated_at: call.now,
            ..factor
        };
        Ok(factor_answer(call, Outcome::FactorEnabled, &factor))
    }
}
