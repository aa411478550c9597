use countersign_shared::{
    delivery::{mail::Mailer, text::Texter, words::Message},
    domain::{
        budget::Budget,
        claim::Claim,
        client::Client,
        factor::Factor,
        key::{Answers, Keyring, OtpCodes},
        lockout,
        meter::Meter,
        name::DomainName,
        otp::Otps,
        password::Cost,
        repetition::{Keeping, Remembered},
        secret::Secret,
        suppression::Suppression,
        tenant::Domain,
        token::{Kind, Presented, Token},
        unknown::UnknownIdentity,
        user::User,
    },
    edge::Wire,
    http::{
        call::Call,
        mithril::{
            Error,
            body::{GrantWanted, read_grant},
        },
        reply::Answer,
        serve::Endpoint,
    },
    keys::Keys,
    notices::Notices,
    repetition::{self, Caller, Owners, Users},
    second_factor::{self, Login},
    sending::{self, Policy},
    settings::Lifetimes,
    store::{
        rows::budget::Spent,
        table::{BatchGet, Check, Delete, Get, Put, Table, Update},
    },
};

/// Gives tokens: for a password, for a code, for another code, for a client's secret.
#[derive(Wire)]
pub struct Create {
    pub repetitions: Table<Remembered, Put>,
    pub forget: Table<Remembered, Delete>,
    pub clients: Table<Client, Get>,
    pub claims: Table<Claim, Get>,
    pub tokens: Table<Token, BatchGet>,
    pub users: Table<User, BatchGet>,
    pub depend_on_users: Table<User, Check>,
    pub factors: Table<Factor, BatchGet>,
    pub otps: Table<Otps, BatchGet>,
    pub meters: Table<Meter, BatchGet>,
    pub domains: Table<Domain, BatchGet>,
    pub suppressions: Table<Suppression, BatchGet>,
    pub new_tokens: Table<Token, Put>,
    pub change_tokens: Table<Token, Update>,
    pub change_users: Table<User, Update>,
    pub change_otps: Table<Otps, Update>,
    pub change_meters: Table<Meter, Update>,
    pub read_budgets: Table<Spent, BatchGet>,
    pub budgets: Table<Spent, Update>,
    pub read_unknown: Table<UnknownIdentity, BatchGet>,
    pub change_unknown: Table<UnknownIdentity, Update>,
    pub depend_on_unknown: Table<UnknownIdentity, Check>,
    pub answers: Keys<Answers>,
    pub keys: Keys<OtpCodes>,
    pub mailer: Mailer,
    pub texter: Texter,
    #[wire(sending_policy)]
    pub policy: Policy,
    #[wire(lockout_policy)]
    pub lockout: lockout::Policy,
    #[wire(token_lifetimes)]
    pub lifetimes: Lifetimes,
    #[wire(failed_logins)]
    pub failed_logins: Budget,
    #[wire(password_cost)]
    pub cost: Cost,
}

impl Endpoint for Create {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let wanted = read_grant(call, self.policy.otp.length)?;
        let answer = async {
            match wanted {
                GrantWanted::Password {
                    email,
                    password,
                    client_id,
                    scope,
                } => self.password(call, &email, &password, &client_id, &scope).await,
                GrantWanted::Authorize { token, otp } => self.authorize(call, token, &otp).await,
                GrantWanted::Refresh { token } => self.refresh(call, token).await,
                GrantWanted::ClientCredentials {
                    client_id,
                    client_secret,
                    scope,
                } => self.client_credentials(call, &client_id, &client_secret, &scope).await,
            }
        };
        let answers = self.answers.at(call.now).await;
        let keeping = Keeping::Sealed(&answers);
        let caller = Caller {
            function: "token-create",
            credential: call.bearer().unwrap_or_default(),
        };
        let users = Users {
            read: &self.users,
            depend_on: &self.depend_on_users,
        };
        let doors = repetition::Doors {
            calls: &self.repetitions,
            forget: &self.forget,
            owners: Owners::UsersAndClients(users, &self.clients),
        };
        repetition::once(doors, keeping, call, caller, answer).await
    }
}

impl Create {
    /// The login that a token carries on, if it waits for a code.
    pub async fn login(&self, call: &Call, token: Option<Secret>) -> Result<Login, Error> {
        let token = token.ok_or(Error::NoToken)?;
        let presented = Presented::parse(token.expose()).ok_or(Error::TokenInvalid)?;
        let doors = second_factor::Doors {
            tokens: &self.tokens,
            users: &self.users,
            factors: &self.factors,
            otps: &self.otps,
            meters: &self.meters,
            change_users: &self.change_users,
        };
        let waits = |kind: &Kind| matches!(kind, Kind::SecondFactor { .. });
        let login = second_factor::read(doors, call, &presented, waits).await??;
        call.note_subject(login.user.id.log_name());
        Ok(login)
    }

    /// What sending a code may touch.
    pub fn doors<'a>(&'a self, keys: &'a Keyring<OtpCodes>) -> sending::Doors<'a> {
        sending::Doors {
            otps: &self.change_otps,
            budgets: &self.budgets,
            meters: &self.change_meters,
            texter: &self.texter,
            keys,
            policy: &self.policy,
        }
    }

    /// Tells a user that the account was locked.
    pub async fn tell_locked(&self, call: &Call, user: &User) {
        let message = Message::Locked { at: call.now };
        self.notices().tell(call, user, &message, "locked").await;
    }

    /// Does the same work when an address was locked that has no account.
    pub async fn tell_nobody_locked(&self, call: &Call, domain: &DomainName, identity: &[u8; 32]) {
        let message = Message::Locked { at: call.now };
        let notices = self.notices();
        notices.tell_nobody(call, domain, *identity, &message, "locked").await;
    }

    /// What notifies users.
    pub fn notices(&self) -> Notices<'_> {
        Notices {
            mailer: &self.mailer,
            domains: &self.domains,
            suppressions: &self.suppressions,
        }
    }
}
