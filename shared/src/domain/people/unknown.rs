//! Mail addresses without an account. Wrong passwords are counted for them as for users, by the same policy, so that a
//! lockout does not reveal whether an account exists (enumeration, R71).

use sha2::{Digest, Sha256};

use super::name::{DomainName, EmailAddress};
use crate::domain::{auth::lockout::Lockout, crypto::secret::framed, time::Timestamp};

/// For how many seconds failures are stored after the last one. A user's lockout has no such limit, so a caller who
/// waits longer could distinguish them: a year.
const MEMORY: u64 = 365 * 86_400;

/// The lockout of an address without an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownIdentity {
    /// Digest of the domain and the address: addresses of non-users are not recorded.
    pub subject: [u8; 32],
    /// The counter and the block.
    pub lockout: Lockout,
    /// When the row expires; `None` where there is none.
    pub forget_at: Option<Timestamp>,
}

/// The subject of an address in a domain, case-insensitively; a malformed address is used as is.
#[must_use]
pub fn subject(domain: &DomainName, email: &str) -> [u8; 32] {
    let domain = domain.as_str().as_bytes();
    let parsed = EmailAddress::parse(email);
    let framed = match &parsed {
        Ok(email) => framed(&[b"unknown identity", domain, email.canonical().as_bytes()]),
        Err(_) => framed(&[b"unknown identity", b"malformed", domain, email.as_bytes()]),
    };
    Sha256::digest(framed).into()
}

impl UnknownIdentity {
    /// An empty record.
    #[must_use]
    pub fn none(subject: [u8; 32]) -> Self {
        Self {
            subject,
            lockout: Lockout::default(),
            forget_at: None,
        }
    }

    /// The current lockout.
    #[must_use]
    pub fn lockout(&self, now: Timestamp) -> Lockout {
        match self.is_expired(now) {
            true => Lockout::default(),
            false => self.lockout,
        }
    }

    /// Whether the row exists and has expired.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.forget_at.is_some_and(|at| at.is_expired(now))
    }

    /// The expiry of a row that is written now.
    #[must_use]
    pub fn forget_at(now: Timestamp) -> Timestamp {
        now.deadline(MEMORY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::auth::lockout::{Failed, Policy};

    fn domain(name: &str) -> DomainName {
        DomainName::parse(name).expect("a domain")
    }

    #[test]
    fn an_address_is_one_subject_per_domain_in_any_letter_case() {
        let here = domain("pbx.example.com");
        let of = |email: &str| subject(&here, email);
        assert_eq!(of("Jane@Example.com"), of("jane@example.COM"));
        for other in ["jane@example.org", "jane@", "Jane@", "", "jane@example.com@"] {
            assert_ne!(of("jane@example.com"), of(other), "{other}");
        }
        assert_ne!(of("jane@example.com"), subject(&domain("other.example"), "jane@example.com"));
        assert_ne!(of("no address"), subject(&domain("other.example"), "no address"));
        assert_eq!(of("no address"), of("no address"));
    }

    #[test]
    fn failures_are_stored_for_a_year() {
        let at = Timestamp::from_seconds;
        let policy = Policy {
            passwords: 3,
            otps: 3,
            seconds: None,
        };
        let none = UnknownIdentity::none([7; 32]);
        assert_eq!((none.lockout(at(5)), none.is_expired(at(5))), (Lockout::default(), false));
        let failed = UnknownIdentity {
            lockout: Lockout::default().failed(&policy, Failed::Password, at(5)),
            forget_at: Some(UnknownIdentity::forget_at(at(5))),
            ..none
        };
        let end = 5 + 365 * 86_400;
        assert_eq!(failed.lockout(at(end - 1)).passwords, 1);
        assert_eq!(failed.lockout(at(end)), Lockout::default());
        assert!(!failed.is_expired(at(end - 1)) && failed.is_expired(at(end)));
    }
}
