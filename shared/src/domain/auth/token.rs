//! Bearer tokens: opaque, 256 random bits, stored as digests.
//!
//! A token's text names its owner before its secret (`u<user><domain>.<secret>`, `c<client>.<secret>`), so that the
//! token's row, its owner's row and that of a user named by number can be read together, in one call. The owner's row
//! holds the generation under which tokens are valid: a block, or the revocation of all of an owner's tokens, is one
//! write and takes effect at the next check.
//!
//! The text of a token from a known device begins with `k` instead of `u`: a login reads the user's devices with it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::TryCryptoRng;
use uuid::Uuid;

use super::{lockout::Lane, scope::Scope};
use crate::domain::{
    crypto::secret::{Digest, NoEntropy, Secret, random_bytes, random_token},
    people::{
        factor::NewValue,
        id::{ClientId, DeviceId, DomainKey, UserId},
        locale::Locale,
    },
    time::Timestamp,
};

/// How long the row of an expired token is kept, in seconds, so that the response is `expired` and not `unknown`: 7
/// days.
const MEMORY: u64 = 7 * 86_400;

/// For how many seconds the replacement of a token may be in progress: longer than any function may run.
const REPLACING: u64 = 10;

/// The owner of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A user.
    User(UserId),
    /// A client of the API, on its own behalf.
    Client(ClientId),
}

impl Owner {
    /// The name in the log and the audit log, as an actor or a subject.
    #[must_use]
    pub fn log_name(&self) -> String {
        match self {
            Self::User(id) => id.log_name(),
            Self::Client(id) => id.log_name(),
        }
    }
}

/// The kind of a token; one kind is never accepted for another (ASVS 9.2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Authorizes calls of the API.
    Access,
    /// Proves that its holder knew the password: the second factor is missing.
    SecondFactor {
        /// The scopes requested at login.
        wanted: Vec<Scope>,
    },
    /// Requires its holder to verify this value, which then becomes the second factor.
    Approval {
        /// The scopes of the access token that follows.
        wanted: Vec<Scope>,
        /// The value.
        value: NewValue,
        /// Expiry of the access token that started this change; `None` when the user has no second factor yet, because
        /// then only the password was proven.
        replaces: Option<Timestamp>,
    },
}

impl Kind {
    /// The name on the wire (Mithril's).
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Access => "access_token",
            Self::SecondFactor { .. } | Self::Approval { .. } => "2fa_access_token",
        }
    }
}

/// The session that groups the tokens of one login at one client. Another login, or the code that completes this one,
/// starts a new session: that one write invalidates the earlier tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Session([u8; 16]);

impl Session {
    /// A new session id.
    ///
    /// # Errors
    /// [`NoEntropy`] when the generator fails.
    pub fn draw(rng: &mut impl TryCryptoRng) -> Result<Self, NoEntropy> {
        random_bytes(rng).map(Self)
    }

    /// From 16 stored bytes; `None` for any other number.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// A token as stored.
#[derive(Clone, Debug)]
pub struct Token {
    /// Digest of the whole text.
    pub digest: Digest,
    /// The owner.
    pub owner: Owner,
    /// The client that it was issued to.
    pub client: ClientId,
    /// The kind of token.
    pub kind: Kind,
    /// The scopes.
    pub scopes: Vec<Scope>,
    /// Valid while the owner's generation is this one.
    pub generation: u64,
    /// Valid while this is the owner's session with the client; `None` for tokens that no login issued: an operator's
    /// tokens, and a client's own.
    pub session: Option<Session>,
    /// Whether the login that issued it was completed with a second factor.
    pub second_factor: bool,
    /// The known device that the user logged in from.
    pub device: Option<DeviceId>,
    /// The language of messages to its holder.
    pub locale: Locale,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// When the TTL sweep may delete its row.
    pub forget_at: Timestamp,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
    /// The invocation that is replacing it, or has replaced it, by another token.
    pub replaced_by: Option<String>,
    /// Since when that invocation has been sending the code of the other token; `None` once it has invalidated this
    /// one.
    pub replacing_since: Option<Timestamp>,
    /// It was invalidated by a refresh: if it is presented again later, it may have been stolen.
    pub is_renewed: bool,
}

/// The fields of a new token.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The owner.
    pub owner: Owner,
    /// The domain of the user who owns it.
    pub domain: Option<DomainKey>,
    /// The owner's generation, as read.
    pub generation: u64,
    /// The session that it belongs to, if a login issued it.
    pub session: Option<Session>,
    /// Whether the login that issues it was completed with a second factor.
    pub second_factor: bool,
    /// The known device that the user logs in from.
    pub device: Option<DeviceId>,
    /// The language of messages to its holder.
    pub locale: Locale,
    /// The client that it is issued to.
    pub client: ClientId,
    /// The kind of token.
    pub kind: Kind,
    /// The scopes.
    pub scopes: Vec<Scope>,
    /// When it expires.
    pub expires_at: Timestamp,
}

