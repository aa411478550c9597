//! A model of logins with an authenticator app, a code by text message or a recovery code, as a program: several logins
//! of one user are completed at once while the recovery codes are replaced, and a model checker explores every order of
//! their reads and writes. A call reads the record of guesses with the login, and the recovery codes, in two steps (a
//! batch is no snapshot); it judges what it read with the rules that are deployed, and stores the result on condition
//! that what it depends on is as read.
//!
//! Each other design differs from ours in one step, and the checker must find what breaks it.

use std::{collections::BTreeSet, hash::Hash, sync::Arc};

use rand::rngs::SysRng;
use stateright::{Checker, HasDiscoveries, Model, Property};

use super::*;
use crate::domain::{
    crypto::key::{self, tests::ring},
    limits::rate_limit::{RateLimit, Window},
    model::compared_by_form,
    people::{factor::FactorType, id::UserId, phone::Phone},
    recovery::{RecoveryCode, RecoveryCodes},
    totp::TotpSecret,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Design {
    /// The deployed design.
    Ours,
    /// Compares a step with the last one as it was read, and writes the new one without a condition.
    ReadsStepFirst,
    /// Writes back the recovery codes as they were read, without the used one.
    RewritesCodes,
    /// A code does not depend on the login that it completes.
    IgnoresLogin,
    /// Guesses at the app and at text messages have a record each, so that one does not count for the other.
    TwoLedgers,
}

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Call {
    /// Submits the app's code of this step to a login.
    App(u64, usize),
    /// Submits the code that was sent for the login.
    Text(usize),
    /// Submits a recovery code of the first set.
    Recovery(usize, usize),
    /// Submits a wrong code.
    Wrong(usize),
    /// Makes new recovery codes.
    Replace,
}

/// What a token was issued for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Issued {
    App(u64),
    Text,
    Recovery(usize),
}

#[derive(Clone, Debug)]
struct Scenario {
    design: Design,
    calls: Vec<Call>,
    policy: Policy,
    /// The exact number of guesses that count in the end, if that is certain.
    counted: Option<usize>,
    first: Otps,
    text: Code,
    phone: Phone,
    secret: TotpSecret,
    keys: Arc<Keyring<OtpCodes>>,
    recovery_keys: Arc<Keyring<key::RecoveryCodes>>,
    sets: [RecoveryCodes; 2],
    codes: Vec<RecoveryCode>,
}

/// The record of guesses. Everything happens within every rolling window, so that only their number matters.
#[derive(Clone, Debug)]
struct Record(Otps);

impl Record {
    fn form(&self) -> impl Hash + PartialEq {
        let code = self.0.code.as_ref().map(|otp| (otp.attempts, otp.status.name()));
        (self.0.version, code, self.0.last_step, self.0.guesses.len())
    }
}

compared_by_form!(Record);

#[derive(Clone, Debug, PartialEq, Hash)]
enum Phase {
    Idle,
    /// It has read the record of guesses, and whether the login is open.
    ReadRecord(Record, bool),
    /// It has also read the recovery codes.
    ReadAll(Record, bool, BTreeSet<[u8; 32]>),
    Done,
}

