//! Bearer tokens: opaque, 256 random bits, stored as digests.
//!
//! A token's text names its owner before its secret (`u<user><domain>.<secret>`, `c<client>.<secret>`), so that the
//! token's row, its owner's and that of a user whom the call names by a number can be read together, in one call. The owner's row holds the generation under which
//! tokens are good: a block, or the end of all of an owner's tokens, is one write and is seen by the next check.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::TryCryptoRng;
use uuid::Uuid;

use super::{
    id::{ClientId, DomainKey, UserId},
    locale::Locale,
    phone::Phone,
    scope::Scope,
    secret::{Digest, NoEntropy, Secret, random_bytes, random_token},
    time::Timestamp,
};

/// How long an expired token is remembered, in seconds, so that its holder is told `expired` and not `unknown`: 7 days.
const MEMORY: u64 = 7 * 86_400;

/// For how many seconds a token may be about to be replaced: longer than any function may run.
const REPLACING: u64 = 10;

/// Who a token acts for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A person.
    User(UserId),
    /// An application, in its own name.
    Client(ClientId),
}

impl Owner {
    /// As the log and the audit log name it, as an actor or a subject.
    #[must_use]
    pub fn log_name(&self) -> String {
        match self {
            Self::User(id) => id.log_name(),
            Self::Client(id) => id.log_name(),
        }
    }
}

