//! Addresses of mailboxes.

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use super::{DomainName, MOST_BYTES, Malformed, is_ignorable, is_joiner, is_unwritten, trimmed};

/// One bare mail address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailAddress {
    text: String,
    at: usize,
    canonical: String,
}

impl EmailAddress {
    /// Accepts a dot-atom of 1 to 64 ASCII characters (RFC 5322 §3.2.3; no `%`, which relays and decoders interpret),
    /// `@`, and a host name of at least two labels, in Unicode or ASCII (UTS 46); 254 in all (RFC 5321 §4.5.3). No
    /// quoted string, comment, display name, list, or IP address. Blanks around it are trimmed.
    ///
    /// # Errors
    /// [`Malformed`] in every way but [`Malformed::MixedScripts`].
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let text = trimmed(text);
        if text.is_empty() {
            return Err(Malformed::Empty);
        }
        if text.len() > MOST_BYTES {
            return Err(Malformed::TooLong);
        }
        let (local, host) = text.split_once('@').ok_or(Malformed::InvalidSymbols)?;
        // Some programs decode an encoded word (RFC 2047) at any position: it could hide another address.
        if !local.split('.').all(is_atom) || (local.contains("=?") && local.contains("?=")) {
            return Err(Malformed::InvalidSymbols);
        }
        let host = mail_host(host)?;
        let text = format!("{local}@{}", host.as_str());
        match local.len() > 64 || text.len() > 254 {
            true => Err(Malformed::TooLong),
            false => Ok(Self {
                at: local.len(),
                canonical: text.to_ascii_lowercase(),
                text,
            }),
        }
    }

    /// The address for sending: the local part as given, and the domain in lower-case ASCII.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The domain, in lower-case ASCII.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.text[self.at + 1..]
    }

    /// The address in lower case: the uniqueness key. Dots and `+tag` are kept: their meaning depends on the provider.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The address for a log: `m***@yandex.ru`.
    #[must_use]
    pub fn masked(&self) -> String {
        format!("{}***{}", &self.text[..1], &self.text[self.at..])
    }
}

fn is_atom(atom: &str) -> bool {
    let of_atoms = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&'*+-/=?^_`{|}~".contains(&byte);
    !atom.is_empty() && atom.bytes().all(of_atoms)
}

fn mail_host(text: &str) -> Result<DomainName, Malformed> {
    // UTS 46 would drop invisible characters; a user did not type them. It drops no joiner: those must be in place.
    let is_hidden = |symbol| (is_unwritten(symbol) || is_ignorable(symbol)) && !is_joiner(symbol);
    if text.chars().any(is_hidden) {
        return Err(Malformed::InvalidSymbols);
    }
    let ascii = Uts46::new()
        .to_ascii(text.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Ignore)
        .map_err(|_| Malformed::InvalidSymbols)?;
    let host = DomainName::parse(&ascii).map_err(|why| match why {
        Malformed::TooLong => Malformed::TooLong,
        Malformed::Empty | Malformed::InvalidSymbols | Malformed::MixedScripts => Malformed::InvalidSymbols,
    })?;
    // A top-level domain begins with a letter (RFC 3696 §2); the last part of an IP address does not.
    match ascii.rsplit_once('.') {
        Some((_, top)) if top.starts_with(|symbol: char| symbol.is_ascii_alphabetic()) => Ok(host),
        Some(_) | None => Err(Malformed::InvalidSymbols),
    }
}

#[cfg(test)]
mod tests {
    use Malformed::{Empty, InvalidSymbols, TooLong};

    use super::{super::tests::check, *};

