//! A model of the guess ledger, as a program: several callers start, cancel and check verifications of one destination,
//! and a model checker explores every order of their steps, with lost responses and crashes. It is the model of
//! [`crate::domain::otp`] for a record that has no user: a call reads the record, judges it with the rule that is deployed,
//! and stores the result on condition that the record is still as read (optimistic locking); only then is it answered.
//!
//! Each other design differs from ours in one step, and the checker must find what breaks it.

mod tests;

use std::{hash::Hash, sync::Arc};

use stateright::{Model, Property};

use super::{
    code::Code,
    destination::{Destination, DestinationId},
    policy::{GuessLedger, VerificationKeys, VerificationPolicy},
    record::{DestinationRecord, Judged, StartRequest, Status, Which},
    sid::{AttemptSid, ServiceSid},
};
use crate::domain::{
    crypto::secret::tests::Constant, limits::rate_limit::Hit, model::compared_by_form, time::Timestamp,
};

/// The design of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Design {
    /// The deployed design.
    Ours,
    /// Writes without a condition, based on a stale read.
    Unconditional,
    /// The ledger belongs to the verification: a new one begins with an empty ledger.
    LedgerOfVerification,
    /// Returns the verdict before counting the guess.
    AnswersFirst,
    /// Treats the retry of a write whose response was lost as another call.
    NoRequestToken,
}

/// A call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Call {
    /// Starts a verification, or sends the code again.
    Start,
    /// Cancels it.
    Cancel,
    /// Sends a code that was never sent.
    Wrong,
    /// Sends the code that arrived last.
    Right,
}

#[derive(Clone, Debug)]
struct Scenario {
    design: Design,
    policy: VerificationPolicy,
    callers: Vec<&'static [Call]>,
    /// Number of crashes and lost responses.
    faults: u8,
    keys: Arc<VerificationKeys>,
    to: Destination,
}

/// The record, of which no later step can distinguish two that are equal: all happens within every window.
#[derive(Clone, Debug)]
struct Record(DestinationRecord);

impl Record {
    fn form(&self) -> impl Hash + PartialEq {
        let open = self.0.entries.iter().filter_map(|entry| entry.open.as_ref());
        let open: Vec<_> = open.map(|open| (open.nonce, open.wrong)).collect();
        (self.0.version, self.0.ledger.0.len(), open)
    }
}

compared_by_form!(Record);

#[derive(Clone, Debug, PartialEq, Hash)]
struct World {
    record: Record,
    callers: Vec<Caller>,
    faults: u8,
    /// Number of verifications; each is identified by its number.
    made: u8,
    /// The last code that arrived, and the verification that it belongs to.
    arrived: Option<(String, u8)>,
    seen: Seen,
}

#[derive(Clone, Debug, PartialEq, Hash)]
struct Caller {
    done: usize,
    step: Step,
    /// The code that it sends.
    given: String,
}

#[derive(Clone, Debug, PartialEq, Hash)]
enum Step {
    /// It must read the record.
    Idle,
    /// It has read the record.
    Read(Record),
    /// Its write is stored, and the response was lost.
    Lost(Verdict),
}

/// What is answered to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Verdict {
    /// The guess was right, for this verification.
    Right(u8),
    /// The guess was compared with this verification, and wrong.
    Wrong(u8),
    /// Anything else.
    Other,
}

