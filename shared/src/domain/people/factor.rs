//! Second factors: what a user proves besides the password. A user has a list of them, at most one of each kind.

use rand::TryCryptoRng;

use super::{
    app::App,
    id::{FactorId, UserId},
    phone::Phone,
};
use crate::domain::{
    crypto::{encryption::Encrypted, secret::NoEntropy},
    recovery::RecoveryCodes,
    time::Timestamp,
};

/// A kind of second factor. A user has at most one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FactorType {
    /// A code by text message.
    Sms,
    /// The codes of an authenticator app.
    Totp,
    /// Single-use codes for a user who has lost the others.
    RecoveryCodes,
}

impl FactorType {
    /// Every kind.
    pub const ALL: &[Self] = &[Self::Sms, Self::Totp, Self::RecoveryCodes];

    /// The name in rows and on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sms => "SMS",
            Self::Totp => "TOTP",
            Self::RecoveryCodes => "RECOVERY_CODES",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|factor_type| factor_type.name() == name)
    }

    /// The key of a user's factor of this kind.
    #[must_use]
    pub fn of(self, user: UserId) -> FactorKey {
        FactorKey {
            user,
            factor_type: self,
        }
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

/// What a factor is proven with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// The phone, once the user has proven that codes arrive there (ASVS 6.6.1).
    Sms(Option<FactorPhone>),
    /// The secret of an authenticator app, encrypted, once the user has proven that the app has it.
    Totp(Option<Encrypted>),
    /// The unused recovery codes.
    RecoveryCodes(RecoveryCodes),
}

/// The phone of a factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactorPhone {
    /// The number.
    pub number: Phone,
    /// When it was set. `None` in rows that predate this field.
    pub set_at: Option<Timestamp>,
    /// Whether the operator set it, after verifying it by other means.
    pub by_operator: bool,
}

/// The value that an approval sets ([`crate::domain::auth::token::Kind::Approval`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewValue {
    /// A phone.
    Phone(Phone),
    /// An authenticator app.
    App {
        /// The factor: the user's own, or a new one.
        factor: FactorId,
        /// The app's secret.
        secret: Encrypted,
    },
}

/// A second factor of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Factor {
    /// The id that callers refer to.
    pub id: FactorId,
    /// The user.
    pub user: UserId,
    /// What it is proven with.
    pub value: Value,
    /// Whether logins require it, or accept it.
    pub is_active: bool,
    /// When it was created.
    pub inserted_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Factor {
    /// A new factor: active, and without a value.
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
            value: Value::none(factor_type),
            is_active: true,
            inserted_at: now,
            updated_at: now,
        })
    }

    /// The kind of factor.
    #[must_use]
    pub fn factor_type(&self) -> FactorType {
        match self.value {
            Value::Sms(_) => FactorType::Sms,
            Value::Totp(_) => FactorType::Totp,
            Value::RecoveryCodes(_) => FactorType::RecoveryCodes,
        }
    }

    /// The factor's key.
    #[must_use]
    pub fn owner(&self) -> FactorKey {
        self.factor_type().of(self.user)
    }

    /// The authenticator app that it is, if it is one.
    #[must_use]
    pub fn app(&self) -> App {
        App {
            user: self.user,
            factor: self.id,
        }
    }

    /// Whether its owner has set it: otherwise it proves nothing.
    #[must_use]
    pub fn is_set(&self) -> bool {
        match &self.value {
            Value::Sms(phone) => phone.is_some(),
            Value::Totp(secret) => secret.is_some(),
            Value::RecoveryCodes(codes) => !codes.unused.is_empty(),
        }
    }

    /// The phone, if it has one.
    #[must_use]
    pub fn phone(&self) -> Option<&FactorPhone> {
        match &self.value {
            Value::Sms(phone) => phone.as_ref(),
            Value::Totp(_) | Value::RecoveryCodes(_) => None,
        }
    }

    /// What identifies its value to its owner and discloses nothing: the masked number, `******` for an authenticator
    /// app, how many recovery codes are unused. `None` if it is not set.
    #[must_use]
    pub fn masked(&self) -> Option<String> {
        match &self.value {
            Value::Sms(phone) => phone.as_ref().map(|phone| phone.number.masked()),
            Value::Totp(secret) => secret.as_ref().map(|_| "******".to_owned()),
            Value::RecoveryCodes(codes) => self.is_set().then(|| codes.unused.len().to_string()),
        }
    }

    /// The same with another value.
    #[must_use]
    pub fn with(self, value: Value, now: Timestamp) -> Self {
        Self {
            value,
            updated_at: now,
            ..self
        }
    }

    /// Whether it is established. `verified` identifies the phone whose code authenticated the user last, by when that
    /// phone was set ([`super::user::User::verified_phone`]): a new phone starts over.
    ///
    /// For rows that predate these fields, it is unknown whether the codes were used. They count as used, and the phone
    /// as old as the row's last change: an upgrade must not lock out existing users.
    #[must_use]
    pub fn trust(&self, verified: Option<Timestamp>, now: Timestamp) -> Trust {
        let Some(phone) = self.phone() else {
            return Trust::New;
        };
        let (since, is_used) = match phone.set_at {
            Some(set_at) => (set_at, verified == Some(set_at)),
            None => (self.updated_at, true),
        };
        let is_known = phone.by_operator || (is_used && since.deadline(DAY).is_expired(now));
        match is_known {
            true => Trust::Established,
            false => Trust::New,
        }
    }
}

