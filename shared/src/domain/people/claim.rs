//! Claims to names: a user's login and mail address are unique within a domain, case-insensitively, and so is what the
//! login looks like.

use sha2::{Digest, Sha256};

use super::{
    id::UserId,
    name::{DomainName, EmailAddress, Login},
};
use crate::domain::crypto::secret::framed;

/// A claim to a name.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// The key of the name: see [`login`], [`email`] and [`looks`].
    pub key: [u8; 32],
    /// The user who holds the name.
    pub user: UserId,
}

/// The key of a login in a domain.
#[must_use]
pub fn login(domain: &DomainName, login: &Login) -> [u8; 32] {
    key(b"login", domain, login.canonical())
}

/// The key of a mail address in a domain.
#[must_use]
pub fn email(domain: &DomainName, email: &EmailAddress) -> [u8; 32] {
    key(b"email", domain, email.canonical())
}

/// The keys that a new login claims in a domain: its own, and those of its look-alikes.
#[must_use]
pub fn logins(domain: &DomainName, login: &Login) -> Vec<[u8; 32]> {
    let mut keys = looks(domain, login);
    keys.push(self::login(domain, login));
    keys
}

/// The keys of a login's look-alikes in a domain: two logins that share one are confusable.
#[must_use]
pub fn looks(domain: &DomainName, login: &Login) -> Vec<[u8; 32]> {
    let looks = login.looks();
    looks.iter().map(|look| key(b"look", domain, look)).collect()
}

/// A key that no user holds. A text that cannot be a name is looked up under it, so that it takes as long as a valid
/// name.
#[must_use]
pub fn of_unknown(random: &UserId) -> [u8; 32] {
    Sha256::digest(framed(&[b"claim", b"nobody", random.as_bytes()])).into()
}

fn key(kind: &[u8], domain: &DomainName, name: &str) -> [u8; 32] {
    Sha256::digest(framed(&[b"claim", kind, domain.as_str().as_bytes(), name.as_bytes()])).into()
}

#[cfg(test)]
mod tests {
    use rand::rngs::SysRng;

    use super::*;

    #[test]
    fn a_name_is_unique_within_its_domain_and_kind() {
        let domains = ["pbx.era-platform.ru", "other.example"].map(|name| DomainName::parse(name).expect("a domain"));
        let logins = ["anna", "maria"].map(|name| Login::parse(name).expect("a login"));
        let addresses =
            ["anna@example.org", "anna@example.com"].map(|text| EmailAddress::parse(text).expect("an address"));
        let mut keys: Vec<_> = (0..2).map(|_| of_unknown(&UserId::draw(&mut SysRng).expect("entropy"))).collect();
        for domain in &domains {
            for name in &logins {
                let needed = self::logins(domain, name);
                let looks = looks(domain, name);
                assert!(!looks.is_empty());
                assert_eq!(needed, [looks, vec![login(domain, name)]].concat());
                keys.extend(needed);
            }
            keys.extend(addresses.iter().map(|address| email(domain, address)));
        }
        for (at, key) in keys.iter().enumerate() {
            assert!(!keys[..at].contains(key), "{at}");
        }
        let again = |name: &str| login(&domains[0], &Login::parse(name).expect("a login"));
        assert_eq!(again("ANNA"), again("anna"));
    }
}
