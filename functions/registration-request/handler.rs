use countersign_shared::{
    delivery::{
        mail::{Mailer, Recipient},
        words::{Message, compose},
    },
    domain::{
        claim::{self, Claim},
        link::Policy,
        registration::{RegistrationRequest, Wanted},
        repetition::{Keeping, Remembered},
        suppression::{self, Suppression},
        tenant::Domain,
        throttle::{self, Addressee, Asked},
    },
    fault::Fault,
    http::{
        call::Call,
        era::{
            self, Error,
            body::{self, RegistrationWanted},
        },
        reply::Answer,
        serve::{Endpoint, in_time},
    },
    mailing::{self, Letter},
    observe::Step,
    repetition::{self, Caller},
    store::{
        rows::budget::Spent,
        table::{Batch, BatchGet, Delete, Put, Table, Update},
    },
    throttling::Spending,
};
use rand::rngs::SysRng;

/// Takes a registration and mails a link. No account exists before the link was followed.
pub struct Request {
    pub repetitions: Table<Remembered, Put>,
    pub forget: Table<Remembered, Delete>,
    pub domains: Table<Domain, BatchGet>,
    pub claims: Table<Claim, BatchGet>,
    pub suppressions: Table<Suppression, BatchGet>,
    pub budgets: Table<Spent, Update>,
    pub requests: Table<RegistrationRequest, Put>,
    pub take_back: Table<RegistrationRequest, Delete>,
    pub mailer: Mailer,
    pub policy: Policy,
}

impl Endpoint for Request {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let wanted = body::read_registration(call)?;
        let answer = self.request(call, wanted);
        repetition::once(
            &self.repetitions,
            &self.forget,
            Keeping::Plain,
            call,
            Caller {
                function: "registration-request",
                credential: "",
            },
            answer,
        )
        .await
    }
}

/// A registration that nothing speaks against, and what nobody may be told about its address.
struct Admitted {
    domain: Domain,
    wanted: Wanted,
    has_account: bool,
    is_suppressed: bool,
}

impl Request {
    async fn request(&self, call: &Call, wanted: RegistrationWanted) -> Result<Answer, Error> {
        let admitted = self.admit(call, wanted).await?;
        let mut spending = Spending::new(&self.budgets, call);
        let done = in_time(self.accept(call, admitted, &mut spending)).await;
        if done.is_err() {
            // The first error is the one to tell; what cannot be given back comes back by itself.
            let _ = spending.give_back().await;
        }
        done
    }

    async fn admit(&self, call: &Call, asked: RegistrationWanted) -> Result<Admitted, Error> {
        let mut batch = Batch::default();
        batch.want(&self.domains, &asked.domain);
        if let Ok(wanted) = &asked.values {
            for login in claim::logins(&wanted.domain, &wanted.login) {
                batch.want(&self.claims, &login);
            }
            batch.want(&self.claims, &claim::email(&wanted.domain, &wanted.email));
            batch.want(&self.suppressions, &suppression::subject(&wanted.email));
        }
        let found = batch.read().await?;
        let domain = found
            .take(&self.domains, &asked.domain, call.now)?
            .filter(|domain| domain.self_register_allowed)
            .ok_or(Error::RegistrationClosed)?;
        let wanted = asked.values?;
        let claimed = |key| found.take(&self.claims, &key, call.now);
        for login in claim::logins(&wanted.domain, &wanted.login) {
            if claimed(login)?.is_some() {
                return Err(Error::Taken("login"));
            }
        }
        let suppression = found.take(&self.suppressions, &suppression::subject(&wanted.email), call.now)?;
        Ok(Admitted {
            has_account: claimed(claim::email(&wanted.domain, &wanted.email))?.is_some(),
            is_suppressed: suppression.is_some(),
            domain,
            wanted,
        })
    }

    /// The same steps for every address: one that has an account gets another mail, and one that must get none gets it
    /// at SES's own address for that.
    async fn accept(&self, call: &Call, admitted: Admitted, spending: &mut Spending<'_>) -> Result<Answer, Error> {
        let (limits, email) = (&self.policy.limits, admitted.wanted.email.clone());
        let subject = throttle::source(Asked::Registration, &call.source);
        spending.spend(&limits.source, &subject).await??;
        let subject = throttle::domain(Asked::Registration, Some(&admitted.domain.name));
        spending.spend(&limits.domain, &subject).await??;
        let subject = throttle::address(Asked::Registration, Addressee::Email(&email));
        let has_room = spending.spend(&limits.address, &subject).await?.is_ok();

        let (request, id) = RegistrationRequest::issue(admitted.wanted, self.policy.lifetime, &mut SysRng, call.now)
            .map_err(Fault::from)?;
        call.note_link(request.digest.short());
        self.requests.put(&request).await?;

        let domain = &admitted.domain;
        let link = self.policy.link(Asked::Registration, &id);
        let message = match admitted.has_account {
            true => Message::AlreadyRegistered,
            false => Message::ConfirmRegistration {
                link: &link,
                life: self.policy.life(),
            },
        };
        let mail = compose(&domain.locale, &domain.name, &message);
        // What the log may tell and the answer may not.
        let (to, outcome) = match (admitted.is_suppressed, has_room, admitted.has_account) {
            (true, _, _) => (Recipient::Nobody, "registration_silent"),
            (false, false, _) => (Recipient::Nobody, "registration_mail_throttled"),
            (false, true, true) => (Recipient::Person(&email), "registration_of_known_address"),
            (false, true, false) => (Recipient::Person(&email), "registration_requested"),
        };
        let letter = Letter {
            sender: domain.sender.as_ref(),
            to,
            mail: &mail,
            asked: Asked::Registration,
            request: &request.digest,
        };
        let sent = mailing::send(&self.mailer, &self.take_back, call, letter).await;
        sent.map(|()| era::check_mail(outcome).as_step(Step::Issued))
            .map_err(Error::MailFailed)
    }
}
