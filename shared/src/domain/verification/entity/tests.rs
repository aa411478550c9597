use rand::rngs::SysRng;

use super::*;
use crate::domain::{
    crypto::key::{Keyring, TotpSecrets, tests::ring},
    limits::rate_limit::{Hit, RateLimit, RateLimited, Window},
    time::Timestamp,
    totp::{Algorithm, Parameters, Step, TotpSecret},
    verification::{
        policy::VerificationPolicy,
        sid::{ChallengeSid, EntitySid, FactorSid, ServiceSid},
    },
};

/// The step in which the tests begin, and its first second.
const STEP: u64 = 40_000;
const START: u64 = STEP * 30;

/// The defaults of the contract.
fn policy() -> VerificationPolicy {
    let window = |max, seconds| Window { max, seconds };
    VerificationPolicy {
        lifetime: 600,
        sends: RateLimit::new(vec![window(5, 600)]),
        max_attempts: 5,
        guesses: RateLimit::new(vec![window(20, 86_400), window(60, 30 * 86_400)]),
    }
}

fn keys() -> Keyring<TotpSecrets> {
    ring(&[1])
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_seconds(START + seconds)
}

fn hit(seconds: u64) -> Hit {
    Hit {
        at: at(seconds),
        by: format!("at {seconds}"),
    }
}

fn id() -> EntityId {
    EntityId {
        service: ServiceSid::from_bytes([1; 16]),
        identity: Identity::parse("user-0001").expect("a good identity"),
    }
}

fn secret() -> TotpSecret {
    TotpSecret::parse("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").expect("a good secret")
}

/// The code of a step, counted from the first one.
fn code(step: u64) -> TotpCode {
    TotpCode::parse(Parameters::APP.code(&secret(), Step::new(STEP + step)).expose()).expect("six digits")
}

/// No code of six digits has seven.
fn wrong() -> TotpCode {
    TotpCode::parse("0000000").expect("digits")
}

fn sid(byte: u8) -> ChallengeSid {
    ChallengeSid::from_bytes([byte; 16])
}

fn factor() -> Factor {
    let request = FactorRequest {
        name: FactorName::parse("Phone").expect("a good name"),
        parameters: Parameters::APP,
        secret: secret(),
    };
    Factor::new(&id(), &keys(), &request, &mut SysRng, at(0)).expect("entropy")
}

fn entity_sid() -> EntitySid {
    EntitySid::from_bytes([2; 16])
}

/// An entity with a factor that is not verified.
fn unverified() -> (EntityRecord, FactorSid) {
    let factor = factor();
    let sid = factor.sid;
    (EntityRecord::none(id()).add_factor(entity_sid(), factor, at(0)).expect("room"), sid)
}

/// An entity with a factor that the code of the first step has verified.
fn verified() -> (EntityRecord, FactorSid) {
    let (record, sid) = unverified();
    let guessed = record.verify_factor(&policy(), &keys(), sid, &code(0), (&hit(0), &mut SysRng)).expect("compared");
    assert_eq!(guessed.is_right, Some(true));
    (guessed.next, sid)
}

fn create(
    record: EntityRecord,
    factor: FactorSid,
    byte: u8,
    code: Option<&TotpCode>,
    seconds: u64,
) -> Result<Guessed, Refused> {
    let request = ChallengeRequest {
        sid: sid(byte),
        factor,
        expires_at: at(seconds).deadline(DEFAULT_LIFE),
    };
    record.create_challenge(&policy(), &keys(), request, code, (&hit(seconds), &mut SysRng))
}

fn answer(record: EntityRecord, byte: u8, code: &TotpCode, seconds: u64) -> Result<Guessed, Refused> {
    record.answer_challenge(&policy(), &keys(), sid(byte), code, (&hit(seconds), &mut SysRng))
}

#[track_caller]
fn next(guessed: Result<Guessed, Refused>, is_right: Option<bool>) -> EntityRecord {
    let guessed = guessed.expect("not refused");
    assert_eq!(guessed.is_right, is_right);
    guessed.next
}

