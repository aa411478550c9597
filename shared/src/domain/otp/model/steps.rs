//! The possible next steps, and their effects.

use stateright::{Model, Property};

use super::{
    Answer, Call, Client, Design, Program, Record, Scenario, Seen, Step, User, Verdict, Which, World, properties,
};
use crate::domain::{
    auth::lockout::Lockout,
    otp::{Otps, Status},
    people::{factor::FactorType, id::UserId},
    time::Timestamp,
};

/// One step of the model. The number is the client that takes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Action {
    /// Reads the user's row.
    ReadUser(usize),
    /// Reads the code record.
    ReadOtps(usize),
    /// Stores the result of the rules.
    Commit(usize, Fate),
    /// Retries a transaction, as the SDK does when the response was lost.
    Repeat(usize),
    /// Issues the access token that a code was consumed for.
    Pay(usize),
    /// Crashes before the next write.
    Crash(usize),
    /// The lifetime of a code passes.
    Pass,
}

/// The fate of a call once its transaction is stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fate {
    /// Its caller gets the response.
    Answered,
    /// The store's response is lost.
    Lost,
    /// The function crashes.
    Crashed,
}

impl Model for Scenario {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![self.start()]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        let may_fail = world.faults > 0;
        for client in world.clients.iter().filter(|client| client.call.is_some()) {
            let who = client.who;
            match client.step {
                Step::Idle | Step::Again => actions.extend([Action::ReadUser(who), Action::ReadOtps(who)]),
                Step::ReadUser(_) => actions.push(Action::ReadOtps(who)),
                Step::ReadOtps(_) => actions.push(Action::ReadUser(who)),
                Step::ReadBoth(..) => {
                    actions.push(Action::Commit(who, Fate::Answered));
                    if may_fail {
                        actions.push(Action::Commit(who, Fate::Lost));
                        actions.push(Action::Commit(who, Fate::Crashed));
                        actions.push(Action::Crash(who));
                    }
                }
                Step::Lost(_) => actions.push(Action::Repeat(who)),
                Step::Owes(_) => {
                    actions.push(Action::Pay(who));
                    if may_fail {
                        actions.push(Action::Crash(who));
                    }
                }
            }
        }
        if world.lives > 0 {
            actions.push(Action::Pass);
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut world = world.clone();
        match action {
            Action::ReadUser(who) => self.read_user(&mut world, who),
            Action::ReadOtps(who) => self.read_otps(&mut world, who),
            Action::Commit(who, fate) => {
                world.faults -= u8::from(fate != Fate::Answered);
                self.commit(&mut world, who, fate);
            }
            Action::Repeat(who) => self.repeat(&mut world, who),
            Action::Pay(who) => self.pay(&mut world, who),
            Action::Crash(who) => {
                world.faults -= 1;
                self.answer(&mut world, who, Verdict::of(Answer::Error));
            }
            Action::Pass => {
                world.lives -= 1;
                world.now += self.policy.lifetime;
            }
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}

impl Scenario {
    /// One login, whose code has arrived, and clients that all hold its token.
    fn start(&self) -> World {
        let first = Client {
            who: 0,
            login: 1,
            call: Some(Call::Login),
            done: 0,
            step: Step::Idle,
            at: 0,
            given: 0,
            made: 0,
            has_won: false,
            is_in: false,
        };
        let signed_out = User {
            lockout: Lockout::default(),
            logins: 0,
            is_open: false,
        };
        let none = Otps::none(UserId::from_bytes([0; 16]), FactorType::Sms);
        let (_, stored) = self.judge(&first, signed_out, none, 1);
        let (otps, user) = stored.expect("the first login is allowed");
        let clients = self.programs.iter().enumerate().map(|(who, program)| Client {
            who,
            call: match program {
                Program::Calls(calls) => calls.first().copied(),
                Program::Owner => Some(Call::Give(Which::Newest)),
            },
            ..first.clone()
        });
        World {
            now: 0,
            otps: Record(otps),
            user,
            clients: clients.collect(),
            faults: self.faults,
            lives: self.lives,
            made: 1,
            arrived: 1,
            seen: Seen::default(),
        }
    }

    fn read_user(&self, world: &mut World, who: usize) {
        world.begin(who);
        match world.clients[who].step.clone() {
            Step::Idle | Step::Again => world.clients[who].step = Step::ReadUser(world.user),
            Step::ReadOtps(otps) => self.read_both(world, who, world.user, otps),
            Step::ReadUser(_) | Step::ReadBoth(..) | Step::Lost(_) | Step::Owes(_) => unreachable!("it is read"),
        }
    }

    fn read_otps(&self, world: &mut World, who: usize) {
        world.begin(who);
        match world.clients[who].step.clone() {
            Step::Idle | Step::Again => world.clients[who].step = Step::ReadOtps(world.otps.clone()),
            Step::ReadUser(user) => self.read_both(world, who, user, world.otps.clone()),
            Step::ReadOtps(_) | Step::ReadBoth(..) | Step::Lost(_) | Step::Owes(_) => unreachable!("it is read"),
        }
    }

    /// Handles a call that has read both rows. A call that has nothing to store is answered at once.
    fn read_both(&self, world: &mut World, who: usize, user: User, otps: Record) {
        let client = &mut world.clients[who];
        let (verdict, stored) = self.judge(client, user, otps.0.clone(), world.made + 1);
        client.step = Step::ReadBoth(user, otps);
        if stored.is_none() {
            self.answer(world, who, verdict);
        } else if self.design == Design::AnswersFirst {
            world.seen.record(verdict);
        }
    }

    /// Stores the result of the rules, if the rows are still as read.
    fn commit(&self, world: &mut World, who: usize, fate: Fate) {
        let client = &mut world.clients[who];
        let Step::ReadBoth(read, Record(otps)) = client.step.clone() else {
            unreachable!("both are read")
        };
        let version = otps.version;
        let (verdict, stored) = self.judge(client, read, otps, world.made + 1);
        let (mut otps, mut user) = stored.expect("what stores nothing was answered");
        // The condition of `store::rows::otp::replace`.
        let otps_are_as_read = world.otps.0.version == version;
        // An attribute that is not written has no condition: a failure does not change the logins
        // (`store::rows::user::set_lockout`).
        let user_is_as_read = match verdict.answer {
            Answer::Failed => world.user.lockout == read.lockout,
            Answer::LoggedIn(_) | Answer::Right => world.user == read,
            Answer::Done | Answer::Refused | Answer::Error => true,
        };
        let holds = match self.design {
            Design::Unconditional => true,
            Design::OneCondition => otps_are_as_read,
            Design::Ours | Design::CountsOnCode | Design::AnswersFirst | Design::NoRequestToken | Design::TwoWrites => {
                otps_are_as_read && user_is_as_read
            }
        };
        if !holds {
            client.step = Step::Again;
            return;
        }
        match client.call.expect("a call is under way") {
            Call::Login | Call::Resend => {
                world.made += 1;
                client.made = world.made;
                if self.design == Design::CountsOnCode {
                    otps.guesses.clear();
                    user.lockout.otps = 0;
                }
            }
            Call::TakeBack => {}
            Call::Give(_) => world.seen.store(verdict, client, &world.user, &world.otps.0),
        }
        match verdict.answer {
            Answer::Failed => {
                world.user.lockout = user.lockout;
                world.user.is_open &= user.is_open;
            }
            Answer::LoggedIn(_) | Answer::Right => world.user = user,
            Answer::Done | Answer::Refused | Answer::Error => {}
        }
        world.otps = Record(otps);
        if verdict.answer == Answer::Right {
            client.has_won = true;
            if self.design == Design::TwoWrites {
                client.step = Step::Owes(verdict);
                return;
            }
            world.seen.tokens.push((client.given, client.login));
        }
        match fate {
            Fate::Answered => self.answer(world, who, verdict),
            Fate::Lost => client.step = Step::Lost(verdict),
            Fate::Crashed => self.answer(world, who, Verdict::of(Answer::Error)),
        }
    }

    /// Retries a transaction that is stored already. The store recognizes the request by its token, whatever was stored
    /// since.
    fn repeat(&self, world: &mut World, who: usize) {
        let Step::Lost(verdict) = world.clients[who].step else {
            unreachable!("an answer was lost")
        };
        if self.design == Design::NoRequestToken {
            // The version is no longer the one that was read.
            world.clients[who].step = Step::Again;
        } else {
            self.answer(world, who, verdict);
        }
    }

    fn pay(&self, world: &mut World, who: usize) {
        let client = &world.clients[who];
        let Step::Owes(verdict) = client.step else {
            unreachable!("a token is owed")
        };
        world.seen.tokens.push((client.given, client.login));
        self.answer(world, who, verdict);
    }

    /// Completes a call: its caller gets the response, and makes the next call.
    fn answer(&self, world: &mut World, who: usize, verdict: Verdict) {
        if self.design != Design::AnswersFirst {
            world.seen.record(verdict);
        }
        let client = &mut world.clients[who];
        match verdict.answer {
            Answer::LoggedIn(login) => {
                client.login = login;
                world.arrived = world.arrived.max(client.made);
            }
            Answer::Done => world.arrived = world.arrived.max(client.made),
            Answer::Right => client.is_in = true,
            Answer::Failed | Answer::Refused => world.seen.right_was_denied |= client.has_won,
            Answer::Error => {}
        }
        client.done += 1;
        client.call = match self.programs[who] {
            Program::Calls(calls) => calls.get(client.done).copied(),
            Program::Owner if client.done == self.patience() => None,
            Program::Owner => match verdict.answer {
                Answer::LoggedIn(_) | Answer::Done => Some(Call::Give(Which::Newest)),
                Answer::Right => None,
                Answer::Failed | Answer::Refused => Some(Call::Login),
                Answer::Error => client.call,
            },
        };
        client.step = Step::Idle;
        client.has_won = false;
    }

    /// The maximum number of calls by the owner: one with the right code, and three more for each possible disturbance.
    /// The worst is a crash after the code was consumed: the code is refused, and another login and code are needed.
    fn patience(&self) -> usize {
        let calls = self.programs.iter().map(|program| match program {
            Program::Calls(calls) => calls.len(),
            Program::Owner => 0,
        });
        1 + 3 * (calls.sum::<usize>() + usize::from(self.faults) + usize::from(self.lives))
    }
}

impl World {
    /// Starts a call, unless it is in progress.
    fn begin(&mut self, who: usize) {
        let client = &mut self.clients[who];
        if client.step == Step::Idle {
            client.at = self.now;
            client.given = match client.call {
                Some(Call::Give(Which::Newest)) => self.arrived,
                Some(Call::Give(Which::Earlier)) => self.arrived - 1,
                Some(Call::Give(Which::Wrong) | Call::Login | Call::Resend | Call::TakeBack) | None => 0,
            };
        }
    }

    /// Whether all clients are done.
    pub(super) fn is_expired(&self) -> bool {
        self.clients.iter().all(|client| client.call.is_none())
    }
}

impl Seen {
    /// Stores the verdict on a guess in place of these rows.
    fn store(&mut self, verdict: Verdict, client: &Client, user: &User, otps: &Otps) {
        self.compared += usize::from(verdict.compared.is_some());
        if verdict.answer != Answer::Right {
            self.failures += 1;
            return;
        }
        self.failures = 0;
        let at = Timestamp::from_seconds(client.at);
        self.blocked_was_right |= user.lockout.active_block(at).is_some();
        let lives = otps.code.as_ref().is_some_and(|otp| {
            let is_it = otp.id[0] == client.given && otp.flow[0] == client.login;
            match otp.status {
                Status::New(_) => is_it && at < otp.expires_at,
                Status::Ended(_) => false,
            }
        });
        self.dead_was_right |= !lives;
    }

    /// Returns a verdict to a caller.
    fn record(&mut self, verdict: Verdict) {
        self.answered.extend(verdict.compared);
        self.answered.sort_unstable();
    }
}
