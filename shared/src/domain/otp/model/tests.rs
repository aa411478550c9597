//! The scenarios: each holds in our design, and breaks others.

use std::{collections::BTreeSet, sync::Arc};

use stateright::{Checker, HasDiscoveries, Model};

use super::{
    Call::{Give, Login, Resend, TakeBack},
    Design, Program, Scenario,
    Which::{Earlier, Newest, Wrong},
    properties::{
        ATTEMPTS, BLOCKED, COUNTED, COUNTED_FIRST, LIVE, ONE_TOKEN, ONE_WINNER, OWNER, RATE_LIMIT, RIGHT_IS_ANSWERED,
        SHUT, WHOLE,
    },
};
use crate::domain::{
    auth::lockout,
    crypto::key::tests::ring,
    limits::rate_limit::{RateLimit, Window},
    otp::Policy,
    people::phone::Phone,
};

/// These clients, with limits so high that their few calls do not reach them.
fn scenario(programs: &[Program]) -> Scenario {
    Scenario {
        design: Design::Ours,
        policy: policy(),
        lockout: lockout::Policy {
            passwords: 20,
            otps: 20,
            seconds: None,
        },
        programs: programs.to_vec(),
        faults: 0,
        lives: 0,
        compared: None,
        keys: Arc::new(ring(&[1])),
        phone: Phone::parse("+380885550130").expect("a phone"),
    }
}

fn policy() -> Policy {
    Policy {
        length: 6,
        lifetime: 300,
        max_attempts: 20,
        sends: limit(20),
        first_day_sends: 2,
        guesses: limit(20),
    }
}

fn limit(max: usize) -> RateLimit {
    RateLimit::new(vec![Window { max, seconds: 86_400 }])
}

/// Every property holds in our design; in each of the others the named one does not.
fn check(scenario: &Scenario, others: &[(Design, &'static str)]) {
    let ours = scenario.clone().checker().spawn_bfs().join();
    ours.assert_properties();
    for (design, property) in others {
        let design = *design;
        breaks(
            Scenario {
                design,
                ..scenario.clone()
            },
            property,
        );
    }
}

/// The checker finds a counterexample to the property.
fn breaks(scenario: Scenario, property: &'static str) {
    let design = scenario.design;
    let enough = HasDiscoveries::AnyOf(BTreeSet::from([property]));
    let found = scenario.checker().finish_when(enough).spawn_bfs().join();
    assert!(
        found.discovery(property).is_some(),
        "{design:?} keeps this: {property}. Either the model overlooks something, or the scenario does not lead there"
    );
}

const RIGHT: Program = Program::Calls(&[Give(Newest)]);
const WRONG: Program = Program::Calls(&[Give(Wrong)]);
const TWO_WRONG: Program = Program::Calls(&[Give(Wrong), Give(Wrong)]);

#[test]
fn a_code_is_compared_no_more_often_than_its_attempts_allow() {
    let scenario = Scenario {
        policy: Policy {
            max_attempts: 2,
            ..policy()
        },
        compared: Some(2),
        ..scenario(&[TWO_WRONG; 3])
    };
    check(
        &scenario,
        &[
            (Design::Unconditional, ATTEMPTS),
            (Design::AnswersFirst, ATTEMPTS),
            (Design::AnswersFirst, COUNTED_FIRST),
        ],
    );
}

#[test]
fn an_account_is_blocked_when_failures_exceed_the_limit() {
    let scenario = Scenario {
        lockout: lockout::Policy {
            passwords: 20,
            otps: 2,
            seconds: None,
        },
        compared: Some(3),
        ..scenario(&[TWO_WRONG; 3])
    };
    check(
        &scenario,
        &[
            (Design::Unconditional, BLOCKED),
            (Design::OneCondition, BLOCKED),
            (Design::OneCondition, COUNTED),
        ],
    );
}

#[test]
fn a_blocked_user_cannot_complete_a_login() {
    let scenario = Scenario {
        lockout: lockout::Policy {
            passwords: 20,
            otps: 1,
            seconds: None,
        },
        ..scenario(&[WRONG, WRONG, RIGHT])
    };
    check(&scenario, &[(Design::OneCondition, SHUT)]);
}

#[test]
fn guesses_on_an_account_do_not_exceed_its_rate_limit() {
    let resends = Program::Calls(&[Resend, Give(Wrong)]);
    let scenario = Scenario {
        policy: Policy {
            guesses: limit(3),
            ..policy()
        },
        compared: Some(3),
        ..scenario(&[TWO_WRONG, TWO_WRONG, resends])
    };
    check(
        &scenario,
        &[
            (Design::Unconditional, RATE_LIMIT),
            (Design::AnswersFirst, RATE_LIMIT),
            (Design::CountsOnCode, RATE_LIMIT),
            (Design::CountsOnCode, COUNTED),
        ],
    );
}

#[test]
fn a_guess_is_counted_despite_faults() {
    let scenario = Scenario {
        policy: Policy {
            guesses: limit(3),
            ..policy()
        },
        faults: 2,
        ..scenario(&[TWO_WRONG; 2])
    };
    check(&scenario, &[(Design::AnswersFirst, RATE_LIMIT)]);
}

#[test]
fn a_code_is_accepted_once() {
    let another = Program::Calls(&[Resend, Give(Newest)]);
    let scenario = Scenario {
        faults: 1,
        lives: 1,
        ..scenario(&[RIGHT, RIGHT, another])
    };
    check(
        &scenario,
        &[
            (Design::Unconditional, ONE_WINNER),
            (Design::Unconditional, LIVE),
            (Design::Unconditional, ONE_TOKEN),
            (Design::NoRequestToken, RIGHT_IS_ANSWERED),
            (Design::TwoWrites, WHOLE),
        ],
    );
}

#[test]
fn the_owner_can_log_in() {
    let check = |others: &[&'static [super::Call]], faults, lives| {
        let others = others.iter().map(|calls| Program::Calls(calls));
        let programs: Vec<_> = [Program::Owner].into_iter().chain(others).collect();
        let scenario = Scenario {
            faults,
            lives,
            ..scenario(&programs)
        };
        check(&scenario, &[]);
    };
    // A single client, with faults.
    check(&[], 3, 2);
    // Beside a client that uses its code, and one whose message could not be sent.
    check(&[&[Give(Newest)], &[Resend, TakeBack]], 1, 0);
    // Beside a client that guesses, and one that logs in and tries the earlier code.
    check(&[&[Give(Wrong)], &[Login, Give(Earlier)]], 0, 1);
    // Without quota for another message nothing helps.
    let scenario = Scenario {
        policy: Policy {
            sends: limit(1),
            ..policy()
        },
        lives: 1,
        ..scenario(&[Program::Owner])
    };
    breaks(scenario, OWNER);
}
