//! A model of the lanes, as a program: the owner of a known device, the holder of its token who does not know the
//! password, and strangers log in at once, and a model checker explores every order of their reads and writes. A call
//! reads the user and the devices, judges them with the rules that are deployed, and stores the result on condition that
//! what it depends on is as read (optimistic locking).
//!
//! Each other design differs from ours in one step, and the checker must find what breaks it.

use std::hash::Hash;

use rand::rngs::SysRng;
use stateright::{Checker, HasDiscoveries, Model, Property};

use super::*;
use crate::domain::{
    auth::lockout::{self, Failed, Lockout},
    model::compared_by_form,
    people::user::tests::user,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Design {
    /// The deployed design.
    Ours,
    /// A known device shares the lane of strangers.
    SharedLane,
    /// A login from a known device depends on the counters of others.
    DependsOnOthers,
    /// A login from a known device resets the counters of others.
    ResetsOthers,
    /// A wrong password from a known device counts on the user, too.
    CountsOnUser,
    /// Writes the devices without a condition, based on a stale read.
    Unconditional,
    /// A login from a known device does not depend on the user's generation.
    IgnoresGeneration,
}

/// A login, or what ends all devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Call {
    /// The right password from the known device.
    Right,
    /// A wrong password from the known device.
    Typo,
    /// A stranger's wrong password.
    Attack,
    /// A new password is set.
    Reset,
}

#[derive(Clone, Debug)]
struct Scenario {
    design: Design,
    callers: Vec<&'static [Call]>,
    user: User,
    devices: Devices,
    token: Secret,
}

/// The rows: all happens at one time, so that a device differs only in its failures.
#[derive(Clone, Debug)]
struct Rows {
    lockout: Lockout,
    generation: u64,
    devices: Devices,
}

impl Rows {
    fn form(&self) -> impl Hash + PartialEq {
        (self.lockout, self.generation, self.devices.version, self.devices.list[0].failures)
    }
}

compared_by_form!(Rows);

#[derive(Clone, Debug, PartialEq, Hash)]
struct Caller {
    done: usize,
    read: Option<Rows>,
}

#[derive(Clone, Debug, PartialEq, Hash)]
struct World {
    rows: Rows,
    callers: Vec<Caller>,
    seen: Seen,
}