#[track_caller]
fn refused(guessed: Result<Guessed, Refused>, expected: Refused) {
    assert_eq!(guessed.map(|_| ()), Err(expected));
}

#[test]
fn an_identity_has_8_to_64_letters_digits_and_hyphens() {
    for (text, good) in [
        ("user-001", true),
        ("USER0001", true),
        (&"a".repeat(64), true),
        ("--------", true),
        ("user001", false),
        (&"a".repeat(65), false),
        ("user_0001", false),
        ("user 0001", false),
        ("üser-0001", false),
        ("", false),
    ] {
        assert_eq!(Identity::parse(text).map(|found| found.as_str() == text), good.then_some(true), "{text}");
    }
    for other in ["0000000000", "A-------", "z-------", "---------"] {
        assert!(Identity::first() < Identity::parse(other).expect("a good identity"), "{other}");
    }
}

#[test]
fn a_factor_name_has_1_to_64_characters_without_controls() {
    for (text, good) in [
        ("é".repeat(64), true),
        ("é".repeat(65), false),
        (String::new(), false),
        ("a\nb".into(), false),
    ] {
        assert_eq!(FactorName::parse(&text).is_some(), good, "{text}");
    }
}

#[test]
fn a_code_has_3_to_8_digits() {
    for (text, good) in [
        ("123", true),
        ("12345678", true),
        ("12", false),
        ("123456789", false),
        ("12345a", false),
        ("١٢٣٤٥٦", false),
        ("-1234", false),
    ] {
        assert_eq!(TotpCode::parse(text).is_some(), good, "{text}");
    }
}

#[test]
fn an_entity_is_created_once_and_again_after_its_deletion() {
    let created = EntityRecord::none(id()).create(entity_sid(), at(0)).expect("none yet");
    assert_eq!((created.version, created.forget_at), (1, None));
    assert_eq!(created.clone().create(entity_sid(), at(1)), Err(Refused::Exists));
    let deleted = created.delete(&policy(), at(2)).expect("it exists");
    assert_eq!((deleted.version, deleted.entity.is_none(), deleted.forget_at), (2, true, Some(at(2))));
    assert_eq!(deleted.clone().delete(&policy(), at(3)), Err(Refused::NotFound));
    assert_eq!(deleted.create(entity_sid(), at(4)).expect("deleted").forget_at, None);
}

#[test]
fn the_row_of_a_deleted_entity_stays_while_its_guesses_count() {
    let (record, _) = verified();
    let month = policy().guesses.memory();
    for (deleted_at, forget_at) in [(10, at(month)), (month - 1, at(month)), (month + 7, at(month + 7))] {
        let deleted = record.clone().delete(&policy(), at(deleted_at)).expect("it exists");
        assert_eq!(deleted.forget_at, Some(forget_at), "deleted at {deleted_at}");
        assert_eq!(deleted.ledger, record.ledger);
    }
}

#[test]
fn an_entity_has_20_factors_at_most() {
    let mut record = EntityRecord::none(id());
    for _ in 0..20 {
        record = record.add_factor(entity_sid(), factor(), at(0)).expect("room");
    }
    assert_eq!(record.clone().add_factor(entity_sid(), factor(), at(0)), Err(Refused::TooManyFactors));
    let first = record.entity.as_ref().expect("an entity").factors[0].sid;
    let record = record.delete_factor(first, at(1)).expect("it exists");
    assert!(record.factor(first).is_none());
    assert_eq!(record.clone().delete_factor(first, at(1)), Err(Refused::NotFound));
    assert!(record.add_factor(entity_sid(), factor(), at(1)).is_ok());
}

