//! Phone numbers, and the countries that get text messages.

use std::fmt;

/// How many digits the numbers behind each country calling code have; `.ci/numbering-plans` makes it.
const PLANS: &str = include_str!("phone/plans.txt");

/// A number that a text message can be sent to. It shows itself masked, as everywhere but at SNS.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Phone(String);

/// Why a text is no phone number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAPhone {
    /// It is not in the form of E.164.
    Malformed,
    /// The numbering plan of its country cannot hold it: no such country code, too few or too many digits, or a trunk zero
    /// (`+44 07…`) where international numbers have none.
    Impossible,
}

impl Phone {
    /// Takes a number in the international form of E.164, a plus sign and 7 to 15 digits, the first of them not zero, that
    /// its country's numbering plan can hold. One phone is one number: with a trunk zero, limits of messages to a number
    /// would count it twice. Which number `0 (88) 555-01-30` is cannot be known for sure.
    ///
    /// # Errors
    /// [`NotAPhone`].
    pub fn parse(text: &str) -> Result<Self, NotAPhone> {
        let phone = Self::from_stored(text).ok_or(NotAPhone::Malformed)?;
        match is_possible(&phone.0[1..]) {
            true => Ok(phone),
            false => Err(NotAPhone::Impossible),
        }
    }

    /// A number that was taken before. Numbering plans change: one that no longer fits is still its owner's.
    #[must_use]
    pub fn from_stored(text: &str) -> Option<Self> {
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

fn is_possible(digits: &str) -> bool {
    // No code is the beginning of another.
    let mut plans = PLANS.lines().map(|line| line.split(' '));
    plans.any(|mut plan| {
        let Some(national) = plan.next().and_then(|code| digits.strip_prefix(code)) else {
            return false;
        };
        let all = plan.next().unwrap_or_default();
        let lengths = match national.starts_with('0') {
            true => plan.next().unwrap_or_default(),
            false => all,
        };
        lengths.split(',').any(|length| length.parse() == Ok(national.len()))
    })
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
        Phone::from_stored(text).expect("a good number")
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
            assert_eq!(Phone::from_stored(text).is_some(), good, "{text:?}");
            assert_eq!(Phone::parse(text) == Err(NotAPhone::Malformed), !good, "{text:?}");
        }
    }

    #[test]
    fn a_number_is_one_that_its_numbering_plan_can_hold() {
        for (text, good) in [
            ("+380885550130", true),
            ("+38088555013", false),
            ("+3808855501300", false),
            ("+12025550130", true),
            ("+1202555013", false),
            ("+112025550130", false),
            ("+79161234567", true),
            ("+789161234567", false),
            ("+447911123456", true),
            ("+44791112345678", false),
            ("+4930123456", true),
            ("+4915112345678", true),
            ("+5215512345678", false),
            ("+5491123456789", true),
            // A trunk zero.
            ("+3800885550130", false),
            ("+380088555013", false),
            ("+4407911123456", false),
            ("+440791112345", false),
            ("+49015112345678", false),
            ("+330612345678", false),
            ("+3606201234567", false),
            ("+910912345678", false),
            // Zeros that belong to the number: Italy, the Vatican, San Marino, Ivory Coast, Burkina Faso, Benin, Congo.
            ("+390212345678", true),
            ("+393123456789", true),
            ("+390669812345", true),
            ("+3780549886377", true),
            ("+2250123456789", true),
            ("+22601234567", true),
            ("+2290195123456", true),
            ("+242061234567", true),
            ("+22501234567", false),
            // Codes of no country: satellites have numbers, and nothing else has.
            ("+881612345678", true),
            ("+88116123456789", false),
            ("+999123456789", false),
            ("+210123456789", false),
            ("+1234567", false),
        ] {
            let expected = if good { Ok(()) } else { Err(NotAPhone::Impossible) };
            assert_eq!(Phone::parse(text).map(drop), expected, "{text}");
        }
    }

    #[test]
    fn the_table_of_numbering_plans_is_read_whole() {
        let plans: Vec<Vec<&str>> = PLANS
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split(' ').collect())
            .collect();
        assert!(plans.len() > 200, "{}", plans.len());
        for plan in &plans {
            let [code, lengths @ ..] = plan.as_slice() else {
                panic!("{plan:?}")
            };
            assert!((1..=3).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_digit()));
            assert!((1..=2).contains(&lengths.len()), "{plan:?}");
            for length in lengths.iter().flat_map(|lengths| lengths.split(',')) {
                let length: usize = length.parse().expect("a length");
                assert!((4..=15 - code.len()).contains(&length), "{plan:?}");
            }
            let others = plans.iter().filter(|other| other[0].starts_with(code)).count();
            assert_eq!(others, 1, "{code} is one country's, or the beginning of another's");
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
            ("380,!380", "+380885550130", None),
            ("380,!38088", "+380885550130", None),
            ("380,!38088", "+380505550130", Some("380")),
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
