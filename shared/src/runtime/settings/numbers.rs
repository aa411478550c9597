//! Every number that an operator can set. `cargo xtask generate` prints the parameters of template.yaml and the rows of
//! docs/settings.md from the constants and their doc comments.

use std::{fmt::Display, ops::RangeInclusive, str::FromStr};

use crate::runtime::edge::{Edge, Refused};

/// A number with a default and a range. Its name is that of the environment variable and of the stack's parameter.
pub(super) struct Setting<T> {
    variable: &'static str,
    default: T,
    range: RangeInclusive<T>,
}

const fn setting<T>(variable: &'static str, default: T, range: RangeInclusive<T>) -> Setting<T> {
    Setting {
        variable,
        default,
        range,
    }
}

impl Edge {
    /// The number; its default if the variable is absent or empty.
    ///
    /// # Errors
    /// [`Refused`] when it is out of range.
    pub(super) fn number<T: FromStr + PartialOrd + Display + Copy>(&self, setting: &Setting<T>) -> Result<T, Refused> {
        let Some(text) = self.text(setting.variable) else {
            return Ok(setting.default);
        };
        match text.parse() {
            Ok(value) if setting.range.contains(&value) => Ok(value),
            _ => Err(self.refuse(
                setting.variable,
                &format!("must be a number from {} to {}", setting.range.start(), setting.range.end()),
            )),
        }
    }
}

const DAY: u64 = 86_400;

/// No mailbox waits longer than this for the next mail of a kind, in seconds.
pub(super) const LONGEST_WAIT: u64 = 14_400;

/// Life of a support PIN, in seconds.
pub(super) const SUPPORT_PIN_LIFETIME: Setting<u64> = setting("SUPPORT_PIN_LIFETIME", DAY, 60..=7 * DAY);

/// Life of a passcode, in seconds. At most 600 while some passcodes have fewer than 2^64 values.
pub(super) const PASSCODE_LIFETIME: Setting<u64> = setting("PASSCODE_LIFETIME", 600, 30..=DAY);

/// For how many seconds after its life a passcode's status can still be asked.
pub(super) const PASSCODE_RETENTION: Setting<u64> = setting("PASSCODE_RETENTION", DAY, 0..=7 * DAY);

/// Guesses at short passcodes in any 24 hours, for each client, username and purpose.
pub(super) const PASSCODE_GUESSES_PER_DAY: Setting<usize> = setting("PASSCODE_GUESSES_PER_DAY", 10, 1..=10);

/// Guesses at short passcodes in any 30 days, for each client, username and purpose.
pub(super) const PASSCODE_GUESSES_PER_30_DAYS: Setting<usize> = setting("PASSCODE_GUESSES_PER_30_DAYS", 30, 1..=30);

/// Passcodes of fewer than 2^64 values that are made in any hour, for each client, username and purpose.
pub(super) const SHORT_PASSCODES_PER_HOUR: Setting<usize> = setting("SHORT_PASSCODES_PER_HOUR", 10, 1..=10);

/// Passcodes of fewer than 2^64 values that are made in any 24 hours, for each client, username and purpose.
pub(super) const SHORT_PASSCODES_PER_DAY: Setting<usize> = setting("SHORT_PASSCODES_PER_DAY", 20, 1..=20);

/// Characters of a passcode, with at least a million values.
pub(super) const PASSCODE_LENGTH: Setting<usize> = setting("PASSCODE_LENGTH", 32, 4..=128);

/// For how many days audit events are kept.
pub(super) const AUDIT_RETENTION_DAYS: Setting<u64> = setting("AUDIT_RETENTION_DAYS", 365, 30..=3653);

/// Life of a registration's link, in seconds.
pub(super) const REGISTRATION_LIFETIME: Setting<u64> = setting("REGISTRATION_LIFETIME", DAY, 300..=DAY);

/// Life of a password reset's link, in seconds.
pub(super) const PASSWORD_RESET_LIFETIME: Setting<u64> = setting("PASSWORD_RESET_LIFETIME", 3600, 300..=DAY);

/// Seconds between two registrations, and between two password resets, of one source address. An IPv6 caller counts as
/// its /64.
pub(super) const REQUEST_WAIT: Setting<u64> = setting("REQUEST_WAIT", 120, 1..=DAY);

/// Registrations, and password resets, for one domain in any minute. A reset of an account is mailed all the same.
pub(super) const REQUESTS_PER_DOMAIN_PER_MINUTE: Setting<usize> =
    setting("REQUESTS_PER_DOMAIN_PER_MINUTE", 60, 1..=1000);

/// What one network, an IPv4 address or an IPv6 /48, may have of a domain's registrations and resets in a minute and in
/// an hour, in percent.
pub(super) const NETWORK_SHARE: Setting<usize> = setting("NETWORK_SHARE", 10, 1..=100);