#[test]
fn the_code_that_verifies_a_factor_uses_up_its_step() {
    let (record, factor) = unverified();
    refused(create(record.clone(), factor, 1, Some(&code(0)), 0), Refused::FactorNotVerified);
    let record = next(record.verify_factor(&policy(), &keys(), factor, &wrong(), (&hit(0), &mut SysRng)), Some(false));
    assert!(!record.factor(factor).expect("it").is_verified);
    let record = next(record.verify_factor(&policy(), &keys(), factor, &code(0), (&hit(1), &mut SysRng)), Some(true));
    let found = record.factor(factor).expect("it");
    assert_eq!((found.is_verified, found.last_step, found.failures.len()), (true, Some(Step::new(STEP)), 0));
    refused(
        record.clone().verify_factor(&policy(), &keys(), factor, &code(1), (&hit(2), &mut SysRng)),
        Refused::AlreadyVerified,
    );
    let record = next(create(record, factor, 1, Some(&code(0)), 3), Some(false));
    let record = next(answer(record, 1, &code(1), 4), Some(true));
    assert_eq!(record.ledger.0.len(), 4);
}

#[test]
fn five_wrong_codes_pause_the_verification_of_a_factor() {
    let (mut record, factor) = unverified();
    for seconds in 0..5 {
        record = next(
            record.verify_factor(&policy(), &keys(), factor, &wrong(), (&hit(seconds), &mut SysRng)),
            Some(false),
        );
    }
    for (seconds, retry_after) in [(5, 595), (599, 1)] {
        refused(
            record.clone().verify_factor(&policy(), &keys(), factor, &code(0), (&hit(seconds), &mut SysRng)),
            Refused::FactorLimited(RateLimited { retry_after }),
        );
    }
    next(record.verify_factor(&policy(), &keys(), factor, &code(20), (&hit(600), &mut SysRng)), Some(true));
}

#[test]
fn a_step_is_accepted_once_for_all_challenges_of_a_factor() {
    let (record, factor) = verified();
    let record = next(create(record, factor, 1, Some(&code(1)), 30), Some(true));
    let challenge = record.challenge(sid(1), at(30)).expect("it");
    assert_eq!((challenge.status(at(30)), challenge.approved_at), (ChallengeStatus::Approved, Some(at(30))));
    refused(answer(record.clone(), 1, &code(2), 31), Refused::AlreadyApproved);
    for replayed in [0, 1] {
        let record = next(create(record.clone(), factor, 2, Some(&code(replayed)), 31), Some(false));
        assert_eq!(record.challenge(sid(2), at(31)).expect("it").status(at(31)), ChallengeStatus::Pending);
    }
    next(create(record, factor, 2, Some(&code(2)), 31), Some(true));
}

#[test]
fn another_factor_with_the_same_secret_does_not_share_steps_but_the_ledger() {
    let (record, _) = verified();
    let other = factor();
    let sid = other.sid;
    let record = record.add_factor(entity_sid(), other, at(0)).expect("room");
    let record = next(record.verify_factor(&policy(), &keys(), sid, &code(0), (&hit(1), &mut SysRng)), Some(true));
    assert_eq!(record.ledger.0.len(), 2);
}

#[test]
fn five_wrong_codes_end_a_challenge_and_not_the_next_one() {
    let (record, factor) = verified();
    let mut record = next(create(record, factor, 1, Some(&wrong()), 30), Some(false));
    for seconds in 31..35 {
        record = next(answer(record, 1, &wrong(), seconds), Some(false));
    }
    for (seconds, retry_after) in [(35, 295), (329, 1)] {
        let limited = Refused::ChallengeLimited(RateLimited { retry_after });
        refused(answer(record.clone(), 1, &code(1), seconds), limited);
    }
    refused(answer(record.clone(), 1, &code(11), 330), Refused::Expired);
    next(create(record, factor, 2, Some(&code(1)), 36), Some(true));
}

