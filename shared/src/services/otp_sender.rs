//! Floor 2: sends a code by text message, together with the writes that belong to it. They are written in one
//! transaction before the message is sent; if it cannot be sent, nothing remains that could be guessed, or that a retry
//! would have to wait for (R65).

use futures_util::future::{LocalBoxFuture, join};
use rand::rngs::SysRng;

use crate::{
    delivery::{
        code::code_text,
        text::{Texter, Unsent, Why},
    },
    domain::{
        audit::Act,
        crypto::key::{Keyring, OtpCodes},
        limits::{
            limit_keys,
            quota::{self, Quota, Shard},
            rate_limit::Hit,
        },
        otp::{Binding, Otps, Purpose},
        people::{
            factor::{Factor, Trust},
            locale::Locale,
            phone::Phone,
            user::User,
        },
    },
    fault::Fault,
    http::{call::Call, serve::in_time},
    observe::{self, Outcome, Reason},
    refusal::Undelivered,
    runtime::{edge::Wire, keys::Keys, settings::SendingPolicy},
    services::audit::AuditLog,
    store::{
        retry::optimistic,
        rows::{
            self,
            rate_limit::{self, Receipt, Usage},
        },
        table::{Batch, BatchGet, Committed, Table, Transaction, Update},
    },
};

/// Sends codes.
#[derive(Debug, Wire)]
pub struct OtpSender {
    /// Codes.
    pub otps: Table<Otps, Update>,
    /// Reads codes again, to cancel one after a concurrent change.
    pub read_otps: Table<Otps, BatchGet>,
    /// Rate limit of messages to each number.
    pub rate_limits: Table<Usage, Update>,
    /// Quota of messages of the deployment.
    pub quotas: Table<Quota, Update>,
    /// SNS.
    pub texter: Texter,
    /// The keys of codes.
    pub keys: Keys<OtpCodes>,
    /// The policy.
    #[wire(sending_policy)]
    pub policy: SendingPolicy,
    /// Records canceled codes.
    pub audit: AuditLog,
}

/// A requested message.
#[derive(Clone, Copy, Debug)]
pub struct MessageRequest<'a> {
    /// What its code is bound to.
    pub binding: Binding<'a>,
    /// The recipient.
    pub user: &'a User,
    /// The recipient's second factor.
    pub factor: &'a Factor,
    /// Its language.
    pub locale: &'a Locale,
}

/// The outcome of sending.
#[derive(Debug)]
pub enum Sent {
    /// SNS accepted it.
    Yes,
    /// A concurrent change made the transaction fail: read and decide again.
    Changed,
}

/// Other writes that belong to a code.
#[derive(Debug, Default)]
pub struct Extra {
    /// Written in the code's transaction.
    pub writes: Transaction,
    /// Undoes those writes when the code is not sent after all. Its conditions must hold for those writes only: they
    /// may not have been made.
    pub undo: Transaction,
}

/// Runs work that sends a message, within a time limit; if it fails, gives back everything that was used, and then
/// undoes what was written with the code.
///
/// # Errors
/// Those of the work; a [`Fault`] when it times out.
pub async fn with<'a, T, E: From<Fault>>(
    sender: &'a OtpSender,
    call: &'a Call,
    work: impl AsyncFnOnce(&mut Sending<'a>) -> Result<T, E>,
) -> Result<T, E> {
    let mut sending = Sending::new(sender, sender.keys.at(call.now).await, call);
    let done = in_time(work(&mut sending)).await;
    if done.is_err() {
        sending.take_back().await;
        // Report the first error.
        let _ = sending.undo.commit().await;
    }
    done
}

/// Sends the message of one call, in as many rounds as needed.
pub struct Sending<'a> {
    sender: &'a OtpSender,
    keys: Keyring<OtpCodes>,
    call: &'a Call,
    act: Hit,
    quota: Option<rows::quota::Receipt>,
    number: Option<Receipt>,
    /// The last record that was to be stored, with its code.
    code: Option<(Otps, Act)>,
    /// The number whose rate limit was used.
    to: Option<Phone>,
    /// Undoes what the last attempt wrote with its code.
    undo: Transaction,
}

