//! The rules on codes, at their boundaries.

use rand::rngs::SysRng;

use super::*;
use crate::domain::{
    crypto::{key::tests::ring, secret::tests::Broken},
    limits::rate_limit::{RateLimit, Window},
    people::{factor::Trust, phone::Phone},
};

const FLOW: [u8; 16] = [1; 16];
const USER: [u8; 16] = [9; 16];

fn policy() -> Policy {
    let window = |max, seconds| RateLimit::new(vec![Window { max, seconds }]);
    Policy {
        length: 6,
        lifetime: 300,
        max_attempts: 3,
        sends: window(3, 60),
        first_day_sends: 2,
        guesses: window(5, 1000),
    }
}

fn phone(text: &str) -> Phone {
    Phone::parse(text).expect("a phone")
}

fn binding<'a>(phone: &'a Phone, flow: &'a [u8; 16]) -> Binding<'a> {
    Binding {
        user: UserId::from_bytes(USER),
        factor_type: FactorType::Sms,
        factor_at: Timestamp::from_seconds(0),
        phone,
        flow,
        purpose: Purpose::SignIn,
    }
}

fn hit(seconds: u64) -> Hit {
    Hit {
        at: Timestamp::from_seconds(seconds),
        by: format!("invocation {seconds}"),
    }
}

fn none() -> Otps {
    Otps::none(UserId::from_bytes(USER), FactorType::Sms)
}

fn issue(otps: Otps, binding: &Binding<'_>, keys: &Keyring<OtpCodes>, at: u64) -> (Otps, Secret) {
    otps.issue(&policy(), binding, None, keys, &hit(at), &mut SysRng)
        .expect("the system has entropy")
        .expect("there is room")
}

fn guess(text: &str) -> Code {
    Code::parse(text, 6).expect("six digits")
}

/// The same digits, except for the last.
fn wrong(code: &Secret) -> Code {
    let (first, last) = code.expose().split_at(5);
    guess(&format!("{first}{}", if last == "0" { "1" } else { "0" }))
}

#[derive(Clone, Copy)]
enum Act {
    Issue,
    TakeBack,
    Right,
    Wrong,
    Stranger,
}

/// Runs the steps, each at its second. Compares the outcome: an answer each, then the code's status and attempts, and
/// how many guesses and sends count.
fn check(steps: &[(Act, u64)], answers: &[&str], left: (&str, u64, usize, usize)) {
    let (keys, phone) = (ring(&[1]), phone("+380885550130"));
    let (own, other) = (binding(&phone, &FLOW), binding(&phone, &[2; 16]));
    let (mut otps, mut code) = (none(), Secret::new("000000".into()));
    let mut found = Vec::new();
    let mut sent_at = 0;
    for (step, at) in steps {
        let (before, act) = (otps.clone(), hit(*at));
        let judge =
            |binding, guess| before.clone().judge(&policy(), &Guess::Sms(binding, &guess), Ledger::User, &keys, &act);
        let judged = match step {
            Act::Issue => {
                match before
                    .clone()
                    .issue(&policy(), &own, None, &keys, &act, &mut SysRng)
                    .expect("the system has entropy")
                {
                    Ok((next, secret)) => {
                        (otps, code, sent_at) = (next, secret, *at);
                        found.push("sent".to_owned());
                    }
                    Err(RateLimited { retry_after }) => found.push(format!("wait {retry_after}")),
                }
                continue;
            }
            Act::TakeBack => {
                let id = before.code.as_ref().expect("a code was sent").id;
                otps = before.clone().take_back(&id, &self::hit(sent_at));
                found.push("taken back".to_owned());
                continue;
            }
            Act::Right => judge(&own, guess(code.expose())),
            Act::Wrong => judge(&own, wrong(&code)),
            Act::Stranger => judge(&other, guess(code.expose())),
        };
        found.push(match judged {
            Judged::Limited(RateLimited { retry_after }) => format!("wait {retry_after}"),
            Judged::Failed { next, why } => {
                otps = next;
                match why {
                    Failure::Invalid => "invalid",
                    Failure::Expired => "expired",
                    Failure::ReachedMaxAttempts => "too many",
                }
                .to_owned()
            }
            Judged::Right { next, .. } => {
                otps = next;
                "right".to_owned()
            }
        });
    }
    assert_eq!(found, answers);
    let changes = answers.iter().filter(|answer| !answer.starts_with("wait"));
    assert_eq!(otps.version, changes.count() as u64, "each change is a new version");
    assert!(
        otps.guesses.iter().chain(&otps.sends).all(|act| otps.forget_at >= act.at.deadline(1000)),
        "what counts is not forgotten"
    );
    let status = otps.code.as_ref().map_or(("none", 0), |otp| (otp.status.name(), otp.attempts));
    assert_eq!((status.0, status.1, otps.guesses.len(), otps.sends.len()), left);
}

