//! Floor 1: where a function meets its environment. Variables, keys and clients are read and made once, while the
//! sandbox initialises; whatever is missing or out of range is reported, all of it, and nothing is served.

#![expect(
    clippy::disallowed_methods,
    reason = "the environment and the clock are read here and nowhere else"
)]

use std::{
    cell::{OnceCell, RefCell},
    collections::HashMap,
    rc::Rc,
    sync::OnceLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_sdk_dynamodb::config::{
    BehaviorVersion, Credentials, Region, SharedCredentialsProvider, SharedHttpClient, StalledStreamProtectionConfig,
    retry::RetryConfig, timeout::TimeoutConfig,
};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::{
    Connector,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpConnector, http_client_fn};
use aws_types::SdkConfig;
use lambda_http::http::Uri;

mod wire;

pub use self::wire::Wire;

use crate::{
    delivery::{attempt::AtMostOnce, mail::Mailer, text::Texter},
    domain::{
        key::{Answers, OtpCodes, Passcodes, Purpose, SupportPins},
        name::EmailAddress,
        sender::{self, Sender},
        time::Timestamp,
    },
    runtime::keys::{Keys, Load},
    store::{
        conflict,
        table::{Row, Table},
    },
};

/// Keys that lie in Secrets Manager.
pub trait Kept: Purpose {
    /// The environment variable that holds the secret's ARN.
    const VARIABLE: &'static str;
}

impl Kept for SupportPins {
    const VARIABLE: &'static str = "SUPPORT_PIN_KEYS_SECRET";
}

impl Kept for Passcodes {
    const VARIABLE: &'static str = "PASSCODE_KEYS_SECRET";
}

impl Kept for OtpCodes {
    const VARIABLE: &'static str = "OTP_KEYS_SECRET";
}

impl Kept for Answers {
    const VARIABLE: &'static str = "ANSWER_KEYS_SECRET";
}

/// Something is missing or out of range. What it was is noted and will be reported with everything else.
#[derive(Clone, Copy, Debug)]
pub struct Refused;

/// The environment of a function while it starts.
#[derive(Debug)]
pub struct Edge {
    variables: HashMap<String, String>,
    problems: RefCell<Vec<String>>,
    dynamodb: OnceCell<aws_sdk_dynamodb::Client>,
    /// What is loaded before the first call.
    loading: RefCell<Vec<Rc<dyn Load>>>,
    http: OnceCell<SharedHttpClient>,
    unpooled_http: OnceCell<SharedHttpClient>,
}

/// The system's clock, for what has no event time: an operator's command, and the answer to an event that lacks it.
#[must_use]
pub fn system_time() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(since.as_millis().try_into().unwrap_or(u64::MAX))
}

impl Edge {
    /// The environment of this process.
    pub(crate) fn of_process() -> Self {
        Self::new(std::env::vars().collect())
    }

    pub(crate) fn new(variables: HashMap<String, String>) -> Self {
        Self {
            variables,
            problems: RefCell::default(),
            dynamodb: OnceCell::new(),
            loading: RefCell::default(),
            http: OnceCell::new(),
            unpooled_http: OnceCell::new(),
        }
    }

    /// A table, by the variable that names it.
    pub fn table<R: Row, A>(&self) -> Table<R, A> {
        let client = self.dynamodb.get_or_init(|| self.dynamodb_client()).clone();
        Table::new(client, self.required(R::VARIABLE).unwrap_or_default())
    }

    /// What sends mails: with the configuration set that `MAIL_CONFIGURATION_SET` names, and from `no-reply` at
    /// `MAIL_DOMAIN` where a domain has no sender of its own.
    ///
    /// # Errors
    /// [`Refused`] when one of them is absent, or mail cannot come from there.
    pub fn mailer(&self) -> Result<Mailer, Refused> {
        let configuration_set = self.required("MAIL_CONFIGURATION_SET");
        let domain = self.mail_domain()?;
        let address = sender::default(domain.as_str());
        let sender = Sender {
            address: EmailAddress::parse(&address).expect("a mail domain makes addresses"),
            name: None,
            reply_to: None,
        };
        Ok(Mailer::new(self.ses_client(), configuration_set?, sender))
    }

