//! Services, and the list of each account's services: one row each, by SID. A list is a row under the account's SID, so
//! that it is read consistently, without an index.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    domain::{
        time::Timestamp,
        verification::{
            service::{
                Bucket, CodeLength, Description, FriendlyName, RateLimitDefinition, Service, ServiceList, Skew,
                TimeStep, TotpCodeLength, TotpSettings, UniqueName,
            },
            sid::{AccountSid, BucketSid, RateLimitSid, ServiceSid},
        },
    },
    store::{
        item::{Corrupt, Item, Reader, Writer, flag, maps, number, text, time},
        table::{Condition, Row},
    },
};

impl Row for Service {
    const VARIABLE: &'static str = "VERIFY_SERVICES_TABLE";
    const KEY: &'static str = "sid";
    type Id = ServiceSid;

    fn key(id: &ServiceSid) -> AttributeValue {
        text(id.as_text())
    }

    fn to_item(&self) -> Item {
        Writer::default()
            .with(Self::KEY, Self::key(&self.sid))
            .with("account_sid", text(self.account.as_text()))
            .with("version", number(self.version))
            .with("friendly_name", text(self.friendly_name.as_str()))
            .with("code_length", number(self.code_length.get().into()))
            .with("custom_code_enabled", flag(self.custom_code_enabled))
            .with("psd2_enabled", flag(self.psd2_enabled))
            .with("do_not_share_warning_enabled", flag(self.do_not_share_warning_enabled))
            .with("lookup_enabled", flag(self.lookup_enabled))
            .with("skip_sms_to_landlines", flag(self.skip_sms_to_landlines))
            .with("dtmf_input_required", flag(self.dtmf_input_required))
            .with_some("totp_issuer", self.totp.issuer.as_ref().map(|issuer| text(issuer.as_str())))
            .with("totp_time_step", number(self.totp.time_step.get().into()))
            .with("totp_code_length", number(self.totp.code_length.get().into()))
            .with("totp_skew", number(self.totp.skew.get().into()))
            .with("created_at", time(self.created_at))
            .with("updated_at", time(self.updated_at))
            .with("rate_limits", maps(self.rate_limits.iter().map(rate_limit)))
            .item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        Ok(Self {
            sid: row.parsed(Self::KEY, ServiceSid::parse)?,
            account: row.parsed("account_sid", AccountSid::parse)?,
            version: row.number("version")?,
            friendly_name: row.parsed("friendly_name", FriendlyName::parse)?,
            code_length: in_range(row, "code_length", CodeLength::new)?,
            custom_code_enabled: row.flag("custom_code_enabled")?,
            psd2_enabled: row.flag("psd2_enabled")?,
            do_not_share_warning_enabled: row.flag("do_not_share_warning_enabled")?,
            lookup_enabled: row.flag("lookup_enabled")?,
            skip_sms_to_landlines: row.flag("skip_sms_to_landlines")?,
            dtmf_input_required: row.flag("dtmf_input_required")?,
            totp: TotpSettings {
                issuer: row.optional("totp_issuer", |row, name| row.parsed(name, FriendlyName::parse))?,
                time_step: in_range(row, "totp_time_step", TimeStep::new)?,
                code_length: in_range(row, "totp_code_length", TotpCodeLength::new)?,
                skew: in_range(row, "totp_skew", Skew::new)?,
            },
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            rate_limits: row.maps("rate_limits")?.map(read_rate_limit).collect::<Result<_, _>>()?,
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        None
    }
}

fn in_range<T>(row: Reader<'_>, name: &'static str, new: fn(u64) -> Option<T>) -> Result<T, Corrupt> {
    new(row.number(name)?).ok_or(Corrupt(name))
}

fn rate_limit(limit: &RateLimitDefinition) -> Item {
    Writer::default()
        .with("sid", text(limit.sid.as_text()))
        .with("unique_name", text(limit.unique_name.as_str()))
        .with_some("description", limit.description.as_ref().map(|words| text(words.as_str())))
        .with("created_at", time(limit.created_at))
        .with("updated_at", time(limit.updated_at))
        .with("buckets", maps(limit.buckets.iter().map(bucket)))
        .item()
}

fn read_rate_limit(row: Reader<'_>) -> Result<RateLimitDefinition, Corrupt> {
    Ok(RateLimitDefinition {
        sid: row.parsed("sid", RateLimitSid::parse)?,
        unique_name: row.parsed("unique_name", UniqueName::parse)?,
        description: row.optional("description", |row, name| row.parsed(name, Description::parse))?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        buckets: row.maps("buckets")?.map(read_bucket).collect::<Result<_, _>>()?,
    })
}

fn bucket(bucket: &Bucket) -> Item {
    Writer::default()
        .with("sid", text(bucket.sid.as_text()))
        .with("max", number(bucket.max))
        .with("interval", number(bucket.interval))
        .with("created_at", time(bucket.created_at))
        .with("updated_at", time(bucket.updated_at))
        .item()
}

fn read_bucket(row: Reader<'_>) -> Result<Bucket, Corrupt> {
    Ok(Bucket {
        sid: row.parsed("sid", BucketSid::parse)?,
        max: row.number("max")?,
        interval: row.number("interval")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// The service exists.
#[must_use]
pub fn exists() -> Condition {
    Condition {
        expression: "attribute_exists(sid)",
        values: Vec::new(),
    }
}

/// The service has not changed since it was read (optimistic locking).
#[must_use]
pub fn is_unchanged(read: &Service) -> Condition {
    has_version(read.version)
}

impl Row for ServiceList {
    const VARIABLE: &'static str = "VERIFY_SERVICES_TABLE";
    const KEY: &'static str = "sid";
    type Id = AccountSid;

    fn key(id: &AccountSid) -> AttributeValue {
        text(id.as_text())
    }

    fn to_item(&self) -> Item {
        let sids = self.services.iter().map(ServiceSid::as_text);
        Writer::default()
            .with(Self::KEY, Self::key(&self.account))
            .with("version", number(self.version))
            .with("service_sids", text(sids.collect::<Vec<_>>().join(" ")))
            .item()
    }

    fn from_item(item: &Item) -> Result<Self, Corrupt> {
        let row = Reader(item);
        Ok(Self {
            account: row.parsed(Self::KEY, AccountSid::parse)?,
            version: row.number("version")?,
            services: row.parsed("service_sids", |text| text.split_whitespace().map(ServiceSid::parse).collect())?,
        })
    }

    fn ends_at(&self) -> Option<Timestamp> {
        None
    }
}

/// The list has not changed since it was read; an account without services has none.
#[must_use]
pub fn list_is_unchanged(read: &ServiceList) -> Condition {
    match read.version {
        0 => Condition {
            expression: "attribute_not_exists(sid)",
            values: Vec::new(),
        },
        version => has_version(version),
    }
}

fn has_version(version: u64) -> Condition {
    Condition {
        expression: "version = :version",
        values: vec![(":version", number(version))],
    }
}
