//! The operator's commands, as JSON.

use std::{collections::BTreeMap, fmt::Display};

use countersign_shared::domain::{
    auth::scope::Scope,
    password::Policy,
    people::name::{EmailAddress, Malformed},
};
use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::Error as _};
use serde_json::{Map, Value};

use crate::outcome::Failed;

/// A command. Each may also have `dry_run`, which is removed before: with a flattened field, serde would accept any
/// other field.
#[derive(Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    SetDomain(DomainForm),
    CreateClient(NewClient),
    SetClient(OtherClient),
    SetClientSecret {
        client_id: String,
    },
    CreateUser(NewUser),
    ShowUser(Who),
    SetAdmin {
        user_id: String,
        is_admin: bool,
    },
    SetFactor(NewFactor),
    ResetFactors {
        user_id: String,
    },
    BlockUser {
        user_id: String,
    },
    UnblockUser {
        user_id: String,
    },
    EraseUser(Erasure),
    CreateToken(NewToken),
    EndTokens {
        user_id: Option<String>,
        client_id: Option<String>,
    },
    RevokeToken {
        token: String,
    },
    ListDevices {
        user_id: String,
    },
    EndDevices {
        user_id: String,
        device_id: Option<String>,
    },
    ListSuppressions {
        limit: Option<i32>,
        after: Option<String>,
    },
    Suppression {
        email: String,
    },
    LiftSuppression {
        email: String,
    },
    CreateVerifyAccount(NewVerifyAccount),
    CreateVerifyKey(NewVerifyKey),
    SetVerifyAuthToken {
        account_sid: String,
    },
    EndVerifyAccount {
        account_sid: String,
    },
    EndVerifyKey {
        key_sid: String,
    },
    RotateKey(NewKey),
    RetireKey(OldKey),
}

/// The full desired configuration of a domain; omitted fields get their defaults.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainForm {
    pub domain: String,
    #[serde(default)]
    pub self_register_allowed: bool,
    #[serde(default, deserialize_with = "object")]
    pub self_register_template: TemplateForm,
    #[serde(default, deserialize_with = "object")]
    pub password: PasswordForm,
    pub sender: Option<String>,
    pub sender_name: Option<String>,
    pub reply_to: Option<String>,
    pub locale: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateForm {
    #[serde(default)]
    pub opts: BTreeMap<String, OptForm>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "an option is true, false, a whole number or a text")]
pub enum OptForm {
    Flag(bool),
    Number(i64),
    Text(String),
}

/// `alphabet` is a text like `A-Za-z0-9_-.~!`, or `null` for any Unicode text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PasswordForm {
    pub alphabet: Option<String>,
    pub min: usize,
    pub max: usize,
    pub refuse_common: bool,
}

