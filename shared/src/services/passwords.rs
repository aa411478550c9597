//! Floor 2: a password that changes, and all that ends with the old one (R38, R39): every token, every link and the
//! support PIN. Second factors stay.

use crate::{
    domain::{id::UserId, password::PasswordHash, support_pin::SupportPin, time::Timestamp, user::User},
    fault::Fault,
    store::{
        rows::user,
        table::{Batch, BatchGet, Delete, Step, Table, Transaction, Update},
    },
};

/// Adds to a transaction what sets a user's password. The step is refused when the user is not as it was read any more.
pub fn set(
    transaction: &mut Transaction,
    users: &Table<User, Update>,
    pins: &Table<SupportPin, Delete>,
    read: &User,
    password: &PasswordHash,
    now: Timestamp,
) -> Step {
    // Its generation ends the PIN already; its ciphertext shall not lie there until then (ASVS 14.2.7).
    transaction.delete(pins, &read.id);
    transaction.update(users, &read.id, user::set_password(read, password, now))
}

/// Whether that hash is the user's now. A hash has a salt of its own: the same password, set by another request, has another one. So
/// it tells whether a transaction was made whose answers were lost, and nothing about a password.
///
/// # Errors
/// [`Fault`] when the store fails.
pub async fn is_set(
    users: &Table<User, BatchGet>,
    user: &UserId,
    password: &PasswordHash,
    now: Timestamp,
) -> Result<bool, Fault> {
    let found = Batch::one(users, user, now).await?;
    Ok(found.is_some_and(|found| found.password.to_stored() == password.to_stored()))
}
