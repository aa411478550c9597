//! Password resets: a mailed link, then a new password.

use rand::TryCryptoRng;

use super::{
    crypto::secret::{Digest, NoEntropy, Secret},
    mail::link,
    people::{id::UserId, name::DomainName, user::User},
    time::Timestamp,
};

/// Whose password is to be reset.
#[derive(Clone, Debug)]
pub struct Target {
    /// The user; for an account that does not exist, a random id: its row is written all the same, against enumeration.
    pub user: UserId,
    /// The user's token generation as read: raising it invalidates every earlier link.
    pub generation: u64,
    /// The domain.
    pub domain: DomainName,
    /// When the user was last blocked, if ever.
    pub blocked_at: Option<Timestamp>,
    /// Whether failed attempts blocked the user at the time of the request: the reset is the way out of such a block.
    pub recovers: bool,
}

/// A request as stored, until it is used or expired.
#[derive(Clone, Debug)]
pub struct PasswordResetRequest {
    /// Digest of the link's credential.
    pub digest: Digest,
    /// Whose password is to be reset.
    pub target: Target,
    /// When it was requested.
    pub requested_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
}

impl PasswordResetRequest {
    /// Creates a request with that lifetime in seconds: the row, and the credential for the mail.
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

    /// Whether the link is invalid. A revocation of the user's tokens invalidates it, and so does a later block; it
    /// stays invalid when the block expires. Any stranger can cause failed attempts: so that they cannot invalidate one
    /// link after the other, they do not invalidate one that was requested while they blocked the user already.
    #[must_use]
    pub fn is_void(&self, user: &User) -> bool {
        let ended_by_block = user.lockout.block.is_some_and(|block| {
            let survives = self.target.recovers && block.why.is_failures();
            self.target.blocked_at != Some(block.at) && !survives
        });
        self.target.generation != user.token_generation || ended_by_block
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::SysRng;

    use super::*;
    use crate::domain::{
        auth::lockout::{Block, Why},
        people::user::tests::user,
    };

    #[test]
    fn a_link_is_void_after_a_token_revocation_or_a_later_block() {
        use Why::{Decision, Otps, Passwords};
        let (first, later) = (Some(1000), Some(2000));
        for (blocked_at, recovers, generation, block, void) in [
            (None, false, 0, None, false),
            (None, false, 1, None, true),
            (None, false, 0, Some((Passwords, first)), true),
            (None, false, 0, Some((Otps, first)), true),
            (None, false, 0, Some((Decision, first)), true),
            // After a block that had expired.
            (first, false, 0, Some((Passwords, first)), false),
            (first, false, 0, Some((Passwords, later)), true),
            // During a block by failures.
            (first, true, 0, Some((Passwords, first)), false),
            (first, true, 1, Some((Passwords, first)), true),
            (first, true, 0, Some((Otps, later)), false),
            (first, true, 0, Some((Decision, later)), true),
            // During an administrator's block: the password is set, and the block stays.
            (first, false, 0, Some((Decision, first)), false),
            (first, false, 1, None, true),
        ] {
            let at = Timestamp::from_seconds;
            let mut user = user();
            let target = Target {
                user: user.id,
                generation: user.token_generation,
                domain: user.domain.clone(),
                blocked_at: blocked_at.map(at),
                recovers,
            };
            let (request, _) = PasswordResetRequest::issue(target, 60, &mut SysRng, at(1500)).expect("entropy");
            user.token_generation = generation;
            user.lockout.block = block.and_then(|(why, since)| {
                // Whether the block has expired makes no difference.
                let at = at(since?);
                Some(Block {
                    why,
                    at,
                    until: Some(at),
                })
            });
            assert_eq!(request.is_void(&user), void, "{blocked_at:?}, {recovers}, {generation}, {block:?}");
        }
    }
}
