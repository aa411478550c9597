use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::{
    delivery::{bus::Entry, mail::Recipient, text::Terms, words::Mail},
    domain::{crypto::secret::Secret, people::phone::Phone},
};

#[test]
fn a_message_that_times_out_is_not_retried() {
    let edge = Edge::new(HashMap::new());
    let (mails, texts) = (edge.ses_client(), edge.sns_client());
    for timeouts in [mails.config().timeout_config(), texts.config().timeout_config()] {
        let timeouts = timeouts.expect("there are timeouts");
        assert_eq!(timeouts.operation_attempt_timeout(), None);
        assert_eq!(timeouts.operation_timeout(), Some(Duration::from_millis(2500)));
    }
}

#[test]
fn an_event_bus_is_optional_and_has_a_valid_name() {
    let longest = "b".repeat(256);
    for (name, expected) in [
        ("", Some(false)),
        ("default", Some(true)),
        ("identity-events_2.prod", Some(true)),
        (longest.as_str(), Some(true)),
        (&format!("{longest}b"), None),
        ("arn:aws:events:us-east-1:123456789012:event-bus/identity", None),
        ("aws.partner/example.com", None),
    ] {
        let edge = Edge::new([("EVENT_BUS".into(), name.into())].into());
        assert_eq!(edge.event_bus().ok().map(|bus| bus.is_some()), expected, "{name}");
    }
}

#[test]
fn a_deployment_without_a_mail_domain_has_no_mailer() {
    let edge = Edge::new(HashMap::new());
    assert!(matches!(edge.mailer_if_any(), Ok(None)));
    let edge = Edge::new([("MAIL_DOMAIN".into(), "example.com".into())].into());
    assert!(edge.mailer_if_any().is_err(), "the configuration set is missing");
}

/// A service that handles every request alike: it sends this answer, or breaks the connection.
struct Service {
    address: String,
    requests: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
}

impl Service {
    async fn that_answers(answer: Option<(u16, &'static str)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let service = Self {
            address: format!("http://{}", listener.local_addr().expect("it is bound")),
            requests: Arc::default(),
            connections: Arc::default(),
        };
        let (requests, connections) = (Arc::clone(&service.requests), Arc::clone(&service.connections));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                while read_request(&mut stream).await {
                    requests.fetch_add(1, Ordering::SeqCst);
                    let Some((status, body)) = answer else { break };
                    let length = body.len();
                    let text = format!("HTTP/1.1 {status} Said\r\ncontent-length: {length}\r\n\r\n{body}");
                    stream.write_all(text.as_bytes()).await.expect("it is open");
                }
            }
        });
        service
    }

    fn edge(&self) -> Edge {
        let variables = [
            ("AWS_ENDPOINT_URL", self.address.as_str()),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("MAIL_CONFIGURATION_SET", "mails"),
            ("MAIL_DOMAIN", "example.com"),
            ("EVENT_BUS", "identity"),
        ];
        Edge::new(variables.map(|(name, text)| (name.into(), text.into())).into())
    }
}

#[tokio::test]
async fn events_are_retried_until_they_are_accepted_or_refused() {
    let entry = Entry {
        detail_type: "user.blocked".into(),
        detail: "{}".into(),
        at: Timestamp::from_seconds(5),
    };
    const ACCEPTED: &str = r#"{"FailedEntryCount":0,"Entries":[{"EventId":"e"}]}"#;
    const REFUSED: &str = r#"{"FailedEntryCount":1,"Entries":[{"ErrorCode":"InternalFailure"}]}"#;
    for (answer, requests, expected) in [
        (Some((200, ACCEPTED)), 1, Some(true)),
        (Some((200, REFUSED)), 1, Some(false)),
        (Some((503, "{}")), 3, None),
        (None, 3, None),
    ] {
        let service = Service::that_answers(answer).await;
        let bus = service.edge().event_bus().expect("a good name").expect("a bus");
        let outcomes = bus.put(std::slice::from_ref(&entry)).await.ok();
        assert_eq!(outcomes.map(|outcomes| outcomes[0].is_ok()), expected, "{answer:?}");
        assert_eq!(service.requests.load(Ordering::SeqCst), requests, "{answer:?}");
    }
}

