use countersign_shared::{
    admission::Doors,
    delivery::{mail::Mailer, words::Message},
    domain::{client::Client, factor::Factor, suppression::Suppression, tenant::Domain, token::Token, user::User},
    edge::Wire,
    factors::Factors,
    http::{
        call::Call,
        mithril::{Error, FACTOR_WRITE, view::factor_answer},
        reply::Answer,
        serve::Endpoint,
    },
    notices::Notices,
    observe::Outcome,
    store::{
        rows,
        table::{BatchGet, Table, Update},
    },
};

/// Has logins not ask for a second factor any more, and tells its owner.
#[derive(Wire)]
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
            .change(call, FACTOR_WRITE, rows::factor::disable, Error::AlreadyDisabled)
            .await?;
        let (user, factor) = changed;
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
        Ok(factor_answer(call, Outcome::FactorDisabled, &factor))
    }
}