/// Registrations, and password resets, for one domain at once, and as many more in an hour. A reset of an account is
/// mailed all the same.
pub(super) const MAILS_PER_DOMAIN_PER_HOUR: Setting<u64> = setting("MAILS_PER_DOMAIN_PER_HOUR", 600, 10..=100_000);

/// Registrations, and password resets, of the whole deployment at once, and as many more in an hour. A reset of an
/// account is mailed all the same.
pub(super) const MAILS_PER_HOUR: Setting<u64> = setting("MAILS_PER_HOUR", 3000, 10..=100_000);

/// Registrations for one domain in an hour while they are not confirmed, once there were three hours' worth of them.
/// Each confirmation makes room for ten.
pub(super) const UNCONFIRMED_MAILS_PER_HOUR: Setting<u64> = setting("UNCONFIRMED_MAILS_PER_HOUR", 60, 1..=100_000);

/// For how many seconds a mail makes the wait for the next ones longer.
pub(super) const MAIL_WAITS_MEMORY: Setting<u64> = setting("MAIL_WAITS_MEMORY", DAY, LONGEST_WAIT..=7 * DAY);

/// For how many seconds no mail goes to an address after a hard bounce or a complaint.
pub(super) const SUPPRESSION_LIFETIME: Setting<u64> = setting("SUPPRESSION_LIFETIME", 30 * DAY, DAY..=365 * DAY);

/// Memory of a password hash (Argon2id), in KiB.
pub(super) const PASSWORD_MEMORY_KIB: Setting<u32> = setting("PASSWORD_MEMORY_KIB", 19_456, 19_456..=65_536);

/// Iterations of a password hash, Argon2id.
pub(super) const PASSWORD_ITERATIONS: Setting<u32> = setting("PASSWORD_ITERATIONS", 2, 2..=4);

/// Guesses at the current password in any hour by those who hold a token of the user.
pub(super) const PASSWORD_GUESSES_PER_HOUR: Setting<usize> = setting("PASSWORD_GUESSES_PER_HOUR", 5, 1..=10);

/// Guesses at the current password in any 24 hours by those who hold a token of the user.
pub(super) const PASSWORD_GUESSES_PER_DAY: Setting<usize> = setting("PASSWORD_GUESSES_PER_DAY", 10, 1..=20);

/// Life of an access token, in seconds.
pub(super) const ACCESS_TOKEN_LIFETIME: Setting<u64> = setting("ACCESS_TOKEN_LIFETIME", 30 * DAY, 300..=366 * DAY);

/// Life of a login from the password to the code, in seconds, however often its token is renewed.
pub(super) const SECOND_FACTOR_TOKEN_LIFETIME: Setting<u64> = setting("SECOND_FACTOR_TOKEN_LIFETIME", 600, 60..=600);

/// So many wrong passwords in a row are forgiven; one more blocks the user.
pub(super) const USER_LOGIN_ERROR_MAX: Setting<u64> = setting("USER_LOGIN_ERROR_MAX", 3, 1..=50);

/// So many failed codes in a row are forgiven; one more blocks the user.
pub(super) const USER_OTP_ERROR_MAX: Setting<u64> = setting("USER_OTP_ERROR_MAX", 3, 1..=50);

/// Seconds after which a block by failures expires; 0 for blocks that last until a password
/// reset or an unblock.
pub(super) const BLOCK_SECONDS: Setting<u64> = setting("BLOCK_SECONDS", 0, 0..=30 * DAY);

/// Life of a known device's token, in seconds. A login from the device may renew it.
pub(super) const KNOWN_DEVICE_LIFETIME: Setting<u64> = setting("KNOWN_DEVICE_LIFETIME", 90 * DAY, DAY..=400 * DAY);

/// For how many days after a login with a second factor the known device needs none. With 0, no device is remembered.
pub(super) const REMEMBER_DEVICE_DAYS: Setting<u64> = setting("REMEMBER_DEVICE_DAYS", 0, 0..=90);

/// Logins with a password that may fail in any hour from one source address, whichever user they name. An IPv6
/// caller counts as its /64.
pub(super) const FAILED_LOGINS_PER_SOURCE_PER_HOUR: Setting<usize> =
    setting("FAILED_LOGINS_PER_SOURCE_PER_HOUR", 100, 1..=300);

/// Digits of a code by text message.
pub(super) const OTP_LENGTH: Setting<usize> = setting("OTP_LENGTH", 6, 6..=8);

/// Life of a code by text message, in seconds.
pub(super) const OTP_LIFETIME: Setting<u64> = setting("OTP_LIFETIME", 300, 30..=600);

/// Guesses at one code.
pub(super) const OTP_MAX_ATTEMPTS: Setting<u64> = setting("OTP_MAX_ATTEMPTS", 3, 1..=10);

