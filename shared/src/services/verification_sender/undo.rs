//! What a start has used, and how it is given back when the message cannot be sent.

use futures_util::future::{join, join_all};

use super::tables::{ROUNDS, Request, VerificationSender};
use crate::{
    domain::verification::{attempt::Attempt, record::DestinationRecord, windows::Windows},
    fault::Fault,
    observe::Outcome,
    services::{rate_limits::Spending, verifications::act},
    store::{
        retry::optimistic,
        rows::{
            self,
            rate_limit::{Receipt, give_back},
        },
        table::{Batch, Committed, Transaction},
    },
};

/// What a start has used so far. Each use is noted before it is written: if the answer is lost, it may have been
/// written, and is given back with the rest.
#[derive(Default)]
pub(super) struct Used<'a> {
    pub stored: Option<(DestinationRecord, Attempt)>,
    pub limit: Option<Receipt>,
    /// The intervals of the application's rate limits, as they were to be stored.
    pub windows: Vec<Windows>,
    pub quota: Option<rows::quota::Receipt>,
    pub day: Option<rows::unverified::Receipt>,
    pub mails: Option<Spending<'a>>,
}

impl VerificationSender {
    /// Gives back everything that was used, and ends the verification. What cannot be given back expires.
    pub(super) async fn take_back(&self, request: &Request<'_>, used: Used<'_>) {
        let now = request.call.now;
        let quota = async {
            match used.quota {
                Some(receipt) => rows::quota::give_back(&self.quotas, receipt, now).await,
                None => Ok(()),
            }
        };
        let day = async {
            match used.day {
                Some(receipt) => rows::unverified::give_back(&self.days, receipt, now).await,
                None => Ok(()),
            }
        };
        let limit = async {
            match used.limit {
                Some(receipt) => give_back(&self.limits, receipt, now).await,
                None => Ok(()),
            }
        };
        let mails = async {
            match used.mails {
                Some(spending) => spending.give_back().await,
                None => Ok(()),
            }
        };
        let windows = async {
            let all = used.windows.into_iter().map(|windows| self.give_back_windows(request, windows));
            join_all(all).await
        };
        let record = async {
            match used.stored {
                Some((record, attempt)) => self.cancel(request, record, attempt).await,
                None => Ok(()),
            }
        };
        // The first error is reported: it is why this is given back.
        let _ = join(join(join(quota, day), windows), join(join(limit, mails), record)).await;
    }

    /// Gives a start back to the intervals that it was counted in.
    async fn give_back_windows(&self, request: &Request<'_>, counted: Windows) -> Result<(), Fault> {
        let subject = counted.subject;
        let mut counted = Some(counted);
        optimistic(ROUNDS, "a rate limit", async || {
            let now = request.call.now;
            let found = match counted.take() {
                Some(counted) => Some(counted),
                None => Batch::one(&self.read_windows, &subject, now).await?,
            };
            let Some(found) = found else {
                return Ok(Some(()));
            };
            let condition = rows::verification::is_as_read(found.version);
            let next = found.give_back(request.act.at);
            Ok::<_, Fault>(self.windows.put_if(&next, condition).await?.then_some(()))
        })
        .await
    }

    /// Takes the message out of a record that may have been stored.
    async fn cancel(&self, request: &Request<'_>, stored: DestinationRecord, attempt: Attempt) -> Result<(), Fault> {
        let id = stored.id;
        let mut stored = Some(stored);
        optimistic(ROUNDS, "the verification", async || {
            let found = match stored.take() {
                Some(stored) => stored,
                None => self.reader.again(&id, request.call).await?,
            };
            let version = found.version;
            let is_there = found.entry(&attempt.verification).and_then(|entry| entry.open.as_ref());
            if !is_there.is_some_and(|open| open.messages.iter().any(|message| message.attempt == attempt.sid)) {
                return Ok(Some(()));
            }
            let next = found.take_back(&attempt.sid, &request.act.by);
            let mut transaction = Transaction::default();
            transaction.put_if(&self.records, &next, rows::verification::is_as_read(version));
            transaction.put(
                &self.attempts,
                &Attempt {
                    is_sent: false,
                    ..attempt.clone()
                },
            );
            let event = act(Outcome::VerificationNotSent, &request.opened.domain, &attempt.verification);
            self.audit.add(&mut transaction, request.call, event);
            Ok(matches!(transaction.commit().await?, Committed::Yes).then_some(()))
        })
        .await
    }
}
