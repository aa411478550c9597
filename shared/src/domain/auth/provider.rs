//! The operator's own identity provider: mapping its claims to users and clients. The gateway has verified the token
//! before a function runs; here the claims are only read, as the provider signed them: a list element is one whole
//! text, whatever it contains.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{
    access::Refusal,
    scope::{Needed, Scope},
};
use crate::domain::{
    crypto::secret::framed,
    people::id::{ClientId, UserId},
};

/// The claims of a verified token, without those that are objects.
pub type Claims = HashMap<String, Claim>;

/// The value of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// One text, or a number or a boolean as written.
    Text(String),
    /// A list of texts.
    List(Vec<String>),
}

impl Claim {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::List(_) => None,
        }
    }
}

/// An identity provider, and the meaning of its claims.
#[derive(Clone, Debug)]
pub struct Provider {
    /// The issuer, as in its tokens.
    pub issuer: String,
    /// The claim that names the user.
    pub user: String,
    /// The claim that names the client.
    pub client: String,
    /// The claim that names the scopes: one text with spaces between them (RFC 8693 §4.2), or a list.
    pub scopes: String,
    /// The prefix of each scope's name; empty for none.
    pub scope_prefix: String,
    /// The claim that marks administrators; without it there are none.
    pub admin: Option<Mark>,
}

/// A claim that has this value, or is a list that contains it.
#[derive(Clone, Debug)]
pub struct Mark {
    /// The claim's name.
    pub claim: String,
    /// The required value.
    pub value: String,
}

impl Provider {
    /// The user that the claims name.
    ///
    /// # Errors
    /// [`Refusal::UnknownToken`] when they name none.
    pub fn user(&self, claims: &Claims) -> Result<UserId, Refusal> {
        let name = claims.get(&self.user).and_then(Claim::text);
        let name = name.filter(|name| !name.is_empty());
        name.map(|name| self.user_named(name)).ok_or(Refusal::UnknownToken)
    }

    /// The id of the user with that name at the provider: the name itself where it is a UUID; else a UUID (version 8,
    /// RFC 9562 §5.8) derived from it. A name that looks like a derived id is derived again: no user can choose a name
    /// that equals another user's derived id. For the same reason a UUID is parsed case-insensitively only where the
    /// name is the subject, which the provider assigns (RFC 7519 §4.1.2): two users may choose names that differ only
    /// in case.
    #[must_use]
    pub fn user_named(&self, name: &str) -> UserId {
        let is_assigned = self.user == "sub";
        let id = UserId::parse(name).filter(|id| is_assigned || id.text() == name);
        match id {
            Some(id) if Uuid::from_bytes(*id.as_bytes()).get_version_num() != 8 => id,
            _ => {
                let digest =
                    Sha256::digest(framed(&[b"identity provider's user", self.issuer.as_bytes(), name.as_bytes()]));
                let half = *digest.first_chunk().expect("a digest has 32 bytes");
                UserId::from_bytes(*uuid::Builder::from_custom_bytes(half).as_uuid().as_bytes())
            }
        }
    }

    /// The client that the claims name.
    ///
    /// # Errors
    /// [`Refusal::UnknownToken`] when they name none, or one that is not a valid client id.
    pub fn client(&self, claims: &Claims) -> Result<ClientId, Refusal> {
        let name = claims.get(&self.client).and_then(Claim::text);
        name.and_then(ClientId::parse).ok_or(Refusal::UnknownToken)
    }

    /// Checks that the claims have a scope that authorizes the route.
    ///
    /// # Errors
    /// [`Refusal::ScopeTooSmall`].
    pub fn check(&self, claims: &Claims, needed: Needed) -> Result<(), Refusal> {
        let named: Vec<_> = match claims.get(&self.scopes) {
            None => Vec::new(),
            Some(Claim::Text(text)) => text.split_whitespace().collect(),
            Some(Claim::List(list)) => list.iter().map(String::as_str).collect(),
        };
        let held: Vec<_> =
            named.into_iter().filter_map(|name| Scope::parse(name.strip_prefix(&self.scope_prefix)?)).collect();
        match needed.met_by(&held) {
            true => Ok(()),
            false => Err(Refusal::ScopeTooSmall(needed)),
        }
    }

