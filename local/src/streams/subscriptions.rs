//! The template's subscriptions to streams, and how far each has come.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Mutex, Notify};

use crate::template::{StreamMapping, Template};

/// The subscriptions and how far each has come.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    pub(super) subscriptions: Vec<Subscription>,
    pub(super) written: Notify,
}

#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) mapping: StreamMapping,
    /// `cleanup/countersign-PinsTable`.
    pub(super) name: String,
    /// The sequence number of the last record that is done with. Locked while a batch is under way.
    pub(super) position: Mutex<Option<String>>,
    /// The same, readable at any time, for the data directory.
    pub(super) reached: std::sync::Mutex<Option<String>>,
    /// Its table's name, and whether that was written to since the stream was last read: to read one means to look through
    /// all there are.
    table: String,
    pub(super) written: AtomicBool,
}

impl Streams {
    /// The template's subscriptions, each from where `reached` says.
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
            written: Notify::new(),
        }
    }

    /// Something was written to these tables, with commas between them; to any when it is not known to which.
    pub(crate) fn wake(&self, tables: Option<&str>) {
        let mut any = false;
        for subscription in &self.subscriptions {
            let named = |tables: &str| tables.split(',').any(|table| table == subscription.table);
            if tables.is_none_or(named) {
                subscription.written.store(true, Ordering::SeqCst);
                any = true;
            }
        }
        if any {
            self.written.notify_one();
        }
    }

    /// How far all subscriptions of each table have come, by its place in the template.
    pub(crate) fn done(&self) -> Vec<(usize, String)> {
        let mut done: BTreeMap<usize, Option<String>> = BTreeMap::new();
        for subscription in &self.subscriptions {
            let reached = subscription
                .reached
                .lock()
                .expect("no holder of this lock panics")
                .clone();
            // All have the same number of digits. One that has not begun needs every record.
            done.entry(subscription.mapping.table)
                .and_modify(|least| *least = least.take().min(reached.clone()))
                .or_insert(reached);
        }
        done.into_iter()
            .filter_map(|(table, reached)| Some((table, reached?)))
            .collect()
    }

    /// How far each subscription has come, by name.
    pub(crate) fn reached(&self) -> BTreeMap<String, String> {
        let reached = self.subscriptions.iter().filter_map(|subscription| {
            let position = subscription
                .reached
                .lock()
                .expect("no holder of this lock panics")
                .clone()?;
            Some((subscription.name.clone(), position))
        });
        reached.collect()
    }
}
