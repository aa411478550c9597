//! What a start may access, and what it was requested to do.

use crate::{
    delivery::{mail::Mailer, text::Texter},
    domain::{
        limits::{limit_keys, quota::Quota, rate_limit::Hit, unverified::Day},
        mail::suppression::Suppression,
        people::tenant::Domain,
        verification::{
            attempt::Attempt, destination::Destination, record::DestinationRecord, request::Start,
            service::RateLimitDefinition, sid::AttemptSid, windows::Windows,
        },
    },
    http::call::Call,
    runtime::{edge::Wire, settings::VerificationSending},
    services::{
        audit::AuditLog,
        verifications::{Opened, VerificationReader},
    },
    store::{
        rows::{bucket::Level, rate_limit::Usage},
        table::{BatchGet, Get, Put, Table, Update},
    },
};

/// Starts verifications.
#[derive(Debug, Wire)]
pub struct VerificationSender {
    /// Reads them.
    pub reader: VerificationReader,
    /// Writes records.
    pub records: Table<DestinationRecord, Put>,
    /// Lists messages.
    pub attempts: Table<Attempt, Put>,
    /// Reads rate limits of numbers and mailboxes.
    pub read_limits: Table<Usage, BatchGet>,
    /// Counts in them.
    pub limits: Table<Usage, Update>,
    /// Reads the intervals of rate limits that applications define.
    pub read_windows: Table<Windows, BatchGet>,
    /// Counts in them.
    pub windows: Table<Windows, Put>,
    /// Reads the quota of text messages.
    pub read_quotas: Table<Quota, BatchGet>,
    /// Counts in it.
    pub quotas: Table<Quota, Update>,
    /// Reads the budget of unverified messages.
    pub read_days: Table<Day, BatchGet>,
    /// Counts in it.
    pub days: Table<Day, Update>,
    /// Reads the rate limit of the deployment's mails.
    pub read_levels: Table<Level, BatchGet>,
    /// Counts in it.
    pub levels: Table<Level, Update>,
    /// Addresses that nothing is mailed to.
    pub suppressions: Table<Suppression, BatchGet>,
    /// The tenant, for the sender and the language of its mail.
    pub domains: Table<Domain, Get>,
    /// SNS.
    pub texter: Texter,
    /// SES, in a deployment that sends mail.
    pub mailer: Option<Mailer>,
    /// The policy.
    #[wire(verification_sending)]
    pub policy: VerificationSending,
    /// Records starts.
    pub audit: AuditLog,
}

/// Maximum number of attempts while others start verifications of the same destination.
pub(super) const ROUNDS: u32 = 10;

/// One start: what was requested, and what follows from it before anything is decided.
pub(super) struct Request<'a> {
    pub call: &'a Call,
    pub opened: &'a Opened,
    pub start: &'a Start,
    pub attempt: AttemptSid,
    /// The prefix of the country of a number.
    pub country: Option<&'a str>,
    pub limits: Vec<&'a RateLimitDefinition>,
    pub act: Hit,
}

/// The rate limit of a destination, which all families share.
pub(super) fn limit_subject(to: &Destination) -> [u8; 32] {
    match to {
        Destination::Phone(phone) => limit_keys::sms(phone),
        Destination::Email(email) => limit_keys::verification_mails(email),
    }
}
