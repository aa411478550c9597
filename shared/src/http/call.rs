//! An HTTP request as API Gateway delivers it (HTTP API, payload format 2.0).

mod basic;
mod claims;

use std::{collections::HashMap, sync::OnceLock};

use base64::{Engine, engine::general_purpose::STANDARD};
use lambda_http::{aws_lambda_events::apigw::ApiGatewayV2httpRequest, http::HeaderMap};
use percent_encoding::percent_decode_str;
use serde::de::IgnoredAny;

pub use basic::Basic;

use super::{json::Object, rejection::Rejection};
use crate::{
    domain::{
        auth::provider::Claims,
        crypto::secret::Secret,
        limits::{network::Network, rate_limit::Hit},
        time::Timestamp,
    },
    fault::Fault,
    observe::LogContext,
};

/// The maximum size of a body, in bytes.
pub const LARGEST_BODY: usize = 16 * 1024;

/// One request.
#[derive(Debug)]
pub struct Call {
    /// The method, in upper case.
    pub method: String,
    /// The route's pattern.
    pub route: String,
    /// The path, percent-decoded by the gateway.
    pub path: String,
    /// Scheme and host, as the gateway saw them.
    pub origin: String,
    /// The gateway's id of this request, for the log and for support.
    pub request_id: String,
    /// Lambda's id of this invocation. It is unique, and the SDK's retries of a write carry the same one. The gateway's
    /// id is not unique: `sam local` gives every request the same.
    pub invocation: String,
    /// The event's own time; the system time if it has none, for the error response.
    pub now: Timestamp,
    /// The source address, as the gateway saw it; never taken from a header.
    pub source: Network,
    /// The claims of the identity provider about the caller, if the gateway has verified its token. Callers cannot
    /// forge them.
    pub claims: Option<Claims>,
    has_time: bool,
    headers: HeaderMap,
    query: String,
    path_parameters: HashMap<String, String>,
    body: Result<Vec<u8>, Rejection>,
    actor: OnceLock<String>,
    subject: OnceLock<String>,
    link: OnceLock<String>,
}

/// A smaller number cannot be in milliseconds (it would be before March 1973): `sam local` sends seconds.
const FIRST_MILLIS: u64 = 100_000_000_000;

/// A smaller number cannot be in seconds either (it would be before September 2001): the event has no time.
const FIRST_SECONDS: u64 = 1_000_000_000;

fn event_time(epoch: i64) -> Option<Timestamp> {
    match u64::try_from(epoch).ok()? {
        ..FIRST_SECONDS => None,
        seconds @ ..FIRST_MILLIS => Some(Timestamp::from_seconds(seconds)),
        millis => Some(Timestamp::from_millis(millis)),
    }
}

impl Call {
    /// Parses an event; `invocation` is Lambda's own id, `clock` the system's.
    #[must_use]
    pub fn new(event: ApiGatewayV2httpRequest, invocation: String, clock: fn() -> Timestamp) -> Self {
        let context = event.request_context;
        let time = event_time(context.time_epoch);
        let scheme = match event.headers.get("x-forwarded-proto").map(|value| value.as_bytes()) {
            Some(b"http") => "http",
            _ => "https",
        };
        Self {
            method: context.http.method.as_str().to_owned(),
            route: event.route_key.unwrap_or_default(),
            path: event.raw_path.unwrap_or_default(),
            origin: format!("{scheme}://{}", context.domain_name.unwrap_or_default()),
            request_id: context.request_id.unwrap_or_default(),
            invocation,
            now: time.unwrap_or_else(clock),
            has_time: time.is_some(),
            source: Network::of(context.http.source_ip.as_deref().unwrap_or_default()),
            claims: context
                .authorizer
                .and_then(|found| found.jwt)
                .map(|_| claims::of_token(&event.headers).unwrap_or_default()),
            body: body(event.body.unwrap_or_default(), event.is_base64_encoded),
            headers: event.headers,
            query: event.raw_query_string.unwrap_or_default(),
            path_parameters: event.path_parameters,
            actor: OnceLock::new(),
            subject: OnceLock::new(),
            link: OnceLock::new(),
        }
    }
}

fn body(text: String, is_base64: bool) -> Result<Vec<u8>, Rejection> {
    // Base64 is a third longer than what it encodes.
    if text.len() > LARGEST_BODY / 3 * 4 + 4 {
        return Err(Rejection::TooLarge);
    }
    let bytes = match is_base64 {
        true => STANDARD.decode(text).map_err(|_| Rejection::Malformed)?,
        false => text.into_bytes(),
    };
    if bytes.len() > LARGEST_BODY {
        Err(Rejection::TooLarge)
    } else {
        Ok(bytes)
    }
}

