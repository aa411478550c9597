//! Responses: an endpoint's answer, and the finished reply in a dialect.

use serde::Serialize;

use super::{call::Call, html::Page, rejection::Rejection};
use crate::{
    domain::{crypto::secret::Secret, idempotency::Issued},
    fault::{Fault, TRY_AGAIN_AFTER},
    observe::{Family, Milestone, Outcome},
};

/// JSON.
pub const JSON: &str = "application/json";

/// JSON with an explicit charset.
pub const JSON_UTF_8: &str = "application/json; charset=utf-8";

const HTML: &str = "text/html; charset=utf-8";

/// The successful response of an endpoint.
#[derive(Debug)]
pub struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
    pub(super) outcome: Outcome,
    pub(super) fault: Option<Fault>,
    pub(super) milestone: Option<Milestone>,
    issued: Option<Issued>,
}

impl Answer {
    /// A JSON body; `outcome` is the name in the log.
    #[must_use]
    pub(super) fn json(status: u16, outcome: Outcome, body: &impl Serialize) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: to_json(body),
            outcome,
            fault: None,
            milestone: None,
            issued: None,
        }
    }

    /// The same, counted as that milestone of the conversion.
    #[must_use]
    pub fn counted_as(mut self, milestone: Milestone) -> Self {
        self.milestone = Some(milestone);
        self
    }

    /// A success without a body.
    #[must_use]
    pub fn empty(outcome: Outcome) -> Self {
        Self {
            status: 204,
            headers: Vec::new(),
            body: String::new(),
            outcome,
            fault: None,
            milestone: None,
            issued: None,
        }
    }

    /// The stored response to a retried call (idempotency).
    #[must_use]
    pub fn repeated(status: u16, body: String) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body,
            outcome: Outcome::Repeated,
            fault: None,
            milestone: None,
            issued: None,
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Sets whose tokens the response expires with, if it is stored for retries.
    #[must_use]
    pub fn issued(mut self, issued: Issued) -> Self {
        self.issued = Some(issued);
        self
    }

    /// Whose tokens the response expires with; `None` for one that is the same for every caller.
    #[must_use]
    pub fn ends_with(&self) -> Option<&Issued> {
        self.issued.as_ref()
    }

    /// Status and body, to store.
    #[must_use]
    pub fn content(&self) -> (u16, &str) {
        (self.status, &self.body)
    }

    /// Adds a failure after the work was done: it is only logged, and the response is kept.
    #[must_use]
    pub fn with_fault(mut self, fault: Fault) -> Self {
        self.fault = Some(fault);
        self
    }

    /// Redirects a browser temporarily.
    #[must_use]
    pub fn redirect(outcome: Outcome, location: &Secret) -> Self {
        Self {
            status: 302,
            ..Self::empty(outcome)
        }
        .with_header("content-type", HTML)
        .with_header("location", location.expose())
    }

    /// A page, selected by its language.
    #[must_use]
    pub fn page(outcome: Outcome, page: &Page) -> Self {
        let headers = [
            ("content-type", HTML),
            ("content-language", page.language),
            ("content-security-policy", &page.policy),
            ("vary", "Accept-Language"),
        ];
        Self {
            status: 200,
            headers: headers.map(|(name, value)| (name, value.to_owned())).into(),
            body: page.html.clone(),
            outcome,
            fault: None,
            milestone: None,
            issued: None,
        }
    }
}

/// The error type of a dialect: converts the neutral errors and renders them.
pub trait Dialect: From<Rejection> + From<Fault> {
    /// The family that the routes' metrics count in, if any.
    const FAMILY: Option<Family>;

    /// The media type of the responses.
    const MEDIA_TYPE: &'static str = JSON;

    /// Renders the error.
    fn reply(self, call: &Call) -> Reply;
}

/// A finished reply.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers beyond or instead of the common ones.
    pub headers: Vec<(&'static str, String)>,
    /// The body: JSON, unless a header says otherwise.
    pub body: String,
    /// The name in the log.
    pub outcome: Outcome,
    /// The internal error, for the log only.
    pub fault: Option<Fault>,
    /// The milestone of the conversion, for the metrics only.
    pub milestone: Option<Milestone>,
}

impl Reply {
    /// A reply without headers of its own.
    #[must_use]
    pub fn json(status: u16, outcome: Outcome, body: &impl Serialize) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: to_json(body),
            outcome,
            fault: None,
            milestone: None,
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The response to an internal error: 503 with `Retry-After` for a transient failure of a dependency, otherwise 500
    /// (ASVS 16.5.2).
    #[must_use]
    pub fn of_fault(fault: Fault, say: impl FnOnce(u16) -> Self) -> Self {
        let reply = match fault.is_transient() {
            true => say(503).with_header("retry-after", TRY_AGAIN_AFTER.to_string()),
            false => say(500),
        };
        reply.with_fault(fault)
    }

    /// Adds an internal error.
    #[must_use]
    pub fn with_fault(mut self, fault: Fault) -> Self {
        self.fault = Some(fault);
        self
    }

    /// Sets the media type, unless the reply has one.
    #[must_use]
    pub fn with_media_type(self, media_type: &'static str) -> Self {
        match self.headers.iter().any(|(name, _)| *name == "content-type") {
            true => self,
            false => self.with_header("content-type", media_type),
        }
    }
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        let Answer {
            status,
            headers,
            body,
            outcome,
            fault,
            milestone,
            issued: _,
        } = answer;
        Self {
            status,
            headers,
            body,
            outcome,
            fault,
            milestone,
        }
    }
}

fn to_json(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("our bodies have text keys and finite numbers")
}
