//! Codes by text message: one row for each user's factor, with the newest code and all recent sends and guesses.

use aws_sdk_dynamodb::types::AttributeValue;

use super::rate_limit::{acts, list};
use crate::{
    domain::{
        limits::quota::Message,
        otp::{CodeDigest, End, Otp, Otps, Status},
        people::factor::{FactorKey, Trust},
        time::Timestamp,
        totp::Step,
    },
    store::{
        item::{Corrupt, Item, Reader, Writer, bytes, number, text, time},
        table::{Change, Row},
    },
};

impl Row for Otps {
    const VARIABLE: &'static str = "OTPS_TABLE";
    const KEY: &'static str = "owner";
    type Id = FactorKey;

    fn key(id: &FactorKey) -> AttributeValue {
        text(id.text())
    }

    fn to_item(&self) -> Item {
        Writer::default()
            .with(Self::KEY, Self::key(&self.owner()))
            .with("version", number(self.version))
            .with("guesses", list(&self.guesses))
            .with("sends", list(&self.sends))
            .with("first_day", list(&self.first_day))
            .with("ttl", time(self.forget_at))
            .with_some("last_step", self.last_step.map(|step| number(step.get())))
            .with_some("code", self.code.as_ref().map(code))
            .item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        let FactorKey { user, factor_type } = row.parsed(Self::KEY, FactorKey::parse)?;
        Ok(Self {
            user,
            factor_type,
            version: row.number("version")?,
            code: item.get("code").map(read_code).transpose()?,
            guesses: acts(row, "guesses")?,
            last_step: row.optional("last_step", |row, name| row.number(name).map(Step::new))?,
            sends: acts(row, "sends")?,
            // Rows that predate this counter do not have it.
            first_day: match row.has("first_day") {
                true => acts(row, "first_day")?,
                false => Vec::new(),
            },
            forget_at: row.time("ttl")?,
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        // The rules check the age of each entry, so that they see the same row as the condition.
        None
    }
}

fn code(otp: &Otp) -> AttributeValue {
    let code = Writer::default()
        .with("id", bytes(otp.id))
        .with("flow", bytes(otp.flow))
        .with("issued_at", time(otp.issued_at))
        .with("expires_at", time(otp.expires_at))
        .with("attempts", number(otp.attempts))
        .with("status", text(otp.status.name()));
    let code = match &otp.message {
        Some(Message { country, trust }) => code.with("country", text(country)).with("trust", text(trust.name())),
        None => code,
    };
    let code = match &otp.status {
        Status::New(seal) => code.with("key_id", number(seal.key.into())).with("mac", bytes(seal.mac)),
        Status::Ended(_) => code,
    };
    AttributeValue::M(code.item())
}

fn read_code(value: &AttributeValue) -> Result<Otp, Corrupt> {
    let code = Reader(value.as_m().map_err(|_| Corrupt("code"))?);
    Ok(Otp {
        id: code.bytes("id")?,
        flow: code.bytes("flow")?,
        issued_at: code.time("issued_at")?,
        expires_at: code.time("expires_at")?,
        attempts: code.number("attempts")?,
        message: match code.has("country") {
            true => Some(Message {
                country: code.text("country")?.to_owned(),
                trust: code.parsed("trust", Trust::parse)?,
            }),
            false => None,
        },
        status: match code.has("mac") {
            true => Status::New(CodeDigest {
                key: code.number("key_id")?,
                mac: code.bytes("mac")?,
            }),
            false => Status::Ended(code.parsed("status", End::parse)?),
        },
    })
}

/// Replaces exactly the record that was read, identified by its version (optimistic locking). Refused when a concurrent
/// request was faster, or when a row exists though none was read: so no step of an app is accepted twice (RFC 6238 §5.2).
#[must_use]
pub fn replace(read: u64, next: &Otps) -> Change {
    let mut values = vec![
        (":version", number(next.version)),
        (":guesses", list(&next.guesses)),
        (":sends", list(&next.sends)),
        (":first_day", list(&next.first_day)),
        (":ttl", time(next.forget_at)),
    ];
    if let Some(otp) = &next.code {
        values.push((":code", code(otp)));
    }
    if let Some(step) = next.last_step {
        values.push((":step", number(step.get())));
    }
    let update = match (next.code.is_some(), next.last_step.is_some()) {
        (false, false) => {
            "SET version = :version, guesses = :guesses, sends = :sends, first_day = :first_day, #ttl = :ttl \
             REMOVE code, last_step"
        }
        (true, false) => {
            "SET version = :version, guesses = :guesses, sends = :sends, first_day = :first_day, #ttl = :ttl, code = :code \
             REMOVE last_step"
        }
        (false, true) => {
            "SET version = :version, guesses = :guesses, sends = :sends, first_day = :first_day, #ttl = :ttl, \
             last_step = :step REMOVE code"
        }
        (true, true) => {
            "SET version = :version, guesses = :guesses, sends = :sends, first_day = :first_day, #ttl = :ttl, code = :code, \
             last_step = :step"
        }
    };
    let condition = match read {
        0 => "attribute_not_exists(#owner)",
        _ => {
            values.push((":read", number(read)));
            "version = :read"
        }
    };
    Change {
        update,
        condition,
        values,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        limits::rate_limit::Hit,
        people::{factor::FactorType, id::UserId},
    };

    /// Without a code, with a live one, with one that has ended, with one whose message was counted; and with a step.
    fn records() -> [Otps; 6] {
        let act = |seconds| Hit {
            at: Timestamp::from_seconds(seconds),
            by: "invocation".into(),
        };
        let with = |status| {
            let at = Timestamp::from_seconds;
            Otps {
                version: 3,
                code: Some(Otp {
                    id: [1; 16],
                    flow: [2; 16],
                    issued_at: at(10),
                    expires_at: at(310),
                    attempts: 1,
                    message: None,
                    status,
                }),
                guesses: vec![act(11), act(12)],
                sends: vec![act(10)],
                first_day: vec![act(9)],
                forget_at: at(1000),
                ..Otps::none(UserId::from_bytes([9; 16]), FactorType::Sms)
            }
        };
        let none = Otps {
            code: None,
            ..with(Status::Ended(End::Expired))
        };
        let live = with(Status::New(CodeDigest { key: 4, mac: [5; 32] }));
        let ended = with(Status::Ended(End::Canceled));
        let counted = ended.clone().counted_as(Message {
            country: "380".into(),
            trust: Trust::New,
        });
        let stepped = |otps: &Otps| Otps {
            last_step: Some(Step::new(57_000_000)),
            ..otps.clone()
        };
        let (app, both) = (stepped(&none), stepped(&live));
        [none, live, ended, counted, app, both]
    }

    #[test]
    fn a_record_round_trips() {
        for otps in records() {
            let item = otps.to_item();
            assert_eq!(Otps::from_item(&item).expect("our own row").to_item(), item);
        }
    }

    #[test]
    fn a_record_without_first_day_counts_is_read() {
        for otps in records() {
            let mut item = otps.to_item();
            item.remove("first_day");
            let read = Otps::from_item(&item).expect("an older version wrote it");
            assert_eq!((read.first_day, read.sends), (Vec::new(), otps.sends));
        }
    }

    #[test]
    fn a_replacement_writes_the_whole_row() {
        for next in records() {
            let change = replace(2, &next);
            let mut optional = 0;
            for (name, placeholder) in [
                ("version", ":version"),
                ("guesses", ":guesses"),
                ("sends", ":sends"),
                ("first_day", ":first_day"),
                ("ttl", ":ttl"),
                ("code", ":code"),
                ("last_step", ":step"),
            ] {
                let written = change.values.iter().find(|(name, _)| *name == placeholder);
                assert_eq!(written.map(|(_, value)| value), next.to_item().get(name), "{name}");
                assert_eq!(change.update.contains(&format!("{name} = {placeholder}")), written.is_some(), "{name}");
                let removed = change.update.split_once("REMOVE").is_some_and(|(_, removed)| removed.contains(name));
                assert_eq!(removed, written.is_none(), "{name}");
                optional += usize::from(written.is_some());
            }
            assert_eq!(next.to_item().len(), 1 + optional, "nothing is left out");
        }
    }

    #[test]
    fn a_replacement_requires_the_version_that_was_read() {
        let next = &records()[0];
        for (read, condition, value) in [
            (0, "attribute_not_exists(#owner)", None),
            (1, "version = :read", Some(number(1))),
            (7, "version = :read", Some(number(7))),
        ] {
            let change = replace(read, next);
            assert_eq!(change.condition, condition);
            let found = change.values.into_iter().find(|(name, _)| *name == ":read");
            assert_eq!(found.map(|(_, value)| value), value);
        }
    }
}
