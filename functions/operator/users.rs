//! Users: creates, shows and blocks them, and changes their permissions.

use countersign_shared::{
    domain::{
        audit::Notice,
        crypto::secret::Secret,
        password::{Password, PasswordHash},
        people::{
            claim,
            factor::{self, Factor, FactorKey, FactorPhone, FactorType},
            id::{DomainKey, FactorId, UserId, UserNumber},
            name::{DisplayName, DomainName, EmailAddress, Login},
            phone::{NotAPhone, Phone},
            tenant::Options,
            user::{self, User},
        },
        time::Timestamp,
    },
    fault::Fault,
    observe::Outcome,
    services::{accounts, lockouts},
    store::{
        rows,
        table::{Change, Committed, Transaction},
    },
};
use rand::rngs::SysRng;
use serde_json::{Value, json};

use crate::{
    command::{NewFactor, NewUser, Who, email_of, field},
    handler::Operator,
    outcome::{Failed, Run, done},
};

/// A requested account.
struct AccountRequest {
    domain: DomainName,
    email: EmailAddress,
    login: Login,
    name: DisplayName,
    is_admin: bool,
    number: Option<UserNumber>,
}

impl Operator {
    /// The domain need not be configured; its password policy applies to users, and not to the operator, who must only
    /// keep to a length. A user who already has the login and the address is kept: the password, which may have been
    /// changed since, is not compared.
    pub async fn create_user(&self, new: NewUser, run: Run<'_>) -> Result<Value, Failed> {
        if !(8..=128).contains(&new.password.chars().count()) {
            return Err("a password has 8 to 128 characters".into());
        }
        let account = AccountRequest {
            domain: field("domain", DomainName::parse(&new.domain))?,
            email: email_of(&new.email)?,
            login: field("login", Login::parse(&new.login))?,
            name: field("name", DisplayName::parse(&new.name))?,
            is_admin: new.is_admin,
            number: new.number.map(number_of).transpose()?,
        };
        let made = |id: Option<UserId>, changed| {
            let id = id.map(|id| id.text());
            Ok(json!({ "user_id": id, "changed": changed }))
        };
        if let Some(id) = self.user_like(&account, run).await? {
            return made(Some(id), false);
        }
        self.number_is_free(&account, run).await?;
        if run.dry {
            self.no_look_alike(&account, run).await?;
            return made(None, true);
        }
        let password =
            Password::given(&Secret::new(new.password)).expect("128 characters are no longer than any password");
        let new = user::NewUser {
            number: account.number,
            domain: account.domain.clone(),
            email: account.email.clone(),
            login: account.login.clone(),
            name: account.name.clone(),
            password: PasswordHash::of(&password, &self.cost, &mut SysRng).map_err(Fault::from)?,
            opts: Options::new(),
            is_admin: account.is_admin,
        };
        let user = User::new(new, &mut SysRng, run.now).map_err(Fault::from)?;
        let mut transaction = Transaction::default();
        accounts::make(&mut transaction, &self.users, &self.claims, &user, run.now);
        self.audit.add(&mut transaction, run, Outcome::UserCreated.of_user(&user));
        match transaction.commit().await? {
            Committed::Yes => made(Some(user.id), true),
            // A concurrent command was faster; perhaps the same one.
            Committed::No(_) => match self.user_like(&account, run).await? {
                Some(id) => made(Some(id), false),
                None => {
                    self.number_is_free(&account, run).await?;
                    self.no_look_alike(&account, run).await?;
                    Err("the names were taken and given up meanwhile: send the command again".into())
                }
            },
        }
    }

    /// The existing user with this login and address; `None` if both are free.
    async fn user_like(&self, account: &AccountRequest, run: Run<'_>) -> Result<Option<UserId>, Failed> {
        let names = (claim::login(&account.domain, &account.login), claim::email(&account.domain, &account.email));
        let mut login = self.read_claims.get(&names.0, run.now).await?;
        let email = self.read_claims.get(&names.1, run.now).await?;
        if login.is_none() && email.is_some() {
            // Both are claimed in one step: perhaps just now.
            login = self.read_claims.get(&names.0, run.now).await?;
        }
        let id = match (login, email) {
            (None, None) => return Ok(None),
            (Some(login), Some(email)) if login.user == email.user => login.user,
            (Some(_), _) => return Err("the login is taken in that domain".into()),
            (None, Some(_)) => return Err("the email is taken in that domain".into()),
        };
        let found = self.read_users.get(&id, run.now).await?;
        match found.ok_or(Failed::from("no such user"))? {
            user if user.is_admin != account.is_admin => {
                Err("there is such a user, with another is_admin: set_admin changes that".into())
            }
            user if user.name.as_str() != account.name.as_str() => {
                Err("there is such a user, with another name".into())
            }
            user if account.number.is_some() && user.number != account.number => {
                Err("there is such a user, with another number or none: a user gets a number when it is made".into())
            }
            user => Ok(Some(user.id)),
        }
    }

