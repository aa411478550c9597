//! The parts of the record of a destination, and what is shown of them.

use crate::domain::{
    crypto::encryption::Encrypted,
    limits::rate_limit::Hit,
    time::Timestamp,
    verification::{
        code::{Code, CodeSource, Payment},
        destination::{Channel, Destination, DestinationId},
        policy::{VerificationKeys, VerificationPolicy},
        sid::{AttemptSid, ServiceSid, VerificationSid},
    },
};

/// What one service knows of a destination.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The service.
    pub service: ServiceSid,
    /// The destination, encrypted.
    pub to: Encrypted,
    /// The messages sent recently, whichever verification they were for.
    pub sends: Vec<Hit>,
    /// The verification that is neither approved nor canceled, if there is one. It may have expired.
    pub open: Option<Verification>,
}

/// A verification that is neither approved nor canceled.
#[derive(Clone, Debug)]
pub struct Verification {
    /// The second half of its SID.
    pub nonce: [u8; 6],
    /// Its code.
    pub code: CodeSource,
    /// The payment that it authorizes, encrypted: amount and payee, one line each.
    pub payment: Option<Encrypted>,
    /// When its first message was sent.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// How many wrong codes it was compared with.
    pub wrong: u64,
    /// Its messages, oldest first.
    pub messages: Vec<Message>,
}

/// A message with the code of a verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its SID.
    pub attempt: AttemptSid,
    /// The invocation that sent it.
    pub by: String,
    /// How it travels.
    pub channel: Channel,
    /// When it was sent.
    pub at: Timestamp,
    /// The prefix of the country that it went to, of a text message.
    pub country: Option<String>,
}

/// A verification as its account sees it.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its SID.
    pub sid: VerificationSid,
    /// Its destination.
    pub to: Destination,
    /// Its status.
    pub status: Status,
    /// The payment that it authorizes.
    pub payment: Option<Payment>,
    /// When its first message was sent.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// Its messages, oldest first.
    pub messages: Vec<Message>,
}

/// The status of a verification, as its account sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It waits for its code.
    Pending,
    /// It was approved.
    Approved,
    /// It was canceled.
    Canceled,
    /// It was compared with as many wrong codes as it may be.
    MaxAttemptsReached,
}

/// Which verification is meant.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    /// That of a destination.
    To(&'a Destination),
    /// That of a SID.
    Sid(&'a VerificationSid),
}

/// A message to send.
#[derive(Clone, Copy, Debug)]
pub struct StartRequest<'a> {
    /// The service.
    pub service: ServiceSid,
    /// The destination.
    pub to: &'a Destination,
    /// Digits of a derived code.
    pub length: usize,
    /// The code that the caller chose.
    pub custom: Option<&'a Code>,
    /// The payment to authorize.
    pub payment: Option<&'a Payment>,
    /// The message's SID.
    pub attempt: AttemptSid,
    /// The prefix of the country that it goes to, of a text message.
    pub country: Option<&'a str>,
}

impl Verification {
    /// Its SID: the key of its record, and its own part.
    #[must_use]
    pub fn sid(&self, id: &DestinationId) -> VerificationSid {
        let mut bytes = [0; 16];
        bytes[..10].copy_from_slice(id.bytes());
        bytes[10..].copy_from_slice(&self.nonce);
        VerificationSid::from_bytes(bytes)
    }

    pub(super) fn status(&self, policy: &VerificationPolicy) -> Status {
        match self.wrong < policy.max_attempts {
            true => Status::Pending,
            false => Status::MaxAttemptsReached,
        }
    }

    pub(super) fn payment(&self, keys: &VerificationKeys, id: &DestinationId) -> Option<Payment> {
        Payment::parse(&keys.decrypt(id, self.payment.as_ref()?)?)
    }

    pub(super) fn shown(
        &self,
        policy: &VerificationPolicy,
        keys: &VerificationKeys,
        id: &DestinationId,
        to: Destination,
    ) -> Shown {
        Shown {
            sid: self.sid(id),
            to,
            status: self.status(policy),
            payment: self.payment(keys, id),
            created_at: self.created_at,
            updated_at: self.updated_at,
            messages: self.messages.clone(),
        }
    }
}

impl Status {
    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Canceled => "canceled",
            Self::MaxAttemptsReached => "max_attempts_reached",
        }
    }
}

/// The destination of an entry; `None` if its key was deleted.
pub(super) fn destination(keys: &VerificationKeys, id: &DestinationId, entry: &Entry) -> Option<Destination> {
    Destination::from_stored(keys.decrypt(id, &entry.to)?.expose())
}
