use countersign_shared::{
    admission::{self, Doors},
    domain::{client::Client, factor::Factor, token::Token, user::User},
    http::{
        call::Call,
        mithril::{Error, FACTOR_WRITE, body::read_nothing, view::factor_answer},
        reply::Answer,
        serve::Endpoint,
    },
    store::{
        rows,
        table::{BatchGet, Committed, Table, Transaction, Update},
    },
};

/// Has logins ask for a second factor again.
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
        let doors = Doors {
            tokens: &self.tokens,
            users: &self.users,
            clients: &self.clients,
        };
        let (caller, named) = admission::factor(doors, &self.factors, call, FACTOR_WRITE).await??;
        caller.act_upon(named.user)?;
        let factor = named.factor.ok_or(Error::NotFound)?;
        read_nothing(call)?;
        // A transaction of one write: its own repetition, after an answer that was lost, is told that it was made.
        let mut transaction = Transaction::default();
        let change = rows::factor::enable(&factor.id, call.now);
        transaction.update(&self.change_factors, &factor.owner(), change);
        match transaction.commit().await? {
            Committed::Yes => {}
            Committed::No(_) => return Err(Error::AlreadyEnabled),
        }
        let factor = Factor {
            is_active: true,
            updated_at: call.now,
            ..factor
        };
        Ok(factor_answer(call, "factor_enabled", &factor))
    }
}
