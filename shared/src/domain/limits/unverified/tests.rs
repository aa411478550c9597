//! The rule of unverified messages, at its boundaries.

use super::*;

const MONDAY: u64 = 20_000;

/// Seconds since Monday's midnight.
fn at(seconds: u64) -> Timestamp {
    Timestamp::from_seconds(MONDAY * SECONDS_OF_DAY + seconds)
}

const POLICY: Policy = Policy {
    mode: Mode::Enforce,
    shards: 1,
};

/// A day with messages at these seconds since its midnight: so many sent, so many of them approved.
fn of_day(number: u64, best_before: u64, messages: &[(u64, u64, u64)]) -> Day {
    let id = DayId {
        country: "380".into(),
        shard: 0,
        day: number,
    };
    let mut day = Day::begin(&id, best_before);
    for (seconds, sent, approved) in messages {
        let at = Timestamp::from_seconds(number * SECONDS_OF_DAY + seconds);
        day = (0..*sent).fold(day, |day, _| day.with_sent(at, "by"));
        day = (0..*approved).fold(day, |day, _| day.with_approved(at));
    }
    day
}

fn monday(best_before: u64, messages: &[(u64, u64, u64)]) -> Day {
    of_day(MONDAY, best_before, messages)
}

/// Checks whether another message may be sent, and that a wait ends exactly when it may.
#[track_caller]
fn check(today: &Day, yesterday: Option<&Day>, seconds: u64, expected: Result<(), u64>) {
    let admit = |seconds: u64| {
        // On the next day there is no row yet; what it would begin with is known.
        match seconds < SECONDS_OF_DAY {
            true => POLICY.admit(today, yesterday, at(seconds)),
            false => {
                let best = [Some(today), yesterday].into_iter().flatten().map(|day| day.total.approved);
                let next = of_day(MONDAY + 1, best.fold(today.best_before, u64::max), &[]);
                POLICY.admit(&next, Some(today), at(seconds))
            }
        }
    };
    let expected = expected.map(|()| false).map_err(|retry_after| RateLimited { retry_after });
    assert_eq!(admit(seconds), expected);
    if let Err(RateLimited { retry_after }) = expected {
        for (seconds, room) in [(seconds + retry_after - 1, false), (seconds + retry_after, true)] {
            assert_eq!(admit(seconds).is_ok(), room, "at {seconds}");
        }
    }
}

#[test]
fn a_country_without_users_has_three_messages_an_hour() {
    let two = monday(0, &[(0, 1, 0), (299, 1, 0)]);
    check(&two, None, 300, Ok(()));
    // The slot of seconds 0 to 299 counts until no part of it is within the hour.
    let three = two.with_sent(at(310), "by");
    check(&three, None, 310, Err(3590));
    check(&three, None, 3899, Err(1));
    check(&three, None, 3900, Ok(()));
}

#[test]
fn a_country_without_users_has_twenty_messages_a_day() {
    // Three in each of six hours, and one more.
    let hours: Vec<_> = (0..6).map(|hour| (hour * 3900, 3, 0)).collect();
    let eighteen = monday(0, &hours);
    check(&eighteen, None, 6 * 3900, Ok(()));
    let nineteen = eighteen.with_sent(at(6 * 3900), "by");
    check(&nineteen, None, 6 * 3900, Ok(()));
    let twenty = nineteen.with_sent(at(6 * 3900), "by");
    // Until the first slot has left the day.
    check(&twenty, None, 30_000, Err(86_400 + 300 - 30_000));
    // The hour's limit holds, too.
    let last = twenty.with_sent(at(6 * 3900), "by");
    check(&last, None, 6 * 3900 + 1, Err(86_700 - 6 * 3900 - 1));
}

#[test]
fn a_fifth_of_the_last_hours_verified_messages_may_be_unverified() {
    // 20 verified messages allow four others.
    for (verified, allowed) in [(0, 3), (19, 3), (20, 4), (24, 4), (25, 5)] {
        let day = monday(0, &[(0, verified, verified), (300, allowed - 1, 0)]);
        check(&day, None, 600, Ok(()));
        let full = day.with_sent(at(300), "by");
        assert!(POLICY.admit(&full, None, at(600)).is_err(), "{verified} verified, {allowed} others");
    }
    // Verified ones count for as long as they are in the window.
    let day = monday(0, &[(0, 25, 25), (3600, 3, 0)]);
    check(&day, None, 3899, Ok(()));
    check(&day, None, 3900, Err(3600 + 3900 - 3900));
}

#[test]
fn a_fifth_of_the_last_days_verified_messages_may_be_unverified() {
    // In hours that are not full themselves: 20 % of 150 are 30, a sixth of which are 5 an hour.
    let five = |hours: u64| (0..hours).map(|hour| (3900 * (hour + 1), 5, 0));
    let verified = [(0, 150, 150)];
    let day = |hours| monday(0, &[&verified[..], &five(hours).collect::<Vec<_>>()].concat());
    check(&day(5), None, 3900 * 7, Ok(()));
    let full = day(6);
    assert_eq!(POLICY.standing(&full, None, at(3900 * 8)).limits, Limits { day: 30, hour: 5 });
    // When the verified ones leave the day, its limit is 20 again, or a fifth of the largest verified day before it:
    // from midnight on that is this one.
    check(&full, None, 3900 * 8, Err(86_400 + 3900 + 300 - 3900 * 8));
}

