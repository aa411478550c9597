//! Floor 2: mails with a single-use link, and the stored request that each link belongs to.

use crate::{
    delivery::{
        mail::{Mailer, Recipient, Unsent},
        words::Mail,
    },
    domain::{audit::Act, crypto::secret::Digest, limits::limit_keys::RequestKind, mail::sender::Sender},
    fault::Fault,
    http::call::Call,
    observe,
    services::audit::AuditLog,
    store::table::{Delete, Row, Table, Transaction},
};

/// A mail about a stored request.
pub struct Letter<'a> {
    /// The domain's own sender, if configured.
    pub sender: Option<&'a Sender>,
    /// The recipient.
    pub to: Recipient<'a>,
    /// The content.
    pub mail: &'a Mail,
    /// The kind of request.
    pub request_kind: RequestKind,
    /// The key of the request, by which mail events find it again.
    pub request: &'a Digest,
    /// What is recorded when the request is deleted.
    pub failed: Act,
}

/// Sends the mail, or deletes the request.
///
/// # Errors
/// [`Fault`] when SES did not accept the mail.
pub async fn send<R: Row<Id = Digest>>(
    mailer: &Mailer,
    requests: &Table<R, Delete>,
    audit: &AuditLog,
    call: &Call,
    letter: Letter<'_>,
) -> Result<(), Fault> {
    let tags = [
        ("kind", letter.request_kind.name().to_owned()),
        ("request", letter.request.hex()),
    ];
    let sent = mailer.send(letter.sender, letter.to, letter.mail, &tags).await;
    observe::mail(letter.request_kind.name(), sent.is_ok(), call.log_context(None));
    match sent {
        Ok(()) => Ok(()),
        Err(Unsent {
            fault, perhaps_sent, ..
        }) => {
            // Keep the request if the mail may have been sent. One that cannot be deleted now expires.
            if !perhaps_sent {
                let mut transaction = Transaction::default();
                transaction.delete(requests, letter.request);
                audit.add(&mut transaction, call, letter.failed);
                let _ = transaction.commit().await;
            }
            Err(fault)
        }
    }
}