#[derive(Clone, Debug, PartialEq, Hash)]
struct World {
    record: Record,
    /// Whether each login waits for its second factor.
    open: [bool; 2],
    unused: BTreeSet<[u8; 32]>,
    /// Whether the recovery codes were replaced.
    is_replaced: bool,
    clients: Vec<Phase>,
    issued: Vec<(Issued, usize)>,
    /// Guesses that were compared and stored.
    compared: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Action {
    Read(usize),
    Commit(usize),
}

const STEP_ONCE: &str = "of one step, and of those before it, one code is accepted";
const TEXT_ONCE: &str = "a code by text message is accepted once";
const RECOVERY_ONCE: &str = "a recovery code is accepted once";
const LOGIN_ONCE: &str = "a login is completed once";
const SET_IS_WHOLE: &str = "the stored codes are those of the newest set that are unused";
const COUNTED: &str = "every compared guess counts, and none is compared beyond the limit";

impl Scenario {
    fn new(calls: &[Call]) -> Self {
        let policy = Policy {
            length: 6,
            lifetime: 300,
            max_attempts: 20,
            sends: limit(20),
            first_day_sends: 20,
            guesses: limit(20),
        };
        let (keys, recovery_keys) = (Arc::new(ring(&[1])), Arc::new(ring(&[1])));
        let phone = Phone::parse("+380885550130").expect("a phone");
        let user = UserId::from_bytes([0; 16]);
        let none = Otps::none(user, FactorType::Sms);
        let issued = none.issue(&policy, &binding(&phone), None, &keys, &act(), &mut SysRng).expect("entropy");
        let (first, text) = issued.expect("the first message");
        let set = || RecoveryCodes::issue(&recovery_keys, user, &mut SysRng).expect("entropy");
        let ((one, codes), (two, _)) = (set(), set());
        Self {
            design: Design::Ours,
            calls: calls.to_vec(),
            policy,
            counted: None,
            first,
            text: Code::parse(text.expose(), 6).expect("our own"),
            phone,
            secret: TotpSecret::draw(&mut SysRng).expect("entropy"),
            keys,
            sets: [one, two],
            codes: codes.iter().map(|code| RecoveryCode::parse(code.expose()).expect("our own")).collect(),
            recovery_keys,
        }
    }

    /// What a guess leads to, by the deployed rules.
    fn judge(&self, call: Call, otps: Otps, unused: &BTreeSet<[u8; 32]>) -> Judged {
        let binding = binding(&self.phone);
        let codes = RecoveryCodes {
            unused: unused.clone(),
            ..self.sets[0].clone()
        };
        let app = |step| Parameters::APP.code(&self.secret, Step::new(STEP.get() + step - 1));
        let code = match call {
            Call::App(step, _) => Code::parse(app(step).expose(), 6).expect("our own"),
            Call::Text(_) => self.text.clone(),
            Call::Wrong(_) | Call::Recovery(..) | Call::Replace => Code::parse(&self.wrong(), 6).expect("six digits"),
        };
        let totp = TotpGuess {
            secret: &self.secret,
            code: Some(&code),
            is_new: false,
        };
        let recovery = |at: usize| {
            Guess::Recovery(RecoveryGuess {
                user: otps.user,
                codes: &codes,
                keys: &self.recovery_keys,
                code: &self.codes[at],
            })
        };
        let guess = match call {
            Call::Recovery(at, _) => recovery(at),
            Call::App(..) | Call::Text(_) | Call::Wrong(_) | Call::Replace => {
                Guess::Totp(totp, Some((&binding, &code)))
            }
        };
        otps.clone().judge(&self.policy, &guess, Ledger::User, &self.keys, &act())
    }

    /// A code that neither the app nor the message has.
    fn wrong(&self) -> String {
        let taken = |text: &str| {
            let app = (0..4)
                .any(|step| Parameters::APP.code(&self.secret, Step::new(STEP.get() + step - 1)).expose() == text);
            app || self.text.digits() == text
        };
        let mut digits = (0..6).map(|digit: u8| digit.to_string().repeat(6));
        digits.find(|text| !taken(text)).expect("six texts, and five codes")
    }

