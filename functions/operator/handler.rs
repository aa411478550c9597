use countersign_shared::{
    accounts,
    domain::{
        claim::Claim,
        client::{Client, Granting},
        factor::{Factor, FactorType},
        id::{ClientId, UserId},
        locale::Locale,
        name::{DisplayName, DomainName, EmailAddress, Login},
        password::{Cost, Password, PasswordHash},
        phone::Phone,
        secret::{Digest, Secret, random_token},
        sender::MailDomain,
        tenant::{Domain, Options},
        time::Timestamp,
        token::{Grant, Kind, Owner, Presented, Token},
        user::{self, User},
    },
    edge::system_time,
    fault::Fault,
    lockouts,
    store::{
        rows::{self, client, token},
        table::{Changed, Committed, Get, Put, Table, Transaction, Update},
    },
};
use rand::rngs::SysRng;
use serde_json::{Value, json};

use crate::command::{Command, DomainForm, NewClient, NewFactor, NewToken, NewUser, Scopes, field, shown};

/// Does what only the operator may: makes domains, clients, users and tokens, blocks, unblocks, ends tokens. Whoever may invoke
/// the function is the operator: there is no other check.
pub struct Operator {
    pub domains: Table<Domain, Put>,
    pub users: Table<User, Put>,
    pub claims: Table<Claim, Put>,
    pub read_users: Table<User, Get>,
    pub change_users: Table<User, Update>,
    pub factors: Table<Factor, Put>,
    pub clients: Table<Client, Put>,
    pub read_clients: Table<Client, Get>,
    pub change_clients: Table<Client, Update>,
    pub tokens: Table<Token, Put>,
    pub change_tokens: Table<Token, Update>,
    pub cost: Cost,
    pub mail_domain: MailDomain,
}

/// Why a command was not done.
pub enum Failed {
    /// The command makes no sense here; in words for the operator.
    Refused(String),
    /// Something of ours broke.
    Fault(Fault),
}

impl From<&str> for Failed {
    fn from(words: &str) -> Self {
        Self::Refused(words.to_owned())
    }
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// The longest life of a token: a year, in seconds.
const LONGEST_LIFE: u64 = 366 * 86_400;

impl Operator {
    /// The command's result, or `{"error":…}`. One log line says what was done, about whom, and why not, without any
    /// secret: the request's id leads to the caller, in CloudTrail.
    pub async fn answer(&self, event: Value, request_id: &str) -> Value {
        let now = system_time();
        let name = event["command"].as_str().unwrap_or_default();
        let name: String = name.chars().take(40).collect();
        let about = about(&event);
        let done = match serde_json::from_value(event) {
            Err(error) => Err(Failed::Refused(format!("not a command: {error}"))),
            Ok(command) => self.run(command, request_id, now).await,
        };
        let (level, outcome, answer) = match done {
            Ok(result) => ("info", "done", result),
            Err(Failed::Refused(words)) => ("info", "refused", json!({ "error": words })),
            Err(Failed::Fault(fault)) => ("error", "fault", json!({ "error": fault.to_string() })),
        };
        let made = answer["user_id"].as_str().map(|id| format!("user:{id}"));
        let fault = (outcome == "fault").then(|| answer["error"].clone());
        println!(
            "{}",
            json!({
                "at": now.iso(), "level": level, "request_id": request_id, "command": name, "outcome": outcome,
                "subject": made.or(about), "fault": fault,
            })
        );
        answer
    }

