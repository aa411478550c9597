//! Second factors: one row for each user and kind.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    domain::{
        factor::{Factor, FactorKey, FactorType},
        id::{FactorId, UserId},
        phone::Phone,
        time::Timestamp,
    },
    store::{
        item::{Corrupt, Item, Reader, Writer, text, time},
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
            .with("is_active", AttributeValue::Bool(self.is_active))
            .with("inserted_at", time(self.inserted_at))
            .with("updated_at", time(self.updated_at));
        match &self.value {
            Some(phone) => row.with("value", text(phone.as_str())),
            None => row,
        }
        .item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        Ok(Self {
            id: row.parsed("id", FactorId::parse)?,
            user: row.parsed("user_id", UserId::parse)?,
            factor_type: row.parsed("type", FactorType::parse)?,
            value: match row.has("value") {
                true => Some(row.parsed("value", Phone::from_stored)?),
                false => None,
            },
            is_active: row.flag("is_active")?,
            inserted_at: row.time("inserted_at")?,
            updated_at: row.time("updated_at")?,
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        None
    }
}

/// Empties a factor: its owner has to show a phone anew. Refused when it is another one, gone, or disabled.
#[must_use]
pub fn reset(id: &FactorId, now: Timestamp) -> Change {
    Change {
        update: "SET updated_at = :now REMOVE #value",
        condition: "id = :id AND is_active = :true",
        values: vec![
            (":id", text(id.text())),
            (":true", AttributeValue::Bool(true)),
            (":now", time(now)),
        ],
    }
}

/// Has logins not ask for a factor any more; refused when it is another one, gone, or disabled already.
#[must_use]
pub fn disable(id: &FactorId, now: Timestamp) -> Change {
    activity(id, false, now)
}

/// Has logins ask for a factor again; refused when it is another one, gone, or enabled already.
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
            (":next", AttributeValue::Bool(is_active)),
            (":found", AttributeValue::Bool(!is_active)),
            (":now", time(now)),
        ],
    }
}

/// Gives a factor the phone that its owner has shown to have, or that the operator knows. Refused when it is another one, gone or disabled, or when
/// its phone is not what was read any more: of two phones that are shown at once, one is taken.
#[must_use]
pub fn approve(id: &FactorId, phone: &Phone, read: &Factor, now: Timestamp) -> Change {
    let mut values = vec![
        (":id", text(id.text())),
        (":phone", text(phone.as_str())),
        (":true", AttributeValue::Bool(true)),
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
        update: "SET #value = :phone, updated_at = :now",
        condition,
        values,
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::SysRng;

    use super::*;

    #[test]
    fn a_factor_is_read_as_it_is_written() {
        let user = UserId::draw(&mut SysRng).expect("the system has entropy");
        let now = Timestamp::from_seconds(7);
        let empty = Factor::new(user, FactorType::Sms, &mut SysRng, now).expect("the system has entropy");
        let set = Factor {
            value: Phone::from_stored("+380885550130"),
            is_active: false,
            updated_at: Timestamp::from_seconds(8),
            ..empty.clone()
        };
        for factor in [empty, set] {
            assert_eq!(Factor::from_item(&factor.to_item()).expect("our own row"), factor);
        }
    }
}
