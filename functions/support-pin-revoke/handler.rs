use countersign_shared::{
    domain::support_pin::SupportPin,
    http::{
        call::Call,
        dialects::gitlab::{self, Error, StoreFailed},
        reply::Answer,
        serve::Endpoint,
    },
    observe::Outcome,
    runtime::edge::Wire,
    services::{
        audit::AuditLog,
        auth::{self, Users},
    },
    store::{
        rows::support_pin,
        table::{Committed, Get, Table, Transaction, Update, settled},
    },
};

/// Revokes a user's support PIN, for an administrator.
#[derive(Wire)]
pub struct Revoke {
    pub users: Users,
    pub read: Table<SupportPin, Get>,
    pub pins: Table<SupportPin, Update>,
    pub audit: AuditLog,
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
        let mut transaction = Transaction::default();
        let change = support_pin::revoke(owner, &call.invocation, call.now);
        transaction.update(&self.pins, &owner.id(), change);
        self.audit.add(&mut transaction, call, Outcome::PinRevoked.of_owner(owner));
        let is_ours = async {
            let found = self.read.get(&owner.id(), call.now).await?;
            Ok(found.is_some_and(|found| found.was_revoked_by(&call.invocation)))
        };
        match settled(transaction.commit().await, is_ours).await? {
            Committed::Yes => Ok(gitlab::pin_revoked()),
            Committed::No(_) => Err(Error::NoPinToRevoke),
        }
    }
}
