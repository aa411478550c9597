//! Accounts and keys of applications that verify phone numbers and mail addresses.

use countersign_shared::{
    domain::{
        crypto::secret::{Digest, Secret, random_token},
        people::name::{DisplayName, DomainName},
        verification::{
            account::{Credential, CredentialId, MOST_KEYS},
            service::{FriendlyName, Service},
            sid::{AccountSid, KeySid},
        },
    },
    fault::Fault,
    observe::Outcome,
    services::verify_services::add_first,
    store::{
        rows::verify_credential::{has_keys, set_keys, set_secret},
        table::{Committed, Transaction},
    },
};
use rand::rngs::SysRng;
use serde_json::{Value, json};

use crate::{
    command::{NewVerifyAccount, NewVerifyKey, field},
    handler::Operator,
    outcome::{Failed, Run, done},
};

impl Operator {
    /// Creates an account, and a first service of the same name. A new account with each call: its auth token is shown
    /// once, so a retry could not return the same one.
    pub async fn create_verify_account(&self, new: NewVerifyAccount, run: Run<'_>) -> Result<Value, Failed> {
        let domain = field("domain", DomainName::parse(&new.domain))?;
        let name = named(&new.name)?;
        let service_name = FriendlyName::parse(&name);
        let service_name =
            service_name.ok_or(Failed::from("name is too long for a service: it has 1 to 32 characters"))?;
        if run.dry {
            return Ok(json!({ "account_sid": null, "auth_token": null, "service_sid": null, "changed": true }));
        }
        let made = Credential::new_account(domain.clone(), name, &mut SysRng, run.now);
        let (account, secret) = made.map_err(Fault::from)?;
        let service = Service::new(account.account, service_name, &mut SysRng, run.now).map_err(Fault::from)?;
        let mut transaction = Transaction::default();
        transaction.put_new(&self.verify_accounts, &account, run.now);
        add_first(&self.verify_services, &self.verify_lists, &mut transaction, &service, run.now);
        for act in [
            Outcome::VerifyAccountCreated.of(account.id.log_name()),
            Outcome::ServiceCreated.of(service.sid.log_name()),
        ] {
            self.audit.add(&mut transaction, run, act.in_domain(&domain));
        }
        let Committed::Yes = transaction.commit().await? else {
            return Err("the account was not created: send the command again".into());
        };
        Ok(json!({
            "account_sid": account.account.as_text(),
            "auth_token": secret.expose(),
            "service_sid": service.sid.as_text(),
            "changed": true,
        }))
    }

    /// Creates a key of an account, a new one with each call: its secret is shown once.
    pub async fn create_verify_key(&self, new: NewVerifyKey, run: Run<'_>) -> Result<Value, Failed> {
        let account = self.verify_account(&new.account_sid, run).await?;
        let name = named(&new.name)?;
        if account.keys.len() >= MOST_KEYS {
            return Err("the account has as many keys as it may have: end_verify_key ends one".into());
        }
        if run.dry {
            return Ok(json!({ "key_sid": null, "secret": null, "changed": true }));
        }
        let (sid, key, secret) = account.new_key(name, &mut SysRng, run.now).map_err(Fault::from)?;
        let mut keys = account.keys.clone();
        keys.push(sid);
        let mut transaction = Transaction::default();
        transaction.update(&self.change_verify_accounts, &account.id, set_keys(&account, &keys));
        transaction.put_new(&self.verify_accounts, &key, run.now);
        let act = Outcome::VerifyKeyCreated.of(sid.log_name()).in_domain(&account.domain);
        self.audit.add(&mut transaction, run, act);
        match transaction.commit().await? {
            Committed::Yes => Ok(json!({ "key_sid": sid.as_text(), "secret": secret.expose(), "changed": true })),
            Committed::No(_) => Err(CHANGED_MEANWHILE.into()),
        }
    }

