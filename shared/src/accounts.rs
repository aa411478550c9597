//! Floor 2: accounts that are made: the user, and the claims to the two names, together or not at all.

use crate::{
    domain::{
        claim::{self, Claim},
        time::Timestamp,
        user::User,
    },
    store::table::{Put, Step, Table, Transaction},
};

/// What a name that is taken refuses.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// The login is taken.
    pub login: Step,
    /// The mail address is taken.
    pub email: Step,
}

/// Adds to a transaction what makes an account.
pub fn make(
    transaction: &mut Transaction,
    users: &Table<User, Put>,
    claims: &Table<Claim, Put>,
    user: &User,
    now: Timestamp,
) -> Names {
    transaction.put_new(users, user, now);
    let mut claim = |key| transaction.put_new(claims, &Claim { key, user: user.id }, now);
    Names {
        login: claim(claim::login(&user.domain, &user.login)),
        email: claim(claim::email(&user.domain, &user.email)),
    }
}