    /// Whether the claims make their user an administrator.
    #[must_use]
    pub fn is_admin(&self, claims: &Claims) -> bool {
        self.admin.as_ref().is_some_and(|mark| match claims.get(&mark.claim) {
            None => false,
            Some(Claim::Text(text)) => *text == mark.value,
            Some(Claim::List(list)) => list.contains(&mark.value),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider() -> Provider {
        Provider {
            issuer: "https://idp.example.com".into(),
            user: "sub".into(),
            client: "client_id".into(),
            scopes: "scope".into(),
            scope_prefix: String::new(),
            admin: Some(Mark {
                claim: "cognito:groups".into(),
                value: "support".into(),
            }),
        }
    }

    fn text(text: &str) -> Claim {
        Claim::Text(text.to_owned())
    }

    fn list(members: &[&str]) -> Claim {
        Claim::List(members.iter().map(|&member| member.to_owned()).collect())
    }

    fn claims(pairs: &[(&str, Claim)]) -> Claims {
        let own = |(name, claim): &(&str, Claim)| ((*name).to_owned(), claim.clone());
        pairs.iter().map(own).collect()
    }

    #[test]
    fn the_provider_identifies_the_user() {
        const OWN: &str = "5ad61494-b10b-4f7f-90e4-6d2792e4c2e6";
        let found = |name: &str| {
            let user = provider().user(&claims(&[("sub", text(name))]));
            user.expect("a name").text()
        };
        assert_eq!(found(OWN), OWN);
        assert_eq!(found(&OWN.to_uppercase()), OWN, "the provider assigns subjects");
        // From an independent implementation: SHA-256 over the three parts, each preceded by its length in eight bytes.
        assert_eq!(found("auth0|anna"), "8e09fc51-3a69-85ca-9e04-4e059257c52a");
        let mut seen = vec![found("auth0|anna")];
        for name in [
            "Auth0|anna",
            " auth0|anna",
            "анна",
            &found("auth0|anna"),
            &found("auth0|anna").to_uppercase(),
        ] {
            let id = found(name);
            assert_ne!(id, *name);
            assert_eq!(&id[14..15], "8", "{name}: {id}");
            assert!(!seen.contains(&id), "{name}: {id}");
            seen.push(id);
        }
        let other = Provider {
            issuer: "https://idp.example.org".into(),
            ..provider()
        };
        assert_ne!(other.user_named("auth0|anna").text(), found("auth0|anna"));
        let chosen = Provider {
            user: "preferred_username".into(),
            ..provider()
        };
        assert_eq!(chosen.user_named(OWN).text(), OWN);
        assert_ne!(chosen.user_named(&OWN.to_uppercase()).text(), OWN, "users may choose other names");
        for unidentified in [
            &[][..],
            &[("sub", text(""))],
            &[("sub", list(&["anna"]))],
            &[("email", text("anna@example.com"))],
        ] {
            assert!(matches!(provider().user(&claims(unidentified)), Err(Refusal::UnknownToken)));
        }
    }

    #[test]
    fn the_provider_identifies_the_client() {
        for (claim, expected) in [
            (Some(text("heatclinic")), Some("heatclinic")),
            (Some(text("2kqhbl5s7f0v8ff3qnb5b5e2ab")), Some("2kqhbl5s7f0v8ff3qnb5b5e2ab")),
            (Some(text("")), None),
            (Some(text("a b")), None),
            (Some(list(&["heatclinic"])), None),
            (None, None),
        ] {
            let claims: Claims = claim.map(|claim| ("client_id".into(), claim)).into_iter().collect();
            let found = provider().client(&claims);
            assert_eq!(found.as_ref().map(ClientId::as_str).ok(), expected);
        }
    }

    #[test]
    fn scopes_are_a_string_or_a_list() {
        const NEEDED: Needed = Needed {
            any_of: &[Scope::Api],
            named: &[Scope::Api],
        };
        for (prefix, claim, expected) in [
            ("", text("api"), true),
            ("", text("openid api profile"), true),
            ("", list(&["openid", "api"]), true),
            ("", list(&["api"]), true),
            ("", list(&["openid api"]), false),
            ("", list(&["[api]", "no api"]), false),
            ("", list(&[]), false),
            ("", text(""), false),
            ("", text("[api]"), false),
            ("", text("read_api"), false),
            ("", text("apis"), false),
            ("", text("API"), false),
            ("", text("countersign/api"), false),
            ("countersign/", text("openid countersign/api"), true),
            ("countersign/", list(&["countersign/api"]), true),
            ("countersign/", text("api"), false),
            ("countersign/", text("other/api"), false),
            ("countersign/", text("countersign/countersign/api"), false),
        ] {
            let provider = Provider {
                scope_prefix: prefix.into(),
                ..provider()
            };
            let found = provider.check(&claims(&[("scope", claim.clone())]), NEEDED).is_ok();
            assert_eq!(found, expected, "{claim:?} with {prefix:?}");
            assert!(provider.check(&claims(&[("scp", claim)]), NEEDED).is_err(), "another claim");
        }
    }

    #[test]
    fn an_administrator_is_recognized_by_a_claim() {
        for (claim, expected) in [
            (text("support"), true),
            (list(&["support"]), true),
            (list(&["sales", "support"]), true),
            (list(&["not support"]), false),
            (list(&["support "]), false),
            (list(&["sales", "[support]"]), false),
            (text("sales support"), false),
            (text("[support]"), false),
            (text("[sales support]"), false),
            (list(&["sales"]), false),
            (list(&[]), false),
            (text(""), false),
            (text("supporter"), false),
            (list(&["supporter"]), false),
            (text("Support"), false),
        ] {
            let claims = claims(&[("cognito:groups", claim.clone())]);
            assert_eq!(provider().is_admin(&claims), expected, "{claim:?}");
            let without_mark = Provider {
                admin: None,
                ..provider()
            };
            assert!(!without_mark.is_admin(&claims), "{claim:?} without a mark");
        }
        assert!(!provider().is_admin(&claims(&[("groups", text("support"))])), "another claim");
    }
}