#[test]
fn a_challenge_takes_codes_until_its_expiry_and_is_kept_for_an_hour_more() {
    let (record, factor) = verified();
    let record = next(create(record, factor, 1, None, 30), None);
    assert_eq!(record.ledger.0.len(), 1);
    let approved = next(answer(record.clone(), 1, &code(10), 329), Some(true));
    for (seconds, status) in [(329, ChallengeStatus::Pending), (330, ChallengeStatus::Expired)] {
        assert_eq!(record.challenge(sid(1), at(seconds)).expect("it").status(at(seconds)), status);
        let challenge = approved.challenge(sid(1), at(seconds)).expect("it");
        assert_eq!(challenge.status(at(seconds)), ChallengeStatus::Approved);
    }
    refused(answer(record.clone(), 1, &code(11), 330), Refused::Expired);
    refused(answer(record.clone(), 1, &code(131), 3929), Refused::Expired);
    refused(answer(record.clone(), 1, &code(131), 3930), Refused::NotFound);
    // It is forgotten where it is read, and deleted by the next write.
    assert_eq!(record.challenges(at(3930)).count(), 0);
    let record = next(create(record, factor, 2, None, 3930), None);
    assert_eq!(record.entity.expect("an entity").challenges.len(), 1);
}

#[test]
fn an_entity_keeps_100_challenges_and_none_that_is_pending_is_forgotten() {
    let (record, factor) = verified();
    let mut record = next(create(record, factor, 0, Some(&code(1)), 30), Some(true));
    for byte in 1..100 {
        record = next(create(record, factor, byte, None, 31), None);
    }
    // The approved one makes room.
    let record = next(create(record, factor, 100, None, 32), None);
    assert!(record.challenge(sid(0), at(32)).is_none());
    let limited = Refused::TooManyChallenges(RateLimited { retry_after: 298 });
    refused(create(record.clone(), factor, 101, None, 33), limited);
    let record = next(create(record, factor, 101, None, 331), None);
    assert!(record.challenge(sid(1), at(331)).is_none() && record.challenge(sid(2), at(331)).is_some());
}

#[test]
fn the_ledger_counts_every_compared_code_and_survives_factors_and_entities() {
    let (record, factor) = verified();
    // One code was compared; the ledger has room for 19 more on this day.
    let mut record = record;
    for byte in 1..20 {
        record = next(create(record, factor, byte, Some(&wrong()), 30), Some(false));
    }
    assert_eq!(record.ledger.0.len(), 20);
    let limited = |seconds: u64| RateLimited {
        retry_after: 86_400 - seconds,
    };
    refused(create(record.clone(), factor, 20, Some(&code(1)), 31), Refused::ChallengeLimited(limited(31)));
    refused(answer(record.clone(), 1, &code(1), 31), Refused::ChallengeLimited(limited(31)));
    // A challenge without a code compares none.
    next(create(record.clone(), factor, 20, None, 31), None);

    let without = record.clone().delete_factor(factor, at(32)).expect("it exists");
    let again = record.delete(&policy(), at(32)).expect("it exists").create(entity_sid(), at(33)).expect("deleted");
    for record in [without, again] {
        let other = self::factor();
        let sid = other.sid;
        let record = record.add_factor(entity_sid(), other, at(34)).expect("room");
        let verify = |seconds| {
            record
                .clone()
                .verify_factor(&policy(), &keys(), sid, &code(seconds / 30), (&hit(seconds), &mut SysRng))
        };
        for seconds in [35, 86_399] {
            refused(verify(seconds), Refused::FactorLimited(limited(seconds)));
        }
        next(verify(86_400), Some(true));
    }
}

#[test]
fn what_does_not_exist_is_refused_without_counting() {
    let (record, factor) = verified();
    refused(create(EntityRecord::none(id()), factor, 1, Some(&code(1)), 30), Refused::NotFound);
    refused(create(record.clone(), FactorSid::from_bytes([9; 16]), 1, Some(&code(1)), 30), Refused::NoFactor);
    refused(answer(record.clone(), 1, &code(1), 30), Refused::NotFound);
    let none = FactorSid::from_bytes([9; 16]);
    refused(
        record.clone().verify_factor(&policy(), &keys(), none, &code(1), (&hit(30), &mut SysRng)),
        Refused::NotFound,
    );
    assert_eq!(record.clone().change_factor(none, &FactorChange::default(), at(30)), Err(Refused::NotFound));
    // A factor is deleted with its challenges.
    let record = next(create(record, factor, 1, None, 30), None);
    let record = record.delete_factor(factor, at(31)).expect("it exists");
    refused(answer(record, 1, &code(1), 32), Refused::NotFound);
}