/// What happened, in the order of the writes.
#[derive(Clone, Debug, Default, PartialEq, Hash)]
struct Seen {
    /// Wrong passwords that were compared in the device's lane since the last login that was completed there.
    in_a_row: u64,
    /// Wrong passwords that were compared in the shared lane.
    compared: u64,
    /// The right password from the device was refused.
    was_refused: bool,
    /// A login from the device had to read again.
    was_repeated: bool,
    /// A login was completed in the lane of a device that had ended.
    outlived: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Action {
    Read(usize),
    Commit(usize),
}

const POLICY: lockout::Policy = lockout::Policy {
    passwords: 1,
    otps: 1,
    seconds: None,
};

const NEVER_REFUSED: &str = "the right password from a known device is not refused because of failures of others";
const NOT_DELAYED: &str = "a login from the only caller with the device never reads again because of others";
const COUNTED: &str = "each failure of the device is counted once, until a login from it is completed";
const FIVE: &str = "no more failures in a row are compared in the device's lane than it allows";
const GUESSES: &str = "logins from a known device give strangers no guess and take none";
const ENDED: &str = "no login is completed in the lane of a device that has ended";

impl Scenario {
    fn new(callers: &[&'static [Call]]) -> Self {
        let user = user();
        let client = ClientId::parse("heatclinic").expect("well-formed");
        let new = NewDevice {
            user: &user,
            client: &client,
            renewed: None,
            presented: None,
            remembered: None,
        };
        let policy = Policy {
            lifetime: 1000,
            remembered: 0,
        };
        let (device, token) = Device::issue(new, &policy, &mut SysRng, now()).expect("entropy");
        Self {
            design: Design::Ours,
            callers: callers.to_vec(),
            devices: Devices::none(user.id).with(device, now()),
            user,
            token,
        }
    }

    fn calls(&self) -> impl Iterator<Item = Call> {
        self.callers.iter().flat_map(|calls| calls.iter().copied())
    }

    fn commit(&self, world: &mut World, who: usize, read: &Rows) {
        let call = self.callers[who][world.callers[who].done];
        let user = User {
            lockout: read.lockout,
            token_generation: read.generation,
            ..self.user.clone()
        };
        let known = match call {
            Call::Right | Call::Typo => read.devices.known(&user, &self.token, now()),
            Call::Attack | Call::Reset => None,
        };
        let known = known.filter(|_| self.design != Design::SharedLane).map(|device| device.id);
        let is_done = match known {
            Some(id) => self.in_own_lane(world, call, read, id),
            None => self.in_shared_lane(world, call, read),
        };
        let caller = &mut world.callers[who];
        caller.read = None;
        match is_done {
            true => caller.done += 1,
            false => world.seen.was_repeated |= matches!(call, Call::Right | Call::Typo),
        }
    }

    /// Whether the write's conditions hold.
    fn in_own_lane(&self, world: &mut World, call: Call, read: &Rows, id: DeviceId) -> bool {
        let rows = &world.rows;
        let is_same_record = rows.devices.version == read.devices.version || self.design == Design::Unconditional;
        let is_same_user = rows.generation == read.generation || self.design == Design::IgnoresGeneration;
        let is_same_lockout = rows.lockout == read.lockout || self.design != Design::DependsOnOthers;
        if !(is_same_record && is_same_user && is_same_lockout) {
            return false;
        }
        world.seen.outlived |= rows.generation != read.generation;
        match call {
            Call::Right => {
                world.rows.devices = read.devices.completed(id, now());
                world.seen.in_a_row = 0;
                if self.design == Design::ResetsOthers {
                    world.rows.lockout = world.rows.lockout.knew_password();
                }
            }
            Call::Typo => {
                world.rows.devices = read.devices.failed(id, now());
                world.seen.in_a_row += 1;
                if self.design == Design::CountsOnUser {
                    world.rows.lockout = world.rows.lockout.failed(&POLICY, Failed::Password, now());
                }
            }
            Call::Attack | Call::Reset => {}
        }
        true
    }

    fn in_shared_lane(&self, world: &mut World, call: Call, read: &Rows) -> bool {
        if call == Call::Reset {
            world.rows.generation += 1;
            world.rows.lockout = Lockout::default();
            return true;
        }
        if read.lockout.active_block(now()).is_some() {
            world.seen.was_refused |= call == Call::Right;
            return true;
        }
        if (world.rows.lockout, world.rows.generation) != (read.lockout, read.generation) {
            return false;
        }
        world.rows.lockout = match call {
            Call::Right => read.lockout.knew_password(),
            Call::Typo | Call::Attack | Call::Reset => {
                world.seen.compared += 1;
                read.lockout.failed(&POLICY, Failed::Password, now())
            }
        };
        true
    }
}

fn now() -> Timestamp {
    Timestamp::from_seconds(100)
}

impl Model for Scenario {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let caller = Caller { done: 0, read: None };
        vec![World {
            rows: Rows {
                lockout: Lockout::default(),
                generation: self.user.token_generation,
                devices: self.devices.clone(),
            },
            callers: vec![caller; self.callers.len()],
            seen: Seen::default(),
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for (who, caller) in world.callers.iter().enumerate() {
            match &caller.read {
                _ if caller.done == self.callers[who].len() => {}
                None => actions.push(Action::Read(who)),
                Some(_) => actions.push(Action::Commit(who)),
            }
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut world = world.clone();
        match action {
            Action::Read(who) => world.callers[who].read = Some(world.rows.clone()),
            Action::Commit(who) => {
                let read = world.callers[who].read.clone()?;
                self.commit(&mut world, who, &read);
            }
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let always = Property::<Self>::always;
        vec![
            always(NEVER_REFUSED, |scenario, world| {
                let typos = scenario.calls().filter(|call| *call == Call::Typo).count() as u64;
                let is_ended = scenario.calls().any(|call| call == Call::Reset);
                typos >= FAILURES || is_ended || !world.seen.was_refused
            }),
            always(NOT_DELAYED, |scenario, world| {
                let has_device = |calls: &&&[Call]| calls.iter().any(|call| matches!(call, Call::Right | Call::Typo));
                let is_alone = scenario.callers.iter().filter(has_device).count() == 1;
                let is_ended = scenario.calls().any(|call| call == Call::Reset);
                !is_alone || is_ended || !world.seen.was_repeated
            }),
            always(COUNTED, |_, world| world.rows.devices.list[0].failures == world.seen.in_a_row),
            always(FIVE, |_, world| world.seen.in_a_row <= FAILURES),
            always(GUESSES, |scenario, world| {
                let is_ended = scenario.calls().any(|call| call == Call::Reset);
                let (compared, most) = (world.seen.compared, POLICY.passwords + 1);
                let typos = scenario.calls().filter(|call| *call == Call::Typo).count() as u64;
                // Until the device is unknown, the counters of the shared lane are those of strangers.
                let is_exact = typos >= FAILURES || world.rows.lockout.passwords == compared;
                is_ended || (compared <= most && is_exact)
            }),
            always(ENDED, |_, world| !world.seen.outlived),
        ]
    }
}

/// Every property holds in our design; in each of the others the named one does not.
fn check(callers: &[&'static [Call]], others: &[(Design, &'static str)]) {
    let scenario = Scenario::new(callers);
    scenario.clone().checker().spawn_bfs().join().assert_properties();
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

const OWNER: &[Call] = &[Call::Right, Call::Typo, Call::Right];
const STRANGER: &[Call] = &[Call::Attack, Call::Attack];

#[test]
fn the_owner_is_not_refused_and_waits_for_no_stranger() {
    check(
        &[OWNER, STRANGER, STRANGER],
        &[
            (Design::SharedLane, NEVER_REFUSED),
            (Design::DependsOnOthers, NOT_DELAYED),
            (Design::ResetsOthers, GUESSES),
            (Design::CountsOnUser, GUESSES),
        ],
    );
}

#[test]
fn parallel_failures_of_one_device_are_counted_exactly() {
    const TYPO: &[Call] = &[Call::Typo];
    check(&[TYPO, TYPO, OWNER, STRANGER], &[(Design::Unconditional, COUNTED)]);
    check(&[TYPO; 7], &[(Design::Unconditional, COUNTED), (Design::Unconditional, FIVE)]);
}

#[test]
fn a_login_does_not_outlive_its_device() {
    check(&[OWNER, &[Call::Reset], &[Call::Attack]], &[(Design::IgnoresGeneration, ENDED)]);
}