    async fn number_is_free(&self, account: &AccountRequest, run: Run<'_>) -> Result<(), Failed> {
        let Some(number) = account.number else { return Ok(()) };
        let id = UserId::of_number(DomainKey::of(&account.domain), number);
        match self.read_users.get(&id, run.now).await? {
            None => Ok(()),
            Some(_) => Err("the number is taken in that domain".into()),
        }
    }

    /// Refuses lookalikes of other logins. Called for a free login only, because a login's own claims include its
    /// lookalikes.
    async fn no_look_alike(&self, account: &AccountRequest, run: Run<'_>) -> Result<(), Failed> {
        for look in claim::looks(&account.domain, &account.login) {
            if self.read_claims.get(&look, run.now).await?.is_some() {
                return Err("the login looks like one that is taken in that domain".into());
            }
        }
        Ok(())
    }

    pub async fn show_user(&self, who: Who, run: Run<'_>) -> Result<Value, Failed> {
        let named = "show_user takes user_id, or domain with one of login, email and number";
        let id = match (who.user_id, who.domain, who.login, who.email, who.number) {
            (Some(id), None, None, None, None) => user_id_of(&id)?,
            (None, Some(domain), None, None, Some(number)) => {
                let domain = field("domain", DomainName::parse(&domain))?;
                UserId::of_number(DomainKey::of(&domain), number_of(number)?)
            }
            (None, Some(domain), login, email, None) => {
                let domain = field("domain", DomainName::parse(&domain))?;
                let claim = match (login, email) {
                    (Some(login), None) => claim::login(&domain, &field("login", Login::parse(&login))?),
                    (None, Some(email)) => claim::email(&domain, &email_of(&email)?),
                    _ => return Err(named.into()),
                };
                let claim = self.read_claims.get(&claim, run.now).await?;
                claim.ok_or(Failed::from("no such user"))?.user
            }
            _ => return Err(named.into()),
        };
        let user = self.read_users.get(&id, run.now).await?;
        let user = user.ok_or(Failed::from("no such user"))?;
        let mut factors = Vec::new();
        for key in factors_of(id) {
            factors.extend(self.read_factors.get(&key, run.now).await?.as_ref().map(shown_factor));
        }
        let block = user.lockout.active_block(run.now);
        Ok(json!({
            "user_id": user.id.text(),
            "number": user.number.map(UserNumber::get),
            "domain": user.domain.as_str(),
            "login": user.login.as_str(),
            "email": user.email.masked(),
            "is_admin": user.is_admin,
            "is_blocked": block.is_some(),
            "block": block.map(|block| json!({
                "why": block.why.name(), "since": block.at.iso(), "until": block.until.map(Timestamp::iso),
            })),
            "factors": factors,
            "inserted_at": user.inserted_at.iso(),
        }))
    }

    pub async fn set_admin(&self, id: &str, is_admin: bool, run: Run<'_>) -> Result<Value, Failed> {
        let user = self.user(id, run).await?;
        let changed = user.is_admin != is_admin;
        if changed && !run.dry {
            let change = rows::user::set_admin(is_admin, run.now);
            if !self.change_user(&user, change, Outcome::AdminSet, run).await? {
                return Err("no such user".into());
            }
        }
        Ok(done(changed))
    }

    /// Sets the phone that codes are sent to, as known from elsewhere, without verifying it. A factor without a phone
    /// gets it; a factor with another phone, or a disabled one, is not changed.
    pub async fn set_factor(&self, new: NewFactor, run: Run<'_>) -> Result<Value, Failed> {
        let user = self.user_at_large(&new.user_id, run).await?;
        let factor_type = FactorType::parse(&new.factor_type).filter(|found| *found == FactorType::Sms);
        let factor_type = factor_type.ok_or(Failed::from("type is SMS"))?;
        let phone = Phone::parse(&new.factor).map_err(|why| match why {
            NotAPhone::Malformed => Failed::from("factor is a number like +380881234567"),
            NotAPhone::Impossible => Failed::from(
                "no phone can have that factor: its country code, its length, or a zero behind the country code is wrong",
            ),
        })?;
        let made = |factor: Option<FactorId>, changed| {
            let id = factor.map(|id| id.text());
            Ok(json!({ "factor_id": id, "changed": changed }))
        };
        let new = Factor::new(user.id, factor_type, &mut SysRng, run.now).map_err(Fault::from)?;
        let found = self.read_factors.get(&new.owner(), run.now).await?;
        let mut transaction = Transaction::default();
        let id = match found {
            Some(found) if !found.is_active => return Err("the user has a disabled factor of that type".into()),
            Some(found) => match found.phone() {
                Some(value) if value.number == phone => return made(Some(found.id), false),
                Some(_) => return Err("the user has another factor of that type".into()),
                None => {
                    let set = rows::factor::set(&found.id, &phone, &found, run.now);
                    transaction.update(&self.change_factors, &found.owner(), set);
                    found.id
                }
            },
            None if run.dry => return made(None, true),
            None => {
                let phone = FactorPhone {
                    number: phone,
                    set_at: Some(run.now),
                    by_operator: true,
                };
                let set = new.clone().with(factor::Value::Sms(Some(phone)), run.now);
                transaction.put_new(&self.factors, &set, run.now);
                new.id
            }
        };
        if run.dry {
            return made(Some(id), true);
        }
        transaction.check(&self.depend_on_users, &user.id, rows::user::has_lockout_of(&user));
        self.audit.add(&mut transaction, run, Outcome::FactorSet.of_user(&user));
        match transaction.commit().await? {
            Committed::Yes => made(Some(id), true),
            Committed::No(_) => Err("the user or the factor was changed meanwhile: send the command again".into()),
        }
    }

