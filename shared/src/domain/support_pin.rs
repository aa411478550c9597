//! Support PINs (docs/contract.md, Support PIN): six digits that a user reads to support. They must be displayed again,
//! so they are encrypted and not hashed: AES-256-GCM, with the owner, the expiry and the key as associated data
//! (ASVS 11.3.2 to 11.3.4), so that a ciphertext moved to another row, or a row with a changed expiry, does not
//! decrypt.

use rand::TryCryptoRng;

use super::{
    crypto::{
        encryption::{Encrypted, Unreadable},
        key::{Keyring, SupportPins},
        secret::{NoEntropy, Secret, random_bytes, random_text},
    },
    people::{id::UserId, user::User},
    time::Timestamp,
};

/// The operator's policy for support PINs.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Lifetime in seconds: 60 to 604,800 (7 days); 86,400 by default.
    pub lifetime: u64,
}

/// A user's support PIN as stored, one per user.
#[derive(Clone, Debug)]
pub struct SupportPin {
    /// The user.
    pub user: UserId,
    /// The user's token generation: raising it invalidates the PIN along with the tokens.
    pub generation: u64,
    /// When the user was last blocked, if ever: a later block invalidates the PIN, which stays invalid when the block
    /// expires.
    pub blocked_at: Option<Timestamp>,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// The digits, unless they were revoked.
    pub content: Content,
}

/// The owner of a support PIN.
#[derive(Clone, Debug)]
pub enum Owner {
    /// A user of our own.
    Ours(Box<User>),
    /// A user of the operator's identity provider. We store no such users.
    Provided(UserId),
}

impl Owner {
    /// The user id.
    #[must_use]
    pub fn id(&self) -> UserId {
        match self {
            Self::Ours(user) => user.id,
            Self::Provided(id) => *id,
        }
    }

    /// The token generation that the PIN depends on. The provider's users have none: their revocations are not known
    /// here.
    #[must_use]
    pub fn generation(&self) -> u64 {
        match self {
            Self::Ours(user) => user.token_generation,
            Self::Provided(_) => 0,
        }
    }

    /// When the owner was last blocked. Users of the provider are not blocked here.
    #[must_use]
    pub fn blocked_at(&self) -> Option<Timestamp> {
        match self {
            Self::Ours(user) => user.lockout.block.map(|block| block.at),
            Self::Provided(_) => None,
        }
    }

    fn is_blocked(&self, now: Timestamp) -> bool {
        match self {
            Self::Ours(user) => user.lockout.active_block(now).is_some(),
            Self::Provided(_) => false,
        }
    }
}

/// An authorized caller of the support PIN routes.
#[derive(Clone, Debug)]
pub struct Holder {
    /// The caller, as the owner of a PIN.
    pub own: Owner,
    /// Whether the caller may access other users' PINs.
    pub is_admin: bool,
    /// The owner that the route names, if that user exists and the caller may access it.
    pub named: Option<Owner>,
}

/// The content of a support PIN.
#[derive(Clone, Debug)]
pub enum Content {
    /// The digits, encrypted.
    Encrypted(Digits),
    /// Revoked: only a trace is kept.
    Revoked {
        /// The invocation that revoked it, so that its own retry after a lost response succeeds.
        by: String,
    },
}

/// Encrypted digits.
#[derive(Clone, Debug)]
pub struct Digits {
    /// A random id that distinguishes a user's PINs.
    pub id: [u8; 16],
    /// The ciphertext.
    pub sealed: Encrypted,
}

impl SupportPin {
    /// Issues a PIN: the row, which replaces the user's earlier one, and the digits.
    ///
    /// # Errors
    /// [`NoEntropy`] when the generator fails.
    pub fn issue(
        policy: &Policy,
        owner: &Owner,
        keys: &Keyring<SupportPins>,
        rng: &mut impl TryCryptoRng,
        now: Timestamp,
    ) -> Result<(Self, Secret), NoEntropy> {
        let digits = random_text(rng, b"0123456789", 6)?;
        let expires_at = now.deadline(policy.lifetime);
        let id = random_bytes(rng)?;
        let mut pin = Self {
            user: owner.id(),
            generation: owner.generation(),
            blocked_at: owner.blocked_at(),
            issued_at: now,
            expires_at,
            content: Content::Revoked { by: String::new() },
        };
        let sealed = Encrypted::close(keys, &slices(&pin.context(&id)), &digits, rng)?;
        pin.content = Content::Encrypted(Digits { id, sealed });
        Ok((pin, digits))
    }

