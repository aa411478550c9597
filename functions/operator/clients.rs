//! Clients: applications with a secret.

use countersign_shared::{
    domain::{
        auth::client::{Client, GrantType},
        crypto::secret::{Digest, Secret, random_token},
        people::{id::ClientId, name::DomainName},
    },
    fault::Fault,
    observe::Outcome,
    store::{
        rows::client,
        table::{Change, Committed, Transaction},
    },
};
use rand::rngs::SysRng;
use serde_json::{Value, json};

use crate::{
    command::{NewClient, OtherClient, field},
    handler::Operator,
    outcome::{Failed, Run, done},
};

impl Operator {
    /// A client that already exists as requested is kept with its secret, which cannot be shown again.
    pub async fn create_client(&self, new: NewClient, run: Run<'_>) -> Result<Value, Failed> {
        let id = client_id_of(&new.client_id)?;
        let secret = random_token(&mut SysRng).map_err(Fault::from)?;
        let client = Client {
            id: id.clone(),
            secret: Digest::of(&secret),
            domain: domain_of(new.domain.as_deref())?,
            grants: match &new.grants {
                Some(names) => grants_of(names)?,
                None => vec![GrantType::ClientCredentials],
            },
            scopes: new.scopes.read()?,
            token_generation: 0,
            inserted_at: run.now,
        };
        check(&client)?;
        let found = match self.read_clients.get(&id, run.now).await? {
            None if run.dry => return Ok(made(&client, None, true)),
            None => {
                let mut transaction = Transaction::default();
                transaction.put_new(&self.clients, &client, run.now);
                self.audit.add(&mut transaction, run, Outcome::ClientCreated.of(id.log_name()));
                match transaction.commit().await? {
                    Committed::Yes => return Ok(made(&client, Some(&secret), true)),
                    Committed::No(_) => self.read_clients.get(&id, run.now).await?,
                }
            }
            Some(found) => Some(found),
        };
        match found.is_some_and(|found| same_rights(&found, &client)) {
            true => Ok(made(&client, None, false)),
            false => Err("there is a client of that id, which may something else: set_client changes that".into()),
        }
    }

    /// Changes what a client may do. Tokens that it has issued keep their scopes until they expire.
    pub async fn set_client(&self, other: OtherClient, run: Run<'_>) -> Result<Value, Failed> {
        let found = self.client(&other.client_id, run).await?;
        let mut next = found.clone();
        if let Some(domain) = domain_of(other.domain.as_deref())? {
            next.domain = Some(domain);
        }
        if let Some(names) = &other.grants {
            next.grants = grants_of(names)?;
        }
        if let Some(scopes) = other.scopes {
            next.scopes = scopes.read()?;
        }
        check(&next)?;
        let changed = !same_rights(&found, &next);
        if changed && !run.dry {
            let change = client::set(&found, &next);
            if !self.change_client(&found.id, change, Outcome::ClientSet, run).await? {
                return Err("the client was changed meanwhile: send the command again".into());
            }
        }
        let grants: Vec<_> = next.grants.iter().map(|grant| grant.name()).collect();
        let scopes: Vec<_> = next.scopes.iter().map(|scope| scope.name()).collect();
        let domain = next.domain.as_ref().map(DomainName::as_str);
        let id = next.id.as_str();
        Ok(json!({ "client_id": id, "scopes": scopes, "grants": grants, "domain": domain, "changed": changed }))
    }

    /// Creates a new secret each time: it is shown once, so a retry could not return the same one.
    pub async fn set_client_secret(&self, id: &str, run: Run<'_>) -> Result<Value, Failed> {
        let client = self.client(id, run).await?;
        if run.dry {
            return Ok(made(&client, None, true));
        }
        let secret = random_token(&mut SysRng).map_err(Fault::from)?;
        let change = client::set_secret(&Digest::of(&secret));
        match self.change_client(&client.id, change, Outcome::ClientSecretSet, run).await? {
            true => Ok(made(&client, Some(&secret), true)),
            false => Err("no such client".into()),
        }
    }

    /// Revokes all tokens issued until now; it may be repeated.
    pub async fn end_tokens_of_client(&self, id: &str, run: Run<'_>) -> Result<Value, Failed> {
        if run.dry {
            self.client(id, run).await?;
            return Ok(done(true));
        }
        match self
            .change_client(&client_id_of(id)?, client::end_tokens(), Outcome::ClientTokensRevoked, run)
            .await?
        {
            true => Ok(done(true)),
            false => Err("no such client".into()),
        }
    }

    /// Changes a client, and records that; `false` when the condition does not hold.
    async fn change_client(&self, id: &ClientId, change: Change, what: Outcome, run: Run<'_>) -> Result<bool, Fault> {
        let mut transaction = Transaction::default();
        transaction.update(&self.change_clients, id, change);
        self.audit.add(&mut transaction, run, what.of(id.log_name()));
        Ok(matches!(transaction.commit().await?, Committed::Yes))
    }

    pub async fn client(&self, id: &str, run: Run<'_>) -> Result<Client, Failed> {
        let client = self.read_clients.get(&client_id_of(id)?, run.now).await?;
        client.ok_or(Failed::from("no such client"))
    }
}

/// The client; the secret is `null` if none was created.
fn made(client: &Client, secret: Option<&Secret>, changed: bool) -> Value {
    let secret = secret.map(Secret::expose);
    json!({ "client_id": client.id.as_str(), "client_secret": secret, "changed": changed })
}

fn check(client: &Client) -> Result<(), Failed> {
    match client.grants.contains(&GrantType::Password) && client.domain.is_none() {
        true => Err("the grant password needs the domain whose users log in".into()),
        false => Ok(()),
    }
}

fn same_rights(one: &Client, other: &Client) -> bool {
    let scopes = |client: &Client| {
        let mut scopes = client.scopes.clone();
        scopes.sort();
        scopes.dedup();
        scopes
    };
    let may = |client: &Client, grant| client.grants.contains(&grant);
    one.domain == other.domain
        && scopes(one) == scopes(other)
        && [GrantType::Password, GrantType::ClientCredentials]
            .into_iter()
            .all(|grant| may(one, grant) == may(other, grant))
}

pub fn client_id_of(text: &str) -> Result<ClientId, Failed> {
    ClientId::parse(text).ok_or(Failed::from("client_id has 1 to 64 characters of A-Za-z0-9._-"))
}

fn domain_of(text: Option<&str>) -> Result<Option<DomainName>, Failed> {
    text.map(|name| field("domain", DomainName::parse(name))).transpose()
}

fn grants_of(names: &[String]) -> Result<Vec<GrantType>, Failed> {
    let grant = |name: &String| GrantType::parse(name).ok_or(Failed::from("grants are password, client_credentials"));
    names.iter().map(grant).collect()
}