    async fn run(&self, command: Command, by: &str, now: Timestamp) -> Result<Value, Failed> {
        match command {
            Command::SetDomain(form) => self.set_domain(form).await,
            Command::CreateClient(new) => self.create_client(new, now).await,
            Command::SetFactor(new) => self.set_factor(new, now).await,
            Command::CreateUser(new) => self.create_user(new, now).await,
            Command::CreateToken(new) => self.create_token(new, now).await,
            Command::BlockUser { user_id } => self.block(&user_id, by, now).await,
            Command::UnblockUser { user_id } => self.unblock(&user_id, by, now).await,
            Command::EndTokens {
                user_id: Some(id),
                client_id: None,
            } => {
                let id = user_id_of(&id)?;
                done(
                    self.change_users.update(&id, rows::user::end_tokens(), now).await?,
                    "no such user",
                )
            }
            Command::EndTokens {
                user_id: None,
                client_id: Some(id),
            } => {
                let id = client_id_of(&id)?;
                done(
                    self.change_clients.update(&id, client::end_tokens(), now).await?,
                    "no such client",
                )
            }
            Command::EndTokens { .. } => Err("end_tokens takes one of user_id and client_id".into()),
            Command::RevokeToken { token } => {
                let presented = Presented::parse(&token).ok_or(Failed::from("not a token of ours"))?;
                let change = token::revoke(now);
                done(
                    self.change_tokens.update(&presented.digest, change, now).await?,
                    "no such token, or revoked already",
                )
            }
        }
    }

    async fn block(&self, user_id: &str, by: &str, now: Timestamp) -> Result<Value, Failed> {
        let decided = |user: &User| user.lockout.decided(now);
        match lockouts::change(&self.change_users, self.user(user_id, now).await?, decided, by, now).await? {
            Some(_) => Ok(json!({ "done": true })),
            None => Err("the user is blocked already".into()),
        }
    }

    async fn unblock(&self, user_id: &str, by: &str, now: Timestamp) -> Result<Value, Failed> {
        let lifted = |user: &User| user.lockout.lifted(now);
        match lockouts::change(&self.change_users, self.user(user_id, now).await?, lifted, by, now).await? {
            Some(_) => Ok(json!({ "done": true })),
            None => Err("the user is not blocked".into()),
        }
    }

    async fn user(&self, id: &str, now: Timestamp) -> Result<User, Failed> {
        let user = self.read_users.get(&user_id_of(id)?, now).await?;
        user.ok_or(Failed::from("no such user"))
    }

    /// Gives a user a number to which codes are sent, as it is known from elsewhere: nobody is asked to prove it.
    async fn set_factor(&self, new: NewFactor, now: Timestamp) -> Result<Value, Failed> {
        let user = self.user(&new.user_id, now).await?;
        let factor_type = FactorType::parse(&new.factor_type).ok_or(Failed::from("type is SMS"))?;
        let phone = Phone::parse(&new.factor).ok_or(Failed::from("factor is a number like +380881234567"))?;
        let mut factor = Factor::new(user.id, factor_type, &mut SysRng, now).map_err(Fault::from)?;
        factor.value = Some(phone);
        match self.factors.put_new(&factor, now).await? {
            true => Ok(json!({ "factor_id": factor.id.text() })),
            false => Err("the user has a factor of that type".into()),
        }
    }

    async fn create_client(&self, new: NewClient, now: Timestamp) -> Result<Value, Failed> {
        let secret = random_token(&mut SysRng).map_err(Fault::from)?;
        let domain = new
            .domain
            .map(|name| field("domain", DomainName::parse(&name)))
            .transpose()?;
        let grant =
            |name: &String| Granting::parse(name).ok_or(Failed::from("grants are password, client_credentials"));
        let grants = match &new.grants {
            Some(names) => names.iter().map(grant).collect::<Result<Vec<_>, _>>()?,
            None => vec![Granting::ClientCredentials],
        };
        if grants.contains(&Granting::Password) && domain.is_none() {
            return Err("the grant password needs the domain whose users log in".into());
        }
        let client = Client {
            id: client_id_of(&new.client_id)?,
            secret: Digest::of(&secret),
            domain,
            grants,
            scopes: new.scopes.read()?,
            token_generation: 0,
            inserted_at: now,
        };
        match self.clients.put_new(&client, now).await? {
            true => Ok(json!({ "client_id": client.id.as_str(), "client_secret": secret.expose() })),
            false => Err("there is a client of that id".into()),
        }
    }

    async fn set_domain(&self, form: DomainForm) -> Result<Value, Failed> {
        let domain = form.read(&self.mail_domain)?;
        self.domains.put(&domain).await?;
        Ok(shown(&domain))
    }