impl Token {
    /// Issues a token: the row to store, and the text, which is shown once.
    ///
    /// # Errors
    /// [`NoEntropy`] when the generator fails.
    pub fn issue(grant: Grant, rng: &mut impl TryCryptoRng, now: Timestamp) -> Result<(Self, Secret), NoEntropy> {
        let secret = random_token(rng)?;
        let owner = match &grant.owner {
            Owner::User(id) => {
                let domain = grant.domain.as_ref().map_or(&[][..], |domain| domain.as_bytes());
                let kind = if grant.device.is_some() { 'k' } else { 'u' };
                format!("{kind}{}", URL_SAFE_NO_PAD.encode([id.as_bytes(), domain].concat()))
            }
            Owner::Client(id) => format!("c{}", URL_SAFE_NO_PAD.encode(id.as_str())),
        };
        let text = Secret::new(format!("{owner}.{}", secret.expose()));
        let token = Self {
            digest: Digest::of(&text),
            owner: grant.owner,
            client: grant.client,
            kind: grant.kind,
            scopes: grant.scopes,
            generation: grant.generation,
            session: grant.session,
            second_factor: grant.second_factor,
            device: grant.device,
            locale: grant.locale,
            // Whole seconds, as stored.
            issued_at: now.deadline(0),
            expires_at: grant.expires_at,
            forget_at: grant.expires_at.deadline(MEMORY),
            revoked_at: None,
            replaced_by: None,
            replacing_since: None,
            is_renewed: false,
        };
        Ok((token, text))
    }

    /// Whether a second factor completed the login that issued it. True for a token that no login issued: an operator's,
    /// or a client's own.
    #[must_use]
    pub fn has_second_factor(&self) -> bool {
        self.second_factor || self.session.is_none()
    }

    /// A public id: half of its digest, in the form of a UUID.
    #[must_use]
    pub fn id(&self) -> String {
        Uuid::from_bytes(*self.flow()).hyphenated().to_string()
    }

    /// Where failures of its holder count, and which blocks end it.
    #[must_use]
    pub fn lane(&self) -> Lane {
        match self.device {
            Some(_) => Lane::KnownDevice,
            None => Lane::Anonymous,
        }
    }

    /// Whether a replacement is in progress. The token stays valid if the replacement fails; an invocation that started
    /// too long ago has crashed.
    #[must_use]
    pub fn is_being_replaced(&self, now: Timestamp) -> bool {
        self.replacing_since.is_some_and(|since| !since.deadline(REPLACING).is_expired(now))
    }

    /// What binds codes to this token.
    #[must_use]
    pub fn flow(&self) -> &[u8; 16] {
        self.digest.as_bytes().first_chunk().expect("a digest has 32 bytes")
    }
}

/// A presented token, parsed: the owner it names, and the digest to look up.
#[derive(Clone, Debug)]
pub struct Presented {
    /// The owner that the text names.
    pub owner: Owner,
    /// The domain that the text names: the owner's, if the token's row exists.
    pub domain: Option<DomainKey>,
    /// Whether the text is that of a login from a known device, if the token's row exists.
    pub is_known_device: bool,
    /// Digest of the whole text: the key of its row.
    pub digest: Digest,
}

