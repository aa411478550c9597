//! The rules of the quota, at their boundaries.

mod money;
mod shards;

use super::*;
use crate::domain::limits::prices::Prices;

const POLICY: Policy = Policy {
    per_minute: 4,
    per_day: 6,
    country_per_minute: 2,
    country_per_day: 5,
    money: None,
    shards: 1,
};

fn hit(seconds: u64) -> Hit {
    Hit {
        at: Timestamp::from_seconds(seconds),
        by: format!("at {seconds}"),
    }
}

/// A message of an established factor.
fn known(country: &str) -> Message {
    Message {
        country: country.to_owned(),
        trust: Trust::Established,
    }
}

fn new(country: &str) -> Message {
    Message {
        country: country.to_owned(),
        trust: Trust::New,
    }
}

fn slots<const N: usize>(sent: [(u64, u64, u64); N]) -> Slots {
    sent.map(|(slot, sent, verified)| (slot, Tally { sent, verified })).into()
}

/// The quota after messages that are all allowed.
fn all_sent(policy: &Policy, messages: &[(Message, u64)]) -> Quota {
    messages.iter().fold(Quota::none(Shard::FIRST), |quota, (message, at)| {
        quota.spend(policy, message, &hit(*at)).expect("there is room")
    })
}

fn sent(messages: &[(&str, u64)]) -> Quota {
    let messages: Vec<_> = messages.iter().map(|(country, at)| (known(country), *at)).collect();
    all_sent(&POLICY, &messages)
}

/// Checks the outcome of one more message, and that a wait ends exactly when there is room.
fn check_next(policy: &Policy, quota: &Quota, message: &Message, at: u64, expected: Result<(), u64>) {
    let spend = |at| quota.clone().spend(policy, message, &hit(at)).map(drop);
    let expected = expected.map_err(|retry_after| Exhausted::Messages(RateLimited { retry_after }));
    assert_eq!(spend(at), expected, "{quota:?}, then {message:?} at {at}");
    if let Err(Exhausted::Messages(RateLimited { retry_after })) = expected {
        for (at, room) in [(at + retry_after - 1, false), (at + retry_after, true)] {
            assert_eq!(spend(at).is_ok(), room, "{quota:?}, then {message:?} at {at}");
        }
    }
}

fn check(messages: &[(&str, u64)], country: &str, at: u64, expected: Result<(), u64>) {
    check_next(&POLICY, &sent(messages), &known(country), at, expected);
}

#[test]
fn every_window_is_enforced() {
    check(&[], "1", 5, Ok(()));
    // A country's minute: messages in the slot of seconds 0 to 9 count until 70.
    check(&[("1", 5), ("1", 6)], "1", 7, Err(63));
    check(&[("1", 5), ("1", 6)], "1", 69, Err(1));
    check(&[("1", 5), ("1", 6)], "44", 7, Ok(()));
    // The minute of all countries.
    check(&[("1", 5), ("1", 6), ("44", 10), ("44", 10)], "380", 20, Err(50));
    // A country's day: the hour of the first message counts until the end of the 25th.
    let five = [("1", 0), ("1", 100), ("1", 4000), ("1", 4100), ("1", 4200)];
    check(&five, "1", 4300, Err(85_700));
    check(&five, "44", 4300, Ok(()));
    // The day of all countries.
    check(&[&five[..], &[("44", 4300)]].concat(), "380", 4400, Err(85_600));
    // The longest wait applies.
    check(&[&five[..3], &[("1", 4201), ("1", 4202)]].concat(), "1", 4203, Err(85_797));
}

/// Each window in turn is the first to be full: with as many messages of either kind.
#[test]
fn new_accounts_may_use_at_most_half_of_each_window() {
    const LOOSE: Policy = Policy {
        per_minute: 100,
        per_day: 100,
        country_per_minute: 100,
        country_per_day: 100,
        money: None,
        shards: 1,
    };
    const MINUTE: u64 = 70;
    const DAY: u64 = 25 * 3600;
    let windows = [
        (Policy { per_minute: 5, ..LOOSE }, "44", MINUTE),
        (Policy { per_day: 5, ..LOOSE }, "44", DAY),
        (
            Policy {
                country_per_minute: 5,
                ..LOOSE
            },
            "1",
            MINUTE,
        ),
        (
            Policy {
                country_per_day: 5,
                ..LOOSE
            },
            "1",
            DAY,
        ),
    ];
    for (policy, country, ends) in windows {
        let check = |messages: &[Message], next: &Message, expected| {
            let messages: Vec<_> = messages.iter().map(|message| (message.clone(), 0)).collect();
            check_next(&policy, &all_sent(&policy, &messages), next, 0, expected);
        };
        let (newcomer, established) = (new("1"), known("1"));
        let of = |newcomers, others| {
            let newcomers = std::iter::repeat_n(newcomer.clone(), newcomers);
            let others = std::iter::repeat_n(established.clone(), others);
            newcomers.chain(others).collect::<Vec<_>>()
        };
        // Half of five, rounded up; another country has its own half, unless it is the half of all.
        check(&of(2, 0), &new(country), Ok(()));
        check(&of(3, 0), &new(country), Err(ends));
        // The other half is available, and no more.
        check(&of(3, 1), &known(country), Ok(()));
        check(&of(3, 2), &known(country), Err(ends));
        // Whatever established factors use, newcomers have their half, as far as there is any room at all.
        check(&of(1, 2), &new(country), Ok(()));
        check(&of(2, 2), &new(country), Ok(()));
        check(&of(1, 4), &new(country), Err(ends));
        check(&of(0, 5), &known(country), Err(ends));
    }
    let one = Policy { per_minute: 1, ..LOOSE };
    check_next(&one, &Quota::none(Shard::FIRST), &new("1"), 0, Ok(()));
}

