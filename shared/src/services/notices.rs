//! Floor 2: mails that notify users of what was done to their accounts (R41). What was done is not undone when a mail cannot be sent.

use crate::{
    delivery::{
        mail::{Mailer, Recipient, Unsent},
        words::{Message, compose},
    },
    domain::{
        name::DomainName,
        sender::Sender,
        suppression::{self, Suppression},
        tenant::Domain,
        user::User,
    },
    fault::Fault,
    http::call::Call,
    observe,
    runtime::edge::Wire,
    store::table::{Batch, BatchGet, Table},
};

/// Notifies users by mail.
#[derive(Debug, Wire)]
pub struct Notices {
    /// SES.
    pub mailer: Mailer,
    /// The domains, whose language and sender the mails have.
    pub domains: Table<Domain, BatchGet>,
    /// The addresses that take no mail.
    pub suppressions: Table<Suppression, BatchGet>,
}

impl Notices {
    /// Tells a user, unless the address takes no mail. `kind` is the mail's tag, a word. That it could not be sent is for the
    /// log.
    pub async fn tell(&self, call: &Call, user: &User, message: &Message<'_>, kind: &'static str) {
        let subject = suppression::subject(&user.email);
        let to = Recipient::Person(&user.email);
        if let Err(fault) = self.send(call, &user.domain, subject, to, message, kind).await {
            observe::failed(&call.request_id, kind, &fault);
        }
    }

    /// Does the same work for an identity that is not known, and mails to nobody. `pseudonym` is looked up like an address.
    pub async fn notify_nobody(
        &self,
        call: &Call,
        domain: &DomainName,
        pseudonym: [u8; 32],
        message: &Message<'_>,
        kind: &'static str,
    ) {
        if let Err(fault) = self
            .send(call, domain, pseudonym, Recipient::Nobody, message, kind)
            .await
        {
            observe::failed(&call.request_id, kind, &fault);
        }
    }

    async fn send(
        &self,
        call: &Call,
        domain: &DomainName,
        subject: [u8; 32],
        to: Recipient<'_>,
        message: &Message<'_>,
        kind: &str,
    ) -> Result<(), Fault> {
        let mut batch = Batch::default();
        batch.want(&self.suppressions, &subject);
        batch.want(&self.domains, domain);
        let found = batch.read().await?;
        // Whether an address takes mail must not show either.
        let to = match found.take(&self.suppressions, &subject, call.now)? {
            Some(_) => Recipient::Nobody,
            None => to,
        };
        let described = found.take(&self.domains, domain, call.now)?;
        let domain = described.unwrap_or_else(|| Domain::undescribed(domain.clone()));
        let mail = compose(&domain.locale, &domain.name, message);
        // Nobody reads what comes back: who did not do it has to be told where to go by somebody else than this mail.
        let sender = domain.sender.map(|sender| Sender {
            reply_to: None,
            ..sender
        });
        let tags = [("kind", kind.to_owned())];
        let sent = self.mailer.send(sender.as_ref(), to, &mail, &tags).await;
        observe::mail(kind, sent.is_ok(), call.told(None));
        sent.map_err(|Unsent { fault, .. }| fault)
    }
}