    #[test]
    fn an_address_is_one_bare_mailbox() {
        let (local, label) = ("l".repeat(64), "d".repeat(63));
        let most = format!("{local}@{label}.{label}.{}.ru", "d".repeat(58));
        assert_eq!(most.len(), 254);
        check(
            EmailAddress::parse,
            |address| address.as_str().to_owned(),
            &[
                ("Masha.I+x@Yandex.RU", Ok("Masha.I+x@yandex.ru")),
                ("!#$&'*+-/=?^_`{|}~@a.io", Ok("!#$&'*+-/=?^_`{|}~@a.io")),
                ("masha@пример.рф", Ok("masha@xn--e1afmkfd.xn--p1ai")),
                ("masha@ПРИМЕР。РФ", Ok("masha@xn--e1afmkfd.xn--p1ai")),
                ("masha@xn--e1afmkfd.xn--p1ai", Ok("masha@xn--e1afmkfd.xn--p1ai")),
                ("ali@نامه\u{200c}ای.com", Ok("ali@xn--mgba3gch31f060k.com")),
                ("ali@xn--mgba3gch31f060k.com", Ok("ali@xn--mgba3gch31f060k.com")),
                ("sri@ශ්\u{200d}රී.com", Ok("sri@xn--10cl1a0b660p.com")),
                (" masha@yandex.ru ", Ok("masha@yandex.ru")),
                ("\tmasha@yandex.ru\u{a0}\u{2009}", Ok("masha@yandex.ru")),
                (" ", Err(Empty)),
                ("masha @yandex.ru", Err(InvalidSymbols)),
                ("masha@ yandex.ru", Err(InvalidSymbols)),
                (&most, Ok(&most)),
                (&most.replace(".ru", "d.ru"), Err(TooLong)),
                (&format!("{local}l@a.io"), Err(TooLong)),
                (&format!("a@{label}d.io"), Err(TooLong)),
                (&"a".repeat(1_000_000), Err(TooLong)),
                ("", Err(Empty)),
                ("masha", Err(InvalidSymbols)),
                ("@yandex.ru", Err(InvalidSymbols)),
                ("masha@", Err(InvalidSymbols)),
                ("masha@localhost", Err(InvalidSymbols)),
                ("=?x?q?a=3e=20?=@example.com", Err(InvalidSymbols)),
                ("masha@yandex.ru.", Err(InvalidSymbols)),
                ("masha@yandex..ru", Err(InvalidSymbols)),
                ("masha@-yandex.ru", Err(InvalidSymbols)),
                ("masha@yan_dex.ru", Err(InvalidSymbols)),
                ("masha@127.0.0.1", Err(InvalidSymbols)),
                ("masha@[127.0.0.1]", Err(InvalidSymbols)),
                ("masha@xn--a.ru", Err(InvalidSymbols)),
                ("masha@yan\u{200b}dex.ru", Err(InvalidSymbols)),
                ("masha@yan\u{200c}dex.ru", Err(InvalidSymbols)),
                ("masha@yan\u{200d}dex.ru", Err(InvalidSymbols)),
                ("ali@نامه\u{200c}.com", Err(InvalidSymbols)),
                // The same in ASCII (Punycode): `a`, a joiner, `b`.
                ("masha@xn--ab-m1t.ru", Err(InvalidSymbols)),
                ("masha@yan\u{ad}dex.ru", Err(InvalidSymbols)),
                ("masha@yan\u{fe0f}dex.ru", Err(InvalidSymbols)),
                (".masha@yandex.ru", Err(InvalidSymbols)),
                ("masha.@yandex.ru", Err(InvalidSymbols)),
                ("ma..sha@yandex.ru", Err(InvalidSymbols)),
                ("маша@yandex.ru", Err(InvalidSymbols)),
                ("ma sha@yandex.ru", Err(InvalidSymbols)),
                ("\"masha\"@yandex.ru", Err(InvalidSymbols)),
                ("masha(me)@yandex.ru", Err(InvalidSymbols)),
                ("Masha <masha@yandex.ru>", Err(InvalidSymbols)),
                ("masha@yandex.ru,eve@evil.io", Err(InvalidSymbols)),
                ("masha@yandex.ru;eve@evil.io", Err(InvalidSymbols)),
                ("masha@yandex.ru eve@evil.io", Err(InvalidSymbols)),
                ("eve,masha@yandex.ru", Err(InvalidSymbols)),
                ("eve@evil.io@yandex.ru", Err(InvalidSymbols)),
                ("eve%evil.io@yandex.ru", Err(InvalidSymbols)),
                ("a@x%0d%0aBcc:eve@evil.io", Err(InvalidSymbols)),
                ("a@x.ru%0d%0aBcc", Err(InvalidSymbols)),
                ("a@x.ru\r\nBcc: eve@evil.io", Err(InvalidSymbols)),
                ("masha@yandex.ru\n", Err(InvalidSymbols)),
                ("\nmasha@yandex.ru", Err(InvalidSymbols)),
            ],
        );
    }

    #[test]
    fn an_address_has_one_canonical_form_and_a_mask() {
        let address = EmailAddress::parse("Ma.Sha+Shop@Пример.рф").expect("an address");
        assert_eq!(address.canonical(), "ma.sha+shop@xn--e1afmkfd.xn--p1ai");
        assert_eq!(address.masked(), "M***@xn--e1afmkfd.xn--p1ai");
        assert_eq!(EmailAddress::parse(address.as_str()), Ok(address));
        let short = EmailAddress::parse("m@yandex.ru").expect("an address");
        assert_eq!(short.masked(), "m***@yandex.ru");
    }
}
