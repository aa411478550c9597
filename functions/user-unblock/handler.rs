use countersign_shared::{
    domain::people::user::User,
    http::{
        call::Call,
        dialects::mithril::{Error, USER_UNBLOCK, body::read_nothing, view::user_answer},
        reply::Answer,
        serve::Endpoint,
    },
    observe::Outcome,
    runtime::edge::Wire,
    services::{
        auth::{self, Callers},
        lockouts,
    },
    store::table::{Table, Update},
};

/// Unblocks a user, whatever the cause of the block: failures are reset, and revoked tokens stay revoked.
#[derive(Wire)]
pub struct Unblock {
    pub callers: Callers,
    pub change_users: Table<User, Update>,
}

impl Endpoint for Unblock {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let (caller, user) = auth::target_user(&self.callers, call, USER_UNBLOCK).await??;
        let user = caller.require_admin_of(user)?;
        read_nothing(call)?;
        let judge = |user: &User| user.lockout.unblocked(call.now);
        let changed = lockouts::change(&self.change_users, user, judge, &call.invocation, call.now).await?;
        let user = changed.ok_or(Error::UserAlreadyUnblocked)?;
        Ok(user_answer(call, Outcome::UserUnblocked, &user))
    }
}
