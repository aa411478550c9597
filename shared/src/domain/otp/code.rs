//! One code: what it is bound to, how it is stored, and how it ends.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use rand::TryCryptoRng;
use sha2::Sha256;

use super::policy::Policy;
use crate::domain::{
    auth::token::Token,
    crypto::{
        key::{Key, Keyring, OtpCodes},
        secret::{NoEntropy, Secret, framed, random_bytes, random_text},
    },
    limits::quota,
    people::{
        factor::{Factor, FactorType},
        id::UserId,
        phone::Phone,
    },
    time::Timestamp,
};

/// The purpose of a code; a code for one purpose is invalid for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Completes a login.
    SignIn,
    /// Proves that codes arrive at a phone, before it becomes the factor's.
    Approval,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in",
            Self::Approval => "approval",
        }
    }
}

/// What a code is bound to (ASVS 6.6.2); it is invalid for anything else.
#[derive(Clone, Copy, Debug)]
pub struct Binding<'a> {
    /// The user.
    pub user: UserId,
    /// The kind of factor.
    pub factor_type: FactorType,
    /// When the factor was changed last: a code sent before that is invalid.
    pub factor_at: Timestamp,
    /// The recipient's phone.
    pub phone: &'a Phone,
    /// The token that it belongs to (see `Token::flow`): a code sent for another token belongs to another login.
    pub flow: &'a [u8; 16],
    /// The purpose.
    pub purpose: Purpose,
}

impl<'a> Binding<'a> {
    /// The binding of a code that is sent to `phone` and belongs to `token`.
    #[must_use]
    pub fn new(factor: &Factor, phone: &'a Phone, token: &'a Token, purpose: Purpose) -> Self {
        Self {
            user: factor.user,
            factor_type: factor.factor_type(),
            factor_at: factor.updated_at,
            phone,
            flow: token.flow(),
            purpose,
        }
    }
}

/// A guess: as many ASCII digits as a code has.
#[derive(Clone, Debug)]
pub struct Code(Secret);

impl Code {
    /// Parses a guess. `None` for a text that cannot be a code, and so does not count as a guess.
    #[must_use]
    pub fn parse(text: &str, length: usize) -> Option<Self> {
        let fits = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| Self(Secret::new(text.to_owned())))
    }

    pub(super) fn digits(&self) -> &str {
        self.0.expose()
    }
}

/// A code as stored: a digest under a key that is kept elsewhere, since a million codes are open to brute force
/// (ASVS 6.5.2).
#[derive(Clone)]
pub struct CodeDigest {
    /// Id of the key.
    pub key: u32,
    /// HMAC-SHA-256 of the code and of its binding.
    pub mac: [u8; 32],
}

impl CodeDigest {
    fn of(key: &Key<OtpCodes>, binding: &Binding<'_>, id: &[u8; 16], code: &Secret) -> Self {
        Self {
            key: key.id(),
            mac: mac(key, binding, id, code).finalize().into_bytes().into(),
        }
    }

    /// Whether the guess matches, in constant time (ASVS 11.2.4). Nothing matches under a key that was deleted.
    pub(super) fn fits(&self, keys: &Keyring<OtpCodes>, binding: &Binding<'_>, id: &[u8; 16], given: &Code) -> bool {
        keys.get(self.key)
            .is_some_and(|key| mac(key, binding, id, &given.0).verify_slice(&self.mac).is_ok())
    }
}

impl fmt::Debug for CodeDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CodeDigest({}, …)", self.key)
    }
}

fn mac(key: &Key<OtpCodes>, binding: &Binding<'_>, id: &[u8; 16], code: &Secret) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.bytes()).expect("HMAC takes a key of any length");
    mac.update(&framed(&[
        b"otp",
        binding.user.as_bytes(),
        binding.factor_type.name().as_bytes(),
        binding.phone.as_str().as_bytes(),
        &binding.factor_at.seconds().to_be_bytes(),
        binding.flow,
        binding.purpose.name().as_bytes(),
        id,
        code.expose().as_bytes(),
    ]));
    mac
}

/// How a code ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The right code was given.
    Verified,
    /// It is past its attempts.
    Unverified,
    /// It was canceled.
    Canceled,
    /// It had expired when it was tried.
    Expired,
}

impl End {
    /// The stored name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Verified => "VERIFIED",
            Self::Unverified => "UNVERIFIED",
            Self::Canceled => "CANCELED",
            Self::Expired => "EXPIRED",
        }
    }

    /// The end of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Verified, Self::Unverified, Self::Canceled, Self::Expired]
            .into_iter()
            .find(|end| end.name() == name)
    }
}

/// The status of a code. Only a code that can still be right keeps its digest (ASVS 14.2.7).
#[derive(Clone, Debug)]
pub enum Status {
    /// It can still be verified.
    New(CodeDigest),
    /// It has ended.
    Ended(End),
}

