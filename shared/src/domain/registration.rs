//! Self-registration (docs/contract.md, Registration and password reset): a request, a mailed link, then an account. No
//! account exists before the link was followed.

use rand::TryCryptoRng;

use super::{
    link,
    name::{DisplayName, DomainName, EmailAddress, Login},
    secret::{Digest, NoEntropy, Secret},
    time::Timestamp,
};

/// What somebody who registers asks for, well-formed.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The domain (tenant).
    pub domain: DomainName,
    /// The login name.
    pub login: Login,
    /// The display name.
    pub name: DisplayName,
    /// The mail address, not yet confirmed.
    pub email: EmailAddress,
}

/// A request as stored, until it is confirmed or over.
#[derive(Clone, Debug)]
pub struct RegistrationRequest {
    /// Digest of the link's credential.
    pub digest: Digest,
    /// What is asked for.
    pub wanted: Wanted,
    /// When.
    pub requested_at: Timestamp,
    /// From this moment on it is absent.
    pub expires_at: Timestamp,
}

impl RegistrationRequest {
    /// Makes a request that lives for `lifetime` seconds: the row, and the credential for the mail.
    ///
    /// # Errors
    /// [`NoEntropy`] when the generator fails.
    pub fn issue(
        wanted: Wanted,
        lifetime: u64,
        rng: &mut impl TryCryptoRng,
        now: Timestamp,
    ) -> Result<(Self, Secret), NoEntropy> {
        let (text, digest) = link::draw(rng)?;
        let request = Self {
            digest,
            wanted,
            requested_at: now,
            expires_at: now.deadline(lifetime),
        };
        Ok((request, text))
    }
}
