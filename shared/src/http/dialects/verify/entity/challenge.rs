//! Challenges: forms, query and bodies.

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::{
    domain::{
        time::Timestamp,
        verification::{
            entity::{
                Challenge, ChallengeRequest, ChallengeStatus, DEFAULT_LIFE, Entity, EntityId, LONGEST_LIFE, Order,
                TotpCode,
            },
            service::Service,
            sid::{ChallengeSid, FactorSid},
        },
    },
    http::{
        call::Call,
        dialects::verify::{Error, Form, PageMeta, Paging, Urls},
        reply::Answer,
    },
    observe::Outcome,
};

/// The form that creates a challenge.
#[derive(Debug, ToSchema)]
pub struct ChallengeForm {
    /// The factor whose code approves it.
    #[schema(rename = "FactorSid", value_type = String, pattern = "^YF[0-9a-fA-F]{32}$")]
    factor: FactorSid,
    /// When it expires (RFC 3339): in five minutes by default, in an hour at most.
    #[schema(rename = "ExpirationDate", value_type = Option<String>, pattern = r"^2[0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$", example = "2026-11-26T13:00:00Z")]
    expires_at: Timestamp,
    /// A code of the app, which approves the challenge at once.
    #[schema(rename = "AuthPayload", value_type = Option<String>, pattern = "^[0-9]{3,8}$", example = "123456")]
    pub code: Option<TotpCode>,
}

impl ChallengeForm {
    /// Reads the form.
    ///
    /// # Errors
    /// [`Error::Invalid`] when a value is missing or not valid; a malformed request when the body is not a form.
    pub fn read(call: &Call) -> Result<Self, Error> {
        let form = Form::read(call)?;
        let is_allowed = |at: &Timestamp| !at.is_expired(call.now) && *at <= call.now.deadline(LONGEST_LIFE);
        let expiry = |text: &str| {
            // Whole seconds, as they are shown.
            let at = Timestamp::parse(text).map(|at| Timestamp::from_seconds(at.seconds()));
            at.filter(is_allowed)
        };
        let factor = form.parsed("FactorSid", FactorSid::parse)?;
        let expires_at = form.parsed("ExpirationDate", expiry)?;
        Ok(Self {
            factor: factor.ok_or(Error::Invalid("FactorSid"))?,
            expires_at: expires_at.unwrap_or(call.now.deadline(DEFAULT_LIFE)),
            code: form.parsed("AuthPayload", TotpCode::parse)?,
        })
    }

    /// The challenge that it asks for.
    #[must_use]
    pub fn request(&self, sid: ChallengeSid) -> ChallengeRequest {
        ChallengeRequest {
            sid,
            factor: self.factor,
            expires_at: self.expires_at,
        }
    }
}

/// The form that answers a challenge.
#[derive(Debug, ToSchema)]
pub struct ChallengeAnswerForm {
    /// A code of the app.
    #[schema(rename = "AuthPayload", value_type = String, pattern = "^[0-9]{3,8}$", example = "123456")]
    pub code: TotpCode,
}

impl ChallengeAnswerForm {
    /// Reads the form.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the code is missing or no code; a malformed request when the body is not a form.
    pub fn read(call: &Call) -> Result<Self, Error> {
        let code = Form::read(call)?.parsed("AuthPayload", TotpCode::parse)?;
        Ok(Self {
            code: code.ok_or(Error::Invalid("AuthPayload"))?,
        })
    }
}

/// The query of the list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ChallengeQuery {
    /// The page.
    #[param(ignore)]
    paging: Paging,
    /// Of this factor.
    #[param(rename = "FactorSid", value_type = String, required = false, pattern = "^YF[0-9a-fA-F]{32}$")]
    factor: Option<FactorSid>,
    /// In this state: `pending`, `expired` or `approved`; none is ever `denied`.
    #[param(rename = "Status", value_type = String, required = false, pattern = "^(pending|expired|approved|denied)$")]
    status: Option<Option<ChallengeStatus>>,
    /// By time of creation, `asc` or `desc`; `asc` by default.
    #[param(rename = "Order", value_type = String, required = false, pattern = "^(asc|desc)$")]
    order: Order,
}

impl ChallengeQuery {
    /// Reads the query.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the name of the first invalid parameter.
    pub fn read(call: &Call) -> Result<Self, Error> {
        let query = Form::query(call)?;
        let status = |text: &str| match text {
            "pending" => Some(Some(ChallengeStatus::Pending)),
            "expired" => Some(Some(ChallengeStatus::Expired)),
            "approved" => Some(Some(ChallengeStatus::Approved)),
            "denied" => Some(None),
            _ => None,
        };
        let order = |text: &str| match text {
            "asc" => Some(Order::Ascending),
            "desc" => Some(Order::Descending),
            _ => None,
        };
        Ok(Self {
            paging: Paging::read(call)?,
            factor: query.parsed("FactorSid", FactorSid::parse)?,
            status: query.parsed("Status", status)?,
            order: query.parsed("Order", order)?.unwrap_or_default(),
        })
    }

