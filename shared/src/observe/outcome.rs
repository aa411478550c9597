//! The outcome of a request in one word: the vocabulary of the log, of the dimension `Reason`, of the audit log, and of
//! the events that applications receive. Alarms, queries and applications use these words, so they must not change.

use serde::{Serialize, Serializer};

use crate::domain::{audit::Act, people::user::User, support_pin::Owner};

macro_rules! outcomes {
    ($($name:ident = $word:literal $(=> $published_as:literal)?,)*) => {
        /// The outcome of a request, or what happened without one.
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

            /// The type under which applications receive it (`detail-type`, docs/events.md); `None` for what none would
            /// act upon.
            #[must_use]
            pub const fn published_as(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => outcomes!(@published $($published_as)?),)*
                }
            }

            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
    (@published) => { None };
    (@published $published_as:literal) => { Some($published_as) };
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
    PinCreated = "pin_created" => "support_pin.created",
    PinRead = "pin_read" => "support_pin.read",
    PinRevoked = "pin_revoked" => "support_pin.revoked",
    Sudo = "sudo",
    NotAdministrator = "not_administrator",
    NoUser = "no_user",
    NoPin = "no_pin",
    NotRecorded = "not_recorded",
    // Passcodes.
    PasscodeIssued = "passcode_issued" => "passcode.issued",
    PasscodeConsumed = "passcode_consumed" => "passcode.consumed",
    PasscodeStatusRead = "passcode_status_read",
    PasscodeInvalidated = "passcode_invalidated" => "passcode.invalidated",
    OtherClient = "other_client",
    Refused = "refused",
    NoPasscode = "no_passcode",
    BudgetExhausted = "budget_exhausted",
    // Registration and passwords.
    RegistrationRequested = "registration_requested",
    RegistrationOfKnownAddress = "registration_of_known_address",
    RegistrationMailThrottled = "registration_mail_throttled",
    RegistrationSilent = "registration_silent",
    Registered = "registered" => "user.registered",
    PasswordResetRequested = "password_reset_requested",
    PasswordResetOfUnknown = "password_reset_of_unknown",
    PasswordResetMailThrottled = "password_reset_mail_throttled",
    PasswordResetSilent = "password_reset_silent",
    PasswordReset = "password_reset" => "password.changed",
    PasswordChanged = "password_changed" => "password.changed",
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
    SignedIn = "signed_in" => "user.signed_in",
    ClientSignedIn = "client_signed_in",
    FactorRequested = "factor_requested",
    OtpRequested = "otp_requested",
    OtpSent = "otp_sent",
    OtpVerified = "otp_verified" => "user.signed_in",
    AppCodeRequested = "app_code_requested",
    AppInitiated = "app_initiated",
    AppApproved = "app_approved" => "factor.changed",
    RecoveryCodeUsed = "recovery_code_used" => "user.signed_in",
    RecoveryCodesReplaced = "recovery_codes_replaced" => "factor.changed",
    FactorInitiated = "factor_initiated",
    FactorApproved = "factor_approved" => "factor.changed",
    FactorCreated = "factor_created" => "factor.changed",
    FactorShown = "factor_shown",
    FactorsListed = "factors_listed",
    FactorEnabled = "factor_enabled" => "factor.changed",
    FactorDisabled = "factor_disabled" => "factor.changed",
    FactorReset = "factor_reset" => "factor.changed",
    UserCreated = "user_created" => "user.created",
    UserBlockedByDecision = "user_blocked_by_decision" => "user.blocked",
    UserUnblocked = "user_unblocked" => "user.unblocked",
    UserLocked = "user_locked" => "user.blocked",
    SessionRevoked = "session_revoked" => "session.revoked",
    DeviceAdded = "device_added" => "device.added",
    DevicesListed = "devices_listed",
    DeviceEnded = "device_ended",
    DevicesEnded = "devices_ended",
    WrongPasswordsReset = "wrong_passwords_reset",
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
    CodeCanceled = "code_canceled",
    FactorExists = "factor_exists",
    OwnerBlocked = "owner_blocked",
    AlreadyDisabled = "already_disabled",
    AlreadyEnabled = "already_enabled",
    AlreadyBlocked = "already_blocked",
    AlreadyUnblocked = "already_unblocked",
    NotFound = "not_found",
    Forbidden = "forbidden",
    InvalidValues = "invalid_values",
    // Verifications.
    NoCredential = "no_credential",
    UnknownCredential = "unknown_credential",
    InvalidParameter = "invalid_parameter",
    LimitReached = "limit_reached",
    CheckAttemptsExhausted = "check_attempts_exhausted",
    SendAttemptsExhausted = "send_attempts_exhausted",
    FeatureDisabled = "feature_disabled",
    TooManyConcurrent = "too_many_concurrent",
    ChannelDisabled = "channel_disabled",
    UnverifiedBudgetExhausted = "unverified_budget_exhausted",
    CountryNotAllowed = "country_not_allowed",
    InvalidChallenge = "invalid_challenge",
    ChallengeAttemptsExhausted = "challenge_attempts_exhausted",
    FactorAttemptsExhausted = "factor_attempts_exhausted",
    FactorNotVerified = "factor_not_verified",
    ChallengeExpired = "challenge_expired",
    NotSent = "not_sent",
    VerificationStarted = "verification_started",
    VerificationNotSent = "verification_not_sent",
    VerificationShown = "verification_shown",
    VerificationWrongCode = "verification_wrong_code",
    VerificationApproved = "verification_approved" => "verification.approved",
    VerificationCanceled = "verification_canceled",
    AttemptShown = "attempt_shown",
    AttemptsListed = "attempts_listed",
    ServiceCreated = "service_created",
    ServiceShown = "service_shown",
    ServicesListed = "services_listed",
    ServiceUpdated = "service_updated",
    ServiceDeleted = "service_deleted",
    RateLimitCreated = "rate_limit_created",
    RateLimitShown = "rate_limit_shown",
    RateLimitsListed = "rate_limits_listed",
    RateLimitUpdated = "rate_limit_updated",
    RateLimitDeleted = "rate_limit_deleted",
    BucketCreated = "bucket_created",
    BucketShown = "bucket_shown",
    BucketsListed = "buckets_listed",
    BucketUpdated = "bucket_updated",
    BucketDeleted = "bucket_deleted",
    EntityCreated = "entity_created",
    EntityShown = "entity_shown",
    EntitiesListed = "entities_listed",
    EntityDeleted = "entity_deleted",
    EntityFactorCreated = "entity_factor_created",
    EntityFactorShown = "entity_factor_shown",
    EntityFactorsListed = "entity_factors_listed",
    EntityFactorUpdated = "entity_factor_updated",
    EntityFactorWrongCode = "entity_factor_wrong_code",
    EntityFactorVerified = "entity_factor_verified",
    EntityFactorDeleted = "entity_factor_deleted",
    ChallengeCreated = "challenge_created",
    ChallengeShown = "challenge_shown",
    ChallengesListed = "challenges_listed",
    ChallengeWrongCode = "challenge_wrong_code",
    ChallengeApproved = "challenge_approved",
    // Without a request.
    Expired = "expired",
    Bounced = "bounced" => "mail.bounced",
    Complained = "complained" => "mail.complained",
    // Commands of the operator.
    DomainSet = "domain_set",
    ClientCreated = "client_created",
    ClientSet = "client_set",
    ClientSecretSet = "client_secret_set",
    ClientTokensRevoked = "client_tokens_revoked",
    AdminSet = "admin_set" => "user.administrator_changed",
    FactorsReset = "factors_reset" => "factor.changed",
    FactorSet = "factor_set" => "factor.changed",
    UserErasureBegun = "user_erasure_begun" => "user.blocked",
    UserErased = "user_erased" => "user.erased",
    UserTokensRevoked = "user_tokens_revoked" => "session.revoked",
    TokenCreated = "token_created",
    TokenRevoked = "token_revoked",
    SuppressionLifted = "suppression_lifted",
    VerifyAccountCreated = "verify_account_created",
    VerifyAccountEnded = "verify_account_ended",
    VerifyKeyCreated = "verify_key_created",
    VerifyKeyEnded = "verify_key_ended",
    VerifyAuthTokenSet = "verify_auth_token_set",
    KeyChangeBegun = "key_change_begun",
    KeyRotated = "key_rotated",
    KeyRetired = "key_retired",
}

impl Outcome {
    /// This, as it happened to a subject: `user:…`, `client:…`, or a kind of row and a pseudonym.
    #[must_use]
    pub fn of(self, subject: String) -> Act {
        Act {
            what: self.as_str(),
            published_as: self.published_as(),
            subject,
            domain: None,
            notice: None,
        }
    }

    /// This, as it happened to a user.
    #[must_use]
    pub fn of_user(self, user: &User) -> Act {
        self.of(user.id.log_name()).in_domain(&user.domain)
    }

    /// This, as it happened to the owner of a support PIN.
    #[must_use]
    pub fn of_owner(self, owner: &Owner) -> Act {
        match owner {
            Owner::Ours(user) => self.of_user(user),
            Owner::Provided(id) => self.of(id.log_name()),
        }
    }
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
