//! Floor 2: mails that notify users of changes to their accounts (R41). A change is kept even if the mail cannot be
//! sent.

use futures_util::future::LocalBoxFuture;

use crate::{
    delivery::{
        mail::{Mailer, Recipient, Unsent},
        words::{Message, compose},
    },
    domain::{
        mail::{
            sender::Sender,
            suppression::{self, Suppression},
        },
        people::{name::DomainName, tenant::Domain, user::User},
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
    /// The domains, for the language and sender of the mails.
    pub domains: Table<Domain, BatchGet>,
    /// The addresses that receive no mail.
    pub suppressions: Table<Suppression, BatchGet>,
}

impl Notices {
    /// Notifies a user, unless the address is suppressed. `kind` is the mail's tag, one word. A failure to send is only
    /// logged.
    pub async fn notify(&self, call: &Call, user: &User, message: &Message<'_>, kind: &'static str) {
        let subject = suppression::subject(&user.email);
        let to = Recipient::Person(&user.email);
        if let Err(fault) = self.send(call, &user.domain, subject, to, message, kind).await {
            observe::failed(&call.request_id, kind, &fault);
        }
    }

    /// Does the same work for an unknown identity without sending a mail. `pseudonym` is looked up like an address.
    pub async fn simulate(
        &self,
        call: &Call,
        domain: &DomainName,
        pseudonym: [u8; 32],
        message: &Message<'_>,
        kind: &'static str,
    ) {
        if let Err(fault) = self.send(call, domain, pseudonym, Recipient::Simulator, message, kind).await {
            observe::failed(&call.request_id, kind, &fault);
        }
    }

    fn send<'a>(
        &'a self,
        call: &'a Call,
        domain: &'a DomainName,
        subject: [u8; 32],
        to: Recipient<'a>,
        message: &'a Message<'a>,
        kind: &'a str,
    ) -> LocalBoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            let mut batch = Batch::default();
            batch.want(&self.suppressions, &subject);
            batch.want(&self.domains, domain);
            let found = batch.read().await?;
            // Whether an address is suppressed must not show in the timing either.
            let to = match found.take(&self.suppressions, &subject, call.now)? {
                Some(_) => Recipient::Simulator,
                None => to,
            };
            let described = found.take(&self.domains, domain, call.now)?;
            let domain = described.unwrap_or_else(|| Domain::undescribed(domain.clone()));
            let mail = compose(&domain.locale, &domain.name, message);
            // No `reply_to`, because replies are not read: users who did not make the change need another contact.
            let sender = domain.sender.map(|sender| Sender {
                reply_to: None,
                ..sender
            });
            let tags = [("kind", kind.to_owned())];
            let sent = self.mailer.send(sender.as_ref(), to, &mail, &tags).await;
            observe::mail(kind, sent.is_ok(), call.log_context(None));
            sent.map_err(|Unsent { fault, .. }| fault)
        })
    }
}
