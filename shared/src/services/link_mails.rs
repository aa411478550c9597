//! Floor 2: mails with a link, and the request that each link belongs to.

use crate::{
    delivery::{
        mail::{Mailer, Recipient, Unsent},
        words::Mail,
    },
    domain::{limit_keys::Asked, secret::Digest, sender::Sender},
    fault::Fault,
    http::call::Call,
    observe,
    store::table::{Delete, Row, Table},
};

/// A mail about a request that is stored.
pub struct Letter<'a> {
    /// The domain's sender, if it has one of its own.
    pub sender: Option<&'a Sender>,
    /// Who gets it.
    pub to: Recipient<'a>,
    /// What it says.
    pub mail: &'a Mail,
    /// What was asked for.
    pub asked: Asked,
    /// The key of the request: the events of the mail lead back to it.
    pub request: &'a Digest,
}

/// Sends the mail, or takes the request back.
///
/// # Errors
/// [`Fault`] when SES did not take the mail.
pub async fn send<R: Row<Id = Digest>>(
    mailer: &Mailer,
    requests: &Table<R, Delete>,
    call: &Call,
    letter: Letter<'_>,
) -> Result<(), Fault> {
    let tags = [
        ("kind", letter.asked.name().to_owned()),
        ("request", letter.request.hex()),
    ];
    let sent = mailer.send(letter.sender, letter.to, letter.mail, &tags).await;
    observe::mail(letter.asked.name(), sent.is_ok(), call.told(None));
    match sent {
        Ok(()) => Ok(()),
        Err(Unsent { fault, perhaps_sent }) => {
            // Nobody has the link, or somebody perhaps has. If it cannot be taken back now, it ends by itself.
            if !perhaps_sent {
                let _ = requests.delete(letter.request).await;
            }
            Err(fault)
        }
    }
}
