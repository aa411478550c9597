//! Who has a name: the login and the mail address of a user, each once in a domain, without regard to case, and what the
//! login looks like.

use sha2::{Digest, Sha256};

use super::{
    id::UserId,
    name::{DomainName, EmailAddress, Login},
    secret::framed,
};

/// A name that is taken.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// Which: see [`login`], [`email`] and [`looks`].
    pub key: [u8; 32],
    /// Whose.
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

/// The keys that a new login needs in a domain: its own, and those of what it looks like.
#[must_use]
pub fn logins(domain: &DomainName, login: &Login) -> Vec<[u8; 32]> {
    let mut keys = looks(domain, login);
    keys.push(self::login(domain, login));
    keys
}

/// The keys of what a login looks like in a domain: two logins that share one can be taken for each other.
#[must_use]
pub fn looks(domain: &DomainName, login: &Login) -> Vec<[u8; 32]> {
    let looks = login.looks();
    looks.iter().map(|look| key(b"look", domain, look)).collect()
}

/// A key that is nobody's: what cannot be a name is looked up like one.
#[must_use]
pub fn nobody(random: &UserId) -> [u8; 32] {
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
    fn a_name_is_claimed_once_in_its_domain_and_kind() {
        let domains = ["pbx.era-platform.ru", "other.example"].map(|name| DomainName::parse(name).expect("a domain"));
        let logins = ["anna", "maria"].map(|name| Login::parse(name).expect("a login"));
        let addresses =
            ["anna@example.org", "anna@example.com"].map(|text| EmailAddress::parse(text).expect("an address"));
        let mut keys: Vec<_> = (0..2)
            .map(|_| nobody(&UserId::draw(&mut SysRng).expect("entropy")))
            .collect();
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
