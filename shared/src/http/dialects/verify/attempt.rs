//! Attempts, as this dialect lists them.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::{Error, Form, Paging, Urls};
use crate::{
    domain::{
        time::Timestamp,
        verification::{
            attempt::Attempt,
            attempts::{Filter, Summary},
            destination::{Channel, Destination},
            sid::{AttemptSid, ServiceSid, VerificationSid},
        },
    },
    http::{call::Call, reply::Answer},
    observe::Outcome,
};

/// The query of the list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AttemptQuery {
    /// Which attempts are listed.
    #[param(ignore)]
    pub filter: Filter,
    /// The number of elements on a page: 50 by default.
    #[param(rename = "PageSize", value_type = Option<usize>, minimum = 1, maximum = 1000, example = 50)]
    pub size: usize,
    /// The page: the first is 0. Only its token leads to another one.
    #[param(rename = "Page", value_type = Option<usize>, minimum = 0, example = 0)]
    page: usize,
    /// The last attempt of the page before.
    #[param(rename = "PageToken", value_type = String, required = false, pattern = "^VL[0-9a-fA-F]{32}$")]
    pub after: Option<AttemptSid>,
    #[param(ignore)]
    given: String,
}

/// The conditions of the list and of the summary.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AttemptConditions {
    /// Made at this moment or later (RFC 3339).
    #[param(rename = "DateCreatedAfter", value_type = String, required = false, pattern = r"^2[0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$", example = "2026-11-26T13:00:00Z")]
    pub after: Option<String>,
    /// Made at this moment or before.
    #[param(rename = "DateCreatedBefore", value_type = String, required = false, pattern = r"^2[0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$", example = "2026-11-26T13:00:00Z")]
    pub before: Option<String>,
    /// Of this service.
    #[param(rename = "VerifyServiceSid", value_type = String, required = false, pattern = "^VA[0-9a-fA-F]{32}$")]
    pub service: Option<String>,
    /// `sms` or `email`.
    #[param(rename = "Channel", value_type = String, required = false, pattern = "^(sms|email)$")]
    pub channel: Option<String>,
    /// To a number with this country prefix, such as `44`.
    #[param(rename = "Country", value_type = String, required = false, pattern = r"^\+?[0-9]{1,15}$")]
    pub country: Option<String>,
}

/// A page of attempts, with their destinations.
#[derive(Debug)]
pub struct AttemptPage {
    /// The attempts, newest first.
    pub attempts: Vec<(Attempt, Option<Destination>)>,
    /// Whether there is another page.
    pub has_more: bool,
}

/// An attempt.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttemptBody {
    /// Its SID.
    #[schema(pattern = "^VL[0-9a-f]{32}$")]
    sid: String,
    /// The account.
    account_sid: String,
    /// The service.
    service_sid: String,
    /// The verification.
    verification_sid: String,
    /// When it was made.
    #[schema(format = DateTime)]
    date_created: String,
    /// When its code was used, or else when it was made.
    #[schema(format = DateTime)]
    date_updated: String,
    /// `converted` if its code was used, else `unconverted`.
    conversion_status: &'static str,
    /// The channel.
    channel: &'static str,
    /// Its price, which is not known here.
    #[schema(required = true)]
    price: Option<Price>,
    /// Where it went.
    channel_data: ChannelData,
    /// Its address.
    #[schema(format = "uri")]
    url: String,
}

/// A price.
#[derive(Debug, Serialize, ToSchema)]
pub struct Price {
    /// The amount.
    value: String,
    /// The currency.
    currency: String,
}

/// Where a message went.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChannelData {
    /// The destination; `null` if it can no longer be decrypted.
    #[schema(required = true)]
    to: Option<String>,
    /// `sent` or `failed`.
    message_status: &'static str,
    /// The prefix of the country.
    #[schema(required = true)]
    country: Option<String>,
}

/// The page, and the addresses of the others.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttemptMeta {
    /// The page: the first is 0.
    page: usize,
    /// The number of elements on a page.
    page_size: usize,
    /// The first page.
    #[schema(format = "uri")]
    first_page_url: String,
    /// The page before this one, which a list that is read by tokens does not know.
    #[schema(required = true, format = "uri")]
    previous_page_url: Option<String>,
    /// The page after this one; `null` after the last.
    #[schema(required = true, format = "uri")]
    next_page_url: Option<String>,
    /// The key of the list.
    key: &'static str,
    /// This page.
    #[schema(format = "uri")]
    url: String,
}

/// A page of attempts.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttemptList {
    /// The attempts, newest first.
    attempts: Vec<AttemptBody>,
    /// The page.
    meta: AttemptMeta,
}

/// How many attempts were made, and how many of their codes were used.
#[derive(Debug, Serialize, ToSchema)]
pub struct SummaryBody {
    /// Attempts.
    total_attempts: u64,
    /// Those whose code was used.
    total_converted: u64,
    /// Those whose code was not.
    total_unconverted: u64,
    /// The share of the first in all, in percent.
    #[schema(example = "81.818181818")]
    conversion_rate_percentage: String,
    /// The address of the summary.
    #[schema(format = "uri")]
    url: String,
}

