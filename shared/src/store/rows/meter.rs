//! The meter of all text messages: one row of the table of budgets, for the whole deployment.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use sha2::{Digest, Sha256};

use crate::{
    domain::{
        budget::{Act, Exhausted},
        meter::{Counts, Meter, Policy, Slots},
        secret::framed,
        time::Timestamp,
    },
    fault::Fault,
    store::{
        item::{Corrupt, Item, Reader, Writer, bytes, number, text, time},
        rounds::Rounds,
        table::{Change, Changed, Row, Table, Update},
    },
};

impl Row for Meter {
    const VARIABLE: &'static str = "BUDGETS_TABLE";
    const KEY: &'static str = "subject";
    type Id = ();

    fn key((): &()) -> AttributeValue {
        bytes(Sha256::digest(framed(&[b"text messages"])).to_vec())
    }

    fn to_item(&self) -> Item {
        Writer::default()
            .with(Self::KEY, Self::key(&()))
            .with("version", number(self.version))
            .with("last_by", text(&self.last_by))
            .with("last_at", time(self.last_at))
            .with("ttl", ttl(self))
            .with("countries", countries(&self.countries))
            .item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        Ok(Self {
            version: row.number("version")?,
            last_by: row.text("last_by")?.to_owned(),
            last_at: row.time("last_at")?,
            countries: item
                .get("countries")
                .and_then(|value| value.as_m().ok()?.iter().map(read).collect::<Option<_>>())
                .ok_or(Corrupt("countries"))?,
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        None
    }
}

/// When nothing of it counts any more: a day and its slot after the last message.
fn ttl(meter: &Meter) -> AttributeValue {
    time(meter.last_at.deadline(2 * 86_400))
}

/// Each country's slots, as `slot:count` with a space between: a map of maps would be three times as large.
fn countries(countries: &BTreeMap<String, Counts>) -> AttributeValue {
    let slots = |slots: &Slots| {
        let slots = slots.iter().map(|(slot, count)| format!("{slot}:{count}"));
        text(slots.collect::<Vec<_>>().join(" "))
    };
    let entries = countries.iter().map(|(country, counts)| {
        let counts = vec![slots(&counts.minute), slots(&counts.day)];
        (country.clone(), AttributeValue::L(counts))
    });
    AttributeValue::M(entries.collect())
}

fn read((country, counts): (&String, &AttributeValue)) -> Option<(String, Counts)> {
    let slots = |value: &AttributeValue| {
        let slots = value.as_s().ok()?.split_whitespace();
        slots
            .map(|slot| {
                let (slot, count) = slot.split_once(':')?;
                Some((slot.parse().ok()?, count.parse().ok()?))
            })
            .collect::<Option<Slots>>()
    };
    let [minute, day] = counts.as_l().ok()?.as_slice() else {
        return None;
    };
    let counts = Counts {
        minute: slots(minute)?,
        day: slots(day)?,
    };
    Some((country.clone(), counts))
}

/// Puts a successor in the place of exactly the meter that was judged.
#[must_use]
pub fn replace(read: u64, next: &Meter) -> Change {
    let condition = match read {
        0 => "attribute_not_exists(version)",
        _ => "version = :read",
    };
    let mut values = vec![
        (":version", number(next.version)),
        (":by", text(&next.last_by)),
        (":at", time(next.last_at)),
        (":ttl", ttl(next)),
        (":countries", countries(&next.countries)),
    ];
    // DynamoDB refuses a value that no expression uses.
    if read > 0 {
        values.push((":read", number(read)));
    }
    Change {
        update: "SET version = :version, last_by = :by, last_at = :at, #ttl = :ttl, countries = :countries",
        condition,
        values,
    }
}

/// One message that was counted, to give it back when it is not sent after all.
#[derive(Debug)]
pub struct Receipt {
    meter: Meter,
    country: String,
    /// When it counts as sent, and by which invocation.
    act: Act,
}

/// Counts one message to a country before it is sent, in one write when nobody is in the way: however many send at
/// once, exactly those pass that the policy allows.
///
/// `read` is the meter as the caller read it, or none; the write puts its successor in the place of exactly that one, and
/// begins again with what is there when somebody was faster. A meter that this invocation wrote last is its own write,
/// whose answer was lost; one whose answer was lost while somebody else wrote, too, counts twice.
///
/// # Errors
/// `Err` within is [`Exhausted`]; [`Fault`] when the store fails, or when others were faster every time: then the message
/// must not be sent.
pub async fn spend(
    table: &Table<Meter, Update>,
    policy: &Policy,
    country: &str,
    read: Option<Meter>,
    act: &Act,
) -> Result<Result<Receipt, Exhausted>, Fault> {
    let receipt = |meter: Meter| Receipt {
        act: Act {
            at: meter.last_at,
            by: act.by.clone(),
        },
        country: country.to_owned(),
        meter,
    };
    let mut found = read.unwrap_or_else(Meter::none);
    // Every lost race is a message of somebody else, and a minute holds no more of them.
    let mut rounds = Rounds::new(u32::try_from(policy.per_minute).map_or(u32::MAX, |most| most.saturating_add(1)));
    while rounds.begin().await {
        let version = found.version;
        let next = match found.spend(policy, country, act) {
            Ok(next) => next,
            Err(exhausted) => return Ok(Err(exhausted)),
        };
        found = match table.update(&(), replace(version, &next), act.at).await? {
            Changed::Yes(meter) => return Ok(Ok(receipt(meter))),
            Changed::No(Some(meter)) if meter.was_spent_by(&act.by) => return Ok(Ok(receipt(meter))),
            Changed::No(Some(meter)) => meter,
            Changed::No(None) => Meter::none(),
        };
    }
    Err(Rounds::lost("the meter of text messages"))
}

/// How often giving back is tried while others send at the same time.
const GIVING_BACK: u32 = 10;

/// Gives a message back: nobody will wait because of it.
///
/// # Errors
/// [`Fault`] when the store fails, or when others were faster every time: then it counts as sent.
pub async fn give_back(table: &Table<Meter, Update>, receipt: Receipt, now: Timestamp) -> Result<(), Fault> {
    let Receipt {
        meter: mut found,
        country,
        act,
    } = receipt;
    let mut rounds = Rounds::new(GIVING_BACK);
    while rounds.begin().await {
        let version = found.version;
        let next = found.give_back(&country, &act, now);
        found = match table.update(&(), replace(version, &next), now).await? {
            Changed::Yes(_) => return Ok(()),
            Changed::No(Some(meter)) if meter.was_given_back_by(&act.by) => return Ok(()),
            Changed::No(Some(meter)) => meter,
            Changed::No(None) => return Ok(()),
        };
    }
    Err(Rounds::lost("the meter of text messages"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meter_is_read_as_it_was_written() {
        let policy = Policy {
            per_minute: 9,
            per_day: 9,
            country_per_minute: 9,
            country_per_day: 9,
        };
        let messages = [("380", 90), ("380", 91), ("44", 4000), ("380", 4001)];
        let meter = messages.iter().fold(Meter::none(), |meter, (country, at)| {
            let act = Act {
                at: Timestamp::from_seconds(*at),
                by: "invocation".into(),
            };
            meter.spend(&policy, country, &act).expect("there is room")
        });
        for meter in [meter, Meter::none()] {
            let read = Meter::from_item(&meter.to_item()).expect("it is as it was written");
            assert_eq!(read, meter);
        }
    }

    #[test]
    fn the_condition_is_the_version_that_was_judged() {
        for (read, condition) in [(0, "attribute_not_exists(version)"), (7, "version = :read")] {
            let change = replace(read, &Meter::none());
            assert_eq!(change.condition, condition);
            let all = format!("{} {}", change.update, change.condition);
            let words: Vec<_> = all.split([' ', ',']).collect();
            for (name, _) in &change.values {
                assert!(words.contains(name), "{name} is not used: {all}");
            }
            let placeholders = words.iter().filter(|word| word.starts_with(':')).count();
            assert_eq!(placeholders, change.values.len(), "{all}");
        }
    }
}
