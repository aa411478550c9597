use countersign_shared::{
    admission::{self, Doors},
    domain::{client::Client, factor::Factor, token::Token, user::User},
    edge::Wire,
    http::{
        call::Call,
        mithril::{Error, FACTOR_READ, body::read_factor_filter, view::factor_list},
        reply::Answer,
        serve::Endpoint,
    },
    observe::Outcome,
    store::table::{BatchGet, Table},
};

/// Shows a user's second factors, their values masked.
#[derive(Wire)]
pub struct List {
    pub tokens: Table<Token, BatchGet>,
    pub users: Table<User, BatchGet>,
    pub clients: Table<Client, BatchGet>,
    pub factors: Table<Factor, BatchGet>,
}

impl Endpoint for List {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let doors = Doors {
            tokens: &self.tokens,
            users: &self.users,
            clients: &self.clients,
        };
        let admitted = admission::upon_factors(doors, &self.factors, call, FACTOR_READ).await??;
        let (caller, user, mut factors) = admitted;
        caller.look_after(user)?;
        let filter = read_factor_filter(call)?;
        factors.retain(|factor| {
            filter.factor_type.is_none_or(|wanted| factor.factor_type == wanted)
                && filter.is_active.is_none_or(|wanted| factor.is_active == wanted)
        });
        Ok(factor_list(call, Outcome::FactorsListed, &factors))
    }
}
