//! SNS: text messages are captured instead of sent; messages to a topic are accepted and dropped.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};

use super::query::{Form, SNS, elsewhere};
use super::service::Service;
use crate::invocations::{Consumed, Units};
use crate::messages::{Channel, Content};
use crate::random;
use crate::state::Inner;

/// SNS's limit of characters per text message.
const LONGEST: usize = 1600;

/// The attributes of text messages; SNS ignores unknown ones outside its own namespace.
const SMS_TYPE: &str = "AWS.SNS.SMS.SMSType";
const SENDER_ID: &str = "AWS.SNS.SMS.SenderID";
const MAX_PRICE: &str = "AWS.SNS.SMS.MaxPrice";

pub(super) async fn answer(
    operation: &str,
    head: Parts,
    body: Bytes,
    inner: &Arc<Inner>,
    units: &Units,
) -> Response<Body> {
    if operation != "Publish" {
        let message = format!("The local cloud does not know {operation}.");
        return SNS.refusal(StatusCode::BAD_REQUEST, "InvalidAction", &message);
    }
    let form = Form::parse(&body);
    let invalid = |message: &str| {
        SNS.refusal(StatusCode::BAD_REQUEST, "InvalidParameter", &format!("Invalid parameter: {message}"))
    };
    let attributes = match attributes(&form) {
        Ok(attributes) => attributes,
        Err(message) => return SNS.refusal(StatusCode::BAD_REQUEST, "ParameterValueInvalid", &message),
    };
    let message = form.get("Message").unwrap_or_default();
    if message.is_empty() {
        return invalid("Empty message");
    }
    let captured = match (form.get("PhoneNumber"), form.get("TopicArn").or(form.get("TargetArn"))) {
        (Some(number), None) => {
            if !is_e164(number) {
                return invalid(&format!("PhoneNumber Reason: {number} is not valid to publish to"));
            }
            if message.chars().count() > LONGEST {
                return invalid("Message Reason: the message is too long for SMS");
            }
            for (name, is_good) in [
                (SMS_TYPE, is_sms_type as fn(&str) -> bool),
                (SENDER_ID, is_sender_id),
                (MAX_PRICE, is_price),
            ] {
                if let Some(value) = attributes.get(name)
                    && !is_good(value)
                {
                    return invalid(&format!("MessageAttributes Reason: {value} is no {name}"));
                }
            }
            let content = Content {
                text: Some(message.to_owned()),
                from: attributes.get(SENDER_ID).cloned(),
                ..Content::default()
            };
            Some((number.to_owned(), content))
        }
        (None, Some(_)) => None,
        (None, None) => return invalid("TopicArn or TargetArn Reason: no value for required parameter"),
        (Some(_), Some(_)) => return invalid("Only one of PhoneNumber and TopicArn may be given"),
    };
    let Some((number, content)) = captured else {
        return SNS.result(operation, &format!("<MessageId>{}</MessageId>", random::uuid()));
    };
    let response = match &inner.server {
        Some(server) => match elsewhere(server, Service::Sns, head, body, &SNS).await {
            Ok((response, _)) => response,
            Err(refusal) => return refusal,
        },
        None => SNS.result(operation, &format!("<MessageId>{}</MessageId>", random::uuid())),
    };
    units.add(Consumed {
        texts: 1,
        ..Consumed::default()
    });
    inner.captured(Channel::Sms, number, content);
    response
}

/// The attributes of a message, as names and values.
fn attributes(form: &Form) -> Result<BTreeMap<String, String>, String> {
    let mut attributes = BTreeMap::new();
    for index in 1.. {
        let part = |part: &str| form.get(&format!("MessageAttributes.entry.{index}.{part}"));
        let Some(name) = part("Name") else {
            break;
        };
        let reserved = name.starts_with("AWS.") || name.starts_with("Amazon.");
        if reserved && ![SMS_TYPE, SENDER_ID, MAX_PRICE].contains(&name) {
            return Err(
                "Message attribute names starting with 'AWS.' or 'Amazon.' are reserved for use by Amazon.".into()
            );
        }
        let kind = part("Value.DataType").unwrap_or_default();
        let value = match kind.split('.').next().unwrap_or_default() {
            "Binary" => part("Value.BinaryValue"),
            "Number" | "String" => part("Value.StringValue"),
            _ => {
                return Err(format!(
                    "The message attribute '{name}' has an invalid message attribute type, the set of supported \
                     type prefixes is Binary, Number, and String."
                ));
            }
        };
        let value = value.filter(|value| !value.is_empty()).ok_or_else(|| {
            format!(
                "The message attribute '{name}' must contain non-empty message attribute value for message \
                 attribute type '{kind}'."
            )
        })?;
        if kind.starts_with("Number") && value.parse::<f64>().is_err() {
            return Err(format!("Could not cast message attribute '{name}' value to number."));
        }
        attributes.insert(name.to_owned(), value.to_owned());
    }
    Ok(attributes)
}

fn is_sms_type(value: &str) -> bool {
    matches!(value, "Promotional" | "Transactional")
}

/// 1 to 11 letters and digits, at least one of them a letter.
fn is_sender_id(value: &str) -> bool {
    (1..=11).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && value.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// US dollars, as a Number or a String.
fn is_price(value: &str) -> bool {
    value.parse::<f64>().is_ok_and(|usd| usd.is_finite() && usd > 0.0)
}

/// A plus sign and 2 to 15 digits, the first of them not zero.
fn is_e164(number: &str) -> bool {
    number.strip_prefix('+').is_some_and(|digits| {
        (2..=15).contains(&digits.len())
            && digits.bytes().all(|digit| digit.is_ascii_digit())
            && !digits.starts_with('0')
    })
}
