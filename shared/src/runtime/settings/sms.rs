//! The operator's policies of text messages.

mod budget;

pub use budget::MessageLimits;

use std::collections::BTreeMap;

use super::numbers::{
    SMS_PER_COUNTRY_PER_DAY, SMS_PER_COUNTRY_PER_MINUTE, SMS_PER_DAY, SMS_PER_MINUTE, SMS_PER_NUMBER_PER_DAY,
    SMS_PER_NUMBER_PER_HOUR, SMS_SHARDS,
};

use crate::{
    delivery::{code::Templates, text::Terms},
    domain::{
        limits::{
            quota,
            rate_limit::{RateLimit, Window},
        },
        people::{locale::Locale, phone::Countries},
    },
    runtime::edge::{Edge, Refused},
};

impl Edge {
    /// The settings that all text messages share.
    ///
    /// # Errors
    /// [`Refused`] after every problem was recorded; likewise below.
    pub fn sms_terms(&self) -> Result<Terms, Refused> {
        let sender_id = match self.text("SMS_SENDER_ID") {
            Some(text) if !is_sender_id(text) => {
                let words = "must be 1 to 11 ASCII letters and digits, at least one of them a letter";
                Err(self.refuse("SMS_SENDER_ID", words))
            }
            text => Ok(text.map(str::to_owned)),
        };
        let max_price = match self.text("SMS_MAX_PRICE") {
            Some(text) if !is_price(text) => {
                let words = "must be a price in US dollars such as 0.50, above 0 and below 100";
                Err(self.refuse("SMS_MAX_PRICE", words))
            }
            text => Ok(text.map(str::to_owned)),
        };
        Ok(Terms {
            sender_id: sender_id?,
            max_price: max_price?,
        })
    }

    /// The countries that text messages may be sent to; none if none are listed.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn sms_countries(&self) -> Result<Countries, Refused> {
        let words = "must be country prefixes of 1 to 7 digits with commas between, such as 380,44,1,!1268";
        Countries::parse(self.text("SMS_COUNTRIES").unwrap_or_default())
            .ok_or_else(|| self.refuse("SMS_COUNTRIES", words))
    }

    /// The deployment's quota of text messages.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn sms_policy(&self) -> Result<quota::Policy, Refused> {
        let per_minute = self.number(&SMS_PER_MINUTE);
        let per_day = self.number(&SMS_PER_DAY);
        let country_per_minute = self.number(&SMS_PER_COUNTRY_PER_MINUTE);
        let country_per_day = self.number(&SMS_PER_COUNTRY_PER_DAY);
        let money = self.sms_money();
        let shards = self.sms_shards();
        let policy = quota::Policy {
            per_minute: per_minute?,
            per_day: per_day?,
            country_per_minute: country_per_minute?,
            country_per_day: country_per_day?,
            money: money?,
            shards: shards?,
        };
        let most = policy.most_shards();
        if policy.shards > most {
            let words = format!(
                "must be at most {most}, half of the smallest of SMS_PER_MINUTE, SMS_PER_DAY, SMS_PER_COUNTRY_PER_MINUTE \
                 and SMS_PER_COUNTRY_PER_DAY"
            );
            return Err(self.refuse("SMS_SHARDS", &words));
        }
        Ok(policy)
    }

    /// The number of shards of the quota.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn sms_shards(&self) -> Result<u64, Refused> {
        self.number(&SMS_SHARDS)
    }

    /// Rate limit of text messages to one number, across all users: never above `first`, the limit of sending codes to
    /// one user.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn sms_per_number(&self, first: Window) -> Result<RateLimit, Refused> {
        let per_hour = self.number(&SMS_PER_NUMBER_PER_HOUR);
        let per_day = self.number(&SMS_PER_NUMBER_PER_DAY);
        Ok(RateLimit::new(vec![
            first,
            Window {
                max: per_hour?,
                seconds: 3600,
            },
            Window {
                max: per_day?,
                seconds: 86_400,
            },
        ]))
    }

    /// The operator's own templates of messages with codes.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn sms_templates(&self) -> Result<Templates, Refused> {
        const NAME: &str = "OTP_SMS_TEMPLATE";
        let refuse = || {
            let words = "must be a text of 1 to 100 characters, without control characters but ends of lines, or JSON with \
                         such a text for each language, by its code, like {\"en\":\"…\"}";
            self.refuse(NAME, words)
        };
        match self.text(NAME) {
            None => Ok(Templates::Ours),
            Some(text) if text.starts_with('{') => {
                let texts: BTreeMap<String, String> = serde_json::from_str(text).map_err(|_| refuse())?;
                let is_good = |(tag, text): (&String, &String)| {
                    Locale::parse(tag).is_some_and(|locale| locale.as_str() == tag) && is_template(text)
                };
                match texts.iter().all(is_good) {
                    true => Ok(Templates::ByLanguage(texts)),
                    false => Err(refuse()),
                }
            }
            Some(text) if is_template(text) => Ok(Templates::One(text.to_owned())),
            Some(_) => Err(refuse()),
        }
    }
}

