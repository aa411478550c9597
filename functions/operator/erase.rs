//! Erases a user: deletes every row about them, and returns a receipt.
//!
//! One write shuts the user out first: they cannot sign in, and all that was issued to them is revoked. Requests in
//! progress depend on the user as it was before, and fail when they write, so deleted rows do not come back. Rows that
//! lead to other rows are deleted after those, and the user's own row and names after all others except the links,
//! which are found by the id alone: the command can be repeated at any time, and finds all that is left.

use std::collections::BTreeMap;

use countersign_shared::{
    domain::{
        auth::token::{Kind, Token},
        crypto::key::{Keyring, OtpCodes},
        limits::limit_keys::{self, Addressee, MailKind, RequestKind},
        mail::suppression,
        people::{claim, factor::NewValue, id::UserId, phone::Phone, unknown, user::User},
        registration::RegistrationRequest,
    },
    fault::Fault,
    observe::Outcome,
    store::{
        retry::optimistic,
        rows,
        table::{Committed, Cursor, Transaction},
    },
};
use serde_json::{Value, json};

use crate::{
    command::Erasure,
    handler::Operator,
    outcome::{Failed, Run},
    sweep::{Came, Part, Place, Sweep, Work},
    users::{factors_of, user_id_of},
};

/// Time limit of reading tables, in seconds. The function's timeout in template.yaml is longer.
const LONGEST: u64 = 40;

/// Retries of shutting a user out after concurrent changes.
const ROUNDS: u32 = 16;

/// The data that is kept, and why.
const STAYS: &[&str] = &[
    "AuditTable: what was done to the user's id, and what became of mail to a pseudonym, for AuditRetentionDays; neither leads to \
     the person any more, except the id of a user with a number, which can be computed from domain and number",
    "PasscodesTable: passcodes do not name their user in clear, and expire",
    "RepetitionsTable: of calls with an Idempotency-Key that anybody may make, a digest and the answer that everybody gets, for \
     24 hours",
    "BudgetsTable: what is counted of networks, domains and the usernames of passcodes, as digests, for 30 days at most; and of \
     the mail address and the numbers, for calls that were under way or come from now on, for a year at most",
    "EntitiesTable: entities are users of applications, under the applications' own names, which delete them",
    "VerificationsTable and AttemptsTable: they name no user; a number or an address is encrypted in them, and expires 30 days \
     after its last verification",
    "logs: the user's id, and masked addresses and numbers, for LogRetentionDays",
    "backups: what UsersTable, ClaimsTable and FactorsTable held within the last 35 days (point-in-time recovery)",
    "accounts and registrations of the same mail address in other domains: erase those by themselves",
];

impl Operator {
    /// Deletes all rows of a user, or as many as time allows: the result then says how to continue. Repeated, it
    /// deletes what is left, and finally nothing.
    pub async fn erase_user(&self, erasure: Erasure, run: Run<'_>) -> Result<Value, Failed> {
        let id = user_id_of(&erasure.user_id)?;
        let within = erasure.within_seconds.unwrap_or(LONGEST);
        if within > LONGEST {
            return Err(Failed::Refused(format!("within_seconds is 0 to {LONGEST}")));
        }
        let from = match &erasure.from {
            Some(text) => Some(Place::parse(text).ok_or(Failed::from("continue is what the answer before said"))?),
            None => None,
        };
        let mut work = Work {
            run,
            generation: 0,
            until: run.now.deadline(within),
            counts: BTreeMap::new(),
            phones: Vec::new(),
        };
        let from_links = from.as_ref().is_some_and(|from| from.part == Part::PasswordResets);
        let (came, links_from) = match self.read_users.get(&id, run.now).await? {
            // Links come last. The number, and the id derived from it, may have been reassigned since.
            Some(_) if from_links => {
                return Err(Failed::Refused(
                    "the user is erased, and another one has the id now: without continue, that one would be erased"
                        .into(),
                ));
            }
            Some(user) => (self.erase_known(user, from, &mut work).await?, None),
            None => {
                let from = from.filter(|_| from_links);
                (Came::Through, from.and_then(|from| from.after))
            }
        };
        let came = match came {
            Came::Through => self.sweep_links(id, links_from, &mut work).await?,
            Came::To(_) | Came::Nowhere => came,
        };
        Ok(receipt(id, work, &came))
    }

