use countersign_shared::{
    domain::{
        auth::{
            client::GrantType,
            token::{Grant, Kind, Owner, Token},
        },
        crypto::secret::{Digest, Secret},
        idempotency::Issued,
        people::{id::ClientId, locale::Locale},
    },
    fault::Fault,
    http::{
        call::Call,
        dialects::mithril::{
            Error, body,
            view::{NextStep, token_answer},
        },
        reply::Answer,
    },
    observe::Outcome,
    services::idempotency::Once,
    store::table::{Batch, Committed, Transaction, settled},
};
use rand::rngs::SysRng;

use crate::handler::Create;

impl Create {
    /// Issues a token in a client's own name, for the client's secret.
    pub async fn client_credentials(
        &self,
        call: &Call,
        client_id: &str,
        secret: &Secret,
        scope: &str,
        once: &Once<'_>,
    ) -> Result<Answer, Error> {
        let id = ClientId::parse(client_id).ok_or(Error::ClientUnknown)?;
        let client = self.clients.get(&id, call.now).await?.ok_or(Error::ClientUnknown)?;
        call.log_subject(id.log_name());
        if !client.grants.contains(&GrantType::ClientCredentials) {
            return Err(Error::ClientNotAllowed);
        }
        if !client.secret.matches(&Digest::of(secret)) {
            return Err(Error::WrongSecret);
        }
        call.log_actor(id.log_name());
        let scopes = client.allow(GrantType::ClientCredentials, scope).map_err(Error::ScopeNotAllowed)?;
        let issued = Issued::to_client(&client);
        let log_name = id.log_name();
        let grant = Grant {
            owner: Owner::Client(id.clone()),
            domain: None,
            generation: client.token_generation,
            session: None,
            second_factor: false,
            device: None,
            locale: Locale::default(),
            client: id,
            kind: Kind::Access,
            scopes,
            expires_at: call.now.deadline(self.lifetimes.access),
        };
        let (token, text) = Token::issue(grant, &mut SysRng, call.now).map_err(Fault::from)?;
        let grant_type = body::GrantType::ClientCredentials.name();
        let next = NextStep::RequestApps;
        let answer = token_answer(call, Outcome::ClientSignedIn, &token, &text, grant_type, next).issued(issued);
        let mut transaction = Transaction::default();
        transaction.put_new(&self.new_tokens, &token, call.now);
        self.logins.audit.add(&mut transaction, call, Outcome::ClientSignedIn.of(log_name));
        once.store(&mut transaction, &answer)?;
        let is_issued = Batch::finds(&self.logins.tokens, &token.digest, call.now);
        match settled(transaction.commit().await, is_issued).await? {
            Committed::Yes => Ok(answer),
            Committed::No(_) => Err(Fault::Contended("a concurrent call with the same key was faster".into()).into()),
        }
    }
}