/// Codes that are sent to a user in any hour.
pub(super) const OTP_SENDS_PER_HOUR: Setting<usize> = setting("OTP_SENDS_PER_HOUR", 10, 1..=10);

/// Codes that are sent to a user in any 24 hours.
pub(super) const OTP_SENDS_PER_DAY: Setting<usize> = setting("OTP_SENDS_PER_DAY", 20, 1..=20);

/// Codes that are sent to an account on its first day, those to an established second factor aside.
pub(super) const OTP_SENDS_FIRST_DAY: Setting<usize> = setting("OTP_SENDS_FIRST_DAY", 3, 1..=20);

/// Guesses at the codes of a user in any 24 hours, whatever their number, right or wrong.
pub(super) const OTP_GUESSES_PER_DAY: Setting<usize> = setting("OTP_GUESSES_PER_DAY", 10, 1..=10);

/// Guesses at the codes of a user in any 30 days, whatever their number, right or wrong.
pub(super) const OTP_GUESSES_PER_30_DAYS: Setting<usize> = setting("OTP_GUESSES_PER_30_DAYS", 30, 1..=30);

/// Codes that are sent to a user, and to a number, in OtpSendTimeout seconds.
pub(super) const OTP_SEND_COUNTER_MAX: Setting<usize> = setting("OTP_SEND_COUNTER_MAX", 3, 1..=10);

/// The seconds that OtpSendCounterMax is about.
pub(super) const OTP_SEND_TIMEOUT: Setting<u64> = setting("OTP_SEND_TIMEOUT", 60, 1..=3600);

/// Text messages of the whole deployment in any minute, up to twice as many if their codes are verified; half of them
/// for established factors only.
pub(super) const SMS_PER_MINUTE: Setting<u64> = setting("SMS_PER_MINUTE", 60, 1..=1_000_000);

/// Text messages of the whole deployment in any 24 hours, up to twice as many if their codes are verified; half of them
/// for established factors only.
pub(super) const SMS_PER_DAY: Setting<u64> = setting("SMS_PER_DAY", 5000, 1..=1_000_000_000);

/// Text messages to one country in any minute, up to twice as many if their codes are verified; half of them for
/// established factors only.
pub(super) const SMS_PER_COUNTRY_PER_MINUTE: Setting<u64> = setting("SMS_PER_COUNTRY_PER_MINUTE", 30, 1..=1_000_000);

/// Text messages to one country in any 24 hours, up to twice as many if their codes are verified; half of them for
/// established factors only.
pub(super) const SMS_PER_COUNTRY_PER_DAY: Setting<u64> = setting("SMS_PER_COUNTRY_PER_DAY", 2000, 1..=1_000_000_000);

/// Rows that the quota of text messages is divided into, each of which enforces its part of SmsPerMinute, SmsPerDay and
/// the limits of a country, rounded down. At most half of the smallest of them. A row takes about ten messages a second
/// without much delay (docs/scale.md).
pub(super) const SMS_SHARDS: Setting<u64> = setting("SMS_SHARDS", 1, 1..=256);

/// Text messages to one number in any hour, whichever user they are for.
pub(super) const SMS_PER_NUMBER_PER_HOUR: Setting<usize> = setting("SMS_PER_NUMBER_PER_HOUR", 10, 1..=10);

/// Text messages to one number in any 24 hours, whichever user they are for.
pub(super) const SMS_PER_NUMBER_PER_DAY: Setting<usize> = setting("SMS_PER_NUMBER_PER_DAY", 20, 1..=20);

/// Life of a verification and its code, in seconds, from the first message on.
pub(super) const VERIFY_LIFETIME: Setting<u64> = setting("VERIFY_LIFETIME", 600, 120..=600);

/// Guesses at the codes of verifications in any 24 hours, for each account and destination; and at the codes of an entity's apps.
pub(super) const VERIFY_GUESSES_PER_DAY: Setting<usize> = setting("VERIFY_GUESSES_PER_DAY", 20, 5..=20);

/// Guesses at the codes of verifications in any 30 days, for each account and destination; and at the codes of an entity's apps.
pub(super) const VERIFY_GUESSES_PER_30_DAYS: Setting<usize> = setting("VERIFY_GUESSES_PER_30_DAYS", 60, 5..=60);

/// Mails with codes of verifications to one mailbox in any hour.
pub(super) const VERIFY_MAILS_PER_HOUR: Setting<usize> = setting("VERIFY_MAILS_PER_HOUR", 10, 1..=60);

/// Mails with codes of verifications to one mailbox in any 24 hours.
pub(super) const VERIFY_MAILS_PER_DAY: Setting<usize> = setting("VERIFY_MAILS_PER_DAY", 20, 1..=200);

/// Parts into which an account's list of attempts is divided. More of them take more writes a second.
pub(super) const ATTEMPT_SHARDS: Setting<u8> = setting("ATTEMPT_SHARDS", 1, 1..=64);
