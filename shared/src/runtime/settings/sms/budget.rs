//! What bounds the cost of text messages: the budget of unverified ones, and the money of a day.

use std::collections::HashMap;

use crate::{
    domain::{
        limits::{
            prices::{Money, Prices, dollars},
            quota,
            unverified::{self, Mode},
        },
        people::phone::Countries,
    },
    runtime::{
        edge::{Edge, Refused},
        settings::numbers::SMS_SHARDS,
    },
};

/// The digits of the dollars that a day may cost.
const DIGITS: usize = 7;

/// What limits text messages to countries, whichever function sends them.
#[derive(Clone, Debug)]
pub struct MessageLimits {
    /// Countries that messages may be sent to.
    pub countries: Countries,
    /// The quota of the deployment and of each country.
    pub quota: quota::Policy,
    /// The budget of unverified messages.
    pub unverified: unverified::Policy,
    /// What messages cost, whether or not the money of a day is bounded.
    pub prices: Prices,
}

impl MessageLimits {
    /// The limits with these environment variables, read as functions read them, for programs that send nothing: those of
    /// all shards together.
    ///
    /// # Errors
    /// Every problem, in a sentence that names its variable.
    pub fn of_variables(mut variables: HashMap<String, String>) -> Result<Self, Vec<String>> {
        variables.insert("SMS_SHARDS".to_owned(), "1".to_owned());
        let edge = Edge::new(variables);
        let read = (edge.sms_countries(), edge.sms_policy(), edge.unverified_policy(), edge.sms_prices());
        match read {
            (Ok(countries), Ok(quota), Ok(unverified), Ok(prices)) => Ok(Self {
                countries,
                quota,
                unverified,
                prices,
            }),
            (_, _, _, _) => Err(edge.problems()),
        }
    }
}

impl Edge {
    /// The budget of unverified messages.
    ///
    /// # Errors
    /// [`Refused`] after every problem was recorded; likewise below.
    pub fn unverified_policy(&self) -> Result<unverified::Policy, Refused> {
        let mode = match self.text("UNVERIFIED_BUDGET") {
            None | Some("enforce") => Ok(Mode::Enforce),
            Some("record") => Ok(Mode::Record),
            Some(_) => Err(self.refuse("UNVERIFIED_BUDGET", "must be enforce or record")),
        };
        let shards = self.number(&SMS_SHARDS);
        Ok(unverified::Policy {
            mode: mode?,
            shards: shards?,
        })
    }

