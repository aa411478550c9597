//! The only code that calls SES.

use aws_sdk_ses::{
    Client,
    error::ProvideErrorMetadata,
    operation::send_email::builders::SendEmailInputBuilder,
    types::{Body, Content, Destination, Message, MessageTag},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::future::LocalBoxFuture;

use super::{attempt::may_be_sent, words::Mail};
use crate::{
    domain::{
        mail::sender::Sender,
        people::name::{DisplayName, EmailAddress},
    },
    fault::{Fault, failure_of},
};

/// The recipient of a mail.
#[derive(Clone, Copy, Debug)]
pub enum Recipient<'a> {
    /// A user's address.
    Person(&'a EmailAddress),
    /// SES's mailbox simulator, which accepts a mail and delivers it to no one: a request that must send nothing does
    /// the same work as one that sends, so timing does not allow enumeration (R27).
    Simulator,
}

impl<'a> Recipient<'a> {
    fn address(self) -> &'a str {
        match self {
            Self::Person(address) => address.as_str(),
            Self::Simulator => "success@simulator.amazonses.com",
        }
    }
}

/// SES did not confirm that it accepted a mail.
#[derive(Debug)]
pub struct Unsent {
    /// How it failed.
    pub fault: Fault,
    /// It timed out, or its response was lost: the mail may have been sent, and its content must stay true.
    pub perhaps_sent: bool,
    /// SES rejects this mail as it is: a retry cannot succeed.
    pub is_rejected: bool,
}

/// Sends mails (`ses:SendEmail`).
#[derive(Debug)]
pub struct Mailer {
    client: Client,
    configuration_set: String,
    sender: Sender,
}

impl Mailer {
    /// A mailer whose events are published by that configuration set, and whose mails come from `sender` where a domain
    /// has no sender.
    #[must_use]
    pub fn new(client: Client, configuration_set: String, sender: Sender) -> Self {
        Self {
            client,
            configuration_set,
            sender,
        }
    }

    /// Sends a mail from a domain's sender, or from the deployment's. The tags are included in its bounce and complaint
    /// events.
    ///
    /// # Errors
    /// [`Unsent`] when SES does not confirm that it accepted the mail.
    ///
    /// # Panics
    /// When a tag is not 1 to 256 of `[A-Za-z0-9_-]`: tags are our own words and ids.
    pub fn send<'a>(
        &'a self,
        sender: Option<&Sender>,
        to: Recipient<'_>,
        mail: &Mail,
        tags: &[(&'static str, String)],
    ) -> LocalBoxFuture<'a, Result<(), Unsent>> {
        let request = request(&self.configuration_set, sender.unwrap_or(&self.sender), to, mail, tags);
        // Boxed, so that the call's code is in the library and not in every function.
        Box::pin(async move {
            let sent = request.send_with(&self.client).await;
            sent.map(drop).map_err(|error| Unsent {
                fault: Fault::Mail(format!("SendEmail failed: {}", failure_of(&error))),
                perhaps_sent: may_be_sent(&error),
                is_rejected: is_rejected(error.code()),
            })
        })
    }
}

/// Whether an error is about this one mail: its recipient, its sender or its content. All others may end without a change
/// to the mail: SES is throttled, paused or unreachable.
fn is_rejected(code: Option<&str>) -> bool {
    const REJECTIONS: &[&str] = &[
        // A domain's sender that the function's role does not allow (`MailSenders`).
        "AccessDenied",
        "InvalidParameterCombination",
        "InvalidParameterValue",
        "MailFromDomainNotVerified",
        "MailFromDomainNotVerifiedException",
        "MessageRejected",
        "ValidationError",
    ];
    code.is_some_and(|code| REJECTIONS.contains(&code))
}

