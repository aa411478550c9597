//! The template's subscriptions to streams, and the position of each.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Mutex, Notify};

use super::dead_letters::DeadLetters;
use crate::template::{StreamMapping, Template};

/// The subscriptions and the position of each.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    pub(super) subscriptions: Vec<Subscription>,
    /// Notified of writes to the tables of each subscribed function.
    pub(super) written: BTreeMap<usize, Notify>,
    pub(crate) dead_letters: DeadLetters,
}

#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) mapping: StreamMapping,
    /// `cleanup/countersign-PinsTable`.
    pub(super) name: String,
    /// The sequence number of the last processed record. Locked while a batch is in progress.
    pub(super) position: Mutex<Option<String>>,
    /// The same, readable at any time, for the data directory.
    pub(super) reached: std::sync::Mutex<Option<String>>,
    /// Its table's name, and whether that was written to since the stream was last read: reading one scans all its
    /// records.
    table: String,
    pub(super) written: AtomicBool,
}

impl Subscription {
    /// All records up to the sequence number `last` have been processed.
    pub(super) fn moved(&self, position: &mut Option<String>, last: String) {
        *position = Some(last.clone());
        *self.reached.lock().expect("no holder of this lock panics") = Some(last);
    }
}

impl Streams {
    /// The template's subscriptions, each starting from its position in `reached`.
    pub(crate) fn new(template: &Template, reached: &BTreeMap<String, String>) -> Self {
        let subscriptions = template.streams.iter().map(|mapping| {
            let (function, table) = (&template.functions[mapping.function], &template.tables[mapping.table]);
            let name = format!("{}/{}", function.name, table.name);
            let position = reached.get(&name).cloned();
            Subscription {
                mapping: mapping.clone(),
                name,
                position: Mutex::new(position.clone()),
                reached: std::sync::Mutex::new(position),
                table: table.name.clone(),
                written: AtomicBool::new(true),
            }
        });
        Self {
            subscriptions: subscriptions.collect(),
            written: template.streams.iter().map(|mapping| (mapping.function, Notify::new())).collect(),
            dead_letters: DeadLetters::default(),
        }
    }

    /// Notifies of a write to these tables, separated by commas; to any table if it is unknown which.
    pub(crate) fn wake(&self, tables: Option<&str>) {
        for subscription in &self.subscriptions {
            let named = |tables: &str| tables.split(',').any(|table| table == subscription.table);
            if tables.is_none_or(named) {
                subscription.written.store(true, Ordering::SeqCst);
                self.written[&subscription.mapping.function].notify_one();
            }
        }
    }

    /// The position that all subscriptions of each table have passed, by the table's index in the template.
    pub(crate) fn done(&self) -> Vec<(usize, String)> {
        let mut done: BTreeMap<usize, Option<String>> = BTreeMap::new();
        for subscription in &self.subscriptions {
            let reached = subscription.reached.lock().expect("no holder of this lock panics").clone();
            // All have the same number of digits. A subscription that has not started needs every record.
            done.entry(subscription.mapping.table)
                .and_modify(|least| *least = least.take().min(reached.clone()))
                .or_insert(reached);
        }
        done.into_iter().filter_map(|(table, reached)| Some((table, reached?))).collect()
    }

    /// The position of each subscription, by name.
    pub(crate) fn reached(&self) -> BTreeMap<String, String> {
        let reached = self.subscriptions.iter().filter_map(|subscription| {
            let position = subscription.reached.lock().expect("no holder of this lock panics").clone()?;
            Some((subscription.name.clone(), position))
        });
        reached.collect()
    }
}
