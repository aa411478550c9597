use countersign_shared::{
    domain::{crypto::key::SupportPins, support_pin::SupportPin},
    http::{
        call::Call,
        dialects::gitlab::{self, Error, StoreFailed},
        reply::Answer,
        serve::Endpoint,
    },
    observe::{Milestone, Outcome},
    runtime::{edge::Wire, keys::Keys},
    services::{
        audit::AuditLog,
        auth::{self, Users},
    },
    store::table::{Get, Table},
};

/// Returns a user's support PIN to an administrator, by the user's id: a PIN does not lead to a user. A disclosure that
/// cannot be recorded in the audit log first is refused.
#[derive(Wire)]
pub struct ShowUser {
    pub users: Users,
    pub pins: Table<SupportPin, Get>,
    pub keys: Keys<SupportPins>,
    pub audit: AuditLog,
}

impl Endpoint for ShowUser {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        self.show(call).await.map_err(|error| error.said_as(StoreFailed::Show))
    }
}

impl ShowUser {
    async fn show(&self, call: &Call) -> Result<Answer, Error> {
        let token = gitlab::token(call)?;
        let named = Some(call.path_parameter("id"));
        let caller = gitlab::in_own_name(call, auth::pin_caller(&self.users, call, token, gitlab::READ, named).await?)?;
        let owner = gitlab::administered(&caller)?;
        gitlab::expect_nothing(call)?;
        let pin = self.pins.get(&owner.id(), call.now).await?.ok_or(Error::NoPin)?;
        let digits = pin.open(owner, &self.keys.at(call.now).await, call.now)?.ok_or(Error::NoPin)?;
        self.audit.before(call, Outcome::PinRead.of_owner(owner)).await.map_err(Error::NotRecorded)?;
        Ok(gitlab::pin_read(&digits, pin.expires_at).counted_as(Milestone::Verified))
    }
}
