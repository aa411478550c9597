//! Rows of entities.

use rand::rngs::SysRng;

use super::{at, is_kept};
use crate::domain::{
    crypto::key::tests::ring,
    limits::rate_limit::Hit,
    totp::{self, Parameters, TotpSecret},
    verification::{
        entity::{Challenge, EntityId, EntityRecord, Factor, FactorName, FactorRequest, Identity},
        policy::GuessLedger,
        sid::{ChallengeSid, EntitySid, ServiceSid},
    },
};

#[test]
fn entities_are_read_as_they_were_written() {
    let id = EntityId {
        service: ServiceSid::from_bytes([1; 16]),
        identity: Identity::parse("user-0001").expect("a good identity"),
    };
    let none = EntityRecord::none(id.clone());
    is_kept(&none, None);
    let deleted = EntityRecord {
        ledger: GuessLedger(vec![Hit {
            at: at(5),
            by: "invocation".into(),
        }]),
        forget_at: Some(at(605)),
        ..none.clone()
    };
    is_kept(&deleted, None);
    let request = FactorRequest {
        name: FactorName::parse("Phone").expect("a good name"),
        parameters: Parameters {
            algorithm: totp::Algorithm::Sha512,
            period: 60,
            skew: 2,
            digits: 8,
        },
        secret: TotpSecret::draw(&mut SysRng).expect("entropy"),
    };
    let new = Factor::new(&id, &ring(&[1]), &request, &mut SysRng, at(5)).expect("entropy");
    let verified = Factor {
        is_verified: true,
        last_step: Some(totp::Step::new(3)),
        failures: deleted.ledger.0.clone(),
        ..new.clone()
    };
    let record = none.add_factor(EntitySid::from_bytes([2; 16]), new, at(5)).expect("room");
    let mut record = record.add_factor(EntitySid::from_bytes([2; 16]), verified, at(6)).expect("room");
    let challenge = |approved_at| Challenge {
        sid: ChallengeSid::from_bytes([3; 16]),
        factor: record.entity.as_ref().expect("an entity").factors[0].sid,
        created_at: at(5),
        updated_at: at(6),
        expires_at: at(305),
        approved_at,
        wrong: 2,
    };
    let challenges = vec![challenge(None), challenge(Some(at(6)))];
    record.entity.as_mut().expect("an entity").challenges = challenges;
    is_kept(&record, None);
}
