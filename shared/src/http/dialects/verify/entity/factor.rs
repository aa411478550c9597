//! Factors: forms and bodies.

use rand::TryCryptoRng;
use serde::Serialize;
use utoipa::{ToSchema, openapi::Object};

use crate::{
    domain::{
        totp::{Algorithm, Parameters, TotpSecret},
        verification::{
            entity::{Entity, EntityId, EntityRecord, Factor, FactorChange, FactorName, FactorRequest, TotpCode},
            service::{Service, Skew, TimeStep, TotpCodeLength},
        },
    },
    fault::Fault,
    http::{
        call::Call,
        dialects::verify::{Error, Form, PageMeta, Paging, Urls},
        reply::Answer,
        schema::one_of,
    },
    observe::Outcome,
};

/// The type of a factor.
#[derive(Debug)]
pub enum FactorType {
    /// An authenticator app with time-based codes.
    Totp,
}

fn factor_types() -> Object {
    one_of(["totp"])
}

/// The form that creates a factor.
#[derive(Debug, ToSchema)]
pub struct FactorForm {
    /// The name of the factor: the account that an authenticator app shows.
    #[schema(rename = "FriendlyName", value_type = String, min_length = 1, max_length = 64, pattern = r"^[^\x00-\x1F\x7F-\x9F]+$", example = "My phone")]
    name: FactorName,
    /// `totp`: other types are not available.
    #[schema(rename = "FactorType", schema_with = factor_types)]
    #[expect(dead_code, reason = "there is one type")]
    factor_type: FactorType,
    /// The secret in base32, of 128 to 512 bits; drawn if it is omitted.
    #[schema(rename = "Binding.Secret", value_type = Option<String>, pattern = "^[A-Za-z2-7]{32}$", example = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")]
    secret: Option<TotpSecret>,
    /// The length of a time step, in seconds; the service's by default.
    #[schema(rename = "Config.TimeStep", value_type = Option<u8>, minimum = 20, maximum = 60, example = 30)]
    time_step: Option<TimeStep>,
    /// How many time steps before and after the current one are accepted; the service's by default.
    #[schema(rename = "Config.Skew", value_type = Option<u8>, minimum = 0, maximum = 2, example = 1)]
    skew: Option<Skew>,
    /// The number of digits; the service's by default.
    #[schema(rename = "Config.CodeLength", value_type = Option<u8>, minimum = 3, maximum = 8, example = 6)]
    code_length: Option<TotpCodeLength>,
    /// The hash function; `sha1` by default.
    #[schema(rename = "Config.Alg", value_type = Option<String>, pattern = "^sha(1|256|512)$", example = "sha1")]
    algorithm: Option<Algorithm>,
}

impl FactorForm {
    /// Reads the form.
    ///
    /// # Errors
    /// [`Error::Invalid`] when a value is missing or not valid; [`Error::FeatureOff`] for a type that is not available; a
    /// malformed request when the body is not a form.
    pub fn read(call: &Call) -> Result<Self, Error> {
        let form = Form::read(call)?;
        match form.required("FactorType")?.expose() {
            "totp" => {}
            "push" | "passkeys" => return Err(Error::FeatureOff),
            _ => return Err(Error::Invalid("FactorType")),
        }
        let FactorChangeForm {
            name,
            time_step,
            skew,
            code_length,
            algorithm,
            code: _,
        } = FactorChangeForm::of(&form)?;
        Ok(Self {
            name: name.ok_or(Error::Invalid("FriendlyName"))?,
            factor_type: FactorType::Totp,
            secret: form.parsed("Binding.Secret", TotpSecret::parse)?,
            time_step,
            skew,
            code_length,
            algorithm,
        })
    }

    /// The factor that it asks for, in a service whose settings are the defaults.
    ///
    /// # Errors
    /// [`Fault`] when the random generator fails.
    pub fn request(self, service: &Service, rng: &mut impl TryCryptoRng) -> Result<FactorRequest, Fault> {
        let defaults = &service.totp;
        Ok(FactorRequest {
            name: self.name,
            parameters: Parameters {
                algorithm: self.algorithm.unwrap_or(Algorithm::Sha1),
                period: self.time_step.unwrap_or(defaults.time_step).get().into(),
                skew: self.skew.unwrap_or(defaults.skew).get().into(),
                digits: self.code_length.unwrap_or(defaults.code_length).get().into(),
            },
            secret: match self.secret {
                Some(secret) => secret,
                None => TotpSecret::draw(rng)?,
            },
        })
    }
}

