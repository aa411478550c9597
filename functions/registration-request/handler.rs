use countersign_shared::{
    delivery::{
        mail::{Mailer, Recipient},
        words::{Message, compose},
    },
    domain::{
        idempotency::Storage,
        limits::{
            limit_keys::{self, Addressee, MailKind, RequestKind},
            rate_limit::RateLimited,
        },
        mail::{
            link::{self, Policy},
            suppression::{self, Reason, Suppression},
        },
        people::{
            claim::{self, Claim},
            name::{DomainName, EmailAddress},
            tenant::Domain,
        },
        registration::{AccountRequest, RegistrationRequest},
    },
    fault::Fault,
    http::{
        call::Call,
        dialects::era::{
            self, Error,
            body::{self, RegisterRequest},
        },
        reply::Answer,
        serve::{Endpoint, in_time},
    },
    observe::{Milestone, Outcome},
    runtime::edge::Wire,
    services::{
        audit::AuditLog,
        idempotency::{self, Caller, Idempotency, Once, Owners},
        link_mails::{self, Letter},
        rate_limits::{MailLimit, Planned, Spending},
    },
    store::{
        rows::{bucket::Level, rate_limit::Usage},
        table::{Batch, BatchGet, Committed, Delete, Put, Table, Transaction, Update},
    },
};
use rand::rngs::SysRng;

/// Stores a registration and mails a link. No account exists before the link is followed.
#[derive(Wire)]
pub struct Request {
    pub idempotency: Idempotency,
    pub domains: Table<Domain, BatchGet>,
    pub claims: Table<Claim, BatchGet>,
    pub suppressions: Table<Suppression, BatchGet>,
    pub read_rate_limits: Table<Usage, BatchGet>,
    pub rate_limits: Table<Usage, Update>,
    pub read_levels: Table<Level, BatchGet>,
    pub levels: Table<Level, Update>,
    pub requests: Table<RegistrationRequest, Put>,
    pub take_back: Table<RegistrationRequest, Delete>,
    pub mailer: Mailer,
    #[wire(registration_policy)]
    pub policy: Policy,
    pub audit: AuditLog,
}

impl Endpoint for Request {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let request = body::read_registration(call)?;
        idempotency::run_once(
            &self.idempotency,
            Owners::Public,
            Storage::Plain,
            call,
            Caller {
                function: "registration-request",
                credential: "",
            },
            async |once: &Once<'_>| self.request(call, request, once).await,
        )
        .await
    }
}

const REQUEST: RequestKind = RequestKind::Registration;

/// The subject that counts registration mails to a mailbox.
fn mailbox(email: &EmailAddress) -> [u8; 32] {
    limit_keys::mailbox(MailKind::Registration, Addressee::Email(email))
}

/// A valid registration, and facts about its address that must not be revealed to the caller.
struct Admitted {
    domain: Domain,
    account: AccountRequest,
    has_account: bool,
    suppressed: Option<Reason>,
    /// Recent mails to the mailbox.
    sent: Option<Usage>,
    levels: Levels,
}

/// The levels of the mail rate limits.
struct Levels {
    unconfirmed: Option<Level>,
    domain: Option<Level>,
    deployment: Option<Level>,
}

impl Request {
    async fn request(&self, call: &Call, request: RegisterRequest, once: &Once<'_>) -> Result<Answer, Error> {
        let admitted = self.admit(call, request).await?;
        let mut spending = Spending::new(&self.rate_limits, once.hit(call));
        let done = in_time(self.accept(call, admitted, &mut spending)).await;
        if done.is_err() {
            // Report the first error; what cannot be given back expires.
            let _ = spending.give_back().await;
        }
        done
    }

    async fn admit(&self, call: &Call, request: RegisterRequest) -> Result<Admitted, Error> {
        let mut batch = Batch::default();
        batch.want(&self.domains, &request.domain);
        if let Ok(account) = &request.values {
            for login in claim::logins(&account.domain, &account.login) {
                batch.want(&self.claims, &login);
            }
            batch.want(&self.claims, &claim::email(&account.domain, &account.email));
            batch.want(&self.suppressions, &suppression::subject(&account.email));
            batch.want(&self.read_rate_limits, &mailbox(&account.email));
            for subject in [
                limit_keys::unconfirmed(&account.domain),
                limit_keys::domain_mails(REQUEST, Some(&account.domain)),
                limit_keys::mails(REQUEST),
            ] {
                batch.want(&self.read_levels, &subject);
            }
        }
        let found = batch.read().await?;
        let domain = found
            .take(&self.domains, &request.domain, call.now)?
            .filter(|domain| domain.self_register_allowed)
            .ok_or(Error::RegistrationClosed)?;
        let account = request.values?;
        let claimed = |key| found.take(&self.claims, &key, call.now);
        for login in claim::logins(&account.domain, &account.login) {
            if claimed(login)?.is_some() {
                return Err(Error::Taken("login"));
            }
        }
        let suppression = found.take(&self.suppressions, &suppression::subject(&account.email), call.now)?;
        let level = |subject| found.take(&self.read_levels, &subject, call.now);
        Ok(Admitted {
            has_account: claimed(claim::email(&account.domain, &account.email))?.is_some(),
            suppressed: suppression.map(|row| row.reason),
            sent: found.take(&self.read_rate_limits, &mailbox(&account.email), call.now)?,
            levels: Levels {
                unconfirmed: level(limit_keys::unconfirmed(&account.domain))?,
                domain: level(limit_keys::domain_mails(REQUEST, Some(&account.domain)))?,
                deployment: level(limit_keys::mails(REQUEST))?,
            },
            domain,
            account,
        })
    }

