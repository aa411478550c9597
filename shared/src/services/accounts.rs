//! Floor 2: accounts that are made: the user, and the claims to the two names and to what the login looks like, together or
//! not at all.

use crate::{
    domain::{
        claim::{self, Claim},
        time::Timestamp,
        user::User,
    },
    store::table::{Put, Step, Table, Transaction},
};

/// What a name that is taken refuses.
#[derive(Clone, Debug)]
pub struct Names {
    login: Vec<Step>,
    email: Step,
}

impl Names {
    /// Whether the login is taken, or looks like one that is.
    #[must_use]
    pub fn login_is_taken(&self, refused: &[Step]) -> bool {
        self.login.iter().any(|step| refused.contains(step))
    }

    /// Whether the mail address is taken.
    #[must_use]
    pub fn email_is_taken(&self, refused: &[Step]) -> bool {
        refused.contains(&self.email)
    }
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
    let login = claim::login(&user.domain, &user.login);
    Names {
        login: std::iter::once(&login)
            .chain(&user.looks)
            .map(|key| claim(*key))
            .collect(),
        email: claim(claim::email(&user.domain, &user.email)),
    }
}
