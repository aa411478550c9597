use countersign_shared::{
    domain::{
        audit::Notice,
        auth::{
            access::{LoginRefusal, Refusal},
            token::{Kind, Presented, Token},
        },
        limits::quota::Quota,
        otp::{Binding, Code, Purpose},
        people::factor::Factor,
    },
    http::{
        call::Call,
        dialects::mithril::{
            Error,
            body::read_otp,
            view::{NextStep, token_answer},
        },
        reply::Answer,
        serve::Endpoint,
    },
    observe::{Milestone, Outcome},
    runtime::{edge::Wire, settings::Lifetimes},
    services::{
        logins::{self, GrantedLogin, Login, Logins, ROUNDS},
        verification::Verifier,
    },
    store::{
        retry::optimistic,
        rows,
        table::{Batch, Committed, Put, Table, Transaction, Update, settled},
    },
};

/// Makes a phone the second factor once its code is verified, and signs its owner in.
#[derive(Wire)]
pub struct Approve {
    pub logins: Logins,
    pub verifier: Verifier,
    pub new_tokens: Table<Token, Put>,
    pub change_factors: Table<Factor, Update>,
    pub change_quotas: Table<Quota, Update>,
    #[wire(token_lifetimes)]
    pub lifetimes: Lifetimes,
}

impl Endpoint for Approve {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let token = call.bearer().ok_or(Refusal::NoToken)?;
        let presented = Presented::parse(token).ok_or(Error::TokenInvalid)?;
        let otp = match read_otp(call, self.verifier.policy.length) {
            Ok(otp) => otp,
            // An error of the token takes precedence.
            Err(error) => {
                self.login(call, &presented).await?;
                return Err(error);
            }
        };
        optimistic(ROUNDS, "the login", async || self.approve(call, &presented, &otp).await).await
    }
}

impl Approve {
    /// The login of a token whose code approves a phone.
    async fn login(&self, call: &Call, presented: &Presented) -> Result<Login, Error> {
        let approves = |kind: &Kind| matches!(kind, Kind::Approval { .. });
        let login = logins::read(&self.logins, call, presented, approves).await?;
        let login = login.map_err(|refusal| match refusal {
            LoginRefusal::OtherKind => Error::NotInitiated,
            LoginRefusal::Unknown | LoginRefusal::Reused | LoginRefusal::Blocked | LoginRefusal::Expired => {
                refusal.into()
            }
        })?;
        call.log_subject(login.user.id.log_name());
        Ok(login)
    }

    /// Consumes the code, sets the factor's phone and starts a session for its owner, all or nothing. `None` after a
    /// concurrent change.
    async fn approve(&self, call: &Call, presented: &Presented, otp: &Code) -> Result<Option<Answer>, Error> {
        let login = self.login(call, presented).await?;
        let Kind::Approval {
            wanted,
            phone,
            replaces,
        } = &login.token.kind
        else {
            return Err(Error::NotInitiated);
        };
        let factor = login.active_factor().ok_or(Error::NotFound)?;
        // Setting the first phone must not replace one that was set concurrently.
        if factor.value.is_some() != replaces.is_some() {
            return Err(Error::TokenExpired);
        }
        let binding = Binding::new(factor, phone, &login.token, Purpose::Approval);
        let Some(next) = self.verifier.verify(call, &login, &binding, otp).await? else {
            return Ok(None);
        };
        let granted = GrantedLogin {
            otps: &self.verifier.otps,
            users: &self.logins.change_users,
            tokens: &self.new_tokens,
            // Changing the phone must not extend the lifetime of the token that allowed it.
            expires_at: replaces.unwrap_or_else(|| call.now.deadline(self.lifetimes.access)),
            // Only codes sent from now on can show that the phone is in use.
            phone_set_at: None,
        };
        let mut transaction = Transaction::default();
        let (access, text) = granted.add(&mut transaction, call, &login, &next, wanted)?;
        let approve = rows::factor::approve(&factor.id, phone, factor, call.now);
        transaction.update(&self.change_factors, &factor.owner(), approve);
        let notice = Notice::FactorChanged { phone: phone.masked() };
        let act = Outcome::FactorApproved.of_user(&login.user).with_notice(notice);
        self.logins.audit.add(&mut transaction, call, act);
        let is_issued = Batch::finds(&self.logins.tokens, &access.digest, call.now);
        match settled(transaction.commit().await, is_issued).await? {
            Committed::No(_) => return Ok(None),
            Committed::Yes => {}
        }
        logins::count_verified(&self.change_quotas, call, &login, &next).await;
        let next = NextStep::RequestApps;
        let answer = token_answer(call, Outcome::FactorApproved, &access, &text, "approve_factor", next);
        Ok(Some(answer.counted_as(Milestone::Verified)))
    }
}