    fn commit(&self, world: &mut World, who: usize) {
        let (call, Phase::ReadAll(Record(read), was_open, unused)) = (self.calls[who], world.clients[who].clone())
        else {
            unreachable!("all is read")
        };
        world.clients[who] = Phase::Idle;
        let (issued, login) = match call {
            Call::App(step, login) => (Some(Issued::App(step)), login),
            Call::Text(login) => (Some(Issued::Text), login),
            Call::Recovery(at, login) => (Some(Issued::Recovery(at)), login),
            Call::Wrong(login) => (None, login),
            Call::Replace => {
                // It depends on no record of guesses.
                world.unused = self.sets[1].unused.clone();
                world.is_replaced = true;
                world.clients[who] = Phase::Done;
                return;
            }
        };
        if !was_open && self.design != Design::IgnoresLogin {
            world.clients[who] = Phase::Done;
            return;
        }
        let (next, proof) = match self.judge(call, read.clone(), &unused) {
            Judged::Limited(_) => {
                world.clients[who] = Phase::Done;
                return;
            }
            Judged::Failed { next, .. } => (next, None),
            Judged::Right { next, proof } => (next, Some(proof)),
        };
        let is_app = matches!(call, Call::App(..));
        let record_is_as_read = world.record.0.version == read.version
            || (self.design == Design::ReadsStepFirst && is_app)
            || self.design == Design::TwoLedgers;
        let login_is_as_read = world.open[login] == was_open || self.design == Design::IgnoresLogin;
        let code_is_unused = match proof {
            Some(Proof::Recovery(digest)) => self.design == Design::RewritesCodes || world.unused.contains(&digest),
            Some(Proof::Sms | Proof::Totp(_)) | None => true,
        };
        if !(record_is_as_read && login_is_as_read && code_is_unused) {
            return;
        }
        world.record = Record(next);
        world.compared += 1;
        world.clients[who] = Phase::Done;
        if let Some(proof) = proof {
            match (proof, self.design) {
                (Proof::Recovery(digest), Design::RewritesCodes) => {
                    world.unused = unused;
                    world.unused.remove(&digest);
                }
                (Proof::Recovery(digest), _) => {
                    world.unused.remove(&digest);
                }
                (Proof::Sms | Proof::Totp(_), _) => {}
            }
            world.open[login] = false;
            world.issued.push((issued.expect("a wrong code proves nothing"), login));
            world.issued.sort_unstable();
        }
    }
}

/// The step of the model's moment.
const STEP: Step = Step::new(60_000_000);

/// Whether each of these proofs was accepted once.
fn once(issued: &[(Issued, usize)], is: fn(&Issued) -> bool) -> bool {
    let of: Vec<_> = issued.iter().map(|(issued, _)| *issued).filter(is).collect();
    let different: BTreeSet<_> = of.iter().collect();
    different.len() == of.len()
}

fn limit(max: usize) -> RateLimit {
    RateLimit::new(vec![Window { max, seconds: 86_400 }])
}

fn act() -> Hit {
    Hit {
        at: Timestamp::from_seconds(STEP.get() * 30),
        by: "call".into(),
    }
}

fn binding(phone: &Phone) -> Binding<'_> {
    Binding {
        user: UserId::from_bytes([0; 16]),
        factor_type: FactorType::Sms,
        factor_at: Timestamp::from_seconds(0),
        phone,
        flow: &[1; 16],
        purpose: Purpose::SignIn,
    }
}