    /// What one text message costs, by number prefix.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn sms_prices(&self) -> Result<Prices, Refused> {
        let words = "must be prices of one message in US dollars by number prefix, each above 0 and below 100, with commas \
                     between them, such as 380=0.0927,44=0.0345";
        Prices::parse(self.text("SMS_PRICES").unwrap_or_default()).ok_or_else(|| self.refuse("SMS_PRICES", words))
    }

    /// The money that the text messages of a day may cost, if it is bounded: the part of one shard.
    ///
    /// Each country that messages may be sent to needs a price, and the half that is not reserved must pay for a message
    /// to any of them: otherwise none would ever be sent there.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn sms_money(&self) -> Result<Option<Money>, Refused> {
        let prices = self.sms_prices();
        let per_day = match self.text("SMS_MONEY_PER_DAY").map(|text| dollars(text, DIGITS)) {
            Some(None) => Err(self.refuse("SMS_MONEY_PER_DAY", "must be US dollars above 0, such as 50 or 12.50")),
            Some(per_day) => Ok(per_day),
            None => Ok(None),
        };
        let (shards, countries) = (self.number(&SMS_SHARDS), self.sms_countries());
        let (prices, per_day, shards, countries) = (prices?, per_day?, shards?, countries?);
        let Some(per_day) = per_day else {
            return Ok(None);
        };
        let without: Vec<_> = countries.prefixes().filter(|country| prices.of(country).is_none()).collect();
        if !without.is_empty() {
            let words = format!("has no price for {}, and SMS_MONEY_PER_DAY needs one", without.join(", "));
            return Err(self.refuse("SMS_PRICES", &words));
        }
        let money = Money {
            per_day: per_day / shards,
            prices,
        };
        let highest = countries.prefixes().filter_map(|country| money.prices.of(country)).max();
        if money.half().per_day < highest.unwrap_or_default() {
            let words = "must pay for two messages to each country, in each of SMS_SHARDS shards";
            return Err(self.refuse("SMS_MONEY_PER_DAY", words));
        }
        Ok(Some(money))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The settings with these variables: what was read, or the problems.
    fn read<T>(variables: &[(&str, &str)], read: impl Fn(&Edge) -> Result<T, Refused>) -> Result<T, Vec<String>> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let edge = Edge::new(variables.collect());
        let found = read(&edge);
        assert_eq!(found.is_ok(), edge.problems().is_empty());
        found.map_err(|Refused| edge.problems())
    }

    #[test]
    fn the_budget_of_unverified_messages_is_enforced_or_recorded() {
        for (text, mode) in [
            ("", Some(Mode::Enforce)),
            ("enforce", Some(Mode::Enforce)),
            ("record", Some(Mode::Record)),
            ("off", None),
            ("Enforce", None),
            ("record ", None),
        ] {
            let policy = read(&[("UNVERIFIED_BUDGET", text), ("SMS_SHARDS", "4")], Edge::unverified_policy);
            let expected = mode.map(|mode| unverified::Policy { mode, shards: 4 });
            assert_eq!(policy.ok(), expected, "{text:?}");
        }
        for (shards, good) in [("1", true), ("256", true), ("0", false), ("257", false)] {
            assert_eq!(read(&[("SMS_SHARDS", shards)], Edge::unverified_policy).is_ok(), good, "{shards}");
        }
    }

    #[test]
    fn money_needs_a_price_for_each_country_and_enough_for_two_messages() {
        // Prices, money, countries, shards; the part of a shard in micro-dollars.
        for (prices, money, countries, shards, expected) in [
            ("", "", "380", "1", Ok(None)),
            ("44=0.03", "", "380", "1", Ok(None)),
            ("380=0.0927,44=0.0345", "50", "380,44", "1", Ok(Some(50_000_000))),
            ("380=0.0927,44=0.0345", "12.50", "380,44", "4", Ok(Some(3_125_000))),
            ("1=0.01", "12.50", "1,1876,!1242", "1", Ok(Some(12_500_000))),
            ("", "50", "", "1", Ok(Some(50_000_000))),
            ("380=0.10", "0.20", "380", "1", Ok(Some(200_000))),
            ("380=0.10", "0.199999", "380", "1", Err("SMS_MONEY_PER_DAY")),
            ("380=0.10", "0.80", "380", "4", Ok(Some(200_000))),
            ("380=0.10", "0.80", "380", "5", Err("SMS_MONEY_PER_DAY")),
            // Only the countries that messages go to.
            ("380=0.10,882=9", "0.20", "380", "1", Ok(Some(200_000))),
            ("380=0.0927", "50", "380,44", "1", Err("SMS_PRICES")),
            ("380=0", "50", "380", "1", Err("SMS_PRICES")),
            ("380=0", "", "380", "1", Err("SMS_PRICES")),
            ("380=1", "0", "380", "1", Err("SMS_MONEY_PER_DAY")),
            ("380=1", "$50", "380", "1", Err("SMS_MONEY_PER_DAY")),
            ("380=1", "9999999.99", "380", "1", Ok(Some(9_999_999_990_000))),
            ("380=1", "10000000", "380", "1", Err("SMS_MONEY_PER_DAY")),
        ] {
            let variables = [
                ("SMS_PRICES", prices),
                ("SMS_MONEY_PER_DAY", money),
                ("SMS_COUNTRIES", countries),
                ("SMS_SHARDS", shards),
            ];
            let found = read(&variables, Edge::sms_money).map(|money| money.map(|money| money.per_day));
            match (found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{variables:?}"),
                (Err(problems), Err(name)) => {
                    let [problem] = problems.as_slice() else {
                        panic!("{problems:?}")
                    };
                    assert!(problem.starts_with(name), "{problem}");
                }
                (found, _) => panic!("{found:?} for {variables:?}"),
            }
        }
    }

    #[test]
    fn every_problem_of_the_money_is_reported_at_once() {
        let variables = [
            ("SMS_PRICES", "380"),
            ("SMS_MONEY_PER_DAY", "much"),
            ("SMS_SHARDS", "0"),
        ];
        let problems = read(&variables, Edge::sms_money).expect_err("nothing is good");
        assert_eq!(problems.len(), 3, "{problems:?}");
    }
}
