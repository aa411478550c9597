//! Floor 2: a password that changes, and all that ends with the old one (R38, R39): every token, every link and the
//! support PIN. Second factors stay.

use crate::{
    delivery::{
        mail::{Mailer, Recipient, Unsent},
        words::{Message, compose},
    },
    domain::{
        password::PasswordHash,
        sender::Sender,
        support_pin::SupportPin,
        suppression::{self, Suppression},
        tenant::Domain,
        time::Timestamp,
        user::User,
    },
    fault::Fault,
    store::{
        rows::user,
        table::{Batch, BatchGet, Delete, Step, Table, Transaction, Update},
    },
};

/// Adds to a transaction what sets a user's password. The step is refused when the user is not as it was read any more.
pub fn set(
    transaction: &mut Transaction,
    users: &Table<User, Update>,
    pins: &Table<SupportPin, Delete>,
    read: &User,
    password: &PasswordHash,
    now: Timestamp,
) -> Step {
    // Its generation ends the PIN already; its ciphertext shall not lie there until then (ASVS 14.2.7).
    transaction.delete(pins, &read.id);
    transaction.update(users, &read.id, user::set_password(read, password, now))
}

/// Tells a user by mail that the password was changed, unless the address takes no mail. The change stands whether or
/// not the mail can be sent.
///
/// # Errors
/// [`Fault`] for the log.
pub async fn notify(
    mailer: &Mailer,
    suppressions: &Table<Suppression, BatchGet>,
    domain: &Domain,
    user: &User,
    now: Timestamp,
) -> Result<(), Fault> {
    let subject = suppression::subject(&user.email);
    let mut batch = Batch::default();
    batch.want(suppressions, &subject);
    if batch.read().await?.take(suppressions, &subject, now)?.is_some() {
        return Ok(());
    }
    let mail = compose(&domain.locale, &domain.name, &Message::PasswordChanged { at: now });
    let tags = [("kind", "password_changed".to_owned())];
    // Nobody reads what comes back: who did not do it has to be told where to go by somebody else than this mail.
    let sender = domain.sender.clone().map(|sender| Sender {
        reply_to: None,
        ..sender
    });
    let sent = mailer.send(sender.as_ref(), Recipient::Person(&user.email), &mail, &tags);
    sent.await.map_err(|Unsent { fault, .. }| fault)
}
