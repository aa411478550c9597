//! HTTP Basic authentication (RFC 7617), in UTF-8.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::domain::crypto::secret::Secret;

/// A user name and a password.
#[derive(Debug)]
pub struct Basic {
    /// The user name; it has no colon.
    pub user: String,
    /// The password.
    pub password: Secret,
}

impl Basic {
    /// Parses the value of the header; `None` for another scheme, and for what is no base64, no UTF-8 or no pair.
    pub(super) fn parse(header: &str) -> Option<Self> {
        let (scheme, pair) = header.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let pair = STANDARD.decode(pair.trim_start_matches(' ')).ok()?;
        let pair = String::from_utf8(pair).ok()?;
        let (user, password) = pair.split_once(':')?;
        Some(Self {
            user: user.to_owned(),
            password: Secret::new(password.to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_basic_header_is_a_user_name_and_a_password_in_utf_8() {
        for (header, expected) in [
            ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", Some(("Aladdin", "open sesame"))),
            ("basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", Some(("Aladdin", "open sesame"))),
            ("BASIC  QWxhZGRpbjpvcGVuIHNlc2FtZQ==", Some(("Aladdin", "open sesame"))),
            ("Basic dGVzdDoxMjPCow==", Some(("test", "123£"))),
            ("Basic YTpiOmM=", Some(("a", "b:c"))),
            ("Basic YTo=", Some(("a", ""))),
            ("Basic Og==", Some(("", ""))),
            ("Basic YQ==", None),
            ("Basic dGVzdDoxMjOj", None),
            ("Basic YTpi YTpi", None),
            ("Basic YTpi,Basic YTpi", None),
            ("Basic YTp", None),
            ("Basic ", None),
            ("Basic", None),
            ("Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==", None),
            ("", None),
        ] {
            let found = Basic::parse(header);
            let found = found.as_ref().map(|basic| (basic.user.as_str(), basic.password.expose()));
            assert_eq!(found, expected, "{header}");
        }
    }
}
