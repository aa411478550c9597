//! Tokens: one row each, by the digest of the token.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    domain::{
        auth::{
            scope::Scope,
            token::{Kind, Owner, Session, Token},
        },
        crypto::secret::Digest,
        people::{
            factor::NewValue,
            id::{ClientId, DeviceId, FactorId, UserId},
            locale::Locale,
            phone::Phone,
        },
        time::Timestamp,
    },
    store::{
        item::{Corrupt, Item, Reader, Writer, bytes, flag, number, text, time},
        rows::support_pin::{read_sealed, with_sealed},
        table::{Change, Row},
    },
};

/// The stored names of kinds.
const ACCESS: &str = "access";
const SECOND_FACTOR: &str = "second_factor";
const APPROVAL: &str = "approval";

impl Row for Token {
    const VARIABLE: &'static str = "TOKENS_TABLE";
    const KEY: &'static str = "digest";
    type Id = Digest;

    fn key(id: &Digest) -> AttributeValue {
        bytes(*id.as_bytes())
    }

    fn to_item(&self) -> Item {
        let row = Writer::default()
            .with(Self::KEY, Self::key(&self.digest))
            .with("client_id", text(self.client.as_str()))
            .with("locale", text(self.locale.as_str()))
            .with("scopes", scopes(&self.scopes))
            .with("generation", number(self.generation))
            .with("issued_at", time(self.issued_at))
            .with("expires_at", time(self.expires_at))
            .with("ttl", time(self.forget_at))
            .with_some("session", self.session.as_ref().map(|session| bytes(*session.as_bytes())))
            .with_some("device", self.device.as_ref().map(|device| bytes(*device.as_bytes())))
            .with_some("revoked_at", self.revoked_at.map(time))
            .with_some("second_factor", self.second_factor.then(|| flag(true)))
            .with_some("replaced_by", self.replaced_by.as_ref().map(text))
            .with_some("replacing_since", self.replacing_since.map(time))
            .with_some("is_renewed", self.is_renewed.then_some(flag(true)));
        let row = match &self.owner {
            Owner::User(id) => row.with("user_id", text(id.text())),
            // A client's own token needs no second name.
            Owner::Client(_) => row,
        };

        let row = match &self.kind {
            Kind::Access => row.with("kind", text(ACCESS)),
            Kind::SecondFactor { wanted } => row.with("kind", text(SECOND_FACTOR)).with("wanted", scopes(wanted)),
            Kind::Approval {
                wanted,
                value,
                replaces,
            } => {
                let row = row
                    .with("kind", text(APPROVAL))
                    .with("wanted", scopes(wanted))
                    .with_some("replaces", replaces.map(time));
                match value {
                    NewValue::Phone(phone) => row.with("phone", text(phone.as_str())),
                    NewValue::App { factor, secret } => with_sealed(row.with("factor_id", text(factor.text())), secret),
                }
            }
        };
        row.item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        let client = row.parsed("client_id", ClientId::parse)?;
        Ok(Self {
            digest: Digest::from_bytes(row.bytes(Self::KEY)?).ok_or(Corrupt(Self::KEY))?,
            owner: match row.has("user_id") {
                true => Owner::User(row.parsed("user_id", UserId::parse)?),
                false => Owner::Client(client.clone()),
            },
            client,
            kind: match row.text("kind")? {
                ACCESS => Kind::Access,
                SECOND_FACTOR => Kind::SecondFactor {
                    wanted: read_scopes(row, "wanted")?,
                },
                APPROVAL => Kind::Approval {
                    wanted: read_scopes(row, "wanted")?,
                    value: match row.has("factor_id") {
                        false => NewValue::Phone(row.parsed("phone", Phone::from_stored)?),
                        true => NewValue::App {
                            factor: row.parsed("factor_id", FactorId::parse)?,
                            secret: read_sealed(row)?,
                        },
                    },
                    replaces: row.optional("replaces", Reader::time)?,
                },
                _ => return Err(Corrupt("kind")),
            },
            scopes: read_scopes(row, "scopes")?,
            generation: row.number("generation")?,
            session: row.optional("session", |row, name| Session::from_bytes(row.bytes(name)?).ok_or(Corrupt(name)))?,
            second_factor: row.has("second_factor"),
            device: row.optional("device", |row, name| row.bytes(name).map(DeviceId::from_bytes))?,
            locale: row.parsed("locale", Locale::parse)?,
            issued_at: row.time("issued_at")?,
            expires_at: row.time("expires_at")?,
            forget_at: row.time("ttl")?,
            revoked_at: row.optional("revoked_at", Reader::time)?,
            replaced_by: row.optional("replaced_by", Reader::text)?.map(str::to_owned),
            replacing_since: row.optional("replacing_since", Reader::time)?,
            is_renewed: row.has("is_renewed"),
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        Some(self.forget_at)
    }
}

/// Revokes one token; refused when it does not exist or is revoked already.
#[must_use]
pub fn revoke(now: Timestamp) -> Change {
    Change {
        update: "SET revoked_at = :now",
        condition: "attribute_exists(digest) AND attribute_not_exists(revoked_at)",
        values: vec![(":now", time(now))],
    }
}

/// Claims the replacement of a token: of any number of concurrent requests, one succeeds. Refused when the token was
/// revoked, or when another request was faster.
#[must_use]
pub fn begin_replacing(read: &Token, by: &str, now: Timestamp) -> Change {
    let mut values = vec![(":now", time(now)), (":by", text(by))];
    let condition = match &read.replaced_by {
        None => "attribute_exists(digest) AND attribute_not_exists(revoked_at) AND attribute_not_exists(replaced_by)",
        // Its invocation crashed, or takes too long.
        Some(other) => {
            values.push((":other", text(other)));
            "attribute_not_exists(revoked_at) AND replaced_by = :other"
        }
    };
    Change {
        update: "SET replaced_by = :by, replacing_since = :now",
        condition,
        values,
    }
}

/// Invalidates a token that this invocation replaces. Refused when another invocation has taken over the replacement.
#[must_use]
pub fn replace(by: &str, now: Timestamp) -> Change {
    Change {
        update: "SET revoked_at = :now REMOVE replacing_since",
        condition: "replaced_by = :by AND attribute_not_exists(revoked_at)",
        values: vec![(":by", text(by)), (":now", time(now))],
    }
}

/// Like the above, for a refresh: if the token is presented later, it may have been stolen.
#[must_use]
pub fn renew(by: &str, now: Timestamp) -> Change {
    Change {
        update: "SET revoked_at = :now, is_renewed = :true REMOVE replacing_since",
        condition: "replaced_by = :by AND attribute_not_exists(revoked_at)",
        values: vec![(":by", text(by)), (":now", time(now)), (":true", flag(true))],
    }
}

/// Abandons this invocation's replacement of a token, which stays valid.
#[must_use]
pub fn keep(by: &str) -> Change {
    Change {
        update: "REMOVE replaced_by, replacing_since",
        condition: "replaced_by = :by AND attribute_not_exists(revoked_at)",
        values: vec![(":by", text(by))],
    }
}

/// Scopes in one text, as OAuth writes them (RFC 6749 §3.3): DynamoDB has no empty sets.
pub(super) fn scopes(scopes: &[Scope]) -> AttributeValue {
    text(scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(" "))
}

pub(super) fn read_scopes(row: Reader<'_>, name: &'static str) -> Result<Vec<Scope>, Corrupt> {
    row.parsed(name, |text| text.split_whitespace().map(Scope::parse).collect())
}