/// What a token is good for; one kind is never taken for another (ASVS 9.2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Opens the API.
    Access,
    /// Says that its holder knew the password: the second factor is what is missing.
    SecondFactor {
        /// The scopes that were asked for at login.
        wanted: Vec<Scope>,
    },
    /// Says that its holder shall prove to have this number: then it becomes the second factor.
    Approval {
        /// The scopes of the access token that follows.
        wanted: Vec<Scope>,
        /// The number.
        phone: Phone,
        /// When the access token ends that it came of, if the factor had another number then. Who sets the first one has
        /// shown nothing but a password.
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

/// What holds the tokens together that one login gave to one client. Another login, or the code that ends this one, begins
/// another session: the earlier tokens end with that one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Session([u8; 16]);

impl Session {
    /// A new one.
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
    /// Who it acts for.
    pub owner: Owner,
    /// The client that it was issued to.
    pub client: ClientId,
    /// What it is.
    pub kind: Kind,
    /// What it opens.
    pub scopes: Vec<Scope>,
    /// Good while the owner's generation is this one.
    pub generation: u64,
    /// Good while this is the owner's session with the client; `None` for what no login gave: an operator's tokens, and
    /// a client's own.
    pub session: Option<Session>,
    /// The language in which its holder is written to.
    pub locale: Locale,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When its row goes.
    pub forget_at: Timestamp,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
    /// The invocation that gives another token for it, or has given it.
    pub replaced_by: Option<String>,
    /// Since when that invocation has been sending the code of the other token; `None` once it has ended this one.
    pub replacing_since: Option<Timestamp>,
    /// A refresh has ended it: when it comes again later, somebody else may hold it.
    pub is_renewed: bool,
}

/// What a new token shall be.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Who it acts for.
    pub owner: Owner,
    /// The domain of the user that it acts for.
    pub domain: Option<DomainKey>,
    /// The owner's generation, as read.
    pub generation: u64,
    /// The session that it belongs to, if a login gave it.
    pub session: Option<Session>,
    /// The language in which its holder is written to.
    pub locale: Locale,
    /// The client that it is issued to.
    pub client: ClientId,
    /// What it is.
    pub kind: Kind,
    /// What it opens.
    pub scopes: Vec<Scope>,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl Token {
    /// Makes a token: the row to store, and the text, which is shown once.
    ///
    /// # Errors
    /// [`NoEntropy`] when the generator fails.
    pub fn issue(grant: Grant, rng: &mut impl TryCryptoRng, now: Timestamp) -> Result<(Self, Secret), NoEntropy> {
        let secret = random_token(rng)?;
        let owner = match &grant.owner {
            Owner::User(id) => {
                let domain = grant.domain.as_ref().map_or(&[][..], |domain| domain.as_bytes());
                format!("u{}", URL_SAFE_NO_PAD.encode([id.as_bytes(), domain].concat()))
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
            locale: grant.locale,
            // Whole seconds, as it is stored.
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

    /// A name for it, which may be shown: half of its digest, in the form of a UUID.
    #[must_use]
    pub fn id(&self) -> String {
        Uuid::from_bytes(*self.flow()).hyphenated().to_string()
    }

    /// Whether another token is about to take its place. It stays good if that comes to nothing; an invocation that began so long
    /// ago has died.
    #[must_use]
    pub fn is_being_replaced(&self, now: Timestamp) -> bool {
        self.replacing_since
            .is_some_and(|since| !since.deadline(REPLACING).is_expired(now))
    }

    /// What the codes that are sent for it are bound to.
    #[must_use]
    pub fn flow(&self) -> &[u8; 16] {
        self.digest.as_bytes().first_chunk().expect("a digest has 32 bytes")
    }
}

/// A token that a caller presented, parsed: whose it says it is, and the digest to look for.
#[derive(Clone, Debug)]
pub struct Presented {
    /// The owner that the text names.
    pub owner: Owner,
    /// The domain that the text names: the owner's, if the token's row is there.
    pub domain: Option<DomainKey>,
    /// Digest of the whole text: the key of its row.
    pub digest: Digest,
}

impl Presented {
    /// Reads a token's text; `None` for whatever we cannot have issued.
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
            "u" => {
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
            digest: Digest::of(&Secret::new(text.to_owned())),
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use rand::rngs::SysRng;

    use super::*;
    use crate::domain::user::tests::user;

    pub(crate) fn grant(owner: Owner) -> Grant {
        Grant {
            owner,
            domain: None,
            generation: 0,
            client: ClientId::parse("heatclinic").expect("well-formed"),
            kind: Kind::Access,
            scopes: vec![Scope::Api],
            session: None,
            locale: Locale::default(),
            expires_at: Timestamp::from_seconds(60),
        }
    }

    #[test]
    fn a_token_leads_to_its_row_and_its_owner() {
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
    fn a_token_is_named_and_its_codes_are_bound_by_half_of_its_digest() {
        let owner = Owner::User(UserId::draw(&mut SysRng).expect("entropy"));
        let (token, _) = Token::issue(grant(owner), &mut SysRng, Timestamp::from_seconds(0)).expect("entropy");
        let digest = token.digest.as_bytes();
        assert_eq!(token.flow()[..], digest[..16]);
        let hex: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(token.id().replace('-', ""), hex);
        assert_eq!(
            token.id().split('-').map(str::len).collect::<Vec<_>>(),
            [8, 4, 4, 4, 12]
        );
    }

    #[test]
    fn an_expired_token_is_remembered_for_a_week() {
        let owner = Owner::User(UserId::draw(&mut SysRng).expect("entropy"));
        let (token, _) = Token::issue(grant(owner), &mut SysRng, Timestamp::from_seconds(0)).expect("entropy");
        assert_eq!(token.forget_at, Timestamp::from_seconds(60 + 604_800));
    }

    #[test]
    fn a_token_is_being_replaced_for_no_longer_than_a_function_runs() {
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
    fn a_session_is_read_as_it_was_written() {
        let session = Session::draw(&mut SysRng).expect("entropy");
        assert_eq!(Session::from_bytes(session.as_bytes()), Some(session));
        assert_ne!(Session::draw(&mut SysRng).expect("entropy"), session);
        assert!(Session::from_bytes(&[0; 15]).is_none());
    }

    #[test]
    fn a_users_token_leads_to_the_users_domain() {
        let user = user();
        let domain = DomainKey::of(&user.domain);
        let grant = Grant {
            domain: Some(domain),
            ..grant(Owner::User(user.id))
        };
        let (token, text) = Token::issue(grant, &mut SysRng, Timestamp::from_seconds(100)).expect("entropy");
        let read = Presented::parse(text.expose()).expect("our own text");
        assert_eq!((&read.owner, read.domain), (&token.owner, Some(domain)));
        // Whoever writes another domain into a token has another token.
        let other = DomainKey::from_bytes([7; 16]);
        let owner = URL_SAFE_NO_PAD.encode([&user.id.as_bytes()[..], other.as_bytes()].concat());
        let secret = text.expose().split_once('.').expect("two parts").1;
        let forged = Presented::parse(&format!("u{owner}.{secret}")).expect("well-formed");
        assert_eq!(forged.domain, Some(other));
        assert!(!forged.digest.matches(&token.digest));
    }

    #[test]
    fn what_we_cannot_have_issued_is_nothing() {
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
