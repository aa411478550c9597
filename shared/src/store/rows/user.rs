//! Users: one row each, by user id.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    domain::{
        auth::{
            lockout::{Block, Lockout, Why},
            token::Session,
        },
        password::PasswordHash,
        people::{
            id::{ClientId, UserId, UserNumber},
            name::{DisplayName, DomainName, EmailAddress, Login},
            user::{Sessions, User},
        },
        time::Timestamp,
    },
    store::{
        item::{Corrupt, Item, Reader, Writer, bytes, flag, keys, number, options, text, time},
        table::{Change, Condition, Row},
    },
};

impl Row for User {
    const VARIABLE: &'static str = "USERS_TABLE";
    const KEY: &'static str = "user_id";
    type Id = UserId;

    fn key(id: &UserId) -> AttributeValue {
        text(id.text())
    }

    fn to_item(&self) -> Item {
        Writer::default()
            .with(Self::KEY, text(self.id.text()))
            .with("domain", text(self.domain.as_str()))
            .with("email", text(self.email.as_str()))
            .with("login", text(self.login.as_str()))
            .with("looks", keys(&self.looks))
            .with("name", text(self.name.as_str()))
            .with("password", text(self.password.to_stored()))
            .with("opts", options(&self.opts))
            .with("is_admin", flag(self.is_admin))
            .with("token_generation", number(self.token_generation))
            .with("lockout", lockout(&self.lockout))
            .with("client_sessions", sessions_of(&self.sessions))
            .with("inserted_at", time(self.inserted_at))
            .with("updated_at", time(self.updated_at))
            .with("changed_by", text(&self.changed_by))
            .with_some("number", self.number.map(|given| number(given.get())))
            .with_some("verified_phone", self.verified_phone.map(time))
            .item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        Ok(Self {
            id: row.parsed(Self::KEY, UserId::parse)?,
            number: row.optional("number", |row, name| UserNumber::new(row.number(name)?).ok_or(Corrupt(name)))?,
            domain: row.parsed("domain", |text| DomainName::parse(text).ok())?,
            email: row.parsed("email", |text| EmailAddress::parse(text).ok())?,
            login: row.parsed("login", |text| Login::parse(text).ok())?,
            looks: match row.has("looks") {
                true => row.keys("looks")?,
                false => Vec::new(),
            },
            name: row.parsed("name", |text| DisplayName::parse(text).ok())?,
            password: PasswordHash::from_stored(row.text("password")?.to_owned()),
            opts: row.options("opts")?,
            is_admin: row.flag("is_admin")?,
            lockout: read_lockout(row.map("lockout")?)?,
            sessions: read_sessions(row.map("client_sessions")?).ok_or(Corrupt("client_sessions"))?,
            token_generation: row.number("token_generation")?,
            verified_phone: row.optional("verified_phone", Reader::time)?,
            inserted_at: row.time("inserted_at")?,
            updated_at: row.time("updated_at")?,
            changed_by: row.text("changed_by")?.to_owned(),
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        None
    }
}

/// Sets a user's lockout, and with it the token generation (see [`User::generation_after`]). Refused when the user has
/// changed since the read in a way that affects the decision (optimistic locking).
#[must_use]
pub fn set_lockout(read: &User, next: &Lockout, by: &str, now: Timestamp) -> Change {
    let mut values = lockout_values(read, next, now);
    values.push((":by", text(by)));
    Change {
        update: "SET lockout = :lockout, token_generation = :generation, updated_at = :now, changed_by = :by",
        condition: "lockout = :read AND token_generation = :issued",
        values,
    }
}

/// Counts one allowed wrong password of a user who is not blocked: of concurrent failures none is lost, and none waits
/// for another. Refused when so many have failed that the next one exceeds the limit, or when the user was blocked or
/// has a new password since.
#[must_use]
pub fn wrong_password(read: &User, forgiven: u64, now: Timestamp) -> Change {
    Change {
        update: "SET lockout.passwords = lockout.passwords + :one, updated_at = :now",
        condition: "lockout.passwords < :forgiven AND attribute_not_exists(lockout.why) AND token_generation = :issued",
        values: vec![
            (":one", number(1)),
            (":now", time(now)),
            (":forgiven", number(forgiven)),
            (":issued", number(read.token_generation)),
        ],
    }
}

/// Like [`set_lockout`], for a user who starts a session with a client, and whose password may have been rehashed. It
/// replaces the sessions that were read.
#[must_use]
pub fn sign_in(read: &User, next: &Lockout, sessions: &Sessions, password: &PasswordHash, now: Timestamp) -> Change {
    let mut values = lockout_values(read, next, now);
    values.push((":sessions", sessions_of(sessions)));
    values.push((":before", sessions_of(&read.sessions)));
    values.push((":password", text(password.to_stored())));
    Change {
        update: "SET lockout = :lockout, token_generation = :generation, updated_at = :now, client_sessions = :sessions, \
                 password = :password",
        condition: "lockout = :read AND token_generation = :issued AND client_sessions = :before",
        values,
    }
}

/// Like [`sign_in`], for a user authenticated by a code that was sent to the phone set at `verified`.
#[must_use]
pub fn sign_in_by_code(
    read: &User,
    next: &Lockout,
    sessions: &Sessions,
    verified: Timestamp,
    now: Timestamp,
) -> Change {
    let mut change = sign_in(read, next, sessions, &read.password, now);
    change.values.push((":verified", time(verified)));
    change.update = "SET lockout = :lockout, token_generation = :generation, updated_at = :now, client_sessions = :sessions, \
                     password = :password, verified_phone = :verified";
    change
}

/// Starts a session with a client from a known device; `verified` is when the phone was set whose code authenticated the
/// user, if one did. The lockout, which failures of others change at any time, is neither read nor written. Refused when
/// the user was blocked by an administrator since the read, or has another generation or other sessions.
#[must_use]
pub fn sign_in_from_device(
    read: &User,
    sessions: &Sessions,
    password: &PasswordHash,
    verified: Option<Timestamp>,
    now: Timestamp,
) -> Change {
    let mut values = vec![
        (":now", time(now)),
        (":issued", number(read.token_generation)),
        (":sessions", sessions_of(sessions)),
        (":before", sessions_of(&read.sessions)),
        (":password", text(password.to_stored())),
        (":decision", text(Why::Decision.name())),
    ];
    let update = match verified {
        Some(set_at) => {
            values.push((":verified", time(set_at)));
            "SET updated_at = :now, client_sessions = :sessions, password = :password, verified_phone = :verified"
        }
        None => "SET updated_at = :now, client_sessions = :sessions, password = :password",
    };
    Change {
        update,
        condition: "token_generation = :issued AND client_sessions = :before AND \
                    (attribute_not_exists(lockout.why) OR lockout.why <> :decision)",
        values,
    }
}

fn lockout_values(read: &User, next: &Lockout, now: Timestamp) -> Vec<(&'static str, AttributeValue)> {
    vec![
        (":lockout", lockout(next)),
        (":generation", number(read.generation_after(next))),
        (":now", time(now)),
        (":read", lockout(&read.lockout)),
        (":issued", number(read.token_generation)),
    ]
}

/// A write that always fails its condition, for a random id. It takes as long as counting a failure, so timing does not
/// reveal whether a user exists (enumeration).
#[must_use]
pub fn never_matches(by: &str) -> Change {
    Change {
        update: "SET changed_by = :by",
        condition: "attribute_exists(user_id)",
        values: vec![(":by", text(by))],
    }
}

/// Restores the previous sessions, if those that replaced them are still stored.
#[must_use]
pub fn resume(begun: &Sessions, before: &Sessions) -> Change {
    Change {
        update: "SET client_sessions = :before",
        condition: "client_sessions = :begun",
        values: vec![(":begun", sessions_of(begun)), (":before", sessions_of(before))],
    }
}

/// Revokes the tokens of one session; refused when it has ended already.
#[must_use]
pub fn end_session(read: &User, client: &ClientId) -> Change {
    let mut sessions = read.sessions.clone();
    sessions.remove(client);
    Change {
        update: "SET client_sessions = :sessions",
        condition: "client_sessions = :before",
        values: vec![
            (":sessions", sessions_of(&sessions)),
            (":before", sessions_of(&read.sessions)),
        ],
    }
}

/// Revokes every token of a user, in one write; refused when there is no such user.
#[must_use]
pub fn end_tokens() -> Change {
    Change {
        update: "ADD token_generation :one",
        condition: "attribute_exists(user_id)",
        values: vec![(":one", number(1))],
    }
}

/// Grants or revokes a user's administrator rights; refused when there is no such user.
#[must_use]
pub fn set_admin(is_admin: bool, now: Timestamp) -> Change {
    Change {
        update: "SET is_admin = :next, updated_at = :now",
        condition: "attribute_exists(user_id)",
        values: vec![(":next", flag(is_admin)), (":now", time(now))],
    }
}

/// Locks out a user who is about to be erased, in one write: sign-in fails, and everything that was issued is invalid.
/// Concurrent decisions on the row as it was before are refused when they are written. Refused when the user has
/// changed since the read.
#[must_use]
pub fn shut_out(read: &User, by: &str, now: Timestamp) -> Change {
    let decided = read.lockout.decided(now).unwrap_or(read.lockout);
    Change {
        update: "SET lockout = :decided, updated_at = :now, changed_by = :by ADD token_generation :one",
        condition: "lockout = :read AND token_generation = :issued",
        values: vec![
            (":decided", lockout(&decided)),
            (":now", time(now)),
            (":by", text(by)),
            (":one", number(1)),
            (":read", lockout(&read.lockout)),
            (":issued", number(read.token_generation)),
        ],
    }
}

/// The user exists, and nothing has revoked what was issued to it since the read: writes about a user in other tables
/// depend on that, so that nothing reappears once a user is erased.
#[must_use]
pub fn is_there(read: &User) -> Condition {
    has_generation(read.token_generation)
}

/// The user exists, and its tokens are valid under that generation.
#[must_use]
pub fn has_generation(generation: u64) -> Condition {
    Condition {
        expression: "token_generation = :issued",
        values: vec![(":issued", number(generation))],
    }
}

/// Like [`is_there`], and the user's lockout is unchanged.
#[must_use]
pub fn has_lockout_of(read: &User) -> Condition {
    Condition {
        expression: "token_generation = :issued AND lockout = :read",
        values: vec![
            (":issued", number(read.token_generation)),
            (":read", lockout(&read.lockout)),
        ],
    }
}

/// A row belongs to that user: claims, tokens and password reset requests refer to the user alike.
#[must_use]
pub fn owns(user: UserId) -> Condition {
    Condition {
        expression: "user_id = :user",
        values: vec![(":user", text(user.text()))],
    }
}

/// No user has that id.
#[must_use]
pub fn is_absent() -> Condition {
    Condition {
        expression: "attribute_not_exists(user_id)",
        values: Vec::new(),
    }
}

/// Sets a new password, revokes everything issued under the old one, and resets failed attempts. A block by failures
/// is removed, another one stays. Refused when the generation has changed since the read, or when the user was blocked
/// since then.
#[must_use]
pub fn set_password(read: &User, password: &PasswordHash, now: Timestamp) -> Change {
    let next = Lockout {
        block: read.lockout.block.filter(|block| !block.why.is_failures()),
        ..Lockout::default()
    };
    let mut values = vec![
        (":new", text(password.to_stored())),
        (":lockout", lockout(&next)),
        (":now", time(now)),
        (":one", number(1)),
        (":generation", number(read.token_generation)),
    ];
    // Concurrent guesses at the old password do not prevent setting the new one.
    let condition = match read.lockout.block {
        None => "token_generation = :generation AND attribute_not_exists(lockout.why)",
        Some(block) => {
            values.extend([(":why", text(block.why.name())), (":since", time(block.at))]);
            "token_generation = :generation AND lockout.why = :why AND lockout.#at = :since"
        }
    };
    Change {
        update: "SET password = :new, lockout = :lockout, updated_at = :now ADD token_generation :one",
        condition,
        values,
    }
}

fn lockout(lockout: &Lockout) -> AttributeValue {
    let row = Writer::default().with("passwords", number(lockout.passwords)).with("otps", number(lockout.otps));
    let row = match &lockout.block {
        None => row,
        Some(block) => row
            .with("why", text(block.why.name()))
            .with("at", time(block.at))
            .with_some("until", block.until.map(time)),
    };
    AttributeValue::M(row.item())
}

fn read_lockout(item: &Item) -> Result<Lockout, Corrupt> {
    let row = Reader(item);
    let block = match row.has("why") {
        false => None,
        true => Some(Block {
            why: row.parsed("why", Why::parse)?,
            at: row.time("at")?,
            until: row.optional("until", Reader::time)?,
        }),
    };
    Ok(Lockout {
        passwords: row.number("passwords")?,
        otps: row.number("otps")?,
        block,
    })
}

fn sessions_of(sessions: &Sessions) -> AttributeValue {
    let entries = sessions.iter();
    let entries = entries.map(|(client, session)| (client.as_str().to_owned(), bytes(*session.as_bytes())));
    AttributeValue::M(entries.collect())
}

fn read_sessions(item: &Item) -> Option<Sessions> {
    let entry = |(client, session): (&String, &AttributeValue)| {
        let session = session.as_b().ok()?;
        Some((ClientId::parse(client)?, Session::from_bytes(session.as_ref())?))
    };
    item.iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::people::user::tests::user;

    #[test]
    fn a_new_password_removes_only_a_block_by_failures() {
        let password = PasswordHash::from_stored("$argon2id$v=19$…".into());
        for (why, is_unblocked) in [(Why::Passwords, true), (Why::Otps, true), (Why::Decision, false)] {
            let block = Block {
                why,
                at: Timestamp::from_seconds(50),
                until: Some(Timestamp::from_seconds(60)),
            };
            let read = User {
                lockout: Lockout {
                    passwords: 3,
                    otps: 2,
                    block: Some(block),
                },
                ..user()
            };
            let change = set_password(&read, &password, Timestamp::from_seconds(55));
            let of = |name: &str| change.values.iter().find(|(found, _)| *found == name).map(|(_, value)| value);
            let lockout = of(":lockout").and_then(|value| value.as_m().ok()).expect("a map");
            assert_eq!(lockout.contains_key("why"), !is_unblocked, "{why:?}");
            assert_eq!((lockout["passwords"].as_n(), lockout["otps"].as_n()), (Ok(&"0".into()), Ok(&"0".into())));
        }
    }

    #[test]
    fn a_login_from_a_known_device_leaves_the_lockout_as_it_is() {
        let read = user();
        for verified in [None, Some(Timestamp::from_seconds(7))] {
            let change =
                sign_in_from_device(&read, &read.sessions, &read.password, verified, Timestamp::from_seconds(9));
            assert!(!change.update.contains("lockout") && !change.update.contains("token_generation"));
            assert!(!change.condition.contains("lockout = "), "failures of others change it at any time");
            assert_eq!(change.update.contains("verified_phone = :verified"), verified.is_some());
            // Every placeholder has its value, and none is left over.
            for (name, _) in &change.values {
                assert!(change.update.contains(name) || change.condition.contains(name), "{name}");
            }
        }
    }
}
