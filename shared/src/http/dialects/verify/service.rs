//! Services, their rate limits and buckets, as this dialect writes and reads them.

mod body;
mod form;
mod limits;

pub use body::{ServiceBody, ServiceList, service, services};
pub use form::ServiceForm;
pub use limits::{
    BucketBody, BucketChangeForm, BucketForm, BucketList, RateLimitBody, RateLimitChangeForm, RateLimitForm,
    RateLimitList, bucket, buckets, rate_limit, rate_limits,
};
