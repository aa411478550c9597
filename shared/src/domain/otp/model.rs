//! The argument that the shape holds, as a program: several clients of one account act at once, and a model checker goes
//! through every order in which their steps can happen, with crashes, lost answers and the passing of time.
//!
//! A call is what a function does. It reads the user's row and the record of the codes, in whichever order (a batch is no
//! snapshot), and judges both with the very rules that are deployed. What they say is stored in one transaction, on the
//! condition that what it takes the place of is still as it was read; only then is the caller told. Where the condition
//! fails the verdict is thrown away, and everything is read and judged again. Between any two of these steps others may
//! do whatever they do, and the properties must hold in every state that can be reached.
//!
//! The user's row holds the counts of [`crate::domain::lockout`], and says which 2FA token is good: that of the newest
//! login, until an access token is made or the user is blocked.
//!
//! Other designs take the same steps, but for one thing each. The checker must find what breaks them: that is how we know
//! that it would have found what breaks ours.
//!
//! - `calls`: what a call does with what it has read
//! - `steps`: what can happen next, and what comes of it
//! - `properties`: what must hold
//! - `tests`: who does what

mod calls;
mod properties;
mod steps;
mod tests;

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use super::{Otps, Policy};
use crate::domain::{
    key::{Keyring, OtpCodes},
    lockout::{self, Lockout},
    phone::Phone,
};

/// What a call does, and in which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Design {
    /// As it is deployed.
    Ours,
    /// Writes without a condition, on the strength of an old read.
    Unconditional,
    /// The record of the codes must be as it was read, the user's row need not.
    OneCondition,
    /// The counts belong to the code: a new one begins with none.
    CountsOnCode,
    /// Tells the verdict, then counts the guess.
    TellsFirst,
    /// Takes the repetition of a transaction whose answer was lost for another transaction.
    NoRequestToken,
    /// Uses the code up in one write, and makes the access token in the next.
    TwoWrites,
}

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Call {
    /// Gives the password: a new login, with a code of its own.
    Login,
    /// Has a new code sent for its login.
    Resend,
    /// Takes back the code that it made last: the message could not be sent.
    TakeBack,
    /// Gives a code.
    Give(Which),
}

/// Which code a client gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Which {
    /// One that there never was.
    Wrong,
    /// The newest that arrived.
    Newest,
    /// The one before.
    Earlier,
}

/// What a client asks for, one call after another.
#[derive(Clone, Copy, Debug)]
enum Program {
    /// These calls, whatever is answered.
    Calls(&'static [Call]),
    /// The owner: gives the newest code, asks again after an error, and logs in anew after a refusal.
    Owner,
}

/// Who does what, and what may go wrong.
#[derive(Clone, Debug)]
struct Scenario {
    design: Design,
    policy: Policy,
    lockout: lockout::Policy,
    programs: Vec<Program>,
    /// So many crashes and lost answers.
    faults: u8,
    /// So many times the life of a code passes.
    lives: u8,
    /// In the end exactly so many guesses were compared, if that is certain.
    compared: Option<usize>,
    keys: Arc<Keyring<OtpCodes>>,
    phone: Phone,
}

/// The store, the clients, and what has been seen so far.
#[derive(Clone, Debug, PartialEq, Hash)]
struct World {
    /// Seconds since the first login.
    now: u64,
    otps: Record,
    user: User,
    clients: Vec<Client>,
    /// Crashes and lost answers that may still come.
    faults: u8,
    /// Lives of a code that may still pass.
    lives: u8,
    /// Codes that were made; each is known by its number.
    made: u8,
    /// The newest code that arrived.
    arrived: u8,
    seen: Seen,
}

/// The user's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct User {
    lockout: Lockout,
    /// Logins so far; each is known by its number.
    logins: u8,
    /// Whether the 2FA token of the newest login is good.
    is_open: bool,
}

/// The record of the codes. It is the same when nothing to come can tell it apart: all happens within every rolling
/// window, so that only the number of guesses matters.
#[derive(Clone, Debug)]
struct Record(Otps);

/// One client, and where it stands.
#[derive(Clone, Debug, PartialEq, Hash)]
struct Client {
    /// Its place among the clients.
    who: usize,
    /// The login whose 2FA token it holds.
    login: u8,
    /// What it asks for now, or next.
    call: Option<Call>,
    /// How many calls it has behind it.
    done: usize,
    /// How far its call is.
    step: Step,
    /// When its call arrived.
    at: u64,
    /// The code that it gives; 0 is none's number.
    given: u8,
    /// The code that it made last.
    made: u8,
    /// Whether this call has used a code up.
    has_won: bool,
    /// Whether it was given an access token.
    is_in: bool,
}

/// How far a call is.
#[derive(Clone, Debug, PartialEq, Hash)]
enum Step {
    /// Not begun.
    Idle,
    /// It has to read everything again.
    Again,
    /// It has read the user's row first.
    ReadUser(User),
    /// It has read the record of the codes first.
    ReadOtps(Record),
    /// It has read both.
    ReadBoth(User, Record),
    /// Its transaction is stored, and the answer to it was lost.
    Lost(Verdict),
    /// It has used a code up, and owes the access token.
    Owes(Verdict),
}

/// What the rules say on what was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Verdict {
    answer: Answer,
    /// The code that the guess was compared with.
    compared: Option<u8>,
}

/// What a caller is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Answer {
    /// The 2FA token of this login, and that a code is on its way.
    LoggedIn(u8),
    /// That a code is on its way; or nothing, when one was taken back.
    Done,
    /// The access token.
    Right,
    /// That the guess failed.
    Failed,
    /// That the token has ended, that the user is blocked, or that there was too much of late.
    Refused,
    /// That something broke.
    Error,
}

/// What no row holds: what was stored and told, in all.
#[derive(Clone, Debug, Default, PartialEq, Hash)]
struct Seen {
    /// The codes of the comparisons that somebody was told of, in ascending order.
    told: Vec<u8>,
    /// The access tokens that were made, each by its code and its login.
    tokens: Vec<(u8, u8)>,
    /// Comparisons that were stored.
    compared: usize,
    /// Failures that were stored since the last right code.
    failures: u64,
    /// A code was right that could not be any more.
    dead_was_right: bool,
    /// A code was right though the user was blocked.
    blocked_was_right: bool,
    /// Somebody used a code up, and was told otherwise.
    right_was_denied: bool,
}

impl Record {
    fn form(&self) -> impl Hash + PartialEq {
        let code = self.0.code.as_ref();
        let code = code.map(|otp| (otp.id, otp.flow, otp.expires_at, otp.attempts, otp.status.name()));
        let sends: Vec<_> = self.0.sends.iter().map(|act| act.by.clone()).collect();
        (self.0.version, code, self.0.guesses.len(), sends)
    }
}

impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        self.form() == other.form()
    }
}

impl Hash for Record {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.form().hash(state);
    }
}