impl Call {
    /// Refuses an event without a time: expiry could not be checked.
    ///
    /// # Errors
    /// [`Fault`].
    pub(super) fn expect_time(&self) -> Result<(), Fault> {
        match self.has_time {
            true => Ok(()),
            false => Err(Fault::Bug("the event has no requestContext.timeEpoch".into())),
        }
    }

    /// Refuses an encoded body: no encoding is supported.
    ///
    /// # Errors
    /// [`Rejection::WrongEncoding`].
    pub(super) fn expect_no_encoding(&self) -> Result<(), Rejection> {
        let given = self.headers.get_all("content-encoding").into_iter();
        for coding in given.map(|value| value.to_str().unwrap_or("?")).flat_map(|list| list.split(',')) {
            let coding = coding.trim();
            if !coding.is_empty() && !coding.eq_ignore_ascii_case("identity") {
                return Err(Rejection::WrongEncoding(coding.chars().take(100).collect()));
            }
        }
        Ok(())
    }

    /// The body; at most [`LARGEST_BODY`] bytes.
    ///
    /// # Errors
    /// [`Rejection::TooLarge`], or [`Rejection::Malformed`] when the gateway's base64 is invalid.
    pub fn body(&self) -> Result<&[u8], Rejection> {
        self.body.as_deref().map_err(Rejection::clone)
    }

    /// A header, if present and visible ASCII.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// A parameter of the path, percent-decoded by the gateway; empty if the route has none of that name.
    #[must_use]
    pub fn path_parameter(&self, name: &str) -> &str {
        self.path_parameters.get(name).map_or("", String::as_str)
    }

    /// The token of `Authorization: Bearer …` (RFC 6750 §2.1); `None` without such a header, or if it holds something
    /// else.
    #[must_use]
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start_matches(' '))
    }

    /// The pair of `Authorization: Basic …` (RFC 7617); `None` without such a header, or if it is malformed.
    #[must_use]
    pub fn basic(&self) -> Option<Basic> {
        Basic::parse(self.header("authorization")?)
    }

    /// The query, strictly parsed.
    ///
    /// # Errors
    /// [`Rejection::Malformed`], see [`Parameters`].
    pub fn query(&self) -> Result<Parameters, Rejection> {
        Parameters::parse(self.query.as_bytes())
    }

    /// The body of a form, strictly parsed.
    ///
    /// # Errors
    /// [`Rejection::WrongMediaType`] when the body is not declared as a form; [`Rejection::Malformed`], see
    /// [`Parameters`].
    pub fn form(&self) -> Result<Parameters, Rejection> {
        self.expect_media_type(&["application/x-www-form-urlencoded"])?;
        Parameters::parse(self.body()?)
    }

    /// The body as one JSON object, strictly parsed.
    ///
    /// # Errors
    /// [`Rejection::WrongMediaType`] when the body is not declared as JSON; [`Rejection::Malformed`] when it is not an
    /// object.
    pub fn json(&self) -> Result<Object, Rejection> {
        self.expect_media_type(&["application/json"])?;
        Object::parse(self.body()?).ok_or(Rejection::Malformed)
    }

    /// The `Idempotency-Key`, by which a retry is recognised, if the caller sends one: 1 to 255 visible ASCII
    /// characters, and blanks between them.
    ///
    /// # Errors
    /// [`Rejection::Malformed`] for any other text.
    pub fn idempotency_key(&self) -> Result<Option<&str>, Rejection> {
        let Some(key) = self.headers.get("idempotency-key") else {
            return Ok(None);
        };
        // `to_str` accepts tabs, too.
        let key = key.to_str().ok().filter(|key| (1..=255).contains(&key.len()) && !key.contains('\t'));
        key.map(Some).ok_or(Rejection::Malformed)
    }

    /// Refuses a body whose declared type is not one of these.
    ///
    /// # Errors
    /// [`Rejection::WrongMediaType`].
    pub fn expect_media_type(&self, types: &[&str]) -> Result<(), Rejection> {
        let given = self.header("content-type").unwrap_or_default();
        let essence = given.split(';').next().unwrap_or_default().trim();
        if types.iter().any(|one| essence.eq_ignore_ascii_case(one)) {
            return Ok(());
        }
        Err(Rejection::WrongMediaType(essence.chars().take(100).collect()))
    }

    /// Whether the query has a parameter with one of these names, even if the query cannot be parsed.
    #[must_use]
    pub fn query_names(&self, names: &[&str]) -> bool {
        self.query.split('&').any(|pair| names.contains(&pair.split('=').next().unwrap_or_default()))
    }

    /// Whether the query or the body has a parameter of that name, in any encoding: for parameters that must not be
    /// overlooked where no others are read.
    #[must_use]
    pub fn brings(&self, name: &str) -> bool {
        let body = self.body().unwrap_or_default();
        let fields = serde_json::from_slice::<HashMap<String, IgnoredAny>>(body).unwrap_or_default();
        fields.contains_key(name) || is_named(self.query.as_bytes(), name) || is_named(body, name)
    }

    /// Whether a header of that name exists, whatever its value.
    #[must_use]
    pub fn has_header(&self, name: &str) -> bool {
        self.headers.contains_key(name)
    }

    /// The context of log lines and metrics for this call, about that masked address.
    #[must_use]
    pub fn log_context<'a>(&'a self, address: Option<&'a str>) -> LogContext<'a> {
        LogContext {
            request_id: &self.request_id,
            at: self.now,
            event: None,
            address,
        }
    }

    /// This call as rate limits count it: its time and invocation.
    #[must_use]
    pub fn hit(&self) -> Hit {
        Hit {
            at: self.now,
            by: self.invocation.clone(),
        }
    }

    /// Sets the actor for the log. The first value is kept.
    pub fn log_actor(&self, actor: String) {
        self.actor.get_or_init(|| actor);
    }

    /// Sets the subject for the log. The first value is kept.
    pub fn log_subject(&self, subject: String) {
        self.subject.get_or_init(|| subject);
    }

    /// Sets the mailed link for the log, by the prefix of its digest.
    pub fn log_link(&self, digest: String) {
        self.link.get_or_init(|| digest);
    }

    /// The mailed link of the call, if noted.
    #[must_use]
    pub fn link(&self) -> Option<&str> {
        self.link.get().map(String::as_str)
    }

    /// The actor, if noted.
    #[must_use]
    pub fn actor(&self) -> Option<&str> {
        self.actor.get().map(String::as_str)
    }

    /// The subject, if noted.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.subject.get().map(String::as_str)
    }
}

