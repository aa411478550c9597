//! The data directory of `--data`: the database file and all other state that must survive a restart.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::aws::SecretState;

const STATE: &str = "state.json";
const DATABASE: &str = "dynamodb.sqlite";
const IGNORE_ALL: &str = "*\n";

/// The state stored beside the rows.
///
/// An unknown field means that the file belongs to another program, so it is not overwritten.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    /// Whether the directory's first start is still in progress: then nothing in it has been used yet.
    #[serde(default)]
    pub(crate) first_start: bool,
    #[serde(default)]
    pub(crate) clock_offset: u64,
    #[serde(default)]
    pub(crate) secrets: BTreeMap<String, SecretState>,
    #[serde(default)]
    pub(crate) identities: Option<Value>,
    /// When the tokens were issued, by the system's clock, as the operator's function has it; 0 if unknown.
    #[serde(default)]
    pub(crate) identities_made_at: u64,
    #[serde(default)]
    pub(crate) streams: BTreeMap<String, String>,
    /// What the authenticator app has scanned.
    #[serde(default)]
    pub(crate) authenticator: Vec<String>,
    /// The account on another server, if the rows are there.
    #[serde(default)]
    pub(crate) account: Option<String>,
}

/// An open data directory. It is locked: only one cloud at a time may use it.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    writing: Mutex<()>,
    lock: File,
}

impl DataDir {
    /// Opens or creates the directory, readable by its owner only, and reads its state.
    pub(crate) fn open(path: &Path) -> Result<(Self, State), String> {
        let shown = path.display();
        let broken = |error: std::io::Error| format!("cannot use the data directory {shown}: {error}");
        private_directory().create(path).map_err(broken)?;
        if !is_ours(path).map_err(broken)? {
            return Err(format!("{shown} holds other things; give an empty directory"));
        }
        // Keys and tokens must not be committed to a repository.
        match private_file().create_new(true).open(path.join(".gitignore")) {
            Ok(mut file) => file.write_all(IGNORE_ALL.as_bytes()).map_err(broken)?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(broken(error)),
        }
        let lock = private_file().create(true).open(path.join("lock")).map_err(broken)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(format!("another local cloud uses the data directory {shown}"));
            }
            Err(TryLockError::Error(error)) => return Err(broken(error)),
        }
        let data = Self {
            path: path.to_owned(),
            writing: Mutex::new(()),
            lock,
        };
        let state = match fs::read(path.join(STATE)) {
            Ok(text) => serde_json::from_slice(&text)
                .map_err(|error| format!("{} cannot be read: {error}", path.join(STATE).display()))?,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                if path.join(DATABASE).exists() {
                    return Err(format!("{shown} has rows but no keys; delete it, or put its {STATE} back"));
                }
                data.begin()?
            }
            Err(error) => return Err(broken(error)),
        };
        let state = if state.first_start && state.identities.is_none() {
            // The first start was interrupted: rows of unknown identities would conflict with new ones.
            for suffix in ["", "-wal", "-shm", "-journal"] {
                match fs::remove_file(path.join(format!("{DATABASE}{suffix}"))) {
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(broken(error)),
                    _ => {}
                }
            }
            data.begin()?
        } else {
            state
        };
        // The engine would make the file world-readable; the files it creates beside it inherit the mode.
        private_file().create(true).open(path.join(DATABASE)).map_err(broken)?;
        Ok((data, state))
    }

    /// Records, before any row exists, that the first start is in progress.
    fn begin(&self) -> Result<State, String> {
        let begun = || State {
            first_start: true,
            ..State::default()
        };
        self.save(begun)?;
        Ok(begun())
    }

    /// The path of the database.
    pub(crate) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// Unlocks the directory for another cloud.
    ///
    /// Closing the file is not enough: a process that is being started holds a copy of it for a moment.
    pub(crate) fn release(&self) {
        // It fails only if the lock no longer exists.
        let _ = self.lock.unlock();
    }

    /// Saves `state`: written beside the old file and renamed over it, so that a power failure leaves one of the two.
    pub(crate) fn save(&self, state: impl FnOnce() -> State) -> Result<(), String> {
        let _turn = self.writing.lock().expect("no holder of this lock panics");
        let (new, old) = (self.path.join("state.json.new"), self.path.join(STATE));
        let text = serde_json::to_vec_pretty(&state()).map_err(|error| error.to_string())?;
        let write = || {
            let mut file = private_file().create(true).truncate(true).open(&new)?;
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

/// Whether the directory is our own or empty: another program's files must not be overwritten, or hidden from git.
fn is_ours(path: &Path) -> std::io::Result<bool> {
    if path.join(STATE).exists() || path.join(DATABASE).exists() {
        return Ok(true);
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        // An interrupted start before the first save leaves these two.
        let leftover = match entry.file_name().to_str() {
            Some(".gitignore") => fs::read(entry.path())? == IGNORE_ALL.as_bytes(),
            Some("lock") => entry.metadata()?.len() == 0,
            _ => false,
        };
        if !leftover {
            return Ok(false);
        }
    }
    Ok(true)
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
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
