//! Floor 2: starts verifications: counts the message everywhere where it counts, stores the verification, and sends its
//! code. If the message cannot be sent, nothing remains that could be guessed, or that a retry would have to wait for
//! (R65).

mod reads;
mod tables;
mod undo;

pub use self::tables::VerificationSender;

use rand::rngs::SysRng;

use self::{
    reads::Read,
    tables::{ROUNDS, Request, Subjects},
    undo::Used,
};
use crate::{
    delivery::{
        mail::{self, Recipient},
        text::{Unsent, Why},
        verification::{self as words, LastLine, VerificationText},
    },
    domain::{
        audit::Act,
        crypto::secret::Secret,
        limits::{
            limit_keys,
            quota::{self, Exhausted},
            rate_limit::RateLimited,
            unverified::{self, Days, Mode},
        },
        people::{factor::Trust, name::EmailAddress, phone::Phone},
        verification::{
            attempt::{self, Attempt},
            code::Payment,
            destination::{Channel, Destination},
            policy::VerificationKeys,
            record::{DestinationRecord, Shown, StartRequest, Started},
            request::{Name, Start},
            service::UniqueName,
            sid::ServiceSid,
        },
    },
    fault::Fault,
    http::{call::Call, serve::in_time},
    observe::{self, Metric, Outcome, Reason},
    refusal::NotStarted,
    services::{
        rate_limits::{MailLimit, Spending},
        verifications::{Opened, act, count_last, shard_of},
        verify_accounts::{self, Admission},
    },
    store::{
        retry::optimistic,
        rows::{
            self,
            bucket::Level,
            rate_limit::{Receipt, counted},
        },
        table::{Batch, Committed, Transaction},
    },
};

/// `Retry-After` where every attempt lost to concurrent starts.
const BUSY_FOR: u64 = 1;

/// The kind of these mails, in their tags and in metrics.
const VERIFICATION: &str = "verification";