#[test]
fn a_code_is_single_use_and_valid_until_it_expires() {
    use Act::{Issue, Right};
    check(&[(Issue, 0), (Right, 299)], &["sent", "right"], ("VERIFIED", 1, 1, 1));
    check(&[(Issue, 0), (Right, 300)], &["sent", "expired"], ("EXPIRED", 0, 0, 1));
    check(
        &[(Issue, 0), (Right, 1), (Right, 2), (Right, 301)],
        &["sent", "right", "invalid", "invalid"],
        ("VERIFIED", 1, 1, 1),
    );
    check(&[(Issue, 0), (Right, 300), (Right, 299)], &["sent", "expired", "expired"], ("EXPIRED", 0, 0, 1));
    check(&[(Right, 0)], &["invalid"], ("none", 0, 0, 0));
}

#[test]
fn three_guesses_are_compared_and_a_fourth_is_not() {
    use Act::{Issue, Right, Wrong};
    check(
        &[(Issue, 0), (Wrong, 1), (Wrong, 2), (Right, 3)],
        &["sent", "invalid", "invalid", "right"],
        ("VERIFIED", 3, 3, 1),
    );
    check(
        &[(Issue, 0), (Wrong, 1), (Wrong, 2), (Wrong, 3), (Right, 4), (Right, 400)],
        &["sent", "invalid", "invalid", "invalid", "too many", "too many"],
        ("UNVERIFIED", 3, 3, 1),
    );
    check(
        &[(Issue, 0), (Wrong, 1), (Wrong, 2), (Wrong, 3), (Right, 300)],
        &["sent", "invalid", "invalid", "invalid", "expired"],
        ("EXPIRED", 3, 3, 1),
    );
}

#[test]
fn neither_a_new_nor_a_correct_code_resets_the_count_of_guesses() {
    use Act::{Issue, Right, Wrong};
    check(
        &[
            (Issue, 0),
            (Wrong, 1),
            (Wrong, 2),
            (Issue, 3),
            (Wrong, 4),
            (Right, 5),
            (Issue, 6),
            (Wrong, 7),
            (Right, 8),
        ],
        &[
            "sent", "invalid", "invalid", "sent", "invalid", "right", "sent", "invalid", "wait 993",
        ],
        ("NEW", 1, 5, 3),
    );
    check(
        &[
            (Issue, 0),
            (Wrong, 1),
            (Wrong, 2),
            (Issue, 3),
            (Wrong, 4),
            (Wrong, 5),
            (Wrong, 6),
            (Right, 7),
        ],
        &[
            "sent", "invalid", "invalid", "sent", "invalid", "invalid", "invalid", "too many",
        ],
        ("UNVERIFIED", 3, 5, 2),
    );
}

#[test]
fn another_login_neither_consumes_nor_invalidates_a_code() {
    use Act::{Issue, Right, Stranger};
    check(
        &[(Issue, 0), (Stranger, 1), (Stranger, 2), (Stranger, 3), (Right, 4)],
        &["sent", "invalid", "invalid", "invalid", "right"],
        ("VERIFIED", 1, 1, 1),
    );
}