impl Value {
    /// No value of that kind.
    #[must_use]
    pub fn none(factor_type: FactorType) -> Self {
        match factor_type {
            FactorType::Sms => Self::Sms(None),
            FactorType::Totp => Self::Totp(None),
            FactorType::RecoveryCodes => Self::RecoveryCodes(RecoveryCodes::default()),
        }
    }
}

/// The factors of one user.
#[derive(Clone, Debug, Default)]
pub struct Factors(pub Vec<Factor>);

impl Factors {
    /// These factors with one of them changed.
    #[must_use]
    pub fn with(&self, changed: &Factor) -> Self {
        let one = |factor: &Factor| {
            if factor.id == changed.id {
                changed.clone()
            } else {
                factor.clone()
            }
        };
        Self(self.0.iter().map(one).collect())
    }

    /// The factor of that kind, if it is active.
    #[must_use]
    pub fn active(&self, factor_type: FactorType) -> Option<&Factor> {
        self.0.iter().find(|factor| factor.factor_type() == factor_type && factor.is_active)
    }

    /// The active authenticator app, with its secret.
    #[must_use]
    pub fn totp(&self) -> Option<(&Factor, &Encrypted)> {
        let factor = self.active(FactorType::Totp)?;
        match &factor.value {
            Value::Totp(Some(secret)) => Some((factor, secret)),
            Value::Totp(None) | Value::Sms(_) | Value::RecoveryCodes(_) => None,
        }
    }

    /// The active phone, with its factor.
    #[must_use]
    pub fn sms(&self) -> Option<(&Factor, &Phone)> {
        let factor = self.active(FactorType::Sms)?;
        Some((factor, &factor.phone()?.number))
    }

    /// The active recovery codes.
    #[must_use]
    pub fn recovery(&self) -> Option<(&Factor, &RecoveryCodes)> {
        let factor = self.active(FactorType::RecoveryCodes)?;
        match &factor.value {
            Value::RecoveryCodes(codes) => Some((factor, codes)),
            Value::Sms(_) | Value::Totp(_) => None,
        }
    }

    /// Whether logins require a second factor, set or not. Recovery codes alone do not make them.
    #[must_use]
    pub fn are_required(&self) -> bool {
        self.active(FactorType::Sms).is_some() || self.active(FactorType::Totp).is_some()
    }

    /// Whether a second factor is set: then a password alone may not set another one.
    #[must_use]
    pub fn are_set(&self) -> bool {
        !self.methods().is_empty()
    }

    /// The kinds whose codes complete a login, the preferred one first.
    #[must_use]
    pub fn methods(&self) -> Vec<FactorType> {
        let totp = self.totp().map(|_| FactorType::Totp);
        let sms = self.sms().map(|_| FactorType::Sms);
        totp.into_iter().chain(sms).collect()
    }
}

#[cfg(test)]
mod tests;
