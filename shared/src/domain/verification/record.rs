//! What is stored about one destination of an account: its live verifications, one for each service, and the guesses at
//! all of their codes.
//!
//! As with the codes of logins ([`crate::domain::otp`]), a rule judges the record as it was read and returns its
//! replacement; the store accepts that only while the version is unchanged (optimistic locking), and the caller is answered
//! only afterwards. So concurrent guesses are compared one after the other, and none is compared without being counted;
//! and a wrong guess that is written first makes a right one be judged again, and does not refuse it.

mod parts;

pub use self::parts::{Entry, Message, Shown, StartRequest, Status, Verification, Which};

use rand::TryCryptoRng;

use self::parts::destination;
use super::{
    code::{Code, CodeSource, Payment},
    destination::{Channel, DestinationId},
    policy::{GuessLedger, VerificationKeys, VerificationPolicy},
    sid::{AttemptSid, ServiceSid, VerificationSid},
};
use crate::domain::{
    crypto::{
        encryption::Encrypted,
        secret::{NoEntropy, Secret, random_bytes},
    },
    limits::rate_limit::{Hit, RateLimited},
    people::factor::Trust,
    time::Timestamp,
};

/// The record of one destination.
#[derive(Clone, Debug)]
pub struct DestinationRecord {
    /// Its key.
    pub id: DestinationId,
    /// The version for optimistic locking. 0: nothing is stored yet.
    pub version: u64,
    /// The guesses that were compared with a code of any service.
    pub ledger: GuessLedger,
    /// What each service knows.
    pub entries: Vec<Entry>,
    /// When a verification was approved last.
    pub approved_at: Option<Timestamp>,
    /// When the TTL sweep may delete the row: not before everything in it has stopped counting.
    pub forget_at: Timestamp,
}

/// A message that may be sent once the record is stored.
#[derive(Debug)]
pub struct Started {
    /// The record to store.
    pub next: DestinationRecord,
    /// The code to send.
    pub code: Secret,
    /// The destination, encrypted.
    pub to: Encrypted,
    /// When the verification expires.
    pub expires_at: Timestamp,
    /// The verification.
    pub shown: Shown,
}

/// What to store and what to answer. The answer is given only once the record is stored.
#[derive(Debug)]
pub enum Judged {
    /// There is no such verification, or it has expired, was approved or was canceled: nothing was compared.
    NotFound,
    /// Rate limited: the guess was not compared, and there is nothing to store.
    Limited(RateLimited),
    /// The guess was wrong.
    Wrong {
        /// The record to store.
        next: DestinationRecord,
        /// The verification, still pending.
        shown: Shown,
    },
    /// The guess was right, and the single-use code is consumed.
    Right {
        /// The record to store, together with what records the approval.
        next: DestinationRecord,
        /// The verification, approved.
        shown: Shown,
    },
}

impl DestinationRecord {
    /// The record of a destination about which nothing is stored.
    #[must_use]
    pub fn none(id: DestinationId) -> Self {
        Self {
            id,
            version: 0,
            ledger: GuessLedger::default(),
            entries: Vec::new(),
            approved_at: None,
            forget_at: Timestamp::from_seconds(0),
        }
    }

    /// Whether messages to it may use the reserved half of the quota: it has proved before, and not long ago, that it
    /// receives codes.
    #[must_use]
    pub fn trust(&self, policy: &VerificationPolicy, now: Timestamp) -> Trust {
        match self.approved_at {
            Some(at) if !at.deadline(policy.memory()).is_expired(now) => Trust::Established,
            Some(_) | None => Trust::New,
        }
    }

