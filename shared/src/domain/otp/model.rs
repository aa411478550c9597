//! A model of the design, as a program: several clients of one account make concurrent calls, and a model checker
//! explores every order of their steps, with crashes, lost responses and the passing of time.
//!
//! A call is what a function does. It reads the user's row and the code record, in either order (a batch is no
//! snapshot), and checks both with the very rules that are deployed. The result is stored in one transaction, on the
//! condition that the rows are still as read (optimistic locking); only then is the caller answered. If the condition
//! fails, the verdict is discarded, and everything is read and checked again. Between any two of these steps other
//! clients may take theirs, and the properties must hold in every reachable state.
//!
//! The user's row holds the counters of [`crate::domain::auth::lockout`], and which 2FA token is valid: that of the newest
//! login, until an access token is issued or the user is blocked.
//!
//! Each other design differs from ours in one step. The checker must find what breaks it: this shows that it would also
//! find a flaw in ours.
//!
//! - `calls`: what a call does with what it has read
//! - `steps`: which steps are possible next, and their effects
//! - `properties`: what must hold
//! - `tests`: the scenarios

mod calls;
mod properties;
mod steps;
mod tests;

use std::{hash::Hash, sync::Arc};

use super::{Otps, Policy};
use crate::domain::{
    auth::lockout::{self, Lockout},
    crypto::key::{Keyring, OtpCodes},
    model::compared_by_form,
    people::phone::Phone,
};

/// The design of a call: what it does, and in which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Design {
    /// The deployed design.
    Ours,
    /// Writes without a condition, based on a stale read.
    Unconditional,
    /// Only the code record must be as read, not the user's row.
    OneCondition,
    /// The counters belong to the code: a new code resets them.
    CountsOnCode,
    /// Returns the verdict before counting the guess.
    AnswersFirst,
    /// Treats the retry of a transaction whose response was lost as another transaction.
    NoRequestToken,
    /// Consumes the code in one write, and issues the access token in the next.
    TwoWrites,
}

/// A client's request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Call {
    /// Sends the password: a new login, with its own code.
    Login,
    /// Requests a new code for its login.
    Resend,
    /// Cancels the code that it issued last: the message could not be sent.
    TakeBack,
    /// Sends a code.
    Give(Which),
}

/// Which code a client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Which {
    /// One that never existed.
    Wrong,
    /// The newest that arrived.
    Newest,
    /// The one before.
    Earlier,
}

/// The sequence of a client's calls.
#[derive(Clone, Copy, Debug)]
enum Program {
    /// These calls, whatever the responses.
    Calls(&'static [Call]),
    /// The owner: sends the newest code, retries after an error, and logs in anew after a refusal.
    Owner,
}

/// The clients' programs, and the possible faults.
#[derive(Clone, Debug)]
struct Scenario {
    design: Design,
    policy: Policy,
    lockout: lockout::Policy,
    programs: Vec<Program>,
    /// Number of crashes and lost responses.
    faults: u8,
    /// Number of times that the lifetime of a code passes.
    lives: u8,
    /// The exact number of guesses that were compared in the end, if that is certain.
    compared: Option<usize>,
    keys: Arc<Keyring<OtpCodes>>,
    phone: Phone,
}

/// The state: the store, the clients, and what was observed so far.
#[derive(Clone, Debug, PartialEq, Hash)]
struct World {
    /// Seconds since the first login.
    now: u64,
    otps: Record,
    user: User,
    clients: Vec<Client>,
    /// Crashes and lost responses that may still happen.
    faults: u8,
    /// Code lifetimes that may still pass.
    lives: u8,
    /// Number of codes issued; each is identified by its number.
    made: u8,
    /// The newest code that arrived.
    arrived: u8,
    seen: Seen,
}

/// The user's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct User {
    lockout: Lockout,
    /// Number of logins; each is identified by its number.
    logins: u8,
    /// Whether the 2FA token of the newest login is valid.
    is_open: bool,
}

/// The code record. Two records are equal when no later step can distinguish them: everything happens within every
/// rolling window, so that only the number of guesses matters.
#[derive(Clone, Debug)]
struct Record(Otps);

/// One client, and its state.
#[derive(Clone, Debug, PartialEq, Hash)]
struct Client {
    /// Its index among the clients.
    who: usize,
    /// The login whose 2FA token it holds.
    login: u8,
    /// Its current or next call.
    call: Option<Call>,
    /// Number of completed calls.
    done: usize,
    /// The step of its call.
    step: Step,
    /// When its call arrived.
    at: u64,
    /// The code that it sends; no code has number 0.
    given: u8,
    /// The code that it issued last.
    made: u8,
    /// Whether this call has consumed a code.
    has_won: bool,
    /// Whether it received an access token.
    is_in: bool,
}

/// The step of a call.
#[derive(Clone, Debug, PartialEq, Hash)]
enum Step {
    /// Not started.
    Idle,
    /// It must read everything again.
    Again,
    /// It has read the user's row first.
    ReadUser(User),
    /// It has read the code record first.
    ReadOtps(Record),
    /// It has read both.
    ReadBoth(User, Record),
    /// Its transaction is stored, and the response was lost.
    Lost(Verdict),
    /// It has consumed a code, and has yet to issue the access token.
    Owes(Verdict),
}

/// The result of the rules on what was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Verdict {
    answer: Answer,
    /// The code that the guess was compared with.
    compared: Option<u8>,
}

/// The response to a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Answer {
    /// The 2FA token of this login; a code was sent.
    LoggedIn(u8),
    /// A code was sent; or an empty response, when one was canceled.
    Done,
    /// The access token.
    Right,
    /// The guess failed.
    Failed,
    /// The token is invalid, the user is blocked, or the call is rate limited.
    Refused,
    /// An internal error.
    Error,
}

/// Observations that no row holds: everything that was stored and returned.
#[derive(Clone, Debug, Default, PartialEq, Hash)]
struct Seen {
    /// The codes of the comparisons whose verdict a caller received, in ascending order.
    answered: Vec<u8>,
    /// The access tokens issued, each by its code and its login.
    tokens: Vec<(u8, u8)>,
    /// Comparisons that were stored.
    compared: usize,
    /// Failures stored since the last right code.
    failures: u64,
    /// A code was accepted after it had ended.
    dead_was_right: bool,
    /// A code was accepted while the user was blocked.
    blocked_was_right: bool,
    /// A caller consumed a code, and got another response.
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

compared_by_form!(Record);
