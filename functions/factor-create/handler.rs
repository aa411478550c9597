use countersign_shared::{
    domain::people::{factor::Factor, user::User},
    fault::Fault,
    http::{
        call::Call,
        dialects::mithril::{Error, FACTOR_WRITE, body::read_factor_type, view::factor_made},
        reply::Answer,
        serve::Endpoint,
    },
    observe::Outcome,
    runtime::edge::Wire,
    services::{
        audit::AuditLog,
        auth::{self, Callers},
    },
    store::{
        retry::optimistic,
        rows,
        table::{Check, Committed, Put, Table, Transaction},
    },
};
use rand::rngs::SysRng;

/// Retries after a concurrent change of the user.
const TRIES: u32 = 3;

/// Creates a second factor without a value for a user, who sets it at the next login.
#[derive(Wire)]
pub struct Create {
    pub callers: Callers,
    pub depend_on_users: Table<User, Check>,
    pub factors: Table<Factor, Put>,
    pub audit: AuditLog,
}

impl Endpoint for Create {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        optimistic(TRIES, "the user", async || {
            let (caller, user) = auth::target_user(&self.callers, call, FACTOR_WRITE).await??;
            let user = caller.require_self_or_admin_of(user)?;
            let factor_type = read_factor_type(call)?;
            if user.lockout.active_block(call.now).is_some() {
                return Err(Error::OwnerBlocked);
            }
            let factor = Factor::new(user.id, factor_type, &mut SysRng, call.now).map_err(Fault::from)?;
            let mut transaction = Transaction::default();
            transaction.put_new(&self.factors, &factor, call.now);
            let owner = transaction.check(&self.depend_on_users, &user.id, rows::user::is_there(&user));
            self.audit.add(&mut transaction, call, Outcome::FactorCreated.of_user(&user));
            match transaction.commit().await? {
                Committed::Yes => Ok(Some(factor_made(call, Outcome::FactorCreated, &factor, &user))),
                Committed::No(steps) if steps.contains(&owner) => Ok(None),
                Committed::No(_) => Err(Error::FactorExists),
            }
        })
        .await
    }
}