    /// The digits; `None` when they were revoked, invalidated with the owner's tokens or by a block, or while the owner
    /// is blocked.
    ///
    /// # Errors
    /// [`Unreadable`] when the key is no longer live or the row was tampered with.
    pub fn open(
        &self,
        owner: &Owner,
        keys: &Keyring<SupportPins>,
        now: Timestamp,
    ) -> Result<Option<Secret>, Unreadable> {
        let has_ended = self.generation != owner.generation() || self.blocked_at != owner.blocked_at();
        if has_ended || owner.is_blocked(now) {
            return Ok(None);
        }
        match &self.content {
            Content::Encrypted(Digits { id, sealed }) => sealed.open(keys, &slices(&self.context(id))).map(Some),
            Content::Revoked { .. } => Ok(None),
        }
    }

    /// The associated data of the encryption.
    fn context(&self, id: &[u8; 16]) -> Vec<Vec<u8>> {
        let mut context = vec![
            self.user.as_bytes().to_vec(),
            self.generation.to_be_bytes().to_vec(),
            id.to_vec(),
            self.expires_at.seconds().to_be_bytes().to_vec(),
        ];
        context.extend(self.blocked_at.map(|at| at.seconds().to_be_bytes().to_vec()));
        context
    }

    /// Whether this invocation revoked it: the store's first response was lost, and this is a retry.
    #[must_use]
    pub fn was_revoked_by(&self, invocation: &str) -> bool {
        match &self.content {
            Content::Encrypted(_) => false,
            Content::Revoked { by } => by == invocation,
        }
    }
}

