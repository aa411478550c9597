//! The quota of text messages: one row of the rate limit table (`BUDGETS_TABLE`) for each shard.

use std::collections::BTreeMap;

use std::ops::ControlFlow;

use aws_sdk_dynamodb::types::AttributeValue;
use sha2::{Digest, Sha256};

use crate::{
    domain::{
        crypto::secret::framed,
        limits::{
            quota::{Countries, Counts, Exhausted, Message, Policy, Quota, Shard, Slots, Tally},
            rate_limit::Hit,
        },
        time::Timestamp,
    },
    fault::Fault,
    store::{
        item::{Corrupt, Item, Reader, Writer, bytes, number, text, time},
        retry::optimistic_from,
        table::{Change, Changed, Row, Table, Update},
    },
};

impl Row for Quota {
    const VARIABLE: &'static str = "BUDGETS_TABLE";
    const KEY: &'static str = "subject";
    type Id = Shard;

    fn key(shard: &Shard) -> AttributeValue {
        bytes(subject(*shard))
    }

    fn to_item(&self) -> Item {
        Writer::default()
            .with(Self::KEY, Self::key(&self.shard))
            .with("sms_shard", number(self.shard.number()))
            .with("version", number(self.version))
            .with("last_by", text(&self.last_by))
            .with("last_at", time(self.last_at))
            .with("ttl", ttl(self))
            .with("countries", countries(&self.all, sent))
            .with("verified", countries(&self.all, verified))
            .with("newcomers", countries(&self.newcomers, sent))
            .with("newcomers_verified", countries(&self.newcomers, verified))
            .item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        Ok(Self {
            shard: Shard::from_number(row.optional("sms_shard", Reader::number)?.unwrap_or_default()),
            version: row.number("version")?,
            last_by: row.text("last_by")?.to_owned(),
            last_at: row.time("last_at")?,
            all: read(row.map("countries")?, row.optional("verified", Reader::map)?).ok_or(Corrupt("countries"))?,
            newcomers: match row.optional("newcomers", Reader::map)? {
                Some(newcomers) => {
                    read(newcomers, row.optional("newcomers_verified", Reader::map)?).ok_or(Corrupt("newcomers"))?
                }
                None => Countries::new(),
            },
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        None
    }
}

/// The first shard has the key of a quota without shards.
fn subject(shard: Shard) -> [u8; 32] {
    const WHAT: &[u8] = b"text messages";
    let framed = match shard.number() {
        0 => framed(&[WHAT]),
        number => framed(&[WHAT, b"shard", &number.to_be_bytes()]),
    };
    Sha256::digest(framed).into()
}

/// The TTL: when nothing of it counts any more, a day and its slot after the last message.
fn ttl(quota: &Quota) -> AttributeValue {
    time(quota.last_at.deadline(2 * 86_400))
}

fn sent(tally: Tally) -> u64 {
    tally.sent
}

fn verified(tally: Tally) -> u64 {
    tally.verified
}

/// Each country's slots, as space-separated `slot:count`: a map of maps would be three times as large. Messages and
/// verified ones are in separate maps: a version that knows only the first can still read it.
fn countries(countries: &Countries, count: fn(Tally) -> u64) -> AttributeValue {
    let slots = |slots: &Slots| {
        let counted = slots.iter().map(|(slot, tally)| (slot, count(*tally)));
        let counted = counted.filter(|(_, count)| *count > 0);
        let texts = counted.map(|(slot, count)| format!("{slot}:{count}"));
        text(texts.collect::<Vec<_>>().join(" "))
    };
    let entries = countries.iter().map(|(country, counts)| {
        let counts = vec![slots(&counts.minute), slots(&counts.day)];
        (country.clone(), AttributeValue::L(counts))
    });
    AttributeValue::M(entries.collect())
}

fn read(sent: &Item, verified: Option<&Item>) -> Option<Countries> {
    let country = |(country, counts): (&String, &AttributeValue)| {
        let [minute, day] = slots_of(counts)?;
        let [minutes, days] = match verified.and_then(|verified| verified.get(country)) {
            Some(counts) => slots_of(counts)?,
            None => Default::default(),
        };
        let together = |sent: BTreeMap<u64, u64>, verified: BTreeMap<u64, u64>| -> Slots {
            let tally = |(slot, sent)| {
                let verified = verified.get(&slot).copied().unwrap_or_default();
                (
                    slot,
                    Tally {
                        sent,
                        verified: verified.min(sent),
                    },
                )
            };
            sent.into_iter().map(tally).collect()
        };
        let counts = Counts {
            minute: together(minute, minutes),
            day: together(day, days),
        };
        Some((country.clone(), counts))
    };
    sent.iter().map(country).collect()
}

/// A country's two lists of slots.
fn slots_of(counts: &AttributeValue) -> Option<[BTreeMap<u64, u64>; 2]> {
    let slots = |value: &AttributeValue| {
        let slots = value.as_s().ok()?.split_whitespace();
        slots
            .map(|slot| {
                let (slot, count) = slot.split_once(':')?;
                Some((slot.parse().ok()?, count.parse().ok()?))
            })
            .collect::<Option<BTreeMap<_, _>>>()
    };
    match counts.as_l().ok()?.as_slice() {
        [minute, day] => Some([slots(minute)?, slots(day)?]),
        _ => None,
    }
}

/// Replaces exactly the quota that was read (optimistic locking).
#[must_use]
pub fn replace(read: u64, next: &Quota) -> Change {
    let condition = match read {
        0 => "attribute_not_exists(version)",
        _ => "version = :read",
    };
    let mut values = vec![
        (":shard", number(next.shard.number())),
        (":version", number(next.version)),
        (":by", text(&next.last_by)),
        (":at", time(next.last_at)),
        (":ttl", ttl(next)),
        (":countries", countries(&next.all, sent)),
        (":verified", countries(&next.all, verified)),
        (":newcomers", countries(&next.newcomers, sent)),
        (":those_verified", countries(&next.newcomers, verified)),
    ];
    // DynamoDB rejects a value that no expression uses.
    if read > 0 {
        values.push((":read", number(read)));
    }
    Change {
        update: "SET sms_shard = :shard, version = :version, last_by = :by, last_at = :at, #ttl = :ttl, countries = :countries, \
                 verified = :verified, newcomers = :newcomers, newcomers_verified = :those_verified",
        condition,
        values,
    }
}

/// One counted message, so that it can be given back if it is not sent.
#[derive(Debug)]
pub struct Receipt {
    quota: Quota,
    message: Message,
    /// When it counts as sent, and by which invocation.
    act: Hit,
}

/// The subject of a fault after too many conflicts.
const SUBJECT: &str = "the meter of text messages";

/// Maximum number of attempts while other messages are counted, verified or given back. The request times out earlier:
/// a flood is refused by the policy, and not by its conflicts.
const SPENDING: u32 = 10_000;

/// Counts one message before it is sent, in one write when there is no conflict: of any number of concurrent sends,
/// exactly those pass that the policy allows.
///
/// `read` is the quota of the message's shard as the caller read it; the write replaces exactly that one, and retries with the
/// current one when a concurrent request was faster (optimistic locking). A quota that this invocation wrote last is
/// its own write, whose response was lost; if another request wrote after the lost response, the message counts twice.
///
/// # Errors
/// The inner `Err` is [`Exhausted`]; [`Fault`] when the store fails, or when every retry lost to concurrent requests:
/// then the message must not be sent.
pub async fn spend(
    table: &Table<Quota, Update>,
    policy: &Policy,
    message: &Message,
    read: Quota,
    act: &Hit,
) -> Result<Result<Receipt, Exhausted>, Fault> {
    let receipt = |quota: Quota| Receipt {
        act: Hit {
            at: quota.last_at,
            by: act.by.clone(),
        },
        message: message.clone(),
        quota,
    };
    let shard = read.shard;
    optimistic_from(SPENDING, SUBJECT, read, async |found| {
        let version = found.version;
        let next = match found.spend(policy, message, act) {
            Ok(next) => next,
            Err(exhausted) => return Ok(ControlFlow::Break(Err(exhausted))),
        };
        Ok(match table.update(&shard, replace(version, &next), act.at).await? {
            Changed::Yes(quota) => ControlFlow::Break(Ok(receipt(quota))),
            Changed::No(Some(quota)) if quota.was_spent_by(&act.by) => ControlFlow::Break(Ok(receipt(quota))),
            Changed::No(Some(quota)) => ControlFlow::Continue(quota),
            Changed::No(None) => ControlFlow::Continue(Quota::none(shard)),
        })
    })
    .await
}

/// Maximum number of attempts at giving back while others send concurrently.
const GIVING_BACK: u32 = 10;

/// Gives a message back: it no longer uses the quota.
///
/// # Errors
/// [`Fault`] when the store fails, or when every retry lost to concurrent requests: then it counts as sent.
pub async fn give_back(table: &Table<Quota, Update>, receipt: Receipt, now: Timestamp) -> Result<(), Fault> {
    let Receipt {
        quota: counted,
        message,
        act,
    } = receipt;
    let shard = counted.shard;
    optimistic_from(GIVING_BACK, SUBJECT, counted, async |found| {
        let version = found.version;
        let next = found.give_back(&message, &act, now);
        Ok(match table.update(&shard, replace(version, &next), now).await? {
            Changed::Yes(_) => ControlFlow::Break(()),
            Changed::No(Some(quota)) if quota.was_given_back_by(&act.by) => ControlFlow::Break(()),
            Changed::No(Some(quota)) => ControlFlow::Continue(quota),
            Changed::No(None) => ControlFlow::Break(()),
        })
    })
    .await
}

/// Maximum number of attempts while others send concurrently: the user who was authenticated waits meanwhile.
const VERIFYING: u32 = 5;

/// Reduces the count of a message whose code was issued at `act.at` and verified by `act.by`, given the quota as read.
/// A write whose response was lost is not retried, since it may have been made: each message is given back once.
///
/// # Errors
/// [`Fault`] when the store fails, or when every retry lost to concurrent requests: then it counts whole.
pub async fn verify(
    table: &Table<Quota, Update>,
    read: Quota,
    message: &Message,
    act: &Hit,
    now: Timestamp,
) -> Result<(), Fault> {
    let shard = read.shard;
    optimistic_from(VERIFYING, SUBJECT, read, async |found| {
        let version = found.version;
        let Some(next) = found.verified(message, act, now) else {
            return Ok(ControlFlow::Break(()));
        };
        Ok(match table.update_once(&shard, replace(version, &next), now).await? {
            Changed::No(Some(quota)) => ControlFlow::Continue(quota),
            Changed::Yes(_) | Changed::No(None) => ControlFlow::Break(()),
        })
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::people::factor::Trust;

    /// Messages of both kinds to two countries, one of which was verified.
    fn quota() -> Quota {
        let policy = Policy {
            per_minute: 9,
            per_day: 9,
            country_per_minute: 9,
            country_per_day: 9,
            money: None,
            shards: 1,
        };
        let message = |country: &str, trust| Message {
            country: country.into(),
            trust,
        };
        let act = |seconds| Hit {
            at: Timestamp::from_seconds(seconds),
            by: "invocation".into(),
        };
        let messages = [
            ("380", Trust::Established, 90),
            ("380", Trust::New, 91),
            ("44", Trust::New, 4000),
            ("380", Trust::Established, 4001),
        ];
        let quota = messages.iter().fold(Quota::none(Shard::from_number(3)), |quota, (country, trust, at)| {
            let message = message(country, *trust);
            quota.spend(&policy, &message, &act(*at)).expect("there is room")
        });
        let now = Timestamp::from_seconds(4010);
        quota.verified(&message("44", Trust::New), &act(4000), now).expect("it counts")
    }

    #[test]
    fn a_quota_round_trips() {
        for quota in [quota(), Quota::none(Shard::FIRST)] {
            let read = Quota::from_item(&quota.to_item()).expect("it is as it was written");
            assert_eq!(read, quota);
        }
    }

    #[test]
    fn the_first_shard_has_the_key_of_a_quota_without_shards() {
        let key = |number| Quota::key(&Shard::from_number(number));
        let digest = |parts: &[&[u8]]| bytes(Sha256::digest(framed(parts)).to_vec());
        assert_eq!(key(0), digest(&[b"text messages"]));
        assert_eq!(key(1), digest(&[b"text messages", b"shard", &[0, 0, 0, 0, 0, 0, 0, 1]]));
        assert_ne!(key(1), key(256));
    }

    #[test]
    fn a_quota_is_stored_compactly_until_it_expires() {
        let (quota, item) = (quota(), quota().to_item());
        let forget_at = (quota.last_at.seconds() + 172_800).to_string();
        assert_eq!(item["ttl"], AttributeValue::N(forget_at));
        // Unverified messages are not written as a zero.
        let counts = |slots: [&str; 2]| AttributeValue::L(slots.map(text).to_vec());
        let verified = [("380", counts(["", ""])), ("44", counts(["400:1", "1:1"]))];
        let verified = verified.map(|(country, counts)| (country.to_owned(), counts));
        assert_eq!(item["verified"], AttributeValue::M(verified.into()));
    }

    #[test]
    fn quotas_are_compatible_with_versions_that_do_not_count_new_accounts() {
        const OLD: [&str; 6] = ["subject", "version", "last_by", "last_at", "ttl", "countries"];
        let quota = quota();
        let mut item = quota.to_item();
        item.retain(|name, _| OLD.contains(&name.as_str()));
        let read = Quota::from_item(&item).expect("an older version wrote it");
        assert_eq!(read.shard, Shard::FIRST);
        let slots = |slots: &[(u64, u64)]| -> Slots {
            let tally = |(slot, sent): &(u64, u64)| {
                (
                    *slot,
                    Tally {
                        sent: *sent,
                        verified: 0,
                    },
                )
            };
            slots.iter().map(tally).collect()
        };
        let counts = |minute: &[(u64, u64)], day: &[(u64, u64)]| Counts {
            minute: slots(minute),
            day: slots(day),
        };
        let expected = [
            ("380".to_owned(), counts(&[(400, 1)], &[(0, 2), (1, 1)])),
            ("44".to_owned(), counts(&[(400, 1)], &[(1, 1)])),
        ];
        assert_eq!((&read.all, &read.newcomers), (&expected.into(), &Countries::new()));
        // Everything that it reads is present, in the form that it writes.
        assert_eq!(quota.to_item()["countries"], read.to_item()["countries"]);
    }

    #[test]
    fn verified_counts_are_capped_at_sent_counts() {
        let mut item = quota().to_item();
        // An older version gave a message back that only it counts.
        let list = |slots: &str| AttributeValue::L(vec![text(slots), text(slots)]);
        let of = |slots: &str| AttributeValue::M([("44".to_owned(), list(slots))].into());
        item.insert("countries".into(), of("1:2"));
        item.insert("verified".into(), of("1:3 2:1"));
        let read = Quota::from_item(&item).expect("our own row").all;
        assert_eq!(read["44"].day, [(1, Tally { sent: 2, verified: 2 })].into());
    }

    #[test]
    fn a_replacement_writes_the_whole_row() {
        let next = quota();
        let (change, item) = (replace(7, &next), next.to_item());
        let attributes = [
            ("sms_shard", ":shard"),
            ("version", ":version"),
            ("last_by", ":by"),
            ("last_at", ":at"),
            ("ttl", ":ttl"),
            ("countries", ":countries"),
            ("verified", ":verified"),
            ("newcomers", ":newcomers"),
            ("newcomers_verified", ":those_verified"),
        ];
        for (name, placeholder) in attributes {
            let written = change.values.iter().find(|(name, _)| *name == placeholder);
            assert_eq!(written.map(|(_, value)| value), item.get(name), "{name}");
            assert!(change.update.contains(&format!("{name} = {placeholder}")), "{name}");
        }
        assert_eq!(item.len(), attributes.len() + 1, "the key, and nothing that is left out");
    }

    #[test]
    fn the_condition_is_the_version_that_was_read() {
        for (read, condition) in [(0, "attribute_not_exists(version)"), (7, "version = :read")] {
            let change = replace(read, &Quota::none(Shard::FIRST));
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
