//! Floor 2: verifications of any number or address: reading one, comparing a code, and ending one.

use std::collections::BTreeMap;

use crate::{
    domain::{
        audit::Act,
        crypto::key,
        limits::{
            quota::Shard,
            rate_limit::RateLimited,
            unverified::{self, Day, DayId},
        },
        people::name::DomainName,
        time::Timestamp,
        verification::{
            attempt::Attempt,
            destination::{Destination, DestinationId},
            policy::{VerificationKeys, VerificationPolicy},
            record::{DestinationRecord, Judged, Message, Shown, Status, record_of},
            request::{Guess, Name},
            service::Service,
            sid::{AccountSid, ServiceSid, VerificationSid},
        },
    },
    fault::Fault,
    http::call::Call,
    observe::{self, Metric, Outcome},
    runtime::{edge::Wire, keys::Keys},
    services::{
        audit::AuditLog,
        verify_accounts::{self, Admission, Admitted, VerifyAccounts},
    },
    store::{
        retry::optimistic,
        rows,
        table::{Batch, BatchGet, Change, Committed, Put, Table, Transaction, Update, settled},
    },
};

/// Reads verifications.
#[derive(Debug, Wire)]
pub struct VerificationReader {
    /// Authenticates applications.
    pub accounts: VerifyAccounts,
    /// Records of destinations.
    pub read: Table<DestinationRecord, BatchGet>,
    /// The keys of verifications.
    pub keys: Keys<key::Verifications>,
    /// The policy.
    #[wire(verification_policy)]
    pub policy: VerificationPolicy,
}

/// Compares codes with verifications, and ends verifications.
#[derive(Debug, Wire)]
pub struct VerificationChecker {
    /// Reads them.
    pub reader: VerificationReader,
    /// Writes records.
    pub records: Table<DestinationRecord, Put>,
    /// Notes which message was followed by an approval.
    pub attempts: Table<Attempt, Put>,
    /// Counts approvals in the budget of unverified messages.
    pub days: Table<Day, Update>,
    /// Records approvals and cancels.
    pub audit: AuditLog,
    /// How the budget of unverified messages is divided.
    #[wire(unverified_policy)]
    pub unverified: unverified::Policy,
}

/// An authenticated application, its service, and what is stored about the destination that it names.
pub struct Opened {
    /// Its account.
    pub account: AccountSid,
    /// The account's tenant.
    pub domain: DomainName,
    /// The service.
    pub service: Service,
    /// The record of the destination.
    pub record: DestinationRecord,
    /// The keys of verifications.
    pub keys: VerificationKeys,
    /// The other rows that were read.
    pub found: Batch,
}

/// Maximum number of attempts at comparing a code while others are compared concurrently. The request times out earlier.
const ROUNDS: u32 = 10_000;

impl VerificationReader {
    /// Authenticates an application, and reads the record of a destination and whatever else is wanted in the same call.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn open(&self, call: &Call, name: Option<&Name>, want: impl FnOnce(&mut Batch)) -> Admission<Opened> {
        let keys = VerificationKeys::of(&self.keys.at(call.now).await);
        let service = ServiceSid::parse(call.path_parameter("service"));
        let id = match (name, &service) {
            (Some(Name::Sid(sid)), _) => Some(record_of(sid)),
            (Some(Name::To(to)), Some(service)) => Some(DestinationId::of(&keys.names, service, to)),
            (Some(Name::To(_)), None) | (None, _) => None,
        };
        let admitted = verify_accounts::service(&self.accounts, call, |batch| {
            id.iter().for_each(|id| batch.want(&self.read, id));
            want(batch);
        });
        let Admitted {
            account,
            domain,
            service,
            found,
        } = match admitted.await? {
            Ok(admitted) => admitted,
            Err(denied) => return Ok(Err(denied)),
        };
        // A request that names none is refused for that, once its application is authenticated.
        let id = id.unwrap_or(DestinationId::from_bytes([0; 10]));
        let record = match name {
            Some(_) => found.take(&self.read, &id, call.now)?,
            None => None,
        };
        Ok(Ok(Opened {
            account,
            domain,
            service,
            record: record.unwrap_or_else(|| DestinationRecord::none(id)),
            keys,
            found,
        }))
    }

    /// The record as it is now.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn again(&self, id: &DestinationId, call: &Call) -> Result<DestinationRecord, Fault> {
        let record = Batch::one(&self.read, id, call.now).await?;
        Ok(record.unwrap_or_else(|| DestinationRecord::none(*id)))
    }

    /// The verification, if it is neither approved, nor canceled, nor expired.
    #[must_use]
    pub fn show(&self, call: &Call, opened: &Opened, name: &Name) -> Option<Shown> {
        let Opened {
            record, keys, service, ..
        } = opened;
        record.show(&self.policy, keys, service.sid, name.which(), call.now)
    }
}

/// The outcome of a guess.
#[derive(Debug)]
pub enum Checked {
    /// There is no such verification.
    NotFound,
    /// Too many codes were compared: this one was not.
    Limited(RateLimited),
    /// It was wrong, and was counted.
    Wrong(Shown),
    /// It was right: the verification is approved.
    Right(Shown),
}

