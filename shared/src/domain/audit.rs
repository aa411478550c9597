//! The audit log: who did what to whom, and what happened without a request (ASVS 16.3). Events are append-only and are
//! looked up by their subject. Each event is recorded once, however often its source delivers it.

use sha2::{Digest as _, Sha256};

use super::{crypto::secret::framed, people::name::DomainName, time::Timestamp};

/// Retention of the audit log.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// How long events are kept, in seconds.
    pub retention: u64,
}

/// What happened, and to whom.
#[derive(Clone, Debug)]
pub struct Act {
    /// The name of the event.
    pub what: &'static str,
    /// The type under which applications receive it; `None` for an event that none would act upon.
    pub published_as: Option<&'static str>,
    /// The subject: `user:…`, `client:…`, or a kind of row and a pseudonym.
    pub subject: String,
    /// The domain that the subject belongs to, if it belongs to one.
    pub domain: Option<DomainName>,
    /// The notice to the subject, a user.
    pub notice: Option<Notice>,
}

impl Act {
    /// The same, in that domain.
    #[must_use]
    pub fn in_domain(mut self, domain: &DomainName) -> Self {
        self.domain = Some(domain.clone());
        self
    }

    /// The same, and the user is notified by mail.
    #[must_use]
    pub fn with_notice(mut self, notice: Notice) -> Self {
        self.notice = Some(notice);
        self
    }
}

/// A mail that notifies a user of a change to the account (R41).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The password was changed.
    PasswordChanged,
    /// A second factor was set.
    FactorChanged {
        /// The new number, masked.
        phone: String,
    },
    /// An administrator reset a second factor.
    FactorReset,
    /// An administrator disabled a second factor.
    FactorDisabled,
    /// Too many failed attempts blocked the account.
    Locked,
    /// The right password was followed by wrong codes only.
    CodeFailed,
    /// An authenticator app was set.
    AppChanged,
    /// An administrator reset or disabled one of the second factors, and it was not the only one, or no phone.
    FactorRemoved,
    /// A recovery code completed a login.
    RecoveryCodeUsed {
        /// How many are left.
        left: usize,
    },
    /// The recovery codes were replaced.
    RecoveryCodesReplaced,
    /// A login made its device a known one.
    DeviceAdded,
}

impl Notice {
    /// The name in rows, logs and the mail's tag.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::PasswordChanged => "password_changed",
            Self::FactorChanged { .. } => "factor_changed",
            Self::FactorReset => "factor_reset",
            Self::FactorDisabled => "factor_disabled",
            Self::Locked => "locked",
            Self::CodeFailed => "code_failed",
            Self::AppChanged => "app_changed",
            Self::FactorRemoved => "factor_removed",
            Self::RecoveryCodeUsed { .. } => "recovery_code_used",
            Self::RecoveryCodesReplaced => "recovery_codes_replaced",
            Self::DeviceAdded => "device_added",
        }
    }

    /// The notice of that name; `detail` is what it names.
    #[must_use]
    pub fn parse(name: &str, detail: Option<&str>) -> Option<Self> {
        match (name, detail) {
            ("password_changed", None) => Some(Self::PasswordChanged),
            ("factor_changed", Some(phone)) => Some(Self::FactorChanged {
                phone: phone.to_owned(),
            }),
            ("factor_reset", None) => Some(Self::FactorReset),
            ("factor_disabled", None) => Some(Self::FactorDisabled),
            ("locked", None) => Some(Self::Locked),
            ("code_failed", None) => Some(Self::CodeFailed),
            ("app_changed", None) => Some(Self::AppChanged),
            ("factor_removed", None) => Some(Self::FactorRemoved),
            ("recovery_code_used", Some(left)) => left.parse().ok().map(|left| Self::RecoveryCodeUsed { left }),
            ("recovery_codes_replaced", None) => Some(Self::RecoveryCodesReplaced),
            ("device_added", None) => Some(Self::DeviceAdded),
            _ => None,
        }
    }

    /// What it names: the masked number, or how many codes are left.
    #[must_use]
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::FactorChanged { phone } => Some(phone.clone()),
            Self::RecoveryCodeUsed { left } => Some(left.to_string()),
            Self::PasswordChanged
            | Self::FactorReset
            | Self::FactorDisabled
            | Self::Locked
            | Self::CodeFailed
            | Self::AppChanged
            | Self::FactorRemoved
            | Self::RecoveryCodesReplaced
            | Self::DeviceAdded => None,
        }
    }
}

/// An audit event as stored: by subject, in order of time.
#[derive(Clone, Debug)]
pub struct Event {
    /// The subject: `user:…`, `client:…`, or a kind of row and a pseudonym.
    pub subject: String,
    /// Hash of the event's source, so that a redelivered event gets the same id and is recorded once.
    pub id: [u8; 32],
    /// The name of the event.
    pub what: String,
    /// The type under which applications receive it, if they do.
    pub published_as: Option<String>,
    /// The domain of the subject, if it belongs to one.
    pub domain: Option<DomainName>,
    /// The notice to its subject, if any.
    pub notice: Option<Notice>,
    /// When it happened.
    pub at: Timestamp,
    /// The request that caused it, if there was one.
    pub request: Option<AuditedRequest>,
    /// Random id of the attempt to record an event that its source may deliver again: it distinguishes our write from
    /// another invocation's after a lost response.
    pub attempt: Option<[u8; 16]>,
    /// When the TTL sweep may delete the event.
    pub forget_at: Timestamp,
}

