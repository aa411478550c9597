//! Verifications and checks, as this dialect reads and writes them.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::{Error, Form, Urls};
use crate::{
    domain::{
        crypto::secret::Secret,
        people::locale::Locale,
        verification::{
            code::{Code, Payment},
            destination::{Channel, Destination},
            record::{Message, Shown, Status},
            request::{Guess, Name, Start},
            service::{FriendlyName, Service, UniqueName},
            sid::VerificationSid,
        },
    },
    http::{call::Call, reply::Answer},
    observe::{Milestone, Outcome},
};

/// The form that starts a verification.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "PascalCase")]
pub struct StartForm {
    /// A number in the form of E.164, or a mail address.
    #[schema(min_length = 1, example = "+15017122661")]
    pub to: String,
    /// `sms`, `email`, or `auto`: by mail to an address, and by text message to a number.
    #[schema(pattern = "^(sms|email|auto)$", example = "sms")]
    pub channel: String,
    /// The language of the message (RFC 5646).
    #[schema(min_length = 2)]
    pub locale: Option<String>,
    /// The code to send: 4 to 10 digits, where the service allows it.
    #[schema(pattern = "^[0-9]{4,10}$")]
    pub custom_code: Option<String>,
    /// The name in the message, instead of the service's.
    #[schema(min_length = 1, max_length = 32)]
    pub custom_friendly_name: Option<String>,
    /// JSON: the value that each of the service's rate limits counts under, by the limit's name.
    #[schema(min_length = 2, example = r#"{"end_user_ip":"203.0.113.7"}"#)]
    pub rate_limits: Option<String>,
    /// The amount of the payment to authorize, where the service allows it.
    #[schema(min_length = 1, max_length = 64)]
    pub amount: Option<String>,
    /// Its payee.
    #[schema(min_length = 1, max_length = 64)]
    pub payee: Option<String>,
    /// JSON: up to 10 texts by name, which are not kept.
    #[schema(min_length = 2)]
    pub tags: Option<String>,
    /// The hash by which an Android app receives the message.
    #[schema(pattern = "^[A-Za-z0-9+/]{11}$")]
    pub app_hash: Option<String>,
}

/// The form that checks a code.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "PascalCase")]
pub struct CheckForm {
    /// The code.
    #[schema(pattern = "^[0-9]{4,10}$", example = "042317")]
    pub code: String,
    /// The destination of the verification, or its SID in the other field.
    #[schema(min_length = 1)]
    pub to: Option<String>,
    /// The SID of the verification.
    #[schema(pattern = "^VE[0-9a-fA-F]{32}$")]
    pub verification_sid: Option<String>,
    /// The amount of the payment.
    #[schema(min_length = 1, max_length = 64)]
    pub amount: Option<String>,
    /// The payee of the payment.
    #[schema(min_length = 1, max_length = 64)]
    pub payee: Option<String>,
}

/// The form that ends a verification.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "PascalCase")]
pub struct StatusForm {
    /// `canceled` or `approved`.
    #[schema(pattern = "^(canceled|approved)$", example = "canceled")]
    pub status: String,
}

/// A verification.
#[derive(Debug, Serialize, ToSchema)]
pub struct VerificationBody {
    /// Its SID.
    #[schema(pattern = "^VE[0-9a-f]{32}$")]
    sid: String,
    /// The service.
    service_sid: String,
    /// The account.
    account_sid: String,
    /// The destination.
    to: String,
    /// The channel of its last message.
    channel: &'static str,
    /// `pending`, `approved`, `canceled` or `max_attempts_reached`.
    status: &'static str,
    /// Whether it is approved.
    valid: bool,
    /// When its first message was sent.
    #[schema(format = DateTime)]
    date_created: String,
    /// When it was changed last.
    #[schema(format = DateTime)]
    date_updated: String,
    /// What a lookup found: nothing, since numbers are not looked up.
    lookup: Empty,
    /// The amount of the payment that it authorizes.
    #[schema(required = true)]
    amount: Option<String>,
    /// Its payee.
    #[schema(required = true)]
    payee: Option<String>,
    /// Its messages.
    send_code_attempts: Vec<SendCodeAttempt>,
    /// Silent network authentication, which is not available.
    #[schema(required = true)]
    sna: Option<Empty>,
    /// Its address.
    #[schema(format = "uri")]
    url: String,
}

