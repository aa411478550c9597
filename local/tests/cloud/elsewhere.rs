//! DynamoDB, SES and SNS of another server. Here that is a second local cloud, with its own engine and messages, behind
//! a proxy that records each caller and operation, and can refuse messages.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Response, StatusCode};
use countersign_local::{Cloud, Options};
use serde_json::{Value, json};

use crate::support::{Folder, Local, binaries, client, eventually, fixture_options, send};

const THINGS: &str = "countersign-ThingsTable";

/// The other server, behind its proxy.
pub(crate) struct Other {
    behind: Local,
    url: String,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    /// The access key and the operation of each request.
    calls: Vec<(String, String)>,
    /// Whether messages are refused.
    refuses: bool,
}

impl Other {
    pub(crate) async fn start(folder: &Folder) -> Self {
        let empty = folder.template("Resources: {Api: {Type: AWS::Serverless::HttpApi}}");
        let behind = Local::start_with(Options::new(empty, binaries())).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let seen = Arc::<Mutex<Seen>>::default();
        let endpoints = ["dynamodb", "ses", "sns"].map(|service| behind.cloud.endpoint(service));
        let (http, noted) = (behind.http.clone(), Arc::clone(&seen));
        let door = move |headers: HeaderMap, body: Bytes| {
            let (http, noted, endpoints) = (http.clone(), Arc::clone(&noted), endpoints.clone());
            async move { answer(&http, &noted, &endpoints, &headers, body).await }
        };
        let door = Router::new().fallback(door);
        tokio::spawn(async move { axum::serve(listener, door).await });
        Self { behind, url, seen }
    }

    /// Starts a cloud of the fixture's template that uses this server.
    pub(crate) async fn used(&self, options: Options) -> Local {
        Local::start_with(Options {
            aws: Some(self.url.clone()),
            ..options
        })
        .await
    }

    /// The names of its tables.
    async fn tables(&self) -> Vec<String> {
        let client = client!(aws_sdk_dynamodb, self.behind, "dynamodb");
        let listed = client.list_tables().send().await.expect("it has an engine");
        listed.table_names().to_vec()
    }
}

async fn answer(
    http: &reqwest::Client,
    seen: &Mutex<Seen>,
    [dynamodb, ses, sns]: &[String; 3],
    headers: &HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let text = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let (authorization, target) = (text("authorization"), text("x-amz-target"));
    let form = String::from_utf8_lossy(&body).into_owned();
    let action = form.split('&').find_map(|pair| pair.strip_prefix("Action=")).unwrap_or_default();
    let operation = target.rsplit('.').next().filter(|name| !name.is_empty()).unwrap_or(action);
    let key = authorization.split(['=', '/']).nth(1).unwrap_or_default();
    let refuses = {
        let mut seen = seen.lock().expect("no panic while held");
        let call = if target.is_empty() {
            form.clone()
        } else {
            operation.to_owned()
        };
        seen.calls.push((key.to_owned(), call));
        seen.refuses
    };
    let plain = |status: StatusCode, body: &str| {
        let mut response = Response::new(Body::from(body.to_owned()));
        *response.status_mut() = status;
        response
    };
    let endpoint = match action {
        "" => dynamodb,
        "VerifyDomainIdentity" => return plain(StatusCode::OK, "<verified/>"),
        "CreateConfigurationSet" => {
            let known = "<ErrorResponse><Error><Code>ConfigurationSetAlreadyExists</Code></Error></ErrorResponse>";
            return plain(StatusCode::BAD_REQUEST, known);
        }
        _ if refuses => {
            let refusal =
                "<ErrorResponse><Error><Type>Sender</Type><Code>MessageRejected</Code></Error></ErrorResponse>";
            return plain(StatusCode::BAD_REQUEST, refusal);
        }
        "Publish" => sns,
        _ => ses,
    };
    let mut request = http.post(endpoint).body(body);
    if action.is_empty() {
        for name in ["authorization", "content-type", "x-amz-date", "x-amz-target"] {
            request = request.header(name, text(name));
        }
    }
    let response = send(request).await;
    let status = response.status();
    plain(status, &response.text().await.expect("a body"))
}

async fn call(local: &Local, what: &str, of: &str) -> Value {
    let path = "/2015-03-31/functions/EchoFunction/invocations";
    local.posted(path, &json!({ "mode": "aws", "call": what, "of": of })).await["code"].take()
}

