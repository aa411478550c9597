//! Tokens that the operator issues.

use countersign_shared::{
    domain::{
        auth::token::{Grant, Kind, Owner, Presented, Token},
        crypto::secret::Secret,
        people::locale::Locale,
    },
    fault::Fault,
    observe::Outcome,
    store::{
        rows::{token, user},
        table::{Committed, Transaction},
    },
};
use rand::rngs::SysRng;
use serde_json::{Value, json};

use crate::{
    command::{NewToken, Scopes},
    handler::Operator,
    outcome::{Failed, Run, done},
};

/// Longest lifetime of a token: a year, in seconds.
const LONGEST_LIFE: u64 = 366 * 86_400;

impl Operator {
    /// Creates a new token each time: it is shown once and stored as a digest, so a retry could not return the same
    /// one.
    pub async fn create_token(&self, new: NewToken, run: Run<'_>) -> Result<Value, Failed> {
        if !(1..=LONGEST_LIFE).contains(&new.lifetime_seconds) {
            return Err("a token lives 1 second to 366 days".into());
        }
        let client = self.client(&new.client_id, run).await?;
        let scopes = match new.scopes {
            Scopes::Word(word) if word == "all" => client.scopes.clone(),
            scopes => scopes.read()?,
        };
        if !scopes.iter().all(|scope| client.scopes.contains(scope)) {
            return Err("the client's tokens may not have all of these scopes".into());
        }
        let user = match (&new.user_id, &new.owner_client_id) {
            (Some(id), None) => Some(self.user_at_large(id, run).await?),
            (None, Some(id)) if id == client.id.as_str() => None,
            _ => return Err("a token has one owner: user_id, or owner_client_id equal to client_id".into()),
        };
        let (owner, generation) = match &user {
            Some(user) => (Owner::User(user.id), user.token_generation),
            None => (Owner::Client(client.id.clone()), client.token_generation),
        };
        let grant = Grant {
            owner,
            domain: user.as_ref().map(|user| user.domain_key()),
            generation,
            session: None,
            second_factor: false,
            device: None,
            locale: Locale::default(),
            client: client.id,
            kind: Kind::Access,
            scopes,
            expires_at: run.now.deadline(new.lifetime_seconds),
        };
        let (token, text) = Token::issue(grant, &mut SysRng, run.now).map_err(Fault::from)?;
        let shown = |text: Option<&Secret>| {
            let text = text.map(Secret::expose);
            Ok(json!({ "token": text, "expires_at": token.expires_at.iso(), "changed": true }))
        };
        if run.dry {
            return shown(None);
        }
        let mut transaction = Transaction::default();
        transaction.put_new(&self.tokens, &token, run.now);
        if let Some(user) = &user {
            transaction.check(&self.depend_on_users, &user.id, user::has_lockout_of(user));
        }
        let act = match &user {
            Some(user) => Outcome::TokenCreated.of_user(user),
            None => Outcome::TokenCreated.of(token.owner.log_name()),
        };
        self.audit.add(&mut transaction, run, act);
        match transaction.commit().await? {
            Committed::Yes => shown(Some(&text)),
            Committed::No(_) => Err("the user was changed meanwhile: send the command again".into()),
        }
    }

    pub async fn revoke_token(&self, text: &str, run: Run<'_>) -> Result<Value, Failed> {
        let presented = Presented::parse(text).ok_or(Failed::from("not a token of ours"))?;
        let found = self.read_tokens.get(&presented.digest, run.now).await?;
        let found = found.ok_or(Failed::from("no such token"))?;
        let revoked = found.revoked_at.is_none();
        if revoked && !run.dry {
            let mut transaction = Transaction::default();
            transaction.update(&self.change_tokens, &found.digest, token::revoke(run.now));
            self.audit.add(&mut transaction, run, Outcome::TokenRevoked.of(found.owner.log_name()));
            // A token that was revoked concurrently is revoked as well.
            return Ok(done(matches!(transaction.commit().await?, Committed::Yes)));
        }
        Ok(done(revoked))
    }
}
