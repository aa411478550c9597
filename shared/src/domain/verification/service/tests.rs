//! The limits of services, rate limits and buckets, and rows for other tests.

use rand::rngs::SysRng;

use super::*;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

pub(crate) fn service() -> Service {
    let name = FriendlyName::parse("Shop").expect("a name");
    Service::new(AccountSid::from_bytes([1; 16]), name, &mut SysRng, at(5)).expect("the system has entropy")
}

pub(crate) fn limit(name: &str) -> RateLimitDefinition {
    RateLimitDefinition {
        sid: RateLimitSid::random(&mut SysRng).expect("the system has entropy"),
        unique_name: UniqueName::parse(name).expect("a name"),
        description: None,
        created_at: at(5),
        updated_at: at(5),
        buckets: Vec::new(),
    }
}

pub(crate) fn bucket() -> Bucket {
    Bucket {
        sid: BucketSid::random(&mut SysRng).expect("the system has entropy"),
        max: 5,
        interval: 60,
        created_at: at(5),
        updated_at: at(5),
    }
}

#[test]
fn a_friendly_name_has_32_characters_at_most() {
    for (text, name) in [
        ("My Shop", Some("My Shop")),
        (" My Shop ", Some("My Shop")),
        (&"ä".repeat(32), Some(&*"ä".repeat(32))),
        (&"ä".repeat(33), None),
        ("", None),
        (" ", None),
        ("My\nShop", None),
        ("My\u{202e}Shop", None),
    ] {
        assert_eq!(FriendlyName::parse(text).as_ref().map(FriendlyName::as_str), name, "{text:?}");
    }
}

#[test]
fn numbers_of_a_service_have_ranges() {
    for (value, fits) in [
        (3, false),
        (4, true),
        (10, true),
        (11, false),
        (260, false),
        (u64::MAX, false),
    ] {
        assert_eq!(CodeLength::new(value).is_some(), fits, "{value}");
    }
    for (value, fits) in [(19, false), (20, true), (60, true), (61, false)] {
        assert_eq!(TimeStep::new(value).is_some(), fits, "{value}");
    }
    for (value, fits) in [(2, false), (3, true), (8, true), (9, false)] {
        assert_eq!(TotpCodeLength::new(value).is_some(), fits, "{value}");
    }
    for (value, fits) in [(0, true), (2, true), (3, false)] {
        assert_eq!(Skew::new(value).is_some(), fits, "{value}");
    }
    for (value, fits) in [(0, false), (1, true), (2_147_483_647, true), (2_147_483_648, false)] {
        assert_eq!(Bucket::may_have_max(value), fits, "{value}");
    }
    for (value, fits) in [(0, false), (1, true), (86_400, true), (86_401, false)] {
        assert_eq!(Bucket::may_have_interval(value), fits, "{value}");
    }
}

#[test]
fn names_and_descriptions_of_rate_limits_have_a_length_and_no_controls() {
    for (text, is_name, is_description) in [
        ("end_user_ip", true, true),
        ("a b", true, true),
        (&"é".repeat(64), true, true),
        (&"é".repeat(65), false, true),
        (&"é".repeat(256), false, true),
        (&"é".repeat(257), false, false),
        ("", false, false),
        ("a\tb", false, false),
    ] {
        assert_eq!(UniqueName::parse(text).is_some(), is_name, "{text:?}");
        assert_eq!(Description::parse(text).is_some(), is_description, "{text:?}");
    }
}

#[test]
fn a_service_has_a_bounded_number_of_rate_limits_with_different_names() {
    let mut service = service();
    for number in 0..MOST_RATE_LIMITS {
        assert_eq!(service.add_rate_limit(limit(&number.to_string())), Ok(()), "{number}");
        assert_eq!(service.add_rate_limit(limit("0")), Err(NotAdded::Taken), "{number}");
    }
    assert_eq!(service.add_rate_limit(limit("more")), Err(NotAdded::Full));
    assert_eq!(service.rate_limits.len(), MOST_RATE_LIMITS);
    let found = service.rate_limit_named("3").expect("it was added");
    assert_eq!(service.rate_limit(found.sid), Some(found));
}

#[test]
fn a_rate_limit_has_a_bounded_number_of_buckets() {
    let mut limit = limit("ip");
    for number in 0..MOST_BUCKETS {
        assert_eq!(limit.add_bucket(bucket()), Ok(()), "{number}");
    }
    assert_eq!((limit.add_bucket(bucket()), limit.buckets.len()), (Err(Full), MOST_BUCKETS));
}

#[test]
fn an_account_has_a_bounded_list_of_services_in_order_of_creation() {
    let sid = |number: usize| ServiceSid::from_bytes([u8::try_from(number).expect("small"); 16]);
    let mut list = ServiceList::empty(AccountSid::from_bytes([1; 16]));
    for number in 0..MOST_SERVICES {
        list = list.with(sid(number)).expect("there is room");
    }
    assert_eq!(list.with(sid(101)), Err(Full));
    assert_eq!((list.version, list.services[1]), (100, sid(1)));
    let fewer = list.without(sid(0));
    assert_eq!((fewer.version, fewer.services.len(), fewer.services[0]), (101, 99, sid(1)));
    assert!(fewer.with(sid(101)).is_ok());
}

#[test]
fn the_issuer_of_time_based_codes_is_the_service_unless_set() {
    let mut service = service();
    assert_eq!(service.totp_issuer(), "Shop");
    service.totp.issuer = FriendlyName::parse("Other");
    assert_eq!(service.totp_issuer(), "Other");
}
