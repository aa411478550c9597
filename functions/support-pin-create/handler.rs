use countersign_shared::{
    domain::{
        crypto::key::SupportPins,
        people::user::User,
        support_pin::{Owner, Policy, SupportPin},
    },
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
    store::{
        retry::optimistic,
        rows,
        table::{Check, Committed, Put, Table, Transaction},
    },
};
use rand::rngs::SysRng;

/// Retries after a concurrent change of the caller.
const TRIES: u32 = 3;

/// Creates a support PIN for the signed-in user, replacing an earlier one.
#[derive(Wire)]
pub struct Create {
    pub users: Users,
    pub depend_on_users: Table<User, Check>,
    pub pins: Table<SupportPin, Put>,
    pub keys: Keys<SupportPins>,
    #[wire(support_pin_policy)]
    pub policy: Policy,
    pub audit: AuditLog,
}

impl Endpoint for Create {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        self.create(call).await.map_err(|error| error.said_as(StoreFailed::Create))
    }
}

impl Create {
    async fn create(&self, call: &Call) -> Result<Answer, Error> {
        let token = gitlab::token(call)?;
        optimistic(TRIES, "the user", async || {
            let caller =
                gitlab::in_own_name(call, auth::pin_caller(&self.users, call, token, gitlab::WRITE, None).await?)?;
            gitlab::expect_nothing(call)?;
            self.issue(call, &caller.own).await
        })
        .await
    }

    /// `None` when the user's tokens have been revoked since the user was read: the new PIN would have been revoked
    /// with them.
    async fn issue(&self, call: &Call, owner: &Owner) -> Result<Option<Answer>, Error> {
        let keys = self.keys.at(call.now).await;
        let (pin, digits) = SupportPin::issue(&self.policy, owner, &keys, &mut SysRng, call.now)?;
        let mut transaction = Transaction::default();
        transaction.put(&self.pins, &pin);
        match owner {
            Owner::Ours(user) => {
                transaction.check(&self.depend_on_users, &user.id, rows::user::is_there(user));
            }
            Owner::Provided(_) => {}
        }
        self.audit.add(&mut transaction, call, Outcome::PinCreated.of_owner(owner));
        Ok(match transaction.commit().await? {
            Committed::Yes => Some(gitlab::pin_created(&digits, pin.expires_at).counted_as(Milestone::Issued)),
            Committed::No(_) => None,
        })
    }
}
