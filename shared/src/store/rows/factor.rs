//! Second factors: one row for each user and kind.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    domain::{
        crypto::encryption::Encrypted,
        people::{
            factor::{Factor, FactorKey, FactorPhone, FactorType, Value},
            id::{FactorId, UserId},
            phone::Phone,
        },
        recovery::RecoveryCodes,
        time::Timestamp,
    },
    store::{
        item::{Corrupt, Item, Reader, Writer, bytes, flag, key_set, number, text, time},
        rows::support_pin::{read_sealed, with_sealed},
        table::{Change, Condition, Row},
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
            .with("type", text(self.factor_type().name()))
            .with("is_active", flag(self.is_active))
            .with("inserted_at", time(self.inserted_at))
            .with("updated_at", time(self.updated_at));
        match &self.value {
            Value::Sms(Some(phone)) => row
                .with_some("phone_set_at", phone.set_at.map(time))
                .with_some("by_operator", phone.by_operator.then(|| flag(true)))
                .with("value", text(phone.number.as_str())),
            Value::Totp(Some(secret)) => with_sealed(row, secret),
            Value::Sms(None) | Value::Totp(None) => row,
            // DynamoDB has no empty sets.
            Value::RecoveryCodes(codes) if codes.unused.is_empty() => row,
            Value::RecoveryCodes(codes) => {
                row.with("key_id", number(codes.key.into())).with("codes", key_set(&codes.unused))
            }
        }
        .item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        let value = match row.parsed("type", FactorType::parse)? {
            FactorType::Sms if row.has("value") => Value::Sms(Some(FactorPhone {
                number: row.parsed("value", Phone::from_stored)?,
                set_at: row.optional("phone_set_at", Reader::time)?,
                by_operator: row.has("by_operator") && row.flag("by_operator")?,
            })),
            FactorType::Totp if row.has("sealed") => Value::Totp(Some(read_sealed(row)?)),
            FactorType::RecoveryCodes if row.has("codes") => Value::RecoveryCodes(RecoveryCodes {
                key: row.number("key_id")?,
                unused: row.key_set("codes")?,
            }),
            factor_type @ (FactorType::Sms | FactorType::Totp | FactorType::RecoveryCodes) => Value::none(factor_type),
        };
        Ok(Self {
            id: row.parsed("id", FactorId::parse)?,
            user: row.parsed("user_id", UserId::parse)?,
            value,
            is_active: row.flag("is_active")?,
            inserted_at: row.time("inserted_at")?,
            updated_at: row.time("updated_at")?,
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        None
    }
}

/// Resets a factor: its user must set it anew. Refused when the factor was replaced, deleted, or disabled.
#[must_use]
pub fn reset(id: &FactorId, now: Timestamp) -> Change {
    Change {
        update: "SET updated_at = :now REMOVE #value, phone_set_at, by_operator, key_id, nonce, sealed, codes",
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
    let condition = match read.phone() {
        None => "id = :id AND is_active = :true AND attribute_not_exists(#value)",
        Some(found) => {
            values.push((":found", text(found.number.as_str())));
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

/// The factor, an authenticator app, is as it was read, for a row that replaces it. Two changes in one second differ in
/// the secret or in whether it is active.
#[must_use]
pub fn is_as_read(read: &Factor) -> Condition {
    let secret = match &read.value {
        Value::Totp(secret) => secret.as_ref(),
        Value::Sms(_) | Value::RecoveryCodes(_) => None,
    };
    let mut values = vec![
        (":id", text(read.id.text())),
        (":at", time(read.updated_at)),
        (":active", flag(read.is_active)),
    ];
    let expression = match secret {
        None => "id = :id AND updated_at = :at AND is_active = :active AND attribute_not_exists(nonce)",
        Some(secret) => {
            values.push((":nonce", bytes(secret.nonce)));
            "id = :id AND updated_at = :at AND is_active = :active AND nonce = :nonce"
        }
    };
    Condition { expression, values }
}

/// Encrypts the secret of an authenticator app with another key; refused when the factor has another secret since.
#[must_use]
pub fn encrypt_again(read: &Encrypted, next: &Encrypted) -> Change {
    Change {
        update: "SET key_id = :key, nonce = :nonce, sealed = :sealed",
        condition: "nonce = :read",
        values: vec![
            (":key", number(next.key.into())),
            (":nonce", bytes(next.nonce)),
            (":sealed", bytes(next.bytes.clone())),
            (":read", bytes(read.nonce)),
        ],
    }
}

/// Removes a recovery code that is being used; refused when it is no longer unused, or when the codes were disabled. It
/// removes one element of the set as stored, whatever else was removed since the read.
#[must_use]
pub fn use_recovery_code(digest: &[u8; 32]) -> Change {
    Change {
        update: "DELETE codes :used",
        condition: "contains(codes, :digest) AND is_active = :true",
        values: vec![
            (":used", key_set(&[*digest].into())),
            (":digest", bytes(*digest)),
            (":true", flag(true)),
        ],
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
        let phone = |set_at, by_operator| {
            let number = Phone::from_stored("+380885550130").expect("a phone");
            Value::Sms(Some(FactorPhone {
                number,
                set_at,
                by_operator,
            }))
        };
        let later = Timestamp::from_seconds(8);
        let set = Factor {
            is_active: false,
            ..empty.clone().with(phone(Some(now), false), later)
        };
        let by_operator = empty.clone().with(phone(None, true), later);
        let of = |factor_type| Factor::new(user, factor_type, &mut SysRng, now).expect("the system has entropy");
        let (no_app, no_codes) = (of(FactorType::Totp), of(FactorType::RecoveryCodes));
        let secret = Encrypted {
            key: 3,
            nonce: [4; 12],
            bytes: vec![5; 48],
        };
        let app = no_app.clone().with(Value::Totp(Some(secret)), later);
        let unused = [[6; 32], [7; 32]].into();
        let codes = no_codes.clone().with(Value::RecoveryCodes(RecoveryCodes { key: 3, unused }), later);
        for factor in [empty, set, by_operator, no_app, app, no_codes, codes] {
            assert_eq!(Factor::from_item(&factor.to_item()).expect("our own row"), factor);
        }
    }
}