    /// Starts a verification, or repeats the code of the one that is pending.
    ///
    /// # Errors
    /// [`NoEntropy`] when the generator fails; the inner `Err` is [`RateLimited`]: too many messages were sent recently.
    pub fn start(
        self,
        policy: &VerificationPolicy,
        keys: &VerificationKeys,
        request: &StartRequest<'_>,
        act: &Hit,
        rng: &mut impl TryCryptoRng,
    ) -> Result<Result<Started, RateLimited>, NoEntropy> {
        let mut next = self.following(policy, act.at).tidied(policy, act.at);
        let position = next.position(keys, request.service, Which::To(request.to));
        let entry = match position {
            Some(position) => next.entries.remove(position),
            None => Entry {
                service: request.service,
                to: keys.encrypt(&next.id, request.to.as_str(), rng)?,
                sends: Vec::new(),
                open: None,
            },
        };
        let sends = match policy.sends.spend(&entry.sends, act) {
            Ok(sends) => sends,
            Err(limited) => return Ok(Err(limited)),
        };
        let pending = entry.open.filter(|open| {
            let is_pending = open.status(policy) == Status::Pending && !open.expires_at.is_expired(act.at);
            is_pending && open.payment(keys, &next.id).as_ref() == request.payment
        });
        let derived = CodeSource::Derived {
            key: keys.codes.signing().id(),
            length: request.length,
        };
        let mut open = match pending {
            Some(pending) => pending,
            None => Verification {
                nonce: random_bytes(rng)?,
                code: derived.clone(),
                payment: match request.payment {
                    Some(payment) => Some(keys.encrypt(&next.id, &payment.text(), rng)?),
                    None => None,
                },
                created_at: act.at,
                updated_at: act.at,
                expires_at: act.at.deadline(policy.lifetime),
                wrong: 0,
                messages: Vec::new(),
            },
        };
        let sid = open.sid(&next.id);
        if let Some(custom) = request.custom {
            open.code = CodeSource::custom(&keys.codes, &sid, request.payment, custom);
        } else if open.code.derive(&keys.codes, &sid, request.payment).is_none() {
            // A chosen code cannot be repeated, and one under a deleted key neither.
            open.code = derived;
        }
        let code = match request.custom {
            Some(custom) => custom.text().clone(),
            None => open.code.derive(&keys.codes, &sid, request.payment).expect("it is derived with a live key"),
        };
        open.updated_at = act.at;
        open.messages.push(Message {
            attempt: request.attempt,
            by: act.by.clone(),
            channel: Channel::of(request.to),
            at: act.at,
            country: request.country.map(str::to_owned),
        });
        let shown = open.shown(policy, keys, &next.id, request.to.clone());
        let (to, expires_at) = (entry.to.clone(), open.expires_at);
        next.entries.push(Entry {
            open: Some(open),
            sends,
            ..entry
        });
        Ok(Ok(Started {
            next,
            code,
            to,
            expires_at,
            shown,
        }))
    }

    /// The record after a message that could not be sent: it does not count towards the rate limit, and a verification
    /// without another message is gone.
    #[must_use]
    pub fn take_back(self, attempt: &AttemptSid, by: &str) -> Self {
        let mut next = Self {
            version: self.version + 1,
            ..self
        };
        for entry in &mut next.entries {
            let sent = |open: &Verification| open.messages.iter().any(|message| message.attempt == *attempt);
            if !entry.open.as_ref().is_some_and(sent) {
                continue;
            }
            entry.sends.retain(|sent| sent.by != by);
            if let Some(open) = &mut entry.open {
                open.messages.retain(|message| message.attempt != *attempt);
            }
            entry.open = entry.open.take().filter(|open| !open.messages.is_empty());
        }
        next
    }

    /// The verification, if it is neither approved, nor canceled, nor expired.
    #[must_use]
    pub fn show(
        &self,
        policy: &VerificationPolicy,
        keys: &VerificationKeys,
        service: ServiceSid,
        which: Which<'_>,
        now: Timestamp,
    ) -> Option<Shown> {
        let entry = &self.entries[self.position(keys, service, which)?];
        let open = entry.open.as_ref().filter(|open| !open.expires_at.is_expired(now))?;
        Some(open.shown(policy, keys, &self.id, destination(keys, &self.id, entry)?))
    }

