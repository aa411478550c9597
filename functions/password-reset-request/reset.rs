use countersign_shared::{
    delivery::{
        mail::Recipient,
        words::{Message, compose},
    },
    domain::{
        limits::{
            limit_keys::{self, Addressee, MailKind, RequestKind, Resolved},
            rate_limit::RateLimited,
        },
        mail::{
            link,
            suppression::{self, Reason},
        },
        password_reset::{PasswordResetRequest, Target},
        people::{
            claim,
            id::UserId,
            name::{DomainName, EmailAddress},
            tenant::Domain,
            user::User,
        },
    },
    fault::Fault,
    http::{
        call::Call,
        dialects::era::{
            self, Error,
            body::{Key, ResetRequest},
        },
        reply::Answer,
        serve::in_time,
    },
    observe::{Milestone, Outcome},
    services::{
        idempotency::Once,
        link_mails::{self, Letter},
        rate_limits::{MailLimit, Planned, Spending},
    },
    store::{
        rows::{self, bucket::Level, rate_limit::Usage},
        table::{Batch, Committed, Transaction},
    },
};
use rand::rngs::SysRng;

use crate::handler::Request;

/// The recipient of the mail, and facts that must not be revealed to the caller.
struct ResetState {
    domain: Domain,
    /// Whether the operator has configured the domain.
    is_described: bool,
    user: Option<User>,
    /// The account's address, or the requested one; none for an unknown login.
    email: Option<EmailAddress>,
    suppressed: Option<Reason>,
    /// Recent mails to the mailbox, for the kinds of mail that are possible.
    mails: [Mails; 2],
    levels: Levels,
}

/// The mails of one kind to one mailbox.
struct Mails {
    kind: MailKind,
    subject: [u8; 32],
    sent: Option<Usage>,
}

/// The levels of the mail rate limits.
#[derive(Default)]
struct Levels {
    domain: Option<Level>,
    deployment: Option<Level>,
}

const REQUEST: RequestKind = RequestKind::PasswordReset;

impl ResetState {
    fn resolved(&self) -> Resolved {
        match (&self.user, &self.email) {
            (Some(_), _) => Resolved::Account,
            (None, Some(_)) if self.is_described => Resolved::Address,
            (None, Some(_) | None) => Resolved::Nothing,
        }
    }

    /// The domain whose rate limits are used.
    fn described(&self) -> Option<&DomainName> {
        self.is_described.then_some(&self.domain.name)
    }
}

impl Request {
    /// The same steps for known and unknown users, against enumeration: only the mail differs, and only its recipient
    /// sees it.
    pub async fn reset(&self, call: &Call, reset: ResetRequest, once: &Once<'_>) -> Result<Answer, Error> {
        let found = self.find(call, &reset).await?;
        let mut spending = Spending::new(&self.rate_limits, once.hit(call));
        let done = in_time(self.accept(call, &reset, found, &mut spending)).await;
        if done.is_err() {
            // Report the first error; what cannot be given back expires.
            let _ = spending.give_back().await;
        }
        done
    }

