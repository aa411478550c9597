//! What a start may access, and what it was requested to do.

use crate::{
    delivery::{mail::Mailer, text::Texter},
    domain::{
        crypto::key::{Keyring, OtpCodes, Recipients},
        limits::{limit_keys, quota::Quota, rate_limit::Hit, unverified::Day},
        mail::suppression::Suppression,
        people::tenant::Domain,
        verification::{
            attempt::Attempt,
            destination::Destination,
            policy::VerificationKeys,
            record::DestinationRecord,
            request::Start,
            service::RateLimitDefinition,
            sid::{AttemptSid, ServiceSid},
            windows::{self, Windows},
        },
    },
    http::call::Call,
    runtime::{edge::Wire, keys::Keys, settings::VerificationSending},
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
    /// The keys by which rate limits of numbers and mailboxes are found.
    pub recipients: Keys<OtpCodes>,
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
    pub subjects: Subjects,
    pub act: Hit,
}

/// The keys of the rows that a start counts in, besides those of countries and of the deployment.
pub(super) struct Subjects {
    /// The rate limit of the destination, which all families share.
    pub limit: [u8; 32],
    /// The intervals of the application's rate limits, in the order of the request.
    pub windows: Vec<[u8; 32]>,
}

impl Subjects {
    /// Those of a start in a service.
    pub fn of(
        keys: &VerificationKeys,
        recipients: &Keyring<Recipients>,
        service: Option<&ServiceSid>,
        start: &Start,
    ) -> Self {
        let windows = start
            .rate_limits
            .iter()
            .filter_map(|(name, value)| service.map(|service| windows::subject(&keys.names, service, name, value)));
        Self {
            limit: match &start.to {
                Destination::Phone(phone) => limit_keys::sms(recipients, phone),
                Destination::Email(email) => limit_keys::verification_mails(recipients, email),
            },
            windows: windows.collect(),
        }
    }
}