fn slices(context: &[Vec<u8>]) -> Vec<&[u8]> {
    context.iter().map(Vec::as_slice).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::rngs::SysRng;

    use super::*;
    use crate::domain::{
        auth::lockout::{Block, Lockout, Why},
        crypto::{key::tests::ring, secret::tests::Broken},
        people::user::tests::user,
    };

    const POLICY: Policy = Policy { lifetime: 86_400 };

    fn owner() -> Owner {
        Owner::Ours(Box::new(user()))
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn issue(owner: &Owner, keys: &Keyring<SupportPins>) -> (SupportPin, Secret) {
        SupportPin::issue(&POLICY, owner, keys, &mut SysRng, Timestamp::from_seconds(1000)).expect("entropy")
    }

    fn sealed(pin: &mut SupportPin) -> &mut Encrypted {
        match &mut pin.content {
            Content::Encrypted(digits) => &mut digits.sealed,
            Content::Revoked { .. } => panic!("just issued"),
        }
    }

    fn digits(pin: &SupportPin, owner: &Owner, keys: &Keyring<SupportPins>) -> Option<String> {
        pin.open(owner, keys, at(1001)).ok().flatten().map(|digits| digits.expose().to_owned())
    }

    #[test]
    fn a_pin_decrypts_to_its_six_digits() {
        let keys = ring(&[1]);
        let owner = owner();
        let (pin, issued) = issue(&owner, &keys);
        assert_eq!(digits(&pin, &owner, &keys).as_deref(), Some(issued.expose()));
        assert!(issued.expose().len() == 6 && issued.expose().bytes().all(|b| b.is_ascii_digit()));
        assert_eq!(pin.expires_at, Timestamp::from_seconds(87_400));
    }

    #[test]
    fn a_modified_row_fails_to_decrypt() {
        let keys = ring(&[1]);
        let owner = owner();
        let (good, _) = issue(&owner, &keys);
        let (mut earlier, _) = issue(&owner, &keys);
        let earlier = sealed(&mut earlier).clone();
        let check = |what: &str, change: &dyn Fn(&mut SupportPin)| {
            let mut pin = good.clone();
            change(&mut pin);
            assert!(pin.open(&owner, &keys, at(1001)).is_err(), "{what}");
        };
        check("another owner", &|pin| pin.user = user().id);
        check("a later end", &|pin| pin.expires_at = pin.expires_at.deadline(1));
        check("one bit", &|pin| sealed(pin).bytes[0] ^= 1);
        check("one bit of the tag", &|pin| sealed(pin).bytes[21] ^= 0x80);
        check("nothing", &|pin| sealed(pin).bytes.clear());
        check("an old ciphertext", &|pin| {
            sealed(pin).bytes.clone_from(&earlier.bytes);
            sealed(pin).nonce = earlier.nonce;
        });
    }

    #[test]
    fn a_revoked_pin_has_no_digits() {
        let keys = ring(&[1]);
        let owner = owner();
        let (mut pin, _) = issue(&owner, &keys);
        assert!(!pin.was_revoked_by("request"));
        pin.content = Content::Revoked { by: "request".into() };
        assert!(pin.open(&owner, &keys, at(1001)).expect("not an error").is_none());
        assert!(pin.was_revoked_by("request") && !pin.was_revoked_by("another"));
    }

    #[test]
    fn a_pin_is_revoked_with_its_owners_tokens() {
        let keys = ring(&[1]);
        let mut user = user();
        let (mut pin, _) = issue(&Owner::Ours(Box::new(user.clone())), &keys);
        user.token_generation = 1;
        let owner = Owner::Ours(Box::new(user));
        assert!(pin.open(&owner, &keys, at(1001)).expect("not an error").is_none());
        pin.generation = 1;
        assert!(pin.open(&owner, &keys, at(1001)).is_err(), "the generation is part of what is sealed");
    }

    #[test]
    fn a_pin_is_revoked_by_a_block_and_stays_revoked() {
        let keys = ring(&[1]);
        let user = user();
        let owner = |block: Option<(u64, Option<u64>)>| {
            let block = block.map(|(since, until)| Block {
                why: Why::Passwords,
                at: at(since),
                until: until.map(at),
            });
            let lockout = Lockout {
                block,
                ..Lockout::default()
            };
            Owner::Ours(Box::new(User {
                lockout,
                ..user.clone()
            }))
        };
        let earlier = Some((900, Some(950)));
        for (made_after, block, now, readable) in [
            (None, None, 1001, true),
            (None, Some((1000, None)), 1001, false),
            (None, Some((1000, Some(1002))), 1001, false),
            (None, Some((1000, Some(1002))), 1002, false),
            // Whatever the clocks say: the block came after the PIN was issued.
            (None, Some((999, Some(1001))), 1001, false),
            (earlier, earlier, 949, false),
            (earlier, earlier, 950, true),
            (earlier, Some((1000, Some(1002))), 1002, false),
        ] {
            let (pin, _) = issue(&owner(made_after), &keys);
            let shown = pin.open(&owner(block), &keys, at(now)).expect("not an error");
            assert_eq!(shown.is_some(), readable, "{made_after:?}, {block:?} at {now}");
        }
        let (mut pin, _) = issue(&owner(None), &keys);
        pin.blocked_at = Some(at(900));
        let moved = pin.open(&owner(earlier), &keys, at(1001));
        assert!(moved.is_err(), "the block is part of what is sealed");
    }

    #[test]
    fn a_pin_of_a_provider_user_is_bound_to_its_id() {
        let keys = ring(&[1]);
        let provided = Owner::Provided(user().id);
        let (pin, issued) = issue(&provided, &keys);
        assert_eq!(digits(&pin, &provided, &keys).as_deref(), Some(issued.expose()));
        assert!(pin.user == provided.id() && pin.generation == 0);
    }

    #[test]
    fn old_keys_decrypt_new_keys_encrypt_and_lost_keys_fail_closed() {
        let owner = owner();
        let (old, issued) = issue(&owner, &ring(&[1]));
        assert_eq!(digits(&old, &owner, &ring(&[1, 2])).as_deref(), Some(issued.expose()), "the old key verifies");
        assert_eq!(sealed(&mut issue(&owner, &ring(&[1, 2])).0).key, 2, "the new key signs");
        assert!(old.open(&owner, &ring(&[2]), at(1001)).is_err(), "a key that is gone fails closed");
    }

    #[test]
    fn nonces_do_not_repeat() {
        let keys = ring(&[1]);
        let owner = owner();
        let mut seen = HashSet::new();
        for _ in 0..100_000 {
            assert!(seen.insert(sealed(&mut issue(&owner, &keys).0).nonce), "a nonce came twice");
        }
    }

    #[test]
    fn without_entropy_there_is_no_pin() {
        assert!(SupportPin::issue(&POLICY, &owner(), &ring(&[1]), &mut Broken, Timestamp::from_seconds(0)).is_err());
    }
}
