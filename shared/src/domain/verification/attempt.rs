//! Attempts: the messages that an account's verifications have sent, and whether the code of each was used.

use rand::TryCryptoRng;

use super::{
    destination::Channel,
    sid::{AccountSid, AttemptSid, ServiceSid, VerificationSid},
};
use crate::domain::{
    crypto::{
        encryption::Encrypted,
        secret::{NoEntropy, random_bytes},
    },
    time::Timestamp,
};

/// For how many seconds attempts can be listed.
pub const RETENTION: u64 = 30 * 86_400;

/// One attempt.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Its SID, which tells when it was made and in which shard it is stored.
    pub sid: AttemptSid,
    /// The account.
    pub account: AccountSid,
    /// The service.
    pub service: ServiceSid,
    /// The verification.
    pub verification: VerificationSid,
    /// How the message traveled.
    pub channel: Channel,
    /// Its destination, encrypted for the verification's record.
    pub to: Encrypted,
    /// The prefix of the country that it went to, of a text message.
    pub country: Option<String>,
    /// Whether it was sent.
    pub is_sent: bool,
    /// When the verification was approved, if it was.
    pub converted_at: Option<Timestamp>,
}

/// The attempts of an account in one shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shelf {
    /// The account.
    pub account: AccountSid,
    /// The shard.
    pub shard: u8,
}

impl Attempt {
    /// When it was made.
    #[must_use]
    pub fn created_at(&self) -> Timestamp {
        made_at(&self.sid)
    }

    /// Where it is stored.
    #[must_use]
    pub fn shelf(&self) -> Shelf {
        Shelf {
            account: self.account,
            shard: shard_of(&self.sid),
        }
    }

    /// When the TTL sweep may delete it.
    #[must_use]
    pub fn forget_at(&self) -> Timestamp {
        self.created_at().deadline(RETENTION)
    }
}

/// A new SID: its milliseconds, its shard of `shards`, and 72 random bits. SIDs sort by time.
///
/// # Errors
/// [`NoEntropy`] when the generator fails.
pub fn new_sid(at: Timestamp, shards: u8, rng: &mut impl TryCryptoRng) -> Result<AttemptSid, NoEntropy> {
    let random = random_bytes::<10>(rng)?;
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&at.millis().to_be_bytes()[2..]);
    bytes[6..].copy_from_slice(&random);
    bytes[6] = random[0] % shards.max(1);
    Ok(AttemptSid::from_bytes(bytes))
}

/// When the attempt of a SID was made.
#[must_use]
pub fn made_at(sid: &AttemptSid) -> Timestamp {
    let mut millis = [0; 8];
    millis[2..].copy_from_slice(&sid.bytes()[..6]);
    Timestamp::from_millis(u64::from_be_bytes(millis))
}

/// The shard of a SID.
#[must_use]
pub fn shard_of(sid: &AttemptSid) -> u8 {
    sid.bytes()[6]
}

/// The smallest SID of a moment.
#[must_use]
pub fn first_sid(at: Timestamp) -> AttemptSid {
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&at.millis().to_be_bytes()[2..]);
    AttemptSid::from_bytes(bytes)
}

/// The SID before this one.
#[must_use]
pub fn sid_before(sid: &AttemptSid) -> AttemptSid {
    AttemptSid::from_bytes(u128::from_be_bytes(*sid.bytes()).saturating_sub(1).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use rand::rngs::SysRng;

    use super::*;

    #[test]
    fn a_sid_tells_time_and_shard() {
        let at = Timestamp::from_millis(1_795_820_400_123);
        for shards in [1, 3, 64] {
            let sid = new_sid(at, shards, &mut SysRng).expect("entropy");
            assert_eq!(made_at(&sid), at);
            assert!(shard_of(&sid) < shards);
            assert!(first_sid(at) <= sid && sid < first_sid(Timestamp::from_millis(at.millis() + 1)));
        }
        assert_ne!(new_sid(at, 1, &mut SysRng).expect("entropy"), new_sid(at, 1, &mut SysRng).expect("entropy"));
    }

    #[test]
    fn a_sid_has_one_before_it() {
        let sid = first_sid(Timestamp::from_millis(1));
        assert!(sid_before(&sid) < sid);
        let first = AttemptSid::from_bytes([0; 16]);
        assert_eq!(sid_before(&first), first);
    }
}