    /// The domain need not have been described; its policy for passwords is for people, and not for the operator, who
    /// is held to a length alone.
    async fn create_user(&self, new: NewUser, now: Timestamp) -> Result<Value, Failed> {
        if !(8..=128).contains(&new.password.chars().count()) {
            return Err("a password has 8 to 128 characters".into());
        }
        let password = Password::given(&Secret::new(new.password));
        let password = PasswordHash::of(&password, &self.cost, &mut SysRng).map_err(Fault::from)?;
        let new = user::NewUser {
            domain: field("domain", DomainName::parse(&new.domain))?,
            email: field("email", EmailAddress::parse(&new.email))?,
            login: field("login", Login::parse(&new.login))?,
            name: field("name", DisplayName::parse(&new.name))?,
            password,
            opts: Options::new(),
            is_admin: new.is_admin,
        };
        let user = User::new(new, &mut SysRng, now).map_err(Fault::from)?;
        let mut transaction = Transaction::default();
        let names = accounts::make(&mut transaction, &self.users, &self.claims, &user, now);
        match transaction.commit().await? {
            Committed::Yes => Ok(json!({ "user_id": user.id.text() })),
            Committed::No(steps) if steps.contains(&names.login) => Err("the login is taken in that domain".into()),
            Committed::No(steps) if steps.contains(&names.email) => Err("the email is taken in that domain".into()),
            Committed::No(_) => Err("the random id is taken".into()),
        }
    }

    async fn create_token(&self, new: NewToken, now: Timestamp) -> Result<Value, Failed> {
        if !(1..=LONGEST_LIFE).contains(&new.lifetime_seconds) {
            return Err("a token lives 1 second to 366 days".into());
        }
        let client = client_id_of(&new.client_id)?;
        let client = self
            .read_clients
            .get(&client, now)
            .await?
            .ok_or(Failed::from("no such client"))?;
        let scopes = match new.scopes {
            Scopes::Word(word) if word == "all" => client.scopes.clone(),
            scopes => scopes.read()?,
        };
        if !scopes.iter().all(|scope| client.scopes.contains(scope)) {
            return Err("the client's tokens may not have all of these scopes".into());
        }
        let (owner, generation) = match (new.user_id, new.owner_client_id) {
            (Some(id), None) => {
                let user = self.user(&id, now).await?;
                (Owner::User(user.id), user.token_generation)
            }
            (None, Some(id)) if id == client.id.as_str() => (Owner::Client(client.id.clone()), client.token_generation),
            _ => return Err("a token has one owner: user_id, or owner_client_id equal to client_id".into()),
        };
        let grant = Grant {
            owner,
            generation,
            session: None,
            locale: Locale::default(),
            client: client.id,
            kind: Kind::Access,
            scopes,
            expires_at: now.deadline(new.lifetime_seconds),
        };
        let (token, text) = Token::issue(grant, &mut SysRng, now).map_err(Fault::from)?;
        self.tokens.put(&token).await?;
        Ok(json!({ "token": text.expose(), "expires_at": token.expires_at.iso() }))
    }
}

/// Whom or what a command is about, as far as it says: ids, never a secret. What is no id is not logged.
fn about(event: &Value) -> Option<String> {
    let text = |field: &str| event[field].as_str();
    let user = text("user_id")
        .and_then(UserId::parse)
        .map(|id| format!("user:{}", id.text()));
    let client = text("client_id").and_then(ClientId::parse);
    let domain = text("domain").and_then(|text| DomainName::parse(text).ok());
    user.or_else(|| client.map(|id| format!("client:{}", id.as_str())))
        .or_else(|| domain.map(|name| format!("domain:{}", name.as_str())))
}

fn user_id_of(text: &str) -> Result<UserId, Failed> {
    UserId::parse(text).ok_or(Failed::from("user_id is a UUID in lower case"))
}

fn client_id_of(text: &str) -> Result<ClientId, Failed> {
    ClientId::parse(text).ok_or(Failed::from("client_id has 1 to 64 characters of A-Za-z0-9._-"))
}

fn done<R>(changed: Changed<R>, otherwise: &str) -> Result<Value, Failed> {
    match changed {
        Changed::Yes(_) => Ok(json!({ "done": true })),
        Changed::No(_) => Err(otherwise.into()),
    }
}