/// The parameters of a query or a form (`application/x-www-form-urlencoded`). Strict where common parsers guess:
/// duplicate names, broken percent sequences and invalid UTF-8 are refused (ASVS 1.5.3, 15.3.7).
#[derive(Debug)]
pub struct Parameters(HashMap<String, Secret>);

impl Parameters {
    fn parse(raw: &[u8]) -> Result<Self, Rejection> {
        let raw = std::str::from_utf8(raw).map_err(|_| Rejection::Malformed)?;
        let mut found = HashMap::new();
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if found.insert(decode(name)?, Secret::new(decode(value)?)).is_some() {
                return Err(Rejection::Malformed);
            }
        }
        Ok(Self(found))
    }

    /// A required parameter.
    ///
    /// # Errors
    /// [`Rejection::Malformed`] when it is missing.
    pub fn required(&self, name: &str) -> Result<&Secret, Rejection> {
        self.0.get(name).ok_or(Rejection::Malformed)
    }

    /// An optional parameter.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Secret> {
        self.0.get(name)
    }

    /// Refuses parameters of these names: values for a body or a header must not be in a URL, because URLs are logged.
    ///
    /// # Errors
    /// [`Rejection::Malformed`] when one is present.
    pub fn refuse_any(&self, names: &[&str]) -> Result<(), Rejection> {
        if names.iter().any(|name| self.0.contains_key(*name)) {
            Err(Rejection::Malformed)
        } else {
            Ok(())
        }
    }
}

/// Whether a parameter has that name, or is an entry of a list or map of that name (`name[]`, `name[key]`).
fn is_named(parameters: &[u8], name: &str) -> bool {
    String::from_utf8_lossy(parameters).split(['&', ';']).any(|pair| {
        let given = pair.split('=').next().unwrap_or_default().replace('+', " ");
        let given = percent_decode_str(&given).decode_utf8_lossy();
        given.split('[').next().unwrap_or_default().trim() == name
    })
}

fn decode(text: &str) -> Result<String, Rejection> {
    // The library passes broken sequences through unchanged.
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        match rest.get(at + 1..at + 3) {
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => rest = &rest[at + 3..],
            _ => return Err(Rejection::Malformed),
        }
    }
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| Rejection::Malformed)
}

#[cfg(test)]
pub(crate) mod tests;