    /// Removes the values of all active second factors, for a user who has lost them: the next login asks for a new one.
    /// Recovery codes end with them.
    pub async fn reset_factors(&self, id: &str, run: Run<'_>) -> Result<Value, Failed> {
        let user = self.user(id, run).await?;
        let mut transaction = Transaction::default();
        let mut reset = Vec::new();
        for key in factors_of(user.id) {
            let factor = self.read_factors.get(&key, run.now).await?;
            if let Some(factor) = factor.filter(|factor| factor.is_active && factor.is_set()) {
                transaction.update(&self.change_factors, &key, rows::factor::reset(&factor.id, run.now));
                reset.push(key.factor_type.name());
            }
        }
        if !reset.is_empty() && !run.dry {
            transaction.check(&self.depend_on_users, &user.id, rows::user::is_there(&user));
            let act = Outcome::FactorsReset.of_user(&user).with_notice(Notice::FactorRemoved);
            self.audit.add(&mut transaction, run, act);
            match transaction.commit().await? {
                Committed::Yes => {}
                Committed::No(_) => return Err("a factor was changed meanwhile: send the command again".into()),
            }
        }
        Ok(json!({ "changed": !reset.is_empty(), "reset": reset }))
    }

    pub async fn block(&self, id: &str, run: Run<'_>) -> Result<Value, Failed> {
        let user = self.user(id, run).await?;
        let decided = |user: &User| user.lockout.decided(run.now);
        if run.dry {
            return Ok(done(decided(&user).is_some()));
        }
        let changed =
            lockouts::change(&self.lockouts, run.into(), user, decided, Outcome::UserBlockedByDecision).await?;
        Ok(done(changed.is_some()))
    }

    pub async fn unblock(&self, id: &str, run: Run<'_>) -> Result<Value, Failed> {
        let user = self.user(id, run).await?;
        let unblocked = |user: &User| user.lockout.unblocked(run.now);
        if run.dry {
            return Ok(done(unblocked(&user).is_some()));
        }
        let changed = lockouts::change(&self.lockouts, run.into(), user, unblocked, Outcome::UserUnblocked).await?;
        Ok(done(changed.is_some()))
    }

    /// Revokes all tokens issued until now; it may be repeated.
    pub async fn end_tokens_of_user(&self, id: &str, run: Run<'_>) -> Result<Value, Failed> {
        let user = self.user(id, run).await?;
        if run.dry {
            return Ok(done(true));
        }
        match self.change_user(&user, rows::user::end_tokens(), Outcome::UserTokensRevoked, run).await? {
            true => Ok(done(true)),
            false => Err("no such user".into()),
        }
    }

    /// Changes a user, and records that; `false` when the condition does not hold.
    pub async fn change_user(&self, user: &User, change: Change, what: Outcome, run: Run<'_>) -> Result<bool, Fault> {
        let mut transaction = Transaction::default();
        transaction.update(&self.change_users, &user.id, change);
        self.audit.add(&mut transaction, run, what.of_user(user));
        Ok(matches!(transaction.commit().await?, Committed::Yes))
    }

    pub async fn user(&self, id: &str, run: Run<'_>) -> Result<User, Failed> {
        let user = self.read_users.get(&user_id_of(id)?, run.now).await?;
        user.ok_or(Failed::from("no such user"))
    }

    /// A user who may be given access: users who are blocked or being erased may not.
    pub async fn user_at_large(&self, id: &str, run: Run<'_>) -> Result<User, Failed> {
        let user = self.user(id, run).await?;
        match user.lockout.active_block(run.now) {
            None => Ok(user),
            Some(_) => Err("the user is blocked".into()),
        }
    }
}

/// The keys of all factors that a user can have.
pub fn factors_of(user: UserId) -> impl Iterator<Item = FactorKey> {
    FactorType::ALL.iter().map(move |factor_type| factor_type.of(user))
}

fn shown_factor(factor: &Factor) -> Value {
    json!({
        "factor_id": factor.id.text(), "type": factor.factor_type().name(),
        "factor": factor.masked(), "is_active": factor.is_active,
    })
}

fn number_of(number: u64) -> Result<UserNumber, Failed> {
    UserNumber::new(number).ok_or(Failed::from("number is 1 or more"))
}

pub fn user_id_of(text: &str) -> Result<UserId, Failed> {
    UserId::parse(text).ok_or(Failed::from("user_id is a UUID"))
}
