//! Second factors: what a user proves besides the password. There is one kind, a code by text message.

use rand::TryCryptoRng;

use super::{
    id::{FactorId, UserId},
    phone::Phone,
    secret::NoEntropy,
    time::Timestamp,
};

/// A kind of second factor. A user has at most one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FactorType {
    /// A code by text message.
    Sms,
}

impl FactorType {
    /// Every kind.
    pub const ALL: &[Self] = &[Self::Sms];

    /// The name that is stored and that callers write.
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

/// What leads to a factor, and to all that is known of its codes: whose it is, and which kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FactorKey {
    /// Whose.
    pub user: UserId,
    /// Which kind.
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

/// A second factor of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Factor {
    /// Its id, which callers name it by.
    pub id: FactorId,
    /// Whose.
    pub user: UserId,
    /// Which kind.
    pub factor_type: FactorType,
    /// The phone, once its owner has shown that codes arrive there (ASVS 6.6.1).
    pub value: Option<Phone>,
    /// Whether a login asks for it.
    pub is_active: bool,
    /// When it was made.
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
            is_active: true,
            inserted_at: now,
            updated_at: now,
        })
    }

    /// What leads to it.
    #[must_use]
    pub fn owner(&self) -> FactorKey {
        FactorKey {
            user: self.user,
            factor_type: self.factor_type,
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::SysRng;

    use super::*;
    use crate::domain::secret::tests::Broken;

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
    fn a_kind_has_one_name() {
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
    fn a_key_is_read_as_it_is_written() {
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
