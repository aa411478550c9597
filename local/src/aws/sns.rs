//! SNS: text messages are captured instead of sent; what goes to a topic is accepted and dropped.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Response, StatusCode};

use super::query::{Form, SNS};
use crate::cloud::Inner;
use crate::messages::{Channel, Content};
use crate::random;

/// SNS takes at most so many characters in one text message.
const LONGEST: usize = 1600;

pub(super) fn answer(operation: &str, body: &[u8], inner: &Arc<Inner>) -> Response<Body> {
    if operation != "Publish" {
        let message = format!("The local cloud does not know {operation}.");
        return SNS.refusal(StatusCode::BAD_REQUEST, "InvalidAction", &message);
    }
    let form = Form::parse(body);
    let invalid = |message: &str| {
        SNS.refusal(
            StatusCode::BAD_REQUEST,
            "InvalidParameter",
            &format!("Invalid parameter: {message}"),
        )
    };
    let message = form.get("Message").unwrap_or_default();
    if message.is_empty() {
        return invalid("Empty message");
    }
    match (form.get("PhoneNumber"), form.get("TopicArn").or(form.get("TargetArn"))) {
        (Some(number), None) => {
            if !is_e164(number) {
                return invalid(&format!("PhoneNumber Reason: {number} is not valid to publish to"));
            }
            if message.chars().count() > LONGEST {
                return invalid("Message Reason: the message is too long for SMS");
            }
            let content = Content {
                text: Some(message.to_owned()),
                ..Content::default()
            };
            inner.captured(Channel::Sms, number.to_owned(), content);
        }
        (None, Some(_)) => {}
        (None, None) => return invalid("TopicArn or TargetArn Reason: no value for required parameter"),
        (Some(_), Some(_)) => return invalid("Only one of PhoneNumber and TopicArn may be given"),
    }
    SNS.result(operation, &format!("<MessageId>{}</MessageId>", random::uuid()))
}

/// A plus sign and 2 to 15 digits, the first of them not zero.
fn is_e164(number: &str) -> bool {
    number.strip_prefix('+').is_some_and(|digits| {
        (2..=15).contains(&digits.len())
            && digits.bytes().all(|digit| digit.is_ascii_digit())
            && !digits.starts_with('0')
    })
}
