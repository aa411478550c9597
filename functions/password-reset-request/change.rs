use countersign_shared::{
    domain::{audit::Notice, idempotency::Issued, password::PasswordHash, people::tenant::Domain},
    fault::Fault,
    http::{
        call::Call,
        dialects::era::{
            self, Error,
            body::{self, ChangeRequest},
        },
        reply::Answer,
    },
    observe::Outcome,
    services::{auth, idempotency::Once, passwords},
    store::table::{Batch, Committed, Transaction, settled},
};
use rand::rngs::SysRng;

use crate::handler::Request;

impl Request {
    /// Changes the password of a signed-in user who knows the current one. The guess at it is counted before it is
    /// verified: the finder of an open session has only a limited number (brute force).
    pub async fn change(&self, call: &Call, request: ChangeRequest, once: &Once<'_>) -> Result<Answer, Error> {
        let needed = era::CHANGE_PASSWORD;
        let person = auth::user(&self.tokens, &self.answered.read, call, call.bearer(), needed, None).await??;
        let user = person.user;
        call.log_subject(user.id.log_name());
        let mut batch = Batch::default();
        batch.want(&self.domains, &user.domain);
        let domain = batch.read().await?.take(&self.domains, &user.domain, call.now)?;
        let domain = domain.unwrap_or_else(|| Domain::undescribed(user.domain.clone()));
        let password = body::accept_password(&domain.passwords, "new_pwd", &request.new)?;

        self.reauthentication.verify(call, &user, &request.current).await?;

        let password = PasswordHash::of(&password, &self.reauthentication.cost, &mut SysRng).map_err(Fault::from)?;
        let mut transaction = Transaction::default();
        passwords::set(&mut transaction, &self.change_users, &self.pins, &user, &password, call.now);
        let act = Outcome::PasswordChanged.of_user(&user).with_notice(Notice::PasswordChanged);
        self.audit.add(&mut transaction, call, act);
        let answer = era::password_set(Outcome::PasswordChanged, &user.domain, &user.login);
        let answer = answer.issued(Issued::with_new_password(&user, call.now));
        once.store(&mut transaction, &answer)?;
        let is_set = passwords::is_set(&self.answered.read, &user.id, &password, call.now);
        match settled(transaction.commit().await, is_set).await? {
            Committed::Yes => Ok(answer),
            // A concurrent change was faster: the given password is no longer current.
            Committed::No(_) => Err(Error::WrongPassword),
        }
    }
}
