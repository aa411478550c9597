//! What a day may cost.

use super::*;

/// A message to 380 costs two dollars, one to 44 one dollar; the day has seven.
fn with_money(per_day: u64) -> Policy {
    let prices = Prices::parse("380=2,44=1").expect("a good list");
    let money = Some(Money {
        prices,
        per_day: per_day * 1_000_000,
    });
    Policy {
        shards: 1,
        per_minute: 100,
        per_day: 100,
        country_per_minute: 100,
        country_per_day: 100,
        money,
    }
}

/// Checks the outcome of one more message where money may be the limit, and that the wait ends when there is some.
fn check_money(policy: &Policy, sent: &[(Message, u64)], message: &Message, at: u64, expected: Result<(), u64>) {
    let quota = all_sent(policy, sent);
    let spend = |at| quota.clone().spend(policy, message, &hit(at)).map(drop);
    let expected = expected.map_err(|retry_after| Exhausted::Money(RateLimited { retry_after }));
    assert_eq!(spend(at), expected, "{sent:?}, then {message:?} at {at}");
    if let Err(exhausted) = expected {
        let end = at + exhausted.limited().retry_after;
        for (at, room) in [(end - 1, false), (end, true)] {
            assert_eq!(spend(at).is_ok(), room, "{sent:?}, then {message:?} at {at}");
        }
    }
}

#[test]
fn a_day_costs_no_more_than_its_money() {
    let policy = with_money(7);
    let six = [
        (known("380"), 0),
        (known("44"), 100),
        (known("44"), 4000),
        (known("380"), 4001),
    ];
    check_money(&policy, &six, &known("44"), 4300, Ok(()));
    // The first hour counts until the end of the 25th.
    check_money(&policy, &six, &known("380"), 4300, Err(90_000 - 4300));
    let seven = [&six[..], &[(known("44"), 4300)]].concat();
    check_money(&policy, &seven, &known("44"), 4400, Err(90_000 - 4400));
    // A message without a price costs as much as the most expensive one.
    check_money(&policy, &six, &known("7"), 4300, Err(90_000 - 4300));
    let other = [(known("7"), 0), (known("7"), 0), (known("7"), 4000)];
    check_money(&policy, &other, &known("44"), 4001, Ok(()));
    check_money(&policy, &other, &known("380"), 4001, Err(90_000 - 4001));
}

#[test]
fn new_accounts_may_cost_at_most_half_of_the_money() {
    // Half of seven dollars is three and a half.
    let policy = with_money(7);
    check_money(&policy, &[(new("380"), 0)], &new("44"), 1, Ok(()));
    let three = [(new("380"), 0), (new("44"), 0)];
    check_money(&policy, &three, &new("44"), 1, Err(90_000 - 1));
    check_money(&policy, &three, &known("380"), 1, Ok(()));
    // The other half belongs to established factors, and newcomers get theirs while there is any.
    let five = [&three[..], &[(known("380"), 0)]].concat();
    check_money(&policy, &five, &known("380"), 1, Ok(()));
    let seven = [
        (known("380"), 0),
        (known("380"), 0),
        (known("380"), 0),
        (known("44"), 0),
    ];
    check_money(&policy, &seven, &new("44"), 1, Err(90_000 - 1));
}

#[test]
fn a_verified_message_costs_the_same_and_a_refunded_one_nothing() {
    let policy = with_money(7);
    let seven = [
        (known("380"), 0),
        (known("380"), 0),
        (known("380"), 0),
        (known("44"), 0),
    ];
    let full = all_sent(&policy, &seven);
    let spend = |quota: Quota| quota.spend(&policy, &known("380"), &hit(9));
    let verified = verified(&full, &known("380"), 0, 5).expect("it counts");
    assert!(matches!(spend(verified), Err(Exhausted::Money(_))));
    let back = full.give_back(&known("380"), &hit(0), Timestamp::from_seconds(5));
    assert!(spend(back).is_ok());
}

#[test]
fn exhausted_money_is_told_apart_from_exhausted_numbers_and_the_longest_wait_applies() {
    let spend = |policy: &Policy| all_sent(policy, &[(known("380"), 0)]).spend(policy, &known("380"), &hit(1));
    let retry_after = 89_999;
    // The minute has room at 70.
    let both = Policy {
        per_minute: 1,
        ..with_money(3)
    };
    assert_eq!(spend(&both), Err(Exhausted::Money(RateLimited { retry_after })));
    let numbers = Policy {
        per_minute: 1,
        ..with_money(4)
    };
    assert_eq!(spend(&numbers), Err(Exhausted::Messages(RateLimited { retry_after: 69 })));
    assert_eq!(spend(&numbers).expect_err("it is full").limited().retry_after, 69);
}
