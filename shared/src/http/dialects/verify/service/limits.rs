//! Rate limits and buckets: forms and bodies.

use rand::TryCryptoRng;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        time::Timestamp,
        verification::{
            service::{Bucket, Description, RateLimitDefinition, Service, UniqueName},
            sid::{BucketSid, RateLimitSid},
        },
    },
    fault::Fault,
    http::{
        call::Call,
        dialects::verify::{Error, Form, PageMeta, Paging, Urls},
        reply::Answer,
    },
    observe::Outcome,
};

/// The form that creates a rate limit.
#[derive(Debug, ToSchema)]
pub struct RateLimitForm {
    /// The name by which a verification refers to it, unique in the service.
    #[schema(rename = "UniqueName", value_type = String, min_length = 1, max_length = 64, pattern = r"^[^\x00-\x1F\x7F-\x9F]+$", example = "end_user_ip_address")]
    unique_name: UniqueName,
    /// The description.
    #[schema(rename = "Description", value_type = Option<String>, max_length = 256, pattern = r"^[^\x00-\x1F\x7F-\x9F]*$", example = "Caller's address")]
    description: Option<Description>,
}

/// The form that changes a rate limit.
#[derive(Debug, ToSchema)]
pub struct RateLimitChangeForm {
    /// The description; an empty one removes it.
    #[schema(rename = "Description", value_type = Option<String>, max_length = 256, pattern = r"^[^\x00-\x1F\x7F-\x9F]*$", example = "Caller's address")]
    description: Option<Option<Description>>,
}

/// The form that creates a bucket.
#[derive(Debug, ToSchema)]
pub struct BucketForm {
    /// The maximum number of requests in an interval.
    #[schema(rename = "Max", minimum = 1, maximum = 2_147_483_647, example = 4)]
    max: u64,
    /// The interval, in seconds.
    #[schema(rename = "Interval", minimum = 1, maximum = 86400, example = 60)]
    interval: u64,
}

/// The form that changes a bucket; omitted numbers stay.
#[derive(Debug, ToSchema)]
pub struct BucketChangeForm {
    /// The maximum number of requests in an interval.
    #[schema(rename = "Max", minimum = 1, maximum = 2_147_483_647, example = 4)]
    max: Option<u64>,
    /// The interval, in seconds.
    #[schema(rename = "Interval", minimum = 1, maximum = 86400, example = 60)]
    interval: Option<u64>,
}

impl RateLimitForm {
    /// Reads the form.
    ///
    /// # Errors
    /// [`Error::Invalid`] when a value is missing or not valid; a malformed request when the body is not a form.
    pub fn read(call: &Call) -> Result<Self, Error> {
        let form = Form::read(call)?;
        let unique_name = form.parsed("UniqueName", UniqueName::parse)?;
        Ok(Self {
            unique_name: unique_name.ok_or(Error::Invalid("UniqueName"))?,
            description: described(&form)?.flatten(),
        })
    }

    /// A new rate limit without buckets.
    ///
    /// # Errors
    /// [`Fault`] when the random generator fails.
    pub fn created(self, rng: &mut impl TryCryptoRng, now: Timestamp) -> Result<RateLimitDefinition, Fault> {
        Ok(RateLimitDefinition {
            sid: RateLimitSid::random(rng)?,
            unique_name: self.unique_name,
            description: self.description,
            created_at: now,
            updated_at: now,
            buckets: Vec::new(),
        })
    }
}

impl RateLimitChangeForm {
    /// Reads the form.
    ///
    /// # Errors
    /// As [`RateLimitForm::read`].
    pub fn read(call: &Call) -> Result<Self, Error> {
        Ok(Self {
            description: described(&Form::read(call)?)?,
        })
    }

    /// Makes the change.
    pub fn set_on(&self, limit: &mut RateLimitDefinition, now: Timestamp) {
        if let Some(description) = &self.description {
            limit.description.clone_from(description);
        }
        limit.updated_at = now;
    }
}

