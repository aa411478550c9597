//! Services: the settings of an application's verifications, and the rate limits that the application defines.

use rand::TryCryptoRng;

use super::sid::{AccountSid, BucketSid, RateLimitSid, ServiceSid};
use crate::domain::{
    crypto::secret::{NoEntropy, random_bytes},
    people::name::DisplayName,
    time::Timestamp,
};

/// The maximum number of services of an account.
pub const MOST_SERVICES: usize = 100;

/// The maximum number of rate limits of a service.
pub const MOST_RATE_LIMITS: usize = 10;

/// The maximum number of buckets of a rate limit.
pub const MOST_BUCKETS: usize = 5;

/// The name of a service, as its messages show it: 1 to 32 characters on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FriendlyName(String);

impl FriendlyName {
    /// Accepts 1 to 32 characters (NFC, trimmed) that a [`DisplayName`] may have, and no link; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let name = DisplayName::parse(text).ok()?;
        // A link in a message would be ours in the eyes of its reader.
        let fits = name.as_str().chars().count() <= 32 && !name.as_str().contains("://");
        fits.then(|| Self(name.as_str().to_owned()))
    }

    /// The name (NFC).
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! in_range {
    ($($(#[$doc:meta])* $name:ident: $least:literal to $most:literal, else $default:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub struct $name(u8);

            impl $name {
                /// The smallest value.
                pub const LEAST: u8 = $least;

                /// The largest value.
                pub const MOST: u8 = $most;

                /// `None` when it is out of range.
                #[must_use]
                pub fn new(value: u64) -> Option<Self> {
                    let value = u8::try_from(value).ok()?;
                    ($least..=$most).contains(&value).then_some(Self(value))
                }

                /// The value.
                #[must_use]
                pub const fn get(self) -> u8 {
                    self.0
                }
            }

            impl Default for $name {
                fn default() -> Self {
                    Self($default)
                }
            }
        )*
    };
}

in_range! {
    /// The number of digits of a verification's code.
    CodeLength: 4 to 10, else 6;
    /// The lifetime of a time-based code, in seconds.
    TimeStep: 20 to 60, else 30;
    /// The number of digits of a time-based code.
    TotpCodeLength: 3 to 8, else 6;
    /// How many time steps before and after the current one are accepted.
    Skew: 0 to 2, else 1;
}

/// Settings of time-based codes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TotpSettings {
    /// The issuer that an authenticator shows; `None` for the service's name.
    pub issuer: Option<FriendlyName>,
    /// The lifetime of a code.
    pub time_step: TimeStep,
    /// The number of digits.
    pub code_length: TotpCodeLength,
    /// The accepted clock skew.
    pub skew: Skew,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its SID.
    pub sid: ServiceSid,
    /// The account that it belongs to.
    pub account: AccountSid,
    /// The number of changes since it was created (optimistic locking).
    pub version: u64,
    /// Its name, as messages show it.
    pub friendly_name: FriendlyName,
    /// The number of digits of its codes.
    pub code_length: CodeLength,
    /// Whether a verification may bring its own code.
    pub custom_code_enabled: bool,
    /// Whether a verification may be bound to an amount and a payee (PSD2 dynamic linking).
    pub psd2_enabled: bool,
    /// Whether text messages warn against sharing the code.
    pub do_not_share_warning_enabled: bool,
    /// Kept for clients; numbers are not looked up.
    pub lookup_enabled: bool,
    /// Kept for clients; it needs a lookup.
    pub skip_sms_to_landlines: bool,
    /// Whether a call asks for a key press before it says the code.
    pub dtmf_input_required: bool,
    /// Settings of time-based codes.
    pub totp: TotpSettings,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its settings last changed.
    pub updated_at: Timestamp,
    /// The rate limits that the application defines, in order of creation.
    pub rate_limits: Vec<RateLimitDefinition>,
}

/// A rate limit that an application defines: a verification names it with a value, such as a caller's address, and is
/// counted under both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimitDefinition {
    /// Its SID.
    pub sid: RateLimitSid,
    /// The name by which a verification refers to it, unique in the service.
    pub unique_name: UniqueName,
    /// The application's description.
    pub description: Option<Description>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Its buckets, in order of creation; without any it limits nothing.
    pub buckets: Vec<Bucket>,
}

/// A number of requests in an interval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Its SID.
    pub sid: BucketSid,
    /// The maximum number of requests in an interval: 1 to 2^31 - 1.
    pub max: u64,
    /// The interval, in seconds: 1 to 86,400.
    pub interval: u64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// The name of a rate limit: 1 to 64 characters without controls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UniqueName(String);

/// The description of a rate limit: 1 to 256 characters without controls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description(String);

impl UniqueName {
    /// `None` when it is empty, too long or has a control character.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        plain(text, 64).map(Self)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Description {
    /// `None` when it is empty, too long or has a control character.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        plain(text, 256).map(Self)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn plain(text: &str, most: usize) -> Option<String> {
    let length = text.chars().take(most + 1).count();
    ((1..=most).contains(&length) && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

/// A service, a rate limit or a bucket cannot be added: there are as many as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Why a rate limit cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAdded {
    /// There are as many as there may be.
    Full,
    /// Another has the same name.
    Taken,
}

impl ServiceSid {
    /// A new SID: the first bytes are the account's, so that what all services of an account share is found from the
    /// SID of any of them, and the others are random.
    ///
    /// # Errors
    /// [`NoEntropy`] when the generator fails.
    pub fn of(account: AccountSid, rng: &mut impl TryCryptoRng) -> Result<Self, NoEntropy> {
        let mut bytes = *account.bytes();
        bytes[6..].copy_from_slice(&random_bytes::<10>(rng)?);
        Ok(Self::from_bytes(bytes))
    }