    /// Ends the verification, approved or canceled by its account; `None` where [`Self::show`] shows none.
    #[must_use]
    pub fn close(
        self,
        policy: &VerificationPolicy,
        keys: &VerificationKeys,
        service: ServiceSid,
        which: Which<'_>,
        (status, now): (Status, Timestamp),
    ) -> Option<(Self, Shown)> {
        let shown = self.show(policy, keys, service, which, now)?;
        let position = self.position(keys, service, which)?;
        let mut next = self.following(policy, now);
        next.entries[position].open = None;
        if status == Status::Approved {
            next.approved_at = Some(now);
        }
        Some((
            next,
            Shown {
                status,
                updated_at: now,
                ..shown
            },
        ))
    }

    /// Checks a guess. One that cannot be right in any case (no verification, or one that is past its attempts) is not
    /// compared and does not use the ledger; a right one does.
    #[must_use]
    pub fn check(
        self,
        policy: &VerificationPolicy,
        keys: &VerificationKeys,
        (service, which): (ServiceSid, Which<'_>),
        (given, payment): (&Code, Option<&Payment>),
        act: &Hit,
    ) -> Judged {
        let Some(shown) = self.show(policy, keys, service, which, act.at) else {
            return Judged::NotFound;
        };
        let position = self.position(keys, service, which).expect("it is shown");
        let open = self.entries[position].open.clone().expect("it is shown");
        if open.status(policy) == Status::MaxAttemptsReached {
            let retry_after = open.expires_at.seconds() - act.at.seconds();
            return Judged::Limited(RateLimited { retry_after });
        }
        let ledger = match self.ledger.compare(policy, act) {
            Ok(ledger) => ledger,
            Err(limited) => return Judged::Limited(limited),
        };
        let is_right = open.code.fits(&keys.codes, &shown.sid, payment, given);
        if is_right {
            let closed = self.close(policy, keys, service, which, (Status::Approved, act.at));
            let (next, shown) = closed.expect("it is shown");
            return Judged::Right {
                next: Self { ledger, ..next },
                shown,
            };
        }
        let mut next = Self {
            ledger,
            ..self.following(policy, act.at)
        };
        let wrong = Verification {
            wrong: open.wrong + 1,
            updated_at: act.at,
            ..open
        };
        next.entries[position].open = Some(wrong);
        let shown = Shown {
            updated_at: act.at,
            ..shown
        };
        Judged::Wrong { next, shown }
    }

    /// The entry of a verification that is neither approved nor canceled.
    #[must_use]
    pub fn entry(&self, sid: &VerificationSid) -> Option<&Entry> {
        let has = |entry: &&Entry| entry.open.as_ref().is_some_and(|open| open.sid(&self.id) == *sid);
        self.entries.iter().find(has)
    }

    /// The entry that has the verification, open or not.
    fn position(&self, keys: &VerificationKeys, service: ServiceSid, which: Which<'_>) -> Option<usize> {
        self.entries.iter().position(|entry| {
            entry.service == service
                && match which {
                    Which::To(to) => destination(keys, &self.id, entry).is_some_and(|own| own.is_same(to)),
                    Which::Sid(sid) => entry.open.as_ref().is_some_and(|open| open.sid(&self.id) == *sid),
                }
        })
    }

    /// Without the entries of services that know nothing any more.
    fn tidied(mut self, policy: &VerificationPolicy, now: Timestamp) -> Self {
        let counts = |sent: &Hit| !sent.at.deadline(policy.sends.memory()).is_expired(now);
        self.entries.retain(|entry| entry.open.is_some() || entry.sends.iter().any(counts));
        self
    }

    /// The record that may replace this one, without expired verifications. No entry changes its position.
    fn following(self, policy: &VerificationPolicy, now: Timestamp) -> Self {
        let mut next = Self {
            version: self.version + 1,
            forget_at: self.forget_at.max(now.deadline(policy.memory())),
            ..self
        };
        for entry in &mut next.entries {
            entry.open = entry.open.take().filter(|open| !open.expires_at.is_expired(now));
        }
        next
    }
}

/// The record that a verification's SID leads to.
#[must_use]
pub fn record_of(sid: &VerificationSid) -> DestinationId {
    DestinationId::from_bytes(sid.bytes()[..10].try_into().expect("a SID has 16 bytes"))
}

#[cfg(test)]
mod tests;
