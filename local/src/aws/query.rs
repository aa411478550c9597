//! The Query protocol of SES and SNS: forms in, XML out.

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};
use http_body_util::BodyExt as _;

use super::service::Service;
use crate::server::Server;
use crate::{http, random};

/// A service that speaks the Query protocol.
pub(super) struct Dialect {
    namespace: &'static str,
}

pub(super) const SES: Dialect = Dialect {
    namespace: "http://ses.amazonaws.com/doc/2010-12-01/",
};
pub(super) const SNS: Dialect = Dialect {
    namespace: "http://sns.amazonaws.com/doc/2010-03-31/",
};

impl Dialect {
    /// The response of an operation; `result` is the XML inside its `…Result` element.
    pub(super) fn result(&self, operation: &str, result: &str) -> Response<Body> {
        let (namespace, id) = (self.namespace, random::uuid());
        let xml = format!(
            "<{operation}Response xmlns=\"{namespace}\"><{operation}Result>{result}</{operation}Result>\
             <ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></{operation}Response>"
        );
        http::answer(StatusCode::OK, "text/xml", xml)
    }

    /// An error response of the service.
    pub(super) fn refusal(&self, status: StatusCode, code: &str, message: &str) -> Response<Body> {
        let kind = if status.is_server_error() { "Receiver" } else { "Sender" };
        let (namespace, id, message) = (self.namespace, random::uuid(), escaped(message));
        let xml = format!(
            "<ErrorResponse xmlns=\"{namespace}\"><Error><Type>{kind}</Type><Code>{code}</Code>\
             <Message>{message}</Message></Error><RequestId>{id}</RequestId></ErrorResponse>"
        );
        http::answer(status, "text/xml", xml)
    }
}

/// The form's parameters.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    pub(super) fn parse(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// `name.member.1`, `name.member.2` and so on.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        (1..).map_while(|index| self.get(&format!("{name}.member.{index}")).map(str::to_owned)).collect()
    }
}

/// Has another server accept a message: its answer and the message id it assigned; the error is its refusal.
pub(super) async fn elsewhere(
    server: &Server,
    service: Service,
    head: Parts,
    body: Bytes,
    dialect: &Dialect,
) -> Result<(Response<Body>, String), Response<Body>> {
    let failed = |error: String| dialect.refusal(StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure", &error);
    let answered = server.pass(service, head, body).await.map_err(failed)?;
    let (head, body) = answered.into_parts();
    let body = body.collect().await.map_err(|error| failed(error.to_string()))?;
    let body = body.to_bytes();
    let text = String::from_utf8_lossy(&body);
    let id = text
        .split_once("<MessageId>")
        .and_then(|(_, rest)| rest.split_once("</MessageId>"))
        .map(|(id, _)| id.to_owned());
    let is_taken = head.status.is_success();
    let response = Response::from_parts(head, Body::from(body.clone()));
    match (is_taken, id) {
        (true, Some(id)) => Ok((response, id)),
        (true, None) | (false, _) => Err(response),
    }
}

/// The form's `Action`.
pub(super) fn action(body: &[u8]) -> String {
    Form::parse(body).get("Action").unwrap_or_default().to_owned()
}

/// The address in `Name <address>`, or the text itself.
pub(super) fn bare(recipient: &str) -> &str {
    recipient.rsplit_once('<').map_or(recipient, |(_, rest)| rest.trim_end_matches('>'))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
