//! SES, version 1: mail is captured instead of sent.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail_parser::{Address, Message as Mail, MessageParser, PartType};

use super::feedback;
use super::query::{Form, SES, bare, elsewhere};
use super::service::Service;
use crate::invocations::{Consumed, Units};
use crate::messages::{Channel, Content};
use crate::random;
use crate::state::Inner;

/// SES's limit of recipients per request.
const MOST_RECIPIENTS: usize = 50;

pub(super) async fn answer(
    operation: &str,
    head: Parts,
    body: Bytes,
    inner: &Arc<Inner>,
    units: &Units,
) -> Response<Body> {
    let form = Form::parse(&body);
    let read = match operation {
        "SendEmail" => plain(&form),
        "SendRawEmail" => raw(&form),
        "GetSendQuota" => {
            let quota = "<Max24HourSend>50000.0</Max24HourSend><MaxSendRate>14.0</MaxSendRate><SentLast24Hours>0.0</SentLast24Hours>";
            return SES.result(operation, quota);
        }
        other => {
            let message = format!("The local cloud does not know {other}.");
            return SES.refusal(StatusCode::BAD_REQUEST, "InvalidAction", &message);
        }
    };
    let (recipients, content) = match read.and_then(checked) {
        Ok(read) => read,
        Err(message) => return SES.refusal(StatusCode::BAD_REQUEST, "InvalidParameterValue", &message),
    };
    let (response, message_id) = match &inner.server {
        Some(server) => match elsewhere(server, Service::Ses, head, body, &SES).await {
            Ok(taken) => taken,
            Err(refusal) => return refusal,
        },
        None => {
            let message_id = format!("{}-000000", random::uuid());
            let result = format!("<MessageId>{message_id}</MessageId>");
            (SES.result(operation, &result), message_id)
        }
    };
    for recipient in recipients {
        units.add(Consumed {
            mails: 1,
            ..Consumed::default()
        });
        match feedback::simulated(&recipient) {
            None => inner.captured(Channel::Email, recipient, content.clone()),
            Some(mailbox) => feedback::publish(inner, &form, &message_id, bare(&recipient), &mailbox),
        }
    }
    response
}

type Read = Result<(Vec<String>, Content), String>;

fn plain(form: &Form) -> Read {
    if form.get("Source").is_none_or(str::is_empty) {
        return Err("Missing required header 'From'.".to_owned());
    }
    let recipients = ["ToAddresses", "CcAddresses", "BccAddresses"]
        .iter()
        .flat_map(|list| form.list(&format!("Destination.{list}")))
        .collect();
    let part = |name: &str| form.get(name).map(str::to_owned);
    let reply_to = form.list("ReplyToAddresses");
    let content = Content {
        from: part("Source"),
        reply_to: (!reply_to.is_empty()).then(|| reply_to.join(", ")),
        subject: part("Message.Subject.Data"),
        text: part("Message.Body.Text.Data"),
        html: part("Message.Body.Html.Data"),
    };
    Ok((recipients, content))
}

fn raw(form: &Form) -> Read {
    let data = form.get("RawMessage.Data").ok_or("RawMessage.Data is missing.")?;
    let data = STANDARD.decode(data).map_err(|_| "RawMessage.Data is not base64.")?;
    let mail = MessageParser::default().parse(&data).ok_or("The raw message cannot be parsed.")?;
    if form.get("Source").is_none() && mail.from().is_none() {
        return Err("Missing required header 'From'.".to_owned());
    }
    let mut recipients = form.list("Destinations");
    if recipients.is_empty() {
        let headers = [mail.to(), mail.cc(), mail.bcc()];
        let addresses = headers.into_iter().flatten().flat_map(|list| list.iter());
        recipients = addresses.filter_map(|address| address.address.as_deref()).map(str::to_owned).collect();
    }
    let content = Content {
        from: mail.from().map(shown).or_else(|| form.get("Source").map(str::to_owned)),
        reply_to: mail.reply_to().map(shown),
        subject: mail.subject().map(str::to_owned),
        text: part(&mail, &mail.text_body, |body| match body {
            PartType::Text(text) => Some(text),
            _ => None,
        }),
        html: part(&mail, &mail.html_body, |body| match body {
            PartType::Html(html) => Some(html),
            _ => None,
        }),
    };
    Ok((recipients, content))
}

/// `Name <address>`, or the bare address where there is no name.
fn shown(list: &Address<'_>) -> String {
    let one = |address: &mail_parser::Addr<'_>| match (address.name(), address.address().unwrap_or_default()) {
        (Some(name), address) => format!("{name} <{address}>"),
        (None, address) => address.to_owned(),
    };
    list.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The first of `ids` that really is such a part: the parser also offers text as HTML and HTML as text.
fn part<'m>(
    mail: &'m Mail<'_>,
    ids: &[u32],
    wanted: impl Fn(&'m PartType<'m>) -> Option<&'m std::borrow::Cow<'m, str>>,
) -> Option<String> {
    ids.iter().find_map(|id| wanted(&mail.part(*id)?.body)).map(|text| text.to_string())
}

fn checked((recipients, content): (Vec<String>, Content)) -> Read {
    if recipients.is_empty() {
        return Err("Missing final recipient.".to_owned());
    }
    if recipients.len() > MOST_RECIPIENTS {
        return Err(format!("Recipient count exceeds {MOST_RECIPIENTS}."));
    }
    for recipient in &recipients {
        // `Name <address>` is allowed; it must be a single ASCII address with something on both sides of the `@`.
        let address = bare(recipient);
        let fits = address.is_ascii()
            && !address
                .contains(|character: char| character.is_whitespace() || character.is_control() || character == ',')
            && matches!(address.split_once('@'), Some((local, domain)) if !local.is_empty() && !domain.is_empty() && !domain.contains('@'));
        if !fits {
            return Err("Illegal address".to_owned());
        }
    }
    if content.subject.is_none() && content.text.is_none() && content.html.is_none() {
        return Err("Message is empty.".to_owned());
    }
    Ok((recipients, content))
}
