//! Password resets: a mailed link, then a new password.

use rand::TryCryptoRng;

use super::{
    id::UserId,
    link,
    name::DomainName,
    secret::{Digest, NoEntropy, Secret},
    time::Timestamp,
};

/// Whose password is to be reset.
#[derive(Clone, Debug)]
pub struct Target {
    /// The user; for an account that does not exist, an id that nobody has: its row is written all the same, so that
    /// nothing tells.
    pub user: UserId,
    /// The user's token generation, as read: once it is another one, every link of before is void.
    pub generation: u64,
    /// The domain.
    pub domain: DomainName,
}

/// A request as stored, until it is used or over.
#[derive(Clone, Debug)]
pub struct PasswordResetRequest {
    /// Digest of the link's credential.
    pub digest: Digest,
    /// Whose.
    pub target: Target,
    /// When.
    pub requested_at: Timestamp,
    /// From this moment on it is absent.
    pub expires_at: Timestamp,
}

impl PasswordResetRequest {
    /// Makes a request that lives for `lifetime` seconds: the row, and the credential for the mail.
    ///
    /// # Errors
    /// [`NoEntropy`] when the generator fails.
    pub fn issue(
        target: Target,
        lifetime: u64,
        rng: &mut impl TryCryptoRng,
        now: Timestamp,
    ) -> Result<(Self, Secret), NoEntropy> {
        let (text, digest) = link::draw(rng)?;
        let request = Self {
            digest,
            target,
            requested_at: now,
            expires_at: now.deadline(lifetime),
        };
        Ok((request, text))
    }
}