fn described(form: &Form) -> Result<Option<Option<Description>>, Error> {
    form.parsed("Description", |text| match text {
        "" => Some(None),
        words => Description::parse(words).map(Some),
    })
}

impl BucketForm {
    /// Reads the form.
    ///
    /// # Errors
    /// As [`RateLimitForm::read`].
    pub fn read(call: &Call) -> Result<Self, Error> {
        let BucketChangeForm { max, interval } = BucketChangeForm::read(call)?;
        Ok(Self {
            max: max.ok_or(Error::Invalid("Max"))?,
            interval: interval.ok_or(Error::Invalid("Interval"))?,
        })
    }

    /// A new bucket.
    ///
    /// # Errors
    /// [`Fault`] when the random generator fails.
    pub fn created(self, rng: &mut impl TryCryptoRng, now: Timestamp) -> Result<Bucket, Fault> {
        Ok(Bucket {
            sid: BucketSid::random(rng)?,
            max: self.max,
            interval: self.interval,
            created_at: now,
            updated_at: now,
        })
    }
}

impl BucketChangeForm {
    /// Reads the form.
    ///
    /// # Errors
    /// As [`RateLimitForm::read`].
    pub fn read(call: &Call) -> Result<Self, Error> {
        let form = Form::read(call)?;
        Ok(Self {
            max: form.number("Max", |max| Bucket::may_have_max(max).then_some(max))?,
            interval: form.number("Interval", |seconds| Bucket::may_have_interval(seconds).then_some(seconds))?,
        })
    }

    /// Makes the change.
    pub fn set_on(&self, bucket: &mut Bucket, now: Timestamp) {
        bucket.max = self.max.unwrap_or(bucket.max);
        bucket.interval = self.interval.unwrap_or(bucket.interval);
        bucket.updated_at = now;
    }
}

/// A rate limit.
#[derive(Debug, Serialize, ToSchema)]
pub struct RateLimitBody {
    /// Its SID.
    #[schema(pattern = "^RK[0-9a-f]{32}$")]
    sid: String,
    /// The service that it belongs to.
    #[schema(pattern = "^VA[0-9a-f]{32}$")]
    service_sid: String,
    /// The account of the service.
    #[schema(pattern = "^AC[0-9a-f]{32}$")]
    account_sid: String,
    /// The name by which a verification refers to it.
    #[schema(
        min_length = 1,
        max_length = 64,
        pattern = r"^[^\x00-\x1F\x7F-\x9F]+$",
        example = "end_user_ip_address"
    )]
    unique_name: String,
    /// The description, if it has one.
    #[schema(required = true, example = "Caller's address")]
    description: Option<String>,
    /// When it was created.
    #[schema(format = DateTime, example = "2026-02-27T22:06:57Z")]
    date_created: String,
    /// When it last changed.
    #[schema(format = DateTime, example = "2026-02-27T22:06:57Z")]
    date_updated: String,
    /// Its address.
    #[schema(format = "uri")]
    url: String,
    /// The address of its buckets.
    links: BucketLinks,
}

/// The address of a rate limit's buckets.
#[derive(Debug, Serialize, ToSchema)]
pub struct BucketLinks {
    #[schema(format = "uri")]
    buckets: String,
}

impl RateLimitBody {
    fn of(service: &Service, limit: &RateLimitDefinition, urls: &Urls<'_>) -> Self {
        Self {
            sid: limit.sid.as_text(),
            service_sid: service.sid.as_text(),
            account_sid: service.account.as_text(),
            unique_name: limit.unique_name.as_str().to_owned(),
            description: limit.description.as_ref().map(|words| words.as_str().to_owned()),
            date_created: limit.created_at.iso(),
            date_updated: limit.updated_at.iso(),
            url: urls.rate_limit(service.sid, limit.sid),
            links: BucketLinks {
                buckets: urls.buckets(service.sid, limit.sid),
            },
        }
    }
}

