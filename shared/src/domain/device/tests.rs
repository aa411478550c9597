use rand::rngs::SysRng;

use super::*;
use crate::domain::{
    auth::lockout::{Block, Lockout, Why},
    limits::rate_limit::Window,
    people::{
        factor::{FactorPhone, FactorType},
        phone::Phone,
        user::tests::user,
    },
};

const POLICY: Policy = Policy {
    lifetime: 1000,
    remembered: 500,
};

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn client() -> ClientId {
    ClientId::parse("heatclinic").expect("well-formed")
}

fn new(user: &User, seconds: u64) -> (Device, Secret) {
    renew(user, None, None, seconds)
}

fn renew(user: &User, renewed: Option<&Device>, remembered: Option<Remembered>, seconds: u64) -> (Device, Secret) {
    let client = client();
    let new = NewDevice {
        user,
        client: &client,
        renewed,
        presented: None,
        remembered,
    };
    Device::issue(new, &POLICY, &mut SysRng, at(seconds)).expect("entropy")
}

/// A user with one device, added at second 100, and its token.
fn sample() -> (User, Devices, DeviceId, Secret) {
    let user = User {
        token_generation: 3,
        ..user()
    };
    let (device, text) = new(&user, 100);
    let (id, devices) = (device.id, Devices::none(user.id).with(device, at(100)));
    (user, devices, id, text)
}

fn blocked(user: &User, why: Why, until: Option<u64>) -> User {
    let block = Block {
        why,
        at: at(150),
        until: until.map(at),
    };
    User {
        lockout: Lockout {
            block: Some(block),
            ..Lockout::default()
        },
        ..user.clone()
    }
}

#[test]
fn a_device_token_has_its_id_and_256_random_bits() {
    let (_, devices, id, text) = sample();
    assert_eq!(text.expose().len(), 64);
    assert_eq!(id_of(&text), Some(id));
    assert_eq!(DeviceId::parse(&id.text()), Some(id));
    assert!(devices.list[0].token.digest.matches(&Digest::of(&text)));
    assert_ne!(new(&user(), 1).1.expose(), new(&user(), 1).1.expose());
    for malformed in [
        "",
        "a",
        &text.expose()[1..],
        &format!("{}A", text.expose()),
        &"é".repeat(32),
    ] {
        assert_eq!(id_of(&Secret::new(malformed.to_owned())), None, "{malformed}");
    }
}

#[test]
fn a_device_is_known_until_its_token_expires() {
    let (user, devices, id, text) = sample();
    for (now, is_known) in [(100, true), (1099, true), (1100, false)] {
        assert_eq!(devices.known(&user, &text, at(now)).map(|device| device.id), is_known.then_some(id), "{now}");
        assert_eq!(devices.known_by_id(&user, id, at(now)).is_some(), is_known, "{now}");
        assert_eq!(devices.live(&user, at(now)).count(), usize::from(is_known), "{now}");
    }
}

#[test]
fn a_device_is_known_only_with_its_own_token_and_to_its_own_user() {
    let (user, devices, id, text) = sample();
    let other = User {
        id: UserId::draw(&mut SysRng).expect("entropy"),
        ..user.clone()
    };
    assert!(devices.known(&other, &text, at(100)).is_none());
    assert!(devices.known_by_id(&other, id, at(100)).is_none());
    assert_eq!(devices.live(&other, at(100)).count(), 0);
    assert!(Devices::none(user.id).known(&user, &text, at(100)).is_none());
    // The right id with another secret.
    let forged = URL_SAFE_NO_PAD.encode([&id.as_bytes()[..], &[7; 32]].concat());
    assert!(devices.known(&user, &Secret::new(forged), at(100)).is_none());
}

#[test]
fn a_password_change_ends_a_device_and_an_administrators_block_hides_it() {
    let (user, devices, _, text) = sample();
    let later = User {
        token_generation: 4,
        ..user.clone()
    };
    for (user, is_known, is_live) in [
        (user.clone(), true, true),
        (later, false, false),
        (blocked(&user, Why::Passwords, None), true, true),
        (blocked(&user, Why::Otps, Some(300)), true, true),
        (blocked(&user, Why::Decision, None), false, true),
    ] {
        assert_eq!(devices.known(&user, &text, at(200)).is_some(), is_known, "{:?}", user.lockout);
        assert_eq!(devices.live(&user, at(200)).count(), usize::from(is_live), "{:?}", user.lockout);
    }
}

