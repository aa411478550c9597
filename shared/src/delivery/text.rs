//! The only code that calls SNS.

use aws_sdk_sns::{
    Client, error::ProvideErrorMetadata, operation::publish::builders::PublishInputBuilder,
    types::MessageAttributeValue,
};
use futures_util::future::LocalBoxFuture;

use super::attempt::may_be_sent;
use crate::{
    domain::{crypto::secret::Secret, people::phone::Phone},
    fault::{Fault, failure_of},
};

/// The settings of all text messages, checked when they are read.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// The sender id, in countries that support them.
    pub sender_id: Option<String>,
    /// The maximum price of one message, in US dollars. SNS does not deliver one that costs more.
    pub max_price: Option<String>,
}

/// Why a message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// SNS or the connection to it failed.
    Failed,
    /// The recipient has opted out of our messages; a retry changes nothing.
    OptedOut,
    /// SNS rejects the number as invalid; a retry changes nothing.
    NotAPhone,
}

/// SNS did not confirm that it accepted a message.
#[derive(Debug)]
pub struct Unsent {
    /// How it failed, without the number or SNS's message, which may quote it.
    pub fault: Fault,
    /// The reason.
    pub why: Why,
    /// It timed out, or its response was lost: the message may have been sent, and be charged.
    pub perhaps_sent: bool,
}

/// Sends text messages (`sns:Publish`).
#[derive(Debug)]
pub struct Texter {
    client: Client,
    terms: Terms,
}

impl Texter {
    /// A texter with these settings.
    #[must_use]
    pub fn new(client: Client, terms: Terms) -> Self {
        Self { client, terms }
    }

    /// Sends a message. Acceptance by SNS does not mean delivery.
    ///
    /// # Errors
    /// [`Unsent`] when SNS does not confirm that it accepted the message.
    pub fn send<'a>(&'a self, to: &Phone, text: &Secret) -> LocalBoxFuture<'a, Result<(), Unsent>> {
        let request = request(&self.terms, to, text);
        // Boxed, so that the call's code is in the library and not in every function.
        Box::pin(async move {
            let sent = request.send_with(&self.client).await;
            sent.map(drop).map_err(|error| Unsent {
                fault: Fault::Sms(format!("Publish failed: {}", failure_of(&error))),
                why: why(error.code(), error.message()),
                perhaps_sent: may_be_sent(&error),
            })
        })
    }
}

fn request(terms: &Terms, to: &Phone, text: &Secret) -> PublishInputBuilder {
    let attribute = |name: &str, kind: &str, value: &str| {
        let value = MessageAttributeValue::builder().data_type(kind).string_value(value);
        (format!("AWS.SNS.SMS.{name}"), value.build().expect("it has a type"))
    };
    // Transactional messages have priority over promotional ones, and use more reliable routes.
    let kind = attribute("SMSType", "String", "Transactional");
    let sender = terms.sender_id.as_ref().map(|id| attribute("SenderID", "String", id));
    let price = terms.max_price.as_ref().map(|usd| attribute("MaxPrice", "Number", usd));
    let attributes = [Some(kind), sender, price].into_iter().flatten().collect();
    PublishInputBuilder::default()
        .phone_number(to.as_str())
        .message(text.expose())
        .set_message_attributes(Some(attributes))
}

/// Publish's reference has no error for a number that has opted out, and SNS often accepts the message and reports the
/// failure only in its delivery log. Where it does refuse, the error code shows it, or the message after the code of
/// any invalid parameter. Those name the parameter: an error in another one, such as the sender id, does not concern
/// the number.
fn why(code: Option<&str>, message: Option<&str>) -> Why {
    let message = message.unwrap_or_default().to_ascii_lowercase();
    let said = |words: &[&str]| words.iter().any(|words| message.contains(words));
    match code {
        Some("OptedOut") => Why::OptedOut,
        Some("InvalidParameter") if said(&["opted out"]) => Why::OptedOut,
        Some("InvalidParameter") if said(&["phonenumber", "phone number", "not valid to publish to"]) => Why::NotAPhone,
        Some(_) | None => Why::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(terms: Terms, expected: &[(&str, &str, &str)]) {
        let to = Phone::parse("+380885550130").expect("a good number");
        let request = request(&terms, &to, &Secret::new("the text".into()));
        assert_eq!(request.get_phone_number().as_deref(), Some("+380885550130"));
        assert_eq!(request.get_message().as_deref(), Some("the text"));
        assert_eq!((request.get_topic_arn(), request.get_target_arn()), (&None, &None));
        let attributes = request.get_message_attributes().iter().flatten();
        let mut attributes: Vec<_> = attributes
            .map(|(name, value)| (name.as_str(), value.data_type(), value.string_value().unwrap_or_default()))
            .collect();
        attributes.sort_unstable();
        assert_eq!(attributes, expected);
    }

    #[test]
    fn a_message_is_transactional_and_has_the_configured_attributes() {
        let kind = ("AWS.SNS.SMS.SMSType", "String", "Transactional");
        check(Terms::default(), &[kind]);
        let terms = Terms {
            sender_id: Some("Example".into()),
            max_price: Some("0.50".into()),
        };
        check(
            terms,
            &[
                ("AWS.SNS.SMS.MaxPrice", "Number", "0.50"),
                kind,
                ("AWS.SNS.SMS.SenderID", "String", "Example"),
            ],
        );
    }

    #[test]
    fn an_opted_out_or_invalid_number_is_distinguished_from_a_failure() {
        const OUT: &str = "Invalid parameter: PhoneNumber Reason: Phone number is opted out";
        for (code, message, expected) in [
            (Some("OptedOut"), None, Why::OptedOut),
            (Some("InvalidParameter"), Some(OUT), Why::OptedOut),
            (
                Some("InvalidParameter"),
                Some("Invalid parameter: PhoneNumber Reason: +1 is not valid to publish to"),
                Why::NotAPhone,
            ),
            (Some("InvalidParameter"), Some("+1 is not valid to publish to"), Why::NotAPhone),
            (
                Some("InvalidParameter"),
                Some("Invalid parameter: MessageAttributes Reason: x is no AWS.SNS.SMS.SenderID"),
                Why::Failed,
            ),
            (Some("InternalError"), Some("PhoneNumber"), Why::Failed),
            (Some("InvalidParameter"), None, Why::Failed),
            (Some("InternalError"), Some(OUT), Why::Failed),
            (Some("Throttling"), None, Why::Failed),
            (None, None, Why::Failed),
        ] {
            assert_eq!(why(code, message), expected, "{code:?} {message:?}");
        }
    }
}