/// Everything that callers were told, and what was stored.
#[derive(Clone, Debug, Default, PartialEq, Hash)]
struct Seen {
    /// The comparisons whose verdict a caller received, by verification.
    told: Vec<u8>,
    /// The verifications that were approved.
    approved: Vec<u8>,
    /// Comparisons that were stored.
    compared: usize,
    /// A caller consumed a code, and got another response.
    right_was_denied: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Action {
    Read(usize),
    Commit(usize, Fate),
    Repeat(usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Answered,
    Lost,
    Crashed,
}

const ONCE: &str = "a verification is approved once";
const ATTEMPTS: &str = "no more comparisons of a verification are reported than it has attempts";
const BUDGET: &str = "no more comparisons of a destination are reported than its budget allows";
const COUNTED: &str = "each comparison is counted once, and nothing resets it";
const RIGHT_IS_ANSWERED: &str = "a right code is reported as right, whatever response was lost";
const ALWAYS_RIGHT: &str = "a right code is approved while the budget lasts, whatever wrong ones are in flight";

impl Model for Scenario {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let id = DestinationId::of(&self.keys.names, &SERVICE, &self.to);
        let world = World {
            record: Record(DestinationRecord::none(id)),
            callers: vec![
                Caller {
                    done: 0,
                    step: Step::Idle,
                    given: String::new(),
                };
                self.callers.len()
            ],
            faults: self.faults,
            made: 0,
            arrived: None,
            seen: Seen::default(),
        };
        // The first verification has been started, and its code has arrived.
        let mut world = world;
        let (verdict, next) = self.judge(&mut world.clone(), Call::Start, "", world.record.clone());
        assert_eq!(verdict, Verdict::Other);
        self.store(&mut world, Call::Start, next.expect("it starts"), verdict);
        vec![world]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for (who, caller) in world.callers.iter().enumerate() {
            if caller.done == self.callers[who].len() {
                continue;
            }
            match &caller.step {
                Step::Idle => actions.push(Action::Read(who)),
                Step::Read(_) => {
                    actions.push(Action::Commit(who, Fate::Answered));
                    if world.faults > 0 {
                        actions.push(Action::Commit(who, Fate::Lost));
                        actions.push(Action::Commit(who, Fate::Crashed));
                    }
                }
                Step::Lost(_) => actions.push(Action::Repeat(who)),
            }
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut world = world.clone();
        match action {
            Action::Read(who) => {
                let given = match self.callers[who][world.callers[who].done] {
                    Call::Right => world.arrived.as_ref().map(|(code, _)| code.clone()),
                    Call::Start | Call::Cancel | Call::Wrong => None,
                };
                let caller = &mut world.callers[who];
                // A code is received once, and sent again unchanged.
                if caller.given.is_empty() {
                    caller.given = given.unwrap_or_else(|| "9999999999".to_owned());
                }
                caller.step = Step::Read(world.record.clone());
            }
            Action::Commit(who, fate) => self.commit(&mut world, who, fate),
            Action::Repeat(who) => {
                let Step::Lost(verdict) = world.callers[who].step else {
                    return None;
                };
                match self.design {
                    Design::NoRequestToken => world.callers[who].step = Step::Idle,
                    Design::Ours | Design::Unconditional | Design::LedgerOfVerification | Design::AnswersFirst => {
                        self.answer(&mut world, who, verdict);
                    }
                }
            }
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let always = Property::<Self>::always;
        vec![
            always(ONCE, |_, world| {
                let mut approved = world.seen.approved.clone();
                approved.sort_unstable();
                approved.windows(2).all(|pair| pair[0] != pair[1])
            }),
            always(ATTEMPTS, |scenario, world| {
                let most = usize::try_from(scenario.policy.max_attempts).expect("a small number");
                let of = |number| world.seen.told.iter().filter(|told| **told == number).count();
                // The right one ends it.
                (1..=world.made).all(|number| of(number) <= most + 1)
            }),
            always(BUDGET, |scenario, world| world.seen.told.len() <= scenario.policy.guesses.most()),
            always(COUNTED, |_, world| world.record.0.ledger.0.len() == world.seen.compared),
            always(RIGHT_IS_ANSWERED, |_, world| !world.seen.right_was_denied),
            always(ALWAYS_RIGHT, |scenario, world| {
                let is_done = |(caller, calls): (&Caller, &&[Call])| caller.done == calls.len();
                let all_done = world.callers.iter().zip(&scenario.callers).all(is_done);
                let calls = || scenario.callers.iter().flat_map(|calls| calls.iter());
                let has_right = calls().any(|call| *call == Call::Right);
                let undisturbed = scenario.faults == 0 && calls().all(|call| matches!(call, Call::Right | Call::Wrong));
                let guesses = calls().filter(|call| **call == Call::Wrong).count();
                let attempts = usize::try_from(scenario.policy.max_attempts).expect("a small number");
                let within = guesses < scenario.policy.guesses.most() && guesses < attempts;
                !(all_done && has_right && undisturbed && within && world.seen.approved.is_empty())
            }),
        ]
    }
}

const SERVICE: ServiceSid = ServiceSid::from_bytes([1; 16]);

impl Scenario {
    /// Judges a call by the record that it has read: what to answer, and what to store before that.
    fn judge(
        &self,
        world: &mut World,
        call: Call,
        given: &str,
        Record(read): Record,
    ) -> (Verdict, Option<DestinationRecord>) {
        let act = Hit {
            at: Timestamp::from_seconds(1),
            by: "a call".to_owned(),
        };
        let which = Which::To(&self.to);
        let number = |record: &DestinationRecord| {
            record.entries.iter().find_map(|entry| entry.open.as_ref()).map_or(0, |open| open.nonce[0])
        };
        let before = number(&read);
        match call {
            Call::Start => {
                let request = StartRequest {
                    service: SERVICE,
                    to: &self.to,
                    length: 4,
                    custom: None,
                    payment: None,
                    attempt: AttemptSid::from_bytes([0; 16]),
                    country: None,
                };
                let started = read.start(&self.policy, &self.keys, &request, &act, &mut Constant(world.made + 1));
                let Ok(started) = started.expect("numbers do not run out") else {
                    return (Verdict::Other, None);
                };
                let mut next = started.next;
                if self.design == Design::LedgerOfVerification && number(&next) != before {
                    next.ledger = GuessLedger::default();
                }
                (Verdict::Other, Some(next))
            }
            Call::Cancel => {
                let closed = read.close(&self.policy, &self.keys, SERVICE, which, (Status::Canceled, act.at));
                (Verdict::Other, closed.map(|(next, _)| next))
            }
            Call::Wrong | Call::Right => {
                let code = Code::parse(given).expect("digits");
                match read.check(&self.policy, &self.keys, (SERVICE, which), (&code, None), &act) {
                    Judged::NotFound | Judged::Limited(_) => (Verdict::Other, None),
                    Judged::Wrong { next, .. } => (Verdict::Wrong(before), Some(next)),
                    Judged::Right { next, .. } => (Verdict::Right(before), Some(next)),
                }
            }
        }
    }

    fn commit(&self, world: &mut World, who: usize, fate: Fate) {
        let call = self.callers[who][world.callers[who].done];
        let Step::Read(read) = world.callers[who].step.clone() else {
            return;
        };
        let given = world.callers[who].given.clone();
        let (verdict, next) = self.judge(world, call, &given, read.clone());
        world.faults -= u8::from(fate != Fate::Answered);
        if self.design == Design::AnswersFirst && fate == Fate::Crashed {
            // The caller knows the verdict, and nothing is stored.
            self.answer(world, who, verdict);
            return;
        }
        let Some(next) = next else {
            self.answer(world, who, verdict);
            return;
        };
        let is_as_read = world.record.0.version == read.0.version;
        if !is_as_read && self.design != Design::Unconditional {
            world.callers[who].step = Step::Idle;
            return;
        }
        self.store(world, call, next, verdict);
        match fate {
            Fate::Answered => self.answer(world, who, verdict),
            Fate::Lost => world.callers[who].step = Step::Lost(verdict),
            Fate::Crashed => self.finish(world, who),
        }
    }

    fn store(&self, world: &mut World, call: Call, next: DestinationRecord, verdict: Verdict) {
        match verdict {
            Verdict::Right(number) => {
                world.seen.compared += 1;
                world.seen.approved.push(number);
            }
            Verdict::Wrong(_) => world.seen.compared += 1,
            Verdict::Other => {}
        }
        if let (Call::Start, Some(open)) = (call, next.entries.iter().find_map(|entry| entry.open.as_ref())) {
            let code = open.code.derive(&self.keys.codes, &open.sid(&next.id), None).expect("a live key");
            world.made = world.made.max(open.nonce[0]);
            world.arrived = Some((code.expose().to_owned(), open.nonce[0]));
        }
        world.record = Record(next);
    }

    fn answer(&self, world: &mut World, who: usize, verdict: Verdict) {
        match verdict {
            Verdict::Right(number) | Verdict::Wrong(number) => world.seen.told.push(number),
            Verdict::Other => {
                let call = self.callers[who][world.callers[who].done];
                let arrived = world.arrived.as_ref().map(|(code, _)| code.clone());
                let is_own = call == Call::Right && arrived.as_deref() == Some(world.callers[who].given.as_str());
                // Only one caller sends the right code here, so that it was this one that consumed it.
                let is_alone = self.callers.iter().flat_map(|calls| calls.iter()).filter(|call| **call == Call::Right);
                world.seen.right_was_denied |= is_own && is_alone.count() == 1 && !world.seen.approved.is_empty();
            }
        }
        self.finish(world, who);
    }

    fn finish(&self, world: &mut World, who: usize) {
        let caller = &mut world.callers[who];
        caller.done += 1;
        caller.step = Step::Idle;
        caller.given.clear();
    }
}
