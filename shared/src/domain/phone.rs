//! Phone numbers, and the countries that get text messages.

use std::fmt;

/// A number that a text message can be sent to. It shows itself masked, as everywhere but at SNS.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Phone(String);

impl Phone {
    /// Takes a number in the international form of E.164: a plus sign and 7 to 15 digits, the first of them not zero.
    /// `None` for anything else: which number `0 (88) 555-01-30` is, nobody knows for sure.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('+')?;
        let good = (7..=15).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0');
        good.then(|| Self(text.to_owned()))
    }

    /// The number as SNS takes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number for answers, mails and logs: `+38088*****30`. Of a shorter number less is shown, so that five digits stay
    /// hidden.
    #[must_use]
    pub fn masked(&self) -> String {
        let digits = &self.0[1..];
        let first = (digits.len() - 7).min(5);
        let last = digits.len() - 2;
        format!("+{}{}{}", &digits[..first], "*".repeat(last - first), &digits[last..])
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

/// The countries that text messages may go to, by the first digits of their numbers. None listed: none are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Countries {
    allowed: Vec<String>,
    denied: Vec<String>,
}

impl Countries {
    /// Reads a list such as `380,44,1,!1268`: each with 1 to 7 digits, the first not zero, no plus sign; one with `!` before
    /// it takes what begins with it from a shorter one. `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut countries = Self {
            allowed: Vec::new(),
            denied: Vec::new(),
        };
        for entry in text.split(',').filter(|_| !text.is_empty()) {
            let (list, prefix) = match entry.strip_prefix('!') {
                Some(prefix) => (&mut countries.denied, prefix),
                None => (&mut countries.allowed, entry),
            };
            let good = (1..=7).contains(&prefix.len())
                && prefix.bytes().all(|byte| byte.is_ascii_digit())
                && !prefix.starts_with('0');
            if !good {
                return None;
            }
            list.push(prefix.to_owned());
        }
        Some(countries)
    }

    /// The country of a number: the longest of those listed that it begins with; `None` where none may be sent to.
    #[must_use]
    pub fn of(&self, phone: &Phone) -> Option<&str> {
        let longest = |prefixes: &'_ [String]| {
            let found = prefixes
                .iter()
                .filter(|prefix| phone.0[1..].starts_with(prefix.as_str()));
            found.map(String::len).max().unwrap_or_default()
        };
        let (allowed, denied) = (longest(&self.allowed), longest(&self.denied));
        let found = self
            .allowed
            .iter()
            .find(|prefix| phone.0[1..].starts_with(prefix.as_str()) && prefix.len() == allowed);
        found.filter(|_| allowed > denied).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phone(text: &str) -> Phone {
        Phone::parse(text).expect("a good number")
    }

    #[test]
    fn a_number_is_e164_and_nothing_else() {
        for (text, good) in [
            ("+1234567", true),
            ("+123456789012345", true),
            ("+123456", false),
            ("+1234567890123456", false),
            ("+0234567", false),
            ("380885550130", false),
            ("00380885550130", false),
            ("++380885550130", false),
            ("+380 88 555 01 30", false),
            ("+380-88-555-01-30", false),
            (" +380885550130", false),
            ("+380885550130\n", false),
            ("+380885550130,+380885550131", false),
            ("+380885550130;ext=1", false),
            ("+٣٨٠٨٨٥٥٥٠١٣", false),
            ("+38088555013０", false),
            ("+", false),
            ("", false),
        ] {
            assert_eq!(Phone::parse(text).is_some(), good, "{text:?}");
        }
    }

    #[test]
    fn a_mask_hides_the_middle() {
        for (text, masked) in [
            ("+380885550130", "+38088*****30"),
            ("+123456789012345", "+12345********45"),
            ("+12345678901", "+1234*****01"),
            ("+1234567890", "+123*****90"),
            ("+123456789", "+12*****89"),
            ("+12345678", "+1*****78"),
            ("+1234567", "+*****67"),
        ] {
            assert_eq!(phone(text).masked(), masked);
            assert_eq!(format!("{:?}", phone(text)), masked);
        }
    }

    #[test]
    fn a_country_must_be_listed() {
        for (list, number, country) in [
            ("", "+380885550130", None),
            ("380", "+380885550130", Some("380")),
            ("44,1", "+380885550130", None),
            ("1,1242", "+12425550130", Some("1242")),
            ("1242,1", "+12425550130", Some("1242")),
            ("1,1242", "+14155550130", Some("1")),
            ("80", "+380885550130", None),
        ] {
            let countries = Countries::parse(list).expect("a good list");
            assert_eq!(countries.of(&phone(number)), country, "{list} {number}");
        }
    }

    #[test]
    fn a_list_of_countries_is_read_whole() {
        for (list, good) in [
            ("", true),
            ("380,44,1", true),
            ("1234567", true),
            ("12345678", false),
            ("380,", false),
            (",", false),
            ("+380", false),
            ("0380", false),
            ("380, 44", false),
            ("UA", false),
            ("٣٨٠", false),
        ] {
            assert_eq!(Countries::parse(list).is_some(), good, "{list:?}");
        }
    }
}
