use countersign_shared::{
    admission::{self, Doors},
    domain::{client::Client, token::Token, user::User},
    edge::Wire,
    http::{
        call::Call,
        mithril::{Error, USER_UNBLOCK, body::read_nothing, view::user_answer},
        reply::Answer,
        serve::Endpoint,
    },
    lockouts,
    observe::Outcome,
    store::table::{BatchGet, Table, Update},
};

/// Lifts a block, whoever made it: what had failed does not count any more, and what had ended does not come back.
#[derive(Wire)]
pub struct Unblock {
    pub tokens: Table<Token, BatchGet>,
    pub users: Table<User, BatchGet>,
    pub clients: Table<Client, BatchGet>,
    pub change_users: Table<User, Update>,
}

impl Endpoint for Unblock {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let doors = Doors {
            tokens: &self.tokens,
            users: &self.users,
            clients: &self.clients,
        };
        let (caller, user) = admission::upon_user(doors, call, USER_UNBLOCK).await??;
        let user = caller.act_upon(user)?;
        read_nothing(call)?;
        let judge = |user: &User| user.lockout.lifted(call.now);
        let changed = lockouts::change(&self.change_users, user, judge, &call.invocation, call.now).await?;
        let user = changed.ok_or(Error::UserAlreadyUnblocked)?;
        Ok(user_answer(call, Outcome::UserUnblocked, &user))
    }
}
