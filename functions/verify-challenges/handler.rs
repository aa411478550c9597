use countersign_shared::{
    domain::{
        crypto::key,
        verification::{
            entity::{EntityRecord, Guessed},
            policy::VerificationPolicy,
            sid::ChallengeSid,
        },
    },
    fault::Fault,
    http::{
        call::Call,
        dialects::verify::{self, ChallengeAnswerForm, ChallengeForm, ChallengeQuery, Error, Urls},
        reply::Answer,
        serve::Endpoint,
    },
    observe::{Milestone, Outcome},
    runtime::{edge::Wire, keys::Keys},
    services::entities::{Decided, EntityChanges, OpenedEntity, counts},
};
use rand::rngs::SysRng;

/// Creates, lists, shows and answers the challenges of an entity.
#[derive(Wire)]
pub struct Challenges {
    pub changes: EntityChanges,
    pub keys: Keys<key::Factors>,
    #[wire(verification_policy)]
    pub policy: VerificationPolicy,
    #[wire(public_url)]
    pub public_url: Option<String>,
}

const CHALLENGES: &str = "/v2/Services/{service}/Entities/{identity}/Challenges";
const CHALLENGE: &str = "/v2/Services/{service}/Entities/{identity}/Challenges/{challenge}";

impl Endpoint for Challenges {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let opened = self.changes.reader.open_named(call).await??;
        let (method, path) = call.route.split_once(' ').unwrap_or_default();
        match (method, path) {
            ("POST", CHALLENGES) => self.create(call, &opened).await,
            ("POST", CHALLENGE) => self.compare(call, &opened).await,
            ("GET" | "HEAD", CHALLENGES) => self.list(call, &opened),
            ("GET" | "HEAD", CHALLENGE) => {
                self.shown((200, Outcome::ChallengeShown), call, &opened, &opened.record, challenge_sid(call)?)
            }
            _ => Err(Fault::Bug("the route is not one of the function's".into()).into()),
        }
    }
}

impl Challenges {
    async fn create(&self, call: &Call, opened: &OpenedEntity) -> Result<Answer, Error> {
        opened.record.entity.as_ref().ok_or(Error::NotFound)?;
        let keys = self.keys.at(call.now).await.derive();
        let form = ChallengeForm::read(call)?;
        let sid = ChallengeSid::random(&mut SysRng).map_err(Fault::from)?;
        let (request, code, hit) = (form.request(sid), form.code.as_ref(), call.hit());
        let is_made = |found: &EntityRecord| found.challenge(sid, call.now).is_some();
        let changed = self.changes.change(call, opened, is_made, |record| {
            let guessed = record.create_challenge(&self.policy, &keys, request, code, (&hit, &mut SysRng))?;
            let mut acts = vec![(Outcome::ChallengeCreated, sid.log_name())];
            acts.extend(approval(&guessed, sid));
            Ok(Decided::guessed(guessed, acts))
        });
        let decided = changed.await??;
        let outcome = match decided.is_right {
            Some(true) => Outcome::ChallengeApproved,
            Some(false) => Outcome::ChallengeWrongCode,
            None => Outcome::ChallengeCreated,
        };
        self.shown((201, outcome), call, opened, &decided.next, sid)
    }

    async fn compare(&self, call: &Call, opened: &OpenedEntity) -> Result<Answer, Error> {
        let sid = challenge_sid(call)?;
        opened.record.challenge(sid, call.now).ok_or(Error::NotFound)?;
        let keys = self.keys.at(call.now).await.derive();
        let (form, hit) = (ChallengeAnswerForm::read(call)?, call.hit());
        let changed = self.changes.change(
            call,
            opened,
            |found| counts(found, call),
            |record| {
                let guessed = record.answer_challenge(&self.policy, &keys, sid, &form.code, (&hit, &mut SysRng))?;
                let acts = approval(&guessed, sid).into_iter().collect();
                Ok(Decided::guessed(guessed, acts))
            },
        );
        let decided = changed.await??;
        let outcome = match decided.is_right {
            Some(true) => Outcome::ChallengeApproved,
            Some(false) | None => Outcome::ChallengeWrongCode,
        };
        self.shown((200, outcome), call, opened, &decided.next, sid)
    }

    fn list(&self, call: &Call, opened: &OpenedEntity) -> Result<Answer, Error> {
        let record = &opened.record;
        let entity = record.entity.as_ref().ok_or(Error::NotFound)?;
        let (query, urls) = (ChallengeQuery::read(call)?, self.urls(call));
        let all = record.challenges(call.now);
        Ok(verify::challenges(&query, &opened.service, (&record.id, entity), all, (&urls, call.now)))
    }

    fn shown(
        &self,
        (status, outcome): (u16, Outcome),
        call: &Call,
        opened: &OpenedEntity,
        record: &EntityRecord,
        sid: ChallengeSid,
    ) -> Result<Answer, Error> {
        let challenge = record.challenge(sid, call.now).ok_or(Error::NotFound)?;
        let of = (&record.id, record.entity.as_ref().ok_or(Error::NotFound)?);
        let urls = self.urls(call);
        let answer = verify::challenge((status, outcome), &opened.service, of, challenge, (&urls, call.now));
        Ok(match outcome == Outcome::ChallengeApproved {
            true => answer.counted_as(Milestone::Verified),
            false => answer,
        })
    }

    fn urls<'a>(&'a self, call: &'a Call) -> Urls<'a> {
        Urls::of(self.public_url.as_deref(), call)
    }
}

/// What the audit log records of the right code.
fn approval(guessed: &Guessed, sid: ChallengeSid) -> Option<(Outcome, String)> {
    (guessed.is_right == Some(true)).then(|| (Outcome::ChallengeApproved, sid.log_name()))
}

fn challenge_sid(call: &Call) -> Result<ChallengeSid, Error> {
    ChallengeSid::parse(call.path_parameter("challenge")).ok_or(Error::NotFound)
}
