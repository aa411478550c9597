use countersign_shared::{
    admission::{self, People},
    domain::{key::SupportPins, provider::Provider, support_pin::SupportPin, token::Token, user::User},
    edge::Wire,
    http::{
        call::Call,
        gitlab::{self, Error},
        reply::Answer,
        serve::Endpoint,
    },
    keys::Keys,
    store::table::{BatchGet, Get, Table},
};

/// Shows the signed-in user's own support PIN. Reading does not use it up.
#[derive(Wire)]
pub struct Show {
    pub tokens: Table<Token, BatchGet>,
    pub users: Table<User, BatchGet>,
    pub pins: Table<SupportPin, Get>,
    pub keys: Keys<SupportPins>,
    #[wire(identity_provider)]
    pub provider: Option<Provider>,
}

impl Endpoint for Show {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let token = gitlab::token(call)?;
        let people = People {
            provider: self.provider.as_ref(),
            tokens: &self.tokens,
            users: &self.users,
        };
        let caller = gitlab::in_own_name(call, admission::holder(people, call, token, gitlab::READ, None).await?)?;
        gitlab::expect_nothing(call)?;
        let pin = self.pins.get(&caller.own.id(), call.now).await?.ok_or(Error::NoPin)?;
        let digits = pin
            .open(&caller.own, &self.keys.at(call.now).await, call.now)?
            .ok_or(Error::NoPin)?;
        Ok(gitlab::pin_read(&digits, pin.expires_at))
    }
}