#[test]
fn five_failures_in_a_row_make_a_device_unknown() {
    let (user, mut devices, id, text) = sample();
    for failures in 1..=FAILURES {
        assert!(devices.known(&user, &text, at(100)).is_some(), "{failures}");
        devices = devices.failed(id, at(100));
        assert_eq!((devices.list[0].failures, devices.version), (failures, failures + 1));
    }
    assert!(devices.known(&user, &text, at(100)).is_none());
    // One login in between, and they are not in a row.
    let (_, mut devices, id, _) = sample();
    for _ in 1..FAILURES {
        devices = devices.failed(id, at(101));
    }
    devices = devices.completed(id, at(200)).failed(id, at(201));
    let device = devices.get(id).expect("it is there");
    assert_eq!((device.failures, device.last_used_at), (1, at(200)));
}

#[test]
fn a_failure_of_one_device_does_not_count_on_another() {
    let (user, devices, id, text) = sample();
    let (other, other_text) = new(&user, 100);
    let other_id = other.id;
    let mut devices = devices.with(other, at(100));
    for _ in 0..FAILURES {
        devices = devices.failed(other_id, at(100));
    }
    assert!(devices.known(&user, &other_text, at(100)).is_none());
    assert!(devices.known(&user, &text, at(100)).is_some());
    assert_eq!(devices.get(id).map(|device| device.failures), Some(0));
}

#[test]
fn a_renewed_device_keeps_its_id_and_its_guesses_and_gets_another_token() {
    let (user, devices, id, old) = sample();
    let hit = Hit {
        at: at(150),
        by: "invocation".into(),
    };
    let limit = RateLimit::new(vec![Window { max: 2, seconds: 50 }]);
    let guessed = devices.get(id).expect("it is there").judge_guess(&limit, &hit).expect("there is room");
    let devices = devices.with(guessed, at(150)).failed(id, at(150));
    let remembered = Some(Remembered {
        until: at(700),
        factors: [1; 32],
    });
    let (renewed, text) = renew(&user, devices.get(id), remembered, 200);
    let devices = devices.with(renewed, at(200));
    assert_eq!(devices.list.len(), 1);
    let device = devices.known(&user, &text, at(1199)).expect("known");
    assert_eq!((device.id, device.added_at, device.last_used_at), (id, at(100), at(200)));
    assert_eq!((device.failures, device.guesses.len(), device.remembered), (0, 1, remembered));
    assert!(devices.known(&user, &old, at(1099)).is_some(), "the response with the new one may be lost");
    assert!(devices.known(&user, &old, at(1100)).is_none(), "it does not live longer for that");
    assert!(devices.known(&user, &text, at(1200)).is_none());
    let (again, _) = renew(&user, devices.get(id), None, 300);
    assert_eq!(again.remembered, remembered, "a login without a second factor changes nothing about it");
}

#[test]
fn the_token_that_was_presented_outlives_its_replacement_once() {
    let (user, devices, id, first) = sample();
    let client = client();
    let renew = |devices: &Devices, presented: Option<&Secret>| {
        let new = NewDevice {
            user: &user,
            client: &client,
            renewed: devices.get(id),
            presented,
            remembered: None,
        };
        let (device, text) = Device::issue(new, &POLICY, &mut SysRng, at(200)).expect("entropy");
        (devices.with(device, at(200)), text)
    };
    let known =
        |devices: &Devices, texts: [&Secret; 3]| texts.map(|text| devices.known(&user, text, at(200)).is_some());
    // The second token is lost: the device presents the first one again.
    let (devices, second) = renew(&devices, Some(&first));
    let (devices, third) = renew(&devices, Some(&first));
    assert_eq!(known(&devices, [&first, &second, &third]), [true, false, true]);
    let (devices, fourth) = renew(&devices, Some(&third));
    assert_eq!(known(&devices, [&first, &third, &fourth]), [false, true, true]);
    // After a second factor, the newest one counts as presented.
    let (devices, fifth) = renew(&devices, None);
    assert_eq!(known(&devices, [&third, &fourth, &fifth]), [false, true, true]);
}

#[test]
fn a_devices_guesses_have_a_rate_limit_of_their_own() {
    let (_, devices, id, _) = sample();
    let limit = RateLimit::new(vec![Window { max: 2, seconds: 50 }]);
    let hit = |seconds| Hit {
        at: at(seconds),
        by: "invocation".into(),
    };
    let mut device = devices.get(id).expect("it is there").clone();
    for seconds in [100, 110] {
        device = device.judge_guess(&limit, &hit(seconds)).expect("there is room");
    }
    let refused = device.judge_guess(&limit, &hit(149)).expect_err("two in 50 seconds");
    assert_eq!(refused, RateLimited { retry_after: 1 });
    assert_eq!(device.judge_guess(&limit, &hit(150)).expect("there is room").guesses.len(), 2);
}

