//! The data directory of `--data`: the database file and everything else that a restart must find again.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::aws::SecretState;

/// What is remembered beside the rows.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct State {
    #[serde(default)]
    pub(crate) clock_offset: u64,
    #[serde(default)]
    pub(crate) secrets: BTreeMap<String, SecretState>,
    #[serde(default)]
    pub(crate) identities: Option<Value>,
    #[serde(default)]
    pub(crate) streams: BTreeMap<String, String>,
}

/// An open data directory. Only one cloud at a time may have it.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    writing: Mutex<()>,
    lock: File,
}

impl DataDir {
    /// Opens or makes the directory, for its owner's eyes only, and reads what it remembers.
    pub(crate) fn open(path: &Path) -> Result<(Self, State), String> {
        let shown = path.display();
        let broken = |error: std::io::Error| format!("cannot use the data directory {shown}: {error}");
        private_directory().create(path).map_err(broken)?;
        // Keys and tokens must not end up in anybody's repository.
        fs::write(path.join(".gitignore"), "*\n").map_err(broken)?;
        let lock = File::create(path.join("lock")).map_err(broken)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(format!("another local cloud uses the data directory {shown}"));
            }
            Err(TryLockError::Error(error)) => return Err(broken(error)),
        }
        let state = match fs::read(path.join("state.json")) {
            Ok(text) => serde_json::from_slice(&text)
                .map_err(|error| format!("{} cannot be read: {error}", path.join("state.json").display()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => State::default(),
            Err(error) => return Err(broken(error)),
        };
        Ok((
            Self {
                path: path.to_owned(),
                writing: Mutex::new(()),
                lock,
            },
            state,
        ))
    }

    /// Where the database lives.
    pub(crate) fn database(&self) -> PathBuf {
        self.path.join("dynamodb.sqlite")
    }

    /// Lets another cloud have the directory.
    ///
    /// Closing the file alone would not do: a process that is being started holds a copy of it for a moment.
    pub(crate) fn release(&self) {
        // It fails only where the lock is gone already.
        let _ = self.lock.unlock();
    }

    /// Remembers `state`: written beside the old one and moved over it, so that a power cut leaves one of the two.
    pub(crate) fn save(&self, state: impl FnOnce() -> State) -> Result<(), String> {
        let _turn = self.writing.lock().expect("no holder of this lock panics");
        let (new, old) = (self.path.join("state.json.new"), self.path.join("state.json"));
        let text = serde_json::to_vec_pretty(&state()).map_err(|error| error.to_string())?;
        let write = || {
            let mut file = private_file().open(&new)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&new, &old)
        };
        write().map_err(|error| format!("cannot write {}: {error}", old.display()))
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        self.release();
    }
}

fn private_directory() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