#[test]
fn sends_are_rate_limited_and_failed_sends_are_refunded() {
    use Act::{Issue, Right, TakeBack};
    check(
        &[(Issue, 0), (Issue, 1), (Issue, 2), (Issue, 59), (Issue, 60)],
        &["sent", "sent", "sent", "wait 1", "sent"],
        ("NEW", 0, 0, 3),
    );
    check(
        &[(Issue, 0), (TakeBack, 1), (Issue, 2), (Issue, 3), (Issue, 4)],
        &["sent", "taken back", "sent", "sent", "sent"],
        ("NEW", 0, 0, 3),
    );
    check(
        &[(Issue, 0), (TakeBack, 1), (Right, 2), (TakeBack, 3)],
        &["sent", "taken back", "invalid", "taken back"],
        ("CANCELED", 0, 0, 0),
    );
    check(&[(Issue, 0), (Right, 1), (TakeBack, 2)], &["sent", "right", "taken back"], ("VERIFIED", 1, 1, 0));
}

#[test]
fn a_failed_send_does_not_revoke_a_newer_code() {
    let (keys, phone) = (ring(&[1]), phone("+380885550130"));
    let binding = binding(&phone, &FLOW);
    let (first, _) = issue(none(), &binding, &keys, 0);
    let id = first.code.as_ref().expect("a code was made").id;
    let (second, new) = issue(first, &binding, &keys, 1);
    let after = second.take_back(&id, &hit(0));
    assert_eq!(after.sends, [hit(1)]);
    let judged = after.judge(&policy(), &Guess::Sms(&binding, &guess(new.expose())), Ledger::User, &keys, &hit(2));
    assert!(matches!(judged, Judged::Right { .. }));
}

#[test]
fn a_code_is_valid_for_its_own_binding_only() {
    let keys = ring(&[1]);
    let (mine, other) = (phone("+380885550130"), phone("+380885550131"));
    let own = binding(&mine, &FLOW);
    let (otps, code) = issue(none(), &own, &keys, 0);
    let check = |otps: &Otps, binding: &Binding<'_>, keys: &Keyring<OtpCodes>, right: bool| {
        let judged =
            otps.clone()
                .judge(&policy(), &Guess::Sms(binding, &guess(code.expose())), Ledger::User, keys, &hit(1));
        let (next, found) = match judged {
            Judged::Right { next, .. } => (next, true),
            Judged::Failed { next, why } => (next, why != Failure::Invalid),
            Judged::Limited(_) => panic!("there is room"),
        };
        assert_eq!(found, right, "{binding:?}");
        assert_eq!(next.guesses.len(), 1, "it was compared, and it counts");
    };
    check(&otps, &own, &keys, true);
    let user = UserId::from_bytes([8; 16]);
    check(&otps, &Binding { user, ..own }, &keys, false);
    check(&otps, &Binding { phone: &other, ..own }, &keys, false);
    let factor_at = Timestamp::from_seconds(1);
    check(&otps, &Binding { factor_at, ..own }, &keys, false);
    let purpose = Purpose::Approval;
    check(&otps, &Binding { purpose, ..own }, &keys, false);
    check(&otps, &own, &ring(&[1, 2]), true);
    check(&otps, &own, &ring(&[2]), false);
    let mut moved = otps.clone();
    moved.code.as_mut().expect("a code was made").id = [0; 16];
    check(&moved, &own, &keys, false);
}

#[test]
fn the_newest_key_signs_codes() {
    let phone = phone("+380885550130");
    let (otps, code) = issue(none(), &binding(&phone, &FLOW), &ring(&[1, 2]), 0);
    let status = otps.code.expect("a code was made").status;
    assert!(matches!(status, Status::New(CodeDigest { key: 2, .. })));
    assert!(Code::parse(code.expose(), 6).is_some(), "six digits");
}

#[test]
fn without_entropy_there_is_no_code() {
    let phone = phone("+380885550130");
    let made = none().issue(&policy(), &binding(&phone, &FLOW), None, &ring(&[1]), &hit(0), &mut Broken);
    assert!(made.is_err());
}