    /// Erases everything but links, starting at `from`.
    async fn erase_known(&self, user: User, from: Option<Place>, work: &mut Work<'_>) -> Result<Came, Failed> {
        let is_out = user.lockout.decided(work.run.now).is_none();
        let from = from.filter(|from| from.generation == user.token_generation && (is_out || work.run.dry));
        let user = match from.is_some() || work.run.dry {
            true => user,
            false => self.shut_out(user, work.run).await?,
        };
        work.generation = user.token_generation;
        self.erase_codes(&user, work).await?;
        let (mut part, mut after) = from.map_or((Some(Part::Tokens), None), |from| (Some(from.part), from.after));
        while let Some(now) = part {
            match self.sweep(now, after.take(), &user, work).await? {
                Came::Through => part = now.next(),
                came @ (Came::To(_) | Came::Nowhere) => return Ok(came),
            }
        }
        self.erase_counters(&user, work).await?;
        Ok(match self.erase_account(&user, work).await? {
            true => Came::Through,
            false => Came::Nowhere,
        })
    }

    async fn shut_out(&self, user: User, run: Run<'_>) -> Result<User, Failed> {
        let (id, mut read) = (user.id, Some(user));
        optimistic(ROUNDS, "the user", async || {
            let found = match read.take() {
                Some(user) => Some(user),
                None => self.read_users.get(&id, run.now).await?,
            };
            let user = found.ok_or(Failed::from("the user is gone: send the command again"))?;
            let change = rows::user::shut_out(&user, run.by, run.now);
            Ok(match self.change_user(&user, change, Outcome::UserErasureBegun, run).await? {
                true => Some(User {
                    token_generation: user.token_generation + 1,
                    ..user
                }),
                false => None,
            })
        })
        .await
    }

    /// Deletes the rows under the user's id that could be shown or guessed.
    async fn erase_codes(&self, user: &User, work: &mut Work<'_>) -> Result<(), Fault> {
        let (read, erase) = (&self.read_pins, &self.erase_pins);
        work.row("SupportPinsTable", read, erase, &user.id).await?;
        work.row("DevicesTable", &self.read_devices, &self.erase_devices, &user.id).await?;
        for key in factors_of(user.id) {
            work.row("OtpsTable", &self.read_otps, &self.erase_otps, &key).await?;
            let factor = self.read_factors.get(&key, work.run.now).await?;
            // A row that leads to a counter is deleted after it.
            if let Some(phone) = factor.as_ref().and_then(|factor| factor.phone()) {
                self.erase_sms_counter(&phone.number, work).await?;
            }
            let (read, erase) = (&self.read_factors, &self.erase_factors);
            work.row("FactorsTable", read, erase, &key).await?;
        }
        Ok(())
    }

    /// Sweeps one table whose keys do not lead to a user.
    async fn sweep(&self, part: Part, after: Option<Cursor>, user: &User, work: &mut Work<'_>) -> Result<Came, Fault> {
        match part {
            Part::Tokens => {
                let tokens = Sweep {
                    part,
                    find: &self.find_tokens,
                    erase: &self.erase_tokens,
                    id: |token| &token.digest,
                    phone: |token: &Token| match &token.kind {
                        Kind::Approval {
                            value: NewValue::Phone(phone),
                            ..
                        } => Some(phone),
                        Kind::Approval {
                            value: NewValue::App { .. },
                            ..
                        } => None,
                        Kind::Access | Kind::SecondFactor { .. } => None,
                    },
                };
                tokens.all(self, work, after, || rows::user::owns(user.id), |_| true).await
            }
            Part::Registrations => {
                let registrations = Sweep {
                    part,
                    find: &self.find_registrations,
                    erase: &self.erase_registrations,
                    id: |request| &request.digest,
                    phone: |_| None,
                };
                let wanted = || rows::registration::is_for(&user.domain);
                let is_theirs =
                    |request: &RegistrationRequest| request.account.email.canonical() == user.email.canonical();
                registrations.all(self, work, after, wanted, is_theirs).await
            }
            Part::Repetitions => {
                let repetitions = Sweep {
                    part,
                    find: &self.find_repetitions,
                    erase: &self.erase_repetitions,
                    id: |call| &call.key,
                    phone: |_| None,
                };
                repetitions.all(self, work, after, || rows::user::owns(user.id), |_| true).await
            }
            Part::PasswordResets => self.sweep_links(user.id, after, work).await,
        }
    }

