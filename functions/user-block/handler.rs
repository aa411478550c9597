use countersign_shared::{
    domain::people::user::User,
    http::{
        call::Call,
        dialects::mithril::{Error, USER_BLOCK, body::read_block, view::user_answer},
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

/// Blocks a user and revokes all of their tokens.
#[derive(Wire)]
pub struct Block {
    pub callers: Callers,
    pub lockouts: Lockouts,
}

impl Endpoint for Block {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let (caller, user) = auth::target_user(&self.callers, call, USER_BLOCK).await??;
        let user = caller.require_admin_of(user)?;
        let replaces = read_block(call)?;
        let judge = |user: &User| match replaces {
            true => user.lockout.decided(call.now),
            false => user.lockout.blocked(call.now),
        };
        let changed =
            lockouts::change(&self.lockouts, call.into(), user, judge, Outcome::UserBlockedByDecision).await?;
        let user = changed.ok_or(Error::UserAlreadyBlocked)?;
        Ok(user_answer(call, Outcome::UserBlockedByDecision, &user))
    }
}
