//! What an invocation would cost on AWS: the prices of `docs/prices.json`, for what was measured here.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// US dollars.
#[derive(Debug, Deserialize)]
pub(crate) struct Prices {
    http_api_million_requests: f64,
    lambda_million_requests: f64,
    lambda_gb_second: f64,
    dynamodb_million_read_units: f64,
    dynamodb_million_write_units: f64,
    mail_thousand: f64,
    text_message: f64,
    events_million: f64,
}

/// The prices of the repository.
pub(crate) static PRICES: LazyLock<Prices> = LazyLock::new(|| {
    let prices = include_str!("../../docs/prices.json");
    serde_json::from_str(prices).expect("a test reads the same file")
});

/// What AWS bills for calls: DynamoDB's capacity units; messages by the recipient and events, which are
/// listed elsewhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Consumed {
    pub(crate) read: f64,
    pub(crate) write: f64,
    #[serde(skip)]
    pub(crate) mails: u32,
    #[serde(skip)]
    pub(crate) texts: u32,
    #[serde(skip)]
    pub(crate) events: u32,
}

impl Consumed {
    /// The sum of both.
    pub(crate) fn and(self, more: Self) -> Self {
        Self {
            read: self.read + more.read,
            write: self.write + more.write,
            mails: self.mails + more.mails,
            texts: self.texts + more.texts,
            events: self.events + more.events,
        }
    }
}

/// What an invocation used.
#[derive(Debug)]
pub(crate) struct Usage {
    /// Whether the request came through the gateway.
    pub(crate) through_gateway: bool,
    pub(crate) memory_mb: u64,
    pub(crate) ms: f64,
    pub(crate) consumed: Consumed,
}

impl Prices {
    /// The cost in US dollars, without logs and the free tier. Lambda bills whole milliseconds.
    pub(crate) fn of(&self, usage: &Usage) -> f64 {
        const MILLION: f64 = 1e6;
        let Consumed {
            read,
            write,
            mails,
            texts,
            events,
        } = usage.consumed;
        let gateway = if usage.through_gateway {
            self.http_api_million_requests / MILLION
        } else {
            0.0
        };
        let memory_gb = f64::from(u32::try_from(usage.memory_mb).unwrap_or(u32::MAX)) / 1024.0;
        let lambda =
            self.lambda_million_requests / MILLION + memory_gb * (usage.ms.ceil() / 1000.0) * self.lambda_gb_second;
        let dynamodb = (read * self.dynamodb_million_read_units + write * self.dynamodb_million_write_units) / MILLION;
        let messages = f64::from(mails) * self.mail_thousand / 1000.0
            + f64::from(texts) * self.text_message
            + f64::from(events) * self.events_million / MILLION;
        // Whole picodollars: further digits are noise of the sum.
        ((gateway + lambda + dynamodb + messages) * 1e12).round() / 1e12
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_is_the_sum_of_each_service() {
        let prices = Prices {
            http_api_million_requests: 1.0,
            lambda_million_requests: 0.2,
            lambda_gb_second: 0.000_016,
            dynamodb_million_read_units: 0.125,
            dynamodb_million_write_units: 0.625,
            mail_thousand: 0.1,
            text_message: 0.05,
            events_million: 1.0,
        };
        let nothing = Consumed::default();
        let rows = Consumed {
            read: 4.0,
            write: 2.0,
            ..nothing
        };
        let messages = Consumed {
            mails: 2,
            texts: 1,
            ..nothing
        };
        let events = Consumed { events: 3, ..nothing };
        for (through_gateway, memory_mb, ms, consumed, expected) in [
            (false, 1024, 0.0, nothing, 0.000_000_2),
            (true, 1024, 0.0, nothing, 0.000_001_2),
            (false, 1024, 1000.0, nothing, 0.000_016_2),
            (false, 256, 999.1, nothing, 0.000_004_2),
            (false, 256, 0.0, rows, 0.000_001_95),
            (false, 256, 0.0, messages, 0.050_200_2),
            (false, 256, 0.0, events, 0.000_003_2),
            (true, 256, 1000.0, rows, 0.000_006_95),
        ] {
            let usage = Usage {
                through_gateway,
                memory_mb,
                ms,
                consumed,
            };
            let cost = prices.of(&usage);
            assert!((cost - expected).abs() < 1e-15, "{usage:?} costs {cost}, not {expected}");
        }
    }

    #[test]
    fn the_prices_of_the_repository_are_read() {
        assert!(PRICES.lambda_gb_second > 0.0);
    }
}