impl Model for Scenario {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            record: Record(self.first.clone()),
            open: [true; 2],
            unused: self.sets[0].unused.clone(),
            is_replaced: false,
            clients: vec![Phase::Idle; self.calls.len()],
            issued: Vec::new(),
            compared: 0,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for (who, phase) in world.clients.iter().enumerate() {
            match phase {
                Phase::Idle | Phase::ReadRecord(..) => actions.push(Action::Read(who)),
                Phase::ReadAll(..) => actions.push(Action::Commit(who)),
                Phase::Done => {}
            }
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut world = world.clone();
        match action {
            Action::Read(who) => {
                world.clients[who] = match world.clients[who].clone() {
                    Phase::ReadRecord(record, open) => Phase::ReadAll(record, open, world.unused.clone()),
                    Phase::Idle | Phase::ReadAll(..) | Phase::Done => {
                        let login = match self.calls[who] {
                            Call::App(_, login) | Call::Text(login) | Call::Recovery(_, login) | Call::Wrong(login) => {
                                login
                            }
                            Call::Replace => 0,
                        };
                        Phase::ReadRecord(world.record.clone(), world.open[login])
                    }
                };
            }
            Action::Commit(who) => self.commit(&mut world, who),
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let always = Property::<Self>::always;
        vec![
            always(STEP_ONCE, |_, world| {
                let last = world.record.0.last_step.map(Step::get);
                let latest = world.issued.iter().filter_map(|(issued, _)| match issued {
                    Issued::App(step) => Some(STEP.get() + step - 1),
                    Issued::Text | Issued::Recovery(_) => None,
                });
                once(&world.issued, |issued| matches!(issued, Issued::App(_))) && latest.max() == last
            }),
            always(TEXT_ONCE, |_, world| once(&world.issued, |issued| matches!(issued, Issued::Text))),
            always(RECOVERY_ONCE, |_, world| once(&world.issued, |issued| matches!(issued, Issued::Recovery(_)))),
            always(LOGIN_ONCE, |_, world| {
                let different: BTreeSet<_> = world.issued.iter().map(|(_, login)| login).collect();
                different.len() == world.issued.len()
            }),
            always(SET_IS_WHOLE, |scenario, world| {
                let used = world.issued.iter().filter(|(issued, _)| matches!(issued, Issued::Recovery(_))).count();
                match world.is_replaced {
                    true => world.unused == scenario.sets[1].unused,
                    false => world.unused.len() + used == scenario.sets[0].unused.len(),
                }
            }),
            always(COUNTED, |scenario, world| {
                let is_done = world.clients.iter().all(|phase| *phase == Phase::Done);
                let counted = world.record.0.guesses.len();
                counted == world.compared && (!is_done || scenario.counted.is_none_or(|exact| exact == counted))
            }),
        ]
    }
}

/// Every property holds in our design; in each of the others the named one does not.
fn check(scenario: &Scenario, others: &[(Design, &'static str)]) {
    scenario.clone().checker().spawn_bfs().join().assert_properties();
    for (design, property) in others {
        let other = Scenario {
            design: *design,
            ..scenario.clone()
        };
        let enough = HasDiscoveries::AnyOf(BTreeSet::from([*property]));
        let found = other.checker().finish_when(enough).spawn_bfs().join();
        assert!(
            found.discovery(property).is_some(),
            "{design:?} keeps this: {property}. Either the model overlooks something, or the scenario does not lead there"
        );
    }
}

#[test]
fn a_step_of_an_app_is_accepted_once_in_any_order_with_others() {
    let scenario = Scenario::new(&[Call::App(1, 0), Call::App(1, 1), Call::App(2, 1), Call::App(0, 0)]);
    check(&scenario, &[(Design::ReadsStepFirst, STEP_ONCE), (Design::IgnoresLogin, LOGIN_ONCE)]);
}

#[test]
fn an_app_and_a_text_message_complete_a_login_once() {
    let scenario = Scenario::new(&[Call::App(1, 0), Call::Text(0), Call::Text(1), Call::Wrong(0)]);
    check(
        &scenario,
        &[
            (Design::IgnoresLogin, LOGIN_ONCE),
            (Design::TwoLedgers, COUNTED),
            (Design::TwoLedgers, TEXT_ONCE),
        ],
    );
}

#[test]
fn a_recovery_code_is_used_once_and_none_survives_its_replacement() {
    let scenario = Scenario::new(&[
        Call::Recovery(0, 0),
        Call::Recovery(0, 1),
        Call::Recovery(1, 1),
        Call::Replace,
    ]);
    check(&scenario, &[(Design::RewritesCodes, SET_IS_WHOLE)]);
}

#[test]
fn guesses_at_all_factors_share_one_limit() {
    let mut scenario = Scenario::new(&[Call::Wrong(0), Call::Wrong(1), Call::Wrong(0), Call::Recovery(0, 1)]);
    (scenario.policy.guesses, scenario.counted) = (limit(2), Some(2));
    check(&scenario, &[(Design::TwoLedgers, COUNTED)]);
}
