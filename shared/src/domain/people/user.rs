//! Users: people with an account in one domain.

use std::collections::BTreeMap;

use rand::TryCryptoRng;

use super::{
    claim,
    id::{ClientId, DomainKey, UserId, UserNumber},
    name::{DisplayName, DomainName, EmailAddress, Login},
    tenant::Options,
};
use crate::domain::{
    auth::{
        lockout::Lockout,
        token::{Session, Token},
    },
    crypto::secret::{NoEntropy, random_bytes},
    password::PasswordHash,
    time::Timestamp,
};

/// A person with an account in one domain.
#[derive(Clone, Debug)]
pub struct User {
    /// The user id.
    pub id: UserId,
    /// A number that identifies the user, unique within the domain: the id is derived from it.
    pub number: Option<UserNumber>,
    /// The domain (tenant) of the account.
    pub domain: DomainName,
    /// Mail address, unique within the domain.
    pub email: EmailAddress,
    /// Login name, unique within the domain.
    pub login: Login,
    /// The claims to the login's look-alikes, as computed at the time: another version of Unicode may give others.
    /// Users who predate these claims have none, and are not protected from look-alikes.
    pub looks: Vec<[u8; 32]>,
    /// Display name.
    pub name: DisplayName,
    /// Password, hashed.
    pub password: PasswordHash,
    /// Custom fields: from the domain's template, and from the registration.
    pub opts: Options,
    /// May look up and revoke the support PINs of the domain's users.
    pub is_admin: bool,
    /// Failed attempts, and whether the user is blocked.
    pub lockout: Lockout,
    /// The session of each client that the user has signed in to: tokens of another session are invalid.
    pub sessions: Sessions,
    /// Tokens, links and support PINs of another generation are invalid: raising it revokes all of a user's in one
    /// write.
    pub token_generation: u64,
    /// The phone whose code authenticated the user last, by when it was set ([`super::factor::FactorPhone::set_at`]).
    pub verified_phone: Option<Timestamp>,
    /// When the account was created.
    pub inserted_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// The invocation that changed the lockout last: its own retry after a lost response is recognized.
    pub changed_by: String,
}

/// Sessions by client.
pub type Sessions = BTreeMap<ClientId, Session>;

/// The fields of a new account.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// A number that identifies the user, if any.
    pub number: Option<UserNumber>,
    /// The domain (tenant) of the account.
    pub domain: DomainName,
    /// Mail address.
    pub email: EmailAddress,
    /// Login name.
    pub login: Login,
    /// Display name.
    pub name: DisplayName,
    /// Password, hashed.
    pub password: PasswordHash,
    /// Custom fields.
    pub opts: Options,
    /// May look up and revoke the support PINs of the domain's users, and administer the users themselves.
    pub is_admin: bool,
}

impl User {
    /// Creates an account, with a random id if it has no number.
    ///
    /// A user who gets the number of an erased user gets that id again. Nothing that was issued to the erased user may
    /// be valid for the new one: so the generation starts at a random number.
    ///
    /// # Errors
    /// [`NoEntropy`] when the generator fails.
    pub fn new(new: NewUser, rng: &mut impl TryCryptoRng, now: Timestamp) -> Result<Self, NoEntropy> {
        let NewUser {
            number,
            domain,
            email,
            login,
            name,
            password,
            opts,
            is_admin,
        } = new;
        let (id, token_generation) = match number {
            Some(number) => {
                // This leaves room above for every increment.
                let generation = u64::from_be_bytes(random_bytes(rng)?) >> 2;
                (UserId::of_number(DomainKey::of(&domain), number), generation)
            }
            None => (UserId::draw(rng)?, 0),
        };
        Ok(Self {
            id,
            number,
            looks: claim::looks(&domain, &login),
            domain,
            email,
            login,
            name,
            password,
            opts,
            is_admin,
            lockout: Lockout::default(),
            sessions: Sessions::new(),
            token_generation,
            verified_phone: None,
            inserted_at: now,
            updated_at: now,
            changed_by: String::new(),
        })
    }

    /// The domain, as tokens carry it.
    #[must_use]
    pub fn domain_key(&self) -> DomainKey {
        DomainKey::of(&self.domain)
    }

    /// Whether this user may administer `other`: administrators are limited to their own domain.
    #[must_use]
    pub fn administers(&self, other: &Self) -> bool {
        self.is_admin && self.domain == other.domain
    }

    /// Whether a token issued to this user is invalid: revoked with all others (by a reset or by the operator),
    /// replaced by another session with its client, revoked on its own, or ended by a block that has itself expired.
    #[must_use]
    pub fn has_ended(&self, token: &Token, now: Timestamp) -> bool {
        let (lockout, lane) = (&self.lockout, token.lane());
        let outlived_by_block =
            lockout.active_block_of(lane, now).is_none() && lockout.has_ended_in(lane, token.issued_at);
        let other_session = match token.session {
            None => false,
            Some(session) => self.sessions.get(&token.client) != Some(&session),
        };
        token.revoked_at.is_some() || token.generation != self.token_generation || other_session || outlived_by_block
    }

