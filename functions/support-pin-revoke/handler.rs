use countersign_shared::{
    admission,
    domain::{id::UserId, support_pin::SupportPin, token::Token, user::User},
    http::{
        call::Call,
        gitlab::{self, Error, StoreFailed},
        reply::Answer,
        serve::Endpoint,
    },
    store::{
        rows::support_pin,
        table::{BatchGet, Changed, Table, Update},
    },
};

/// Revokes a user's support PIN, for an administrator.
pub struct Revoke {
    pub tokens: Table<Token, BatchGet>,
    pub users: Table<User, BatchGet>,
    pub pins: Table<SupportPin, Update>,
}

impl Endpoint for Revoke {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        self.revoke(call)
            .await
            .map_err(|error| error.said_as(StoreFailed::Revoke))
    }
}

impl Revoke {
    async fn revoke(&self, call: &Call) -> Result<Answer, Error> {
        let token = gitlab::token(call)?;
        let id = UserId::parse(call.path_parameter("id"));
        let caller = admission::person(&self.tokens, &self.users, call, token, gitlab::WRITE, id).await??;
        if let Some(id) = id {
            call.note_subject(format!("user:{}", id.text()));
        }
        let user = gitlab::administered(&caller.user, caller.named.as_ref())?;
        gitlab::expect_nothing(call)?;
        let change = support_pin::revoke(user, &call.invocation, call.now);
        match self.pins.update(&user.id, change, call.now).await? {
            Changed::Yes(_) => {}
            Changed::No(Some(pin)) if pin.was_revoked_by(&call.invocation) => {}
            Changed::No(_) => return Err(Error::NoPinToRevoke),
        }
        Ok(Answer::json(202, "pin_revoked", &gitlab::Empty {}))
    }
}
