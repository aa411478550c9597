use countersign_shared::{
    domain::{
        audit::Event,
        auth::{
            client::Client,
            token::{Kind, Presented, Token},
        },
        crypto::{key::Answers, secret::Secret},
        device::Devices,
        idempotency::Storage,
        limits::rate_limit::RateLimit,
        password::Cost,
        people::{claim::Claim, factor::Factor, tenant::Domain, unknown::UnknownIdentity},
    },
    http::{
        call::Call,
        dialects::mithril::{
            Error,
            body::{TokenRequest, read_grant},
        },
        reply::Answer,
        serve::Endpoint,
    },
    runtime::{edge::Wire, keys::Keys, settings::Lifetimes},
    services::{
        idempotency::{self, AnsweredUsers, Caller, Idempotency, IdempotentWrites, Once, Owners},
        logins::{self, Login, Logins, Reads},
        otp_sender::OtpSender,
        verification::Verifier,
    },
    store::{
        rows::rate_limit::Usage,
        table::{BatchGet, Check, Get, Put, Table, Update},
    },
};

/// Issues tokens: for a password, for a code, with another code, for a client's secret.
#[derive(Wire)]
pub struct Create {
    pub idempotency: Idempotency,
    pub writes: IdempotentWrites,
    pub answered: AnsweredUsers,
    pub logins: Logins,
    pub sender: OtpSender,
    pub verifier: Verifier,
    pub clients: Table<Client, Get>,
    pub claims: Table<Claim, Get>,
    pub domains: Table<Domain, BatchGet>,
    pub new_tokens: Table<Token, Put>,
    pub change_tokens: Table<Token, Update>,
    pub change_factors: Table<Factor, Update>,
    pub read_rate_limits: Table<Usage, BatchGet>,
    pub read_unknown: Table<UnknownIdentity, BatchGet>,
    pub change_unknown: Table<UnknownIdentity, Update>,
    pub depend_on_unknown: Table<UnknownIdentity, Check>,
    pub depend_on_devices: Table<Devices, Check>,
    pub unrecorded: Table<Event, Check>,
    pub answers: Keys<Answers>,
    #[wire(token_lifetimes)]
    pub lifetimes: Lifetimes,
    #[wire(failed_logins)]
    pub failed_logins: RateLimit,
    #[wire(password_cost)]
    pub cost: Cost,
}

impl Endpoint for Create {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let request = read_grant(call, self.sender.policy.otp.length)?;
        let sends = matches!(request, TokenRequest::Password { .. } | TokenRequest::Refresh { .. });
        let answer = async |once: &Once<'_>| match request {
            TokenRequest::Password {
                email,
                password,
                client_id,
                scope,
                device,
            } => self.password(call, &email, &password, (&client_id, &scope), &device, once).await,
            TokenRequest::Authorize { token, otp, device } => self.authorize(call, token, &otp, device, once).await,
            TokenRequest::Refresh { token } => self.refresh(call, token, once).await,
            TokenRequest::ClientCredentials {
                client_id,
                client_secret,
                scope,
            } => self.client_credentials(call, &client_id, &client_secret, &scope, once).await,
        };
        let answers = self.answers.at(call.now).await;
        let storage = Storage::Encrypted(&answers);
        let caller = Caller {
            function: "token-create",
            credential: call.bearer().unwrap_or_default(),
        };
        let owners = Owners::UsersAndClients(&self.answered, &self.clients);
        match sends {
            true => idempotency::run_once(&self.idempotency, owners, storage, call, caller, answer).await,
            false => idempotency::run_in_transaction(&self.writes, owners, storage, call, caller, answer).await,
        }
    }
}

impl Create {
    /// The login that a token continues, if it waits for a second factor.
    pub async fn login(&self, call: &Call, token: Option<Secret>, reads: Reads) -> Result<Login, Error> {
        let token = token.ok_or(Error::NoToken)?;
        let presented = Presented::parse(token.expose()).ok_or(Error::TokenInvalid)?;
        let waits = |kind: &Kind| matches!(kind, Kind::SecondFactor { .. });
        let login = logins::read(&self.logins, call, &presented, waits, reads).await??;
        call.log_subject(login.user.id.log_name());
        Ok(login)
    }
}