impl Status {
    /// The stored name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::New(_) => "NEW",
            Self::Ended(end) => end.name(),
        }
    }
}

/// One code. Once ended, its status never changes.
#[derive(Clone, Debug)]
pub struct Otp {
    /// A random id that distinguishes it from the codes before and after it.
    pub id: [u8; 16],
    /// The login that it belongs to.
    pub flow: [u8; 16],
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// How many guesses it was compared with.
    pub attempts: u64,
    /// The quota entry of its message. `None` where it was not counted, and in rows that predate this field.
    pub message: Option<quota::Message>,
    /// The status.
    pub status: Status,
}

impl Otp {
    pub(super) fn draw(
        policy: &Policy,
        binding: &Binding<'_>,
        key: &Key<OtpCodes>,
        rng: &mut impl TryCryptoRng,
        now: Timestamp,
    ) -> Result<(Self, Secret), NoEntropy> {
        let id = random_bytes(rng)?;
        let code = random_text(rng, b"0123456789", policy.length)?;
        let otp = Self {
            id,
            flow: *binding.flow,
            issued_at: now,
            expires_at: now.deadline(policy.lifetime),
            attempts: 0,
            message: None,
            status: Status::New(CodeDigest::of(key, binding, &id, &code)),
        };
        Ok((otp, code))
    }

    /// The code after its message could not be sent.
    #[must_use]
    pub fn cancel(self) -> Self {
        self.end(End::Canceled)
    }

    /// The code after an attempt past its expiry.
    #[must_use]
    pub fn expire(self) -> Self {
        self.end(End::Expired)
    }

    /// The code after an attempt past its limit.
    #[must_use]
    pub fn exhaust(self) -> Self {
        self.end(End::Unverified)
    }

    /// The code after a wrong guess.
    #[must_use]
    pub fn fail(self) -> Self {
        match self.status {
            Status::New(_) => Self {
                attempts: self.attempts + 1,
                ..self
            },
            Status::Ended(_) => self,
        }
    }

    /// The code after the right guess, which counts as an attempt, too.
    #[must_use]
    pub fn verify(self) -> Self {
        self.fail().end(End::Verified)
    }

    fn end(self, end: End) -> Self {
        match self.status {
            Status::New(_) => Self {
                status: Status::Ended(end),
                ..self
            },
            Status::Ended(_) => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn otp(status: Status) -> Otp {
        Otp {
            id: [1; 16],
            flow: [2; 16],
            issued_at: Timestamp::from_seconds(0),
            expires_at: Timestamp::from_seconds(300),
            attempts: 1,
            message: None,
            status,
        }
    }

    fn check(transition: fn(Otp) -> Otp, status: &str, attempts: u64) {
        let next = transition(otp(Status::New(CodeDigest { key: 1, mac: [3; 32] })));
        assert_eq!((next.status.name(), next.attempts), (status, attempts));
        for end in [End::Verified, End::Unverified, End::Canceled, End::Expired] {
            let next = transition(otp(Status::Ended(end)));
            assert_eq!((next.status.name(), next.attempts), (end.name(), 1), "it has ended already");
        }
    }

    #[test]
    fn a_code_is_canceled() {
        check(Otp::cancel, "CANCELED", 1);
    }

    #[test]
    fn a_code_expires() {
        check(Otp::expire, "EXPIRED", 1);
    }

    #[test]
    fn an_exhausted_code_is_unverified() {
        check(Otp::exhaust, "UNVERIFIED", 1);
    }

    #[test]
    fn a_code_is_verified() {
        check(Otp::verify, "VERIFIED", 2);
    }

    #[test]
    fn a_wrong_guess_counts() {
        check(Otp::fail, "NEW", 2);
    }

    #[test]
    fn each_final_status_has_one_name() {
        for end in [End::Verified, End::Unverified, End::Canceled, End::Expired] {
            assert_eq!(End::parse(end.name()), Some(end));
        }
        for name in ["NEW", "verified", ""] {
            assert_eq!(End::parse(name), None, "{name:?}");
        }
    }

    #[test]
    fn a_guess_has_exactly_the_configured_number_of_ascii_digits() {
        for (text, length, good) in [
            ("042317", 6, true),
            ("000000", 6, true),
            ("0423", 4, true),
            ("42317", 6, false),
            ("0423170", 6, false),
            ("+42317", 6, false),
            (" 42317", 6, false),
            ("04231\n", 6, false),
            ("0x2317", 6, false),
            ("٠٤٢", 6, false),
            ("", 6, false),
        ] {
            assert_eq!(Code::parse(text, length).is_some(), good, "{text:?}");
        }
    }

    #[test]
    fn the_debug_output_of_a_code_digest_is_redacted() {
        assert_eq!(format!("{:?}", CodeDigest { key: 7, mac: [3; 32] }), "CodeDigest(7, …)");
    }
}