/// The form that changes a factor, or verifies it; what is omitted stays.
#[derive(Debug, ToSchema)]
pub struct FactorChangeForm {
    /// The name of the factor.
    #[schema(rename = "FriendlyName", value_type = Option<String>, min_length = 1, max_length = 64, pattern = r"^[^\x00-\x1F\x7F-\x9F]+$", example = "My phone")]
    name: Option<FactorName>,
    /// The length of a time step, in seconds.
    #[schema(rename = "Config.TimeStep", value_type = Option<u8>, minimum = 20, maximum = 60, example = 30)]
    time_step: Option<TimeStep>,
    /// How many time steps before and after the current one are accepted.
    #[schema(rename = "Config.Skew", value_type = Option<u8>, minimum = 0, maximum = 2, example = 1)]
    skew: Option<Skew>,
    /// The number of digits.
    #[schema(rename = "Config.CodeLength", value_type = Option<u8>, minimum = 3, maximum = 8, example = 6)]
    code_length: Option<TotpCodeLength>,
    /// The hash function.
    #[schema(rename = "Config.Alg", value_type = Option<String>, pattern = "^sha(1|256|512)$", example = "sha1")]
    algorithm: Option<Algorithm>,
    /// A code of the app, which verifies the factor.
    #[schema(rename = "AuthPayload", value_type = Option<String>, pattern = "^[0-9]{3,8}$", example = "123456")]
    pub code: Option<TotpCode>,
}

impl FactorChangeForm {
    /// Reads the form.
    ///
    /// # Errors
    /// [`Error::Invalid`] when a value is not valid; a malformed request when the body is not a form.
    pub fn read(call: &Call) -> Result<Self, Error> {
        Self::of(&Form::read(call)?)
    }

    fn of(form: &Form) -> Result<Self, Error> {
        Ok(Self {
            name: form.parsed("FriendlyName", FactorName::parse)?,
            time_step: form.number("Config.TimeStep", TimeStep::new)?,
            skew: form.number("Config.Skew", Skew::new)?,
            code_length: form.number("Config.CodeLength", TotpCodeLength::new)?,
            algorithm: form.parsed("Config.Alg", Algorithm::parse)?,
            code: form.parsed("AuthPayload", TotpCode::parse)?,
        })
    }

    /// The change that it asks for, besides the verification; `None` if it asks for none.
    #[must_use]
    pub fn change(&self) -> Option<FactorChange> {
        let change = FactorChange {
            name: self.name.clone(),
            algorithm: self.algorithm,
            period: self.time_step.map(|step| step.get().into()),
            skew: self.skew.map(|skew| skew.get().into()),
            digits: self.code_length.map(|length| length.get().into()),
        };
        (change != FactorChange::default()).then_some(change)
    }
}

/// A factor.
#[derive(Debug, Serialize, ToSchema)]
pub struct EntityFactorBody {
    /// Its SID.
    #[schema(pattern = "^YF[0-9a-f]{32}$")]
    sid: String,
    /// The account of the service.
    #[schema(pattern = "^AC[0-9a-f]{32}$")]
    account_sid: String,
    /// The service of the entity.
    #[schema(pattern = "^VA[0-9a-f]{32}$")]
    service_sid: String,
    /// The entity that it belongs to.
    #[schema(pattern = "^YE[0-9a-f]{32}$")]
    entity_sid: String,
    /// The application's name of the entity.
    #[schema(pattern = "^[A-Za-z0-9-]{8,64}$")]
    identity: String,
    /// When it was created.
    #[schema(format = DateTime, example = "2026-02-27T22:06:57Z")]
    date_created: String,
    /// When it was changed or verified last.
    #[schema(format = DateTime, example = "2026-02-27T22:06:57Z")]
    date_updated: String,
    /// Its name.
    #[schema(min_length = 1, max_length = 64)]
    friendly_name: String,
    /// `unverified` until a code has proved that an app has the secret, then `verified`.
    status: &'static str,
    /// `totp`.
    factor_type: &'static str,
    /// How its codes are computed.
    config: EntityFactorConfig,
    /// Always `null`: metadata is not kept.
    metadata: (),
    /// Its address.
    #[schema(format = "uri")]
    url: String,
}

/// A factor that was just created: its secret is shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewEntityFactorBody {
    /// Its SID.
    #[schema(pattern = "^YF[0-9a-f]{32}$")]
    sid: String,
    /// The account of the service.
    #[schema(pattern = "^AC[0-9a-f]{32}$")]
    account_sid: String,
    /// The service of the entity.
    #[schema(pattern = "^VA[0-9a-f]{32}$")]
    service_sid: String,
    /// The entity that it belongs to.
    #[schema(pattern = "^YE[0-9a-f]{32}$")]
    entity_sid: String,
    /// The application's name of the entity.
    #[schema(pattern = "^[A-Za-z0-9-]{8,64}$")]
    identity: String,
    /// The secret.
    binding: FactorBinding,
    /// Always `null`: options are for passkeys.
    options: (),
    /// When it was created.
    #[schema(format = DateTime, example = "2026-02-27T22:06:57Z")]
    date_created: String,
    /// When it was created.
    #[schema(format = DateTime, example = "2026-02-27T22:06:57Z")]
    date_updated: String,
    /// Its name.
    #[schema(min_length = 1, max_length = 64)]
    friendly_name: String,
    /// `unverified`.
    status: &'static str,
    /// `totp`.
    factor_type: &'static str,
    /// How its codes are computed.
    config: EntityFactorConfig,
    /// Always `null`: metadata is not kept.
    metadata: (),
    /// Its address.
    #[schema(format = "uri")]
    url: String,
}

