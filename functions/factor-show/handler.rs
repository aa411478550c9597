use countersign_shared::{
    admission::{self, Doors},
    domain::{client::Client, factor::Factor, token::Token, user::User},
    edge::Wire,
    factors,
    http::{
        call::Call,
        mithril::{Error, FACTOR_READ, view::factor_answer},
        reply::Answer,
        serve::Endpoint,
    },
    observe::Outcome,
    store::table::{BatchGet, Table},
};

/// Shows one of a user's second factors, its value masked.
#[derive(Wire)]
pub struct Show {
    pub tokens: Table<Token, BatchGet>,
    pub users: Table<User, BatchGet>,
    pub clients: Table<Client, BatchGet>,
    pub factors: Table<Factor, BatchGet>,
}

impl Endpoint for Show {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let doors = Doors {
            tokens: &self.tokens,
            users: &self.users,
            clients: &self.clients,
        };
        let admitted = admission::upon_factors(doors, &self.factors, call, FACTOR_READ).await??;
        let (caller, user, factors) = admitted;
        caller.look_after(user)?;
        Ok(factor_answer(
            call,
            Outcome::FactorShown,
            &factors::of_id(call, factors)?,
        ))
    }
}