impl VerificationSender {
    /// Authenticates the application, and reads all that a start depends on in one call.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn open(&self, call: &Call, start: Option<&Start>) -> Admission<Opened> {
        let name = start.map(|start| Name::To(start.to.clone()));
        let service = verify_accounts::named_service(call);
        let of_start = match start {
            Some(start) => Some((start, self.subjects(call, service.as_ref(), start).await)),
            None => None,
        };
        let want = |batch: &mut Batch| {
            of_start.iter().for_each(|(start, subjects)| self.want(batch, call, start, subjects));
        };
        self.reader.open(call, name.as_ref(), want).await
    }

    async fn subjects(&self, call: &Call, service: Option<&ServiceSid>, start: &Start) -> Subjects {
        let keys = VerificationKeys::of(&self.reader.keys.at(call.now).await);
        Subjects::of(&keys, &self.recipients.at(call.now).await.derive(), service, start)
    }

    /// Starts a verification, or sends the code of the pending one again.
    ///
    /// # Errors
    /// [`NotStarted`]: nothing remains of it.
    pub async fn start(&self, call: &Call, opened: &Opened, start: &Start) -> Result<Shown, NotStarted> {
        let country = match &start.to {
            Destination::Phone(phone) => Some(self.policy.countries.of(phone).ok_or(NotStarted::Country)?),
            Destination::Email(_) => None,
        };
        let defined = |(name, _): &(UniqueName, String)| {
            let limit = opened.service.rate_limits.iter().find(|limit| limit.unique_name == *name);
            limit.ok_or(NotStarted::UnknownRateLimit)
        };
        let request = Request {
            call,
            opened,
            start,
            attempt: attempt::new_sid(call.now, self.policy.attempt_shards, &mut SysRng).map_err(Fault::from)?,
            country,
            limits: start.rate_limits.iter().map(defined).collect::<Result<_, _>>()?,
            subjects: self.subjects(call, Some(&opened.service.sid), start).await,
            act: call.hit(),
        };
        let mut used = Used::default();
        let done = in_time(self.work(&request, &mut used)).await;
        if let Err(refusal) = &done {
            count_refusal(&request, refusal);
            self.take_back(&request, used).await;
        }
        done
    }

    async fn work<'a>(&'a self, request: &Request<'_>, used: &mut Used<'a>) -> Result<Shown, NotStarted> {
        let first = self.take(&request.opened.found, request)?;
        if first.is_suppressed {
            return Err(NotStarted::Undeliverable);
        }
        let mut first = Some(first);
        let committed = optimistic(ROUNDS, "the verification", async || {
            let read = match first.take() {
                Some(read) => read,
                None => self.read_again(request).await?,
            };
            self.commit(request, read, used).await
        });
        let (started, read) = match committed.await {
            Err(NotStarted::Fault(Fault::Contended(_))) => {
                return Err(NotStarted::Busy(RateLimited { retry_after: BUSY_FOR }));
            }
            committed => committed?,
        };
        match &request.start.to {
            Destination::Phone(phone) => self.text(request, phone, &started, read, used).await?,
            Destination::Email(email) => self.mail(request, email, &started, read.level, used).await?,
        }
        count_last(Metric::VerificationSent, request.call, &started.shown);
        Ok(started.shown)
    }

    /// Stores the verification, with the hit on the rate limit of its destination and on those that the application
    /// defines. `None` after a concurrent change: read and decide again.
    async fn commit(
        &self,
        request: &Request<'_>,
        read: Read,
        used: &mut Used<'_>,
    ) -> Result<Option<(Started, Read)>, NotStarted> {
        let Request {
            call,
            opened,
            start,
            act,
            ..
        } = request;
        let policy = &self.policy;
        let of = StartRequest {
            service: opened.service.sid,
            to: &start.to,
            length: opened.service.code_length.get().into(),
            custom: start.custom.as_ref(),
            payment: start.payment.as_ref(),
            attempt: request.attempt,
            country: request.country,
        };
        let started = read.record.clone().start(&self.reader.policy, &opened.keys, &of, act, &mut SysRng);
        let started = started.map_err(Fault::from)?.map_err(NotStarted::RateLimited)?;
        let spent = read.usage.as_ref().map_or(&[][..], |usage| &usage.acts);
        let limit = match &start.to {
            Destination::Phone(_) => &policy.number,
            Destination::Email(_) => &policy.mailbox,
        };
        let next = limit.spend(spent, act).map_err(NotStarted::RateLimited)?;
        if let Some(message) = self.message(request, &read.record) {
            // Decided again when it is counted; a message that is refused then would be stored and taken back.
            read.quota.clone().spend(&policy.quota, &message, act)?;
            Self::has_room(self.budget(request, &read.record, &started), request, &read.days)?;
        }
        let attempt = Attempt {
            sid: request.attempt,
            account: opened.account,
            service: opened.service.sid,
            verification: started.shown.sid,
            channel: Channel::of(&start.to),
            to: started.to.clone(),
            country: request.country.map(str::to_owned),
            is_sent: true,
            converted_at: None,
        };
        let mut transaction = Transaction::default();
        let is_as_read = rows::verification::is_as_read;
        transaction.put_if(&self.records, &started.next, is_as_read(read.record.version));
        let subject = request.subjects.limit;
        let usage = read.usage.as_ref().map(|usage| usage.acts.as_slice());
        transaction.update(&self.limits, &subject, counted(usage, &next, act.at.deadline(limit.memory())));
        let mut counts = Vec::new();
        for (windows, defined) in read.windows.iter().zip(&request.limits) {
            let counted = windows.count(&defined.buckets, call.now).map_err(NotStarted::Defined)?;
            transaction.put_if(&self.windows, &counted, is_as_read(windows.version));
            counts.push(counted);
        }
        transaction.put(&self.attempts, &attempt);
        let event = act_of(Outcome::VerificationStarted, request, &started);
        self.audit.add(&mut transaction, *call, event);
        // If the answer is lost, all of it may have been written.
        used.stored = Some((started.next.clone(), attempt));
        used.limit = Some(Receipt::of(subject, next, act));
        used.windows = counts;
        match transaction.commit().await? {
            Committed::Yes => Ok(Some((started, read))),
            Committed::No(_) => {
                (used.stored, used.limit, used.windows) = (None, None, Vec::new());
                Ok(None)
            }
        }
    }

    /// A text message, as the quota counts it.
    fn message(&self, request: &Request<'_>, record: &DestinationRecord) -> Option<quota::Message> {
        Some(quota::Message {
            country: request.country?.to_owned(),
            trust: record.trust(&self.reader.policy, request.call.now),
        })
    }

    /// The budget of unverified messages, as it applies to a message. What is exhausted refuses neither destinations that
    /// were verified before (R79), nor the code of a pending verification again: such a message counts, and is not refused.
    fn budget(&self, request: &Request<'_>, record: &DestinationRecord, started: &Started) -> unverified::Policy {
        let is_resend = started.shown.messages.len() > 1;
        let mode = match record.trust(&self.reader.policy, request.call.now) {
            Trust::Established => Mode::Record,
            Trust::New if is_resend => Mode::Record,
            Trust::New => self.policy.unverified.mode,
        };
        unverified::Policy {
            mode,
            ..self.policy.unverified
        }
    }

    /// Whether the country's budget of unverified messages has room.
    fn has_room(budget: unverified::Policy, request: &Request<'_>, days: &Days) -> Result<(), NotStarted> {
        let Some(today) = &days.today else {
            // The first message of a day is decided with those of the days before.
            return Ok(());
        };
        let admitted = budget.admit(today, days.yesterday.as_ref(), request.call.now);
        admitted.map(drop).map_err(|_| NotStarted::UnverifiedBudget)
    }

    async fn text(
        &self,
        request: &Request<'_>,
        phone: &Phone,
        started: &Started,
        read: Read,
        used: &mut Used<'_>,
    ) -> Result<(), NotStarted> {
        let (policy, act) = (&self.policy, &request.act);
        let Some(message) = self.message(request, &read.record) else {
            return Err(NotStarted::Country);
        };
        // Counters that many messages share come last: a start that lost a race must not use them up for others.
        let spent = rows::quota::spend(&self.quotas, &policy.quota, &message, read.quota, act).await?;
        used.quota = Some(spent?);
        let country = message.country.as_str();
        let shard = shard_of(&request.start.to, policy.unverified.shards).number();
        let (days, unverified) = (read.days, self.budget(request, &read.record, started));
        let counted =
            rows::unverified::spend(&self.days, &self.read_days, unverified, country, shard, days, act).await?;
        let receipt = counted.map_err(|_| NotStarted::UnverifiedBudget)?;
        if receipt.was_over {
            observe::unverified_budget_exhausted(country, request.call.log_context(None));
        }
        used.day = Some(receipt);
        let text = self.words(request, started);
        let masked = phone.masked();
        let context = request.call.log_context(Some(&masked));
        match self.texter.send(phone, &text).await {
            Ok(()) => {
                observe::sms_sent(country, context);
                Ok(())
            }
            Err(Unsent { fault, why, .. }) => {
                let (reason, refusal) = match why {
                    Why::Failed => (Reason::Failed, NotStarted::NotSent(fault)),
                    Why::OptedOut => (Reason::OptedOut, NotStarted::NotSent(fault)),
                    Why::NotAPhone => (Reason::NotAPhone, NotStarted::Undeliverable),
                };
                observe::sms_failed(reason, context);
                Err(refusal)
            }
        }
    }

    fn words(&self, request: &Request<'_>, started: &Started) -> Secret {
        let Request { opened, start, .. } = request;
        let name = start.name.as_ref().unwrap_or(&opened.service.friendly_name);
        let text = VerificationText {
            name: name.as_str(),
            code: &started.code,
            expires_in_minutes: minutes(started, request.call),
            payment: start.payment.as_ref().map(payment),
            do_not_share: opened.service.do_not_share_warning_enabled,
            last_line: match &start.app_hash {
                Some(hash) => LastLine::AppHash(hash),
                None => LastLine::Origin(&opened.domain),
            },
        };
        words::verification_text(&start.locale.clone().unwrap_or_default(), &text)
    }

    async fn mail<'a>(
        &'a self,
        request: &Request<'_>,
        email: &EmailAddress,
        started: &Started,
        level: Option<Level>,
        used: &mut Used<'a>,
    ) -> Result<(), NotStarted> {
        let Request {
            call, opened, start, ..
        } = request;
        let Some(mailer) = &self.mailer else {
            return Err(NotStarted::ChannelOff);
        };
        let limit = MailLimit {
            name: "deployment",
            bucket: &self.policy.mails,
            subject: limit_keys::all_verification_mails(),
            level,
        };
        let spending = used.mails.insert(Spending::new(&self.limits, request.act.clone()));
        spending.take_mails(call, &self.levels, [limit]).await?.map_err(NotStarted::Mails)?;
        let domain = self.domains.get(&opened.domain, call.now).await?;
        let locale = start.locale.clone().or(domain.as_ref().map(|domain| domain.locale.clone())).unwrap_or_default();
        let name = start.name.as_ref().unwrap_or(&opened.service.friendly_name);
        let mail = words::verification_mail(
            &locale,
            name.as_str(),
            &started.code,
            minutes(started, call),
            start.payment.as_ref().map(payment),
            opened.service.do_not_share_warning_enabled,
        );
        let tags = [("kind", VERIFICATION.to_owned())];
        let sender = domain.as_ref().and_then(|domain| domain.sender.as_ref());
        let sent = mailer.send(sender, Recipient::Person(email), &mail, &tags).await;
        let masked = email.masked();
        observe::mail(VERIFICATION, sent.is_ok(), call.log_context(Some(&masked)));
        sent.map_err(|mail::Unsent { fault, .. }| NotStarted::NotSent(fault))
    }
}

