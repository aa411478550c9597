use countersign_shared::{
    admission::{self, Doors},
    delivery::{mail::Mailer, words::Message},
    domain::{client::Client, factor::Factor, suppression::Suppression, tenant::Domain, token::Token, user::User},
    http::{
        call::Call,
        mithril::{Error, FACTOR_RESET, body::read_nothing, view::factor_answer},
        reply::Answer,
        serve::Endpoint,
    },
    notices::Notices,
    store::{
        rows,
        table::{BatchGet, Committed, Table, Transaction, Update},
    },
};

/// Empties a second factor, and tells its owner: a new value is set at the next login.
pub struct Reset {
    pub tokens: Table<Token, BatchGet>,
    pub users: Table<User, BatchGet>,
    pub clients: Table<Client, BatchGet>,
    pub factors: Table<Factor, BatchGet>,
    pub change_factors: Table<Factor, Update>,
    pub domains: Table<Domain, BatchGet>,
    pub suppressions: Table<Suppression, BatchGet>,
    pub mailer: Mailer,
}

impl Endpoint for Reset {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let doors = Doors {
            tokens: &self.tokens,
            users: &self.users,
            clients: &self.clients,
        };
        let (caller, named) = admission::factor(doors, &self.factors, call, FACTOR_RESET).await??;
        let user = caller.act_upon(named.user)?;
        let factor = named.factor.ok_or(Error::NotFound)?;
        read_nothing(call)?;
        // A transaction of one write: its own repetition, after an answer that was lost, is told that it was made.
        let mut transaction = Transaction::default();
        let change = rows::factor::reset(&factor.id, call.now);
        transaction.update(&self.change_factors, &factor.owner(), change);
        match transaction.commit().await? {
            Committed::Yes => {}
            Committed::No(_) => return Err(Error::NotFound),
        }
        let factor = Factor {
            value: None,
            updated_at: call.now,
            ..factor
        };
        let notices = Notices {
            mailer: &self.mailer,
            domains: &self.domains,
            suppressions: &self.suppressions,
        };
        let message = Message::FactorReset { at: call.now };
        notices.tell(call, &user, &message, "factor_reset").await;
        Ok(factor_answer(call, "factor_reset", &factor))
    }
}