impl AttemptQuery {
    /// Reads the query.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the name of the first invalid parameter.
    pub fn read(call: &Call) -> Result<Self, Error> {
        let query = Form::query(call)?;
        let Paging { page_size, page } = Paging::read(call)?;
        Ok(Self {
            filter: read_attempt_filter(call)?,
            size: page_size,
            page,
            after: query.parsed("PageToken", AttemptSid::parse)?,
            given: given(&query),
        })
    }
}

/// The conditions that a query has, in the form of a query.
const CONDITIONS: [&str; 9] = [
    "DateCreatedAfter",
    "DateCreatedBefore",
    "ChannelData.To",
    "Country",
    "Channel",
    "VerifyServiceSid",
    "VerificationSid",
    "Status",
    "DestinationPrefix",
];

fn given(query: &Form) -> String {
    let pair = |name: &str| {
        let value = query.get(name)?;
        Some(format!("{name}={}", utf8_percent_encode(value.expose(), NON_ALPHANUMERIC)))
    };
    CONDITIONS.into_iter().filter_map(pair).collect::<Vec<_>>().join("&")
}

/// Reads the conditions of a list or a summary.
///
/// # Errors
/// [`Error::Invalid`] with the name of the first invalid parameter.
pub fn read_attempt_filter(call: &Call) -> Result<Filter, Error> {
    let query = Form::query(call)?;
    let prefix = |text: &str| {
        let digits = text.strip_prefix('+').unwrap_or(text);
        let fits = (1..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| digits.to_owned())
    };
    let status = |text: &str| match text.to_ascii_lowercase().as_str() {
        "converted" => Some(true),
        "unconverted" => Some(false),
        _ => None,
    };
    let country = query.parsed("Country", prefix)?;
    Ok(Filter {
        after: query.parsed("DateCreatedAfter", Timestamp::parse)?,
        before: query.parsed("DateCreatedBefore", Timestamp::parse)?,
        service: query.parsed("VerifyServiceSid", ServiceSid::parse)?,
        verification: query.parsed("VerificationSid", VerificationSid::parse)?,
        channel: query.parsed("Channel", Channel::parse)?,
        to: query.parsed("ChannelData.To", Destination::parse)?,
        prefix: query.parsed("DestinationPrefix", prefix)?.or(country),
        is_converted: query.parsed("Status", status)?,
    })
}

/// The answer that shows an attempt.
#[must_use]
pub fn attempt(urls: &Urls<'_>, attempt: &Attempt, to: Option<&Destination>) -> Answer {
    Answer::json(200, Outcome::AttemptShown, &body(urls, attempt, to))
}

/// The answer that lists attempts.
#[must_use]
pub fn attempts(urls: &Urls<'_>, query: &AttemptQuery, page: AttemptPage) -> Answer {
    let AttemptPage { attempts, has_more } = page;
    let at = |page: usize, after: Option<AttemptSid>| {
        let mut url = format!("{}?PageSize={}&Page={page}", urls.attempts(), query.size);
        if let Some(after) = after {
            url += &format!("&PageToken={}", after.as_text());
        }
        match query.given.as_str() {
            "" => url,
            given => format!("{url}&{given}"),
        }
    };
    let last = attempts.last().map(|(attempt, _)| attempt.sid);
    let meta = AttemptMeta {
        page: query.page,
        page_size: query.size,
        first_page_url: at(0, None),
        previous_page_url: None,
        next_page_url: last.filter(|_| has_more).map(|last| at(query.page + 1, Some(last))),
        key: "attempts",
        url: at(query.page, query.after),
    };
    let attempts = attempts.iter().map(|(attempt, to)| body(urls, attempt, to.as_ref())).collect();
    Answer::json(200, Outcome::AttemptsListed, &AttemptList { attempts, meta })
}

/// The answer that counts attempts.
#[must_use]
pub fn attempt_summary(urls: &Urls<'_>, summary: Summary) -> Answer {
    let body = SummaryBody {
        total_attempts: summary.total,
        total_converted: summary.converted,
        total_unconverted: summary.total - summary.converted,
        conversion_rate_percentage: summary.percentage(),
        url: format!("{}/Summary", urls.attempts()),
    };
    Answer::json(200, Outcome::AttemptsListed, &body)
}

fn body(urls: &Urls<'_>, attempt: &Attempt, to: Option<&Destination>) -> AttemptBody {
    AttemptBody {
        sid: attempt.sid.as_text(),
        account_sid: attempt.account.as_text(),
        service_sid: attempt.service.as_text(),
        verification_sid: attempt.verification.as_text(),
        date_created: attempt.created_at().iso(),
        date_updated: attempt.converted_at.unwrap_or(attempt.created_at()).iso(),
        conversion_status: match attempt.converted_at {
            Some(_) => "converted",
            None => "unconverted",
        },
        channel: attempt.channel.name(),
        price: None,
        channel_data: ChannelData {
            to: to.map(|to| to.as_str().to_owned()),
            message_status: if attempt.is_sent { "sent" } else { "failed" },
            country: attempt.country.clone(),
        },
        url: format!("{}/{}", urls.attempts(), attempt.sid.as_text()),
    }
}