fn request(
    configuration_set: &str,
    sender: &Sender,
    to: Recipient<'_>,
    mail: &Mail,
    tags: &[(&'static str, String)],
) -> SendEmailInputBuilder {
    let body = Body::builder().text(content(&mail.text)).html(content(&mail.html)).build();
    let message = Message::builder().subject(content(&mail.subject)).body(body).build();
    SendEmailInputBuilder::default()
        .configuration_set_name(configuration_set)
        .source(mailbox(sender.address.as_str(), sender.name.as_ref().map(DisplayName::as_str)))
        .destination(Destination::builder().to_addresses(to.address()).build())
        .message(message)
        .set_reply_to_addresses(sender.reply_to.as_ref().map(|address| vec![address.as_str().to_owned()]))
        .set_tags(Some(tags.iter().map(|(name, value)| tag(name, value)).collect()))
}

fn content(text: &str) -> Content {
    let content = Content::builder().charset("UTF-8").data(text).build();
    content.expect("it has data")
}

fn tag(name: &str, value: &str) -> MessageTag {
    for text in [name, value] {
        let fit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        assert!((1..=256).contains(&text.len()) && text.bytes().all(fit), "a mail's tags are words and ids of ours");
    }
    let tag = MessageTag::builder().name(name).value(value).build();
    tag.expect("it has a name and a value")
}

/// The `From` header: the address, with the name before it as a quoted string (RFC 5322 §3.2.4), or as encoded words
/// (RFC 2047) where it is not plain ASCII. A line break is not plain, and so cannot end the header.
fn mailbox(address: &str, name: Option<&str>) -> String {
    let Some(name) = name else {
        return address.to_owned();
    };
    // Some programs decode an encoded word in a quoted string, too: text that looks like one is encoded itself.
    let plain = name.bytes().all(|byte| matches!(byte, b' '..=b'~')) && !name.contains("=?");
    let name = match plain {
        true => format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"")),
        false => encoded_words(name),
    };
    format!("{name} <{address}>")
}

/// The maximum number of bytes in an encoded word: with the 12 around them, their base64 has at most 75 characters
/// (RFC 2047 §2).
const ENCODED_WORD: usize = 45;

