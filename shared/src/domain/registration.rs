//! Self-registration (docs/contract.md, Registration and password reset): a request, a mailed link, then an account.
//! The account is created only when the link is followed.

use rand::TryCryptoRng;

use super::{
    crypto::secret::{Digest, NoEntropy, Secret},
    mail::link,
    people::name::{DisplayName, DomainName, EmailAddress, Login},
    time::Timestamp,
};

/// The parsed fields of a registration request.
#[derive(Clone, Debug)]
pub struct AccountRequest {
    /// The domain (tenant).
    pub domain: DomainName,
    /// The login name.
    pub login: Login,
    /// The display name.
    pub name: DisplayName,
    /// The mail address, not yet confirmed.
    pub email: EmailAddress,
}

/// A request as stored, until it is confirmed or expired.
#[derive(Clone, Debug)]
pub struct RegistrationRequest {
    /// Digest of the link's credential.
    pub digest: Digest,
    /// The requested account.
    pub account: AccountRequest,
    /// When it was requested.
    pub requested_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
}

impl RegistrationRequest {
    /// Creates a request with that lifetime in seconds: the row, and the credential for the mail.
    ///
    /// # Errors
    /// [`NoEntropy`] when the generator fails.
    pub fn issue(
        account: AccountRequest,
        lifetime: u64,
        rng: &mut impl TryCryptoRng,
        now: Timestamp,
    ) -> Result<(Self, Secret), NoEntropy> {
        let (text, digest) = link::draw(rng)?;
        let request = Self {
            digest,
            account,
            requested_at: now,
            expires_at: now.deadline(lifetime),
        };
        Ok((request, text))
    }
}
