//! The parts that shards enforce.

use super::*;

#[test]
fn a_shard_enforces_its_part_of_every_limit_rounded_down() {
    for (limit, shards, part, part_of_half) in [
        (10, 1, 10, 5),
        (11, 1, 11, 6),
        (10, 2, 5, 2),
        (11, 2, 5, 3),
        (10, 4, 2, 1),
        (7, 4, 1, 1),
        // The limits of a policy are never zero.
        (3, 4, 1, 1),
    ] {
        let of = |n| Policy {
            money: None,
            per_minute: n,
            per_day: 10 * n,
            country_per_minute: 100 * n,
            country_per_day: 1000 * n,
            shards,
        };
        let found = of(limit).of_shard();
        assert_eq!(found.per_minute, part, "{limit} / {shards}");
        assert_eq!(found.per_day, 10 * limit / shards, "{limit} / {shards}");
        assert_eq!(found.country_per_minute, 100 * limit / shards, "{limit} / {shards}");
        assert_eq!(found.country_per_day, 1000 * limit / shards, "{limit} / {shards}");
        assert_eq!(of(limit).half().of_shard().per_minute, part_of_half, "half of {limit} / {shards}");
        assert_eq!(of(limit).most_shards(), limit.div_ceil(2));
    }
}

/// What all shards together allow at one time, newcomers first: of newcomers, and in all.
fn allowed_at_once(policy: &Policy) -> (u64, u64) {
    let (mut newcomers, mut all) = (0, 0);
    for shard in 0..policy.shards {
        let mut quota = Quota::none(Shard::from_number(shard));
        for (message, count) in [(new("1"), &mut newcomers), (known("1"), &mut 0)] {
            while let Ok(next) = quota.clone().spend(policy, &message, &hit(5)) {
                assert_eq!(next.shard, Shard::from_number(shard));
                (quota, *count, all) = (next, *count + 1, all + 1);
            }
        }
    }
    (newcomers, all)
}

/// The error bound: never above a limit or its half, and below it by less than a message for each shard.
#[test]
fn shards_together_allow_no_more_than_the_limit() {
    for limit in 1..40 {
        let policy = |shards| Policy {
            money: None,
            per_minute: 1000,
            per_day: 1000,
            country_per_minute: limit,
            country_per_day: 1000,
            shards,
        };
        let most = policy(1).most_shards();
        for shards in 1..=most {
            let (newcomers, all) = allowed_at_once(&policy(shards));
            let half = limit.div_ceil(2);
            assert!((half + 1 - shards..=half).contains(&newcomers), "{newcomers} of {limit}, {shards} shards");
            assert!((limit + 1 - shards..=limit).contains(&all), "{all} of {limit}, {shards} shards");
        }
        let (newcomers, _) = allowed_at_once(&policy(most + 1));
        assert!(newcomers > limit.div_ceil(2), "{limit}: one shard more would exceed the half");
    }
}

#[test]
fn a_full_shard_does_not_affect_the_others() {
    let policy = Policy {
        country_per_minute: 4,
        per_day: 100,
        country_per_day: 100,
        shards: 2,
        ..POLICY
    };
    let first = Quota::none(Shard::FIRST);
    let full = [0, 1]
        .into_iter()
        .fold(first, |quota, at| quota.spend(&policy, &known("1"), &hit(at)).expect("there is room"));
    check_next(&policy, &full, &known("1"), 2, Err(68));
    check_next(&policy, &Quota::none(Shard::from_number(1)), &known("1"), 2, Ok(()));
    // What is given back or verified stays in its shard.
    let back = full.clone().give_back(&known("1"), &hit(0), Timestamp::from_seconds(2));
    let verified = verified(&full, &known("1"), 0, 2).expect("it counts");
    assert_eq!([back.shard, verified.shard], [Shard::FIRST; 2]);
}

#[test]
fn recipients_are_spread_evenly_over_the_shards() {
    const RECIPIENTS: u32 = 16_000;
    let mut counts = [0_u32; 16];
    for n in 0..RECIPIENTS {
        let recipient = format!("+38088{n:07}");
        let shard = Shard::of(recipient.as_bytes(), 16);
        assert_eq!(shard, Shard::of(recipient.as_bytes(), 16), "it depends on nothing else");
        counts[usize::try_from(shard.number()).expect("below 16")] += 1;
        assert_eq!(Shard::of(recipient.as_bytes(), 1), Shard::FIRST);
    }
    // A thousand each, and four standard deviations.
    assert!(counts.iter().all(|count| (872..=1128).contains(count)), "{counts:?}");
}
