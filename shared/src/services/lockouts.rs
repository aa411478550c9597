//! Floor 2: blocking and unblocking a user: exactly one of any number of concurrent requests does it.
//! `by` is the invocation.

use std::ops::ControlFlow;

use crate::{
    domain::{auth::lockout::Lockout, people::user::User, time::Timestamp},
    fault::Fault,
    store::{
        retry::optimistic_from,
        rows::user,
        table::{Changed, Table, Update},
    },
};

/// Retries after a concurrent change of the user.
const ROUNDS: u32 = 16;

/// Changes a user's lockout with optimistic locking: the change is computed from the user that was read, and again
/// after a concurrent change. `None` when nothing needs to change.
///
/// # Errors
/// [`Fault`] when the store fails, or after too many concurrent changes.
pub async fn change(
    users: &Table<User, Update>,
    read: User,
    judge: impl Fn(&User) -> Option<Lockout>,
    by: &str,
    now: Timestamp,
) -> Result<Option<User>, Fault> {
    optimistic_from(ROUNDS, "the user", read, async |user| {
        let Some(next) = judge(&user) else {
            return Ok(ControlFlow::Break(None));
        };
        match users.update(&user.id, user::set_lockout(&user, &next, by, now), now).await? {
            Changed::Yes(user) => Ok(ControlFlow::Break(Some(user))),
            // Our own write, whose answer was lost.
            Changed::No(Some(other)) if other.changed_by == by => Ok(ControlFlow::Break(Some(other))),
            Changed::No(Some(other)) => Ok(ControlFlow::Continue(other)),
            Changed::No(None) => Err(Fault::Contended("the user is gone".into())),
        }
    })
    .await
}
