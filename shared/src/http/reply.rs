//! What goes back: the answer of an endpoint, and the finished reply in a dialect.

use serde::Serialize;

use super::{call::Call, html::Page, rejection::Rejection};
use crate::{
    domain::{idempotency::Issued, secret::Secret},
    fault::{Fault, TRY_AGAIN_AFTER},
    observe::{Family, Outcome, Step},
};

/// JSON.
pub const JSON: &str = "application/json";

/// JSON that names its charset.
pub const JSON_UTF_8: &str = "application/json; charset=utf-8";

const HTML: &str = "text/html; charset=utf-8";

/// What an endpoint answers when all is well.
#[derive(Debug)]
pub struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
    pub(super) outcome: Outcome,
    pub(super) fault: Option<Fault>,
    pub(super) step: Option<Step>,
    issued: Option<Issued>,
}

impl Answer {
    /// A JSON body; `outcome` is the word for the log.
    #[must_use]
    pub(super) fn json(status: u16, outcome: Outcome, body: &impl Serialize) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: to_json(body),
            outcome,
            fault: None,
            step: None,
            issued: None,
        }
    }

    /// The same, counted as that step.
    #[must_use]
    pub fn as_step(mut self, step: Step) -> Self {
        self.step = Some(step);
        self
    }

    /// No body, and nothing to say but that all is well.
    #[must_use]
    pub fn empty(outcome: Outcome) -> Self {
        Self {
            status: 204,
            headers: Vec::new(),
            body: String::new(),
            outcome,
            fault: None,
            step: None,
            issued: None,
        }
    }

    /// The answer of before, to a call that came again.
    #[must_use]
    pub fn repeated(status: u16, body: String) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body,
            outcome: Outcome::Repeated,
            fault: None,
            step: None,
            issued: None,
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Says with whose tokens the answer ends, if it is remembered.
    #[must_use]
    pub fn issued(mut self, issued: Issued) -> Self {
        self.issued = Some(issued);
        self
    }

    /// With whose tokens it ends; `None` for one that is the same for everybody.
    #[must_use]
    pub fn ends_with(&self) -> Option<&Issued> {
        self.issued.as_ref()
    }

    /// Status and body, to remember.
    #[must_use]
    pub fn content(&self) -> (u16, &str) {
        (self.status, &self.body)
    }

    /// Adds what broke after the deed was done: for the log, the answer stands.
    #[must_use]
    pub fn with_fault(mut self, fault: Fault) -> Self {
        self.fault = Some(fault);
        self
    }

    /// Sends a browser to another address, for this time.
    #[must_use]
    pub fn redirect(outcome: Outcome, location: &Secret) -> Self {
        Self {
            status: 302,
            ..Self::empty(outcome)
        }
        .with_header("content-type", HTML)
        .with_header("location", location.expose())
    }

    /// A page, chosen by its language.
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
            step: None,
            issued: None,
        }
    }
}

/// A dialect's error: what the neutral failures become, and how it is said.
pub trait Dialect: From<Rejection> + From<Fault> {
    /// Whose metrics its routes count in, if any.
    const FAMILY: Option<Family>;

    /// What its answers say that they are.
    const MEDIA_TYPE: &'static str = JSON;

    /// The reply that says it.
    fn reply(self, call: &Call) -> Reply;
}

/// A finished reply.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers beyond those that every reply has, or instead of them.
    pub headers: Vec<(&'static str, String)>,
    /// The body: JSON, unless a header says otherwise.
    pub body: String,
    /// The word for the log.
    pub outcome: Outcome,
    /// What broke, for the log only.
    pub fault: Option<Fault>,
    /// What was done, for the metrics only.
    pub step: Option<Step>,
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
            step: None,
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// What says that something of ours broke, by its status: 503 with `Retry-After` where a dependency failed, and 500
    /// otherwise (ASVS 16.5.2).
    #[must_use]
    pub fn of_fault(fault: Fault, say: impl FnOnce(u16) -> Self) -> Self {
        let reply = match fault.is_transient() {
            true => say(503).with_header("retry-after", TRY_AGAIN_AFTER.to_string()),
            false => say(500),
        };
        reply.with_fault(fault)
    }

    /// Adds what broke.
    #[must_use]
    pub fn with_fault(mut self, fault: Fault) -> Self {
        self.fault = Some(fault);
        self
    }

    /// Says what the body is, unless the reply already says so itself.
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
            step,
            issued: _,
        } = answer;
        Self {
            status,
            headers,
            body,
            outcome,
            fault,
            step,
        }
    }
}

fn to_json(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("our bodies have text keys and finite numbers")
}
