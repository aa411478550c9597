use countersign_shared::{
    admission::Doors,
    domain::{client::Client, factor::Factor, token::Token, user::User},
    edge::Wire,
    factors::Factors,
    http::{
        call::Call,
        mithril::{Error, FACTOR_WRITE, view::factor_answer},
        reply::Answer,
        serve::Endpoint,
    },
    observe::Outcome,
    store::{
        rows,
        table::{BatchGet, Table, Update},
    },
};

/// Has logins ask for a second factor again.
#[derive(Wire)]
pub struct Enable {
    pub tokens: Table<Token, BatchGet>,
    pub users: Table<User, BatchGet>,
    pub clients: Table<Client, BatchGet>,
    pub factors: Table<Factor, BatchGet>,
    pub change_factors: Table<Factor, Update>,
}

impl Endpoint for Enable {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let factors = Factors {
            doors: Doors {
                tokens: &self.tokens,
                users: &self.users,
                clients: &self.clients,
            },
            factors: &self.factors,
            change_factors: &self.change_factors,
        };
        let changed = factors
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