#[tokio::test]
async fn rows_and_messages_are_stored_on_the_other_server_and_shown_locally() {
    let folder = Folder::new();
    let other = Other::start(&folder).await;
    let local = other.used(fixture_options()).await;
    assert_eq!(other.tables().await, [THINGS]);
    for (what, of) in [
        ("put", THINGS),
        ("mail", "a@example.com"),
        ("publish", "+380881234567"),
        ("secret", "countersign-KeySecret"),
    ] {
        assert_eq!(call(&local, what, of).await, "", "{what}");
    }
    let rows = json!([{ "id": { "S": "called" } }]);
    assert_eq!(local.json("/_local/tables/ThingsTable").await, rows);
    let shown = local.json("/_local/messages").await;
    let taken = other.behind.json("/_local/messages").await;
    for (here, there) in [(&shown[0], &taken[0]), (&shown[1], &taken[1])] {
        for part in ["channel", "to", "subject", "text"] {
            assert_eq!(here[part], there[part]);
        }
    }
    // A call that the role denies does not reach the server.
    assert_eq!(call(&local, "get", THINGS).await, "AccessDeniedException");
    other.seen.lock().expect("no panic while held").refuses = true;
    for (what, of) in [("mail", "a@example.com"), ("publish", "+380881234567")] {
        assert_eq!(call(&local, what, of).await, "MessageRejected");
    }
    assert_eq!(local.json("/_local/messages").await.as_array().map(Vec::len), Some(2));

    let account = local.cloud.account().expect("an account there").to_owned();
    assert!(account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()));
    let calls = std::mem::take(&mut other.seen.lock().expect("no panic while held").calls);
    assert!(calls.iter().all(|(key, _)| *key == account), "{calls:?}");
    let named = |part: &str| calls.iter().filter(|(_, call)| call.contains(part)).count();
    for (part, times) in [
        ("Action=VerifyDomainIdentity&Version=2010-12-01&Domain=example.com", 1),
        ("ConfigurationSet.Name=countersign-MailSet", 1),
        ("CreateTable", 1),
        ("PutItem", 1),
        // For the stream of the row that is put, before and after; none by the function.
        ("GetItem", 2),
        ("GetSecretValue", 0),
        ("Action=SendEmail", 2),
        ("Action=Publish", 2),
    ] {
        assert_eq!(named(part), times, "{part} in {calls:?}");
    }
    local.cloud.stop().await;
    assert!(other.tables().await.is_empty(), "nothing is left there");
}

#[tokio::test]
async fn expired_rows_are_deleted_on_the_other_server_and_streamed_locally() {
    let folder = Folder::new();
    let other = Other::start(&folder).await;
    let local = other.used(fixture_options()).await;
    for (id, expires) in [("soon", "1"), ("poison", "2"), ("later", "99999999999")] {
        send(local.get(&format!("/things/1?mode=put&id={id}&expires={expires}"))).await;
    }
    send(local.get("/things/1?mode=put&id=always")).await;
    for deleted in [2, 0] {
        assert_eq!(local.posted("/_local/sweep", &json!({})).await, json!({ "deleted": deleted }));
    }
    let rows = local.json("/_local/tables/ThingsTable").await;
    assert_eq!(rows.as_array().map(Vec::len), Some(2), "{rows}");
    for line in [
        "StreamFunction | record REMOVE soon by dynamodb.amazonaws.com",
        "StreamFunction | record REMOVE poison by dynamodb.amazonaws.com",
        "was dropped after 2 retries",
    ] {
        local.logged(line).await;
    }
}

#[tokio::test]
async fn a_restart_finds_the_rows_on_the_other_server() {
    let (folder, data) = (Folder::new(), Folder::new());
    let other = Other::start(&folder).await;
    let with_data = || Options {
        data: Some(data.0.clone()),
        ..fixture_options()
    };
    let local = other.used(with_data()).await;
    send(local.get("/things/1?mode=put&id=kept&expires=1")).await;
    let account = local.cloud.account().map(str::to_owned);
    local.cloud.stop().await;
    let local = other.used(with_data()).await;
    assert_eq!(local.cloud.account(), account.as_deref());
    assert_eq!(local.json("/_local/tables/ThingsTable").await[0]["id"]["S"], "kept");
    assert_eq!(local.posted("/_local/sweep", &json!({})).await, json!({ "deleted": 1 }));
    eventually("the stream to tell", async || {
        local.cloud.logs().iter().any(|line| line.contains("record REMOVE kept"))
    })
    .await;
    local.cloud.stop().await;

    let error = Cloud::start(with_data()).await.err().map(|error| error.to_string());
    assert!(error.is_some_and(|error| error.contains("was begun with --aws")));
    for aws in ["nonsense", "https://127.0.0.1:1", "http://127.0.0.1:1"] {
        let options = Options {
            aws: Some(aws.to_owned()),
            ..fixture_options()
        };
        let error = Cloud::start(options).await.err().map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.contains(aws)), "{aws}");
    }
}