    /// What sends text messages.
    ///
    /// # Errors
    /// [`Refused`] when a setting is not as SNS takes it.
    pub fn texter(&self) -> Result<Texter, Refused> {
        Ok(Texter::new(self.sns_client(), self.sms_terms()?))
    }

    /// The keys of one purpose, from their secret: JSON of key ids and texts, `{"1":"…","2":{"key":"…","signs_from":1795325548}}`.
    /// They are read before the first call.
    ///
    /// # Errors
    /// [`Refused`] when the variable is not set.
    fn keys<P: Kept>(&self) -> Result<Keys<P>, Refused> {
        let secret = self.required(P::VARIABLE)?;
        let mut loading = self.loading.borrow_mut();
        // Those of one purpose are loaded once, however many fields hold them.
        if let Some(keys) = loading.iter().find_map(|loading| Keys::shared(loading)) {
            return Ok(keys);
        }
        let keys = Keys::new(self.secrets_client(), secret, P::VARIABLE);
        loading.push(keys.loading());
        Ok(keys)
    }

    /// Loads what was wired, one after the other: the connection to Secrets Manager is opened once.
    pub(crate) async fn load(&self) {
        for loading in self.loading.take() {
            if let Err(why) = loading.load(system_time()).await {
                self.refuse(loading.variable(), &format!("names a secret that {why}"));
            }
        }
    }

    /// A variable, unless it is absent or empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|text| !text.is_empty())
    }

    /// Notes a problem.
    pub(crate) fn refuse(&self, name: &str, words: &str) -> Refused {
        let problem = format!("{name} {words}");
        let mut problems = self.problems.borrow_mut();
        if !problems.contains(&problem) {
            problems.push(problem);
        }
        Refused
    }

    /// Every problem so far.
    pub(crate) fn problems(&self) -> Vec<String> {
        self.problems.borrow().clone()
    }

    fn required(&self, name: &str) -> Result<String, Refused> {
        self.text(name)
            .map(str::to_owned)
            .ok_or_else(|| self.refuse(name, "is not set"))
    }

    fn dynamodb_client(&self) -> aws_sdk_dynamodb::Client {
        let mut config = conflict::retried(aws_sdk_dynamodb::config::Builder::from(&self.sdk_config()));
        config.set_endpoint_url(self.endpoint("AWS_ENDPOINT_URL_DYNAMODB"));
        aws_sdk_dynamodb::Client::from_conf(config.build())
    }

    fn secrets_client(&self) -> aws_sdk_secretsmanager::Client {
        let mut config = aws_sdk_secretsmanager::config::Builder::from(&self.sdk_config());
        config.set_endpoint_url(self.endpoint("AWS_ENDPOINT_URL_SECRETS_MANAGER"));
        aws_sdk_secretsmanager::Client::from_conf(config.build())
    }

    fn ses_client(&self) -> aws_sdk_ses::Client {
        let mut config = aws_sdk_ses::config::Builder::from(&self.sdk_config())
            .http_client(self.unpooled_http_client())
            .timeout_config(hanging_once())
            .retry_classifier(AtMostOnce::<aws_sdk_ses::operation::send_email::SendEmailError>::default());
        config.set_endpoint_url(self.endpoint("AWS_ENDPOINT_URL_SES"));
        aws_sdk_ses::Client::from_conf(config.build())
    }

    fn sns_client(&self) -> aws_sdk_sns::Client {
        let mut config = aws_sdk_sns::config::Builder::from(&self.sdk_config())
            .http_client(self.unpooled_http_client())
            .timeout_config(hanging_once())
            .retry_classifier(AtMostOnce::<aws_sdk_sns::operation::publish::PublishError>::default());
        config.set_endpoint_url(self.endpoint("AWS_ENDPOINT_URL_SNS"));
        aws_sdk_sns::Client::from_conf(config.build())
    }

    fn sdk_config(&self) -> SdkConfig {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(self.region())
            .credentials_provider(SharedCredentialsProvider::new(self.credentials()))
            .http_client(self.http_client())
            .retry_config(retries())
            .timeout_config(timeouts())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build()
    }

    fn region(&self) -> Region {
        Region::new(self.required("AWS_REGION").unwrap_or_default())
    }

    /// Lambda gives a sandbox its role's credentials in the environment, and ends it before they do.
    fn credentials(&self) -> Credentials {
        Credentials::new(
            self.required("AWS_ACCESS_KEY_ID").unwrap_or_default(),
            self.required("AWS_SECRET_ACCESS_KEY").unwrap_or_default(),
            self.text("AWS_SESSION_TOKEN").map(str::to_owned),
            None,
            "environment",
        )
    }

    /// Another endpoint than AWS's own. Plain HTTP is taken only where nothing can listen in: on this machine, or in
    /// `sam local`'s container.
    fn endpoint(&self, variable: &'static str) -> Option<String> {
        let name = if self.text(variable).is_some() {
            variable
        } else {
            "AWS_ENDPOINT_URL"
        };
        let text = self.text(name)?;
        let uri = text.parse::<Uri>().ok();
        let (scheme, host) = uri.as_ref().map_or((None, None), |uri| (uri.scheme_str(), uri.host()));
        let near = matches!(host, Some("127.0.0.1" | "localhost" | "[::1]")) || self.text("AWS_SAM_LOCAL").is_some();
        match scheme {
            Some("https") => Some(text.to_owned()),
            Some("http") if near => Some(text.to_owned()),
            _ => {
                self.refuse(
                    name,
                    "must be an https:// address, or an http:// address of this machine",
                );
                None
            }
        }
    }

    /// One HTTP client for all services: rustls on ring, with Amazon's roots built in. ring, because aws-lc's start-up
    /// entropy collection alone costs more than everything else here; the roots, because reading the system's takes
    /// longer than the first call. The connector is made once: the SDK's own way to make one decodes the roots anew for
    /// every client, an eighth of all that a start costs.
    fn http_client(&self) -> SharedHttpClient {
        let make = || {
            let connector = connector(None);
            http_client_fn(move |_, _| connector.clone())
        };
        self.http.get_or_init(make).clone()
    }

    /// The same with a connection of its own for every request. Idle connections die unnoticed while a sandbox is frozen, and
    /// a message that was written to a dead one must not be written again: it would be lost. The connector is made by the
    /// first message, not at start: it decodes the roots anew.
    fn unpooled_http_client(&self) -> SharedHttpClient {
        let make = || {
            let unpooled = OnceLock::new();
            http_client_fn(move |_, _| unpooled.get_or_init(|| connector(Some(0))).clone())
        };
        self.unpooled_http.get_or_init(make).clone()
    }
}

