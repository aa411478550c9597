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
        lockouts::{self, Lockouts},
    },
};

/// Unblocks a user, whatever the cause of the block: failures are reset, and revoked tokens stay revoked.
#[derive(Wire)]
pub struct Unblock {
    pub callers: Callers,
    pub lockouts: Lockouts,
}

impl Endpoint for Unblock {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let (caller, user) = auth::target_user(&self.callers, call, USER_UNBLOCK).await??;
        let user = caller.require_admin_of(user)?;
        read_nothing(call)?;
        let judge = |user: &User| user.lockout.unblocked(call.now);
        let changed = lockouts::change(&self.lockouts, call.into(), user, judge, Outcome::UserUnblocked).await?;
        let user = changed.ok_or(Error::UserAlreadyUnblocked)?;
        Ok(user_answer(call, Outcome::UserUnblocked, &user))
    }
}