    async fn find(&self, call: &Call, reset: &ResetRequest) -> Result<ResetState, Error> {
        let claim = match &reset.key {
            Key::Login(login) => claim::login(&reset.domain, login),
            Key::Email(email) => claim::email(&reset.domain, email),
        };
        let mut batch = Batch::default();
        batch.want(&self.domains, &reset.domain);
        batch.want(&self.claims, &claim);
        let found = batch.read().await?;
        let domain = found.take(&self.domains, &reset.domain, call.now)?;
        let id = match found.take(&self.claims, &claim, call.now)? {
            Some(claim) => claim.user,
            None => UserId::draw(&mut SysRng).map_err(Fault::from)?,
        };

        let mut batch = Batch::default();
        batch.want(&self.answered.read, &id);
        let user = batch.read().await?.take(&self.answered.read, &id, call.now)?;
        let email = match (&user, &reset.key) {
            (Some(user), _) => Some(user.email.clone()),
            (None, Key::Email(email)) => Some(email.clone()),
            (None, Key::Login(_)) => None,
        };

        let is_described = domain.is_some();
        let subject = match &email {
            Some(email) => suppression::subject(email),
            None => claim,
        };
        // An unknown login leads to as many reads, of rows that do not exist.
        let addressee = match (&email, &reset.key) {
            (Some(email), _) | (None, Key::Email(email)) => Addressee::Email(email),
            (None, Key::Login(login)) => Addressee::UnknownLogin(&reset.domain, login),
        };
        let kinds = match user {
            Some(_) => [MailKind::Recovery, MailKind::RecoveryAfterComplaint],
            None => [MailKind::NoAccount, MailKind::RecoveryAfterComplaint],
        };
        let mailboxes = kinds.map(|kind| limit_keys::mailbox(kind, addressee));
        let of_domain = limit_keys::domain_mails(REQUEST, is_described.then_some(&reset.domain));
        let of_all = limit_keys::mails(REQUEST);
        let mut batch = Batch::default();
        batch.want(&self.suppressions, &subject);
        for mailbox in &mailboxes {
            batch.want(&self.read_rate_limits, mailbox);
        }
        for level in [&of_domain, &of_all] {
            batch.want(&self.read_levels, level);
        }
        let found = batch.read().await?;
        let mails = |at: usize| {
            Ok::<_, Fault>(Mails {
                kind: kinds[at],
                subject: mailboxes[at],
                sent: found.take(&self.read_rate_limits, &mailboxes[at], call.now)?,
            })
        };
        let suppression = found.take(&self.suppressions, &subject, call.now)?;
        Ok(ResetState {
            domain: domain.unwrap_or_else(|| Domain::undescribed(reset.domain.clone())),
            suppressed: suppression.map(|row| row.reason),
            mails: [mails(0)?, mails(1)?],
            levels: Levels {
                domain: found.take(&self.read_levels, &of_domain, call.now)?,
                deployment: found.take(&self.read_levels, &of_all, call.now)?,
            },
            user,
            email,
            is_described,
        })
    }

