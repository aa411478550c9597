//! Floor 2: blocking and unblocking a user: exactly one of any number of concurrent requests does it.

use crate::{
    domain::{auth::lockout::Lockout, people::user::User},
    fault::Fault,
    observe::Outcome,
    runtime::edge::Wire,
    services::audit::{AuditLog, Cause},
    store::{
        retry::optimistic,
        rows,
        table::{Committed, Get, Table, Transaction, Update, settled},
    },
};

/// Retries after a concurrent change of the user.
const ROUNDS: u32 = 16;

/// Changes users' lockouts.
#[derive(Debug, Wire)]
pub struct Lockouts {
    /// Reads a user again after a concurrent change.
    pub read: Table<User, Get>,
    /// Changes users.
    pub users: Table<User, Update>,
    /// Records the change.
    pub audit: AuditLog,
}

/// Changes a user's lockout with optimistic locking: the change is computed from the user that was read, and again
/// after a concurrent change. `None` when nothing needs to change.
///
/// # Errors
/// [`Fault`] when the store fails, or after too many concurrent changes.
pub async fn change(
    lockouts: &Lockouts,
    cause: Cause<'_>,
    read: User,
    judge: impl Fn(&User) -> Option<Lockout>,
    what: Outcome,
) -> Result<Option<User>, Fault> {
    let id = read.id;
    let mut read = Some(read);
    optimistic(ROUNDS, "the user", async || {
        let found = match read.take() {
            Some(user) => Some(user),
            None => lockouts.read.get(&id, cause.at).await?,
        };
        let user = found.ok_or_else(|| Fault::Contended("the user is gone".into()))?;
        let Some(next) = judge(&user) else {
            return Ok(Some(None));
        };
        let mut transaction = Transaction::default();
        let change = rows::user::set_lockout(&user, &next, cause.invocation, cause.at);
        transaction.update(&lockouts.users, &id, change);
        lockouts.audit.add(&mut transaction, cause, what.of_user(&user));
        let is_ours = async {
            let found = lockouts.read.get(&id, cause.at).await?;
            Ok(found.is_some_and(|found| found.changed_by == cause.invocation))
        };
        Ok(match settled(transaction.commit().await, is_ours).await? {
            Committed::Yes => Some(Some(user.with_lockout(next, cause.at))),
            Committed::No(_) => None,
        })
    })
    .await
}
