//! Entities: one row for each identity of a service, with its factors, their recent challenges, and the recent guesses at
//! all of their codes. The rows of a service are in the order of their identities.

use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    rate_limit::{acts, list},
    verification::{encrypted, read_encrypted},
};
use crate::{
    domain::{
        time::Timestamp,
        totp::{Algorithm, Parameters, Step},
        verification::{
            entity::{Challenge, Entity, EntityId, EntityRecord, Factor, FactorName, Identity},
            policy::GuessLedger,
            sid::{ChallengeSid, EntitySid, FactorSid, ServiceSid},
        },
    },
    store::{
        item::{Corrupt, Item, Reader, Writer, bytes, flag, maps, number, text, time},
        table::Row,
    },
};

impl Row for EntityRecord {
    const VARIABLE: &'static str = "ENTITIES_TABLE";
    const KEY: &'static str = "service";
    const SORT: &'static str = "identity";
    const IS_REPORTED: bool = false;
    const LASTS: bool = true;
    type Id = EntityId;

    fn key(id: &EntityId) -> AttributeValue {
        text(id.service.as_text())
    }

    fn sort(id: &EntityId) -> Option<AttributeValue> {
        Some(text(id.identity.as_str()))
    }

    fn to_item(&self) -> Item {
        Writer::default()
            .with(Self::KEY, Self::key(&self.id))
            .with(Self::SORT, text(self.id.identity.as_str()))
            .with("version", number(self.version))
            .with("guesses", list(&self.ledger.0))
            .with_some("entity", self.entity.as_ref().map(|entity| AttributeValue::M(written(entity))))
            .with_some("ttl", self.forget_at.map(time))
            .item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        Ok(Self {
            id: EntityId {
                service: row.parsed(Self::KEY, ServiceSid::parse)?,
                identity: row.parsed(Self::SORT, Identity::parse)?,
            },
            version: row.number("version")?,
            ledger: GuessLedger(acts(row, "guesses")?),
            entity: row.optional("entity", |row, name| read(Reader(row.map(name)?)))?,
            forget_at: row.optional("ttl", Reader::time)?,
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        // The rules check the age of each guess, so that they see the same row as the condition.
        None
    }
}

fn written(entity: &Entity) -> Item {
    Writer::default()
        .with("sid", bytes(*entity.sid.bytes()))
        .with("created_at", time(entity.created_at))
        .with("updated_at", time(entity.updated_at))
        .with("factors", maps(entity.factors.iter().map(factor)))
        .with("challenges", maps(entity.challenges.iter().map(challenge)))
        .item()
}

fn read(row: Reader<'_>) -> Result<Entity, Corrupt> {
    Ok(Entity {
        sid: EntitySid::from_bytes(row.bytes("sid")?),
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        factors: row.maps("factors")?.map(read_factor).collect::<Result<_, _>>()?,
        challenges: row.maps("challenges")?.map(read_challenge).collect::<Result<_, _>>()?,
    })
}

fn factor(factor: &Factor) -> Item {
    Writer::default()
        .with("sid", bytes(*factor.sid.bytes()))
        .with("name", text(factor.name.as_str()))
        .with("algorithm", text(factor.parameters.algorithm.name()))
        .with("period", number(factor.parameters.period))
        .with("skew", number(factor.parameters.skew))
        .with("digits", number(factor.parameters.digits as u64))
        .with("secret", encrypted(&factor.secret))
        .with("is_verified", flag(factor.is_verified))
        .with_some("last_step", factor.last_step.map(|step| number(step.get())))
        .with("failures", list(&factor.failures))
        .with("created_at", time(factor.created_at))
        .with("updated_at", time(factor.updated_at))
        .item()
}

fn read_factor(row: Reader<'_>) -> Result<Factor, Corrupt> {
    Ok(Factor {
        sid: FactorSid::from_bytes(row.bytes("sid")?),
        name: row.parsed("name", FactorName::parse)?,
        parameters: Parameters {
            algorithm: row.parsed("algorithm", Algorithm::parse)?,
            period: row.number("period")?,
            skew: row.number("skew")?,
            digits: row.number("digits")?,
        },
        secret: read_encrypted(row, "secret")?,
        is_verified: row.flag("is_verified")?,
        last_step: row.optional("last_step", Reader::number)?.map(Step::new),
        failures: acts(row, "failures")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

fn challenge(challenge: &Challenge) -> Item {
    Writer::default()
        .with("sid", bytes(*challenge.sid.bytes()))
        .with("factor", bytes(*challenge.factor.bytes()))
        .with("created_at", time(challenge.created_at))
        .with("updated_at", time(challenge.updated_at))
        .with("expires_at", time(challenge.expires_at))
        .with_some("approved_at", challenge.approved_at.map(time))
        .with("wrong", number(challenge.wrong))
        .item()
}

fn read_challenge(row: Reader<'_>) -> Result<Challenge, Corrupt> {
    Ok(Challenge {
        sid: ChallengeSid::from_bytes(row.bytes("sid")?),
        factor: FactorSid::from_bytes(row.bytes("factor")?),
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        expires_at: row.time("expires_at")?,
        approved_at: row.optional("approved_at", Reader::time)?,
        wrong: row.number("wrong")?,
    })
}