impl<'a> Sending<'a> {
    /// Starts with nothing used.
    fn new(sender: &'a OtpSender, keys: Keyring<OtpCodes>, call: &'a Call) -> Self {
        let act = call.hit();
        Self {
            sender,
            keys,
            call,
            act,
            quota: None,
            number: None,
            code: None,
            to: None,
            undo: Transaction::default(),
        }
    }

    /// Creates a code based on what was read, writes it together with the extra writes, and sends it.
    ///
    /// # Errors
    /// [`Undelivered`]: what was used and written must be undone.
    pub fn send<'b>(
        &'b mut self,
        request: MessageRequest<'b>,
        otps: Otps,
        quota: Option<Quota>,
        extra: Extra,
    ) -> LocalBoxFuture<'b, Result<Sent, Undelivered>> {
        Box::pin(async move {
            // If the answer is lost, all of it may have been written.
            self.undo = extra.undo;
            if self.to.as_ref().is_some_and(|to| to != request.binding.phone) {
                self.take_back().await;
            }
            self.to = Some(request.binding.phone.clone());
            let done = self.attempt(&request, otps, quota, &extra.writes).await;
            if let Err(why) = &done {
                self.count_undelivered(&request, why);
            }
            done
        })
    }

    async fn attempt(
        &mut self,
        request: &MessageRequest<'_>,
        read: Otps,
        quota: Option<Quota>,
        extra: &Transaction,
    ) -> Result<Sent, Undelivered> {
        let policy = &self.sender.policy;
        let country = policy
            .countries
            .of(request.binding.phone)
            .ok_or_else(|| Undelivered::Failed(Fault::Sms("no text messages go to that country".into())))?;
        let version = read.version;
        let trust = match request.binding.purpose {
            Purpose::SignIn => request.factor.trust(request.user.verified_phone, self.act.at),
            // Users may claim any number as theirs.
            Purpose::Approval => Trust::New,
        };
        let first_day_ends = match trust {
            Trust::Established => None,
            Trust::New => Some(request.user.first_day_ends()),
        };
        let (next, code) = read
            .issue(&policy.otp, &request.binding, first_day_ends, &self.keys, &self.act, &mut SysRng)
            .map_err(Fault::from)?
            .map_err(Undelivered::RateLimited)?;
        let message = quota::Message {
            country: country.to_owned(),
            trust,
        };
        let next = next.counted_as(message.clone());
        let shard = Shard::of(request.user.id.as_bytes(), policy.quota.shards);
        let quota = quota.unwrap_or_else(|| Quota::none(shard));
        quota.clone().spend(&policy.quota, &message, &self.act)?;
        if let Sent::Changed = self.commit(request, version, &next, extra).await? {
            return Ok(Sent::Changed);
        }
        // The quota is shared and comes last: a request that lost the race for its account must not use it up for
        // others.
        let spent = rows::quota::spend(&self.sender.quotas, &policy.quota, &message, quota, &self.act).await?;
        self.quota = Some(spent?);
        let template = policy.templates.of(request.locale);
        let text = code_text(request.locale, template, request.binding.purpose, &request.user.domain, &code);
        match self.sender.texter.send(request.binding.phone, &text).await {
            Ok(()) => {
                observe::sms_sent(country, self.call.log_context(Some(&request.binding.phone.masked())));
                Ok(Sent::Yes)
            }
            Err(Unsent { fault, why, .. }) => {
                let reason = match why {
                    Why::Failed => Reason::Failed,
                    Why::OptedOut => Reason::OptedOut,
                    Why::NotAPhone => Reason::NotAPhone,
                };
                observe::sms_failed(reason, self.call.log_context(Some(&request.binding.phone.masked())));
                Err(match why {
                    Why::NotAPhone => Undelivered::NotAPhone,
                    Why::Failed | Why::OptedOut => Undelivered::Failed(fault),
                })
            }
        }
    }

    /// Writes the code, the hit on the number's rate limit and the extra writes in one transaction.
    async fn commit(
        &mut self,
        request: &MessageRequest<'_>,
        version: u64,
        next: &Otps,
        extra: &Transaction,
    ) -> Result<Sent, Undelivered> {
        let limit = match request.binding.purpose {
            Purpose::SignIn => self.sender.policy.number.clone(),
            // Users may claim any number as theirs: half of its limit is kept for the sign-ins of its owner.
            Purpose::Approval => self.sender.policy.number.half(),
        };
        let subject = limit_keys::sms(&self.keys.derive(), request.binding.phone);
        // In the second round the number's usage was updated already, or its rate limit is reached.
        for _ in 0..2 {
            let mut transaction = Transaction::default();
            transaction.update(&self.sender.otps, &next.owner(), rows::otp::replace(version, next));
            let number = self.number.is_none().then(|| {
                let change = rate_limit::first(&limit, &self.act);
                transaction.update(&self.sender.rate_limits, &subject, change)
            });
            transaction.append(extra.clone());
            // If the answer is lost, all of it may have been written.
            self.code = Some((next.clone(), Outcome::CodeCanceled.of_user(request.user)));
            if number.is_some() {
                self.number = Some(Receipt::of_first(subject, self.act.clone()));
            }
            let steps = match transaction.commit().await? {
                Committed::Yes => return Ok(Sent::Yes),
                Committed::No(steps) => steps,
            };
            self.code = None;
            let Some(number) = number else {
                return Ok(Sent::Changed);
            };
            self.number = None;
            if !steps.contains(&number) {
                return Ok(Sent::Changed);
            }
            let spent = rate_limit::spend(&self.sender.rate_limits, &limit, &subject, &self.act).await?;
            self.number = Some(spent.map_err(Undelivered::RateLimited)?);
        }
        Ok(Sent::Changed)
    }

    /// Gives back what was used, and cancels the code. Returns the first error: what cannot be given back expires.
    fn take_back(&mut self) -> LocalBoxFuture<'_, ()> {
        Box::pin(async move {
            let now = self.call.now;
            let quota = async {
                match self.quota.take() {
                    Some(receipt) => rows::quota::give_back(&self.sender.quotas, receipt, now).await,
                    None => Ok(()),
                }
            };
            let number = async {
                match self.number.take() {
                    Some(receipt) => rate_limit::give_back(&self.sender.rate_limits, receipt, now).await,
                    None => Ok(()),
                }
            };
            let code = async {
                match self.code.take() {
                    Some((stored, act)) => self.sender.cancel(self.call, stored, &act).await,
                    None => Ok(()),
                }
            };
            let _ = join(join(quota, number), code).await;
        })
    }

    fn count_undelivered(&self, request: &MessageRequest<'_>, why: &Undelivered) {
        let address = request.binding.phone.masked();
        match why {
            Undelivered::RateLimited(_) => {
                observe::sms_failed(Reason::Throttled, self.call.log_context(Some(&address)));
            }
            Undelivered::OverMoney(_) => {
                observe::sms_failed(Reason::Money, self.call.log_context(Some(&address)));
            }
            Undelivered::Failed(_) if self.sender.policy.countries.of(request.binding.phone).is_none() => {
                observe::sms_failed(Reason::Country, self.call.log_context(Some(&address)));
            }
            // Counted where it failed, or no message at all.
            Undelivered::Failed(_) | Undelivered::NotAPhone | Undelivered::Fault(_) => {}
        }
    }
}

/// Retries of cancelling a code after concurrent changes of its record.
const TAKING_BACK: u32 = 10;

impl OtpSender {
    /// Cancels the code of a record that may have been stored.
    async fn cancel(&self, call: &Call, stored: Otps, act: &Act) -> Result<(), Fault> {
        let Some(code) = stored.code.as_ref().map(|otp| otp.id) else {
            return Ok(());
        };
        let (owner, hit) = (stored.owner(), call.hit());
        let mut stored = Some(stored);
        optimistic(TAKING_BACK, "the codes", async || {
            let found = match stored.take() {
                Some(stored) => stored,
                None => match Batch::one(&self.read_otps, &owner, call.now).await? {
                    Some(found) if found.sends.iter().any(|sent| sent.by == hit.by) => found,
                    Some(_) | None => return Ok(Some(())),
                },
            };
            let mut transaction = Transaction::default();
            let version = found.version;
            let next = found.take_back(&code, &hit);
            transaction.update(&self.otps, &owner, rows::otp::replace(version, &next));
            self.audit.add(&mut transaction, call, act.clone());
            Ok(matches!(transaction.commit().await?, Committed::Yes).then_some(()))
        })
        .await
    }
}