#[test]
fn an_account_has_a_lower_rate_limit_of_messages_until_its_first_day_ends() {
    let (keys, phone) = (ring(&[1]), phone("+380885550130"));
    let binding = binding(&phone, &FLOW);
    // Three in any 1,000 seconds; two before second 2000.
    let policy = Policy {
        sends: RateLimit::new(vec![Window { max: 3, seconds: 1000 }]),
        ..policy()
    };
    let acts = |times: &[u64]| times.iter().map(|at| hit(*at)).collect::<Vec<_>>();
    let issue = |otps: Otps, at, ends| {
        let issued = otps.issue(&policy, &binding, ends, &keys, &hit(at), &mut SysRng);
        issued.expect("the system has entropy").map(|(next, _)| next)
    };
    let ends = Some(Timestamp::from_seconds(2000));
    // The messages sent, and those of them sent while the factor was not established; then the next, and what counts of
    // the first day.
    for (times, counted, at, ends, expected) in [
        (&[][..], &[][..], 1000, ends, Ok(&[1000][..])),
        (&[1000], &[1000], 1001, ends, Ok(&[1000, 1001])),
        (&[1000, 1001], &[1000, 1001], 1001, ends, Err(999)),
        (&[1000, 1001], &[1000, 1001], 1999, ends, Err(1)),
        (&[1000, 1001], &[1000, 1001], 2000, ends, Ok(&[1000, 1001])),
        // An established factor has no first-day limit, and its messages do not count towards it.
        (&[1000, 1001], &[1000, 1001], 1001, None, Ok(&[1000, 1001])),
        (&[1000, 1001], &[], 1001, None, Ok(&[])),
        (&[1000, 1001], &[], 1001, ends, Ok(&[1001])),
        // Messages of any age on that day count.
        (&[], &[10, 11], 1900, ends, Err(100)),
        // The longest wait applies, and a refused message does not count.
        (&[1997, 1998, 1998], &[1997, 1998], 1999, ends, Err(998)),
        (&[900, 901, 902], &[900, 901], 1000, ends, Err(1000)),
        (&[900, 901, 902], &[], 1000, ends, Err(900)),
    ] {
        let otps = Otps {
            sends: acts(times),
            first_day: acts(counted),
            ..none()
        };
        let found = issue(otps, at, ends).map(|next| next.first_day);
        let expected = expected.map_err(|retry_after| RateLimited { retry_after });
        assert_eq!(found, expected.map(acts), "{times:?}, {counted:?}, then {at}");
    }
    // A message that could not be sent does not count towards the first day.
    let once = issue(none(), 1000, ends).expect("there is room");
    let twice = issue(once, 1001, ends).expect("there is room");
    let id = twice.code.as_ref().expect("it was sent").id;
    let back = twice.take_back(&id, &hit(1001));
    assert_eq!((&back.first_day, &back.sends), (&acts(&[1000]), &acts(&[1000])));
}

#[test]
fn the_country_and_trust_of_a_message_are_stored_with_its_code() {
    let (keys, phone) = (ring(&[1]), phone("+380885550130"));
    let binding = binding(&phone, &FLOW);
    let message = quota::Message {
        country: "380".into(),
        trust: Trust::New,
    };
    let (otps, code) = issue(none(), &binding, &keys, 0);
    assert_eq!(otps.code.as_ref().and_then(|otp| otp.message.clone()), None);
    let otps = otps.counted_as(message.clone());
    let judged = otps.judge(&policy(), &Guess::Sms(&binding, &guess(code.expose())), Ledger::User, &keys, &hit(1));
    let Judged::Right {
        next,
        proof: Proof::Sms,
    } = judged
    else {
        panic!("{judged:?}");
    };
    let otp = next.code.clone().expect("it stays, used up");
    assert_eq!((otp.message, otp.issued_at), (Some(message), hit(0).at));
    // The next code is another message.
    let (next, _) = issue(next, &binding, &keys, 2);
    assert_eq!(next.code.and_then(|otp| otp.message), None);
}
