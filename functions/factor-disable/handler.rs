use countersign_shared::{
    admission::{self, Doors},
    delivery::{mail::Mailer, words::Message},
    domain::{client::Client, factor::Factor, suppression::Suppression, tenant::Domain, token::Token, user::User},
    http::{
        call::Call,
        mithril::{Error, FACTOR_WRITE, body::read_nothing, view::factor_answer},
        reply::Answer,
        serve::Endpoint,
    },
    notices::Notices,
    store::{
        rows,
        table::{BatchGet, Committed, Table, Transaction, Update},
    },
};

/// Has logins not ask for a second factor any more, and tells its owner.
pub struct Disable {
    pub tokens: Table<Token, BatchGet>,
    pub users: Table<User, BatchGet>,
    pub clients: Table<Client, BatchGet>,
    pub factors: Table<Factor, BatchGet>,
    pub change_factors: Table<Factor, Update>,
    pub domains: Table<Domain, BatchGet>,
    pub suppressions: Table<Suppression, BatchGet>,
    pub mailer: Mailer,
}

impl Endpoint for Disable {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let doors = Doors {
            tokens: &self.tokens,
            users: &self.users,
            clients: &self.clients,
        };
        let (caller, named) = admission::factor(doors, &self.factors, call, FACTOR_WRITE).await??;
        let user = caller.act_upon(named.user)?;
        let factor = named.factor.ok_or(Error::NotFound)?;
        read_nothing(call)?;
        // A transaction of one write: its own repetition, after an answer that was lost, is told that it was made.
        let mut transaction = Transaction::default();
        let change = rows::factor::disable(&factor.id, call.now);
        transaction.update(&self.change_factors, &factor.owner(), change);
        match transaction.commit().await? {
            Committed::Yes => {}
            Committed::No(_) => return Err(Error::AlreadyDisabled),
        }
        let factor = Factor {
            is_active: false,
            updated_at: call.now,
            ..factor
        };
        let notices = Notices {
            mailer: &self.mailer,
            domains: &self.domains,
            suppressions: &self.suppressions,
        };
        let message = Message::FactorDisabled { at: call.now };
        notices.tell(call, &user, &message, "factor_disabled").await;
        Ok(factor_answer(call, "factor_disabled", &factor))
    }
}
