//! What a call does with what it has read.

use super::{Answer, Call, Client, Scenario, User, Verdict};
use crate::domain::{
    auth::lockout::Failed,
    crypto::secret::tests::Constant,
    limits::rate_limit::Hit,
    otp::{Binding, Code, Guess, Judged, Ledger, Otps, Purpose},
    time::Timestamp,
};

/// What to return, and what to store before that, if anything.
pub(super) type Said = (Verdict, Option<(Otps, User)>);

const REFUSED: Said = (Verdict::of(Answer::Refused), None);

impl Scenario {
    /// Checks a client's call against the two rows that it has read. `number` is that of the code that it would issue.
    pub(super) fn judge(&self, client: &Client, user: User, otps: Otps, number: u8) -> Said {
        let at = Timestamp::from_seconds(client.at);
        let call = client.call.expect("a call is under way");
        let has_token = user.is_open && user.logins == client.login;
        let is_blocked = user.lockout.active_block(at).is_some();
        let (login, may) = match call {
            Call::Login => (user.logins + 1, !is_blocked),
            Call::Resend | Call::Give(_) => (client.login, has_token && !is_blocked),
            // It cancels the code that the same call issued.
            Call::TakeBack => (client.login, true),
        };
        if !may {
            return REFUSED;
        }
        let binding = Binding {
            user: otps.user,
            factor_type: otps.factor_type,
            factor_at: Timestamp::from_seconds(0),
            phone: &self.phone,
            flow: &[login; 16],
            purpose: Purpose::SignIn,
        };
        let act = Hit {
            at,
            by: client.who.to_string(),
        };
        match call {
            Call::Login => {
                let user = User {
                    lockout: user.lockout.knew_password(),
                    logins: login,
                    is_open: true,
                };
                self.issue(user, otps, &binding, &act, number, Answer::LoggedIn(login))
            }
            Call::Resend => self.issue(user, otps, &binding, &act, number, Answer::Done),
            Call::TakeBack => {
                let next = otps.take_back(&[client.made; 16], &act);
                (Verdict::of(Answer::Done), Some((next, user)))
            }
            Call::Give(_) => self.guess(user, otps, &binding, &act, client.given),
        }
    }

    fn issue(&self, user: User, otps: Otps, binding: &Binding<'_>, act: &Hit, number: u8, answer: Answer) -> Said {
        let issued = otps.issue(&self.policy, binding, None, &self.keys, act, &mut Constant(number));
        match issued.expect("numbers do not run out") {
            Ok((next, _)) => (Verdict::of(answer), Some((next, user))),
            Err(_) => REFUSED,
        }
    }

    fn guess(&self, user: User, otps: Otps, binding: &Binding<'_>, act: &Hit, given: u8) -> Said {
        let given = Code::parse(&given.to_string().repeat(6), 6).expect("numbers have one digit");
        let attempts = |otps: &Otps| otps.code.as_ref().map_or(0, |otp| otp.attempts);
        let before = attempts(&otps);
        let (answer, next, user) =
            match otps.judge(&self.policy, &Guess::Sms(binding, &given), Ledger::User, &self.keys, act) {
                Judged::Limited(_) => return REFUSED,
                Judged::Failed { next, .. } => (Answer::Failed, next, user.failed(self, act.at)),
                Judged::Right { next, .. } => (Answer::Right, next, user.knew_otp()),
            };
        let compared = next.code.as_ref().filter(|otp| otp.attempts > before).map(|otp| otp.id[0]);
        (Verdict { answer, compared }, Some((next, user)))
    }
}

impl User {
    fn failed(self, scenario: &Scenario, at: Timestamp) -> Self {
        let lockout = self.lockout.failed(&scenario.lockout, Failed::Otp, at);
        Self {
            lockout,
            is_open: lockout.active_block(at).is_none(),
            ..self
        }
    }

    fn knew_otp(self) -> Self {
        Self {
            lockout: self.lockout.knew_otp(),
            is_open: false,
            ..self
        }
    }
}

impl Verdict {
    /// A verdict without a comparison.
    pub(super) const fn of(answer: Answer) -> Self {
        Self { answer, compared: None }
    }
}
