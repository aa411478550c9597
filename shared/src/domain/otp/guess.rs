//! What is submitted as a second factor, and what it is compared with.

use super::code::{Binding, Code};
use crate::domain::{
    crypto::key::{self, Keyring},
    people::id::UserId,
    recovery::{RecoveryCode, RecoveryCodes},
    totp::{Parameters, Step, TotpSecret},
};

/// A submitted text, parsed: what it may be.
#[derive(Clone, Debug)]
pub enum Submitted {
    /// Digits.
    Digits {
        /// As a code by text message, if there are as many of them as such a code has.
        sms: Option<Code>,
        /// As a code of an authenticator app, likewise.
        totp: Option<Code>,
    },
    /// A recovery code.
    Recovery(RecoveryCode),
}

impl Submitted {
    /// Parses a text. `length` is the number of digits of a code by text message. `None` for a text that cannot be any
    /// of these, and so does not count as a guess.
    #[must_use]
    pub fn parse(text: &str, length: usize) -> Option<Self> {
        let (sms, totp) = (Code::parse(text, length), Code::parse(text, Parameters::APP.digits));
        match (sms, totp) {
            (None, None) => RecoveryCode::parse(text).map(Self::Recovery),
            (sms, totp) => Some(Self::Digits { sms, totp }),
        }
    }

    /// A whole number stands for a code without its leading zeros.
    #[must_use]
    pub fn of_number(number: u64, length: usize) -> Option<Self> {
        let code = |length| Code::parse(&format!("{number:0length$}"), length);
        match (code(length), code(Parameters::APP.digits)) {
            (None, None) => None,
            (sms, totp) => Some(Self::Digits { sms, totp }),
        }
    }
}

/// A guess, with everything that it is compared with. It is one guess, whatever it is compared with.
#[derive(Clone, Copy, Debug)]
pub enum Guess<'a> {
    /// Compared with the code by text message that was sent for this login.
    Sms(&'a Binding<'a>, &'a Code),
    /// Compared with the codes of an authenticator app, and then with the code by text message, if there may be one.
    Totp(TotpGuess<'a>, Option<(&'a Binding<'a>, &'a Code)>),
    /// Compared with the unused recovery codes.
    Recovery(RecoveryGuess<'a>),
}

/// A guess at the code of an authenticator app.
#[derive(Clone, Copy, Debug)]
pub struct TotpGuess<'a> {
    /// The app's secret.
    pub secret: &'a TotpSecret,
    /// The guess; `None` for a text that only a code by text message can be: it counts all the same.
    pub code: Option<&'a Code>,
    /// Whether no code of this secret was accepted before: steps accepted with another one do not count.
    pub is_new: bool,
}

/// A guess at a recovery code.
#[derive(Clone, Copy, Debug)]
pub struct RecoveryGuess<'a> {
    /// The owner of the codes.
    pub user: UserId,
    /// The unused ones.
    pub codes: &'a RecoveryCodes,
    /// Their keys.
    pub keys: &'a Keyring<key::RecoveryCodes>,
    /// The guess.
    pub code: &'a RecoveryCode,
}

/// Where guesses are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ledger {
    /// In the rolling rate limit of the user, whatever they are compared with.
    User,
    /// In that of a known device ([`crate::domain::device::Device::guesses`]), which the caller counts.
    Device,
}

/// What a right guess has proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The code by text message.
    Sms,
    /// The authenticator app's code of this step, which is used up.
    Totp(Step),
    /// The recovery code with this digest: remove it in the same transaction, on condition that it is still unused.
    Recovery([u8; 32]),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_as_what_it_may_be() {
        let read = |submitted: Option<Submitted>| match submitted {
            None => "nothing",
            Some(Submitted::Digits {
                sms: Some(_),
                totp: Some(_),
            }) => "both",
            Some(Submitted::Digits {
                sms: Some(_),
                totp: None,
            }) => "sms",
            Some(Submitted::Digits {
                sms: None,
                totp: Some(_),
            }) => "totp",
            Some(Submitted::Digits { sms: None, totp: None }) => "no digits",
            Some(Submitted::Recovery(_)) => "recovery",
        };
        for (text, length, expected) in [
            ("042317", 6, "both"),
            ("042317", 8, "totp"),
            ("04231788", 8, "sms"),
            ("0423178", 8, "nothing"),
            ("04231", 6, "nothing"),
            ("", 6, "nothing"),
            (" 42317", 6, "nothing"),
            ("7K2M-9QXC-04TV-H6ZD", 6, "recovery"),
            ("7k2m9qxc04tvh6zd", 8, "recovery"),
            ("7K2M-9QXC-04TV", 6, "nothing"),
        ] {
            assert_eq!(read(Submitted::parse(text, length)), expected, "{text:?} of {length}");
        }
        for (number, length, expected) in [
            (42_317, 6, "both"),
            (42_317, 8, "both"),
            (0, 6, "both"),
            (999_999, 6, "both"),
            (1_000_000, 6, "nothing"),
            (1_000_000, 8, "sms"),
            (99_999_999, 8, "sms"),
            (100_000_000, 8, "nothing"),
            (u64::MAX, 8, "nothing"),
        ] {
            assert_eq!(read(Submitted::of_number(number, length)), expected, "{number} of {length}");
        }
    }
}
