//! SIDs: identifiers of two fixed letters and 16 bytes. None of them is a secret.

use rand::TryCryptoRng;

use crate::domain::crypto::secret::{NoEntropy, random_bytes};

macro_rules! sids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal, $noun:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub struct $name([u8; 16]);

            impl $name {
                /// The two letters before the digits.
                pub const PREFIX: &'static str = $prefix;

                /// A new random SID.
                ///
                /// # Errors
                /// [`NoEntropy`] when the generator fails.
                pub fn random(rng: &mut impl TryCryptoRng) -> Result<Self, NoEntropy> {
                    random_bytes(rng).map(Self)
                }

                /// Parses the letters, and 32 hexadecimal digits in any letter case; `None` for anything else.
                #[must_use]
                pub fn parse(text: &str) -> Option<Self> {
                    digits(text.strip_prefix($prefix)?).map(Self)
                }

                /// From its 16 bytes.
                #[must_use]
                pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                    Self(bytes)
                }

                /// Its 16 bytes.
                #[must_use]
                pub const fn bytes(&self) -> &[u8; 16] {
                    &self.0
                }

                /// The canonical text form: the digits are in lower case.
                #[must_use]
                pub fn as_text(&self) -> String {
                    let digits: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
                    format!("{}{digits}", $prefix)
                }

                /// The name in the log and the audit log, as an actor or a subject.
                #[must_use]
                pub fn log_name(&self) -> String {
                    format!("{}:{}", $noun, self.as_text())
                }
            }
        )*
    };
}

sids! {
    /// An account: all services, and keys, of one application of a tenant.
    AccountSid = "AC", "account";
    /// A key: a second secret of an account, with the account's rights.
    KeySid = "SK", "key";
    /// A service: the settings of an application's verifications.
    ServiceSid = "VA", "service";
    /// A verification of a phone number or mail address.
    VerificationSid = "VE", "verification";
    /// An attempt to send a code.
    AttemptSid = "VL", "attempt";
    /// A rate limit that a service defines.
    RateLimitSid = "RK", "rate_limit";
    /// A bucket of such a rate limit: a number of requests in an interval.
    BucketSid = "BL", "bucket";
    /// An entity: a user of an application, as the application names it, with second factors.
    EntitySid = "YE", "entity";
    /// A second factor of an entity.
    FactorSid = "YF", "factor";
    /// A challenge of a factor: a request for a code.
    ChallengeSid = "YC", "challenge";
}

/// 32 hexadecimal digits as 16 bytes.
fn digits(text: &str) -> Option<[u8; 16]> {
    let digits = text.as_bytes();
    if digits.len() != 32 {
        return None;
    }
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

fn digit(symbol: u8) -> Option<u8> {
    char::from(symbol).to_digit(16)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use rand::rngs::SysRng;

    use super::*;

    #[test]
    fn a_sid_is_read_in_any_letter_case_and_written_in_lower_case() {
        let sid = ServiceSid::from_bytes([
            0x00, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xff, 0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc,
        ]);
        let text = "VA00123456789abcdeff1032547698badc";
        assert_eq!((sid.as_text(), sid.log_name()), (text.to_owned(), format!("service:{text}")));
        for good in [
            text,
            "VA00123456789ABCDEFF1032547698BADC",
            "VA00123456789AbCdEfF1032547698bAdC",
        ] {
            assert_eq!(ServiceSid::parse(good), Some(sid), "{good}");
        }
        for other in [
            "",
            "VA",
            "va00123456789abcdeff1032547698badc",
            "VE00123456789abcdeff1032547698badc",
            "VA00123456789abcdeff1032547698bad",
            "VA00123456789abcdeff1032547698badc0",
            "VA00123456789abcdeff1032547698badg",
            "VA+0123456789abcdeff1032547698badc",
            " VA00123456789abcdeff1032547698badc",
            "VA0012345678-9abcdeff1032547698bad",
            "VAéé123456789abcdeff1032547698b",
        ] {
            assert_eq!(ServiceSid::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_random_sid_round_trips() {
        let sid = KeySid::random(&mut SysRng).expect("the system has entropy");
        assert_eq!(KeySid::parse(&sid.as_text()), Some(sid));
        assert_eq!(KeySid::from_bytes(*sid.bytes()), sid);
        assert_ne!(KeySid::random(&mut SysRng).expect("the system has entropy"), sid);
    }

    #[test]
    fn each_kind_of_sid_has_its_own_letters() {
        let letters = [
            AccountSid::PREFIX,
            KeySid::PREFIX,
            ServiceSid::PREFIX,
            VerificationSid::PREFIX,
            AttemptSid::PREFIX,
            RateLimitSid::PREFIX,
            BucketSid::PREFIX,
            EntitySid::PREFIX,
            FactorSid::PREFIX,
            ChallengeSid::PREFIX,
        ];
        for (at, one) in letters.iter().enumerate() {
            assert!(one.len() == 2 && !letters[..at].contains(one), "{one}");
        }
    }
}
