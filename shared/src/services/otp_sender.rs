//! Floor 2: a code by text message, and whatever becomes good with it. The code and what goes with it are written in one
//! transaction before the message is sent; where it cannot be sent, nothing is left that could be guessed, or that the next
//! try would have to wait for (R65).

use std::ops::ControlFlow;

use futures_util::future::join;
use rand::rngs::SysRng;

use crate::{
    delivery::{
        code::code_text,
        text::{Texter, Unsent, Why},
    },
    domain::{
        factor::{Factor, Trust},
        key::{Keyring, OtpCodes},
        limit_keys,
        locale::Locale,
        name::DomainName,
        otp::{Binding, Otps, Purpose},
        phone::Phone,
        quota::{self, Quota},
        rate_limit::Hit,
        user::User,
    },
    fault::Fault,
    http::{call::Call, serve::in_time},
    observe::{self, Reason},
    refusal::Undelivered,
    runtime::keys::Keys,
    runtime::{edge::Wire, settings::SendingPolicy},
    store::{
        retry::optimistic_from,
        rows::{
            self,
            rate_limit::{self as budgets, Receipt, Usage},
        },
        table::{Changed, Committed, Table, Transaction, Update},
    },
};

/// Sends codes.
#[derive(Debug, Wire)]
pub struct OtpSender {
    /// Codes.
    pub otps: Table<Otps, Update>,
    /// What each number was sent.
    pub budgets: Table<Usage, Update>,
    /// What all numbers were sent.
    pub meters: Table<Quota, Update>,
    /// SNS.
    pub texter: Texter,
    /// The keys of codes.
    pub keys: Keys<OtpCodes>,
    /// The policy.
    #[wire(sending_policy)]
    pub policy: SendingPolicy,
}

/// A message that is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// What its code is bound to.
    pub binding: Binding<'a>,
    /// Whom it is sent to.
    pub user: &'a User,
    /// The second factor that the user has.
    pub factor: &'a Factor,
    /// Its language.
    pub locale: &'a Locale,
    /// The domain whose pages may take the code.
    pub domain: &'a DomainName,
}

/// What became of it.
#[derive(Debug)]
pub enum Sent {
    /// SNS took it.
    Yes,
    /// What the transaction relied on is not as it was read any more: read and judge again.
    Changed,
}

/// What else is written with a code.
#[derive(Debug, Default)]
pub struct Extra {
    /// Written in the code's transaction.
    pub writes: Transaction,
    /// Takes those writes back when the code is not sent after all. Its conditions hold for nothing but those writes: they may not have
    /// been made.
    pub undo: Transaction,
}

/// Does what a message is a part of, in time; where it comes to nothing, everything that was spent is given back, and then what
/// was written with the code is undone.
///
/// # Errors
/// Those of the work; a [`Fault`] when it takes too long.
pub async fn with<'a, T, E: From<Fault>>(
    sender: &'a OtpSender,
    call: &'a Call,
    work: impl AsyncFnOnce(&mut Sending<'a>) -> Result<T, E>,
) -> Result<T, E> {
    let mut sending = Sending::new(sender, sender.keys.at(call.now).await, call);
    let done = in_time(work(&mut sending)).await;
    if done.is_err() {
        sending.take_back().await;
        // The first error is the one to tell.
        let _ = sending.undo.commit().await;
    }
    done
}

/// The sending of one call, over as many rounds as it takes.
pub struct Sending<'a> {
    sender: &'a OtpSender,
    keys: Keyring<OtpCodes>,
    call: &'a Call,
    act: Hit,
    meter: Option<rows::quota::Receipt>,
    number: Option<Receipt>,
    /// The last record that was to be stored, and its code.
    code: Option<Otps>,
    /// What was spent was spent for this number.
    to: Option<Phone>,
    /// Undoes what the last attempt wrote with its code.
    undo: Transaction,
}

impl<'a> Sending<'a> {
    /// Nothing yet.
    fn new(sender: &'a OtpSender, keys: Keyring<OtpCodes>, call: &'a Call) -> Self {
        let act = call.hit();
        Self {
            sender,
            keys,
            call,
            act,
            meter: None,
            number: None,
            code: None,
            to: None,
            undo: Transaction::default(),
        }
    }

    /// Makes a code on what was read, writes it together with the extra writes, and sends it.
    ///
    /// # Errors
    /// [`Undelivered`]: what was spent and written is to be taken back.
    pub async fn send(
        &mut self,
        wanted: Wanted<'_>,
        otps: Otps,
        meter: Option<Quota>,
        extra: Extra,
    ) -> Result<Sent, Undelivered> {
        // If an answer is lost, all of it may have been written.
        self.undo = extra.undo;
        if self.to.as_ref().is_some_and(|to| to != wanted.binding.phone) {
            self.take_back().await;
        }
        self.to = Some(wanted.binding.phone.clone());
        let done = self.attempt(&wanted, otps, meter, &extra.writes).await;
        if let Err(why) = &done {
            self.tell(&wanted, why);
        }
        done
    }

