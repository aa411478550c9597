use rand::rngs::SysRng;

use super::*;
use crate::domain::{
    crypto::{key::tests::ring, secret::tests::Broken},
    limits::rate_limit::Window,
};

const ALNUM: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

fn policy() -> Policy {
    Policy {
        shape: Shape::new(32, ALNUM).expect("the default"),
        by_purpose: BTreeMap::from([("PHONE".into(), Shape::new(8, "0123456789").expect("fine"))]),
        lifetime: 600,
        retention: 86_400,
        guesses: RateLimit::new(vec![Window {
            max: 10,
            seconds: 86_400,
        }]),
        issues: RateLimit::new(vec![Window { max: 10, seconds: 3600 }]),
    }
}

fn binding(client: &str, username: &str, purpose: &str) -> Binding {
    Binding {
        client: ClientId::parse(client).expect("well-formed"),
        username: Label::parse(username.into()).expect("well-formed"),
        purpose: Label::parse(purpose.into()).expect("well-formed"),
    }
}

fn issue(binding: &Binding, keys: &Keyring<Passcodes>) -> (Passcode, Secret) {
    Passcode::issue(&policy(), binding, keys, &mut SysRng, Timestamp::from_millis(1_600_000)).expect("entropy")
}

#[test]
fn the_passcode_and_its_id_identify_one_row() {
    let keys = ring(&[1]);
    let binding = binding("heatclinic", "test@test.com", "TEST_PURPOSE");
    let (passcode, text) = issue(&binding, &keys);
    assert_eq!(Handle::of(keys.signing(), &binding, &text), passcode.id.handle());
    assert_eq!(PasscodeId::parse(passcode.id.as_str()), Some(passcode.id.clone()));
    assert_eq!(Ulid::from_string(passcode.id.as_str()).expect("a ULID").timestamp_ms(), 1_600_000);
    assert!(policy().shape("TEST_PURPOSE").fits(text.expose()));
}

#[test]
fn another_binding_identifies_another_row() {
    let keys = ring(&[1]);
    let mine = binding("c", "user", "purpose");
    let (passcode, text) = issue(&mine, &keys);
    let found = |key: &Key<_>, binding: &Binding| Handle::of(key, binding, &text) == passcode.id.handle();
    assert!(found(keys.signing(), &mine));
    for other in [
        binding("C", "user", "purpose"),
        binding("c", "User", "purpose"),
        binding("c", "user ", "purpose"),
        binding("c", "user", "Purpose"),
        binding("c", "user", "purpose "),
        binding("c", "userp", "urpose"),
    ] {
        assert!(!found(keys.signing(), &other), "{other:?}");
    }
    assert!(!found(ring(&[2]).signing(), &mine), "another key");
}

#[test]
fn all_80_bits_of_the_digest_are_in_the_id() {
    let (keys, mine) = (ring(&[1]), binding("c", "user", "purpose"));
    let (passcode, text) = issue(&mine, &keys);
    let mut mac = Hmac::<Sha256>::new_from_slice(keys.signing().bytes()).expect("HMAC takes a key of any length");
    mac.update(&framed(&[b"passcode", &mine.bytes(), text.expose().as_bytes()]));
    let id = Ulid::from_string(passcode.id.as_str()).expect("a ULID").to_bytes();
    assert_eq!(id[6..], mac.finalize().into_bytes()[..10]);
    assert_eq!(passcode.id.handle().as_str(), &passcode.id.as_str()[10..]);
}

#[test]
fn each_binding_has_its_own_rate_limits() {
    let bindings = [
        ("c", "user", "purpose"),
        ("C", "user", "purpose"),
        ("c", "userp", "urpose"),
        ("c", "user", "purpose "),
    ];
    let keys = bindings.map(|(client, username, purpose)| binding(client, username, purpose));
    let keys: Vec<_> = keys.iter().flat_map(|one| [one.guesses_key(), one.issues_key()]).collect();
    let different: std::collections::HashSet<_> = keys.iter().collect();
    assert_eq!(different.len(), keys.len());
}