/// The defaults of template.yaml.
const DEFAULTS: Policy = Policy {
    per_minute: 60,
    per_day: 5000,
    country_per_minute: 30,
    country_per_day: 2000,
    money: None,
    shards: 1,
};

/// A day of 250 accounts that each request the maximum of codes per account, 20, as early as there is room: how many
/// they get, and how many logins fail of established users who log in every five minutes.
fn day_of_250(attackers: fn(&str) -> Message, countries: &[&str]) -> (u64, u64) {
    let (mut quota, mut left, mut through, mut failed) = (Quota::none(Shard::FIRST), 250 * 20, 0, 0);
    for now in (1_000_000..1_000_000 + 86_400).step_by(10) {
        for country in countries {
            while left > 0
                && let Ok(next) = quota.clone().spend(&DEFAULTS, &attackers(country), &hit(now))
            {
                (quota, left, through) = (next, left - 1, through + 1);
            }
        }
        if now % 300 == 0 {
            match quota.clone().spend(&DEFAULTS, &known(countries[0]), &hit(now)) {
                Ok(next) => quota = next,
                Err(_) => failed += 1,
            }
        }
    }
    (through, failed)
}

#[test]
fn by_default_250_new_accounts_do_not_exhaust_the_quota_of_others() {
    for (countries, most) in [(&["380"][..], 1000), (&["380", "44", "1"], 2500)] {
        assert_eq!(day_of_250(new, countries), (most, 0), "{countries:?}");
        let (_, failed) = day_of_250(known, countries);
        assert!(failed > 200, "without a half of their own {failed} of 288 fail");
    }
}

#[test]
fn a_lagging_clock_counts_as_the_last_time() {
    let quota = sent(&[("1", 1000)]).spend(&POLICY, &known("1"), &hit(900)).expect("there is room");
    assert_eq!(quota.last_at.seconds(), 1000);
    assert_eq!(quota.all["1"].minute, slots([(100, 2, 0)]));
    let refused = quota.spend(&POLICY, &known("1"), &hit(900));
    assert_eq!(refused, Err(Exhausted::Messages(RateLimited { retry_after: 70 })), "from the last one on");
}

#[test]
fn expired_counts_are_dropped() {
    for message in [known, new] {
        let sent = |at| {
            let messages = [(message("1"), 0), (message("1"), 3599), (message("44"), at)];
            let quota = all_sent(&POLICY, &messages);
            let by_themselves = match message("1").trust {
                Trust::Established => Countries::new(),
                Trust::New => quota.all.clone(),
            };
            assert_eq!(quota.newcomers, by_themselves);
            quota
        };
        let quota = sent(90_000);
        assert_eq!(quota.all.keys().collect::<Vec<_>>(), ["44"]);
        assert_eq!(quota.version, 3);
        let quota = sent(89_999);
        assert_eq!(quota.all["1"].day, slots([(0, 2, 0)]));
        assert_eq!(quota.all["1"].minute, Slots::new());
    }
}

#[test]
fn a_refunded_message_no_longer_counts() {
    let full = sent(&[("1", 5), ("1", 15)]);
    assert!(full.was_spent_by(&hit(15).by) && !full.was_spent_by(&hit(5).by));
    assert!(!full.was_given_back_by(&hit(15).by));
    for (country, at, now, room) in [
        ("1", 15, 16, true),
        ("1", 5, 16, true),
        // Another country's, and one that was already given back.
        ("44", 15, 16, false),
        ("1", 25, 26, false),
    ] {
        let next = full.clone().give_back(&known(country), &hit(at), Timestamp::from_seconds(now));
        assert_eq!(next.version, full.version + 1);
        assert!(next.was_given_back_by(&hit(at).by) && !next.was_spent_by(&hit(at).by));
        assert!(!next.was_given_back_by(&hit(at + 1).by));
        let found = next.spend(&POLICY, &known("1"), &hit(20));
        assert_eq!(found.is_ok(), room, "{country} at {at}");
    }
    for message in [known("1"), new("1")] {
        let sent = all_sent(&POLICY, &[(message.clone(), 5)]);
        let empty = sent.give_back(&message, &hit(5), Timestamp::from_seconds(6));
        assert_eq!((empty.all, empty.newcomers), (Countries::new(), Countries::new()));
    }
}

fn verified(quota: &Quota, message: &Message, at: u64, now: u64) -> Option<Quota> {
    quota.clone().verified(message, &hit(at), Timestamp::from_seconds(now))
}

