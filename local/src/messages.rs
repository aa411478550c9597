//! Captured mails and text messages.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// The channel of a message.
#[derive(Debug, Clone, Copy, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Channel {
    Email,
    Sms,
}

/// One message to one recipient.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) channel: Channel,
    pub(crate) to: String,
    pub(crate) subject: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) html: Option<String>,
    /// By the local clock, ISO 8601.
    pub(crate) at: String,
    /// These two are only listed on request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reply_to: Option<String>,
}

/// The content of a message.
#[derive(Debug, Clone, Default)]
pub(crate) struct Content {
    pub(crate) subject: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) html: Option<String>,
    pub(crate) from: Option<String>,
    pub(crate) reply_to: Option<String>,
}

/// All messages since the list was last cleared, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    last_id: AtomicU64,
    all: Mutex<Vec<Message>>,
}

impl Messages {
    pub(crate) fn capture(&self, channel: Channel, to: String, content: Content, at: String) {
        let id = (self.last_id.fetch_add(1, Ordering::SeqCst) + 1).to_string();
        let Content {
            subject,
            text,
            html,
            from,
            reply_to,
        } = content;
        self.all().push(Message {
            id,
            channel,
            to,
            subject,
            text,
            html,
            at,
            from,
            reply_to,
        });
    }

    pub(crate) fn list(&self) -> Vec<Message> {
        self.all().clone()
    }

    pub(crate) fn html(&self, id: &str) -> Option<String> {
        self.all().iter().find(|message| message.id == id)?.html.clone()
    }

    pub(crate) fn clear(&self) {
        self.all().clear();
    }

    fn all(&self) -> std::sync::MutexGuard<'_, Vec<Message>> {
        self.all.lock().expect("no holder of this lock panics")
    }
}
