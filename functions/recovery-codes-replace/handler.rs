use countersign_shared::{
    domain::{
        audit::Notice,
        auth::{
            access::Refusal,
            token::{Presented, Token},
        },
        crypto::key::{Answers, Factors},
        idempotency::{Issued, Storage},
        people::factor::{self, Factor},
    },
    http::{
        call::Call,
        dialects::mithril::{Error, FACTOR_INIT, body::read_password, view::recovery_codes_answer},
        reply::Answer,
        serve::Endpoint,
    },
    observe::Outcome,
    runtime::{edge::Wire, keys::Keys},
    services::{
        audit::AuditLog,
        auth,
        idempotency::{self, AnsweredUsers, Caller, IdempotentWrites, Once, Owners},
        logins::FACTORS,
        reauthentication::Reauthentication,
        recovery,
    },
    store::{
        rows,
        table::{Batch, BatchGet, Committed, Put, Table, Transaction, settled},
    },
};

/// Makes ten new recovery codes in place of the earlier ones, for a signed-in user who gives the password again.
#[derive(Wire)]
pub struct Replace {
    pub writes: IdempotentWrites,
    pub answered: AnsweredUsers,
    pub tokens: Table<Token, BatchGet>,
    pub read_factors: Table<Factor, BatchGet>,
    pub factors: Table<Factor, Put>,
    pub reauthentication: Reauthentication,
    pub keys: Keys<Factors>,
    pub answers: Keys<Answers>,
    pub audit: AuditLog,
}

impl Endpoint for Replace {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let token = call.bearer().ok_or(Refusal::NoToken)?;
        // A request with a password is stored for idempotency only together with a secret that cannot be guessed.
        Presented::parse(token).ok_or(Error::TokenInvalid)?;
        let caller = Caller {
            function: "recovery-codes-replace",
            credential: token,
        };
        let answers = self.answers.at(call.now).await;
        let (owners, storage) = (Owners::Users(&self.answered), Storage::Encrypted(&answers));
        let replace = async |once: &Once<'_>| self.replace(call, token, once).await;
        idempotency::run_in_transaction(&self.writes, owners, storage, call, caller, replace).await
    }
}

impl Replace {
    async fn replace(&self, call: &Call, token: &str, once: &Once<'_>) -> Result<Answer, Error> {
        let person = auth::user(&self.tokens, &self.answered.read, call, Some(token), FACTOR_INIT, None).await??;
        let user = &person.user;
        call.log_subject(user.id.log_name());
        let password = read_password(call)?;
        let mut batch = Batch::default();
        let keys: Vec<_> = FACTORS.iter().map(|factor_type| factor_type.of(user.id)).collect();
        keys.iter().for_each(|key| batch.want(&self.read_factors, key));
        let found = batch.read().await?;
        let found = keys.iter().map(|key| found.take(&self.read_factors, key, call.now));
        let found: Result<Vec<_>, _> = found.collect();
        // Codes that replace a second factor make none.
        if !factor::Factors(found?.into_iter().flatten().collect()).are_set() {
            return Err(Error::No2faData);
        }
        // The password alone leads to no way around the second factor.
        if !person.second_factor {
            return Err(Error::WrongTokenType);
        }
        self.reauthentication.verify(call, user, &password).await?;

        let (codes, shown) = recovery::issue(&self.keys.at(call.now).await.derive(), user.id, call.now)?;
        let mut transaction = Transaction::default();
        transaction.put(&self.factors, &codes);
        transaction.check(&self.answered.depend_on, &user.id, rows::user::is_there(user));
        let act = Outcome::RecoveryCodesReplaced.of_user(user).with_notice(Notice::RecoveryCodesReplaced);
        self.audit.add(&mut transaction, call, act);
        let answer = recovery_codes_answer(call, Outcome::RecoveryCodesReplaced, user, &shown);
        let answer = answer.issued(Issued::about(user, call.now));
        once.store(&mut transaction, &answer)?;
        let is_stored = async {
            let found = Batch::one(&self.read_factors, &codes.owner(), call.now).await?;
            Ok(found.is_some_and(|found| found.id == codes.id))
        };
        match settled(transaction.commit().await, is_stored).await? {
            Committed::Yes => Ok(answer),
            // Nothing was revoked when the token was checked, and now it is.
            Committed::No(_) => Err(Error::TokenExpired),
        }
    }
}