/// A connector that keeps at most so many idle connections to a host, if there is a limit.
fn connector(max_idle: Option<usize>) -> SharedHttpConnector {
    let roots = [
        include_str!("roots/amazon-root-ca-1.pem"),
        include_str!("roots/amazon-root-ca-2.pem"),
        include_str!("roots/amazon-root-ca-3.pem"),
        include_str!("roots/amazon-root-ca-4.pem"),
        include_str!("roots/starfield-services-root-g2.pem"),
    ];
    let store = roots
        .into_iter()
        .fold(TrustStore::empty(), TrustStore::with_pem_certificate);
    let context = TlsContext::builder()
        .with_trust_store(store)
        .build()
        .expect("the roots are certificates");
    let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_WITHIN).build();
    let mut builder = Connector::builder()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(context)
        .connector_settings(settings)
        .sleep_impl(TokioSleep::new());
    builder.set_pool_max_idle_per_host(max_idle);
    SharedHttpConnector::new(builder.build())
}

/// For how long a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);

/// Three tries, close together: the caller waits.
fn retries() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(3)
        .with_initial_backoff(Duration::from_millis(30))
        .with_max_backoff(Duration::from_millis(300))
}

/// A store that hangs is a clean error: the first call that hangs ends with this. Whatever an endpoint does beyond,
/// [`crate::http::serve::ANSWER_WITHIN`] bounds it.
fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_millis(1200))
        .operation_timeout(Duration::from_millis(2500))
        .build()
}

/// SES and SNS send a message anew for every request that they get: a try that hangs is not repeated, since the message may
/// be on its way ([`AtMostOnce`]). A try that was refused is.
fn hanging_once() -> TimeoutConfig {
    // What is not said here, the operation's own timeout, stays as it is for all.
    TimeoutConfig::builder().disable_operation_attempt_timeout().build()
}

#[cfg(test)]
mod tests;