/// Whether SNS accepts the text as a sender's name.
fn is_sender_id(text: &str) -> bool {
    (1..=11).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && text.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// Up to two digits, and up to five decimals; not zero.
fn is_price(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str, most| (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole, 2) && digits(fraction, 5) && text.bytes().any(|byte| (b'1'..=b'9').contains(&byte))
}

fn is_template(text: &str) -> bool {
    (1..=100).contains(&text.chars().count()) && text.chars().all(|c| c == '\n' || !c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T>(name: &str, read: impl Fn(&Edge) -> Result<T, Refused>, values: &[(&str, bool)]) {
        for (value, good) in values {
            let edge = Edge::new([(name.to_owned(), (*value).to_owned())].into());
            assert_eq!(read(&edge).is_ok(), *good, "{name}: {value:?}");
            assert_eq!(edge.problems().is_empty(), *good, "{name}: {value:?}");
        }
    }

    #[test]
    fn the_defaults_match_the_contract() {
        let edge = Edge::new([].into());
        let first = Window { max: 3, seconds: 60 };
        let policy = edge.sms_policy().expect("defaults");
        let expected = quota::Policy {
            per_minute: 60,
            per_day: 5000,
            country_per_minute: 30,
            country_per_day: 2000,
            money: None,
            shards: 1,
        };
        assert_eq!(policy, expected);
        let (ten, twenty) = (
            Window { max: 10, seconds: 3600 },
            Window {
                max: 20,
                seconds: 86_400,
            },
        );
        let limit = edge.sms_per_number(first).expect("defaults");
        assert_eq!(limit, RateLimit::new(vec![first, ten, twenty]));
        assert_eq!(edge.sms_countries().ok(), Countries::parse(""));
        assert_eq!(edge.sms_templates().ok(), Some(Templates::Ours));
        let terms = edge.sms_terms().expect("defaults");
        assert_eq!((terms.sender_id, terms.max_price), (None, None));
        assert!(edge.problems().is_empty());
    }

    #[test]
    fn settings_that_sns_would_refuse_prevent_the_start() {
        check(
            "SMS_SENDER_ID",
            Edge::sms_terms,
            &[
                ("", true),
                ("A", true),
                ("1st", true),
                ("Countersign", true),
                ("Countersigns", false),
                ("123", false),
                ("a b", false),
                ("a-b", false),
                ("Эра", false),
            ],
        );
        check(
            "SMS_MAX_PRICE",
            Edge::sms_terms,
            &[
                ("", true),
                ("0.50", true),
                ("1", true),
                ("99.99999", true),
                ("0.00001", true),
                ("0", false),
                ("0.00", false),
                ("100", false),
                ("0.000001", false),
                ("-1", false),
                ("+1", false),
                ("1.", false),
                (".5", false),
                ("1e1", false),
                ("0,5", false),
                ("$1", false),
                ("1.2.3", false),
                ("NaN", false),
            ],
        );
        check("SMS_COUNTRIES", Edge::sms_countries, &[("380,44,1", true), ("UA", false)]);
    }

    #[test]
    fn numbers_out_of_range_prevent_the_start() {
        for (name, most) in [
            ("SMS_PER_MINUTE", 1_000_000),
            ("SMS_PER_DAY", 1_000_000_000),
            ("SMS_PER_COUNTRY_PER_MINUTE", 1_000_000),
            ("SMS_PER_COUNTRY_PER_DAY", 1_000_000_000),
        ] {
            let (most, more) = (most.to_string(), (most + 1).to_string());
            let values = [("1", true), (most.as_str(), true), ("0", false), (more.as_str(), false)];
            check(name, Edge::sms_policy, &values);
        }
        for (name, most, more) in [
            ("SMS_PER_NUMBER_PER_HOUR", "10", "11"),
            ("SMS_PER_NUMBER_PER_DAY", "20", "21"),
        ] {
            let read = |edge: &Edge| edge.sms_per_number(Window { max: 3, seconds: 60 });
            check(name, read, &[("1", true), (most, true), ("0", false), (more, false)]);
        }
    }

    #[test]
    fn more_shards_than_half_of_the_smallest_limit_prevent_the_start() {
        // By default the smallest limit is 30.
        let by_default = [("1", true), ("15", true), ("16", false), ("0", false), ("257", false)];
        check("SMS_SHARDS", Edge::sms_policy, &by_default);
        check("SMS_SHARDS", Edge::sms_shards, &[("256", true), ("257", false)]);
        for smallest in [
            "SMS_PER_MINUTE",
            "SMS_PER_DAY",
            "SMS_PER_COUNTRY_PER_MINUTE",
            "SMS_PER_COUNTRY_PER_DAY",
        ] {
            for (limit, shards, good) in [("7", "4", true), ("6", "4", false), ("1", "1", true), ("1", "2", false)] {
                let set = [(smallest, limit), ("SMS_SHARDS", shards)];
                let edge = Edge::new(set.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
                let found = edge.sms_policy().map(|policy| policy.shards.to_string());
                assert_eq!(found.ok().as_deref(), good.then_some(shards), "{set:?}");
                let named = edge.problems().iter().filter(|problem| problem.starts_with("SMS_SHARDS")).count();
                assert_eq!(named, usize::from(!good), "{set:?}");
            }
        }
    }

    #[test]
    fn a_template_is_one_text_or_one_for_each_language() {
        let (most, more) = ("я".repeat(100), "я".repeat(101));
        check(
            "OTP_SMS_TEMPLATE",
            Edge::sms_templates,
            &[
                ("", true),
                ("Code: <otp.code>", true),
                ("two\nlines", true),
                (&most, true),
                (&more, false),
                ("a\rb", false),
                ("a\tb", false),
                ("a\0b", false),
                ("{}", true),
                (r#"{"en":"Code: <otp.code>","ru":"Код: <otp.code>"}"#, true),
                (r#"{"en":""}"#, false),
                (r#"{"en":"a\u0007"}"#, false),
                (r#"{"en-GB":"a"}"#, false),
                (r#"{"EN":"a"}"#, false),
                (r#"{"english":"a"}"#, false),
                (r#"{"en":1}"#, false),
                ("{code}", false),
            ],
        );
    }
}
