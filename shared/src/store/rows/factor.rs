//! Second factors: one row for each user and kind.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    domain::{
        people::{
            factor::{Factor, FactorKey, FactorType},
            id::{FactorId, UserId},
            phone::Phone,
        },
        time::Timestamp,
    },
    store::{
        item::{Corrupt, Item, Reader, Writer, flag, text, time},
        table::{Change, Row},
    },
};

impl Row for Factor {
    const VARIABLE: &'static str = "FACTORS_TABLE";
    const KEY: &'static str = "owner";
    type Id = FactorKey;

    fn key(id: &FactorKey) -> AttributeValue {
        text(id.text())
    }

    fn to_item(&self) -> Item {
        let row = Writer::default()
            .with(Self::KEY, Self::key(&self.owner()))
            .with("id", text(self.id.text()))
            .with("user_id", text(self.user.text()))
            .with("type", text(self.factor_type.name()))
            .with("is_active", flag(self.is_active))
            .with("inserted_at", time(self.inserted_at))
            .with("updated_at", time(self.updated_at))
            .with_some("phone_set_at", self.phone_set_at.map(time))
            .with_some("value", self.value.as_ref().map(|phone| text(phone.as_str())));
        match self.by_operator {
            true => row.with("by_operator", flag(true)),
            false => row,
        }
        .item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        Ok(Self {
            id: row.parsed("id", FactorId::parse)?,
            user: row.parsed("user_id", UserId::parse)?,
            factor_type: row.parsed("type", FactorType::parse)?,
            value: row.optional("value", |row, name| row.parsed(name, Phone::from_stored))?,
            phone_set_at: row.optional("phone_set_at", Reader::time)?,
            by_operator: row.has("by_operator") && row.flag("by_operator")?,
            is_active: row.flag("is_active")?,
            inserted_at: row.time("inserted_at")?,
            updated_at: row.time("updated_at")?,
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        None
    }
}

/// Resets a factor: its user must verify a phone anew. Refused when the factor was replaced, deleted, or disabled.
#[must_use]
pub fn reset(id: &FactorId, now: Timestamp) -> Change {
    Change {
        update: "SET updated_at = :now REMOVE #value, phone_set_at, by_operator",
        condition: "id = :id AND is_active = :true",
        values: vec![(":id", text(id.text())), (":true", flag(true)), (":now", time(now))],
    }
}

/// Disables a factor, so that logins no longer require it; refused when it was replaced, deleted, or disabled already.
#[must_use]
pub fn disable(id: &FactorId, now: Timestamp) -> Change {
    activity(id, false, now)
}

/// Enables a factor, so that logins require it again; refused when it was replaced, deleted, or enabled already.
#[must_use]
pub fn enable(id: &FactorId, now: Timestamp) -> Change {
    activity(id, true, now)
}

fn activity(id: &FactorId, is_active: bool, now: Timestamp) -> Change {
    Change {
        update: "SET is_active = :next, updated_at = :now",
        condition: "id = :id AND is_active = :found",
        values: vec![
            (":id", text(id.text())),
            (":next", flag(is_active)),
            (":found", flag(!is_active)),
            (":now", time(now)),
        ],
    }
}

/// Sets the phone of a factor that its user has verified. Refused when the factor was replaced, deleted or disabled, or
/// when its phone has changed since the read: of two phones verified concurrently, one is set.
#[must_use]
pub fn approve(id: &FactorId, phone: &Phone, read: &Factor, now: Timestamp) -> Change {
    let mut values = vec![
        (":id", text(id.text())),
        (":phone", text(phone.as_str())),
        (":true", flag(true)),
        (":now", time(now)),
    ];
    let condition = match &read.value {
        None => "id = :id AND is_active = :true AND attribute_not_exists(#value)",
        Some(found) => {
            values.push((":found", text(found.as_str())));
            "id = :id AND is_active = :true AND #value = :found"
        }
    };
    Change {
        update: "SET #value = :phone, phone_set_at = :now, updated_at = :now REMOVE by_operator",
        condition,
        values,
    }
}

/// Like [`approve`], for a phone that the operator sets.
#[must_use]
pub fn set(id: &FactorId, phone: &Phone, read: &Factor, now: Timestamp) -> Change {
    Change {
        update: "SET #value = :phone, phone_set_at = :now, updated_at = :now, by_operator = :true",
        ..approve(id, phone, read, now)
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::SysRng;

    use super::*;

    #[test]
    fn a_factor_round_trips() {
        let user = UserId::draw(&mut SysRng).expect("the system has entropy");
        let now = Timestamp::from_seconds(7);
        let empty = Factor::new(user, FactorType::Sms, &mut SysRng, now).expect("the system has entropy");
        let set = Factor {
            value: Phone::from_stored("+380885550130"),
            phone_set_at: Some(now),
            is_active: false,
            updated_at: Timestamp::from_seconds(8),
            ..empty.clone()
        };
        let by_operator = Factor {
            by_operator: true,
            ..set.clone()
        };
        for factor in [empty, set, by_operator] {
            assert_eq!(Factor::from_item(&factor.to_item()).expect("our own row"), factor);
        }
    }
}