/// A page of rate limits.
#[derive(Debug, Serialize, ToSchema)]
pub struct RateLimitList {
    rate_limits: Vec<RateLimitBody>,
    meta: PageMeta,
}

/// A rate limit, with that status.
#[must_use]
pub fn rate_limit(
    status: u16,
    outcome: Outcome,
    service: &Service,
    limit: &RateLimitDefinition,
    urls: &Urls<'_>,
) -> Answer {
    Answer::json(status, outcome, &RateLimitBody::of(service, limit, urls))
}

/// 200: a page of the rate limits of a service.
#[must_use]
pub fn rate_limits(page: Paging, service: &Service, urls: &Urls<'_>) -> Answer {
    let all = &service.rate_limits;
    let body = RateLimitList {
        rate_limits: page.of(all).iter().map(|limit| RateLimitBody::of(service, limit, urls)).collect(),
        meta: page.meta(&urls.rate_limits(service.sid), "rate_limits", all.len()),
    };
    Answer::json(200, Outcome::RateLimitsListed, &body)
}

/// A bucket.
#[derive(Debug, Serialize, ToSchema)]
pub struct BucketBody {
    /// Its SID.
    #[schema(pattern = "^BL[0-9a-f]{32}$")]
    sid: String,
    /// The rate limit that it belongs to.
    #[schema(pattern = "^RK[0-9a-f]{32}$")]
    rate_limit_sid: String,
    /// The service of the rate limit.
    #[schema(pattern = "^VA[0-9a-f]{32}$")]
    service_sid: String,
    /// The account of the service.
    #[schema(pattern = "^AC[0-9a-f]{32}$")]
    account_sid: String,
    /// The maximum number of requests in an interval.
    #[schema(minimum = 1, maximum = 2_147_483_647, example = 4)]
    max: u64,
    /// The interval, in seconds.
    #[schema(minimum = 1, maximum = 86400, example = 60)]
    interval: u64,
    /// When it was created.
    #[schema(format = DateTime, example = "2026-02-27T22:06:57Z")]
    date_created: String,
    /// When it last changed.
    #[schema(format = DateTime, example = "2026-02-27T22:06:57Z")]
    date_updated: String,
    /// Its address.
    #[schema(format = "uri")]
    url: String,
}

impl BucketBody {
    fn of(service: &Service, limit: RateLimitSid, bucket: &Bucket, urls: &Urls<'_>) -> Self {
        Self {
            sid: bucket.sid.as_text(),
            rate_limit_sid: limit.as_text(),
            service_sid: service.sid.as_text(),
            account_sid: service.account.as_text(),
            max: bucket.max,
            interval: bucket.interval,
            date_created: bucket.created_at.iso(),
            date_updated: bucket.updated_at.iso(),
            url: urls.bucket(service.sid, limit, bucket.sid),
        }
    }
}

/// A page of buckets.
#[derive(Debug, Serialize, ToSchema)]
pub struct BucketList {
    buckets: Vec<BucketBody>,
    meta: PageMeta,
}

/// A bucket, with that status.
#[must_use]
pub fn bucket(
    status: u16,
    outcome: Outcome,
    (service, limit): (&Service, RateLimitSid),
    bucket: &Bucket,
    urls: &Urls<'_>,
) -> Answer {
    Answer::json(status, outcome, &BucketBody::of(service, limit, bucket, urls))
}

/// 200: a page of the buckets of a rate limit.
#[must_use]
pub fn buckets(page: Paging, limit: &RateLimitDefinition, service: &Service, urls: &Urls<'_>) -> Answer {
    let all = &limit.buckets;
    let body = BucketList {
        buckets: page.of(all).iter().map(|bucket| BucketBody::of(service, limit.sid, bucket, urls)).collect(),
        meta: page.meta(&urls.buckets(service.sid, limit.sid), "buckets", all.len()),
    };
    Answer::json(200, Outcome::BucketsListed, &body)
}
