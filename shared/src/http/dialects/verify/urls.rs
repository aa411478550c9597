//! The absolute addresses in this dialect's bodies.

use crate::{
    domain::verification::{
        entity::{EntityId, Identity},
        sid::{BucketSid, ChallengeSid, FactorSid, RateLimitSid, ServiceSid, VerificationSid},
    },
    http::call::Call,
};

/// Makes addresses below the deployment's public URL.
#[derive(Debug)]
pub struct Urls<'a>(&'a str);

impl<'a> Urls<'a> {
    /// Below `public_url` (`Edge::public_url`); without it, below the origin that the call came to.
    #[must_use]
    pub fn of(public_url: Option<&'a str>, call: &'a Call) -> Self {
        Self(public_url.unwrap_or(&call.origin))
    }

    /// The address of that path, which begins with a slash.
    #[must_use]
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// All services of an account.
    #[must_use]
    pub fn services(&self) -> String {
        self.at("/v2/Services")
    }

    /// A service.
    #[must_use]
    pub fn service(&self, service: ServiceSid) -> String {
        format!("{}/{}", self.services(), service.as_text())
    }

    /// A verification.
    #[must_use]
    pub fn verification(&self, service: ServiceSid, verification: VerificationSid) -> String {
        format!("{}/Verifications/{}", self.service(service), verification.as_text())
    }

    /// All attempts of an account.
    #[must_use]
    pub fn attempts(&self) -> String {
        self.at("/v2/Attempts")
    }

    /// All entities of a service.
    #[must_use]
    pub fn entities(&self, service: ServiceSid) -> String {
        format!("{}/Entities", self.service(service))
    }

    /// An entity.
    #[must_use]
    pub fn entity(&self, service: ServiceSid, identity: &Identity) -> String {
        format!("{}/{}", self.entities(service), identity.as_str())
    }

    /// All factors of an entity.
    #[must_use]
    pub fn factors(&self, id: &EntityId) -> String {
        format!("{}/Factors", self.entity(id.service, &id.identity))
    }

    /// A factor.
    #[must_use]
    pub fn factor(&self, id: &EntityId, factor: FactorSid) -> String {
        format!("{}/{}", self.factors(id), factor.as_text())
    }

    /// All challenges of an entity.
    #[must_use]
    pub fn challenges(&self, id: &EntityId) -> String {
        format!("{}/Challenges", self.entity(id.service, &id.identity))
    }

    /// A challenge.
    #[must_use]
    pub fn challenge(&self, id: &EntityId, challenge: ChallengeSid) -> String {
        format!("{}/{}", self.challenges(id), challenge.as_text())
    }

    /// All rate limits of a service.
    #[must_use]
    pub fn rate_limits(&self, service: ServiceSid) -> String {
        format!("{}/RateLimits", self.service(service))
    }

    /// A rate limit.
    #[must_use]
    pub fn rate_limit(&self, service: ServiceSid, limit: RateLimitSid) -> String {
        format!("{}/{}", self.rate_limits(service), limit.as_text())
    }

    /// All buckets of a rate limit.
    #[must_use]
    pub fn buckets(&self, service: ServiceSid, limit: RateLimitSid) -> String {
        format!("{}/Buckets", self.rate_limit(service, limit))
    }

    /// A bucket.
    #[must_use]
    pub fn bucket(&self, service: ServiceSid, limit: RateLimitSid, bucket: BucketSid) -> String {
        format!("{}/{}", self.buckets(service, limit), bucket.as_text())
    }
}