    /// The end of the account's first day, in which a factor that is not established is sent few messages.
    #[must_use]
    pub fn first_day_ends(&self) -> Timestamp {
        self.inserted_at.deadline(86_400)
    }

    /// The generation under which tokens are valid once the lockout is `next`: what a block invalidated stays invalid
    /// when it is removed.
    #[must_use]
    pub fn generation_after(&self, next: &Lockout) -> u64 {
        let goes = self.lockout.block.is_some() && next.block.is_none();
        self.token_generation + u64::from(goes)
    }

    /// The user with that lockout, as it is stored.
    #[must_use]
    pub fn with_lockout(self, next: Lockout, now: Timestamp) -> Self {
        Self {
            token_generation: self.generation_after(&next),
            lockout: next,
            updated_at: now,
            ..self
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use rand::rngs::SysRng;

    use super::*;
    use crate::domain::auth::{
        lockout::{Block, Why},
        token::{Grant, Owner, tests::grant},
    };

    /// A sample user.
    pub(crate) fn user() -> User {
        User {
            id: UserId::draw(&mut SysRng).expect("entropy"),
            number: None,
            domain: DomainName::parse("pbx.era-platform.ru").expect("a domain"),
            email: EmailAddress::parse("my.address@yandex.ru").expect("an address"),
            login: Login::parse("my_login").expect("a login"),
            looks: Vec::new(),
            name: DisplayName::parse("My Name").expect("a name"),
            password: PasswordHash::from_stored(String::new()),
            opts: Options::new(),
            is_admin: false,
            lockout: Lockout::default(),
            sessions: Sessions::new(),
            token_generation: 0,
            verified_phone: None,
            inserted_at: Timestamp::from_seconds(0),
            updated_at: Timestamp::from_seconds(0),
            changed_by: String::new(),
        }
    }

    #[test]
    fn an_administrator_administers_only_the_own_domain() {
        let other = DomainName::parse("other.example").expect("a domain");
        for (is_admin, domain, reaches) in [
            (true, user().domain, true),
            (false, user().domain, false),
            (true, other.clone(), false),
            (false, other, false),
        ] {
            let caller = User { is_admin, ..user() };
            let about = User { domain, ..user() };
            assert_eq!(caller.administers(&about), reaches, "{is_admin} {:?}", about.domain);
        }
    }

    #[test]
    fn a_token_is_revoked_in_four_ways() {
        let session = || Session::draw(&mut SysRng).expect("entropy");
        let own = session();
        let user = User {
            token_generation: 3,
            ..user()
        };
        let grant = Grant {
            generation: 3,
            session: Some(own),
            ..grant(Owner::User(user.id))
        };
        let (token, _) = Token::issue(grant, &mut SysRng, Timestamp::from_seconds(100)).expect("entropy");
        let with = |session: Session| User {
            sessions: Sessions::from([(token.client.clone(), session)]),
            ..user.clone()
        };
        let block = |until| Lockout {
            block: Some(Block {
                why: Why::Decision,
                at: Timestamp::from_seconds(100),
                until: Some(Timestamp::from_seconds(until)),
            }),
            ..Lockout::default()
        };
        let now = Timestamp::from_seconds(200);
        let alive = with(own);
        let revoked = Token {
            revoked_at: Some(now),
            ..token.clone()
        };
        let of_no_session = Token {
            session: None,
            ..token.clone()
        };
        for (user, token, has_ended) in [
            (alive.clone(), &token, false),
            (alive.clone(), &revoked, true),
            (with(session()), &token, true),
            (with(session()), &of_no_session, false),
            (user.clone(), &token, true),
            (
                User {
                    token_generation: 4,
                    ..alive.clone()
                },
                &token,
                true,
            ),
            // While the block is active, the refusal is another than that the token is invalid.
            (
                User {
                    lockout: block(201),
                    ..alive.clone()
                },
                &token,
                false,
            ),
            (
                User {
                    lockout: block(200),
                    ..alive
                },
                &token,
                true,
            ),
        ] {
            assert_eq!(user.has_ended(token, now), has_ended, "{user:?} {token:?}");
        }
    }

    #[test]
    fn removing_a_block_increments_the_token_generation() {
        let blocked = Lockout::default().decided(Timestamp::from_seconds(1)).expect("no block stands");
        for (before, after, generation) in [
            (Lockout::default(), Lockout::default(), 7),
            (Lockout::default(), blocked, 7),
            (blocked, blocked, 7),
            (blocked, Lockout::default(), 8),
        ] {
            let user = User {
                lockout: before,
                token_generation: 7,
                ..user()
            };
            assert_eq!(user.generation_after(&after), generation, "{before:?} {after:?}");
        }
    }
}
