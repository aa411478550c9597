//! Known devices: one row for each user, with all of the user's devices.

use aws_sdk_dynamodb::types::AttributeValue;

use super::rate_limit::{acts, list};
use crate::{
    domain::{
        crypto::secret::Digest,
        device::{Device, DeviceToken, Devices, Remembered},
        people::id::{ClientId, DeviceId, UserId},
        time::Timestamp,
    },
    store::{
        item::{Corrupt, Item, Reader, Writer, bytes, maps, number, text, time},
        table::{Change, Condition, Row},
    },
};

impl Row for Devices {
    const VARIABLE: &'static str = "DEVICES_TABLE";
    const KEY: &'static str = "user_id";
    const IS_REPORTED: bool = false;
    type Id = UserId;

    fn key(id: &UserId) -> AttributeValue {
        text(id.text())
    }

    fn to_item(&self) -> Item {
        Writer::default()
            .with(Self::KEY, Self::key(&self.user))
            .with("version", number(self.version))
            .with("devices", devices(self))
            .with("ttl", time(self.forget_at))
            .item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        Ok(Self {
            user: row.parsed(Self::KEY, UserId::parse)?,
            version: row.number("version")?,
            list: row.maps("devices")?.map(read_device).collect::<Result<_, _>>()?,
            forget_at: row.time("ttl")?,
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        // The rules check the expiry of each device, so that they see the same row as the condition.
        None
    }
}

/// Replaces exactly the record that was read, identified by its version (optimistic locking). Refused when a concurrent
/// request was faster, or when a row exists though none was read.
#[must_use]
pub fn replace(read: u64, next: &Devices) -> Change {
    let Condition { expression, values } = unchanged(read);
    let mut change = Change {
        update: "SET version = :version, devices = :devices, #ttl = :ttl",
        condition: expression,
        values,
    };
    change.values.extend([
        (":version", number(next.version)),
        (":devices", devices(next)),
        (":ttl", time(next.forget_at)),
    ]);
    change
}

/// The record is still the one that was read.
#[must_use]
pub fn unchanged(read: u64) -> Condition {
    match read {
        0 => Condition {
            expression: "attribute_not_exists(user_id)",
            values: Vec::new(),
        },
        _ => Condition {
            expression: "version = :read",
            values: vec![(":read", number(read))],
        },
    }
}

fn devices(record: &Devices) -> AttributeValue {
    maps(record.list.iter().map(device))
}

fn device(device: &Device) -> Item {
    Writer::default()
        .with("id", bytes(*device.id.as_bytes()))
        .with("digest", bytes(*device.token.digest.as_bytes()))
        .with("generation", number(device.generation))
        .with("client_id", text(device.client.as_str()))
        .with("added_at", time(device.added_at))
        .with("last_used_at", time(device.last_used_at))
        .with("expires_at", time(device.token.expires_at))
        .with("failures", number(device.failures))
        .with("guesses", list(&device.guesses))
        .with_some("previous_digest", device.previous.as_ref().map(|token| bytes(*token.digest.as_bytes())))
        .with_some("previous_expires_at", device.previous.as_ref().map(|token| time(token.expires_at)))
        .with_some("remembered_until", device.remembered.map(|remembered| time(remembered.until)))
        .with_some("remembered_factors", device.remembered.map(|remembered| bytes(remembered.factors)))
        .item()
}

fn read_device(row: Reader<'_>) -> Result<Device, Corrupt> {
    Ok(Device {
        id: DeviceId::from_bytes(row.bytes("id")?),
        token: read_token(row, "digest", "expires_at")?,
        previous: row.optional("previous_digest", |row, name| read_token(row, name, "previous_expires_at"))?,
        generation: row.number("generation")?,
        client: row.parsed("client_id", ClientId::parse)?,
        added_at: row.time("added_at")?,
        last_used_at: row.time("last_used_at")?,
        failures: row.number("failures")?,
        guesses: acts(row, "guesses")?,
        remembered: row.optional("remembered_until", |row, name| {
            Ok(Remembered {
                until: row.time(name)?,
                factors: row.bytes("remembered_factors")?,
            })
        })?,
    })
}

fn read_token(row: Reader<'_>, digest: &'static str, expires_at: &'static str) -> Result<DeviceToken, Corrupt> {
    Ok(DeviceToken {
        digest: Digest::from_bytes(row.bytes(digest)?).ok_or(Corrupt(digest))?,
        expires_at: row.time(expires_at)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{crypto::secret::Secret, limits::rate_limit::Hit};

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[track_caller]
    fn is_kept(devices: &Devices) {
        let read = Devices::from_item(&devices.to_item()).expect("our own row");
        assert_eq!(format!("{read:?}"), format!("{devices:?}"));
        assert_eq!((read.to_item(), read.ends_at()), (devices.to_item(), None));
    }

    #[test]
    fn a_record_round_trips() {
        let user = UserId::from_bytes([1; 16]);
        is_kept(&Devices::none(user));
        let device_token = |text: &str, seconds| DeviceToken {
            digest: Digest::of(&Secret::new(text.into())),
            expires_at: at(seconds),
        };
        let device = |remembered, previous| Device {
            id: DeviceId::from_bytes([2; 16]),
            token: device_token("token", 30),
            previous,
            generation: 3,
            client: ClientId::parse("heatclinic").expect("well-formed"),
            added_at: at(10),
            last_used_at: at(20),
            failures: 4,
            guesses: vec![Hit {
                at: at(15),
                by: "invocation".into(),
            }],
            remembered,
        };
        let remembered = Remembered {
            until: at(25),
            factors: [5; 32],
        };
        let devices = Devices {
            version: 6,
            list: vec![
                device(None, None),
                device(Some(remembered), Some(device_token("earlier", 29))),
            ],
            forget_at: at(30),
            ..Devices::none(user)
        };
        is_kept(&devices);
        // A replacement writes the whole row, on condition that it is the one that was read.
        for (read, condition) in [(0, "attribute_not_exists(user_id)"), (5, "version = :read")] {
            let change = replace(read, &devices);
            assert_eq!((change.condition, unchanged(read).expression), (condition, condition));
            for name in ["version", "devices", "ttl"] {
                let placeholder = format!(":{name}");
                let written = change.values.iter().find(|(name, _)| *name == placeholder).map(|(_, value)| value);
                assert_eq!(written, devices.to_item().get(name), "{name}");
                assert!(change.update.contains(&format!("{name} = {placeholder}")), "{name}");
            }
            let value = change.values.iter().find(|(name, _)| *name == ":read").map(|(_, value)| value.clone());
            assert_eq!(value, (read > 0).then(|| number(read)));
        }
    }
}