#[test]
fn the_device_used_longest_ago_makes_room_for_the_21st() {
    let user = user();
    let mut devices = Devices::none(user.id);
    let mut ids = Vec::new();
    for seconds in 0..MOST as u64 {
        let (device, _) = new(&user, seconds);
        ids.push(device.id);
        devices = devices.with(device, at(seconds));
    }
    // The oldest one was used again, so the second one goes.
    devices = devices.completed(ids[0], at(50));
    let (device, _) = new(&user, 60);
    devices = devices.with(device, at(60));
    assert_eq!(devices.list.len(), MOST);
    assert!(devices.get(ids[0]).is_some() && devices.get(ids[1]).is_none() && devices.get(ids[2]).is_some());
    // A renewal needs no room.
    let (renewed, _) = renew(&user, devices.get(ids[2]), None, 70);
    devices = devices.with(renewed, at(70));
    assert_eq!(devices.list.len(), MOST);
    assert!(devices.get(ids[3]).is_some());
}

#[test]
fn a_new_device_removes_those_that_have_ended() {
    let (user, devices, id, _) = sample();
    let later = User {
        token_generation: 4,
        ..user.clone()
    };
    for (user, now, is_kept) in [(&user, 1099, true), (&user, 1100, false), (&later, 1099, false)] {
        let (device, _) = new(user, now);
        assert_eq!(devices.with(device, at(now)).get(id).is_some(), is_kept, "{now}");
    }
}

#[test]
fn ended_devices_are_unknown_and_no_version_is_used_twice() {
    let (user, devices, id, text) = sample();
    let (other, _) = new(&user, 100);
    let two = devices.with(other, at(100));
    for (ended, left) in [(two.without(id, at(200)), 1), (two.without_all(at(200)), 0)] {
        assert!(ended.known(&user, &text, at(200)).is_none());
        assert_eq!((ended.version, ended.list.len()), (two.version + 1, left));
    }
    assert_eq!(two.forget_at, at(100 + MEMORY), "longer than a request runs");
    let long = Policy {
        lifetime: 2 * MEMORY,
        ..POLICY
    };
    let client = client();
    let new = NewDevice {
        user: &user,
        client: &client,
        renewed: None,
        presented: None,
        remembered: None,
    };
    let (device, _) = Device::issue(new, &long, &mut SysRng, at(300)).expect("entropy");
    assert_eq!(two.with(device, at(300)).forget_at, at(300 + 2 * MEMORY), "when the last one expires");
}

fn factor() -> Factor {
    Factor::new(user().id, FactorType::Sms, &mut SysRng, at(10)).expect("entropy")
}

#[test]
fn each_change_of_a_factor_changes_the_fingerprint() {
    let (factor, other) = (factor(), factor());
    let before = fingerprint(std::slice::from_ref(&factor));
    assert_eq!(before, fingerprint(std::slice::from_ref(&factor)));
    let both = [factor.clone(), other.clone()];
    assert_eq!(fingerprint(&both), fingerprint(&[other.clone(), factor.clone()]), "their order does not matter");
    let phone = FactorPhone {
        number: Phone::from_stored("+380881234530").expect("a phone"),
        set_at: None,
        by_operator: false,
    };
    let value = Value::Sms(Some(phone));
    let changed = [
        vec![],
        vec![other],
        both.to_vec(),
        vec![Factor {
            is_active: false,
            ..factor.clone()
        }],
        vec![Factor {
            updated_at: at(11),
            ..factor.clone()
        }],
        vec![Factor { value, ..factor }],
    ];
    for factors in changed {
        assert_ne!(fingerprint(&factors), before, "{factors:?}");
    }
}

#[test]
fn a_remembered_device_skips_the_second_factor_until_a_factor_changes() {
    let factors = [factor()];
    let changed = [Factor {
        updated_at: at(11),
        ..factors[0].clone()
    }];
    let user = user();
    let administrator = User {
        is_admin: true,
        ..user.clone()
    };
    let off = Policy {
        remembered: 0,
        ..POLICY
    };
    assert_eq!(off.remember(&factors, at(100)), None);
    let (remembered, _) = renew(&user, None, POLICY.remember(&factors, at(100)), 100);
    let (known, _) = new(&user, 100);
    for (device, policy, user, factors, now, skips) in [
        (&remembered, POLICY, &user, &factors, 100, true),
        (&remembered, POLICY, &user, &factors, 599, true),
        (&remembered, POLICY, &user, &factors, 600, false),
        (&remembered, POLICY, &user, &changed, 100, false),
        (&remembered, POLICY, &administrator, &factors, 100, false),
        (&remembered, off, &user, &factors, 100, false),
        (&known, POLICY, &user, &factors, 100, false),
    ] {
        assert_eq!(device.skips_factors(&policy, user, factors, at(now)), skips, "{now}");
    }
}
