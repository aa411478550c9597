//! Users: people with an account in one domain.

use std::collections::BTreeMap;

use rand::TryCryptoRng;

use super::{
    claim,
    id::{ClientId, DomainKey, UserId, UserNumber},
    lockout::Lockout,
    name::{DisplayName, DomainName, EmailAddress, Login},
    password::PasswordHash,
    secret::{NoEntropy, random_bytes},
    tenant::Options,
    time::Timestamp,
    token::{Session, Token},
};

/// A person with an account in one domain.
#[derive(Clone, Debug)]
pub struct User {
    /// Who.
    pub id: UserId,
    /// A number that leads to the user, once in the domain: the id is derived from it.
    pub number: Option<UserNumber>,
    /// The domain (tenant) of the account.
    pub domain: DomainName,
    /// Mail address, once in the domain.
    pub email: EmailAddress,
    /// Login name, once in the domain.
    pub login: Login,
    /// The claims to what the login looks like, as they were made: another version of Unicode may find others. A user of before
    /// there were such claims has none, and is not protected from look-alikes.
    pub looks: Vec<[u8; 32]>,
    /// Display name.
    pub name: DisplayName,
    /// Password, hashed.
    pub password: PasswordHash,
    /// Free fields: what the domain's template says, and what was registered.
    pub opts: Options,
    /// May look up and revoke the support PINs of the domain's users.
    pub is_admin: bool,
    /// What failed, and whether the user is blocked.
    pub lockout: Lockout,
    /// The session of each client that the user has signed in to: a token of another session has ended.
    pub sessions: Sessions,
    /// A token, a link or a support PIN issued under another number has ended: raising it ends all of a user's in one
    /// write.
    pub token_generation: u64,
    /// The phone whose code let the user in last, by when it was set ([`super::factor::Factor::phone_set_at`]).
    pub verified_phone: Option<Timestamp>,
    /// When the account was made.
    pub inserted_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// The invocation that changed where the user stands last: its own repetition, after an answer that was lost, is told so.
    pub changed_by: String,
}

/// Sessions, by the client that they were begun with.
pub type Sessions = BTreeMap<ClientId, Session>;

/// What a new account is made of.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// A number that leads to the user, if there is to be one.
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
    /// Free fields.
    pub opts: Options,
    /// May look up and revoke the support PINs of the domain's users, and act upon the users themselves.
    pub is_admin: bool,
}

impl User {
    /// Makes an account, with a random id where it has no number.
    ///
    /// Whoever gets the number of a user who was erased gets that id again. Nothing that was issued to the one before may be good
    /// for the next: so the generation begins at a random number.
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
                // With room above for all that will be counted.
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

    /// Whether this administrator's word reaches `other`: only within one domain.
    #[must_use]
    pub fn administers(&self, other: &Self) -> bool {
        self.is_admin && self.domain == other.domain
    }

    /// Whether a token that was issued to this user has ended: with all others (a reset, the operator's word), by another
    /// session with its client, by its own revocation, or by a block that is over itself.
    #[must_use]
    pub fn has_ended(&self, token: &Token, now: Timestamp) -> bool {
        let outlived_by_block = self.lockout.standing(now).is_none() && self.lockout.has_ended(token.issued_at);
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

    /// The generation under which tokens are good once the lockout is `next`: what ended with a block that goes does not
    /// come back.
    #[must_use]
    pub fn generation_after(&self, next: &Lockout) -> u64 {
        let goes = self.lockout.block.is_some() && next.block.is_none();
        self.token_generation + u64::from(goes)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use rand::rngs::SysRng;

    use super::*;
    use crate::domain::{
        lockout::{Block, Why},
        token::{Grant, Owner, tests::grant},
    };

    /// Somebody.
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
    fn an_administrator_reaches_the_own_domain() {
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
    fn a_token_ends_in_four_ways() {
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
            // While the block stands, the answer is another one than that the token has ended.
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
    fn a_block_that_goes_takes_a_generation_with_it() {
        let blocked = Lockout::default()
            .decided(Timestamp::from_seconds(1))
            .expect("no block stands");
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
