use countersign_shared::{
    domain::{
        limits::{bucket::Bucket, limit_keys},
        mail::link,
        password::{Cost, PasswordHash},
        people::{
            claim::{self, Claim},
            name::DomainName,
            tenant::Domain,
            user::{NewUser, User},
        },
        registration::RegistrationRequest,
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
    services::{accounts, audit::AuditLog},
    store::{
        rows::bucket::{self, Level},
        table::{Batch, BatchGet, Committed, Delete, Get, Put, Table, Transaction, Update, settled},
    },
};
use rand::rngs::SysRng;

/// Creates the requested account, with the password sent with the link's credential.
#[derive(Wire)]
pub struct Confirm {
    pub requests: Table<RegistrationRequest, Get>,
    pub domains: Table<Domain, BatchGet>,
    pub read_claims: Table<Claim, BatchGet>,
    pub users: Table<User, Put>,
    pub claims: Table<Claim, Put>,
    pub use_up: Table<RegistrationRequest, Delete>,
    pub levels: Table<Level, Update>,
    #[wire(unconfirmed_mails)]
    pub unconfirmed: Bucket,
    #[wire(password_cost)]
    pub cost: Cost,
    pub audit: AuditLog,
}

impl Endpoint for Confirm {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let given = body::read_password(call)?;
        let digest = link::parse(call.path_parameter("uuid")).ok_or(Error::NoRequest)?;
        let request = self.requests.get(&digest, call.now).await?.ok_or(Error::NoRequest)?;
        call.log_link(digest.short());
        let account = request.account;
        let logins = claim::logins(&account.domain, &account.login);

        let mut batch = Batch::default();
        batch.want(&self.domains, &account.domain);
        for login in &logins {
            batch.want(&self.read_claims, login);
        }
        let found = batch.read().await?;
        // Closing a domain's registration also closes its pending requests.
        let domain = found
            .take(&self.domains, &account.domain, call.now)?
            .filter(|domain| domain.self_register_allowed)
            .ok_or(Error::NoRequest)?;
        let mut is_taken = false;
        for login in &logins {
            is_taken |= found.take(&self.read_claims, login, call.now)?.is_some();
        }
        if is_taken {
            // A concurrent request with the same link has the login, and consumed the request in the same transaction.
            let is_used_up = self.requests.get(&digest, call.now).await?.is_none();
            return Err(match is_used_up {
                true => Error::NoRequest,
                false => Error::Taken("login"),
            });
        }
        let password = body::accept_password(&domain.passwords, "pwd", &given)?;

        let new = NewUser {
            number: None,
            opts: domain.self_register_template.registered(account.email.as_str()),
            domain: account.domain,
            email: account.email,
            login: account.login,
            name: account.name,
            password: PasswordHash::of(&password, &self.cost, &mut SysRng).map_err(Fault::from)?,
            is_admin: false,
        };
        let user = User::new(new, &mut SysRng, call.now).map_err(Fault::from)?;
        let mut transaction = Transaction::default();
        let request = transaction.use_up(&self.use_up, &digest, call.now);
        let names = accounts::make(&mut transaction, &self.users, &self.claims, &user, call.now);
        self.audit.add(&mut transaction, call, Outcome::Registered.of_user(&user));
        let login = claim::login(&user.domain, &user.login);
        let is_made = async {
            let claim = Batch::one(&self.read_claims, &login, call.now).await?;
            Ok(claim.is_some_and(|claim| claim.user == user.id))
        };
        match settled(transaction.commit().await, is_made).await? {
            Committed::Yes => {
                call.log_subject(user.id.log_name());
                let answer =
                    era::password_set(Outcome::Registered, &user.domain, &user.login).counted_as(Milestone::Verified);
                // The account exists: a failure to count it is only logged.
                Ok(match self.count(call, &user.domain).await {
                    Ok(()) => answer,
                    Err(fault) => answer.with_fault(fault),
                })
            }
            Committed::No(steps) if steps.contains(&request) => Err(Error::NoRequest),
            Committed::No(steps) if names.login_is_taken(&steps) => Err(Error::Taken("login")),
            Committed::No(steps) if names.email_is_taken(&steps) => Err(Error::Taken("email")),
            Committed::No(_) => Err(Fault::Bug("the random user id is taken".into()).into()),
        }
    }
}

impl Confirm {
    /// Counts a confirmed registration, which gives its domain room for more.
    async fn count(&self, call: &Call, domain: &DomainName) -> Result<(), Fault> {
        let act = call.hit();
        let subject = limit_keys::unconfirmed(domain);
        bucket::refill(&self.levels, &self.unconfirmed, &subject, limit_keys::CONFIRMED, &act).await
    }
}