    /// What the SIDs of all services of an account have in common.
    #[must_use]
    pub fn account_part(&self) -> [u8; 6] {
        *self.bytes().first_chunk().expect("a SID has 16 bytes")
    }
}

impl Service {
    /// A new service with the default settings.
    ///
    /// # Errors
    /// [`NoEntropy`] when the generator fails.
    pub fn new(
        account: AccountSid,
        friendly_name: FriendlyName,
        rng: &mut impl TryCryptoRng,
        now: Timestamp,
    ) -> Result<Self, NoEntropy> {
        Ok(Self {
            sid: ServiceSid::of(account, rng)?,
            account,
            version: 0,
            friendly_name,
            code_length: CodeLength::default(),
            custom_code_enabled: false,
            psd2_enabled: false,
            do_not_share_warning_enabled: false,
            lookup_enabled: false,
            skip_sms_to_landlines: false,
            dtmf_input_required: true,
            totp: TotpSettings::default(),
            created_at: now,
            updated_at: now,
            rate_limits: Vec::new(),
        })
    }

    /// The issuer that an authenticator shows.
    #[must_use]
    pub fn totp_issuer(&self) -> &str {
        self.totp.issuer.as_ref().unwrap_or(&self.friendly_name).as_str()
    }

    /// The rate limit of that SID.
    #[must_use]
    pub fn rate_limit(&self, sid: RateLimitSid) -> Option<&RateLimitDefinition> {
        self.rate_limits.iter().find(|limit| limit.sid == sid)
    }

    /// The rate limit of that name.
    #[must_use]
    pub fn rate_limit_named(&self, name: &str) -> Option<&RateLimitDefinition> {
        self.rate_limits.iter().find(|limit| limit.unique_name.as_str() == name)
    }

    /// The rate limit of that SID, to be changed.
    #[must_use]
    pub fn rate_limit_mut(&mut self, sid: RateLimitSid) -> Option<&mut RateLimitDefinition> {
        self.rate_limits.iter_mut().find(|limit| limit.sid == sid)
    }

    /// Adds a rate limit.
    ///
    /// # Errors
    /// [`NotAdded`] when its name is taken, or when there are as many as there may be.
    pub fn add_rate_limit(&mut self, limit: RateLimitDefinition) -> Result<(), NotAdded> {
        if self.rate_limit_named(limit.unique_name.as_str()).is_some() {
            return Err(NotAdded::Taken);
        }
        if self.rate_limits.len() >= MOST_RATE_LIMITS {
            return Err(NotAdded::Full);
        }
        self.rate_limits.push(limit);
        Ok(())
    }
}

impl RateLimitDefinition {
    /// The bucket of that SID.
    #[must_use]
    pub fn bucket(&self, sid: BucketSid) -> Option<&Bucket> {
        self.buckets.iter().find(|bucket| bucket.sid == sid)
    }

    /// The bucket of that SID, to be changed.
    #[must_use]
    pub fn bucket_mut(&mut self, sid: BucketSid) -> Option<&mut Bucket> {
        self.buckets.iter_mut().find(|bucket| bucket.sid == sid)
    }

    /// Adds a bucket.
    ///
    /// # Errors
    /// [`Full`] when there are as many as there may be.
    pub fn add_bucket(&mut self, bucket: Bucket) -> Result<(), Full> {
        if self.buckets.len() >= MOST_BUCKETS {
            return Err(Full);
        }
        self.buckets.push(bucket);
        Ok(())
    }
}

impl Bucket {
    /// Whether it may have that maximum.
    #[must_use]
    pub fn may_have_max(max: u64) -> bool {
        (1..=i32::MAX as u64).contains(&max)
    }

    /// Whether it may have that interval.
    #[must_use]
    pub fn may_have_interval(seconds: u64) -> bool {
        (1..=86_400).contains(&seconds)
    }
}

/// The services of an account, in order of creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceList {
    /// The account.
    pub account: AccountSid,
    /// The number of changes (optimistic locking).
    pub version: u64,
    /// The services.
    pub services: Vec<ServiceSid>,
}

impl ServiceList {
    /// The list of an account without services.
    #[must_use]
    pub fn empty(account: AccountSid) -> Self {
        Self {
            account,
            version: 0,
            services: Vec::new(),
        }
    }

    /// The list with another service at its end.
    ///
    /// # Errors
    /// [`Full`] when there are as many as there may be.
    pub fn with(&self, service: ServiceSid) -> Result<Self, Full> {
        if self.services.len() >= MOST_SERVICES {
            return Err(Full);
        }
        let mut next = self.next();
        next.services.push(service);
        Ok(next)
    }

    /// The list without a service.
    #[must_use]
    pub fn without(&self, service: ServiceSid) -> Self {
        let mut next = self.next();
        next.services.retain(|one| *one != service);
        next
    }

    fn next(&self) -> Self {
        Self {
            version: self.version + 1,
            ..self.clone()
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
