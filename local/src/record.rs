//! Usage records of clouds, for reports of what was never used: one line for each distinct use.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::Mutex;

use crate::random;

/// What this cloud has used. Each use is recorded when it first happens, so that no way to end loses a line.
#[derive(Debug, Default)]
pub(crate) struct Record {
    file: Option<File>,
    known: Mutex<BTreeSet<String>>,
}

impl Record {
    /// Writes to its own file in `folder`; records nothing without a folder.
    pub(crate) fn new(folder: Option<&Path>) -> Result<Self, String> {
        let open = |folder: &Path| {
            fs::create_dir_all(folder)?;
            let path = folder.join(random::hex());
            OpenOptions::new().create_new(true).append(true).open(path)
        };
        let file = folder
            .map(|folder| open(folder).map_err(|error| format!("cannot write to {}: {error}", folder.display())))
            .transpose()?;
        Ok(Self {
            file,
            known: Mutex::default(),
        })
    }

    pub(crate) fn note(&self, line: String) {
        let Some(mut file) = self.file.as_ref() else { return };
        let mut known = self.known.lock().expect("no holder of this lock panics");
        if !known.contains(&line) {
            // A failed write is reported as unused, so an error does not go unnoticed.
            let _ = file.write_all(format!("{line}\n").as_bytes());
            known.insert(line);
        }
    }
}

/// The records of all clouds that wrote to `folder`.
pub(crate) fn read(folder: &Path) -> Result<BTreeSet<String>, String> {
    let read = || {
        let mut lines = BTreeSet::new();
        for entry in fs::read_dir(folder)? {
            lines.extend(fs::read_to_string(entry?.path())?.lines().map(str::to_owned));
        }
        Ok(lines)
    };
    read().map_err(|error: std::io::Error| format!("cannot read {}: {error}", folder.display()))
}
