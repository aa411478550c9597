//! The prices of text messages by country, and the money that a day may cost, in micro-dollars.

use std::collections::BTreeMap;

/// Micro-dollars of a dollar.
const DOLLAR: u64 = 1_000_000;

/// Decimals of a dollar.
const DECIMALS: usize = 6;

/// US dollars, in micro-dollars: up to `digits` digits, and up to six decimals behind a point; more than zero. `None` for
/// anything else.
#[must_use]
pub fn dollars(text: &str, digits: usize) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number =
        |part: &str, most| (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole, digits) || !is_number(fraction, DECIMALS) {
        return None;
    }
    let fraction: u64 = format!("{fraction:0<DECIMALS$}").parse().ok()?;
    let amount = whole.parse::<u64>().ok()?.checked_mul(DOLLAR)?.checked_add(fraction)?;
    Some(amount).filter(|amount| *amount > 0)
}

/// What one text message costs, by number prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prices(BTreeMap<String, u64>);

impl Prices {
    /// Parses a list such as `380=0.0927,44=0.0345`: prefixes of 1 to 7 digits, the first not zero, each once, with a
    /// price above 0 and below 100 dollars. `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut prices = BTreeMap::new();
        for entry in text.split(',').filter(|_| !text.is_empty()) {
            let (prefix, price) = entry.split_once('=')?;
            let is_prefix = (1..=7).contains(&prefix.len())
                && prefix.bytes().all(|byte| byte.is_ascii_digit())
                && !prefix.starts_with('0');
            let price = dollars(price, 2).filter(|_| is_prefix)?;
            if prices.insert(prefix.to_owned(), price).is_some() {
                return None;
            }
        }
        Some(Self(prices))
    }

    /// The price of a message to a country, by its prefix: that of the longest prefix of it that has one, or the highest
    /// of the prices below it, whichever is larger: which of its numbers a message goes to is not known.
    #[must_use]
    pub fn of(&self, country: &str) -> Option<u64> {
        let above = self.0.iter().filter(|(prefix, _)| country.starts_with(prefix.as_str()));
        let above = above.max_by_key(|(prefix, _)| prefix.len()).map(|(_, price)| *price);
        let below = self.0.iter().filter(|(prefix, _)| prefix.starts_with(country)).map(|(_, price)| *price);
        above.max(below.max())
    }

    /// The highest price.
    #[must_use]
    pub fn highest(&self) -> Option<u64> {
        self.0.values().copied().max()
    }
}

/// The money that the text messages of any 24 hours may cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Money {
    /// What one message costs.
    pub prices: Prices,
    /// What all may cost together, in each shard.
    pub per_day: u64,
}

impl Money {
    /// The same prices, and half of the money, rounded down.
    #[must_use]
    pub fn half(&self) -> Self {
        Self {
            prices: self.prices.clone(),
            per_day: self.per_day / 2,
        }
    }

    /// What a message to a country costs. One without a price, which was sent under other settings, counts as the most
    /// expensive one.
    #[must_use]
    pub fn price(&self, country: &str) -> u64 {
        self.prices.of(country).or(self.prices.highest()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_read_to_the_micro_dollar() {
        for (text, amount) in [
            ("50", Some(50_000_000)),
            ("12.50", Some(12_500_000)),
            ("12.5", Some(12_500_000)),
            ("0.0927", Some(92_700)),
            ("0.000001", Some(1)),
            ("999.999999", Some(999_999_999)),
            ("0", None),
            ("0.000000", None),
            ("0.0000001", None),
            ("1000", None),
            ("-1", None),
            ("+1", None),
            ("1.", None),
            (".5", None),
            ("1e1", None),
            ("1,5", None),
            ("$1", None),
            ("1.2.3", None),
            (" 1", None),
            ("١", None),
            ("", None),
        ] {
            assert_eq!(dollars(text, 3), amount, "{text:?}");
        }
    }

    #[test]
    fn a_list_of_prices_has_each_prefix_once() {
        for (text, good) in [
            ("", true),
            ("380=0.0927", true),
            ("380=0.0927,44=0.0345,1=99.99", true),
            ("1234567=1", true),
            ("12345678=1", false),
            ("380=100", false),
            ("380=0", false),
            ("380=", false),
            ("380", false),
            ("=1", false),
            ("0380=1", false),
            ("+380=1", false),
            ("!380=1", false),
            ("380=1,", false),
            (",380=1", false),
            ("380=1, 44=1", false),
            ("380=1,380=1", false),
            ("380=1=1", false),
            ("UA=1", false),
        ] {
            assert_eq!(Prices::parse(text).is_some(), good, "{text:?}");
        }
    }

    #[test]
    fn a_country_costs_what_its_most_expensive_number_may_cost() {
        let prices = Prices::parse("1=0.01,1876=0.20,187=0.05,44=0.03,447=0.02").expect("a good list");
        for (country, price) in [
            ("1", Some(200_000)),
            ("18", Some(200_000)),
            ("187", Some(200_000)),
            ("1876", Some(200_000)),
            ("18761", Some(200_000)),
            ("1242", Some(10_000)),
            ("1875", Some(50_000)),
            ("44", Some(30_000)),
            ("447", Some(20_000)),
            ("4", Some(30_000)),
            ("380", None),
        ] {
            assert_eq!(prices.of(country), price, "{country}");
        }
        let money = Money { prices, per_day: 7 };
        assert_eq!((money.price("44"), money.price("380"), money.half().per_day), (30_000, 200_000, 3));
    }
}
