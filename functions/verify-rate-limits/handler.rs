use countersign_shared::{
    domain::verification::{
        service::{NotAdded, RateLimitDefinition, Service},
        sid::{BucketSid, RateLimitSid},
    },
    fault::Fault,
    http::{
        call::Call,
        dialects::verify::{
            self, BucketChangeForm, BucketForm, Error, Paging, RateLimitChangeForm, RateLimitForm, Urls,
        },
        reply::Answer,
        serve::Endpoint,
    },
    observe::Outcome,
    runtime::edge::Wire,
    services::{
        verify_accounts::{self, Admitted, VerifyAccounts},
        verify_services::ServiceChanges,
    },
};
use rand::rngs::SysRng;

/// Creates, lists, shows, changes and deletes the rate limits of a service, and their buckets.
#[derive(Wire)]
pub struct RateLimits {
    pub accounts: VerifyAccounts,
    pub changes: ServiceChanges,
    #[wire(public_url)]
    pub public_url: Option<String>,
}

const LIMITS: &str = "/v2/Services/{service}/RateLimits";
const LIMIT: &str = "/v2/Services/{service}/RateLimits/{rate_limit}";
const BUCKETS: &str = "/v2/Services/{service}/RateLimits/{rate_limit}/Buckets";
const BUCKET: &str = "/v2/Services/{service}/RateLimits/{rate_limit}/Buckets/{bucket}";

impl Endpoint for RateLimits {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let admitted = verify_accounts::service(&self.accounts, call, |_| {}).await??;
        let (method, path) = call.route.split_once(' ').unwrap_or_default();
        match (method, path) {
            ("POST", LIMITS) => self.create_limit(call, admitted).await,
            ("POST", LIMIT) => self.change_limit(call, admitted).await,
            ("DELETE", LIMIT) => self.delete_limit(call, admitted).await,
            ("POST", BUCKETS) => self.create_bucket(call, admitted).await,
            ("POST", BUCKET) => self.change_bucket(call, admitted).await,
            ("DELETE", BUCKET) => self.delete_bucket(call, admitted).await,
            ("GET" | "HEAD", LIMITS | LIMIT | BUCKETS | BUCKET) => self.read(call, path, &admitted.service),
            _ => Err(Fault::Bug("the route is not one of the function's".into()).into()),
        }
    }
}

impl RateLimits {
    fn read(&self, call: &Call, path: &str, service: &Service) -> Result<Answer, Error> {
        let urls = self.urls(call);
        if path == LIMITS {
            return Ok(verify::rate_limits(Paging::read(call)?, service, &urls));
        }
        let limit = service.rate_limit(limit_sid(call)?).ok_or(Error::NotFound)?;
        match path {
            BUCKETS => Ok(verify::buckets(Paging::read(call)?, limit, service, &urls)),
            BUCKET => {
                let bucket = limit.bucket(bucket_sid(call)?).ok_or(Error::NotFound)?;
                Ok(verify::bucket(200, Outcome::BucketShown, (service, limit.sid), bucket, &urls))
            }
            _ => Ok(verify::rate_limit(200, Outcome::RateLimitShown, service, limit, &urls)),
        }
    }

    async fn create_limit(&self, call: &Call, admitted: Admitted) -> Result<Answer, Error> {
        let limit = RateLimitForm::read(call)?.created(&mut SysRng, call.now)?;
        let outcome = Outcome::RateLimitCreated;
        let next = self.change(call, admitted, outcome, |service| {
            service.add_rate_limit(limit.clone()).map_err(|refused| match refused {
                NotAdded::Taken => Error::Invalid("UniqueName"),
                NotAdded::Full => Error::LimitReached("The service has as many rate limits as it may have"),
            })
        });
        Ok(verify::rate_limit(201, outcome, &next.await?, &limit, &self.urls(call)))
    }

    async fn change_limit(&self, call: &Call, admitted: Admitted) -> Result<Answer, Error> {
        let (sid, outcome) = (limit_sid(call)?, Outcome::RateLimitUpdated);
        admitted.service.rate_limit(sid).ok_or(Error::NotFound)?;
        let form = RateLimitChangeForm::read(call)?;
        let next = self.change(call, admitted, outcome, |service| {
            form.set_on(service.rate_limit_mut(sid).ok_or(Error::NotFound)?, call.now);
            Ok(())
        });
        let next = next.await?;
        let limit = next.rate_limit(sid).ok_or(Error::NotFound)?;
        Ok(verify::rate_limit(200, outcome, &next, limit, &self.urls(call)))
    }