/// A message of a verification.
#[derive(Debug, Serialize, ToSchema)]
pub struct SendCodeAttempt {
    /// When it was sent, with milliseconds.
    #[schema(format = DateTime, example = "2026-11-26T13:00:00.123Z")]
    time: String,
    /// How it traveled.
    #[schema(example = "SMS")]
    channel: &'static str,
    /// Its SID.
    #[schema(pattern = "^VL[0-9a-f]{32}$")]
    attempt_sid: String,
}

/// An object without members.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Empty {}

/// The outcome of a check.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckBody {
    /// The SID of the verification.
    #[schema(pattern = "^VE[0-9a-f]{32}$")]
    sid: String,
    /// The service.
    service_sid: String,
    /// The account.
    account_sid: String,
    /// The destination.
    to: String,
    /// The channel of its last message.
    channel: &'static str,
    /// `approved`, or `pending` after a wrong code.
    status: &'static str,
    /// Whether the code was right.
    valid: bool,
    /// The amount of the payment that it authorizes.
    #[schema(required = true)]
    amount: Option<String>,
    /// Its payee.
    #[schema(required = true)]
    payee: Option<String>,
    /// Errors of silent network authentication, which is not available.
    sna_attempts_error_codes: Vec<Empty>,
    /// When its first message was sent.
    #[schema(format = DateTime)]
    date_created: String,
    /// When it was changed last.
    #[schema(format = DateTime)]
    date_updated: String,
}

/// Reads the form that starts a verification.
///
/// # Errors
/// [`Error::Invalid`] with the name of the first invalid field; likewise below.
pub fn read_start(call: &Call) -> Result<Start, Error> {
    let form = Form::read(call)?;
    let to = read_to(form.required("To")?)?;
    match (form.required("Channel")?.expose(), Channel::of(&to)) {
        ("auto", _) | ("sms", Channel::Sms) | ("email", Channel::Email) => {}
        ("sms", Channel::Email) | ("email", Channel::Sms) => return Err(Error::Invalid("To")),
        ("call" | "whatsapp", _) => return Err(Error::ChannelOff),
        ("sna", _) => return Err(Error::FeatureOff),
        (_, _) => return Err(Error::Invalid("Channel")),
    }
    form.parsed("Tags", |text| read_texts(text).filter(|tags| tags.len() <= 10))?;
    let is_hash = |text: &str| {
        text.len() == 11 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
    };
    Ok(Start {
        to,
        locale: form.parsed("Locale", Locale::parse)?,
        custom: form.parsed("CustomCode", Code::parse)?,
        payment: read_payment(&form)?,
        name: form.parsed("CustomFriendlyName", FriendlyName::parse)?,
        rate_limits: form.parsed("RateLimits", read_rate_limits)?.unwrap_or_default(),
        app_hash: form.parsed("AppHash", |text| is_hash(text).then(|| text.to_owned()))?,
    })
}

/// Refuses what the service does not allow.
///
/// # Errors
/// [`Error::FeatureOff`].
pub fn expect_features(service: &Service, start: &Start) -> Result<(), Error> {
    let is_allowed =
        (start.custom.is_none() || service.custom_code_enabled) && (start.payment.is_none() || service.psd2_enabled);
    is_allowed.then_some(()).ok_or(Error::FeatureOff)
}

/// Reads the form that checks a code.
///
/// # Errors
/// [`Error::Invalid`], [`Error::MalformedVerification`].
pub fn read_check(call: &Call) -> Result<Guess, Error> {
    let form = Form::read(call)?;
    let sid = form
        .get("VerificationSid")
        .map(|sid| VerificationSid::parse(sid.expose()).ok_or(Error::MalformedVerification));
    let name = match sid.transpose()? {
        Some(sid) => Name::Sid(sid),
        None => Name::To(read_to(form.required("To")?)?),
    };
    Ok(Guess {
        name,
        code: Code::parse(form.required("Code")?.expose()).ok_or(Error::Invalid("Code"))?,
        payment: read_payment(&form)?,
    })
}

/// Reads the form that ends a verification.
///
/// # Errors
/// [`Error::Invalid`].
pub fn read_status(call: &Call) -> Result<Status, Error> {
    match Form::read(call)?.required("Status")?.expose() {
        "canceled" => Ok(Status::Canceled),
        "approved" => Ok(Status::Approved),
        _ => Err(Error::Invalid("Status")),
    }
}

