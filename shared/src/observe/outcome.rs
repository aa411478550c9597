//! The outcome of a request in one word: the vocabulary of the log, of the dimension `Reason` and of the audit log.
//! Alarms and queries use these words, so they must not change.

use serde::{Serialize, Serializer};

macro_rules! outcomes {
    ($($name:ident = $word:literal,)*) => {
        /// The outcome of a request.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Outcome {
            $(
                #[doc = concat!("`", $word, "`")]
                $name,
            )*
        }

        impl Outcome {
            /// The name in the log.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }

            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

outcomes! {
    // Any route.
    Malformed = "malformed",
    TooLarge = "too_large",
    WrongMediaType = "wrong_media_type",
    WrongEncoding = "wrong_encoding",
    NoRoute = "no_route",
    WrongMethod = "wrong_method",
    NoToken = "no_token",
    UnknownToken = "unknown_token",
    WrongTokenType = "wrong_token_type",
    ExpiredToken = "expired_token",
    RevokedToken = "revoked_token",
    ScopeTooSmall = "scope_too_small",
    Blocked = "blocked",
    InProgress = "under_way",
    Repeated = "repeated",
    Fault = "fault",
    Described = "described",
    LinkUnescaped = "link_unescaped",
    Preflight = "preflight",
    PageShown = "page_shown",
    // Support PINs.
    PinCreated = "pin_created",
    PinRead = "pin_read",
    PinRevoked = "pin_revoked",
    Sudo = "sudo",
    NotAdministrator = "not_administrator",
    NoUser = "no_user",
    NoPin = "no_pin",
    NotRecorded = "not_recorded",
    // Passcodes.
    PasscodeIssued = "passcode_issued",
    PasscodeConsumed = "passcode_consumed",
    PasscodeStatusRead = "passcode_status_read",
    PasscodeInvalidated = "passcode_invalidated",
    OtherClient = "other_client",
    Refused = "refused",
    NoPasscode = "no_passcode",
    BudgetExhausted = "budget_exhausted",
    // Registration and passwords.
    RegistrationRequested = "registration_requested",
    RegistrationOfKnownAddress = "registration_of_known_address",
    RegistrationMailThrottled = "registration_mail_throttled",
    RegistrationSilent = "registration_silent",
    Registered = "registered",
    PasswordResetRequested = "password_reset_requested",
    PasswordResetOfUnknown = "password_reset_of_unknown",
    PasswordResetMailThrottled = "password_reset_mail_throttled",
    PasswordResetSilent = "password_reset_silent",
    PasswordReset = "password_reset",
    PasswordChanged = "password_changed",
    MissingField = "missing_field",
    MalformedField = "malformed_field",
    UnexpectedField = "unexpected_field",
    RegistrationClosed = "registration_closed",
    Taken = "taken",
    WeakPassword = "weak_password",
    WrongPassword = "wrong_password",
    NoRequest = "no_request",
    Throttled = "throttled",
    MailFailed = "mail_failed",
    // Logins, users and second factors.
    SignedIn = "signed_in",
    ClientSignedIn = "client_signed_in",
    FactorRequested = "factor_requested",
    OtpRequested = "otp_requested",
    OtpSent = "otp_sent",
    OtpVerified = "otp_verified",
    FactorInitiated = "factor_initiated",
    FactorApproved = "factor_approved",
    FactorCreated = "factor_created",
    FactorShown = "factor_shown",
    FactorsListed = "factors_listed",
    FactorEnabled = "factor_enabled",
    FactorDisabled = "factor_disabled",
    FactorReset = "factor_reset",
    UserCreated = "user_created",
    UserBlockedByDecision = "user_blocked_by_decision",
    UserUnblocked = "user_unblocked",
    NoGrantType = "no_grant_type",
    UnknownClient = "unknown_client",
    ClientNotAllowed = "client_not_allowed",
    WrongSecret = "wrong_secret",
    WrongIdentity = "wrong_identity",
    ScopeNotAllowed = "scope_not_allowed",
    FactorNotInitiated = "factor_not_initiated",
    NoFactor = "no_factor",
    FactorNotSet = "factor_not_set",
    No2faData = "no_2fa_data",
    OtpInvalid = "otp_invalid",
    OtpExpired = "otp_expired",
    OtpReachedMaxAttempts = "otp_reached_max_attempts",
    OtpSendsExhausted = "otp_sends_exhausted",
    OtpGuessesExhausted = "otp_guesses_exhausted",
    FailedLoginsExhausted = "failed_logins_exhausted",
    SmsFailed = "sms_failed",
    FactorExists = "factor_exists",
    OwnerBlocked = "owner_blocked",
    AlreadyDisabled = "already_disabled",
    AlreadyEnabled = "already_enabled",
    AlreadyBlocked = "already_blocked",
    AlreadyUnblocked = "already_unblocked",
    NotFound = "not_found",
    Forbidden = "forbidden",
    InvalidValues = "invalid_values",
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_outcome_has_its_own_name() {
        let words: BTreeSet<_> = Outcome::ALL.iter().map(|outcome| outcome.as_str()).collect();
        assert_eq!(words.len(), Outcome::ALL.len());
        let plain =
            |word: &str| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        assert!(words.iter().all(|word| plain(word)), "{words:?}");
    }
}