    /// The same steps for every address, against enumeration: one with an account gets another mail, and for one that
    /// must get none the mail goes to SES's own mailbox simulator.
    async fn accept<'a>(
        &'a self,
        call: &Call,
        admitted: Admitted,
        spending: &mut Spending<'a>,
    ) -> Result<Answer, Error> {
        let (limits, email) = (&self.policy.limits, admitted.account.email.clone());
        self.spend(call, &admitted.domain.name, admitted.levels, spending).await??;
        let kind = MailKind::of_registration(admitted.suppressed);
        let planned = kind.map(|kind| Planned {
            waits: limits.waits(kind),
            subject: mailbox(&email),
            sent: admitted.sent,
        });
        let elsewhere = limit_keys::elsewhere(REQUEST, &admitted.domain.name, email.canonical());
        let is_sent = spending.mail(planned, (&elsewhere, &limits.mailbox)).await?;

        let (request, id) = RegistrationRequest::issue(admitted.account, self.policy.lifetime, &mut SysRng, call.now)
            .map_err(Fault::from)?;
        let domain = &admitted.domain;
        let link = self.policy.link(REQUEST, &id);
        let message = match admitted.has_account {
            true => Message::AlreadyRegistered,
            false => Message::ConfirmRegistration {
                link: &link,
                life: self.policy.life(),
            },
        };
        let mail = compose(&domain.locale, &domain.name, &message);
        // Facts for the log, which the response must not reveal.
        let (to, outcome) = match (kind, is_sent, admitted.has_account) {
            (None, _, _) => (Recipient::Simulator, Outcome::RegistrationSilent),
            (Some(_), false, _) => (Recipient::Simulator, Outcome::RegistrationMailThrottled),
            (Some(_), true, true) => (Recipient::Person(&email), Outcome::RegistrationOfKnownAddress),
            (Some(_), true, false) => (Recipient::Person(&email), Outcome::RegistrationRequested),
        };
        call.log_link(request.digest.short());
        let act = |outcome: Outcome| outcome.of(link::log_name(&request.digest)).in_domain(&domain.name);
        let mut transaction = Transaction::default();
        transaction.put_new(&self.requests, &request, call.now);
        self.audit.add(&mut transaction, call, act(outcome));
        match transaction.commit().await? {
            Committed::Yes => {}
            Committed::No(_) => return Err(Fault::Bug("the random link is taken".into()).into()),
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

    /// Counts a request against the rate limits of this domain, whatever the address.
    async fn spend<'a>(
        &'a self,
        call: &Call,
        domain: &DomainName,
        levels: Levels,
        spending: &mut Spending<'a>,
    ) -> Result<Result<(), RateLimited>, Fault> {
        let limits = &self.policy.limits;
        let is_slow = |level: &Level| limits.unconfirmed.is_low(level.full_at, call.now);
        let share = match levels.unconfirmed.as_ref().is_some_and(is_slow) {
            true => &limits.share_of_unconfirmed,
            false => &limits.share,
        };
        for (limit, subject) in [
            (&limits.source, limit_keys::source(REQUEST, &call.source)),
            (share, limit_keys::share(REQUEST, &call.source, Some(domain))),
            (&limits.domain, limit_keys::domain(REQUEST, Some(domain))),
        ] {
            if let Err(exhausted) = spending.spend(limit, &subject).await? {
                return Ok(Err(exhausted));
            }
        }
        let mail_limits = [
            MailLimit {
                name: "unconfirmed",
                bucket: &limits.unconfirmed,
                subject: limit_keys::unconfirmed(domain),
                level: levels.unconfirmed,
            },
            MailLimit {
                name: "domain",
                bucket: &limits.domain_mails,
                subject: limit_keys::domain_mails(REQUEST, Some(domain)),
                level: levels.domain,
            },
            MailLimit {
                name: "deployment",
                bucket: &limits.mails,
                subject: limit_keys::mails(REQUEST),
                level: levels.deployment,
            },
        ];
        spending.take_mails(call, &self.levels, mail_limits).await
    }
}
