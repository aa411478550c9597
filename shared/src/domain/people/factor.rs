//! Second factors: what a user proves besides the password. The only kind is a code by text message.

use rand::TryCryptoRng;

use super::{
    id::{FactorId, UserId},
    phone::Phone,
};
use crate::domain::{crypto::secret::NoEntropy, time::Timestamp};

/// A kind of second factor. A user has at most one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FactorType {
    /// A code by text message.
    Sms,
}

impl FactorType {
    /// Every kind.
    pub const ALL: &[Self] = &[Self::Sms];

    /// The name in rows and on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sms => "SMS",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|factor_type| factor_type.name() == name)
    }
}

/// The key of a factor and of its code record: the user and the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FactorKey {
    /// The user.
    pub user: UserId,
    /// The kind of factor.
    pub factor_type: FactorType,
}

impl FactorKey {
    /// The stored form: the user's id, a space, the name of the kind.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{} {}", self.user.text(), self.factor_type.name())
    }

    /// Reads the stored form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (user, factor_type) = text.split_once(' ')?;
        Some(Self {
            user: UserId::parse(user)?,
            factor_type: FactorType::parse(factor_type)?,
        })
    }
}

/// Whether a factor may use the reserved half of the text message quota (see [`crate::domain::limits::quota`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The operator set its phone; or the phone was set more than a day ago, and its codes have authenticated the user
    /// before.
    Established,
    /// Anything else, including a phone that is not yet a factor's.
    New,
}

impl Trust {
    /// The stored name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Established => "established",
            Self::New => "new",
        }
    }

    /// The trust of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Established, Self::New].into_iter().find(|trust| trust.name() == name)
    }
}

/// How long a new factor waits before it is established, in seconds.
const DAY: u64 = 86_400;

/// A second factor of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Factor {
    /// The id that callers refer to.
    pub id: FactorId,
    /// The user.
    pub user: UserId,
    /// The kind of factor.
    pub factor_type: FactorType,
    /// The phone, once the user has proven that codes arrive there (ASVS 6.6.1).
    pub value: Option<Phone>,
    /// When that phone was set. `None` without a phone, and in rows that predate this field.
    pub phone_set_at: Option<Timestamp>,
    /// Whether the operator set it, after verifying it by other means.
    pub by_operator: bool,
    /// Whether logins require it.
    pub is_active: bool,
    /// When it was created.
    pub inserted_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Factor {
    /// A new factor: active, and without a phone.
    ///
    /// # Errors
    /// [`NoEntropy`] when the generator fails.
    pub fn new(
        user: UserId,
        factor_type: FactorType,
        rng: &mut impl TryCryptoRng,
        now: Timestamp,
    ) -> Result<Self, NoEntropy> {
        Ok(Self {
            id: FactorId::draw(rng)?,
            user,
            factor_type,
            value: None,
            phone_set_at: None,
            by_operator: false,
            is_active: true,
            inserted_at: now,
            updated_at: now,
        })
    }

    /// The factor's key.
    #[must_use]
    pub fn owner(&self) -> FactorKey {
        FactorKey {
            user: self.user,
            factor_type: self.factor_type,
        }
    }

    /// Whether it is established. `verified` identifies the phone whose code authenticated the user last, by when that
    /// phone was set ([`super::user::User::verified_phone`]): a new phone starts over.
    ///
    /// For rows that predate these fields, it is unknown whether the codes were used. They count as used, and the phone
    /// as old as the row's last change: an upgrade must not lock out existing users.
    #[must_use]
    pub fn trust(&self, verified: Option<Timestamp>, now: Timestamp) -> Trust {
        let (since, is_used) = match self.phone_set_at {
            Some(set_at) => (set_at, verified == Some(set_at)),
            None => (self.updated_at, true),
        };
        let is_known = self.by_operator || (is_used && since.deadline(DAY).is_expired(now));
        match self.value.is_some() && is_known {
            true => Trust::Established,
            false => Trust::New,
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::SysRng;

    use super::*;
    use crate::domain::crypto::secret::tests::Broken;

    fn user() -> UserId {
        UserId::draw(&mut SysRng).expect("the system has entropy")
    }

    #[test]
    fn a_new_factor_is_active_and_empty() {
        let (user, now) = (user(), Timestamp::from_seconds(7));
        let factor = Factor::new(user, FactorType::Sms, &mut SysRng, now).expect("the system has entropy");
        assert_eq!((factor.value, factor.is_active), (None, true));
        assert_eq!((factor.inserted_at, factor.updated_at), (now, now));
        assert!(Factor::new(user, FactorType::Sms, &mut Broken, now).is_err());
    }

    #[test]
    fn a_factor_is_established_by_the_operator_or_after_a_day_and_a_code() {
        const SET_AT: u64 = 100;
        let (old, never) = (Some(SET_AT), None);
        for (set_at, by_operator, verified, now, established) in [
            // Set by the operator: at once, whether or not codes were verified.
            (old, true, never, SET_AT, true),
            // A day, to the second, and a verified code.
            (old, false, old, SET_AT, false),
            (old, false, old, SET_AT + DAY - 1, false),
            (old, false, old, SET_AT + DAY, true),
            // A day alone is not enough, nor is a code sent to the previous phone.
            (old, false, never, SET_AT + DAY, false),
            (old, false, never, SET_AT + 100 * DAY, false),
            (old, false, Some(SET_AT - 1), SET_AT + DAY, false),
            // A row that predates the field: as old as its last change, which was 50 seconds later.
            (None, false, never, SET_AT + DAY, false),
            (None, false, never, SET_AT + 50 + DAY - 1, false),
            (None, false, never, SET_AT + 50 + DAY, true),
        ] {
            let at = Timestamp::from_seconds;
            let factor = Factor {
                value: Phone::from_stored("+380881234530"),
                phone_set_at: set_at.map(at),
                by_operator,
                updated_at: at(SET_AT + 50),
                ..Factor::new(user(), FactorType::Sms, &mut SysRng, at(0)).expect("the system has entropy")
            };
            let found = factor.trust(verified.map(at), at(now));
            let expected = if established { Trust::Established } else { Trust::New };
            assert_eq!(found, expected, "{set_at:?}, {by_operator}, {verified:?} at {now}");
            assert_eq!(Trust::parse(found.name()), Some(found));
            let empty = Factor { value: None, ..factor };
            assert_eq!(empty.trust(verified.map(at), at(now)), Trust::New);
        }
    }

    #[test]
    fn a_factor_type_has_one_name() {
        for (name, factor_type) in [
            ("SMS", Some(FactorType::Sms)),
            ("sms", None),
            ("TOTP", None),
            ("", None),
        ] {
            assert_eq!(FactorType::parse(name), factor_type, "{name:?}");
        }
    }

    #[test]
    fn a_factor_key_round_trips() {
        let key = FactorKey {
            user: user(),
            factor_type: FactorType::Sms,
        };
        assert_eq!(FactorKey::parse(&key.text()), Some(key));
        let id = key.user.text();
        for other in [
            id.clone(),
            format!("{id} sms"),
            format!("{id}  SMS"),
            "SMS".into(),
            String::new(),
        ] {
            assert_eq!(FactorKey::parse(&other), None, "{other:?}");
        }
    }
}
