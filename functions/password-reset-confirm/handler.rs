use std::ops::ControlFlow;

use countersign_shared::{
    domain::{
        audit::Notice,
        crypto::secret::{Digest, Secret},
        idempotency::{Issued, Storage},
        mail::link,
        password::{Cost, PasswordHash},
        password_reset::PasswordResetRequest,
        people::{tenant::Domain, user::User},
        support_pin::SupportPin,
    },
    fault::Fault,
    http::{
        call::Call,
        dialects::era::{self, Error, body},
        reply::Answer,
        serve::Endpoint,
    },
    observe::{Milestone, Outcome},
    runtime::edge::Wire,
    services::{
        audit::AuditLog,
        idempotency::{self, Caller, IdempotentWrites, Once, Owners},
        passwords,
    },
    store::{
        retry::optimistic_from,
        table::{Batch, BatchGet, Committed, Delete, Get, Table, Transaction, Update, settled},
    },
};
use rand::rngs::SysRng;

/// Sets the password sent with the link's credential. Everything issued under the old password is revoked, and the user
/// is not signed in.
#[derive(Wire)]
pub struct Confirm {
    pub writes: IdempotentWrites,
    pub users: Table<User, BatchGet>,
    pub requests: Table<PasswordResetRequest, Get>,
    pub change_users: Table<User, Update>,
    pub pins: Table<SupportPin, Delete>,
    pub use_up: Table<PasswordResetRequest, Delete>,
    pub domains: Table<Domain, BatchGet>,
    #[wire(password_cost)]
    pub cost: Cost,
    pub audit: AuditLog,
}

impl Endpoint for Confirm {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let given = body::read_password(call)?;
        let credential = call.path_parameter("uuid");
        // A request with a password is stored for idempotency only if its credential has the form of a link's secret.
        let digest = link::parse(credential).ok_or(Error::NoRequest)?;
        idempotency::run_in_transaction(
            &self.writes,
            Owners::UsersWritten(&self.users),
            Storage::Plain,
            call,
            Caller {
                function: "password-reset-confirm",
                credential,
            },
            async |once: &Once<'_>| self.confirm(call, &digest, &given, once).await,
        )
        .await
    }
}

/// Retries of setting the password while the user is concurrently blocked or unblocked.
const TRIES: u32 = 3;

impl Confirm {
    async fn confirm(&self, call: &Call, digest: &Digest, given: &Secret, once: &Once<'_>) -> Result<Answer, Error> {
        let request = self.requests.get(digest, call.now).await?.ok_or(Error::NoRequest)?;
        call.log_link(digest.short());
        let (user, domain) = self.find(call, &request).await?;
        call.log_subject(user.id.log_name());
        let password = body::accept_password(&domain.passwords, "pwd", given)?;
        let password = PasswordHash::of(&password, &self.cost, &mut SysRng).map_err(Fault::from)?;
        optimistic_from(TRIES, "the user", user, async |user| {
            let mut transaction = Transaction::default();
            let link = transaction.use_up(&self.use_up, digest, call.now);
            passwords::set(&mut transaction, &self.change_users, &self.pins, &user, &password, call.now);
            let act = Outcome::PasswordReset.of_user(&user).with_notice(Notice::PasswordChanged);
            self.audit.add(&mut transaction, call, act);
            let answer = answer(&user, call);
            once.store(&mut transaction, &answer)?;
            let is_set = passwords::is_set(&self.users, &user.id, &password, call.now);
            match settled(transaction.commit().await, is_set).await? {
                Committed::Yes => Ok(ControlFlow::Break(answer)),
                Committed::No(steps) if steps.contains(&link) => Err(Error::NoRequest),
                // The user has changed; a concurrent change of the password or a block may have made the link void.
                Committed::No(_) => Ok(ControlFlow::Continue(self.find(call, &request).await?.0)),
            }
        })
        .await
    }

    /// The user and the domain, unless the link is void.
    async fn find(&self, call: &Call, request: &PasswordResetRequest) -> Result<(User, Domain), Error> {
        let target = &request.target;
        let mut batch = Batch::default();
        batch.want(&self.users, &target.user);
        batch.want(&self.domains, &target.domain);
        let found = batch.read().await?;
        let user = found.take(&self.users, &target.user, call.now)?;
        let user = user.filter(|user| !request.is_void(user));
        let domain = found.take(&self.domains, &target.domain, call.now)?;
        Ok((user.ok_or(Error::NoRequest)?, domain.unwrap_or_else(|| Domain::undescribed(target.domain.clone()))))
    }
}

fn answer(user: &User, call: &Call) -> Answer {
    let answer = era::password_set(Outcome::PasswordReset, &user.domain, &user.login).counted_as(Milestone::Verified);
    answer.issued(Issued::with_new_password(user, call.now))
}
