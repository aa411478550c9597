use rand::rngs::SysRng;

use super::*;
use crate::domain::crypto::secret::tests::Broken;

fn user() -> UserId {
    UserId::draw(&mut SysRng).expect("the system has entropy")
}

#[test]
fn a_new_factor_is_active_and_empty() {
    let (user, now) = (user(), Timestamp::from_seconds(7));
    let factor = Factor::new(user, FactorType::Sms, &mut SysRng, now).expect("the system has entropy");
    assert_eq!((&factor.value, factor.is_active), (&Value::Sms(None), true));
    assert_eq!((factor.inserted_at, factor.updated_at), (now, now));
    assert!(Factor::new(user, FactorType::Sms, &mut Broken, now).is_err());
}

#[test]
fn a_factor_is_established_by_the_operator_or_after_a_day_and_a_code() {
    const SET_AT: u64 = 100;
    let (old, never) = (Some(SET_AT), None);
    for (set_at, by_operator, verified, now, established) in [
        // Set by the operator: at once, whether or not codes were verified.
        (old, true, never, SET_AT, true),
        // A day, to the second, and a verified code.
        (old, false, old, SET_AT, false),
        (old, false, old, SET_AT + DAY - 1, false),
        (old, false, old, SET_AT + DAY, true),
        // A day alone is not enough, nor is a code sent to the previous phone.
        (old, false, never, SET_AT + DAY, false),
        (old, false, never, SET_AT + 100 * DAY, false),
        (old, false, Some(SET_AT - 1), SET_AT + DAY, false),
        // A row that predates the field: as old as its last change, which was 50 seconds later.
        (None, false, never, SET_AT + DAY, false),
        (None, false, never, SET_AT + 50 + DAY - 1, false),
        (None, false, never, SET_AT + 50 + DAY, true),
    ] {
        let at = Timestamp::from_seconds;
        let phone = FactorPhone {
            number: Phone::from_stored("+380881234530").expect("a phone"),
            set_at: set_at.map(at),
            by_operator,
        };
        let empty = Factor::new(user(), FactorType::Sms, &mut SysRng, at(0)).expect("the system has entropy");
        let factor = empty.clone().with(Value::Sms(Some(phone)), at(SET_AT + 50));
        let found = factor.trust(verified.map(at), at(now));
        let expected = if established { Trust::Established } else { Trust::New };
        assert_eq!(found, expected, "{set_at:?}, {by_operator}, {verified:?} at {now}");
        assert_eq!(Trust::parse(found.name()), Some(found));
        assert_eq!(empty.trust(verified.map(at), at(now)), Trust::New);
    }
}

/// A phone, a secret and a set of codes, whatever they are.
fn value(factor_type: FactorType) -> Value {
    match factor_type {
        FactorType::Sms => Value::Sms(Some(FactorPhone {
            number: Phone::from_stored("+380881234530").expect("a phone"),
            set_at: None,
            by_operator: false,
        })),
        FactorType::Totp => Value::Totp(Some(Encrypted {
            key: 1,
            nonce: [0; 12],
            bytes: vec![1],
        })),
        FactorType::RecoveryCodes => Value::RecoveryCodes(RecoveryCodes {
            key: 1,
            unused: [[7; 32]].into(),
        }),
    }
}

#[test]
fn active_factors_are_required_and_those_with_a_value_complete_a_login() {
    use FactorType::{RecoveryCodes, Sms, Totp};
    let now = Timestamp::from_seconds(0);
    let factor = |factor_type, is_active, is_set| {
        let empty = Factor::new(user(), factor_type, &mut SysRng, now).expect("the system has entropy");
        let value = if is_set {
            value(factor_type)
        } else {
            Value::none(factor_type)
        };
        Factor {
            is_active,
            ..empty.with(value, now)
        }
    };
    for (factors, required, methods) in [
        (vec![], false, vec![]),
        (vec![factor(Sms, false, true)], false, vec![]),
        (vec![factor(Sms, true, false)], true, vec![]),
        (vec![factor(Sms, true, true)], true, vec![Sms]),
        (vec![factor(Totp, true, false)], true, vec![]),
        (vec![factor(Totp, false, true), factor(Sms, true, true)], true, vec![Sms]),
        (vec![factor(Sms, true, false), factor(Totp, true, true)], true, vec![Totp]),
        (vec![factor(Sms, true, true), factor(Totp, true, true)], true, vec![Totp, Sms]),
        (vec![factor(RecoveryCodes, true, true)], false, vec![]),
    ] {
        let factors = Factors(factors);
        assert_eq!(factors.are_required(), required, "{factors:?}");
        assert_eq!(factors.methods(), methods, "{factors:?}");
        assert_eq!(factors.are_set(), !methods.is_empty(), "{factors:?}");
    }
}

#[test]
fn a_factor_type_has_one_name() {
    for (name, factor_type) in [
        ("SMS", Some(FactorType::Sms)),
        ("sms", None),
        ("TOTP", Some(FactorType::Totp)),
        ("RECOVERY_CODES", Some(FactorType::RecoveryCodes)),
        ("", None),
    ] {
        assert_eq!(FactorType::parse(name), factor_type, "{name:?}");
    }
}

#[test]
fn a_factor_key_round_trips() {
    let key = FactorType::Sms.of(user());
    assert_eq!(FactorKey::parse(&key.text()), Some(key));
    let id = key.user.text();
    for other in [
        id.clone(),
        format!("{id} sms"),
        format!("{id}  SMS"),
        "SMS".into(),
        String::new(),
    ] {
        assert_eq!(FactorKey::parse(&other), None, "{other:?}");
    }
}
