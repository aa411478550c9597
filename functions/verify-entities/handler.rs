use countersign_shared::{
    domain::verification::{
        entity::{EntityId, EntityRecord, Identity, Refused},
        policy::VerificationPolicy,
        sid::EntitySid,
    },
    fault::Fault,
    http::{
        call::Call,
        dialects::verify::{self, EntityForm, EntityQuery, Error, Urls},
        reply::Answer,
        serve::Endpoint,
    },
    observe::Outcome,
    runtime::edge::Wire,
    services::{
        entities::{Decided, EntityChanges, OpenedEntity},
        verify_accounts,
    },
    store::table::{Query, Table},
};
use rand::rngs::SysRng;

/// Creates, lists, shows and deletes the entities of a service.
#[derive(Wire)]
pub struct Entities {
    pub changes: EntityChanges,
    pub list: Table<EntityRecord, Query>,
    #[wire(verification_policy)]
    pub policy: VerificationPolicy,
    #[wire(public_url)]
    pub public_url: Option<String>,
}

impl Endpoint for Entities {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        match call.route.as_str() {
            "POST /v2/Services/{service}/Entities" => self.create(call).await,
            "GET /v2/Services/{service}/Entities" | "HEAD /v2/Services/{service}/Entities" => self.page(call).await,
            "DELETE /v2/Services/{service}/Entities/{identity}" => self.delete(call).await,
            "GET /v2/Services/{service}/Entities/{identity}" | "HEAD /v2/Services/{service}/Entities/{identity}" => {
                let opened = self.changes.reader.open_named(call).await??;
                self.shown((200, Outcome::EntityShown), call, &opened, &opened.record)
            }
            _ => Err(Fault::Bug("the route is not one of the function's".into()).into()),
        }
    }
}

impl Entities {
    async fn create(&self, call: &Call) -> Result<Answer, Error> {
        let identity = match EntityForm::read(call) {
            Ok(form) => form.identity,
            Err(error) => {
                // What the form lacks is said to an authenticated application only.
                verify_accounts::service(&self.changes.reader.accounts, call, |_| {}).await??;
                return Err(error);
            }
        };
        let opened = self.changes.reader.open(call, Some(&identity)).await??;
        let (sid, outcome) = (EntitySid::random(&mut SysRng).map_err(Fault::from)?, Outcome::EntityCreated);
        let is_made = |found: &EntityRecord| found.entity.as_ref().is_some_and(|entity| entity.sid == sid);
        let changed = self.changes.change(call, &opened, is_made, |record| {
            Ok(Decided::changed(record.create(sid, call.now)?, vec![(outcome, sid.log_name())]))
        });
        let next = changed.await??.next;
        self.shown((201, outcome), call, &opened, &next)
    }

    async fn delete(&self, call: &Call) -> Result<Answer, Error> {
        let opened = self.changes.reader.open_named(call).await??;
        let changed = self.changes.change(
            call,
            &opened,
            |found| found.entity.is_none(),
            |record| {
                let sid = record.entity.as_ref().ok_or(Refused::NotFound)?.sid;
                let next = record.delete(&self.policy, call.now)?;
                Ok(Decided::changed(next, vec![(Outcome::EntityDeleted, sid.log_name())]))
            },
        );
        changed.await??;
        Ok(Answer::empty(Outcome::EntityDeleted))
    }

    /// The entities from an identity on. Rows of deleted entities are passed over.
    async fn page(&self, call: &Call) -> Result<Answer, Error> {
        let admitted = verify_accounts::service(&self.changes.reader.accounts, call, |_| {}).await??;
        let query = EntityQuery::read(call)?;
        let mut from = EntityId {
            service: admitted.service.sid,
            identity: query.from.clone().unwrap_or(Identity::first()),
        };
        let wanted = query.size() + 1;
        let mut found = Vec::new();
        while found.len() < wanted {
            let limit = i32::try_from(wanted + 1).expect("a page has at most 1,000 elements");
            let rows = self.list.from(&from, limit, call.now).await?;
            let last = rows.rows.last().map(|row| row.id.clone());
            let is_new = |row: &EntityRecord| found.last().is_none_or(|(last, _)| *last < row.id.identity);
            let live = rows.rows.into_iter().filter(is_new);
            let live: Vec<_> = live.filter_map(|row| Some((row.id.identity, row.entity?))).collect();
            found.extend(live);
            // The next part begins with the last row of this one.
            match last {
                Some(last) if rows.has_more && last != from => from = last,
                Some(_) | None => break,
            }
        }
        found.truncate(wanted);
        let next = (found.len() == wanted).then(|| found.pop()).flatten();
        let next = next.map(|(identity, _)| identity);
        Ok(verify::entities(&query, &admitted.service, &found, next.as_ref(), &self.urls(call)))
    }

    fn shown(
        &self,
        (status, outcome): (u16, Outcome),
        call: &Call,
        opened: &OpenedEntity,
        record: &EntityRecord,
    ) -> Result<Answer, Error> {
        let entity = record.entity.as_ref().ok_or(Error::NotFound)?;
        let of = (&opened.service, &record.id.identity);
        Ok(verify::entity(status, outcome, of, entity, &self.urls(call)))
    }

    fn urls<'a>(&'a self, call: &'a Call) -> Urls<'a> {
        Urls::of(self.public_url.as_deref(), call)
    }
}