impl Default for PasswordForm {
    fn default() -> Self {
        let Policy {
            alphabet,
            min,
            max,
            refuse_common,
        } = Policy::default();
        Self {
            alphabet: alphabet.map(|alphabet| alphabet.as_str().to_owned()),
            min,
            max,
            refuse_common,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewClient {
    pub client_id: String,
    pub scopes: Scopes,
    pub grants: Option<Vec<String>>,
    pub domain: Option<String>,
}

/// Changes to a client; omitted fields keep their values.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtherClient {
    pub client_id: String,
    pub scopes: Option<Scopes>,
    pub grants: Option<Vec<String>>,
    pub domain: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    pub domain: String,
    pub email: String,
    pub login: String,
    pub name: String,
    pub password: String,
    #[serde(default)]
    pub is_admin: bool,
    pub number: Option<u64>,
}

/// A user, by id or by a name in a domain.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Who {
    pub user_id: Option<String>,
    pub domain: Option<String>,
    pub login: Option<String>,
    pub email: Option<String>,
    pub number: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewFactor {
    pub user_id: String,
    #[serde(rename = "type")]
    pub factor_type: String,
    pub factor: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erasure {
    pub user_id: String,
    /// Time limit of reading tables, in seconds; the rest is left to the next command.
    pub within_seconds: Option<u64>,
    /// Where the previous command stopped, copied from its result.
    #[serde(rename = "continue")]
    pub from: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    pub user_id: Option<String>,
    pub owner_client_id: Option<String>,
    pub client_id: String,
    pub scopes: Scopes,
    pub lifetime_seconds: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewVerifyAccount {
    pub domain: String,
    pub name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewVerifyKey {
    pub account_sid: String,
    pub name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    pub keys: Which,
    pub new_id: u32,
    pub signs_after_seconds: Option<u64>,
    #[serde(default)]
    pub at_once: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OldKey {
    pub keys: Which,
    pub id: u32,
    #[serde(default)]
    pub force: bool,
}

/// The purpose of keys.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub enum Which {
    SupportPin,
    Passcode,
    Otp,
    Answer,
    Verify,
    Factor,
}

impl Which {
    const ALL: [Self; 6] = [
        Self::SupportPin,
        Self::Passcode,
        Self::Otp,
        Self::Answer,
        Self::Verify,
        Self::Factor,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::SupportPin => "support_pin",
            Self::Passcode => "passcode",
            Self::Otp => "otp",
            Self::Answer => "answer",
            Self::Verify => "verify",
            Self::Factor => "factor",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|which| which.name() == name)
    }
}

impl TryFrom<String> for Which {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::named(&name).ok_or("keys is support_pin, passcode, otp, answer, verify or factor")
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "scopes is a list of names, or \"all\"")]
pub enum Scopes {
    Word(String),
    Names(Vec<String>),
}

impl Scopes {
    pub fn read(self) -> Result<Vec<Scope>, Failed> {
        let names = match self {
            Self::Word(word) if word == "all" => return Ok(Scope::ALL.to_vec()),
            Self::Word(word) => vec![word],
            Self::Names(names) => names,
        };
        let unknown = |name: &String| Failed::Refused(format!("no scope is named {name:?}"));
        names.iter().map(|name| Scope::parse(name).ok_or_else(|| unknown(name))).collect()
    }
}

impl Command {
    /// Parses a command, and whether it is a dry run.
    ///
    /// # Errors
    /// A message for the operator. For an unknown command it lists the known ones.
    pub fn read(event: Value) -> Result<(Self, bool), Failed> {
        let Value::Object(mut event) = event else {
            return Err("not a command: it is not a JSON object".into());
        };
        let dry = match event.remove("dry_run") {
            None => false,
            Some(Value::Bool(dry)) => dry,
            Some(_) => return Err("dry_run is true or false".into()),
        };
        event.entry("command").or_insert_with(|| "".into());
        match serde_json::from_value(event.into()) {
            Ok(command) => Ok((command, dry)),
            Err(error) => Err(not_a_command(error)),
        }
    }
}

pub fn not_a_command(why: impl Display) -> Failed {
    Failed::Refused(format!("not a command: {why}"))
}

/// Deserializes a struct from an object only: serde also accepts a list of its fields.
pub fn object<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<T, D::Error> {
    let object = Map::<String, Value>::deserialize(deserializer)?;
    T::deserialize(Value::Object(object)).map_err(D::Error::custom)
}

/// The value of that field, or what is wrong with it.
pub fn field<T>(name: &str, value: Result<T, Malformed>) -> Result<T, Failed> {
    value.map_err(|malformed| {
        let words = match malformed {
            Malformed::Empty => "is empty",
            Malformed::TooLong => "is too long",
            Malformed::InvalidSymbols => "holds symbols that it may not, or has not its form",
            Malformed::MixedScripts => "mixes letters of several scripts",
        };
        Failed::Refused(format!("{name} {words}"))
    })
}

/// A mail address.
pub fn email_of(text: &str) -> Result<EmailAddress, Failed> {
    field("email", EmailAddress::parse(text))
}
