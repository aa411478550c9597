//! Floor 1: where a function meets its environment. Variables, keys and clients are read and created once, while the
//! sandbox initialises; every missing or invalid value is reported, and then nothing is served.

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
    delivery::{attempt::AtMostOnce, bus::EventBus, mail::Mailer, text::Texter},
    domain::{
        crypto::key::{Answers, Factors, OtpCodes, Passcodes, Purpose, SupportPins, Verifications},
        mail::sender::{self, Sender},
        people::name::EmailAddress,
        time::Timestamp,
    },
    runtime::keys::{Keys, Load},
    store::{
        conflict,
        table::{Row, Table},
    },
};

/// Keys stored in Secrets Manager.
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

impl Kept for Verifications {
    const VARIABLE: &'static str = "VERIFY_KEYS_SECRET";
}

impl Kept for Factors {
    const VARIABLE: &'static str = "FACTOR_KEYS_SECRET";
}

impl Kept for Answers {
    const VARIABLE: &'static str = "ANSWER_KEYS_SECRET";
}

/// A setting is missing or out of range. The problem was recorded and is reported together with all others.
#[derive(Clone, Copy, Debug)]
pub struct Refused;

/// The environment of a function during its start.
#[derive(Debug)]
pub struct Edge {
    variables: HashMap<String, String>,
    problems: RefCell<Vec<String>>,
    dynamodb: OnceCell<aws_sdk_dynamodb::Client>,
    secrets: OnceCell<aws_sdk_secretsmanager::Client>,
    /// Keys to load before the first call.
    loading: RefCell<Vec<Rc<dyn Load>>>,
    http: OnceCell<SharedHttpClient>,
    unpooled_http: OnceCell<SharedHttpClient>,
}

/// The system clock, for work without an event time: an operator's command, and the answer to an event without one.
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
            secrets: OnceCell::new(),
            loading: RefCell::default(),
            http: OnceCell::new(),
            unpooled_http: OnceCell::new(),
        }
    }

    /// A table, by the environment variable that names it.
    pub fn table<R: Row, A>(&self) -> Table<R, A> {
        Table::new(self.dynamodb_client(), self.required(R::VARIABLE).unwrap_or_default())
    }

    /// The mail client: with the configuration set that `MAIL_CONFIGURATION_SET` names, and from `no-reply` at
    /// `MAIL_DOMAIN` for domains without a sender of their own.
    ///
    /// # Errors
    /// [`Refused`] when a setting is missing or not valid for mail.
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

    /// The mail client, or none in a deployment that sends no mail: without `MAIL_DOMAIN`.
    ///
    /// # Errors
    /// [`Refused`] when a setting is missing or not valid for mail.
    pub fn mailer_if_any(&self) -> Result<Option<Mailer>, Refused> {
        match self.text("MAIL_DOMAIN") {
            None => Ok(None),
            Some(_) => self.mailer().map(Some),
        }
    }

    /// The event bus that `EVENT_BUS` names, if it names one: in this account and region.
    ///
    /// # Errors
    /// [`Refused`] when EventBridge has no bus of such a name.
    pub fn event_bus(&self) -> Result<Option<EventBus>, Refused> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        match self.text("EVENT_BUS") {
            None => Ok(None),
            Some(name) if name.len() <= 256 && name.bytes().all(fits) => {
                Ok(Some(EventBus::new(self.events_client(), name.to_owned())))
            }
            Some(_) => Err(self.refuse(
                "EVENT_BUS",
                "(the parameter EventBus) must be the name of an event bus: up to 256 letters, digits, dots, hyphens and underscores",
            )),
        }
    }

    /// The text message client.
    ///
    /// # Errors
    /// [`Refused`] when SNS would not accept a setting.
    pub fn texter(&self) -> Result<Texter, Refused> {
        Ok(Texter::new(self.sns_client(), self.sms_terms()?))
    }

    /// The keys of one purpose, from their secret: JSON of key ids and texts,
    /// `{"1":"…","2":{"key":"…","signs_from":1795325548}}`. They are loaded before the first call.
    ///
    /// # Errors
    /// [`Refused`] when the variable is not set.
    fn keys<P: Kept>(&self) -> Result<Keys<P>, Refused> {
        let secret = self.required(P::VARIABLE)?;
        let mut loading = self.loading.borrow_mut();
        // Keys of one purpose are loaded once, however many fields hold them.
        if let Some(keys) = loading.iter().find_map(|loading| Keys::shared(loading)) {
            return Ok(keys);
        }
        let keys = Keys::new(self.secrets_client(), secret, P::VARIABLE);
        loading.push(keys.loading());
        Ok(keys)
    }

    /// Loads the keys one after the other, so that the connection to Secrets Manager is opened once.
    pub(crate) async fn load(&self) {
        for loading in self.loading.take() {
            if let Err(why) = loading.load(system_time()).await {
                self.refuse(loading.variable(), &format!("names a secret that {why}"));
            }
        }
    }

    /// An environment variable; `None` if absent or empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// Records a problem.
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
        self.text(name).map(str::to_owned).ok_or_else(|| self.refuse(name, "is not set"))
    }

    fn dynamodb_client(&self) -> aws_sdk_dynamodb::Client {
        let make = || {
            let mut config = conflict::retried(aws_sdk_dynamodb::config::Builder::from(&self.sdk_config()));
            config.set_endpoint_url(self.endpoint("AWS_ENDPOINT_URL_DYNAMODB"));
            aws_sdk_dynamodb::Client::from_conf(config.build())
        };
        self.dynamodb.get_or_init(make).clone()
    }

    fn secrets_client(&self) -> aws_sdk_secretsmanager::Client {
        let make = || {
            let mut config = aws_sdk_secretsmanager::config::Builder::from(&self.sdk_config());
            config.set_endpoint_url(self.endpoint("AWS_ENDPOINT_URL_SECRETS_MANAGER"));
            aws_sdk_secretsmanager::Client::from_conf(config.build())
        };
        self.secrets.get_or_init(make).clone()
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

    /// Retries like all calls: an event that is published twice has the same id, by which consumers recognise it.
    fn events_client(&self) -> aws_sdk_eventbridge::Client {
        let mut config = aws_sdk_eventbridge::config::Builder::from(&self.sdk_config());
        config.set_endpoint_url(self.endpoint("AWS_ENDPOINT_URL_EVENTBRIDGE"));
        aws_sdk_eventbridge::Client::from_conf(config.build())
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

    /// Lambda passes the role's credentials in the environment, and ends the sandbox before they expire.
    fn credentials(&self) -> Credentials {
        Credentials::new(
            self.required("AWS_ACCESS_KEY_ID").unwrap_or_default(),
            self.required("AWS_SECRET_ACCESS_KEY").unwrap_or_default(),
            self.text("AWS_SESSION_TOKEN").map(str::to_owned),
            None,
            "environment",
        )
    }

    /// An endpoint other than AWS's own. Plain HTTP is accepted only where no one can eavesdrop: on this machine, or in
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
                self.refuse(name, "must be an https:// address, or an http:// address of this machine");
                None
            }
        }
    }

    /// One HTTP client for all services: rustls on ring, with Amazon's roots built in. ring, because aws-lc's start-up
    /// entropy collection alone costs more than everything else here; the roots, because reading the system's takes
    /// longer than the first call. The connector is created once: the SDK's default decodes the roots again for every
    /// client, an eighth of the cost of a start.
    fn http_client(&self) -> SharedHttpClient {
        let make = || {
            let connector = connector(None);
            http_client_fn(move |_, _| connector.clone())
        };
        self.http.get_or_init(make).clone()
    }

    /// The same with a new connection for every request. Idle connections die unnoticed while a sandbox is frozen, and
    /// a message written to a dead one must not be retried, so it would be lost. The connector is created by the first
    /// message, not at start, because it decodes the roots again.
    fn unpooled_http_client(&self) -> SharedHttpClient {
        let make = || {
            let unpooled = OnceLock::new();
            http_client_fn(move |_, _| unpooled.get_or_init(|| connector(Some(0))).clone())
        };
        self.unpooled_http.get_or_init(make).clone()
    }
}

