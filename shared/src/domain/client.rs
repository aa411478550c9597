//! Clients of the API: applications, not people.

use super::{id::ClientId, name::DomainName, scope::Scope, secret::Digest, time::Timestamp, token::Token};

/// An application that holds a secret of its own.
#[derive(Clone, Debug)]
pub struct Client {
    /// Which.
    pub id: ClientId,
    /// Digest of its secret (256 random bits).
    pub secret: Digest,
    /// The domain whose users log in with it, and whose users it may act upon; `None` for one that has nothing to do with
    /// users.
    pub domain: Option<DomainName>,
    /// The ways in which it may get tokens.
    pub grants: Vec<Granting>,
    /// The scopes that its tokens may have.
    pub scopes: Vec<Scope>,
    /// A token issued under another number has ended.
    pub token_generation: u64,
    /// When it was made.
    pub inserted_at: Timestamp,
}

impl Client {
    /// The scopes that it may give by this grant. Whoever logs in gets none that lets a client act in the names of all:
    /// one user would consume another one's passcodes.
    fn scopes_by(&self, grant: Granting) -> Vec<Scope> {
        let people = |scope: &Scope| match grant {
            Granting::ClientCredentials => true,
            Granting::Password => *scope != Scope::Passcode,
        };
        self.scopes.iter().copied().filter(people).collect()
    }

    /// The scopes of these names, separated by spaces, each once, if there are any and all may be given.
    ///
    /// # Errors
    /// Those that may be given.
    pub fn allow(&self, grant: Granting, names: &str) -> Result<Vec<Scope>, Vec<Scope>> {
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

    /// Whether a token of the client's own has ended.
    #[must_use]
    pub fn has_ended(&self, token: &Token) -> bool {
        token.revoked_at.is_some() || token.generation != self.token_generation
    }
}

/// A way in which a client may get tokens (RFC 6749 §4.3, §4.4). Whoever logs in has a second factor asked by the client of
/// the first: there is no grant of its own for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granting {
    /// A user's mail address and password: for clients of one's own only.
    Password,
    /// The client's own secret.
    ClientCredentials,
}

impl Granting {
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
        [Self::Password, Self::ClientCredentials]
            .into_iter()
            .find(|grant| grant.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::SysRng;

    use super::*;
    use crate::domain::{
        secret::Secret,
        token::{Owner, tests::grant},
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
    fn a_grant_is_read_as_it_is_written() {
        for grant in [Granting::Password, Granting::ClientCredentials] {
            assert_eq!(Granting::parse(grant.name()), Some(grant));
        }
        assert_eq!(Granting::parse("authorization_code"), None);
    }

    #[test]
    fn a_token_ends_with_its_generation_or_by_itself() {
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
    fn people_get_no_scope_of_clients() {
        let client = client();
        let all = Err(vec![Scope::Api, Scope::Passcode]);
        for (names, of_people, of_client) in [
            ("api", Ok(vec![Scope::Api]), Ok(vec![Scope::Api])),
            (" api  api ", Ok(vec![Scope::Api]), Ok(vec![Scope::Api])),
            (
                "passcode api",
                Err(vec![Scope::Api]),
                Ok(vec![Scope::Passcode, Scope::Api]),
            ),
            ("read_user", Err(vec![Scope::Api]), all.clone()),
            ("api everything", Err(vec![Scope::Api]), all.clone()),
            (" ", Err(vec![Scope::Api]), all.clone()),
        ] {
            assert_eq!(client.allow(Granting::Password, names), of_people, "{names:?}");
            assert_eq!(client.allow(Granting::ClientCredentials, names), of_client, "{names:?}");
        }
    }
}
