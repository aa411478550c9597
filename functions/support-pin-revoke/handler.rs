use countersign_shared::{
    domain::support_pin::SupportPin,
    http::{
        call::Call,
        dialects::gitlab::{self, Error, StoreFailed},
        reply::Answer,
        serve::Endpoint,
    },
    runtime::edge::Wire,
    services::auth::{self, Users},
    store::{
        rows::support_pin,
        table::{Changed, Table, Update},
    },
};

/// Revokes a user's support PIN, for an administrator.
#[derive(Wire)]
pub struct Revoke {
    pub users: Users,
    pub pins: Table<SupportPin, Update>,
}

impl Endpoint for Revoke {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        self.revoke(call).await.map_err(|error| error.said_as(StoreFailed::Revoke))
    }
}

impl Revoke {
    async fn revoke(&self, call: &Call) -> Result<Answer, Error> {
        let token = gitlab::token(call)?;
        let named = Some(call.path_parameter("id"));
        let caller =
            gitlab::in_own_name(call, auth::pin_caller(&self.users, call, token, gitlab::WRITE, named).await?)?;
        let owner = gitlab::administered(&caller)?;
        gitlab::expect_nothing(call)?;
        let change = support_pin::revoke(owner, &call.invocation, call.now);
        match self.pins.update(&owner.id(), change, call.now).await? {
            Changed::Yes(_) => {}
            Changed::No(Some(pin)) if pin.was_revoked_by(&call.invocation) => {}
            Changed::No(_) => return Err(Error::NoPinToRevoke),
        }
        Ok(gitlab::pin_revoked())
    }
}
