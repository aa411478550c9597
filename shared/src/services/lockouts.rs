//! Floor 2: blocking and unblocking a user: exactly one of any number of concurrent requests does it.
//! `by` is the invocation.

use std::ops::ControlFlow;

use crate::{
    domain::{lockout::Lockout, time::Timestamp, user::User},
    fault::Fault,
    store::{
        retry::optimistic_from,
        rows::user,
        table::{Changed, Table, Update},
    },
};

/// How often a user is judged anew while others change it at the same time.
const ROUNDS: u32 = 16;

/// Makes a change to a user's lockout, as judged on the user that was read; on another one, judged again. `None` when there
/// is nothing to change.
///
/// # Errors
/// [`Fault`] when the store fails, or when others were faster every time.
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
        match users.update(&user.id, user::stand(&user, &next, by, now), now).await? {
            Changed::Yes(user) => Ok(ControlFlow::Break(Some(user))),
            // Our own write, whose answer was lost.
            Changed::No(Some(other)) if other.changed_by == by => Ok(ControlFlow::Break(Some(other))),
            Changed::No(Some(other)) => Ok(ControlFlow::Continue(other)),
            Changed::No(None) => Err(Fault::Contended("the user is gone".into())),
        }
    })
    .await
}