    async fn delete_limit(&self, call: &Call, admitted: Admitted) -> Result<Answer, Error> {
        let (sid, outcome) = (limit_sid(call)?, Outcome::RateLimitDeleted);
        let next = self.change(call, admitted, outcome, |service| {
            service.rate_limit(sid).ok_or(Error::NotFound)?;
            service.rate_limits.retain(|limit| limit.sid != sid);
            Ok(())
        });
        next.await?;
        Ok(Answer::empty(outcome))
    }

    async fn create_bucket(&self, call: &Call, admitted: Admitted) -> Result<Answer, Error> {
        let (sid, outcome) = (limit_sid(call)?, Outcome::BucketCreated);
        admitted.service.rate_limit(sid).ok_or(Error::NotFound)?;
        let bucket = BucketForm::read(call)?.created(&mut SysRng, call.now)?;
        let next = self.change(call, admitted, outcome, |service| {
            let added = limit_of(service, sid)?.add_bucket(bucket.clone());
            added.map_err(|_| Error::LimitReached("The rate limit has as many buckets as it may have"))
        });
        Ok(verify::bucket(201, outcome, (&next.await?, sid), &bucket, &self.urls(call)))
    }

    async fn change_bucket(&self, call: &Call, admitted: Admitted) -> Result<Answer, Error> {
        let (sid, bucket_sid, outcome) = (limit_sid(call)?, bucket_sid(call)?, Outcome::BucketUpdated);
        let found = admitted.service.rate_limit(sid).and_then(|limit| limit.bucket(bucket_sid));
        found.ok_or(Error::NotFound)?;
        let form = BucketChangeForm::read(call)?;
        let next = self.change(call, admitted, outcome, |service| {
            let bucket = limit_of(service, sid)?.bucket_mut(bucket_sid);
            form.set_on(bucket.ok_or(Error::NotFound)?, call.now);
            Ok(())
        });
        let next = next.await?;
        let bucket = next.rate_limit(sid).and_then(|limit| limit.bucket(bucket_sid)).ok_or(Error::NotFound)?;
        Ok(verify::bucket(200, outcome, (&next, sid), bucket, &self.urls(call)))
    }

    async fn delete_bucket(&self, call: &Call, admitted: Admitted) -> Result<Answer, Error> {
        let (sid, bucket, outcome) = (limit_sid(call)?, bucket_sid(call)?, Outcome::BucketDeleted);
        let next = self.change(call, admitted, outcome, |service| {
            let limit = limit_of(service, sid)?;
            limit.bucket(bucket).ok_or(Error::NotFound)?;
            limit.buckets.retain(|one| one.sid != bucket);
            Ok(())
        });
        next.await?;
        Ok(Answer::empty(outcome))
    }

    /// Changes the service's row, which holds its rate limits; returns the service as it is now.
    async fn change(
        &self,
        call: &Call,
        Admitted { service, domain, .. }: Admitted,
        outcome: Outcome,
        set: impl Fn(&mut Service) -> Result<(), Error>,
    ) -> Result<Service, Error> {
        let act = outcome.of(service.sid.log_name()).in_domain(&domain);
        let next = |read: &Service| {
            let mut next = read.clone();
            set(&mut next).map(|()| next)
        };
        self.changes.change(service, call.into(), &act, next).await?
    }

    fn urls<'a>(&'a self, call: &'a Call) -> Urls<'a> {
        Urls::of(self.public_url.as_deref(), call)
    }
}

fn limit_sid(call: &Call) -> Result<RateLimitSid, Error> {
    RateLimitSid::parse(call.path_parameter("rate_limit")).ok_or(Error::NotFound)
}

fn bucket_sid(call: &Call) -> Result<BucketSid, Error> {
    BucketSid::parse(call.path_parameter("bucket")).ok_or(Error::NotFound)
}

fn limit_of(service: &mut Service, sid: RateLimitSid) -> Result<&mut RateLimitDefinition, Error> {
    service.rate_limit_mut(sid).ok_or(Error::NotFound)
}
