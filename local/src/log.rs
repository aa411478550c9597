//! The log: the functions' captured output, and the cloud's own lines.

use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::Mutex;

/// A long-running cloud keeps only the newest lines.
const KEPT: usize = 200_000;

/// Captured function output, and the terminal.
#[derive(Debug, Default)]
pub(crate) struct Log {
    quiet: bool,
    lines: Mutex<VecDeque<String>>,
}

impl Log {
    /// A quiet log captures and prints nothing.
    pub(crate) fn new(quiet: bool) -> Self {
        Self {
            quiet,
            lines: Mutex::default(),
        }
    }

    /// A line about a function: its own output, a crash or a timeout. Captured, and shown with the function's name.
    pub(crate) fn function(&self, name: &str, line: &str) {
        let line = format!("{name} | {line}");
        self.say(&line);
        let mut lines = self.lines.lock().expect("no holder of this lock panics");
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// A line of the cloud itself: shown, not captured.
    pub(crate) fn say(&self, line: &str) {
        if !self.quiet {
            // A closed pipe is not an error, and no reason to stop.
            let _ = writeln!(std::io::stdout().lock(), "{line}");
        }
    }

    /// Everything captured so far, oldest first.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("no holder of this lock panics").iter().cloned().collect()
    }
}