/// A request, or an operator's command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditedRequest {
    /// The authenticated actor, if any: `user:…`, `client:…`.
    pub actor: Option<String>,
    /// The route's pattern, or the command's name.
    pub route: String,
    /// The request id, which leads to the log and from there to the source address.
    pub request_id: String,
}

impl Event {
    /// An event of a source that may deliver it again, identified by `source`.
    #[must_use]
    pub fn of_source(policy: Policy, act: Act, source: &[&[u8]], attempt: [u8; 16], at: Timestamp) -> Self {
        Self {
            attempt: Some(attempt),
            ..Self::new(policy, act, source, None, at)
        }
    }

    /// The act of a request, or of an operator's command. One invocation records each name once.
    #[must_use]
    pub fn of_request(policy: Policy, act: Act, invocation: &str, request: AuditedRequest, at: Timestamp) -> Self {
        Self::new(policy, act, &[b"invocation", invocation.as_bytes()], Some(request), at)
    }

    fn new(policy: Policy, act: Act, source: &[&[u8]], request: Option<AuditedRequest>, at: Timestamp) -> Self {
        let Act {
            what,
            published_as,
            subject,
            domain,
            notice,
        } = act;
        Self {
            id: Sha256::digest(framed(&[what.as_bytes(), &framed(source)])).into(),
            what: what.to_owned(),
            published_as: published_as.map(str::to_owned),
            subject,
            domain,
            notice,
            at,
            request,
            attempt: None,
            forget_at: at.deadline(policy.retention),
        }
    }

    /// The sort key of a subject's events: their time, and an id that distinguishes events of the same second.
    #[must_use]
    pub fn order(&self) -> String {
        format!("{} {}", self.at.iso(), hex(&self.id[..16]))
    }

    /// The id as applications receive it.
    #[must_use]
    pub fn id_text(&self) -> String {
        hex(&self.id)
    }
}

/// The subject of an event, where only a digest of it may be stored.
#[must_use]
pub fn pseudonym(kind: &str, digest: &[u8; 32]) -> String {
    format!("{kind}:{}", hex(digest))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The pseudonym of a row: it can be computed from the row's key, but the key cannot be recovered from it.
#[must_use]
pub fn subject(kind: &str, key: &str) -> [u8; 32] {
    Sha256::digest(framed(&[b"row", kind.as_bytes(), key.as_bytes()])).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy { retention: 10 };

    fn act(what: &'static str) -> Act {
        Act {
            what,
            published_as: None,
            subject: pseudonym("Pins", &[7; 32]),
            domain: None,
            notice: None,
        }
    }

    #[test]
    fn an_event_is_identified_by_its_source() {
        let event = |what, source: &[&[u8]], attempt, at| {
            Event::of_source(POLICY, act(what), source, [attempt; 16], Timestamp::from_seconds(at))
        };
        let first = event("expired", &[b"ab", b"c"], 1, 5);
        assert_eq!(first.id, event("expired", &[b"ab", b"c"], 2, 6).id);
        assert_eq!((first.subject, first.forget_at.seconds()), (format!("Pins:{}", "07".repeat(32)), 15));
        for other in [
            event("bounced", &[b"ab", b"c"], 1, 5),
            event("expired", &[b"a", b"bc"], 1, 5),
            event("expired", &[b"abc"], 1, 5),
        ] {
            assert_ne!(first.id, other.id);
        }
    }

    #[test]
    fn a_notice_is_read_by_its_name() {
        let phone = || "+38088*****30".to_owned();
        for notice in [
            Notice::PasswordChanged,
            Notice::FactorChanged { phone: phone() },
            Notice::FactorReset,
            Notice::FactorDisabled,
            Notice::Locked,
            Notice::CodeFailed,
            Notice::AppChanged,
            Notice::FactorRemoved,
            Notice::RecoveryCodeUsed { left: 9 },
            Notice::RecoveryCodesReplaced,
        ] {
            assert_eq!(Notice::parse(notice.name(), notice.detail().as_deref()), Some(notice));
        }
        for (name, detail) in [
            ("factor_changed", None),
            ("locked", Some("+1")),
            ("recovery_code_used", Some("+1 ")),
            ("", None),
        ] {
            assert_eq!(Notice::parse(name, detail), None, "{name}");
        }
    }

    #[test]
    fn each_row_has_its_own_pseudonym() {
        let ones = [("user", "a"), ("user", "b"), ("pin", "a"), ("use", "ra")].map(|(kind, key)| subject(kind, key));
        let different: std::collections::HashSet<_> = ones.iter().collect();
        assert_eq!(different.len(), ones.len());
    }

    #[test]
    fn the_events_of_a_subject_are_ordered_by_time() {
        let event = |what, invocation, at| {
            let request = AuditedRequest {
                actor: None,
                route: "GET /".into(),
                request_id: "r".into(),
            };
            Event::of_request(POLICY, act(what), invocation, request, Timestamp::from_seconds(at)).order()
        };
        assert!(event("read", "a", 9) < event("read", "b", 10));
        assert_ne!(event("read", "a", 9), event("read", "b", 9));
        assert_ne!(event("read", "a", 9), event("told", "a", 9));
        assert_eq!(event("read", "a", 9), event("read", "a", 9));
    }
}
