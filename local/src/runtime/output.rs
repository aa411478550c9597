//! Forwards the output of a process to the log.

use std::{
    fs::File,
    io::{self, Read as _},
    os::fd::OwnedFd,
    sync::{Arc, Mutex},
};

use tokio::net::unix::pipe;

use crate::log::Log;

/// One of the two output pipes of a process. Each line is forwarded to the log, whole and as text.
#[derive(Debug)]
pub(super) struct Output {
    pipe: pipe::Receiver,
    /// The same pipe, for non-blocking reads.
    now: File,
    /// The beginning of a line that is not yet complete.
    unfinished: Mutex<Vec<u8>>,
    name: String,
    log: Arc<Log>,
    last_words: Option<Arc<Mutex<String>>>,
}

impl Output {
    pub(super) fn new(
        pipe: OwnedFd,
        name: String,
        log: Arc<Log>,
        last_words: Option<Arc<Mutex<String>>>,
    ) -> io::Result<Self> {
        Ok(Self {
            now: File::from(pipe.try_clone()?),
            pipe: pipe::Receiver::from_owned_fd(pipe)?,
            unfinished: Mutex::default(),
            name,
            log,
            last_words,
        })
    }

    /// Forwards output as it arrives, until the end.
    pub(super) async fn follow(&self) {
        while self.pipe.readable().await.is_ok() && self.take(|buffer| self.pipe.try_read(buffer)) {}
    }

    /// Forwards the output that is already in the pipe.
    pub(super) fn catch_up(&self) {
        self.take(|buffer| (&self.now).read(buffer));
    }

    /// Forwards all that can be read without blocking; false at the end.
    fn take(&self, mut read: impl FnMut(&mut [u8]) -> io::Result<usize>) -> bool {
        let mut unfinished = self.unfinished.lock().expect("no holder of this lock panics");
        let mut buffer = [0; 8192];
        let goes_on = loop {
            match read(&mut buffer) {
                Ok(0) => break false,
                Ok(length) => unfinished.extend(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break error.kind() == io::ErrorKind::WouldBlock,
            }
        };
        let whole = match goes_on {
            true => unfinished.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1),
            false => unfinished.len(),
        };
        for line in unfinished[..whole].split_inclusive(|byte| *byte == b'\n') {
            self.say(line);
        }
        unfinished.drain(..whole);
        goes_on
    }

    fn say(&self, line: &[u8]) {
        let said = String::from_utf8_lossy(line);
        let said = said.trim_end();
        self.log.function(&self.name, said);
        if let Some(last_words) = &self.last_words
            && !said.is_empty()
            && !said.starts_with("note: ")
        {
            said.clone_into(&mut last_words.lock().expect("no holder of this lock panics"));
        }
    }
}