    /// Creates a new auth token each time: it is shown once, so a retry could not return the same one.
    pub async fn set_verify_auth_token(&self, sid: &str, run: Run<'_>) -> Result<Value, Failed> {
        let account = self.verify_account(sid, run).await?;
        let answer = |secret: Option<&Secret>| {
            let secret = secret.map(Secret::expose);
            json!({ "account_sid": account.account.as_text(), "auth_token": secret, "changed": true })
        };
        if run.dry {
            return Ok(answer(None));
        }
        let secret = random_token(&mut SysRng).map_err(Fault::from)?;
        let mut transaction = Transaction::default();
        transaction.update(&self.change_verify_accounts, &account.id, set_secret(&Digest::of(&secret)));
        let act = Outcome::VerifyAuthTokenSet.of(account.id.log_name()).in_domain(&account.domain);
        self.audit.add(&mut transaction, run, act);
        match transaction.commit().await? {
            Committed::Yes => Ok(answer(Some(&secret))),
            Committed::No(_) => Err(NO_ACCOUNT.into()),
        }
    }

    /// Ends an account and all of its keys in one transaction. Its services can then no longer be reached.
    pub async fn end_verify_account(&self, sid: &str, run: Run<'_>) -> Result<Value, Failed> {
        let id = CredentialId::Account(account_sid(sid)?);
        let Some(account) = self.read_verify_accounts.get(&id, run.now).await? else {
            return Ok(done(false));
        };
        if run.dry {
            return Ok(done(true));
        }
        let mut transaction = Transaction::default();
        transaction.delete_if(&self.end_verify_accounts, &id, has_keys(&account));
        for key in &account.keys {
            transaction.delete(&self.end_verify_accounts, &CredentialId::Key(*key));
        }
        self.audit
            .add(&mut transaction, run, Outcome::VerifyAccountEnded.of(id.log_name()).in_domain(&account.domain));
        match transaction.commit().await? {
            Committed::Yes => Ok(done(true)),
            Committed::No(_) => Err(CHANGED_MEANWHILE.into()),
        }
    }

    /// Ends a key; it may be repeated.
    pub async fn end_verify_key(&self, sid: &str, run: Run<'_>) -> Result<Value, Failed> {
        let sid = KeySid::parse(sid).ok_or(Failed::from("key_sid is SK and 32 hexadecimal digits"))?;
        let id = CredentialId::Key(sid);
        let Some(key) = self.read_verify_accounts.get(&id, run.now).await? else {
            return Ok(done(false));
        };
        if run.dry {
            return Ok(done(true));
        }
        let mut transaction = Transaction::default();
        transaction.delete(&self.end_verify_accounts, &id);
        let account = CredentialId::Account(key.account);
        if let Some(account) = self.read_verify_accounts.get(&account, run.now).await? {
            let keys: Vec<_> = account.keys.iter().copied().filter(|one| *one != sid).collect();
            transaction.update(&self.change_verify_accounts, &account.id, set_keys(&account, &keys));
        }
        self.audit
            .add(&mut transaction, run, Outcome::VerifyKeyEnded.of(id.log_name()).in_domain(&key.domain));
        match transaction.commit().await? {
            Committed::Yes => Ok(done(true)),
            Committed::No(_) => Err(CHANGED_MEANWHILE.into()),
        }
    }

    async fn verify_account(&self, sid: &str, run: Run<'_>) -> Result<Credential, Failed> {
        let id = CredentialId::Account(account_sid(sid)?);
        let account = self.read_verify_accounts.get(&id, run.now).await?;
        account.ok_or(Failed::from(NO_ACCOUNT))
    }
}

const NO_ACCOUNT: &str = "no such account";

const CHANGED_MEANWHILE: &str = "the account was changed meanwhile: send the command again";

fn account_sid(text: &str) -> Result<AccountSid, Failed> {
    AccountSid::parse(text).ok_or(Failed::from("account_sid is AC and 32 hexadecimal digits"))
}

fn named(text: &str) -> Result<String, Failed> {
    Ok(field("name", DisplayName::parse(text))?.as_str().to_owned())
}
