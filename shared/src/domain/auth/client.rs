//! Clients of the API: applications, not users.

use super::{scope::Scope, token::Token};
use crate::domain::{
    crypto::secret::Digest,
    people::{id::ClientId, name::DomainName},
    time::Timestamp,
};

/// An application with its own client secret.
#[derive(Clone, Debug)]
pub struct Client {
    /// The client id.
    pub id: ClientId,
    /// Digest of the client secret (256 random bits).
    pub secret: Digest,
    /// The domain whose users log in with it, and which it may administer; `None` for a client without access to users.
    pub domain: Option<DomainName>,
    /// The grant types that it may use.
    pub grants: Vec<GrantType>,
    /// The scopes that its tokens may have.
    pub scopes: Vec<Scope>,
    /// The token generation: tokens of an earlier generation are revoked.
    pub token_generation: u64,
    /// When it was created.
    pub inserted_at: Timestamp,
}

impl Client {
    /// The scopes available under this grant. A user's login never gets the scopes that let a client act for all users:
    /// one user could consume another user's passcodes.
    fn scopes_by(&self, grant: GrantType) -> Vec<Scope> {
        let people = |scope: &Scope| match grant {
            GrantType::ClientCredentials => true,
            GrantType::Password => *scope != Scope::Passcode,
        };
        self.scopes.iter().copied().filter(people).collect()
    }

    /// Parses space-separated scope names without duplicates; there must be at least one, and all must be allowed.
    ///
    /// # Errors
    /// The allowed scopes.
    pub fn allow(&self, grant: GrantType, names: &str) -> Result<Vec<Scope>, Vec<Scope>> {
        let allowed = self.scopes_by(grant);
        let mut scopes = Vec::new();
        for name in names.split_whitespace() {
            match Scope::parse(name).filter(|scope| allowed.contains(scope)) {
                Some(scope) if scopes.contains(&scope) => {}
                Some(scope) => scopes.push(scope),
                None => return Err(allowed),
            }
        }
        if scopes.is_empty() { Err(allowed) } else { Ok(scopes) }
    }

    /// Whether the client's own token is revoked.
    #[must_use]
    pub fn has_ended(&self, token: &Token) -> bool {
        token.revoked_at.is_some() || token.generation != self.token_generation
    }
}

/// A grant type (RFC 6749 §4.3, §4.4). The second factor of a login is requested by the same client as the first, so it
/// needs no grant type of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantType {
    /// A user's mail address and password: for first-party clients only.
    Password,
    /// The client's own credentials.
    ClientCredentials,
}

impl GrantType {
    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::ClientCredentials => "client_credentials",
        }
    }

    /// The grant of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Password, Self::ClientCredentials].into_iter().find(|grant| grant.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::SysRng;

    use super::*;
    use crate::domain::{
        auth::token::{Owner, tests::grant},
        crypto::secret::Secret,
    };

    fn client() -> Client {
        Client {
            id: ClientId::parse("heatclinic").expect("well-formed"),
            secret: Digest::of(&Secret::new("secret".into())),
            domain: None,
            grants: Vec::new(),
            scopes: vec![Scope::Api, Scope::Passcode],
            token_generation: 0,
            inserted_at: Timestamp::from_seconds(0),
        }
    }

    #[test]
    fn a_grant_type_round_trips() {
        for grant in [GrantType::Password, GrantType::ClientCredentials] {
            assert_eq!(GrantType::parse(grant.name()), Some(grant));
        }
        assert_eq!(GrantType::parse("authorization_code"), None);
    }

    #[test]
    fn a_token_is_revoked_by_a_new_generation_or_individually() {
        let now = Timestamp::from_seconds(100);
        let (token, _) = Token::issue(grant(Owner::Client(client().id)), &mut SysRng, now).expect("entropy");
        let later = Client {
            token_generation: 1,
            ..client()
        };
        let revoked = Token {
            revoked_at: Some(now),
            ..token.clone()
        };
        assert!(!client().has_ended(&token));
        assert!(later.has_ended(&token));
        assert!(client().has_ended(&revoked));
    }

    #[test]
    fn users_cannot_get_client_scopes() {
        let client = client();
        let all = Err(vec![Scope::Api, Scope::Passcode]);
        for (names, of_people, of_client) in [
            ("api", Ok(vec![Scope::Api]), Ok(vec![Scope::Api])),
            (" api  api ", Ok(vec![Scope::Api]), Ok(vec![Scope::Api])),
            ("passcode api", Err(vec![Scope::Api]), Ok(vec![Scope::Passcode, Scope::Api])),
            ("read_user", Err(vec![Scope::Api]), all.clone()),
            ("api everything", Err(vec![Scope::Api]), all.clone()),
            (" ", Err(vec![Scope::Api]), all.clone()),
        ] {
            assert_eq!(client.allow(GrantType::Password, names), of_people, "{names:?}");
            assert_eq!(client.allow(GrantType::ClientCredentials, names), of_client, "{names:?}");
        }
    }
}