/// Counts a text message that was refused; where sending failed, that was counted.
fn count_refusal(request: &Request<'_>, refusal: &NotStarted) {
    let Some(country) = request.country else {
        return;
    };
    let masked = request.start.to.masked();
    let context = request.call.log_context(Some(&masked));
    match refusal {
        NotStarted::RateLimited(_) | NotStarted::Quota(Exhausted::Messages(_)) => {
            observe::sms_failed(Reason::Throttled, context);
        }
        NotStarted::Quota(Exhausted::Money(_)) => observe::sms_failed(Reason::Money, context),
        NotStarted::UnverifiedBudget => observe::unverified_budget_exhausted(country, context),
        NotStarted::Mails(_)
        | NotStarted::Defined(_)
        | NotStarted::UnknownRateLimit
        | NotStarted::Busy(_)
        | NotStarted::Country
        | NotStarted::ChannelOff
        | NotStarted::Undeliverable
        | NotStarted::NotSent(_)
        | NotStarted::Fault(_) => {}
    }
}

fn act_of(outcome: Outcome, request: &Request<'_>, started: &Started) -> Act {
    act(outcome, &request.opened.domain, &started.shown.sid)
}

fn payment(payment: &Payment) -> words::Payment<'_> {
    words::Payment {
        amount: &payment.amount,
        payee: &payment.payee,
    }
}

/// The rest of the code's life, in minutes, rounded down but at least one.
fn minutes(started: &Started, call: &Call) -> u64 {
    (started.expires_at.seconds().saturating_sub(call.now.seconds()) / 60).max(1)
}
