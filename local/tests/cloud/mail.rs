//! SES and SNS, called by the unmodified SDK.

use aws_sdk_ses::error::ProvideErrorMetadata;
use aws_sdk_ses::primitives::Blob;
use aws_sdk_ses::types::{Body, Content, Destination, Message, MessageTag, RawMessage};
use aws_sdk_sns::types::MessageAttributeValue;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Local, client, fault, send};

#[tokio::test]
async fn mail_and_text_messages_are_captured() {
    let local = Local::start().await;
    let ses = client!(aws_sdk_ses, local, "ses");
    let sns = client!(aws_sdk_sns, local, "sns");
    let content = |text: &str| Content::builder().data(text).build().expect("complete");
    let body = Body::builder().text(content("Hello & <you>")).html(content("<b>Hello</b>")).build();
    let message = Message::builder().subject(content("Grüße")).body(body).build();
    let destination = Destination::builder()
        .to_addresses("a@example.com")
        .cc_addresses("b@example.com")
        .bcc_addresses("Nobody <bounce+label@Simulator.AmazonSES.com>")
        .build();
    let sent = ses
        .send_email()
        .source("Us <us@example.com>")
        .reply_to_addresses("help@example.com")
        .reply_to_addresses("more@example.com")
        .destination(destination)
        .message(message.clone())
        .send()
        .await;
    assert!(!sent.expect("captured").message_id().is_empty());
    let raw = "From: =?utf-8?q?=C3=9Cs?= <us@example.com>\r\nReply-To: help@example.com\r\nTo: Someone <c@example.com>\r\nSubject: =?utf-8?q?r=C3=A4w?=\r\nMIME-Version: 1.0\r\n\
               Content-Type: multipart/alternative; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\
               plain\r\n--x\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<i>html</i>\r\n--x--\r\n";
    let raw_message = RawMessage::builder().data(Blob::new(raw)).build().expect("complete");
    ses.send_raw_email().raw_message(raw_message).send().await.expect("captured");
    sns.publish()
        .phone_number("+15555550123")
        .message("123456 is your code")
        .send()
        .await
        .expect("captured");
    sns.publish()
        .topic_arn("arn:aws:sns:us-east-1:123456789012:t")
        .message("dropped")
        .send()
        .await
        .expect("accepted");

    let mut messages = local.json("/_local/messages").await;
    for (index, message) in messages.as_array_mut().expect("a list").iter_mut().enumerate() {
        let at = message["at"].take();
        assert!(at.as_str().is_some_and(|at| at.len() == 20 && at.ends_with('Z')), "{at}");
        assert!(message["id"].take().is_string(), "message {index} has an id");
    }
    let mail = |to: &str, subject: &str, text: &str, html: &str| json!({ "id": null, "channel": "email", "to": to, "subject": subject, "text": text, "html": html, "at": null });
    let expected = json!([
        mail("a@example.com", "Grüße", "Hello & <you>", "<b>Hello</b>"),
        mail("b@example.com", "Grüße", "Hello & <you>", "<b>Hello</b>"),
        mail("c@example.com", "räw", "plain", "<i>html</i>"),
        { "id": null, "channel": "sms", "to": "+15555550123", "subject": null, "text": "123456 is your code", "html": null, "at": null },
    ]);
    assert_eq!(messages, expected);
    // `full=true` adds fields; the default list stays unchanged.
    let full = local.json("/_local/messages?full=true").await;
    let senders: Vec<_> = full.as_array().expect("a list").iter().map(|one| (&one["from"], &one["reply_to"])).collect();
    let (ours, plain) = (json!("Us <us@example.com>"), json!("help@example.com, more@example.com"));
    let (raw, one) = (json!("Üs <us@example.com>"), json!("help@example.com"));
    assert_eq!(
        senders,
        [
            (&ours, &plain),
            (&ours, &plain),
            (&raw, &one),
            (&Value::Null, &Value::Null)
        ]
    );
    assert_eq!(send(local.delete("/_local/messages")).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(local.json("/_local/messages").await, json!([]));
}

#[tokio::test]
async fn the_mailbox_simulator_bounces_and_complains() {
    let local = Local::start().await;
    let ses = client!(aws_sdk_ses, local, "ses");
    let content = Content::builder().data("x").build().expect("complete");
    let body = Body::builder().text(content.clone()).build();
    let send = async |to: &str, set: &str| {
        let tag = MessageTag::builder().name("kind").value("a-kind").build().expect("complete");
        let sent = ses
            .send_email()
            .source("us@example.com")
            .destination(Destination::builder().to_addresses(to).build())
            .message(Message::builder().subject(content.clone()).body(body.clone()).build())
            .configuration_set_name(set)
            .tags(tag)
            .send();
        sent.await.expect("accepted");
    };
    // SES publishes only bounces, and only those of the configuration set.
    send("complaint@simulator.amazonses.com", "countersign-MailSet").await;
    send("bounce@simulator.amazonses.com", "another").await;
    send("success@simulator.amazonses.com", "countersign-MailSet").await;
    send("bounce+here@simulator.amazonses.com", "countersign-MailSet").await;
    local
        .logged("TimerFunction | told by \"arn:aws:sns:us-east-1:123456789012:countersign-Topic\"")
        .await;
    let lines = local.cloud.logs();
    let delivered: Vec<_> = lines.iter().filter(|line| line.contains("| told by")).collect();
    assert_eq!(delivered.len(), 1, "{delivered:?}");
    let message = delivered[0].split_once("countersign-Topic\": ").expect("the message").1;
    let message: String = serde_json::from_str(message).expect("a text");
    let message: Value = serde_json::from_str(&message).expect("JSON in it");
    assert_eq!(message["eventType"], "Bounce");
    assert_eq!(message["bounce"]["bouncedRecipients"][0]["emailAddress"], "bounce+here@simulator.amazonses.com");
    assert_eq!(message["mail"]["tags"]["ses:configuration-set"], json!(["countersign-MailSet"]));
    assert_eq!(message["mail"]["tags"]["kind"], json!(["a-kind"]));
    assert_eq!(local.json("/_local/messages").await, json!([]));
}

#[tokio::test]
async fn mail_and_text_messages_are_refused_as_aws_refuses_them() {
    let local = Local::start().await;
    let ses = client!(aws_sdk_ses, local, "ses");
    let sns = client!(aws_sdk_sns, local, "sns");
    let mail = async |to: &str| {
        let text = Content::builder().data("x").build().expect("complete");
        let message = Message::builder().subject(text.clone()).body(Body::builder().text(text).build()).build();
        let destination = Destination::builder().to_addresses(to).build();
        ses.send_email().source("us@example.com").destination(destination).message(message).send().await
    };
    let text = async |to: &str| sns.publish().phone_number(to).message("x").send().await;
    for address in [
        "nobody",
        "a@b@c",
        "a b@example.com",
        "a@example.com,b@example.com",
        "ä@example.com",
    ] {
        assert_eq!(mail(address).await.expect_err(address).code(), Some("InvalidParameterValue"), "{address}");
    }
    for number in ["15555550123", "+0555", "+1", "+1555555012345678", "+1 555 555 0123"] {
        let error = text(number).await.expect_err(number).into_service_error();
        assert!(error.is_invalid_parameter_exception(), "{number}: {error:?}");
    }
    fault(&local, "ses", json!("SendEmail"), "rejected", 0, 1).await;
    assert!(mail("a@example.com").await.expect_err("rejected").into_service_error().is_message_rejected());
    fault(&local, "ses", Value::Null, "throttle", 0, 1).await;
    assert_eq!(mail("a@example.com").await.expect_err("throttled").code(), Some("Throttling"));
    fault(&local, "ses", Value::Null, "error", 0, 1).await;
    assert_eq!(mail("a@example.com").await.expect_err("broken").code(), Some("InternalFailure"));
    fault(&local, "sns", json!("Publish"), "opted_out", 0, 1).await;
    assert_eq!(text("+15555550123").await.expect_err("opted out").code(), Some("OptedOut"));
    fault(&local, "sns", json!("Publish"), "rejected", 0, 1).await;
    assert!(
        text("+15555550123")
            .await
            .expect_err("rejected")
            .into_service_error()
            .is_invalid_parameter_exception()
    );
    fault(&local, "sns", Value::Null, "throttle", 0, 1).await;
    assert_eq!(text("+15555550123").await.expect_err("throttled").code(), Some("Throttling"));
    fault(&local, "sns", Value::Null, "error", 0, 1).await;
    assert!(text("+15555550123").await.expect_err("broken").into_service_error().is_internal_error_exception());
    assert_eq!(local.json("/_local/messages").await, json!([]), "none of these was sent");
    fault(&local, "ses", Value::Null, "drop_response", 0, 1).await;
    assert!(mail("a@example.com").await.is_err());
    assert_eq!(
        local.json("/_local/messages").await[0]["to"],
        "a@example.com",
        "this one was sent, without an event"
    );
}

#[tokio::test]
async fn attributes_of_text_messages_are_checked() {
    let local = Local::start().await;
    let sns = client!(aws_sdk_sns, local, "sns");
    let publish = async |attributes: &[(&str, &str, &str)]| {
        let value = |kind: &str, value: &str| {
            let value = MessageAttributeValue::builder().data_type(kind).string_value(value);
            value.build().expect("complete")
        };
        let attributes = attributes.iter().map(|(name, kind, text)| ((*name).to_owned(), value(kind, text)));
        let request = sns.publish().phone_number("+15555550123").message("x");
        request.set_message_attributes(Some(attributes.collect())).send().await
    };
    const KIND: (&str, &str, &str) = ("AWS.SNS.SMS.SMSType", "String", "Transactional");
    const SENDER: (&str, &str, &str) = ("AWS.SNS.SMS.SenderID", "String", "Example1");
    for good in [
        &[KIND][..],
        &[KIND, SENDER, ("AWS.SNS.SMS.MaxPrice", "Number", "0.50")],
        &[("AWS.SNS.SMS.MaxPrice", "String", "1"), ("Another", "String", "x")],
    ] {
        publish(good).await.expect("captured");
    }
    let full = local.json("/_local/messages?full=true").await;
    let senders: Vec<_> = full.as_array().expect("a list").iter().map(|one| &one["from"]).collect();
    assert_eq!(senders, [&Value::Null, &json!("Example1"), &Value::Null]);
    for (attribute, code) in [
        (("AWS.SNS.SMS.SMSType", "String", "transactional"), "InvalidParameter"),
        (("AWS.SNS.SMS.SenderID", "String", "Twelve12char"), "InvalidParameter"),
        (("AWS.SNS.SMS.SenderID", "String", "12345"), "InvalidParameter"),
        (("AWS.SNS.SMS.SenderID", "String", "a b"), "InvalidParameter"),
        (("AWS.SNS.SMS.MaxPrice", "Number", "0"), "InvalidParameter"),
        (("AWS.SNS.SMS.MaxPrice", "String", "cheap"), "InvalidParameter"),
        (("AWS.SNS.SMS.MaxPrice", "Number", "cheap"), "ParameterValueInvalid"),
        (("AWS.SNS.SMS.SenderId", "String", "Example"), "ParameterValueInvalid"),
        (("AWS.SNS.SMS.SenderID", "Text", "Example"), "ParameterValueInvalid"),
        (("AWS.SNS.SMS.SenderID", "String", ""), "ParameterValueInvalid"),
    ] {
        let error = publish(&[KIND, attribute]).await.expect_err("refused");
        assert_eq!(error.code(), Some(code), "{attribute:?}");
    }
    let messages = local.json("/_local/messages").await;
    assert_eq!(messages.as_array().map(Vec::len), Some(3), "nothing of it was sent");
}
