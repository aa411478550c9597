use countersign_shared::{
    admission::{self, People},
    domain::{key::SupportPins, provider::Provider, support_pin::SupportPin, token::Token, user::User},
    edge::Wire,
    http::{
        call::Call,
        gitlab::{self, Error, StoreFailed},
        reply::Answer,
        serve::Endpoint,
    },
    keys::Keys,
    observe::{Outcome, Step},
    store::table::{BatchGet, Get, Table},
    trail::Trail,
};

/// Shows a user's support PIN to an administrator, by the user's id: there is no way from a PIN to a user. What could not be
/// written down before is not shown.
#[derive(Wire)]
pub struct ShowUser {
    pub tokens: Table<Token, BatchGet>,
    pub users: Table<User, BatchGet>,
    pub pins: Table<SupportPin, Get>,
    pub keys: Keys<SupportPins>,
    pub trail: Trail,
    #[wire(identity_provider)]
    pub provider: Option<Provider>,
}

impl Endpoint for ShowUser {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        self.show(call).await.map_err(|error| error.said_as(StoreFailed::Show))
    }
}

impl ShowUser {
    async fn show(&self, call: &Call) -> Result<Answer, Error> {
        let people = People {
            provider: self.provider.as_ref(),
            tokens: &self.tokens,
            users: &self.users,
        };
        let token = gitlab::token(call)?;
        let named = Some(call.path_parameter("id"));
        let caller = gitlab::in_own_name(call, admission::holder(people, call, token, gitlab::READ, named).await?)?;
        let owner = gitlab::administered(&caller)?;
        gitlab::expect_nothing(call)?;
        let pin = self.pins.get(&owner.id(), call.now).await?.ok_or(Error::NoPin)?;
        let digits = pin
            .open(owner, &self.keys.at(call.now).await, call.now)?
            .ok_or(Error::NoPin)?;
        let noted = self.trail.before(call, Outcome::PinRead).await;
        noted.map_err(Error::NotRecorded)?;
        Ok(gitlab::pin_read(&digits, pin.expires_at).as_step(Step::Verified))
    }
}
