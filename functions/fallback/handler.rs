use countersign_shared::{
    domain::mail::link,
    fault::Fault,
    http::{
        call::Call,
        dialects::{broadleaf, era, gitlab, mithril, plain, verify},
        rejection::Rejection,
        reply::{Answer, Dialect, Reply},
        route::ROUTES,
        serve::Endpoint,
    },
    observe::{Family, Outcome},
    runtime::edge::Wire,
};

/// Handles paths and methods without a route: 404, or 405 with the allowed methods, in the dialect of the path. With
/// CORS, the gateway also sends it every `OPTIONS` (`$default`) and adds the headers that decide; a browser only needs
/// a status that is no error. A mailed link whose `#` was escaped on its way is a path without a route, and still leads
/// to the page.
#[derive(Wire)]
pub struct Fallback {
    #[wire(has_cors)]
    pub has_cors: bool,
    #[wire(public_url)]
    pub public_url: Option<String>,
}

impl Endpoint for Fallback {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        if matches!(call.method.as_str(), "GET" | "HEAD")
            && let Some(link) = link::unescaped(&call.path, self.public_url.as_deref())
        {
            return Ok(Answer::redirect(Outcome::LinkUnescaped, &link));
        }
        let allow: Vec<_> = ROUTES.iter().filter(|route| route.takes(&call.path)).map(|route| route.method).collect();
        let is_preflight = call.method == "OPTIONS" && call.header("access-control-request-method").is_some();
        if self.has_cors && is_preflight && !allow.is_empty() {
            return Ok(Answer::empty(Outcome::Preflight));
        }
        Err(match allow.is_empty() {
            true => Rejection::NoRoute.into(),
            false => Rejection::WrongMethod {
                allow: allow.join(", "),
            }
            .into(),
        })
    }
}

/// An error in the dialect of the path: decided here only, because no route has decided it.
pub struct Error(plain::Error);

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        Self(rejection.into())
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self(fault.into())
    }
}

impl Dialect for Error {
    const FAMILY: Option<Family> = None;

    fn reply(self, call: &Call) -> Reply {
        fn said<E: Dialect>(error: Error, call: &Call) -> Reply {
            let reply = match error.0 {
                plain::Error::Rejected(rejection) => E::from(rejection).reply(call),
                plain::Error::Fault(fault) => E::from(fault).reply(call),
            };
            reply.with_media_type(E::MEDIA_TYPE)
        }
        let in_family =
            |prefix: &str| call.path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if in_family("/api/v4") {
            said::<gitlab::Error>(self, call)
        } else if in_family("/rest/v1") || in_family("/app-root") {
            said::<era::Error>(self, call)
        } else if in_family("/passcode") {
            said::<broadleaf::Error>(self, call)
        } else if in_family("/mithril/api") {
            said::<mithril::Error>(self, call)
        } else if in_family("/v2") {
            said::<verify::Error>(self, call)
        } else {
            said::<plain::Error>(self, call)
        }
    }
}
