use countersign_shared::{
    domain::{
        auth::access::Refusal,
        password::{Cost, PasswordHash},
        people::{
            claim::Claim,
            factor::{Factor, FactorType},
            name::{DisplayName, Login},
            tenant::{Domain, Options},
            user::{NewUser, User},
        },
    },
    fault::Fault,
    http::{
        call::Call,
        dialects::mithril::{
            Error, USER_ADMIN, USER_WRITE,
            body::{accept_password, read_user},
            invalid::Invalid,
            view::user_made,
        },
        reply::Answer,
        serve::Endpoint,
    },
    observe::Outcome,
    runtime::edge::Wire,
    services::{
        accounts,
        audit::AuditLog,
        auth::{self, Callers},
    },
    store::table::{Batch, BatchGet, Committed, Put, Table, Transaction, settled},
};
use rand::rngs::SysRng;

/// Random logins to try for an account without a requested one. Each is one of hundreds of millions.
const ROUNDS: usize = 8;

/// Creates an account in the caller's domain.
#[derive(Wire)]
pub struct Create {
    pub callers: Callers,
    pub domains: Table<Domain, BatchGet>,
    pub new_users: Table<User, Put>,
    pub claims: Table<Claim, Put>,
    pub factors: Table<Factor, Put>,
    #[wire(password_cost)]
    pub cost: Cost,
    pub audit: AuditLog,
}

impl Endpoint for Create {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let (caller, _) = auth::caller(&self.callers, call, USER_WRITE, |_| {}).await??;
        let own = caller.admin_domain().ok_or(Error::Forbidden)?;
        let wanted = read_user(call)?;
        // Reveal nothing about other domains.
        if wanted.domain.as_ref().is_some_and(|domain| domain != own) {
            return Err(Error::Forbidden);
        }
        if wanted.is_admin && !caller.makes_administrators(own) {
            return Err(Refusal::ScopeTooSmall(USER_ADMIN).into());
        }
        let mut batch = Batch::default();
        batch.want(&self.domains, own);
        let domain = batch.read().await?.take(&self.domains, own, call.now)?;
        let domain = domain.unwrap_or_else(|| Domain::undescribed(own.clone()));
        let password = accept_password(&domain.passwords, &wanted.password)?;

        let login = match &wanted.login {
            Some(login) => login.clone(),
            None => Login::derived(&wanted.email),
        };
        let name = match wanted.name {
            Some(name) => name,
            None => DisplayName::parse(login.as_str()).map_err(|malformed| Invalid::malformed("name", malformed))?,
        };
        let mut new = NewUser {
            number: None,
            domain: domain.name,
            email: wanted.email,
            login,
            name,
            password: PasswordHash::of(&password, &self.cost, &mut SysRng).map_err(Fault::from)?,
            opts: Options::new(),
            is_admin: wanted.is_admin,
        };
        for _ in 0..ROUNDS {
            let user = User::new(new.clone(), &mut SysRng, call.now).map_err(Fault::from)?;
            let mut transaction = Transaction::default();
            let names = accounts::make(&mut transaction, &self.new_users, &self.claims, &user, call.now);
            if wanted.second_factor {
                let factor = Factor::new(user.id, FactorType::Sms, &mut SysRng, call.now).map_err(Fault::from)?;
                transaction.put_new(&self.factors, &factor, call.now);
            }
            self.audit.add(&mut transaction, call, Outcome::UserCreated.of_user(&user));
            let is_made = Batch::finds(&self.callers.users, &user.id, call.now);
            let refused = match settled(transaction.commit().await, is_made).await? {
                Committed::Yes => {
                    call.log_subject(user.id.log_name());
                    return Ok(user_made(call, Outcome::UserCreated, &user));
                }
                Committed::No(steps) => steps,
            };
            let (email, login) = (names.email_is_taken(&refused), names.login_is_taken(&refused));
            match (email, login, &wanted.login) {
                (true, true, Some(_)) => {
                    return Err(Error::Invalid(vec![Invalid::taken("email"), Invalid::taken("login")]));
                }
                (true, _, _) => return Err(Invalid::taken("email").into()),
                (false, true, Some(_)) => return Err(Invalid::taken("login").into()),
                // The login was not requested, so draw another one.
                (false, true, None) => {
                    new.login = Login::derived_at_random(&new.email, &mut SysRng).map_err(Fault::from)?;
                }
                (false, false, _) => return Err(Fault::Bug("the random user id is taken".into()).into()),
            }
        }
        Err(Fault::Contended("every login that was drawn is taken".into()).into())
    }
}
