//! Floor 2: the rate limits of one call: what it used of each is given back when the call fails.

use futures_util::future::{join, join_all};

use crate::{
    domain::{
        limits::{
            bucket::Bucket,
            rate_limit::{Hit, RateLimit, RateLimited},
        },
        mail::waits::Waits,
    },
    fault::Fault,
    http::call::Call,
    observe::{self, Metric},
    store::{
        rows::{
            bucket::{self, Level},
            rate_limit::{self, Receipt, Usage},
        },
        table::{Table, Update},
    },
};

/// What a call has used so far. Each use is noted before it is written: if the answer is lost, it may have been
/// written, and is given back with the rest.
#[derive(Debug)]
pub struct Spending<'a> {
    rate_limits: &'a Table<Usage, Update>,
    act: Hit,
    receipts: Vec<Receipt>,
    tokens: Vec<(&'a Table<Level, Update>, bucket::Receipt)>,
}

/// A rate limit of all mails of a domain or of the deployment.
#[derive(Debug)]
pub struct MailLimit<'a> {
    /// Its name in the log.
    pub name: &'static str,
    /// Its size and refill rate.
    pub bucket: &'a Bucket,
    /// The subject that it limits.
    pub subject: [u8; 32],
    /// Its recent usage, as it was read.
    pub level: Option<Level>,
}

/// A mail to a mailbox, checked against the limits before.
#[derive(Debug)]
pub struct Planned<'a> {
    /// The waits between such mails.
    pub waits: &'a Waits,
    /// The mails of that kind to that mailbox.
    pub subject: [u8; 32],
    /// Recent mails, as they were read.
    pub sent: Option<Usage>,
}

impl<'a> Spending<'a> {
    /// Starts with nothing used.
    #[must_use]
    pub fn new(rate_limits: &'a Table<Usage, Update>, act: Hit) -> Self {
        Self {
            rate_limits,
            act,
            receipts: Vec::new(),
            tokens: Vec::new(),
        }
    }

    /// Counts one hit against a subject's rate limit, in one conditional write.
    ///
    /// # Errors
    /// The inner `Err` when the limit is reached; [`Fault`] when the store fails.
    pub async fn spend(&mut self, limit: &RateLimit, subject: &[u8; 32]) -> Result<Result<(), RateLimited>, Fault> {
        self.receipts.push(Receipt::of_first(*subject, self.act.clone()));
        let spent = rate_limit::spend(self.rate_limits, limit, subject, &self.act).await?;
        self.receipts.pop();
        Ok(spent.map(|receipt| self.receipts.push(receipt)))
    }

    /// Takes a token from a subject's bucket, based on the level that was read.
    ///
    /// # Errors
    /// The inner `Err` when the bucket is empty; [`Fault`] when the store fails.
    async fn take(
        &mut self,
        levels: &'a Table<Level, Update>,
        bucket: &Bucket,
        subject: &[u8; 32],
        read: Option<Level>,
    ) -> Result<Result<(), RateLimited>, Fault> {
        let uncertain = bucket::Receipt::uncertain(bucket, *subject, &self.act);
        self.tokens.push((levels, uncertain));
        let taken = bucket::take(levels, bucket, subject, read, &self.act).await?;
        self.tokens.pop();
        Ok(taken.map(|receipt| self.tokens.push((levels, receipt))))
    }

    /// Takes a token from each bucket of mails. The first empty one is counted in a metric for the operator.
    ///
    /// # Errors
    /// The inner `Err` when a bucket is empty; [`Fault`] when the store fails.
    pub async fn take_mails(
        &mut self,
        call: &Call,
        levels: &'a Table<Level, Update>,
        limits: impl IntoIterator<Item = MailLimit<'_>>,
    ) -> Result<Result<(), RateLimited>, Fault> {
        for MailLimit {
            name,
            bucket,
            subject,
            level,
        } in limits
        {
            if let Err(exhausted) = self.take(levels, bucket, &subject, level).await? {
                observe::count(Metric::MailOverBudget, ("Budget", name), call.log_context(None));
                return Ok(Err(exhausted));
            }
        }
        Ok(Ok(()))
    }

    /// Whether a mail is sent now: only if one is planned and the mailbox has waited long enough. Always one write:
    /// without a mail, the request is counted under another subject.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn mail(&mut self, planned: Option<Planned<'_>>, elsewhere: (&[u8; 32], &Waits)) -> Result<bool, Fault> {
        let judged = planned.and_then(|Planned { waits, subject, sent }| {
            let sent = sent.map(|sent| sent.acts);
            // A killed call with the same key may have counted the mail that this one sends.
            let others: Vec<_> = sent.iter().flatten().filter(|other| other.by != self.act.by).cloned().collect();
            let next = waits.send(&others, &self.act)?;
            Some((subject, sent, next, waits.memory()))
        });
        let Some((subject, sent, next, memory)) = judged else {
            let (subject, waits) = elsewhere;
            rate_limit::note(self.rate_limits, subject, &self.act, waits.memory()).await?;
            return Ok(false);
        };
        self.receipts.push(Receipt::of(subject, next.clone(), &self.act));
        let is_sent = rate_limit::send(self.rate_limits, &subject, sent.as_deref(), &next, (&self.act, memory)).await?;
        if !is_sent {
            self.receipts.pop();
        }
        Ok(is_sent)
    }

    /// Gives everything back at once: the call failed, and a retry must not be limited because of it.
    ///
    /// # Errors
    /// The first [`Fault`], after everything was tried.
    pub async fn give_back(self) -> Result<(), Fault> {
        let (rate_limits, at) = (self.rate_limits, self.act.at);
        let acts = self.receipts.into_iter().map(|receipt| rate_limit::give_back(rate_limits, receipt, at));
        let tokens = self.tokens.into_iter().map(|(levels, receipt)| bucket::give_back(levels, receipt, at));
        let (acts, tokens) = join(join_all(acts), join_all(tokens)).await;
        acts.into_iter().chain(tokens).collect()
    }
}
