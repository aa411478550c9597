use rand::rngs::SysRng;

use super::*;
use crate::domain::{
    crypto::key::tests::ring,
    limits::rate_limit::{RateLimit, Window},
    verification::destination::Destination,
};

/// The defaults of the contract.
pub(super) fn policy() -> VerificationPolicy {
    let window = |max, seconds| Window { max, seconds };
    VerificationPolicy {
        lifetime: 600,
        sends: RateLimit::new(vec![window(5, 600)]),
        max_attempts: 5,
        guesses: RateLimit::new(vec![window(20, 86_400), window(60, 30 * 86_400)]),
    }
}

pub(super) fn keys() -> VerificationKeys {
    VerificationKeys::of(&ring(&[1]))
}

pub(super) const SERVICE: u8 = 1;

pub(super) fn service(byte: u8) -> ServiceSid {
    ServiceSid::from_bytes([byte; 16])
}

pub(super) fn phone() -> Destination {
    Destination::parse("+15017122661").expect("a good number")
}

pub(super) fn act(seconds: u64, by: &str) -> Hit {
    Hit {
        at: Timestamp::from_seconds(1_000_000 + seconds),
        by: by.to_owned(),
    }
}

fn request<'a>(of: u8, to: &'a Destination) -> StartRequest<'a> {
    StartRequest {
        service: service(of),
        to,
        length: 6,
        custom: None,
        payment: None,
        attempt: AttemptSid::from_bytes([9; 16]),
        country: Some("1"),
    }
}

pub(super) fn none() -> DestinationRecord {
    let keys = keys();
    DestinationRecord::none(DestinationId::of(&keys.names, &service(SERVICE), &phone()))
}

pub(super) fn start(record: DestinationRecord, of: u8, at: u64) -> Result<Started, RateLimited> {
    start_with(record, &request(of, &phone()), at)
}

fn start_with(record: DestinationRecord, request: &StartRequest<'_>, at: u64) -> Result<Started, RateLimited> {
    let by = format!("start at {at}");
    record.start(&policy(), &keys(), request, &act(at, &by), &mut SysRng).expect("entropy")
}

/// A guess: the right code, or a wrong one.
pub(super) fn guess(code: &Secret, is_right: bool) -> Code {
    let text = match (is_right, code.expose()) {
        (true, code) => code.to_owned(),
        // A code of another length is wrong in any case.
        (false, code) => format!("{code}0"),
    };
    Code::parse(&text).expect("digits")
}

pub(super) fn check(record: DestinationRecord, code: &Code, at: u64) -> Judged {
    check_as(record, Which::To(&phone()), (code, None), at)
}

fn check_as(record: DestinationRecord, which: Which<'_>, given: (&Code, Option<&Payment>), at: u64) -> Judged {
    let by = format!("check at {at}");
    record.check(&policy(), &keys(), (service(SERVICE), which), given, &act(at, &by))
}

