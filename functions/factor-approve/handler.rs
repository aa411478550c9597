use countersign_shared::{
    domain::{
        audit::Notice,
        auth::{
            access::{LoginRefusal, Refusal},
            token::{Kind, Presented, Token},
        },
        limits::quota::Quota,
        otp::{Proof, Submitted},
        people::factor::{Factor, FactorType, NewValue, Value},
    },
    fault::Fault,
    http::{
        call::Call,
        dialects::mithril::{
            Error,
            body::read_otp,
            view::{NextStep, Urgent, token_answer},
        },
        reply::Answer,
        serve::Endpoint,
    },
    observe::{Milestone, Outcome},
    runtime::{edge::Wire, settings::Lifetimes},
    services::{
        logins::{self, Granted, GrantedLogin, Login, Logins, READS, ROUNDS},
        recovery,
        verification::Verifier,
    },
    store::{
        retry::optimistic,
        rows,
        table::{Batch, Committed, Put, Table, Transaction, Update, settled},
    },
};
use rand::rngs::SysRng;

/// Makes a phone or an authenticator app a second factor once its code is verified, and signs its owner in.
#[derive(Wire)]
pub struct Approve {
    pub logins: Logins,
    pub verifier: Verifier,
    pub new_tokens: Table<Token, Put>,
    pub change_factors: Table<Factor, Update>,
    pub factors: Table<Factor, Put>,
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
    /// The login of a token whose code approves a factor.
    async fn login(&self, call: &Call, presented: &Presented) -> Result<Login, Error> {
        let approves = |kind: &Kind| matches!(kind, Kind::Approval { .. });
        let login = logins::read(&self.logins, call, presented, approves, READS).await?;
        let login = login.map_err(|refusal| match refusal {
            LoginRefusal::OtherKind => Error::NotInitiated,
            LoginRefusal::Unknown | LoginRefusal::Reused | LoginRefusal::Blocked | LoginRefusal::Expired => {
                refusal.into()
            }
        })?;
        call.log_subject(login.user.id.log_name());
        Ok(login)
    }

    /// Consumes the code, sets the factor and starts a session for its owner, all or nothing. `None` after a concurrent
    /// change.
    async fn approve(&self, call: &Call, presented: &Presented, otp: &Submitted) -> Result<Option<Answer>, Error> {
        let login = self.login(call, presented).await?;
        let Kind::Approval {
            wanted,
            value,
            replaces,
        } = &login.token.kind
        else {
            return Err(Error::NotInitiated);
        };
        // The first factor, which the password alone may set, must not add to one that was set since.
        let is_proven = replaces.is_some() && login.token.has_second_factor();
        if login.factors.are_set() && !is_proven {
            return Err(Error::TokenExpired);
        }
        let found = |factor_type| login.factors.0.iter().find(|factor| factor.factor_type() == factor_type);
        match value {
            NewValue::Phone(_) => {
                login.factors.active(FactorType::Sms).ok_or(Error::NotFound)?;
                // The factors that allowed this change were reset.
                if replaces.is_some() && !login.factors.are_set() {
                    return Err(Error::TokenExpired);
                }
            }
            NewValue::App { factor, .. } => {
                let app = found(FactorType::Totp);
                if app.is_some_and(|app| !app.is_active || app.id != *factor) {
                    return Err(Error::NotFound);
                }
            }
        }
        let Some(verified) = self.verifier.verify_approval(call, &login, value, otp).await? else {
            return Ok(None);
        };
        let granted = GrantedLogin {
            otps: &self.verifier.otps,
            users: &self.logins.change_users,
            tokens: &self.new_tokens,
            devices: &self.verifier.devices,
            wanted_device: None,
            // Changing a factor must not extend the lifetime of the token that allowed it.
            expires_at: replaces.unwrap_or_else(|| call.now.deadline(self.lifetimes.access)),
            // Only codes sent from now on can show that the phone is in use.
            phone_set_at: None,
        };
        let mut transaction = Transaction::default();
        let Granted { access, text, .. } = granted.add(&mut transaction, call, &login, &verified.next, wanted)?;
        let (act, urgent) = match value {
            NewValue::Phone(phone) => {
                let factor = login.factors.active(FactorType::Sms).ok_or(Error::NotFound)?;
                let approve = rows::factor::approve(&factor.id, phone, factor, call.now);
                transaction.update(&self.change_factors, &factor.owner(), approve);
                let notice = Notice::FactorChanged { phone: phone.masked() };
                (Outcome::FactorApproved.of_user(&login.user).with_notice(notice), NextStep::RequestApps.into())
            }
            NewValue::App { factor, secret } => {
                let value = Value::Totp(Some(secret.clone()));
                match found(FactorType::Totp) {
                    Some(found) => {
                        let condition = rows::factor::is_as_read(found);
                        transaction.put_if(&self.factors, &found.clone().with(value, call.now), condition);
                    }
                    None => {
                        let none = Factor::new(login.user.id, FactorType::Totp, &mut SysRng, call.now);
                        let app = Factor {
                            id: *factor,
                            ..none.map_err(Fault::from)?
                        };
                        transaction.put_new(&self.factors, &app.with(value, call.now), call.now);
                    }
                }
                let keys = self.verifier.factor_keys.at(call.now).await.derive();
                let (codes, shown) = recovery::issue(&keys, login.user.id, call.now)?;
                transaction.put(&self.factors, &codes);
                let act = Outcome::AppApproved.of_user(&login.user).with_notice(Notice::AppChanged);
                (act, Urgent::from(NextStep::RequestApps).with_recovery_codes(&shown))
            }
        };
        let outcome = match value {
            NewValue::Phone(_) => Outcome::FactorApproved,
            NewValue::App { .. } => Outcome::AppApproved,
        };
        self.logins.audit.add(&mut transaction, call, act);
        let is_issued = Batch::finds(&self.logins.tokens, &access.digest, call.now);
        match settled(transaction.commit().await, is_issued).await? {
            Committed::No(_) => return Ok(None),
            Committed::Yes => {}
        }
        match verified.proof {
            Proof::Sms => logins::count_verified(&self.change_quotas, call, &login, &verified.next).await,
            Proof::Totp(_) | Proof::Recovery(_) => {}
        }
        let answer = token_answer(call, outcome, &access, &text, "approve_factor", urgent);
        Ok(Some(answer.counted_as(Milestone::Verified)))
    }
}
