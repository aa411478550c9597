use countersign_shared::{
    domain::{
        crypto::key,
        totp::TotpSecret,
        verification::{
            entity::{Entity, EntityRecord, Factor},
            policy::VerificationPolicy,
            sid::{EntitySid, FactorSid},
        },
    },
    fault::Fault,
    http::{
        call::Call,
        dialects::verify::{self, Error, FactorChangeForm, FactorForm, Paging, Urls},
        reply::Answer,
        serve::Endpoint,
    },
    observe::Outcome,
    runtime::{edge::Wire, keys::Keys},
    services::entities::{Decided, EntityChanges, OpenedEntity, counts},
};
use rand::rngs::SysRng;

/// Creates, lists, shows, changes, verifies and deletes the factors of an entity.
#[derive(Wire)]
pub struct Factors {
    pub changes: EntityChanges,
    pub keys: Keys<key::Factors>,
    #[wire(verification_policy)]
    pub policy: VerificationPolicy,
    #[wire(public_url)]
    pub public_url: Option<String>,
}

const FACTORS: &str = "/v2/Services/{service}/Entities/{identity}/Factors";
const FACTOR: &str = "/v2/Services/{service}/Entities/{identity}/Factors/{factor}";

impl Endpoint for Factors {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let opened = self.changes.reader.open_named(call).await??;
        let (method, path) = call.route.split_once(' ').unwrap_or_default();
        match (method, path) {
            ("POST", FACTORS) => self.create(call, &opened).await,
            ("POST", FACTOR) => self.change(call, &opened).await,
            ("DELETE", FACTOR) => self.delete(call, &opened).await,
            ("GET" | "HEAD", FACTORS) => {
                let entity = entity(&opened.record)?;
                let page = Paging::read(call)?;
                Ok(verify::factors(page, &opened.service, &opened.record, entity, &self.urls(call)))
            }
            ("GET" | "HEAD", FACTOR) => {
                self.shown(Outcome::EntityFactorShown, call, &opened, &opened.record, factor_sid(call)?)
            }
            _ => Err(Fault::Bug("the route is not one of the function's".into()).into()),
        }
    }
}

impl Factors {
    async fn create(&self, call: &Call, opened: &OpenedEntity) -> Result<Answer, Error> {
        let keys = self.keys.at(call.now).await.derive();
        let request = FactorForm::read(call)?.request(&opened.service, &mut SysRng)?;
        let factor = Factor::new(&opened.record.id, &keys, &request, &mut SysRng, call.now).map_err(Fault::from)?;
        let (entity, sid) = (EntitySid::random(&mut SysRng).map_err(Fault::from)?, factor.sid);
        let is_made = |found: &EntityRecord| found.factor(sid).is_some();
        let changed = self.changes.change(call, opened, is_made, |record| {
            let mut acts = vec![(Outcome::EntityFactorCreated, sid.log_name())];
            if record.entity.is_none() {
                acts.push((Outcome::EntityCreated, entity.log_name()));
            }
            Ok(Decided::changed(record.add_factor(entity, factor.clone(), call.now)?, acts))
        });
        let next = changed.await??.next;
        self.created(call, opened, &next, (sid, &request.secret))
    }

    fn created(
        &self,
        call: &Call,
        opened: &OpenedEntity,
        record: &EntityRecord,
        (sid, secret): (FactorSid, &TotpSecret),
    ) -> Result<Answer, Error> {
        let factor = record.factor(sid).ok_or(Error::NotFound)?;
        let of = (&record.id, entity(record)?);
        Ok(verify::new_factor(&opened.service, of, (factor, secret), &self.urls(call)))
    }

    /// Changes a factor, and then compares a code with it, if one is given.
    async fn change(&self, call: &Call, opened: &OpenedEntity) -> Result<Answer, Error> {
        let sid = factor_sid(call)?;
        opened.record.factor(sid).ok_or(Error::NotFound)?;
        let keys = self.keys.at(call.now).await.derive();
        let form = FactorChangeForm::read(call)?;
        let (change, code) = (form.change(), form.code.as_ref());
        if change.is_none() && code.is_none() {
            return self.shown(Outcome::EntityFactorShown, call, opened, &opened.record, sid);
        }
        let is_made = |found: &EntityRecord| code.is_some() && counts(found, call);
        let changed = self.changes.change(call, opened, is_made, |record| {
            let mut acts = Vec::new();
            let record = match &change {
                Some(change) => {
                    acts.push((Outcome::EntityFactorUpdated, sid.log_name()));
                    record.change_factor(sid, change, call.now)?
                }
                None => record,
            };
            let Some(code) = code else {
                return Ok(Decided::changed(record, acts));
            };
            let guessed = record.verify_factor(&self.policy, &keys, sid, code, (&call.hit(), &mut SysRng))?;
            if guessed.is_right == Some(true) {
                acts.push((Outcome::EntityFactorVerified, sid.log_name()));
            }
            Ok(Decided::guessed(guessed, acts))
        });
        let decided = changed.await??;
        let outcome = match decided.is_right {
            Some(true) => Outcome::EntityFactorVerified,
            Some(false) => Outcome::EntityFactorWrongCode,
            None => Outcome::EntityFactorUpdated,
        };
        self.shown(outcome, call, opened, &decided.next, sid)
    }

    async fn delete(&self, call: &Call, opened: &OpenedEntity) -> Result<Answer, Error> {
        let (sid, outcome) = (factor_sid(call)?, Outcome::EntityFactorDeleted);
        let is_made = |found: &EntityRecord| found.factor(sid).is_none();
        let changed = self.changes.change(call, opened, is_made, |record| {
            Ok(Decided::changed(record.delete_factor(sid, call.now)?, vec![(outcome, sid.log_name())]))
        });
        changed.await??;
        Ok(Answer::empty(outcome))
    }

    fn shown(
        &self,
        outcome: Outcome,
        call: &Call,
        opened: &OpenedEntity,
        record: &EntityRecord,
        sid: FactorSid,
    ) -> Result<Answer, Error> {
        let factor = record.factor(sid).ok_or(Error::NotFound)?;
        let of = (&record.id, entity(record)?);
        Ok(verify::factor(outcome, &opened.service, of, factor, &self.urls(call)))
    }

    fn urls<'a>(&'a self, call: &'a Call) -> Urls<'a> {
        Urls::of(self.public_url.as_deref(), call)
    }
}

fn entity(record: &EntityRecord) -> Result<&Entity, Error> {
    record.entity.as_ref().ok_or(Error::NotFound)
}

fn factor_sid(call: &Call) -> Result<FactorSid, Error> {
    FactorSid::parse(call.path_parameter("factor")).ok_or(Error::NotFound)
}