/// The text as encoded words, none of which splits a character (RFC 2047 §5).
fn encoded_words(text: &str) -> String {
    let mut words = vec![String::new()];
    for c in text.chars() {
        match words.last_mut() {
            Some(word) if word.len() + c.len_utf8() <= ENCODED_WORD => word.push(c),
            _ => words.push(c.to_string()),
        }
    }
    let words = words.iter().map(|word| format!("=?UTF-8?B?{}?=", STANDARD.encode(word)));
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use mail_parser::{Address, MessageParser};

    use super::*;

    fn address(text: &str) -> EmailAddress {
        EmailAddress::parse(text).expect("a good address")
    }

    fn sender() -> Sender {
        Sender {
            address: address("no-reply@pbx.example.com"),
            name: None,
            reply_to: None,
        }
    }

    fn mail() -> Mail {
        Mail {
            subject: "Тема".into(),
            text: "text".into(),
            html: "<p>html</p>".into(),
        }
    }

    #[test]
    fn a_mail_has_one_recipient() {
        let person = address("maria@example.com");
        for (to, expected) in [
            (Recipient::Person(&person), "maria@example.com"),
            (Recipient::Simulator, "success@simulator.amazonses.com"),
        ] {
            let request = request("mails", &sender(), to, &mail(), &[]);
            let only = Destination::builder().to_addresses(expected).build();
            assert_eq!(request.get_destination(), &Some(only));
            assert_eq!(request.get_source().as_deref(), Some("no-reply@pbx.example.com"));
            assert_eq!(request.get_reply_to_addresses(), &None);
        }
    }

    #[test]
    fn a_mail_request_is_complete() {
        let sender = Sender {
            name: DisplayName::parse("Example PBX").map(Some).expect("a good name"),
            reply_to: Some(address("help@example.com")),
            ..sender()
        };
        let tags = [("message", "confirm_registration".into()), ("request", "01J-x".into())];
        let request = request("mails", &sender, Recipient::Simulator, &mail(), &tags);
        assert_eq!(request.get_configuration_set_name().as_deref(), Some("mails"));
        assert_eq!(request.get_source().as_deref(), Some("\"Example PBX\" <no-reply@pbx.example.com>"));
        assert_eq!(request.get_reply_to_addresses().as_deref(), Some(&["help@example.com".to_owned()][..]));
        let tags = request.get_tags().as_deref().unwrap_or_default();
        let tags: Vec<_> = tags.iter().map(|tag| (tag.name(), tag.value())).collect();
        assert_eq!(tags, [("message", "confirm_registration"), ("request", "01J-x")]);
        let message = request.get_message().as_ref().expect("a message");
        let body = message.body().expect("a body");
        for (part, data) in [
            (message.subject(), "Тема"),
            (body.text(), "text"),
            (body.html(), "<p>html</p>"),
        ] {
            let part = part.expect("a part");
            assert_eq!((part.data(), part.charset()), (data, Some("UTF-8")));
        }
    }

    #[test]
    fn a_rejected_mail_is_distinguished_from_a_failure() {
        for (code, rejected) in [
            (Some("MessageRejected"), true),
            (Some("InvalidParameterValue"), true),
            (Some("AccessDenied"), true),
            (Some("Throttling"), false),
            (Some("ServiceUnavailable"), false),
            (Some("AccountSendingPausedException"), false),
            (Some("ExpiredToken"), false),
            (None, false),
        ] {
            assert_eq!(is_rejected(code), rejected, "{code:?}");
        }
    }

    #[test]
    fn an_invalid_tag_is_refused() {
        for (name, value) in [("a", ""), ("a b", "c"), ("a", "b@c"), ("a", "b\r\nc"), ("a", "é")] {
            let tagged = std::panic::catch_unwind(|| tag(name, value));
            assert!(tagged.is_err(), "{name:?}: {value:?}");
        }
        assert!(std::panic::catch_unwind(|| tag("a", &"b".repeat(257))).is_err());
        assert_eq!(tag("a", &"b".repeat(256)).name(), "a");
    }

    #[test]
    fn a_display_name_is_encoded_whatever_it_contains() {
        let long = "Очень длинное имя отправителя ".repeat(8);
        for name in [
            "Example PBX",
            r#"The "Example" \ PBX"#,
            "Example, Inc. <sales@example.org>",
            "Эра",
            "Підтримка 📞",
            long.trim(),
            "=?UTF-8?B?0K3RgNCw?=",
            "\u{202e}kcul",
        ] {
            let source = mailbox("a@example.com", Some(name));
            assert!(source.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{source}");
            let longest = source.split(' ').map(str::len).max();
            assert!(!source.contains("=?") || longest <= Some(75), "{source}");
            let raw = format!("From: {source}\r\n\r\n");
            let read = MessageParser::new().parse(&raw).expect("a message");
            let Some(Address::List(from)) = read.from() else {
                panic!("no list of addresses: {source}");
            };
            let from: Vec<_> = from.iter().map(|from| (from.name(), from.address())).collect();
            assert_eq!(from, [(Some(name), Some("a@example.com"))], "{source}");
        }
    }

    #[test]
    fn a_name_cannot_add_a_header() {
        for name in [
            "x\r\nBcc: eve@example.org",
            "x\nBcc: eve@example.org",
            "x\rBcc: eve@example.org",
            "x\u{2028}Bcc: eve@example.org",
            "x\0",
        ] {
            let source = mailbox("a@example.com", Some(name));
            let raw = format!("From: {source}\r\n\r\n");
            let read = MessageParser::new().parse(&raw).expect("a message");
            assert_eq!(read.headers().len(), 1, "{source}");
            assert_eq!(read.from().map(|from| from.iter().count()), Some(1), "{source}");
        }
    }
}
