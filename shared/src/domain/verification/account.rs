//! Credentials of applications that verify phone numbers and mail addresses: an account of a tenant with its auth token,
//! and keys of the account, each with a secret of its own.

use rand::TryCryptoRng;

use super::sid::{AccountSid, KeySid};
use crate::domain::{
    crypto::secret::{Digest, NoEntropy, Secret, random_token},
    people::name::DomainName,
    time::Timestamp,
};

/// The maximum number of keys of an account.
pub const MOST_KEYS: usize = 20;

/// What a secret belongs to: the user name of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CredentialId {
    /// An account.
    Account(AccountSid),
    /// A key of an account.
    Key(KeySid),
}

impl CredentialId {
    /// Parses the SID of an account or of a key; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let account = AccountSid::parse(text).map(Self::Account);
        account.or_else(|| KeySid::parse(text).map(Self::Key))
    }

    /// The canonical text form.
    #[must_use]
    pub fn as_text(&self) -> String {
        match self {
            Self::Account(sid) => sid.as_text(),
            Self::Key(sid) => sid.as_text(),
        }
    }

    /// The name in the log and the audit log, as an actor or a subject.
    #[must_use]
    pub fn log_name(&self) -> String {
        match self {
            Self::Account(sid) => sid.log_name(),
            Self::Key(sid) => sid.log_name(),
        }
    }
}

/// A credential. An account's and its keys' have the same rights.
#[derive(Clone, Debug)]
pub struct Credential {
    /// What the secret belongs to.
    pub id: CredentialId,
    /// The account itself, or the key's account.
    pub account: AccountSid,
    /// The tenant of the account.
    pub domain: DomainName,
    /// The name that the operator gave it.
    pub name: String,
    /// The digest of the secret, 256 random bits.
    pub secret: Digest,
    /// The keys of an account, so that ending the account ends them; a key has none.
    pub keys: Vec<KeySid>,
    /// When it was created.
    pub inserted_at: Timestamp,
}

impl Credential {
    /// A new account of a tenant, and its auth token, which is stored as a digest only.
    ///
    /// # Errors
    /// [`NoEntropy`] when the generator fails.
    pub fn new_account(
        domain: DomainName,
        name: String,
        rng: &mut impl TryCryptoRng,
        now: Timestamp,
    ) -> Result<(Self, Secret), NoEntropy> {
        let (sid, secret) = (AccountSid::random(rng)?, random_token(rng)?);
        let account = Self {
            id: CredentialId::Account(sid),
            account: sid,
            domain,
            name,
            secret: Digest::of(&secret),
            keys: Vec::new(),
            inserted_at: now,
        };
        Ok((account, secret))
    }

    /// A new key of this account, and its secret, which is stored as a digest only.
    ///
    /// # Errors
    /// [`NoEntropy`] when the generator fails.
    pub fn new_key(
        &self,
        name: String,
        rng: &mut impl TryCryptoRng,
        now: Timestamp,
    ) -> Result<(KeySid, Self, Secret), NoEntropy> {
        let (sid, secret) = (KeySid::random(rng)?, random_token(rng)?);
        let key = Self {
            id: CredentialId::Key(sid),
            account: self.account,
            domain: self.domain.clone(),
            name,
            secret: Digest::of(&secret),
            keys: Vec::new(),
            inserted_at: now,
        };
        Ok((sid, key, secret))
    }

    /// Whether this secret opens it, compared in constant time.
    #[must_use]
    pub fn is_opened_by(&self, secret: &Secret) -> bool {
        self.secret.matches(&Digest::of(secret))
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::SysRng;

    use super::*;

    fn account() -> (Credential, Secret) {
        let domain = DomainName::parse("pbx.era-platform.ru").expect("a domain");
        Credential::new_account(domain, "Shop".into(), &mut SysRng, Timestamp::from_seconds(5)).expect("entropy")
    }

    #[test]
    fn a_credential_id_is_an_accounts_or_a_keys() {
        let digits = "0f".repeat(16);
        let (account, key) = (AccountSid::from_bytes([15; 16]), KeySid::from_bytes([15; 16]));
        for (text, id) in [
            (format!("AC{digits}"), Some(CredentialId::Account(account))),
            (format!("SK{digits}"), Some(CredentialId::Key(key))),
            (format!("SK{}", digits.to_uppercase()), Some(CredentialId::Key(key))),
            (format!("VA{digits}"), None),
            (digits.clone(), None),
            ("AC".into(), None),
            (String::new(), None),
        ] {
            assert_eq!(CredentialId::parse(&text), id, "{text}");
            if let Some(id) = id {
                assert!(id.as_text().eq_ignore_ascii_case(&text), "{text}");
            }
        }
        assert_eq!(CredentialId::Account(account).log_name(), format!("account:AC{digits}"));
        assert_eq!(CredentialId::Key(key).log_name(), format!("key:SK{digits}"));
    }

    #[test]
    fn a_credential_is_opened_by_its_own_secret_only() {
        let (account, token) = account();
        let (sid, key, secret) = account
            .new_key("CI".into(), &mut SysRng, Timestamp::from_seconds(6))
            .expect("the system has entropy");
        assert_eq!((key.id, key.account, &key.domain), (CredentialId::Key(sid), account.account, &account.domain));
        for (credential, given, opens) in [
            (&account, &token, true),
            (&account, &secret, false),
            (&key, &secret, true),
            (&key, &token, false),
            (&key, &Secret::new(String::new()), false),
        ] {
            assert_eq!(credential.is_opened_by(given), opens, "{credential:?}");
        }
    }
}
