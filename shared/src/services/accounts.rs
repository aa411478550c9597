//! Floor 2: creates accounts: the user, and the claims to the login, the mail address and the login's lookalikes, all
//! or nothing.

use crate::{
    domain::{
        people::{
            claim::{self, Claim},
            user::User,
        },
        time::Timestamp,
    },
    store::table::{Put, Step, Table, Transaction},
};

/// The steps of a transaction that fail when a name is taken.
#[derive(Clone, Debug)]
pub struct Names {
    login: Vec<Step>,
    email: Step,
}

impl Names {
    /// Whether the login or a lookalike of it is taken.
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

/// Adds the writes that create an account to a transaction.
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
        login: std::iter::once(&login).chain(&user.looks).map(|key| claim(*key)).collect(),
        email: claim(claim::email(&user.domain, &user.email)),
    }
}