#[test]
fn a_label_is_256_bytes_at_most_without_control_characters() {
    for (text, good) in [
        (String::new(), false),
        ("a".into(), true),
        ("a".repeat(256), true),
        ("a".repeat(257), false),
        ("a\nb".into(), false),
        ("\u{7f}".into(), false),
    ] {
        assert_eq!(Label::parse(text.clone()).is_some(), good, "{text:?}");
    }
}

#[test]
fn old_keys_still_identify_old_passcodes() {
    let binding = binding("c", "user", "purpose");
    let (passcode, text) = issue(&binding, &ring(&[1]));
    let both = ring(&[1, 2]);
    assert!(both.iter().any(|key| Handle::of(key, &binding, &text) == passcode.id.handle()));
}

#[test]
fn a_passcode_is_valid_until_it_is_used_or_expires() {
    let (mut passcode, _) = issue(&binding("c", "user", "purpose"), &ring(&[1]));
    for (seconds, valid) in [(1600, true), (2199, true), (2200, false), (2201, false)] {
        assert_eq!(passcode.is_valid(Timestamp::from_seconds(seconds)), valid, "{seconds}");
    }
    passcode.used = Some(Used {
        at: Timestamp::from_seconds(1700),
        by: "request".into(),
    });
    assert!(!passcode.is_valid(Timestamp::from_seconds(1701)));
    assert!(passcode.was_used_by("request") && !passcode.was_used_by("another"));
}

#[test]
fn passcode_formats_have_bounds() {
    for (length, alphabet, good) in [
        (32, ALNUM, true),
        (6, "0123456789", true),
        (5, "0123456789", false),
        (20, "01", true),
        (19, "01", false),
        (32, "0", false),
        (32, "aa", false),
        (32, "a b", false),
        (32, "aé", false),
        (128, ALNUM, true),
        (129, ALNUM, false),
        (3, ALNUM, false),
    ] {
        assert_eq!(Shape::new(length, alphabet).is_ok(), good, "{length} of {alphabet}");
    }
    assert!(policy().shape("PHONE").is_short());
    assert!(!policy().shape("anything else").is_short());
    assert!(Shape::new(10, ALNUM).expect("fine").is_short(), "59.5 bits");
    assert!(!Shape::new(11, ALNUM).expect("fine").is_short(), "65.5 bits");
    assert!(!Shape::new(64, "01").expect("fine").is_short(), "exactly 2^64 is enough");
}

#[test]
fn only_characters_of_the_alphabet_fit() {
    let shape = Shape::new(6, "0123456789").expect("fine");
    for (text, fits) in [
        ("012345", true),
        ("12345", false),
        ("1234567", false),
        ("+12345", false),
        ("١٢٣", false),
        ("01234 ", false),
    ] {
        assert_eq!(shape.fits(text), fits, "{text}");
    }
}

#[test]
fn ids_are_read_in_any_letter_case_and_written_in_upper_case() {
    const ID: &str = "01FM98Y1WCT0KT0AT56TMJ1973";
    for (text, good) in [
        (ID, true),
        ("01fm98y1wct0kt0at56tmj1973", true),
        ("01FM98Y1WCT0kt0at56tmj1973", true),
        ("01FM98Y1WCT0KT0AT56TMJ197", false),
        ("O1FM98Y1WCT0KT0AT56TMJ1973", false),
        ("01FM98Y1WCT0KT0AT56TMJ197l", false),
        ("8ZZZZZZZZZZZZZZZZZZZZZZZZZ", false),
        ("", false),
    ] {
        let read = PasscodeId::parse(text);
        assert_eq!(read.as_ref().map(PasscodeId::as_str), good.then_some(ID), "{text}");
    }
}

#[test]
fn without_entropy_there_is_no_passcode() {
    let binding = binding("c", "user", "purpose");
    let at = Timestamp::from_seconds(0);
    assert!(Passcode::issue(&policy(), &binding, &ring(&[1]), &mut Broken, at).is_err());
}