#[test]
fn a_fifth_of_the_largest_verified_day_may_be_unverified() {
    for (best, limits) in [
        (0, Limits { day: 20, hour: 3 }),
        (104, Limits { day: 20, hour: 3 }),
        (105, Limits { day: 21, hour: 3 }),
        (119, Limits { day: 23, hour: 3 }),
        (120, Limits { day: 24, hour: 4 }),
        (1000, Limits { day: 200, hour: 33 }),
    ] {
        let at = at(7200);
        assert_eq!(POLICY.standing(&monday(best, &[]), None, at).limits, limits, "{best} before");
        // Yesterday had more approvals since today's row was made.
        let yesterday = of_day(MONDAY - 1, 0, &[(0, best, best)]);
        assert_eq!(POLICY.standing(&monday(3, &[]), Some(&yesterday), at).limits, limits, "{best} yesterday");
    }
}

#[test]
fn yesterdays_messages_count_until_their_slots_are_a_day_old() {
    let yesterday = of_day(MONDAY - 1, 0, &[(600, 20, 0)]);
    let check = |seconds, expected| check(&monday(0, &[]), Some(&yesterday), seconds, expected);
    check(0, Err(900));
    check(899, Err(1));
    check(900, Ok(()));
    let late = of_day(MONDAY - 1, 0, &[(86_399, 3, 0)]);
    assert_eq!(POLICY.admit(&monday(0, &[]), Some(&late), at(0)), Err(RateLimited { retry_after: 3600 }));
}

#[test]
fn more_approvals_than_messages_count_as_none_unverified() {
    let day = monday(0, &[(0, 1, 3), (300, 2, 0)]);
    let standing = POLICY.standing(&day, None, at(600));
    assert_eq!(standing.unverified, Limits { day: 2, hour: 2 });
    check(&day, None, 600, Ok(()));
}

#[test]
fn a_lagging_clock_sees_later_messages() {
    let day = monday(0, &[(900, 3, 0)]);
    check(&day, None, 0, Err(900 + 3900));
}

#[test]
fn an_exhausted_budget_is_recorded_where_it_is_not_enforced() {
    let record = Policy {
        mode: Mode::Record,
        ..POLICY
    };
    let day = monday(0, &[(0, 2, 0)]);
    assert_eq!(record.admit(&day, None, at(0)), Ok(false));
    assert_eq!(record.admit(&day.with_sent(at(0), "by"), None, at(0)), Ok(true));
}

#[test]
fn each_shard_has_its_part_of_the_fixed_limits() {
    for (shards, limits) in [
        (1, Limits { day: 20, hour: 3 }),
        (2, Limits { day: 10, hour: 1 }),
        (3, Limits { day: 6, hour: 1 }),
        (20, Limits { day: 1, hour: 1 }),
        (256, Limits { day: 1, hour: 1 }),
    ] {
        let policy = Policy { shards, ..POLICY };
        let found = policy.standing(&monday(0, &[]), None, at(0)).limits;
        assert_eq!(found, limits, "{shards}");
        assert!(limits.day * shards <= shards.max(20) && limits.hour * shards <= shards.max(3));
    }
    // A fifth of a shard's own messages is no more than a fifth of them.
    let policy = Policy { shards: 4, ..POLICY };
    let found = policy.standing(&monday(104, &[]), None, at(0)).limits;
    assert_eq!(found, Limits { day: 20, hour: 3 });
}

/// Any traffic: no span of an hour or a day has more unverified messages than its limit allowed at its last one, and
/// each wait ends when there is room.
#[test]
fn no_window_has_more_unverified_messages_than_its_limit() {
    let mut drawn = 3_u64;
    let mut draw = |below: u64| {
        drawn = drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (drawn >> 33) % below
    };
    let (mut days, mut sent): (BTreeMap<u64, Day>, Vec<(u64, bool)>) = (BTreeMap::new(), Vec::new());
    let (mut now, mut refused) = (MONDAY * SECONDS_OF_DAY, 0);
    for step in 0..6000 {
        // Some days are busy.
        let busy = (now / SECONDS_OF_DAY).is_multiple_of(3);
        now += draw(if busy { 90 } else { 1500 });
        let moment = Timestamp::from_seconds(now);
        let id = DayId::of("380", 0, moment);
        let earlier: Vec<_> = (1..=EARLIER_DAYS).filter_map(|ago| days.get(&(id.day - ago)).cloned()).collect();
        let today = days.get(&id.day).cloned().unwrap_or_else(|| Day::begin(&id, best(&earlier)));
        let yesterday = days.get(&(id.day - 1));
        if let Err(RateLimited { retry_after }) = POLICY.admit(&today, yesterday, moment) {
            assert!((1..=86_700).contains(&retry_after), "{retry_after}");
            refused += 1;
            continue;
        }
        days.insert(id.day, today.with_sent(moment, &step.to_string()));
        sent.push((now, false));
        let (best, within) = (best(&earlier), |seconds: u64| {
            let recent = sent.iter().rev().take_while(move |(at, _)| at + seconds > now);
            recent.fold((0, 0), |(others, verified), (_, is)| (others + u64::from(!is), verified + u64::from(*is)))
        });
        let ((in_day, verified), (in_hour, in_last_hour)) = (within(86_400 + 300), within(3600 + 300));
        let day = 20.max(best / 5).max(verified / 5);
        assert!(within(86_400).0 <= day, "{in_day} in a day");
        assert!(within(3600).0 <= 3.max(day / 6).max(in_last_hour / 5), "{in_hour} in an hour");
        if draw(100) < if busy { 90 } else { 60 } {
            let (at, is_verified) = sent.last_mut().expect("just sent");
            *is_verified = true;
            let at = Timestamp::from_seconds(*at);
            let day = days.remove(&id.day).expect("just written");
            days.insert(id.day, day.with_approved(at));
        }
    }
    assert!(refused > 100 && sent.len() > 1000, "{refused} refused, {} sent", sent.len());
}