#[test]
fn two_verified_messages_refund_one() {
    let policy = Policy {
        country_per_minute: 4,
        ..POLICY
    };
    for message in [known("1"), new("1")] {
        let most = if message.trust == Trust::New { 2 } else { 4 };
        let messages: Vec<_> = (0..most).map(|at| (message.clone(), at)).collect();
        let full = all_sent(&policy, &messages);
        check_next(&policy, &full, &message, 9, Err(61));
        let once = verified(&full, &message, 0, 9).expect("it counts");
        assert_eq!(once.version, full.version + 1);
        assert!(!once.was_spent_by(&hit(0).by) && !once.was_given_back_by(&hit(0).by));
        check_next(&policy, &once, &message, 9, Err(61));
        let twice = verified(&once, &message, 0, 9).expect("another one of that slot");
        check_next(&policy, &twice, &message, 9, Ok(()));
    }
}

#[test]
fn refunds_are_limited_to_messages_that_still_count() {
    let quota = all_sent(&POLICY, &[(new("1"), 5), (known("1"), 3605)]);
    for (message, at, now) in [
        (known("44"), 5, 3606),
        (known("1"), 7205, 7206),
        // From the 25th hour on it does not count.
        (new("1"), 5, 90_000),
    ] {
        assert_eq!(verified(&quota, &message, at, now), None, "{message:?} at {at}");
    }
    // The minute has passed, the day has not.
    let once = verified(&quota, &new("1"), 5, 3606).expect("it counts");
    let minute = slots([(360, 1, 0)]);
    assert_eq!((&once.all["1"].minute, &once.all["1"].day), (&minute, &slots([(0, 1, 1), (1, 1, 0)])));
    assert_eq!(once.newcomers["1"].day, slots([(0, 1, 1)]));
    assert_eq!(verified(&once, &new("1"), 5, 3607), None, "once");
    assert_eq!(verified(&once, &known("1"), 5, 3607), None, "nor as another one's");
    // A message that was not sent after all was not verified, and gives back no more than itself.
    let back = once.clone().give_back(&new("1"), &hit(5), Timestamp::from_seconds(3607));
    assert_eq!(back.all["1"].day, slots([(1, 1, 0)]));
    assert_eq!(back.newcomers, Countries::new());
    // A message of an established factor does not change the newcomers' counts.
    let other = verified(&once, &known("1"), 3605, 3607).expect("it counts");
    assert_eq!(other.newcomers, once.newcomers);
    assert_eq!(other.all["1"].minute, slots([(360, 1, 1)]));
}

/// Every allowed message: when it counts as sent, and whether it was verified.
type Through = Vec<(Message, u64, bool)>;

/// The parts that count in the window that ends now.
fn parts(through: &Through, wanted: impl Fn(&Message) -> bool, now: u64, seconds: u64) -> u64 {
    let recent = through.iter().rev().take_while(|(_, at, _)| at + seconds > now);
    let wanted = recent.filter(|(message, ..)| wanted(message));
    wanted.map(|(_, _, verified)| if *verified { 1 } else { 2 }).sum()
}

/// Messages of all kinds in bursts of all lengths, with clocks that lag a little; some are verified.
#[test]
fn no_window_exceeds_the_quota() {
    let (mut through, mut quota, mut now, mut drawn) = (Through::new(), Quota::none(Shard::FIRST), 1_000_000, 1_u64);
    for _ in 0..20_000 {
        drawn = drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let draw = drawn >> 33;
        now += [0, 0, 1, 7, 61, 900][usize::try_from(draw % 6).expect("six at most")];
        let country = if draw % 7 < 5 { "1" } else { "44" };
        let message = if draw % 11 < 5 { known(country) } else { new(country) };
        let Ok(next) = quota.clone().spend(&POLICY, &message, &hit(now - draw % 3)) else {
            continue;
        };
        quota = next;
        through.push((message.clone(), quota.last_at.seconds(), false));
        let now = quota.last_at.seconds();
        let country = message.country;
        for (half, policy) in [(false, POLICY), (true, POLICY.half())] {
            let counts = |message: &Message| !half || message.trust == Trust::New;
            let of_country = |message: &Message| counts(message) && message.country == country;
            for (found, most) in [
                (parts(&through, counts, now, 60), policy.per_minute),
                (parts(&through, counts, now, 86_400), policy.per_day),
                (parts(&through, of_country, now, 60), policy.country_per_minute),
                (parts(&through, of_country, now, 86_400), policy.country_per_day),
            ] {
                assert!(found <= most * 2, "{found} of {most} at {now}, newcomers: {half}");
            }
        }
        if draw % 5 < 3 {
            let (message, at, is_verified) = through.last_mut().expect("just sent");
            quota = verified(&quota, message, *at, now + draw % 9).expect("it counts");
            *is_verified = true;
        }
    }
    let of = |trust| through.iter().filter(|(message, ..)| message.trust == trust).count();
    for trust in [Trust::Established, Trust::New] {
        assert!(of(trust) > 50, "{trust:?}: {} came through", of(trust));
    }
}