/// Reads a request to its end; `false` where there is none.
async fn read_request(stream: &mut TcpStream) -> bool {
    let (mut read, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&read);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if Some(body.len()) == length.and_then(|length| length.parse().ok()) {
                return true;
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return false,
            Ok(count) => read.extend_from_slice(&buffer[..count]),
        }
    }
}

/// Sends a mail and a text message. For each that is not confirmed: whether it may be on its way.
async fn send_both(edge: &Edge) -> [Option<bool>; 2] {
    let mail = Mail {
        subject: "subject".into(),
        text: "text".into(),
        html: "html".into(),
    };
    let mailer = edge.mailer().expect("all that it needs");
    let mailed = mailer.send(None, Recipient::Simulator, &mail, &[]).await;
    let texter = Texter::new(edge.sns_client(), Terms::default());
    let phone = Phone::parse("+380885550130").expect("a good number");
    let texted = texter.send(&phone, &Secret::new("text".into())).await;
    [
        mailed.err().map(|unsent| unsent.perhaps_sent),
        texted.err().map(|unsent| unsent.perhaps_sent),
    ]
}

#[tokio::test]
async fn a_message_with_an_unknown_outcome_is_not_sent_again() {
    const FAILURE: &str = "<ErrorResponse><Error><Code>InternalFailure</Code></Error></ErrorResponse>";
    const THROTTLED: &str = "<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>";
    const REJECTED: &str = "<ErrorResponse><Error><Code>InvalidParameter</Code></Error></ErrorResponse>";
    for (answer, attempts, may_be_sent) in [
        (None, 1, true),
        (Some((502, "<html>Bad Gateway</html>")), 1, true),
        (Some((504, "")), 1, true),
        (Some((200, "no XML")), 1, true),
        (Some((500, FAILURE)), 3, false),
        (Some((400, THROTTLED)), 3, false),
        (Some((400, REJECTED)), 1, false),
    ] {
        let service = Service::that_answers(answer).await;
        assert_eq!(send_both(&service.edge()).await, [Some(may_be_sent); 2], "{answer:?}");
        assert_eq!(service.requests.load(Ordering::SeqCst), 2 * attempts, "{answer:?}");
    }
}

#[tokio::test]
async fn a_message_without_a_connection_was_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let service = Service {
        address: format!("http://{}", listener.local_addr().expect("it is bound")),
        requests: Arc::default(),
        connections: Arc::default(),
    };
    drop(listener);
    assert_eq!(send_both(&service.edge()).await, [Some(false); 2]);
}

#[tokio::test]
async fn no_message_reuses_a_connection() {
    let service = Service::that_answers(Some((400, ""))).await;
    let edge = service.edge();
    for _ in 0..2 {
        send_both(&edge).await;
    }
    assert_eq!(service.connections.load(Ordering::SeqCst), 4);
}

#[test]
fn a_mailer_requires_its_variables() {
    const SET: &str = "MAIL_CONFIGURATION_SET is not set";
    const DOMAIN: &str = "MAIL_DOMAIN (the parameter MailDomain) must be a domain that is verified in SES";
    for (set, domain, noted) in [
        ("", "", &[SET, DOMAIN][..]),
        ("mails", "", &[DOMAIN]),
        ("", "example.com", &[SET]),
        ("mails", "no-reply@example.com", &[DOMAIN]),
        ("mails", "localhost", &[DOMAIN]),
        ("mails", "example.com, b", &[DOMAIN]),
        ("mails", "example.com", &[]),
    ] {
        let variables = [("MAIL_CONFIGURATION_SET", set), ("MAIL_DOMAIN", domain)];
        let edge = Edge::new(variables.map(|(name, text)| (name.into(), text.into())).into());
        assert_eq!(edge.mailer().is_ok(), noted.is_empty(), "{set:?}, {domain:?}");
        let mut problems = edge.problems();
        problems.retain(|problem| problem.starts_with("MAIL_"));
        assert_eq!(problems, noted, "{set:?}, {domain:?}");
    }
}
