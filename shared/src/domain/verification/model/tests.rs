//! The scenarios: each holds in our design, and breaks others.

use std::sync::Arc;

use stateright::{Checker, HasDiscoveries, Model};

use super::{BUDGET, COUNTED, Call, Design, ONCE, RIGHT_IS_ANSWERED, Scenario};
use crate::domain::{
    crypto::key::tests::ring,
    limits::rate_limit::{RateLimit, Window},
    verification::{
        destination::Destination,
        policy::{VerificationKeys, VerificationPolicy},
    },
};

fn scenario(callers: &[&'static [Call]], (max_attempts, budget): (u64, usize), faults: u8) -> Scenario {
    let limit = |max| RateLimit::new(vec![Window { max, seconds: 86_400 }]);
    Scenario {
        design: Design::Ours,
        policy: VerificationPolicy {
            lifetime: 600,
            sends: limit(20),
            max_attempts,
            guesses: limit(budget),
        },
        callers: callers.to_vec(),
        faults,
        keys: Arc::new(VerificationKeys::of(&ring(&[1]))),
        to: Destination::parse("+15017122661").expect("a number"),
    }
}

/// Every property holds in our design; in each of the others the named one does not.
fn check(scenario: &Scenario, others: &[(Design, &'static str)]) {
    let ours = scenario.clone().checker().spawn_bfs().join();
    ours.assert_properties();
    for (design, property) in others {
        let other = Scenario {
            design: *design,
            ..scenario.clone()
        };
        let names = [*property].into_iter().collect();
        let found = other.checker().finish_when(HasDiscoveries::AnyOf(names)).spawn_bfs().join();
        assert!(found.discovery(property).is_some(), "{design:?} breaks nothing: {property}");
    }
}

#[test]
fn parallel_wrong_codes_are_compared_as_often_as_the_budget_allows() {
    const WRONG: &[Call] = &[Call::Wrong];
    check(
        &scenario(&[WRONG, WRONG, WRONG], (5, 2), 1),
        &[(Design::Unconditional, BUDGET), (Design::AnswersFirst, BUDGET)],
    );
    check(&scenario(&[WRONG, WRONG, WRONG], (2, 9), 0), &[(Design::Unconditional, COUNTED)]);
}

#[test]
fn a_code_is_accepted_once_among_parallel_right_ones() {
    const RIGHT: &[Call] = &[Call::Right];
    check(&scenario(&[RIGHT, RIGHT, RIGHT], (5, 9), 0), &[(Design::Unconditional, ONCE)]);
}

#[test]
fn a_right_code_is_approved_among_parallel_wrong_ones() {
    check(
        &scenario(&[&[Call::Right], &[Call::Wrong], &[Call::Wrong]], (5, 9), 0),
        &[(Design::Unconditional, COUNTED)],
    );
}

#[test]
fn a_lost_answer_to_a_right_code_is_still_approved() {
    check(
        &scenario(&[&[Call::Right], &[Call::Wrong]], (5, 9), 1),
        &[(Design::NoRequestToken, RIGHT_IS_ANSWERED)],
    );
}

#[test]
fn no_start_or_cancel_resets_the_ledger() {
    check(
        &scenario(
            &[
                &[Call::Wrong, Call::Cancel, Call::Start, Call::Wrong, Call::Wrong],
                &[Call::Wrong],
            ],
            (5, 2),
            0,
        ),
        &[(Design::LedgerOfVerification, BUDGET)],
    );
}
