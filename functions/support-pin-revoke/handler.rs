use countersign_shared::{
    admission::{self, People},
    domain::{provider::Provider, support_pin::SupportPin, token::Token, user::User},
    edge::Wire,
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
#[derive(Wire)]
pub struct Revoke {
    pub tokens: Table<Token, BatchGet>,
    pub users: Table<User, BatchGet>,
    pub pins: Table<SupportPin, Update>,
    #[wire(identity_provider)]
    pub provider: Option<Provider>,
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
        let people = People {
            provider: self.provider.as_ref(),
            tokens: &self.tokens,
            users: &self.users,
        };
        let token = gitlab::token(call)?;
        let named = Some(call.path_parameter("id"));
        let caller = gitlab::in_own_name(
            call,
            admission::holder(people, call, token, gitlab::WRITE, named).await?,
        )?;
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