/// A connector that keeps at most `max_idle` idle connections to a host, if given.
fn connector(max_idle: Option<usize>) -> SharedHttpConnector {
    let roots = [
        include_str!("roots/amazon-root-ca-1.pem"),
        include_str!("roots/amazon-root-ca-2.pem"),
        include_str!("roots/amazon-root-ca-3.pem"),
        include_str!("roots/amazon-root-ca-4.pem"),
        include_str!("roots/starfield-services-root-g2.pem"),
    ];
    let store = roots.into_iter().fold(TrustStore::empty(), TrustStore::with_pem_certificate);
    let context = TlsContext::builder().with_trust_store(store).build().expect("the roots are certificates");
    let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_WITHIN).build();
    let mut builder = Connector::builder()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(context)
        .connector_settings(settings)
        .sleep_impl(TokioSleep::new());
    builder.set_pool_max_idle_per_host(max_idle);
    SharedHttpConnector::new(builder.build())
}

/// Timeout for connecting.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);

/// Three tries with short delays, because the caller waits.
fn retries() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(3)
        .with_initial_backoff(Duration::from_millis(30))
        .with_max_backoff(Duration::from_millis(300))
}

/// Timeouts that turn a hanging store into a clean error: the first call that hangs fails.
/// [`crate::http::serve::ANSWER_WITHIN`] bounds everything else that an endpoint does.
fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_millis(1200))
        .operation_timeout(Duration::from_millis(2500))
        .build()
}

/// SES and SNS send a message again for every request they get, so a try that hangs is not retried: the message may be
/// on its way ([`AtMostOnce`]). A try that was refused is retried.
fn hanging_once() -> TimeoutConfig {
    // The operation timeout, which is not set here, keeps its common value.
    TimeoutConfig::builder().disable_operation_attempt_timeout().build()
}

#[cfg(test)]
mod tests;