    async fn attempt(
        &mut self,
        wanted: &Wanted<'_>,
        read: Otps,
        meter: Option<Quota>,
        extra: &Transaction,
    ) -> Result<Sent, Undelivered> {
        let policy = &self.sender.policy;
        let country = policy
            .countries
            .of(wanted.binding.phone)
            .ok_or_else(|| Undelivered::Failed(Fault::Sms("no text messages go to that country".into())))?;
        let version = read.version;
        let trust = match wanted.binding.purpose {
            Purpose::SignIn => wanted.factor.trust(wanted.user.verified_phone, self.act.at),
            // Anybody may name any number as theirs.
            Purpose::Approval => Trust::New,
        };
        let first_day_ends = match trust {
            Trust::Established => None,
            Trust::New => Some(wanted.user.first_day_ends()),
        };
        let (next, code) = read
            .issue(
                &policy.otp,
                &wanted.binding,
                first_day_ends,
                &self.keys,
                &self.act,
                &mut SysRng,
            )
            .map_err(Fault::from)?
            .map_err(Undelivered::RateLimited)?;
        let message = quota::Message {
            country: country.to_owned(),
            trust,
        };
        let next = next.counted_as(message.clone());
        let meter = meter.unwrap_or_else(Quota::none);
        meter
            .clone()
            .spend(&policy.meter, &message, &self.act)
            .map_err(Undelivered::RateLimited)?;
        if let Sent::Changed = self.commit(wanted, version, &next, extra).await? {
            return Ok(Sent::Changed);
        }
        // All share the meter: whoever has lost the race for the account shall not stand in the way of others there.
        let spent = rows::quota::spend(&self.sender.meters, &policy.meter, &message, Some(meter), &self.act).await?;
        self.meter = Some(spent.map_err(Undelivered::RateLimited)?);
        let template = policy.templates.of(wanted.locale);
        let text = code_text(wanted.locale, template, wanted.binding.purpose, wanted.domain, &code);
        match self.sender.texter.send(wanted.binding.phone, &text).await {
            Ok(()) => {
                observe::sms_sent(country, self.call.told(Some(&wanted.binding.phone.masked())));
                Ok(Sent::Yes)
            }
            Err(Unsent { fault, why, .. }) => {
                let reason = match why {
                    Why::Failed => Reason::Failed,
                    Why::OptedOut => Reason::OptedOut,
                    Why::NotAPhone => Reason::NotAPhone,
                };
                observe::sms_failed(reason, self.call.told(Some(&wanted.binding.phone.masked())));
                Err(match why {
                    Why::NotAPhone => Undelivered::NotAPhone,
                    Why::Failed | Why::OptedOut => Undelivered::Failed(fault),
                })
            }
        }
    }

    /// Writes the code, the number's budget and the rest, together.
    async fn commit(
        &mut self,
        wanted: &Wanted<'_>,
        version: u64,
        next: &Otps,
        extra: &Transaction,
    ) -> Result<Sent, Undelivered> {
        let budget = match wanted.binding.purpose {
            Purpose::SignIn => self.sender.policy.number.clone(),
            // Anybody may name any number as theirs: its owner's sign-ins keep half of what it gets.
            Purpose::Approval => self.sender.policy.number.half(),
        };
        let subject = limit_keys::sms(wanted.binding.phone);
        // The second time the number's budget is spent already, or there is none left.
        for _ in 0..2 {
            let mut transaction = Transaction::default();
            transaction.update(&self.sender.otps, &next.owner(), rows::otp::replace(version, next));
            let number = self.number.is_none().then(|| {
                let change = budgets::first(&budget, &self.act);
                transaction.update(&self.sender.budgets, &subject, change)
            });
            transaction.append(extra.clone());
            // If the answer is lost, all of it may have been written.
            self.code = Some(next.clone());
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
            let spent = budgets::spend(&self.sender.budgets, &budget, &subject, &self.act).await?;
            self.number = Some(spent.map_err(Undelivered::RateLimited)?);
        }
        Ok(Sent::Changed)
    }

    /// Gives back what was spent, and cancels the code. The first error is the one to tell: what cannot be given back comes
    /// back by itself.
    async fn take_back(&mut self) {
        let now = self.call.now;
        let meter = async {
            match self.meter.take() {
                Some(receipt) => rows::quota::give_back(&self.sender.meters, receipt, now).await,
                None => Ok(()),
            }
        };
        let number = async {
            match self.number.take() {
                Some(receipt) => budgets::give_back(&self.sender.budgets, receipt, now).await,
                None => Ok(()),
            }
        };
        let code = async {
            match self.code.take() {
                Some(stored) => cancel(&self.sender.otps, stored, &self.act).await,
                None => Ok(()),
            }
        };
        let _ = join(join(meter, number), code).await;
    }

    fn tell(&self, wanted: &Wanted<'_>, why: &Undelivered) {
        let address = wanted.binding.phone.masked();
        match why {
            Undelivered::RateLimited(_) => observe::sms_failed(Reason::Throttled, self.call.told(Some(&address))),
            Undelivered::Failed(_) if self.sender.policy.countries.of(wanted.binding.phone).is_none() => {
                observe::sms_failed(Reason::Country, self.call.told(Some(&address)));
            }
            // Counted where it failed, or no message at all.
            Undelivered::Failed(_) | Undelivered::NotAPhone | Undelivered::Fault(_) => {}
        }
    }
}

/// How often a code is taken back while others write the record at the same time.
const TAKING_BACK: u32 = 10;

/// Cancels the code of a record that was to be stored, if it was.
async fn cancel(table: &Table<Otps, Update>, stored: Otps, act: &Hit) -> Result<(), Fault> {
    let Some(code) = stored.code.as_ref().map(|otp| otp.id) else {
        return Ok(());
    };
    optimistic_from(TAKING_BACK, "the codes", stored, async |found| {
        let (owner, version) = (found.owner(), found.version);
        let next = found.take_back(&code, act);
        let changed = table.update(&owner, rows::otp::replace(version, &next), act.at).await?;
        Ok(match changed {
            Changed::Yes(_) | Changed::No(None) => ControlFlow::Break(()),
            Changed::No(Some(other)) if !other.sends.iter().any(|sent| sent.by == act.by) => ControlFlow::Break(()),
            Changed::No(Some(other)) => ControlFlow::Continue(other),
        })
    })
    .await
}