#[test]
fn a_secret_of_another_factor_identity_or_service_does_not_decrypt() {
    let (record, sid) = unverified();
    let verify = |record: EntityRecord, keys: &Keyring<TotpSecrets>| {
        record
            .verify_factor(&policy(), keys, sid, &code(0), (&hit(0), &mut SysRng))
            .map(|guessed| guessed.is_right)
    };
    assert_eq!(verify(record.clone(), &keys()), Ok(Some(true)));
    let other_id = |id: EntityId| EntityRecord { id, ..record.clone() };
    let identity = EntityId {
        identity: Identity::parse("user-0002").expect("a good identity"),
        ..id()
    };
    let service = EntityId {
        service: ServiceSid::from_bytes([3; 16]),
        ..id()
    };
    assert_eq!(verify(other_id(identity), &keys()), Err(Refused::Unreadable));
    assert_eq!(verify(other_id(service), &keys()), Err(Refused::Unreadable));
    assert_eq!(verify(record.clone(), &ring(&[2])), Err(Refused::Unreadable));
    let mut moved = record.clone();
    moved.factor_mut(sid).expect("it").secret = factor().secret;
    assert_eq!(verify(moved, &keys()), Err(Refused::Unreadable));
}

#[test]
fn changed_parameters_do_not_accept_a_moment_twice() {
    let (record, sid) = verified();
    let change = |period| FactorChange {
        name: FactorName::parse("Tablet"),
        algorithm: Some(Algorithm::Sha256),
        period: Some(period),
        skew: Some(0),
        digits: Some(8),
    };
    // The first step of 30 seconds ends at 29; the steps that contain this second stay used up.
    for (period, last) in [(20, START / 20 + 1), (30, STEP), (60, START / 60)] {
        let record = record.clone().change_factor(sid, &change(period), at(9)).expect("it exists");
        let factor = record.factor(sid).expect("it");
        let parameters = Parameters {
            algorithm: Algorithm::Sha256,
            period,
            skew: 0,
            digits: 8,
        };
        assert_eq!((factor.parameters, factor.last_step), (parameters, Some(Step::new(last))), "{period}");
        assert_eq!((factor.name.as_str(), factor.updated_at, factor.is_verified), ("Tablet", at(9), true));
    }
    let same = record.clone().change_factor(sid, &FactorChange::default(), at(9)).expect("it exists");
    assert_eq!(same.factor(sid).map(|factor| factor.parameters), Some(Parameters::APP));
}

#[test]
fn an_accepted_code_encrypts_the_secret_with_the_newest_key() {
    let (record, sid) = verified();
    let secret_of = |record: &EntityRecord| record.factor(sid).expect("it").secret.clone();
    let (before, both) = (secret_of(&record), ring::<TotpSecrets>(&[1, 2]));
    let request = |byte| ChallengeRequest {
        sid: self::sid(byte),
        factor: sid,
        expires_at: at(400),
    };
    let create = |record: EntityRecord, byte, code: &TotpCode| {
        let keys = if byte < 3 { &both } else { &ring(&[2]) };
        record.create_challenge(&policy(), keys, request(byte), Some(code), (&hit(30), &mut SysRng))
    };
    let record = next(create(record, 1, &wrong()), Some(false));
    assert_eq!(secret_of(&record), before);
    let record = next(create(record, 2, &code(1)), Some(true));
    assert_eq!((before.key, secret_of(&record).key), (1, 2));
    // The old key is no longer needed.
    next(create(record, 3, &code(2)), Some(true));
}
