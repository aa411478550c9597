use countersign_shared::{
    domain::{crypto::key::SupportPins, support_pin::SupportPin},
    http::{
        call::Call,
        dialects::gitlab::{self, Error},
        reply::Answer,
        serve::Endpoint,
    },
    runtime::{edge::Wire, keys::Keys},
    services::auth::{self, Users},
    store::table::{Get, Table},
};

/// Returns the signed-in user's own support PIN. Reading does not consume it.
#[derive(Wire)]
pub struct Show {
    pub users: Users,
    pub pins: Table<SupportPin, Get>,
    pub keys: Keys<SupportPins>,
}

impl Endpoint for Show {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let token = gitlab::token(call)?;
        let caller = gitlab::in_own_name(call, auth::pin_caller(&self.users, call, token, gitlab::READ, None).await?)?;
        gitlab::expect_nothing(call)?;
        let pin = self.pins.get(&caller.own.id(), call.now).await?.ok_or(Error::NoPin)?;
        let digits = pin.open(&caller.own, &self.keys.at(call.now).await, call.now)?.ok_or(Error::NoPin)?;
        Ok(gitlab::pin_read(&digits, pin.expires_at))
    }
}
