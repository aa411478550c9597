use countersign_shared::{
    delivery::{
        mail::Recipient,
        words::{Message, compose},
    },
    domain::{
        claim,
        id::UserId,
        name::EmailAddress,
        password_reset::{PasswordResetRequest, Target},
        suppression,
        tenant::Domain,
        throttle::{self, Addressee, Asked},
        user::User,
    },
    fault::Fault,
    http::{
        call::Call,
        era::{
            self, Error,
            body::{Key, ResetWanted},
        },
        reply::Answer,
        serve::in_time,
    },
    mailing::{self, Letter},
    observe::Step,
    store::{
        rows,
        table::{Batch, Committed, Transaction},
    },
    throttling::Spending,
};
use rand::rngs::SysRng;

use crate::handler::Request;

/// Whom the mail is for, and what nobody may be told about it.
struct Found {
    domain: Domain,
    /// The operator has described the domain.
    is_described: bool,
    user: Option<User>,
    /// The account's address, or the one that was asked for; none for a login that nobody has.
    email: Option<EmailAddress>,
    /// No mail may go out: the address takes none, or the operator has never heard of the domain, whose name would
    /// be a stranger's text in our mail.
    is_silent: bool,
}

impl Request {
    /// The same steps for known and unknown: only the mail differs, and its reader knows.
    pub async fn reset(&self, call: &Call, wanted: ResetWanted) -> Result<Answer, Error> {
        let found = self.find(call, &wanted).await?;
        let mut spending = Spending::new(&self.budgets, call);
        let done = in_time(self.accept(call, &wanted, found, &mut spending)).await;
        if done.is_err() {
            // The first error is the one to tell; what cannot be given back comes back by itself.
            let _ = spending.give_back().await;
        }
        done
    }

    async fn find(&self, call: &Call, wanted: &ResetWanted) -> Result<Found, Error> {
        let claim = match &wanted.key {
            Key::Login(login) => claim::login(&wanted.domain, login),
            Key::Email(email) => claim::email(&wanted.domain, email),
        };
        let mut batch = Batch::default();
        batch.want(&self.domains, &wanted.domain);
        batch.want(&self.claims, &claim);
        let found = batch.read().await?;
        let domain = found.take(&self.domains, &wanted.domain, call.now)?;
        let id = match found.take(&self.claims, &claim, call.now)? {
            Some(claim) => claim.user,
            None => UserId::draw(&mut SysRng).map_err(Fault::from)?,
        };

        let mut batch = Batch::default();
        batch.want(&self.users, &id);
        let user = batch.read().await?.take(&self.users, &id, call.now)?;
        let email = match (&user, &wanted.key) {
            (Some(user), _) => Some(user.email.clone()),
            (None, Key::Email(email)) => Some(email.clone()),
            (None, Key::Login(_)) => None,
        };

        let mut batch = Batch::default();
        let subject = match &email {
            Some(email) => suppression::subject(email),
            None => claim,
        };
        batch.want(&self.suppressions, &subject);
        let suppression = batch.read().await?.take(&self.suppressions, &subject, call.now)?;
        let is_described = domain.is_some();
        let is_silent = suppression.is_some() || (!is_described && user.is_none());
        Ok(Found {
            domain: domain.unwrap_or_else(|| Domain::undescribed(wanted.domain.clone())),
            user,
            email,
            is_described,
            is_silent,
        })
    }

    async fn accept(
        &self,
        call: &Call,
        wanted: &ResetWanted,
        found: Found,
        spending: &mut Spending<'_>,
    ) -> Result<Answer, Error> {
        let limits = &self.policy.limits;
        let subject = throttle::source(Asked::PasswordReset, &call.source);
        spending.spend(&limits.source, &subject).await??;
        let subject = throttle::domain(Asked::PasswordReset, found.is_described.then_some(&wanted.domain));
        spending.spend(&limits.domain, &subject).await??;
        let addressee = match (&found.email, &wanted.key) {
            (Some(email), _) | (None, Key::Email(email)) => Addressee::Email(email),
            (None, Key::Login(login)) => Addressee::Nobody(&wanted.domain, login),
        };
        let subject = throttle::address(Asked::PasswordReset, addressee);
        let has_room = spending.spend(&limits.address, &subject).await?.is_ok();

        let target = match &found.user {
            Some(user) => Target {
                user: user.id,
                generation: user.token_generation,
                domain: wanted.domain.clone(),
                blocked_at: user.lockout.block.map(|block| block.at),
                recovers: user
                    .lockout
                    .standing(call.now)
                    .is_some_and(|block| block.why.is_failures()),
            },
            None => Target {
                user: UserId::draw(&mut SysRng).map_err(Fault::from)?,
                generation: 0,
                domain: wanted.domain.clone(),
                blocked_at: None,
                recovers: false,
            },
        };
        let (request, id) =
            PasswordResetRequest::issue(target, self.policy.lifetime, &mut SysRng, call.now).map_err(Fault::from)?;
        call.note_link(request.digest.short());
        if let Some(user) = &found.user {
            call.note_subject(format!("user:{}", user.id.text()));
        }
        // A link to nobody depends on there being nobody: the same call for known and unknown.
        let stands = match &found.user {
            Some(user) => rows::user::is_there(user),
            None => rows::user::is_nobody(),
        };
        let mut transaction = Transaction::default();
        transaction.put_new(&self.requests, &request, call.now);
        transaction.check(&self.depend_on_users, &request.target.user, stands);
        match transaction.commit().await? {
            Committed::Yes => {}
            Committed::No(_) => return Err(Fault::passing("the user changed meanwhile".into()).into()),
        }

        let link = self.policy.link(Asked::PasswordReset, &id);
        let message = match found.user {
            None => Message::NoAccount,
            Some(_) => Message::ResetPassword {
                link: &link,
                life: self.policy.life(),
            },
        };
        let domain = &found.domain;
        let mail = compose(&domain.locale, &domain.name, &message);
        // What the log may tell and the answer may not.
        let (to, outcome) = match &found.email {
            Some(_) if found.is_silent => (Recipient::Nobody, "password_reset_silent"),
            Some(_) if !has_room => (Recipient::Nobody, "password_reset_mail_throttled"),
            Some(email) if found.user.is_some() => (Recipient::Person(email), "password_reset_requested"),
            Some(email) => (Recipient::Person(email), "password_reset_of_unknown"),
            None => (Recipient::Nobody, "password_reset_of_unknown"),
        };
        let letter = Letter {
            sender: domain.sender.as_ref(),
            to,
            mail: &mail,
            asked: Asked::PasswordReset,
            request: &request.digest,
        };
        let sent = mailing::send(&self.mailer, &self.take_back, call, letter).await;
        sent.map(|()| era::check_mail(outcome).as_step(Step::Issued))
            .map_err(Error::MailFailed)
    }
}