    async fn sweep_links(&self, user: UserId, after: Option<Cursor>, work: &mut Work<'_>) -> Result<Came, Fault> {
        let links = Sweep {
            part: Part::PasswordResets,
            find: &self.find_resets,
            erase: &self.erase_resets,
            id: |request| &request.digest,
            phone: |_| None,
        };
        links.all(self, work, after, || rows::user::owns(user), |_| true).await
    }

    /// Deletes the counters of the user, and the suppression of their address.
    async fn erase_counters(&self, user: &User, work: &mut Work<'_>) -> Result<(), Fault> {
        let mut subjects = vec![limit_keys::password_guesses(user.id)];
        subjects.extend(MailKind::ALL.map(|kind| limit_keys::mailbox(kind, Addressee::Email(&user.email))));
        for kind in [RequestKind::Registration, RequestKind::PasswordReset] {
            for key in [user.email.canonical(), user.login.canonical()] {
                subjects.push(limit_keys::elsewhere(kind, &user.domain, key));
            }
        }
        for subject in subjects {
            self.erase_counter(&subject, work).await?;
        }
        // Failures counted before the address had an account.
        let subject = unknown::subject(&user.domain, user.email.as_str());
        let (read, erase) = (&self.read_unknown, &self.erase_unknown);
        work.row("BudgetsTable", read, erase, &subject).await?;
        let subject = suppression::subject(&user.email);
        let (read, erase) = (&self.read_suppressions, &self.lift);
        work.row("SuppressionsTable", read, erase, &subject).await?;
        Ok(())
    }

    pub async fn erase_sms_counter(&self, phone: &Phone, work: &mut Work<'_>) -> Result<(), Fault> {
        if !work.phones.contains(phone) {
            let keys = self.otp_keys.read().await?.keys;
            let keys = Keyring::<OtpCodes>::new(keys, work.run.now);
            let keys = keys.map_err(|unfit| Fault::Keys(format!("the keys of codes are unfit: {unfit:?}")))?;
            self.erase_counter(&limit_keys::sms(&keys.derive(), phone), work).await?;
            work.phones.push(phone.clone());
        }
        Ok(())
    }

    async fn erase_counter(&self, subject: &[u8; 32], work: &mut Work<'_>) -> Result<(), Fault> {
        let (read, erase) = (&self.read_rate_limits, &self.erase_rate_limits);
        work.row("BudgetsTable", read, erase, subject).await
    }

    /// Deletes the user, both names and the login's lookalikes, all or nothing; `false` if the user has changed since
    /// being shut out.
    async fn erase_account(&self, user: &User, work: &mut Work<'_>) -> Result<bool, Fault> {
        let mut transaction = Transaction::default();
        transaction.delete_if(&self.erase_users, &user.id, rows::user::is_there(user));
        let mut claims = 0;
        let names = [
            claim::login(&user.domain, &user.login),
            claim::email(&user.domain, &user.email),
        ];
        for name in names.into_iter().chain(user.looks.iter().copied()) {
            let found = self.read_claims.get(&name, work.run.now).await?;
            if found.is_some_and(|claim| claim.user == user.id) {
                transaction.delete_if(&self.erase_claims, &name, rows::user::owns(user.id));
                claims += 1;
            }
        }
        self.audit.add(&mut transaction, work.run, Outcome::UserErased.of_user(user));
        let done = work.run.dry || matches!(transaction.commit().await?, Committed::Yes);
        if done {
            work.counts.insert("UsersTable", 1);
            work.counts.insert("ClaimsTable", claims);
        }
        Ok(done)
    }
}

/// The result: what this command has deleted, by table.
fn receipt(user: UserId, work: Work<'_>, came: &Came) -> Value {
    let Work { run, counts, .. } = work;
    let all = [
        "UsersTable",
        "ClaimsTable",
        "FactorsTable",
        "OtpsTable",
        "DevicesTable",
        "SupportPinsTable",
        "BudgetsTable",
        "SuppressionsTable",
    ];
    let all = all.into_iter().chain(Part::ALL.map(Part::table));
    let tables: BTreeMap<_, _> = all.map(|table| (table, counts.get(table).unwrap_or(&0))).collect();
    let (is_complete, place) = match came {
        Came::Through => (true, None),
        Came::To(place) => (false, Some(place.text())),
        Came::Nowhere => (false, None),
    };
    json!({
        "receipt": {
            "user_id": user.text(), "at": run.now.iso(), "request_id": run.by, "tables": tables, "stays": STAYS,
        },
        "complete": is_complete,
        "continue": place,
        "changed": !counts.is_empty() || !is_complete,
    })
}
