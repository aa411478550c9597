//! What a start depends on, read in one call.

use super::tables::{Request, Subjects, VerificationSender};
use crate::{
    domain::{
        limits::{
            limit_keys,
            quota::Quota,
            unverified::{DayId, Days},
        },
        mail::suppression,
        verification::{destination::Destination, record::DestinationRecord, request::Start, windows::Windows},
    },
    fault::Fault,
    http::call::Call,
    services::verifications::shard_of,
    store::{
        rows::{bucket::Level, rate_limit::Usage},
        table::Batch,
    },
};

/// What a start depends on, as it was read.
pub(super) struct Read {
    pub record: DestinationRecord,
    pub usage: Option<Usage>,
    pub windows: Vec<Windows>,
    pub quota: Quota,
    pub days: Days,
    pub level: Option<Level>,
    pub is_suppressed: bool,
}

impl VerificationSender {
    /// The rows that a start depends on, besides the record.
    pub(super) fn want(&self, batch: &mut Batch, call: &Call, start: &Start, subjects: &Subjects) {
        batch.want(&self.read_limits, &subjects.limit);
        subjects.windows.iter().for_each(|subject| batch.want(&self.read_windows, subject));
        match &start.to {
            Destination::Phone(phone) => {
                batch.want(&self.read_quotas, &shard_of(&start.to, self.policy.quota.shards));
                if let Some(country) = self.policy.countries.of(phone) {
                    let today = self.day(&start.to, country, call);
                    batch.want(&self.read_days, &today.before(1));
                    batch.want(&self.read_days, &today);
                }
            }
            Destination::Email(email) => {
                batch.want(&self.suppressions, &suppression::subject(email));
                batch.want(&self.read_levels, &limit_keys::all_verification_mails());
            }
        }
    }

    pub(super) fn day(&self, to: &Destination, country: &str, call: &Call) -> DayId {
        DayId::of(country, shard_of(to, self.policy.unverified.shards).number(), call.now)
    }

    /// The rows among those that were read.
    pub(super) fn take(&self, found: &Batch, request: &Request<'_>) -> Result<Read, Fault> {
        let Request {
            call, opened, start, ..
        } = request;
        let now = call.now;
        let id = opened.record.id;
        let record = found.take(&self.reader.read, &id, now)?;
        let windows = request.subjects.windows.iter().map(|subject| {
            let found = found.take(&self.read_windows, subject, now)?;
            Ok(found.unwrap_or_else(|| Windows::none(*subject)))
        });
        let shard = shard_of(&start.to, self.policy.quota.shards);
        let days = match request.country {
            Some(country) => {
                let today = self.day(&start.to, country, call);
                Days {
                    yesterday: found.take(&self.read_days, &today.before(1), now)?,
                    today: found.take(&self.read_days, &today, now)?,
                }
            }
            None => Days::default(),
        };
        let is_suppressed = match &start.to {
            Destination::Phone(_) => false,
            Destination::Email(email) => found.take(&self.suppressions, &suppression::subject(email), now)?.is_some(),
        };
        Ok(Read {
            record: record.unwrap_or_else(|| DestinationRecord::none(id)),
            usage: found.take(&self.read_limits, &request.subjects.limit, now)?,
            windows: windows.collect::<Result<_, Fault>>()?,
            quota: found.take(&self.read_quotas, &shard, now)?.unwrap_or_else(|| Quota::none(shard)),
            days,
            level: found.take(&self.read_levels, &limit_keys::all_verification_mails(), now)?,
            is_suppressed,
        })
    }

    pub(super) async fn read_again(&self, request: &Request<'_>) -> Result<Read, Fault> {
        let mut batch = Batch::default();
        batch.want(&self.reader.read, &request.opened.record.id);
        self.want(&mut batch, request.call, request.start, &request.subjects);
        self.take(&batch.read().await?, request)
    }
}