#[track_caller]
fn wrong(judged: Judged) -> DestinationRecord {
    match judged {
        Judged::Wrong { next, shown } => {
            assert_eq!(shown.status, Status::Pending);
            next
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn right(judged: Judged) -> DestinationRecord {
    match judged {
        Judged::Right { next, shown } => {
            assert_eq!(shown.status, Status::Approved);
            next
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn limited(judged: Judged, retry_after: u64) {
    match judged {
        Judged::Limited(found) => assert_eq!(found, RateLimited { retry_after }),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn not_found(judged: Judged) {
    assert!(matches!(judged, Judged::NotFound), "{judged:?}");
}

#[test]
fn a_resend_repeats_the_code_until_the_verification_expires() {
    let first = start(none(), SERVICE, 0).expect("room");
    let second = start(first.next, SERVICE, 599).expect("room");
    assert_eq!((first.shown.sid, first.code.expose()), (second.shown.sid, second.code.expose()));
    assert_eq!(second.shown.messages.len(), 2);
    assert_eq!((second.shown.created_at, second.shown.updated_at), (act(0, "").at, act(599, "").at));
    // The life begins with the first message.
    let third = start(second.next, SERVICE, 600).expect("room");
    assert_ne!(third.shown.sid, second.shown.sid);
    assert_eq!(third.shown.messages.len(), 1);
}

#[test]
fn five_messages_are_sent_in_ten_minutes_whatever_ends_meanwhile() {
    let mut record = none();
    for at in 0..5 {
        record = start(record, SERVICE, at).expect("room").next;
        let closed =
            record.close(&policy(), &keys(), service(SERVICE), Which::To(&phone()), (Status::Canceled, act(at, "").at));
        record = closed.expect("it is pending").0;
    }
    assert_eq!(start(record.clone(), SERVICE, 599).map(|_| ()), Err(RateLimited { retry_after: 1 }));
    assert!(start(record.clone(), SERVICE, 600).is_ok());
    assert!(start(record, 2, 10).is_ok(), "another service");
}

#[test]
fn a_code_is_accepted_once_until_the_boundary_second() {
    let Started { next, code, shown, .. } = start(none(), SERVICE, 0).expect("room");
    let code = guess(&code, true);
    for which in [Which::To(&phone()), Which::Sid(&shown.sid)] {
        let approved = right(check_as(next.clone(), which, (&code, None), 599));
        assert_eq!(approved.approved_at, Some(act(599, "").at));
        not_found(check_as(approved, which, (&code, None), 599));
        not_found(check_as(next.clone(), which, (&code, None), 600));
    }
}

#[test]
fn five_wrong_codes_are_compared_and_then_none_until_it_expires() {
    let Started { mut next, code, .. } = start(none(), SERVICE, 0).expect("room");
    for at in 0..5 {
        next = wrong(check(next, &guess(&code, false), at));
    }
    limited(check(next.clone(), &guess(&code, true), 10), 590);
    limited(check(next.clone(), &guess(&code, true), 599), 1);
    not_found(check(next.clone(), &guess(&code, true), 600));
    // Its account sees why, and can start another one.
    let shown = next.show(&policy(), &keys(), service(SERVICE), Which::To(&phone()), act(10, "").at);
    assert_eq!(shown.map(|shown| shown.status), Some(Status::MaxAttemptsReached));
    let Started { next, code: other, .. } = start(next, SERVICE, 20).expect("room");
    right(check(next, &guess(&other, true), 20));
    assert_ne!(code.expose(), other.expose());
}

#[test]
fn the_guess_ledger_survives_everything_but_time() {
    let mut record = none();
    let mut compared = 0;
    // As many verifications, of as many services, as it takes.
    for n in 0..8 {
        let of = u8::try_from(n).expect("small") + 1;
        let Started { mut next, code, .. } = start(record, of, n * 10).expect("room");
        for _ in 0..5 {
            let given = guess(&code, false);
            let judged = next.clone().check(
                &policy(),
                &keys(),
                (service(of), Which::To(&phone())),
                (&given, None),
                &act(n * 10, "a guess"),
            );
            match judged {
                Judged::Wrong { next: after, .. } => {
                    compared += 1;
                    next = after;
                }
                Judged::Limited(_) => {}
                other => panic!("{other:?}"),
            }
        }
        record = next;
    }
    assert_eq!(compared, 20);
    // A right one is refused then, until the day is over.
    let Started { next, code, .. } = start(record, SERVICE, 86_398).expect("room");
    limited(check(next.clone(), &guess(&code, true), 86_399), 1);
    right(check(next, &guess(&code, true), 86_400));
}

#[test]
fn no_more_than_the_published_budget_is_compared_in_thirty_days() {
    let (mut record, mut compared) = (none(), 0);
    for day in 0..30 {
        for n in 0..10 {
            let at = day * 86_400 + n * 700;
            let Started { mut next, code, .. } = start(record, SERVICE, at).expect("room");
            for _ in 0..5 {
                if let Judged::Wrong { next: after, .. } = check(next.clone(), &guess(&code, false), at) {
                    compared += 1;
                    next = after;
                }
            }
            record = next;
        }
    }
    assert_eq!(compared, 60);
}

#[test]
fn another_payment_is_another_verification_and_a_wrong_code() {
    let payment = |amount: &str| Payment {
        amount: amount.into(),
        payee: "Shop".into(),
    };
    let (ours, other) = (payment("9.99"), payment("9.98"));
    let to = phone();
    let request = StartRequest {
        payment: Some(&ours),
        ..request(SERVICE, &to)
    };
    let Started { next, code, shown, .. } = start_with(none(), &request, 0).expect("room");
    assert_eq!(shown.payment, Some(ours.clone()));
    let code = guess(&code, true);
    for given in [None, Some(&other)] {
        wrong(check_as(next.clone(), Which::To(&to), (&code, given), 1));
    }
    right(check_as(next.clone(), Which::To(&to), (&code, Some(&ours)), 1));
    let again = start_with(next.clone(), &request, 1).expect("room");
    assert_eq!(again.shown.sid, shown.sid);
    let request = StartRequest {
        payment: Some(&other),
        ..request
    };
    assert_ne!(start_with(next, &request, 1).expect("room").shown.sid, shown.sid);
}

#[test]
fn a_chosen_code_is_compared_and_replaced_by_the_next_start() {
    let (to, chosen) = (phone(), Code::parse("1234").expect("digits"));
    let request = StartRequest {
        custom: Some(&chosen),
        ..request(SERVICE, &to)
    };
    let Started { next, code, shown, .. } = start_with(none(), &request, 0).expect("room");
    assert_eq!(code.expose(), "1234");
    right(check(next.clone(), &chosen, 1));
    let again = start(next, SERVICE, 1).expect("room");
    assert_eq!((again.shown.sid, again.code.expose().len()), (shown.sid, 6));
    wrong(check(again.next.clone(), &chosen, 1));
    right(check(again.next, &guess(&again.code, true), 1));
}

#[test]
fn a_message_that_was_not_sent_leaves_nothing_that_blocks_a_retry() {
    let first = start(none(), SERVICE, 0).expect("room");
    let attempt = |byte| AttemptSid::from_bytes([byte; 16]);
    let back = first.next.clone().take_back(&attempt(9), "start at 0");
    assert!(back.show(&policy(), &keys(), service(SERVICE), Which::To(&phone()), act(0, "").at).is_none());
    assert_eq!((back.version, back.entries[0].sends.len()), (2, 0));
    // A resend that was not sent leaves the verification.
    let to = phone();
    let request = StartRequest {
        attempt: attempt(10),
        ..request(SERVICE, &to)
    };
    let second = start_with(first.next, &request, 5).expect("room");
    let back = second.next.take_back(&attempt(10), "start at 5");
    assert_eq!(back.entries[0].sends.len(), 1);
    right(check(back, &guess(&first.code, true), 6));
}

#[test]
fn addresses_of_one_mailbox_share_the_ledger_and_nothing_else() {
    let [one, tagged] =
        ["maria@example.com", "maria+x@example.com"].map(|text| Destination::parse(text).expect("good"));
    let first = start_with(none(), &request(SERVICE, &one), 0).expect("room");
    let second = start_with(first.next, &request(SERVICE, &tagged), 0).expect("room");
    assert_ne!(first.shown.sid, second.shown.sid);
    let code = guess(&first.code, true);
    let record = wrong(check_as(second.next, Which::To(&tagged), (&code, None), 1));
    let record = right(check_as(record, Which::To(&one), (&code, None), 1));
    assert_eq!(record.ledger.0.len(), 2);
    let record = right(check_as(record, Which::To(&tagged), (&guess(&second.code, true), None), 1));
    assert_eq!(record.ledger.0.len(), 3);
}

#[test]
fn an_approval_is_remembered_as_long_as_guesses() {
    let first = start(none(), SERVICE, 0).expect("room");
    assert_eq!(first.next.trust(&policy(), act(0, "").at), Trust::New);
    let record = right(check(first.next, &guess(&first.code, true), 0));
    let month = 30 * 86_400;
    assert_eq!(record.trust(&policy(), act(month - 1, "").at), Trust::Established);
    assert_eq!(record.trust(&policy(), act(month, "").at), Trust::New);
    assert_eq!(record.forget_at, act(month, "").at);
}

#[test]
fn a_deleted_key_hides_what_it_encrypted() {
    let Started { next, code, .. } = start(none(), SERVICE, 0).expect("room");
    let other = VerificationKeys::of(&ring(&[2]));
    let which = (service(SERVICE), Which::To(&phone()));
    let code = guess(&code, true);
    let judged = next.check(&policy(), &other, which, (&code, None), &act(1, "a guess"));
    not_found(judged);
}

#[test]
fn the_debug_output_has_neither_code_nor_destination() {
    let Started { next, code, shown, .. } = start(none(), SERVICE, 0).expect("room");
    let text = format!("{next:?} {shown:?}");
    assert!(!text.contains(code.expose()) && !text.contains("5017122"), "{text}");
}
