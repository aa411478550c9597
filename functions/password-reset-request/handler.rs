use countersign_shared::{
    delivery::mail::Mailer,
    domain::{
        auth::{
            access::Refusal,
            token::{Presented, Token},
        },
        idempotency::Storage,
        mail::{link::Policy, suppression::Suppression},
        password_reset::PasswordResetRequest,
        people::{claim::Claim, tenant::Domain, user::User},
        support_pin::SupportPin,
    },
    http::{
        call::Call,
        dialects::era::{
            Error,
            body::{self, PasswordRequest},
        },
        reply::Answer,
        serve::Endpoint,
    },
    runtime::edge::Wire,
    services::{
        audit::AuditLog,
        idempotency::{self, AnsweredUsers, Caller, Idempotency, IdempotentWrites, Once, Owners},
        reauthentication::Reauthentication,
    },
    store::{
        rows::{bucket::Level, rate_limit::Usage},
        table::{BatchGet, Delete, Put, Table, Update},
    },
};

/// Mails a link to a user who has lost the password, or changes it for a user who knows it.
#[derive(Wire)]
pub struct Request {
    pub idempotency: Idempotency,
    pub writes: IdempotentWrites,
    pub answered: AnsweredUsers,
    pub claims: Table<Claim, BatchGet>,
    pub read_rate_limits: Table<Usage, BatchGet>,
    pub rate_limits: Table<Usage, Update>,
    pub read_levels: Table<Level, BatchGet>,
    pub levels: Table<Level, Update>,
    pub requests: Table<PasswordResetRequest, Put>,
    pub take_back: Table<PasswordResetRequest, Delete>,
    pub tokens: Table<Token, BatchGet>,
    pub change_users: Table<User, Update>,
    pub pins: Table<SupportPin, Delete>,
    pub domains: Table<Domain, BatchGet>,
    pub suppressions: Table<Suppression, BatchGet>,
    pub mailer: Mailer,
    #[wire(password_reset_policy)]
    pub policy: Policy,
    pub reauthentication: Reauthentication,
    pub audit: AuditLog,
}

impl Endpoint for Request {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let request = body::read_password_request(call)?;
        let caller = |credential| Caller {
            function: "password-reset-request",
            credential,
        };
        match request {
            PasswordRequest::Reset(request) => {
                let caller = caller(call.bearer().unwrap_or_default());
                let reset = async |once: &Once<'_>| self.reset(call, request, once).await;
                idempotency::run_once(&self.idempotency, Owners::Public, Storage::Plain, call, caller, reset).await
            }
            PasswordRequest::Change(request) => {
                let (caller, owners) = (caller(token(call)?), Owners::Users(&self.answered));
                let change = async |once: &Once<'_>| self.change(call, request, once).await;
                idempotency::run_in_transaction(&self.writes, owners, Storage::Plain, call, caller, change).await
            }
        }
    }
}

/// The caller's token, if it has the form of our own: a request with passwords is stored for idempotency only together
/// with a secret that cannot be guessed.
fn token(call: &Call) -> Result<&str, Refusal> {
    let token = call.bearer().ok_or(Refusal::NoToken)?;
    Presented::parse(token).map(|_| token).ok_or(Refusal::UnknownToken)
}