impl VerificationChecker {
    /// Compares a code. Of any number of concurrent guesses, exactly as many are compared as the policy allows, and one
    /// right one is accepted.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn check(&self, call: &Call, opened: &Opened, guess: &Guess) -> Result<Checked, Fault> {
        let policy = &self.reader.policy;
        let (service, which) = (opened.service.sid, guess.name.which());
        let mut read = Some(opened.record.clone());
        optimistic(ROUNDS, "the verification", async || {
            let record = match read.take() {
                Some(record) => record,
                None => self.reader.again(&opened.record.id, call).await?,
            };
            let (id, version) = (record.id, record.version);
            let given = (&guess.code, guess.payment.as_ref());
            let (next, checked) = match record.clone().check(policy, &opened.keys, (service, which), given, &call.hit())
            {
                Judged::NotFound => return Ok(Some(Checked::NotFound)),
                Judged::Limited(limited) => return Ok(Some(Checked::Limited(limited))),
                Judged::Wrong { next, shown } => (next, Checked::Wrong(shown)),
                Judged::Right { next, shown } => (next, Checked::Right(shown)),
            };
            let mut transaction = Transaction::default();
            transaction.put_if(&self.records, &next, rows::verification::is_as_read(version));
            if let Checked::Right(shown) = &checked {
                self.approve(&mut transaction, call, opened, &record, shown);
            }
            let is_counted = async {
                let found = self.reader.again(&id, call).await?;
                Ok(found.ledger.0.iter().any(|hit| hit.by == call.invocation))
            };
            match settled(transaction.commit().await, is_counted).await? {
                Committed::Yes => {
                    if let Checked::Right(shown) = &checked {
                        count_approval(call, shown);
                    }
                    Ok(Some(checked))
                }
                Committed::No(_) => Ok(None),
            }
        })
        .await
    }

    /// Ends a verification without its code; `None` where there is none.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn close(
        &self,
        call: &Call,
        opened: &Opened,
        name: &Name,
        status: Status,
    ) -> Result<Option<Shown>, Fault> {
        let policy = &self.reader.policy;
        let mut read = Some(opened.record.clone());
        optimistic(ROUNDS, "the verification", async || {
            let record = match read.take() {
                Some(record) => record,
                None => self.reader.again(&opened.record.id, call).await?,
            };
            let (id, version) = (record.id, record.version);
            let service = opened.service.sid;
            let closed = record.clone().close(policy, &opened.keys, service, name.which(), (status, call.now));
            let Some((next, shown)) = closed else {
                return Ok(Some(None));
            };
            let mut transaction = Transaction::default();
            transaction.put_if(&self.records, &next, rows::verification::is_as_read(version));
            match status {
                Status::Approved => self.approve(&mut transaction, call, opened, &record, &shown),
                Status::Canceled | Status::Pending | Status::MaxAttemptsReached => {
                    let act = act(Outcome::VerificationCanceled, &opened.domain, &shown.sid);
                    self.audit.add(&mut transaction, call, act);
                }
            }
            let is_closed = async {
                let found = self.reader.again(&id, call).await?;
                Ok(found.version == version + 1 && found.entry(&shown.sid).is_none())
            };
            match settled(transaction.commit().await, is_closed).await? {
                Committed::Yes => {
                    if status == Status::Approved {
                        count_approval(call, &shown);
                    }
                    Ok(Some(Some(shown)))
                }
                Committed::No(_) => Ok(None),
            }
        })
        .await
    }

    /// Adds what records an approval: the event, the use of the last message, and the budgets of the countries.
    fn approve(
        &self,
        transaction: &mut Transaction,
        call: &Call,
        opened: &Opened,
        record: &DestinationRecord,
        shown: &Shown,
    ) {
        self.audit.add(transaction, call, act(Outcome::VerificationApproved, &opened.domain, &shown.sid));
        if let (Some(message), Some(entry)) = (shown.messages.last(), record.entry(&shown.sid)) {
            let attempt = Attempt {
                sid: message.attempt,
                account: opened.account,
                service: opened.service.sid,
                verification: shown.sid,
                channel: message.channel,
                to: entry.to.clone(),
                country: message.country.clone(),
                is_sent: true,
                converted_at: Some(call.now),
            };
            transaction.put(&self.attempts, &attempt);
        }
        for (id, change) in approvals(self.unverified, shown) {
            transaction.update(&self.days, &id, change);
        }
    }
}

/// The changes of the countries' budgets: each text message of the verification was followed by its approval.
fn approvals(policy: unverified::Policy, shown: &Shown) -> Vec<(DayId, Change)> {
    let shard = shard_of(&shown.to, policy.shards);
    let mut by_country: BTreeMap<&str, Vec<Timestamp>> = BTreeMap::new();
    for message in &shown.messages {
        if let Some(country) = &message.country {
            by_country.entry(country).or_default().push(message.at);
        }
    }
    let changes = by_country.into_iter().flat_map(|(country, sent)| {
        rows::unverified::approve(&sent).into_iter().map(move |(day, change)| {
            let id = DayId {
                country: country.to_owned(),
                shard: shard.number(),
                day,
            };
            (id, change)
        })
    });
    changes.collect()
}

/// The shard that counts the messages to a destination.
pub(super) fn shard_of(to: &Destination, shards: u64) -> Shard {
    Shard::of(to.as_str().as_bytes(), shards)
}

/// What is recorded about a verification.
pub(super) fn act(outcome: Outcome, domain: &DomainName, sid: &VerificationSid) -> Act {
    outcome.of(sid.log_name()).in_domain(domain)
}

/// Counts an approval.
fn count_approval(call: &Call, shown: &Shown) {
    count_last(Metric::VerificationApproved, call, shown);
}

/// Counts what happened to a verification, by the country of its last message or by its channel.
pub(super) fn count_last(metric: Metric, call: &Call, shown: &Shown) {
    if let Some(Message { channel, country, .. }) = shown.messages.last() {
        let place = country.as_deref().unwrap_or(channel.name());
        observe::count(metric, ("Country", place), call.log_context(Some(&shown.to.masked())));
    }
}
