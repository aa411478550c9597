//! Another server that speaks AWS's protocols and replaces the built-in DynamoDB, SES and SNS.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::aws::Service;
use crate::random;
use crate::rights::Resource;
use crate::template::{REGION, Template};

/// Servers close idle connections, some of them after five seconds; our own close before that.
const IDLE: Duration = Duration::from_secs(2);

/// The server, and this cloud's account on it.
#[derive(Debug)]
pub(crate) struct Server {
    address: Uri,
    /// Twelve digits. As an access key it opens an account of its own on servers like ministack and LocalStack, so
    /// clouds share a server without seeing each other's data.
    account: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// An error of the server.
#[derive(Debug)]
pub(crate) struct Refused {
    /// `ConditionalCheckFailedException` and the like; empty if there was no answer.
    pub(crate) name: String,
    message: String,
}

impl From<Refused> for String {
    fn from(refused: Refused) -> Self {
        refused.message
    }
}

impl Server {
    /// The server at `address`, with the account from a data directory, or a new one.
    pub(crate) fn new(address: &str, account: Option<String>) -> Result<Self, String> {
        let parsed: Option<Uri> = address.parse().ok();
        let address = parsed
            .filter(|address| address.scheme_str() == Some("http") && address.host().is_some())
            .ok_or_else(|| format!("{address} is no address of a server like http://127.0.0.1:4566"))?;
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Ok(Self {
            address,
            account: account.unwrap_or_else(|| random::text(b"0123456789", 12)),
            client: Client::builder(TokioExecutor::new())
                .pool_idle_timeout(IDLE)
                .pool_timer(hyper_util::rt::TokioTimer::new())
                .build(connector),
        })
    }

    /// The account, for clients that read there directly.
    pub(crate) fn account(&self) -> &str {
        &self.account
    }

    /// Creates on the server what the template's roles send mail with: what a deployment must have verified or created.
    pub(crate) async fn introduce(&self, template: &Template) -> Result<(), String> {
        let rights = template.functions.iter().flat_map(|function| &function.role.rights);
        let mut known: Vec<&str> = Vec::new();
        for right in rights.filter(|right| right.action == "ses:SendEmail") {
            let Resource::Like(resource) = &right.resource else {
                continue;
            };
            if known.contains(&resource.as_str()) {
                continue;
            }
            known.push(resource);
            let (operation, parameter, name) = match resource.rsplit(':').next().and_then(|name| name.split_once('/')) {
                Some(("identity", domain)) => ("VerifyDomainIdentity", "Domain", domain),
                Some(("configuration-set", set)) => ("CreateConfigurationSet", "ConfigurationSet.Name", set),
                _ => continue,
            };
            let form = form_urlencoded::Serializer::new(String::new())
                .extend_pairs([("Action", operation), ("Version", "2010-12-01"), (parameter, name)])
                .finish();
            let mut headers = HeaderMap::new();
            let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
            headers.insert(header::CONTENT_TYPE, form_type);
            let (status, answer) = self.ask(Service::Ses, headers, form.into()).await?;
            // An earlier start in the same account has created it.
            if !status.is_success() && !answer.contains("AlreadyExists") {
                return Err(format!("{} refused {operation}: {answer}", self.address));
            }
        }
        Ok(())
    }

    /// Passes a request on with the account's credential.
    pub(crate) async fn pass(&self, service: Service, head: Parts, body: Bytes) -> Result<Response<Incoming>, String> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = head.method;
        *request.uri_mut() = self.address.clone();
        *request.headers_mut() = head.headers;
        self.send(service, request).await
    }

    /// Sends DynamoDB a request of its own.
    pub(crate) async fn dynamodb(&self, operation: &str, request: &Value) -> Result<Value, Refused> {
        let mut headers = HeaderMap::new();
        let target = HeaderValue::try_from(format!("DynamoDB_20120810.{operation}"));
        headers.insert("x-amz-target", target.expect("operations are words"));
        let json = HeaderValue::from_static("application/x-amz-json-1.0");
        headers.insert(header::CONTENT_TYPE, json);
        let asked = self.ask(Service::DynamoDb, headers, request.to_string().into()).await;
        let (status, answer) = asked.map_err(|message| Refused {
            name: String::new(),
            message,
        })?;
        let read: Value = serde_json::from_str(&answer).unwrap_or_default();
        if status.is_success() {
            return Ok(read);
        }
        let name = read["__type"].as_str().unwrap_or_default();
        Err(Refused {
            name: name.rsplit('#').next().unwrap_or_default().to_owned(),
            message: format!("{} refused {operation}: {answer}", self.address),
        })
    }

    async fn ask(&self, service: Service, headers: HeaderMap, body: Bytes) -> Result<(StatusCode, String), String> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.address.clone();
        *request.headers_mut() = headers;
        let response = self.send(service, request).await?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(|error| error.to_string())?;
        Ok((status, String::from_utf8_lossy(&body.to_bytes()).into_owned()))
    }

    async fn send(&self, service: Service, mut request: Request<Full<Bytes>>) -> Result<Response<Incoming>, String> {
        let headers = request.headers_mut();
        for name in [header::CONNECTION, header::TRANSFER_ENCODING, header::HOST] {
            headers.remove(name);
        }
        // The server only checks that a signature exists; the access key identifies the account.
        let credential = format!("{}/20260101/{REGION}/{}/aws4_request", self.account, service.name());
        let authorization = format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0");
        let authorization = HeaderValue::try_from(authorization).expect("digits and names are visible ASCII");
        headers.insert(header::AUTHORIZATION, authorization);
        headers.insert("x-amz-date", HeaderValue::from_static("20260101T000000Z"));
        let answered = self.client.request(request).await;
        let mut response = answered.map_err(|error| format!("{} did not answer: {error}", self.address))?;
        for name in [header::CONNECTION, header::TRANSFER_ENCODING] {
            response.headers_mut().remove(name);
        }
        Ok(response)
    }
}
