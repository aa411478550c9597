//! Links in mails: a random UUID is the credential (docs/contract.md, Registration and password reset), and only its
//! SHA-256 is stored.

use rand::TryCryptoRng;
use uuid::Uuid;

use crate::domain::{
    crypto::secret::{Digest, NoEntropy, Secret, random_bytes},
    limits::limit_keys::{Limits, RequestKind},
};

/// The lifetime of a link, in the words of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Whole hours.
    Hours(u64),
    /// Minutes, rounded down: the mail never promises more than the actual lifetime.
    Minutes(u64),
}

impl Life {
    fn of(seconds: u64) -> Self {
        match seconds / 60 {
            minutes if minutes % 60 == 0 => Self::Hours(minutes / 60),
            minutes => Self::Minutes(minutes),
        }
    }
}

/// The operator's settings for mails with a link.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The origin of the page: `https://host`, without a trailing slash. From the configuration, never from a request.
    pub base: String,
    /// Lifetime of a link, in seconds.
    pub lifetime: u64,
    /// The rate limits of requests for a link.
    pub limits: Limits,
}

impl Policy {
    /// The link for a mail. The credential is in the fragment, which browsers do not send to servers.
    #[must_use]
    pub fn link(&self, request: RequestKind, id: &Secret) -> Secret {
        let view = match request {
            RequestKind::Registration => "self_register",
            RequestKind::PasswordReset => "pwd_reset",
        };
        Secret::new(page(&self.base, &format!("/{view}/{}", id.expose())))
    }

    /// Lifetime of a link, for its mail.
    #[must_use]
    pub fn life(&self) -> Life {
        Life::of(self.lifetime)
    }
}

/// The name of a link in the log: enough to identify it, and no link.
#[must_use]
pub fn log_name(digest: &Digest) -> String {
    format!("link:{}", digest.short())
}

/// The URL of the page behind links, with that fragment.
fn page(base: &str, fragment: &str) -> String {
    format!("{base}/app-root#{fragment}")
}

/// Restores the link from a path in which a mail program escaped the `#`; `None` for every other path. Only the view
/// and the credential are taken from the path. Without a base the link is relative to the same host.
#[must_use]
pub fn unescaped(path: &str, base: Option<&str>) -> Option<Secret> {
    let rest = path.strip_prefix("/app-root")?;
    // A doubly escaped `#` is still escaped after the gateway has decoded the path.
    let rest = rest.strip_prefix('#').or_else(|| rest.strip_prefix("%23"))?;
    fragment(rest).map(|fragment| Secret::new(page(base.unwrap_or_default(), fragment)))
}

/// The view and the credential at the start of a text: `/self_register/<uuid>`. The rest is ignored, as mail programs
/// include the end of a sentence in the link; its first character must be one that a UUID cannot contain.
fn fragment(text: &str) -> Option<&str> {
    let view = ["/self_register/", "/pwd_reset/"].into_iter().find(|view| text.starts_with(view))?;
    let end = view.len() + Uuid::nil().hyphenated().to_string().len();
    let (fragment, rest) = text.split_at_checked(end)?;
    let goes_on = rest.starts_with(|sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '-' | '_'));
    (!goes_on && parse(&fragment[view.len()..]).is_some()).then_some(fragment)
}

/// The credential of a link: a UUID, version 4, 122 random bits; and the digest to store.
///
/// # Errors
/// [`NoEntropy`] when the generator fails.
pub fn draw(rng: &mut impl TryCryptoRng) -> Result<(Secret, Digest), NoEntropy> {
    let id = uuid::Builder::from_random_bytes(random_bytes(rng)?).into_uuid();
    let text = Secret::new(id.hyphenated().to_string());
    let digest = Digest::of(&text);
    Ok((text, digest))
}

/// The digest of a presented credential; `None` for text that is not a UUID in the form 8-4-4-4-12. Every version is
/// accepted, because the original's own example has one unknown to RFC 9562; so is either letter case.
#[must_use]
pub fn parse(text: &str) -> Option<Digest> {
    let id = Uuid::try_parse(text).ok()?.hyphenated().to_string();
    id.eq_ignore_ascii_case(text).then(|| Digest::of(&Secret::new(id)))
}

#[cfg(test)]
mod tests {
    use rand::rngs::SysRng;

    use super::*;
    use crate::domain::crypto::secret::tests::Broken;

