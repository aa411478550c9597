//! Captured events of EventBridge.

use std::sync::Mutex;

use serde::Serialize;
use serde_json::Value;

/// One event that an event bus accepted.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Event {
    pub(crate) id: String,
    /// The bus's name.
    pub(crate) bus: String,
    pub(crate) source: String,
    #[serde(rename = "detail-type")]
    pub(crate) detail_type: String,
    pub(crate) detail: Value,
    pub(crate) resources: Vec<String>,
    /// The time that its sender gave it, or that of its arrival.
    pub(crate) time: String,
    /// When it arrived, by the local clock, ISO 8601.
    pub(crate) at: String,
}

/// All events since the list was last cleared, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Events(Mutex<Vec<Event>>);

impl Events {
    pub(crate) fn capture(&self, event: Event) {
        self.all().push(event);
    }

    pub(crate) fn list(&self) -> Vec<Event> {
        self.all().clone()
    }

    pub(crate) fn clear(&self) {
        self.all().clear();
    }

    fn all(&self) -> std::sync::MutexGuard<'_, Vec<Event>> {
        self.0.lock().expect("no holder of this lock panics")
    }
}