    /// Whether a challenge is wanted.
    fn wants(&self, challenge: &Challenge, now: Timestamp) -> bool {
        let is_of_factor = self.factor.is_none_or(|factor| factor == challenge.factor);
        is_of_factor && self.status.is_none_or(|status| status == Some(challenge.status(now)))
    }

    /// The conditions, in the form of a query.
    fn given(&self) -> String {
        let factor = self.factor.map(|factor| format!("&FactorSid={}", factor.as_text())).unwrap_or_default();
        let status = match self.status {
            Some(Some(status)) => format!("&Status={}", status.name()),
            Some(None) => "&Status=denied".to_owned(),
            None => String::new(),
        };
        let order = match self.order {
            Order::Ascending => "",
            Order::Descending => "&Order=desc",
        };
        format!("{factor}{status}{order}")
    }
}

/// A challenge.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChallengeBody {
    /// Its SID.
    #[schema(pattern = "^YC[0-9a-f]{32}$")]
    sid: String,
    /// The account of the service.
    #[schema(pattern = "^AC[0-9a-f]{32}$")]
    account_sid: String,
    /// The service of the entity.
    #[schema(pattern = "^VA[0-9a-f]{32}$")]
    service_sid: String,
    /// The entity that it is for.
    #[schema(pattern = "^YE[0-9a-f]{32}$")]
    entity_sid: String,
    /// The application's name of the entity.
    #[schema(pattern = "^[A-Za-z0-9-]{8,64}$")]
    identity: String,
    /// The factor whose code approves it.
    #[schema(pattern = "^YF[0-9a-f]{32}$")]
    factor_sid: String,
    /// When it was created.
    #[schema(format = DateTime, example = "2026-02-27T22:06:57Z")]
    date_created: String,
    /// When a code was compared last, or else when it was created.
    #[schema(format = DateTime, example = "2026-02-27T22:06:57Z")]
    date_updated: String,
    /// When it was approved.
    #[schema(required = true, format = DateTime, example = "2026-02-27T22:06:57Z")]
    date_responded: Option<String>,
    /// When it expires.
    #[schema(format = DateTime, example = "2026-02-27T22:11:57Z")]
    expiration_date: String,
    /// `pending`, `expired` or `approved`.
    status: &'static str,
    /// Always `none`.
    responded_reason: &'static str,
    /// Always `null`: details are for push.
    details: (),
    /// Always `null`: hidden details are not kept.
    hidden_details: (),
    /// Always `null`: metadata is not kept.
    metadata: (),
    /// `totp`.
    factor_type: &'static str,
    /// Its address.
    #[schema(format = "uri")]
    url: String,
    /// The addresses of what belongs to it, which is not available.
    links: ChallengeLinks,
}

/// The addresses of what belongs to a challenge.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChallengeLinks {
    #[schema(format = "uri")]
    notifications: String,
}

impl ChallengeBody {
    fn of(
        service: &Service,
        (id, entity): (&EntityId, &Entity),
        challenge: &Challenge,
        (urls, now): (&Urls<'_>, Timestamp),
    ) -> Self {
        let url = urls.challenge(id, challenge.sid);
        Self {
            sid: challenge.sid.as_text(),
            account_sid: service.account.as_text(),
            service_sid: service.sid.as_text(),
            entity_sid: entity.sid.as_text(),
            identity: id.identity.as_str().to_owned(),
            factor_sid: challenge.factor.as_text(),
            date_created: challenge.created_at.iso(),
            date_updated: challenge.updated_at.iso(),
            date_responded: challenge.approved_at.map(Timestamp::iso),
            expiration_date: challenge.expires_at.iso(),
            status: challenge.status(now).name(),
            responded_reason: "none",
            details: (),
            hidden_details: (),
            metadata: (),
            factor_type: "totp",
            links: ChallengeLinks {
                notifications: format!("{url}/Notifications"),
            },
            url,
        }
    }
}

/// A page of challenges.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChallengeList {
    challenges: Vec<ChallengeBody>,
    meta: PageMeta,
}

/// A challenge, with that status.
#[must_use]
pub fn challenge(
    (status, outcome): (u16, Outcome),
    service: &Service,
    of: (&EntityId, &Entity),
    challenge: &Challenge,
    at: (&Urls<'_>, Timestamp),
) -> Answer {
    Answer::json(status, outcome, &ChallengeBody::of(service, of, challenge, at))
}

/// 200: a page of the wanted challenges of an entity.
#[must_use]
pub fn challenges<'a>(
    query: &ChallengeQuery,
    service: &Service,
    (id, entity): (&EntityId, &Entity),
    all: impl Iterator<Item = &'a Challenge>,
    (urls, now): (&Urls<'_>, Timestamp),
) -> Answer {
    let mut wanted: Vec<_> = all.filter(|challenge| query.wants(challenge, now)).collect();
    if query.order == Order::Descending {
        wanted.reverse();
    }
    let on_page = query.paging.of(&wanted).iter();
    let body = ChallengeList {
        challenges: on_page.map(|challenge| ChallengeBody::of(service, (id, entity), challenge, (urls, now))).collect(),
        meta: query.paging.meta_of(&urls.challenges(id), &query.given(), "challenges", wanted.len()),
    };
    Answer::json(200, Outcome::ChallengesListed, &body)
}