    /// Counts a request against the rate limits, for any subject. `Ok(Ok(false))` means that the limit of the
    /// domain or the deployment is reached: requests of strangers must not lock out account owners, and an error would
    /// reveal which accounts exist, so this only stops mails to addresses without an account.
    async fn spend<'a>(
        &'a self,
        call: &Call,
        found: &ResetState,
        levels: Levels,
        spending: &mut Spending<'a>,
    ) -> Result<Result<bool, RateLimited>, Fault> {
        let (limits, domain) = (&self.policy.limits, found.described());
        for (limit, subject) in [
            (&limits.source, limit_keys::source(REQUEST, &call.source)),
            (&limits.share, limit_keys::share(REQUEST, &call.source, domain)),
        ] {
            if let Err(exhausted) = spending.spend(limit, &subject).await? {
                return Ok(Err(exhausted));
            }
        }
        let subject = limit_keys::domain(REQUEST, domain);
        let in_minute = spending.spend(&limits.domain, &subject).await?;
        let mail_limits = [
            MailLimit {
                name: "domain",
                bucket: &limits.domain_mails,
                subject: limit_keys::domain_mails(REQUEST, domain),
                level: levels.domain,
            },
            MailLimit {
                name: "deployment",
                bucket: &limits.mails,
                subject: limit_keys::mails(REQUEST),
                level: levels.deployment,
            },
        ];
        let in_hour = spending.take_mails(call, &self.levels, mail_limits).await?;
        Ok(Ok(in_minute.is_ok() && in_hour.is_ok()))
    }

    async fn accept<'a>(
        &'a self,
        call: &Call,
        reset: &ResetRequest,
        mut found: ResetState,
        spending: &mut Spending<'a>,
    ) -> Result<Answer, Error> {
        let limits = &self.policy.limits;
        let levels = std::mem::take(&mut found.levels);
        let is_within_limits = self.spend(call, &found, levels, spending).await??;
        let kind = MailKind::of_reset(found.resolved(), found.suppressed, is_within_limits);
        let planned = found.mails.iter_mut().find(|mails| Some(mails.kind) == kind);
        let planned = planned.map(|mails| Planned {
            waits: limits.waits(mails.kind),
            subject: mails.subject,
            sent: mails.sent.take(),
        });
        let key = match &reset.key {
            Key::Login(login) => login.canonical(),
            Key::Email(email) => email.canonical(),
        };
        let elsewhere = limit_keys::elsewhere(REQUEST, &reset.domain, key);
        let is_sent = spending.mail(planned, (&elsewhere, &limits.mailbox)).await?;

        let target = match &found.user {
            Some(user) => Target {
                user: user.id,
                generation: user.token_generation,
                domain: reset.domain.clone(),
                blocked_at: user.lockout.block.map(|block| block.at),
                recovers: user.lockout.active_block(call.now).is_some_and(|block| block.why.is_failures()),
            },
            None => Target {
                user: UserId::draw(&mut SysRng).map_err(Fault::from)?,
                generation: 0,
                domain: reset.domain.clone(),
                blocked_at: None,
                recovers: false,
            },
        };
        let (request, id) =
            PasswordResetRequest::issue(target, self.policy.lifetime, &mut SysRng, call.now).map_err(Fault::from)?;
        call.log_link(request.digest.short());
        if let Some(user) = &found.user {
            call.log_subject(user.id.log_name());
        }
        let link = self.policy.link(REQUEST, &id);
        let message = match &found.user {
            None => Message::NoAccount,
            Some(_) => Message::ResetPassword {
                link: &link,
                life: self.policy.life(),
            },
        };
        let domain = &found.domain;
        let mail = compose(&domain.locale, &domain.name, &message);
        // Facts for the log, which the response must not reveal.
        let (to, outcome) = match (&found.email, kind) {
            (Some(_), None) => (Recipient::Simulator, Outcome::PasswordResetSilent),
            (Some(_), Some(_)) if !is_sent => (Recipient::Simulator, Outcome::PasswordResetMailThrottled),
            (Some(email), Some(MailKind::NoAccount)) => (Recipient::Person(email), Outcome::PasswordResetOfUnknown),
            (Some(email), Some(_)) => (Recipient::Person(email), Outcome::PasswordResetRequested),
            (None, _) => (Recipient::Simulator, Outcome::PasswordResetOfUnknown),
        };
        // A link for an unknown user depends on that user not existing: the same call for known and unknown.
        let unchanged = match &found.user {
            Some(user) => rows::user::is_there(user),
            None => rows::user::is_absent(),
        };
        let mut transaction = Transaction::default();
        transaction.put_new(&self.requests, &request, call.now);
        transaction.check(&self.answered.depend_on, &request.target.user, unchanged);
        let act = |outcome: Outcome| match &found.user {
            Some(user) => outcome.of_user(user),
            None => outcome.of(link::log_name(&request.digest)),
        };
        self.audit.add(&mut transaction, call, act(outcome));
        match transaction.commit().await? {
            Committed::Yes => {}
            Committed::No(_) => return Err(Fault::Contended("the user changed meanwhile".into()).into()),
        }
        let letter = Letter {
            sender: domain.sender.as_ref(),
            to,
            mail: &mail,
            request_kind: REQUEST,
            request: &request.digest,
            failed: act(Outcome::MailFailed),
        };
        let sent = link_mails::send(&self.mailer, &self.take_back, &self.audit, call, letter).await;
        sent.map(|()| era::check_mail(outcome).counted_as(Milestone::Issued)).map_err(Error::MailFailed)
    }
}