/// The verification that a path names, by its SID or its destination.
///
/// # Errors
/// [`Error::MalformedVerification`] for a text that begins like a SID; [`Error::NotFound`] for one that names nothing.
pub fn named(call: &Call) -> Result<Name, Error> {
    let text = call.path_parameter("verification");
    match text.starts_with(VerificationSid::PREFIX) && !text.contains('@') {
        true => VerificationSid::parse(text).map(Name::Sid).ok_or(Error::MalformedVerification),
        false => Destination::parse(text).map(Name::To).ok_or(Error::NotFound),
    }
}

fn read_to(text: &Secret) -> Result<Destination, Error> {
    Destination::parse(text.expose()).ok_or(Error::Invalid("To"))
}

/// Amount and payee: both or neither.
fn read_payment(form: &Form) -> Result<Option<Payment>, Error> {
    // A link in the message would be ours in the eyes of its reader.
    let plain = |text: &str| {
        let is_plain = !text.chars().any(char::is_control) && !text.contains("://");
        let fits = (1..=64).contains(&text.chars().count()) && is_plain;
        fits.then(|| text.to_owned())
    };
    match (form.parsed("Amount", plain)?, form.parsed("Payee", plain)?) {
        (Some(amount), Some(payee)) => Ok(Some(Payment { amount, payee })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(Error::Invalid("Payee")),
        (None, Some(_)) => Err(Error::Invalid("Amount")),
    }
}

/// Texts of at most 128 characters, by name.
fn read_texts(text: &str) -> Option<BTreeMap<String, String>> {
    let texts: BTreeMap<String, String> = serde_json::from_str(text).ok()?;
    let is_short = |text: &String| text.chars().count() <= 128;
    texts.iter().all(|(name, text)| is_short(name) && is_short(text)).then_some(texts)
}

fn read_rate_limits(text: &str) -> Option<Vec<(UniqueName, String)>> {
    let texts = read_texts(text)?;
    texts.into_iter().map(|(name, value)| Some((UniqueName::parse(&name)?, value))).collect()
}

/// The answer to a start.
#[must_use]
pub fn started(urls: &Urls<'_>, service: &Service, shown: &Shown) -> Answer {
    let body = verification(urls, service, shown);
    Answer::json(201, Outcome::VerificationStarted, &body).counted_as(Milestone::Issued)
}

/// The answer that shows a verification.
#[must_use]
pub fn shown(outcome: Outcome, urls: &Urls<'_>, service: &Service, shown: &Shown) -> Answer {
    Answer::json(200, outcome, &verification(urls, service, shown))
}

/// The answer to a check.
#[must_use]
pub fn checked(outcome: Outcome, service: &Service, shown: &Shown) -> Answer {
    let (amount, payee) = payment(shown);
    let body = CheckBody {
        sid: shown.sid.as_text(),
        service_sid: service.sid.as_text(),
        account_sid: service.account.as_text(),
        to: shown.to.as_str().to_owned(),
        channel: channel(shown),
        status: shown.status.name(),
        valid: shown.status == Status::Approved,
        amount,
        payee,
        sna_attempts_error_codes: Vec::new(),
        date_created: shown.created_at.iso(),
        date_updated: shown.updated_at.iso(),
    };
    Answer::json(200, outcome, &body)
}

fn verification(urls: &Urls<'_>, service: &Service, shown: &Shown) -> VerificationBody {
    let (amount, payee) = payment(shown);
    VerificationBody {
        sid: shown.sid.as_text(),
        service_sid: service.sid.as_text(),
        account_sid: service.account.as_text(),
        to: shown.to.as_str().to_owned(),
        channel: channel(shown),
        status: shown.status.name(),
        valid: shown.status == Status::Approved,
        date_created: shown.created_at.iso(),
        date_updated: shown.updated_at.iso(),
        lookup: Empty {},
        amount,
        payee,
        send_code_attempts: shown.messages.iter().map(send_code_attempt).collect(),
        sna: None,
        url: urls.verification(service.sid, shown.sid),
    }
}

fn payment(shown: &Shown) -> (Option<String>, Option<String>) {
    match &shown.payment {
        Some(Payment { amount, payee }) => (Some(amount.clone()), Some(payee.clone())),
        None => (None, None),
    }
}

fn channel(shown: &Shown) -> &'static str {
    shown.messages.last().map_or(Channel::of(&shown.to), |message| message.channel).name()
}

fn send_code_attempt(message: &Message) -> SendCodeAttempt {
    SendCodeAttempt {
        time: message.at.iso_millis(),
        channel: match message.channel {
            Channel::Sms => "SMS",
            Channel::Email => "EMAIL",
        },
        attempt_sid: message.attempt.as_text(),
    }
}