    #[test]
    fn a_link_matches_its_digest() {
        let (text, digest) = draw(&mut SysRng).expect("the system has entropy");
        assert_eq!(text.expose().as_bytes()[14], b'4', "version 4");
        for text in [text.expose().to_owned(), text.expose().to_uppercase()] {
            assert!(parse(&text).expect("a UUID").matches(&digest), "{text}");
        }
        assert!(draw(&mut Broken).is_err());
    }

    #[test]
    fn only_a_link_with_an_escaped_hash_sign_is_recovered() {
        const ID: &str = "19738eb3-0183-b148-9420-7cd30a921f58";
        let upper = ID.to_uppercase();
        for (path, fragment) in [
            (format!("/app-root#/self_register/{ID}"), format!("/self_register/{ID}")),
            (format!("/app-root#/pwd_reset/{upper}"), format!("/pwd_reset/{upper}")),
            (format!("/app-root%23/pwd_reset/{ID}"), format!("/pwd_reset/{ID}")),
            (format!("/app-root#/pwd_reset/{ID}>"), format!("/pwd_reset/{ID}")),
            (format!("/app-root#/pwd_reset/{ID}%3E"), format!("/pwd_reset/{ID}")),
            (format!("/app-root#/pwd_reset/{ID}\r\nx: y"), format!("/pwd_reset/{ID}")),
            (format!("/app-root#/pwd_reset/{ID}/../.."), format!("/pwd_reset/{ID}")),
            (format!("/app-root#/pwd_reset/{ID}ё"), format!("/pwd_reset/{ID}")),
        ] {
            for base in [None, Some("https://id.example/base")] {
                let found = unescaped(&path, base).expect("a link");
                let expected = format!("{}/app-root#{fragment}", base.unwrap_or_default());
                assert_eq!(found.expose(), expected, "{path}");
            }
        }
        for path in [
            "/app-root".into(),
            "/app-root#".into(),
            "/app-root#/self_register/".into(),
            format!("/app-root/self_register/{ID}"),
            format!("/app-root#//evil.example/self_register/{ID}"),
            format!("/app-root#self_register/{ID}"),
            format!("/app-root#/other/{ID}"),
            format!("/app-root##/pwd_reset/{ID}"),
            format!("/app-root?#/pwd_reset/{ID}"),
            format!("/app-root#/pwd_reset/{ID}0"),
            format!("/app-root#/pwd_reset/{ID}-"),
            format!("/app-root#/pwd_reset/{ID}x"),
            format!("/app-root#/pwd_reset/{}", &ID[1..]),
            format!("/app-root#/pwd_reset/{}", ID.replace('-', "0")),
            format!("/app-root#/pwd_reset/{}ё", &ID[1..]),
            format!("//evil.example/app-root#/pwd_reset/{ID}"),
        ] {
            assert!(unescaped(&path, None).is_none(), "{path}");
        }
    }

    #[test]
    fn a_lifetime_is_shown_in_hours_or_minutes_rounded_down() {
        for (lifetime, life) in [
            (300, Life::Minutes(5)),
            (359, Life::Minutes(5)),
            (3599, Life::Minutes(59)),
            (3600, Life::Hours(1)),
            (3659, Life::Hours(1)),
            (3660, Life::Minutes(61)),
            (5400, Life::Minutes(90)),
            (7200, Life::Hours(2)),
            (86_399, Life::Minutes(1439)),
            (86_400, Life::Hours(24)),
        ] {
            assert_eq!(Life::of(lifetime), life, "{lifetime}");
        }
    }

    #[test]
    fn a_uuid_has_one_accepted_format() {
        for (text, good) in [
            ("19738eb3-0183-b148-9420-7cd30a921f58", true),
            ("00000000-0000-0000-0000-000000000000", true),
            ("19738eb30183b14894207cd30a921f58", false),
            ("{19738eb3-0183-b148-9420-7cd30a921f58}", false),
            ("urn:uuid:19738eb3-0183-b148-9420-7cd30a921f58", false),
            ("19738eb3-0183-b148-9420-7cd30a921f5", false),
            ("19738eb3-0183-b148-9420-7cd30a921f5g", false),
            (" 9738eb3-0183-b148-9420-7cd30a921f58", false),
            ("", false),
        ] {
            assert_eq!(parse(text).is_some(), good, "{text}");
        }
    }
}