/// The secret of a factor.
#[derive(Debug, Serialize, ToSchema)]
pub struct FactorBinding {
    /// The secret in base32.
    #[schema(pattern = "^[A-Z2-7]{26,103}$")]
    secret: String,
    /// The address for a QR code.
    #[schema(format = "uri")]
    uri: String,
}

/// How the codes of a factor are computed.
#[derive(Debug, Serialize, ToSchema)]
pub struct EntityFactorConfig {
    /// The hash function.
    #[schema(pattern = "^sha(1|256|512)$")]
    alg: &'static str,
    /// How many time steps before and after the current one are accepted.
    #[schema(minimum = 0, maximum = 2)]
    skew: u64,
    /// The number of digits.
    #[schema(minimum = 3, maximum = 8)]
    code_length: usize,
    /// The length of a time step, in seconds.
    #[schema(minimum = 20, maximum = 60)]
    time_step: u64,
}

impl EntityFactorBody {
    fn of(service: &Service, id: &EntityId, entity: &Entity, factor: &Factor, urls: &Urls<'_>) -> Self {
        let Parameters {
            algorithm,
            period,
            skew,
            digits,
        } = factor.parameters;
        Self {
            sid: factor.sid.as_text(),
            account_sid: service.account.as_text(),
            service_sid: service.sid.as_text(),
            entity_sid: entity.sid.as_text(),
            identity: id.identity.as_str().to_owned(),
            date_created: factor.created_at.iso(),
            date_updated: factor.updated_at.iso(),
            friendly_name: factor.name.as_str().to_owned(),
            status: match factor.is_verified {
                true => "verified",
                false => "unverified",
            },
            factor_type: "totp",
            config: EntityFactorConfig {
                alg: algorithm.name(),
                skew,
                code_length: digits,
                time_step: period,
            },
            metadata: (),
            url: urls.factor(id, factor.sid),
        }
    }
}

/// A page of factors.
#[derive(Debug, Serialize, ToSchema)]
pub struct EntityFactorList {
    factors: Vec<EntityFactorBody>,
    meta: PageMeta,
}

/// 201: a factor that was just created, with its secret.
#[must_use]
pub fn new_factor(
    service: &Service,
    (id, entity): (&EntityId, &Entity),
    (factor, secret): (&Factor, &TotpSecret),
    urls: &Urls<'_>,
) -> Answer {
    let uri = factor.parameters.uri(secret, service.totp_issuer(), factor.name.as_str());
    let EntityFactorBody {
        sid,
        account_sid,
        service_sid,
        entity_sid,
        identity,
        date_created,
        date_updated,
        friendly_name,
        status,
        factor_type,
        config,
        metadata,
        url,
    } = EntityFactorBody::of(service, id, entity, factor, urls);
    let body = NewEntityFactorBody {
        sid,
        account_sid,
        service_sid,
        entity_sid,
        identity,
        binding: FactorBinding {
            secret: secret.to_base32().expose().to_owned(),
            uri: uri.expose().to_owned(),
        },
        options: (),
        date_created,
        date_updated,
        friendly_name,
        status,
        factor_type,
        config,
        metadata,
        url,
    };
    Answer::json(201, Outcome::EntityFactorCreated, &body)
}

/// 200: a factor.
#[must_use]
pub fn factor(
    outcome: Outcome,
    service: &Service,
    (id, entity): (&EntityId, &Entity),
    factor: &Factor,
    urls: &Urls<'_>,
) -> Answer {
    Answer::json(200, outcome, &EntityFactorBody::of(service, id, entity, factor, urls))
}

/// 200: a page of the factors of an entity.
#[must_use]
pub fn factors(page: Paging, service: &Service, record: &EntityRecord, entity: &Entity, urls: &Urls<'_>) -> Answer {
    let (id, all) = (&record.id, &entity.factors);
    let body = EntityFactorList {
        factors: page.of(all).iter().map(|factor| EntityFactorBody::of(service, id, entity, factor, urls)).collect(),
        meta: page.meta(&urls.factors(id), "factors", all.len()),
    };
    Answer::json(200, Outcome::EntityFactorsListed, &body)
}
