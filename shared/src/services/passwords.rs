//! Floor 2: changes a password and revokes what depended on the old one (R38, R39): every token, every link and the
//! support PIN. Second factors are kept.

use crate::{
    domain::{
        password::PasswordHash,
        people::{id::UserId, user::User},
        support_pin::SupportPin,
        time::Timestamp,
    },
    fault::Fault,
    store::{
        rows::user,
        table::{Batch, BatchGet, Delete, Step, Table, Transaction, Update},
    },
};

/// Adds the writes that set a user's password to a transaction. The step fails if the user has changed since it was
/// read.
pub fn set(
    transaction: &mut Transaction,
    users: &Table<User, Update>,
    pins: &Table<SupportPin, Delete>,
    read: &User,
    password: &PasswordHash,
    now: Timestamp,
) -> Step {
    // The PIN is revoked by its generation already; its ciphertext must not be kept until it expires (ASVS 14.2.7).
    transaction.delete(pins, &read.id);
    transaction.update(users, &read.id, user::set_password(read, password, now))
}

/// Whether that hash is the user's now. Every hash has its own salt, so another request that sets the same password
/// stores another hash: this shows whether a transaction with a lost answer was committed, and nothing about a
/// password.
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