impl Presented {
    /// Parses a token's text; `None` for texts that we cannot have issued.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // The longest text names a client of 64 characters: 1 + 86 + 1 + 43.
        if text.len() > 131 {
            return None;
        }
        let (owner, secret) = text.split_once('.')?;
        if URL_SAFE_NO_PAD.decode(secret).ok()?.len() != 32 {
            return None;
        }
        let (kind, id) = owner.split_at_checked(1)?;
        let id = URL_SAFE_NO_PAD.decode(id).ok()?;
        let (owner, domain) = match kind {
            "u" | "k" => {
                let (id, domain) = id.split_first_chunk()?;
                let domain = match domain {
                    [] => None,
                    domain => Some(DomainKey::from_bytes(domain.try_into().ok()?)),
                };
                (Owner::User(UserId::from_bytes(*id)), domain)
            }
            "c" => (Owner::Client(ClientId::parse(&String::from_utf8(id).ok()?)?), None),
            _ => return None,
        };
        Some(Self {
            owner,
            domain,
            is_known_device: kind == "k",
            digest: Digest::of(&Secret::new(text.to_owned())),
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use rand::rngs::SysRng;

    use super::*;
    use crate::domain::people::user::tests::user;

    pub(crate) fn grant(owner: Owner) -> Grant {
        Grant {
            owner,
            domain: None,
            generation: 0,
            client: ClientId::parse("heatclinic").expect("well-formed"),
            kind: Kind::Access,
            scopes: vec![Scope::Api],
            session: None,
            second_factor: false,
            device: None,
            locale: Locale::default(),
            expires_at: Timestamp::from_seconds(60),
        }
    }

    #[test]
    fn a_token_identifies_its_row_and_its_owner() {
        let user = Owner::User(UserId::draw(&mut SysRng).expect("entropy"));
        let client = Owner::Client(ClientId::parse(&"a".repeat(64)).expect("well-formed"));
        for owner in [user, client] {
            let (token, text) = Token::issue(grant(owner), &mut SysRng, Timestamp::from_seconds(100)).expect("entropy");
            let read = Presented::parse(text.expose()).expect("our own text");
            assert_eq!(read.owner, token.owner);
            assert!(read.digest.matches(&token.digest));
            assert_eq!(token.expires_at, Timestamp::from_seconds(60));
            assert_eq!(read.domain, None);
            let secret = text.expose().split_once('.').expect("two parts").1;
            assert_eq!(URL_SAFE_NO_PAD.decode(secret).expect("base64url").len(), 32, "256 bits");
        }
    }

    #[test]
    fn the_text_of_a_token_from_a_known_device_shows_it() {
        let owner = || Owner::User(UserId::draw(&mut SysRng).expect("entropy"));
        let known = Some(DeviceId::draw(&mut SysRng).expect("entropy"));
        for (device, lane) in [(None, Lane::Anonymous), (known, Lane::KnownDevice)] {
            let grant = Grant {
                device,
                ..grant(owner())
            };
            let (token, text) = Token::issue(grant, &mut SysRng, Timestamp::from_seconds(100)).expect("entropy");
            let read = Presented::parse(text.expose()).expect("our own text");
            assert_eq!((read.is_known_device, &read.owner), (device.is_some(), &token.owner));
            assert_eq!((token.device, token.lane()), (device, lane));
        }
    }

    #[test]
    fn half_of_its_digest_is_a_tokens_id_and_binds_its_codes() {
        let owner = Owner::User(UserId::draw(&mut SysRng).expect("entropy"));
        let (token, _) = Token::issue(grant(owner), &mut SysRng, Timestamp::from_seconds(0)).expect("entropy");
        let digest = token.digest.as_bytes();
        assert_eq!(token.flow()[..], digest[..16]);
        let hex: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(token.id().replace('-', ""), hex);
        assert_eq!(token.id().split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    }

    #[test]
    fn an_expired_token_is_kept_for_a_week() {
        let owner = Owner::User(UserId::draw(&mut SysRng).expect("entropy"));
        let (token, _) = Token::issue(grant(owner), &mut SysRng, Timestamp::from_seconds(0)).expect("entropy");
        assert_eq!(token.forget_at, Timestamp::from_seconds(60 + 604_800));
    }

    #[test]
    fn a_token_replacement_is_pending_no_longer_than_a_function_runs() {
        let owner = Owner::User(UserId::draw(&mut SysRng).expect("entropy"));
        let at = Timestamp::from_seconds;
        let (mut token, _) = Token::issue(grant(owner), &mut SysRng, at(0)).expect("entropy");
        assert!(!token.is_being_replaced(at(5)));
        token.replacing_since = Some(at(5));
        for (now, expected) in [(5, true), (14, true), (15, false), (16, false)] {
            assert_eq!(token.is_being_replaced(at(now)), expected, "{now}");
        }
    }

    #[test]
    fn a_session_round_trips() {
        let session = Session::draw(&mut SysRng).expect("entropy");
        assert_eq!(Session::from_bytes(session.as_bytes()), Some(session));
        assert_ne!(Session::draw(&mut SysRng).expect("entropy"), session);
        assert!(Session::from_bytes(&[0; 15]).is_none());
    }

    #[test]
    fn a_users_token_identifies_the_users_domain() {
        let user = user();
        let domain = DomainKey::of(&user.domain);
        let grant = Grant {
            domain: Some(domain),
            ..grant(Owner::User(user.id))
        };
        let (token, text) = Token::issue(grant, &mut SysRng, Timestamp::from_seconds(100)).expect("entropy");
        let read = Presented::parse(text.expose()).expect("our own text");
        assert_eq!((&read.owner, read.domain), (&token.owner, Some(domain)));
        // Changing the domain in a token's text gives another token.
        let other = DomainKey::from_bytes([7; 16]);
        let owner = URL_SAFE_NO_PAD.encode([&user.id.as_bytes()[..], other.as_bytes()].concat());
        let secret = text.expose().split_once('.').expect("two parts").1;
        let forged = Presented::parse(&format!("u{owner}.{secret}")).expect("well-formed");
        assert_eq!(forged.domain, Some(other));
        assert!(!forged.digest.matches(&token.digest));
    }

    #[test]
    fn a_malformed_token_is_rejected() {
        let secret = "A".repeat(43);
        let (short, between) = (URL_SAFE_NO_PAD.encode([1; 15]), URL_SAFE_NO_PAD.encode([1; 24]));
        let long = format!("c{}.{secret}", "Y".repeat(100));
        for text in [
            "",
            ".",
            "glpat-XXXXXXXXXXXXXXXXX",
            &secret,
            &format!("u.{secret}"),
            &format!("u{short}.{secret}"),
            &format!("u{between}.{secret}"),
            &format!("é.{secret}"),
            &long,
        ] {
            assert!(Presented::parse(text).is_none(), "{text}");
        }
    }
}
