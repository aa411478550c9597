use countersign_shared::{
    domain::{
        audit::Notice,
        auth::token::Kind,
        crypto::secret::Secret,
        device::Remembered,
        idempotency::Issued,
        otp::{Proof, Submitted},
        people::factor::FactorType,
    },
    fault::Fault,
    http::{
        call::Call,
        dialects::mithril::{
            Error,
            body::GrantType,
            view::{NextStep, Urgent, token_answer},
        },
        reply::Answer,
    },
    observe::{Milestone, Outcome},
    services::{
        idempotency::Once,
        logins::{self, FACTORS, Granted, GrantedLogin, Login, ROUNDS, Reads, WantedDevice},
    },
    store::{
        retry::optimistic,
        rows,
        table::{Batch, Committed, Transaction, settled},
    },
};

use rand::rngs::SysRng;

use crate::handler::Create;

impl Create {
    /// Verifies what was submitted against the login as it was read, and writes the result on condition that nothing has
    /// changed (optimistic locking): a guess that lost the race is verified again, against the winner's result.
    pub async fn authorize(
        &self,
        call: &Call,
        token: Option<Secret>,
        otp: &Submitted,
        wants_device: bool,
        once: &Once<'_>,
    ) -> Result<Answer, Error> {
        let grant = async || self.grant(call, token.clone(), (otp, wants_device), once).await;
        optimistic(ROUNDS, "the login", grant).await
    }

    /// Consumes the code, resets the failures and starts the session with its access token, all or nothing. `None`
    /// after a concurrent change.
    async fn grant(
        &self,
        call: &Call,
        token: Option<Secret>,
        (otp, wants_device): (&Submitted, bool),
        once: &Once<'_>,
    ) -> Result<Option<Answer>, Error> {
        let reads = Reads {
            factors: match otp {
                // A change of any of them makes the device one that is not remembered.
                Submitted::Digits { .. } if !wants_device => FACTORS,
                Submitted::Digits { .. } | Submitted::Recovery(_) => FactorType::ALL,
            },
            devices: wants_device,
        };
        let login = self.login(call, token, reads).await?;
        let Some(verified) = self.verifier.verify_sign_in(call, &login, otp).await? else {
            return Ok(None);
        };
        let Kind::SecondFactor { wanted } = &login.token.kind else {
            return Err(Error::WrongTokenType);
        };
        let phone = login.factors.sms().and_then(|(factor, _)| factor.phone());
        let granted = GrantedLogin {
            otps: &self.sender.otps,
            users: &self.logins.change_users,
            tokens: &self.new_tokens,
            devices: &self.verifier.devices,
            wanted_device: wants_device.then(|| WantedDevice {
                remembered: self.remembered(call, &login, verified.proof),
            }),
            expires_at: call.now.deadline(self.lifetimes.access),
            phone_set_at: match verified.proof {
                Proof::Sms => phone.and_then(|phone| phone.set_at),
                Proof::Totp(_) | Proof::Recovery(_) => None,
            },
        };
        let mut transaction = Transaction::default();
        let granted = granted.add(&mut transaction, call, &login, &verified.next, wanted)?;
        let Granted {
            access,
            text,
            device_token,
        } = granted;
        let act = Outcome::OtpVerified.of_user(&login.user);
        let mut urgent = Urgent::from(NextStep::RequestApps).with_device(device_token.as_ref());
        let act = match verified.proof {
            Proof::Sms => act,
            Proof::Totp(_) => {
                self.encrypt_again(&mut transaction, call, &login).await?;
                act
            }
            Proof::Recovery(digest) => {
                let key = FactorType::RecoveryCodes.of(login.user.id);
                transaction.update(&self.change_factors, &key, rows::factor::use_recovery_code(&digest));
                let left = login.factors.recovery().map_or(0, |(_, codes)| codes.unused.len() - 1);
                urgent = urgent.with_recovery_codes_left(Some(left));
                Outcome::RecoveryCodeUsed.of_user(&login.user).with_notice(Notice::RecoveryCodeUsed { left })
            }
        };
        let outcome = match verified.proof {
            Proof::Sms | Proof::Totp(_) => Outcome::OtpVerified,
            Proof::Recovery(_) => Outcome::RecoveryCodeUsed,
        };
        self.logins.audit.add(&mut transaction, call, act);
        let answer = token_answer(call, outcome, &access, &text, GrantType::Authorize.name(), urgent);
        let issued = Issued::to_user(login.user.id, access.generation, call.now).in_lane(access.lane());
        let answer = answer.counted_as(Milestone::Verified).issued(issued);
        once.store(&mut transaction, &answer)?;
        let is_issued = Batch::finds(&self.logins.tokens, &access.digest, call.now);
        match settled(transaction.commit().await, is_issued).await? {
            Committed::No(_) => return Ok(None),
            Committed::Yes => {}
        }
        match verified.proof {
            Proof::Sms => logins::count_verified(&self.sender.quotas, call, &login, &verified.next).await,
            Proof::Totp(_) | Proof::Recovery(_) => {}
        }
        Ok(Some(answer))
    }

    /// What makes the login's device a remembered one: a second factor, and never a recovery code.
    fn remembered(&self, call: &Call, login: &Login, proof: Proof) -> Option<Remembered> {
        match proof {
            Proof::Sms | Proof::Totp(_) => self.verifier.devices.policy.remember(&login.factors.0, call.now),
            Proof::Recovery(_) => None,
        }
    }

    /// Encrypts the secret of the user's authenticator app with the newest key, if another one has encrypted it: this is
    /// how keys of second factors are replaced.
    async fn encrypt_again(&self, transaction: &mut Transaction, call: &Call, login: &Login) -> Result<(), Fault> {
        let keys = self.verifier.factor_keys.at(call.now).await.derive();
        let Some((factor, stored)) = login.factors.totp().filter(|(_, stored)| stored.key != keys.signing().id())
        else {
            return Ok(());
        };
        let secret = factor.app().decrypt(&keys, stored)?;
        let next = factor.app().encrypt(&keys, &secret, &mut SysRng)?;
        transaction.update(&self.change_factors, &factor.owner(), rows::factor::encrypt_again(stored, &next));
        Ok(())
    }
}
