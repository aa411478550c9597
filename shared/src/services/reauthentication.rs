//! Floor 2: authenticates a signed-in user again by the password, before a sensitive change (ASVS 7.5.1). The guess is
//! counted before it is verified: the finder of an open session has only a limited number (brute force).

use crate::{
    domain::{
        limits::{limit_keys, rate_limit::RateLimit},
        password::{Cost, Password, Verdict},
        people::user::User,
    },
    http::call::Call,
    refusal::NotReauthenticated,
    runtime::edge::Wire,
    services::rate_limits::Spending,
    store::{
        rows::rate_limit::Usage,
        table::{Table, Update},
    },
};

/// Verifies passwords of signed-in users.
#[derive(Debug, Wire)]
pub struct Reauthentication {
    /// Counts guesses.
    pub rate_limits: Table<Usage, Update>,
    /// The rate limit of guesses at one user's password.
    #[wire(password_guesses)]
    pub guesses: RateLimit,
    /// The parameters of the password hash.
    #[wire(password_cost)]
    pub cost: Cost,
}

impl Reauthentication {
    /// Verifies the password of a user.
    ///
    /// # Errors
    /// [`NotReauthenticated`].
    pub async fn verify(&self, call: &Call, user: &User, password: &Password) -> Result<(), NotReauthenticated> {
        let mut spending = Spending::new(&self.rate_limits, call.hit());
        let subject = limit_keys::password_guesses(user.id);
        let spent = spending.spend(&self.guesses, &subject).await?;
        spent.map_err(NotReauthenticated::RateLimited)?;
        match user.password.verify(password, &self.cost) {
            Verdict::Right | Verdict::RightButWeak => Ok(()),
            Verdict::Wrong => Err(NotReauthenticated::WrongPassword),
        }
    }
}
