//! The pipe that QEMU logs into, and the lines that come out of it.
//!
//! QEMU waits where nobody reads, so a thread of its own does, from the first moment on.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, open};
use tempfile::TempDir;

use crate::host::error::Context;
use crate::{Kind, Result};

/// Bytes that are read at a time.
const CHUNK: usize = 1 << 18;
/// Chunks that may wait for us before QEMU waits.
const WAITING: usize = 16;
/// Bytes of a line that has no end yet; what is longer is none of ours.
const LINE_MAX: usize = 1 << 16;
/// Between two looks at whether we are done.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// Some lines.
    Lines(Vec<u8>),
    /// Nothing, in the time that was given.
    Nothing,
    /// The end: QEMU is gone, or logs elsewhere.
    End,
}

// What becomes of what is read. As long as we talk to the monitor nothing may wait for us to take
// it, for QEMU's monitor would wait, too.
/// It is thrown away, and searched for a word.
const WAITS: u8 = 0;
/// It is thrown away; the word came.
const HEARD: u8 = 1;
/// It is handed on.
const HANDS_ON: u8 = 2;
/// It is thrown away.
const DEAF: u8 = 3;
/// The thread ends.
const DONE: u8 = 4;

/// The pipe.
#[derive(Debug)]
pub struct Pipe {
    _dir: TempDir,
    path: PathBuf,
    chunks: Receiver<Vec<u8>>,
    state: Arc<AtomicU8>,
    reader: Option<JoinHandle<()>>,
}

impl Pipe {
    /// Makes one, and begins to read: until [`Pipe::open`] all is thrown away.
    ///
    /// # Errors
    /// Harness, when that fails.
    pub fn make(word: &'static str) -> Result<Pipe> {
        let doing = || "making a pipe for QEMU's log".to_owned();
        let dir = tempfile::tempdir().doing(Kind::Harness, doing)?;
        let path = dir.path().join("log");
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
            .doing(Kind::Harness, doing)?;
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let end = File::from(open(&path, flags, Mode::empty()).doing(Kind::Harness, doing)?);
        // A larger one has QEMU wait less often; a smaller one does, too.
        let _ = rustix::pipe::fcntl_setpipe_size(&end, 1 << 20);
        let (send, chunks) = mpsc::sync_channel(WAITING);
        let state = Arc::new(AtomicU8::new(WAITS));
        let shared = Arc::clone(&state);
        let reader = std::thread::spawn(move || read(end, &send, &shared, word.as_bytes()));
        Ok(Pipe { _dir: dir, path, chunks, state, reader: Some(reader) })
    }

    /// Where QEMU opens it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What comes in that time.
    pub(super) fn next(&self, patience: Duration) -> Came {
        match self.chunks.recv_timeout(patience) {
            Ok(chunk) => Came::Lines(chunk),
            Err(RecvTimeoutError::Timeout) => Came::Nothing,
            Err(RecvTimeoutError::Disconnected) => Came::End,
        }
    }

    /// Whether the word comes in that time.
    pub(super) fn heard(&self, patience: Duration) -> bool {
        let end = Instant::now() + patience;
        while self.state.load(Ordering::SeqCst) == WAITS && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.state.load(Ordering::SeqCst) == HEARD
    }

    /// What comes from here on is for [`Pipe::next`].
    pub(super) fn open(&self) {
        self.state.store(HANDS_ON, Ordering::SeqCst);
    }

    /// Throws away what comes from here on, so that QEMU does not wait for us.
    pub(super) fn deafen(&self) {
        self.state.store(DEAF, Ordering::SeqCst);
        while self.chunks.try_recv().is_ok() {}
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.deafen();
        self.state.store(DONE, Ordering::SeqCst);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// Reads until the other end is closed, after it was open once, or we are done.
fn read(mut end: File, send: &SyncSender<Vec<u8>>, state: &AtomicU8, word: &[u8]) {
    let (mut buffer, mut seen) = (vec![0; CHUNK], Vec::<u8>::new());
    while state.load(Ordering::SeqCst) != DONE {
        let ready = {
            let mut fds = [PollFd::from_borrowed_fd(end.as_fd(), PollFlags::IN)];
            match poll(&mut fds, Some(&TICK)) {
                Ok(0) => continue,
                Ok(_) => fds[0].revents(),
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => return,
            }
        };
        if !ready.contains(PollFlags::IN) {
            return;
        }
        let read = match end.read(&mut buffer) {
            Ok(0) => return,
            Ok(n) => &buffer[..n],
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(_) => return,
        };
        match state.load(Ordering::SeqCst) {
            WAITS => {
                // The word may lie across two reads.
                seen.drain(..seen.len().saturating_sub(word.len()));
                seen.extend(read);
                if seen.windows(word.len()).any(|part| part == word) {
                    let heard = Ordering::SeqCst;
                    // Whoever has lost patience meanwhile wants no more.
                    let _ = state.compare_exchange(WAITS, HEARD, heard, heard);
                }
            }
            HANDS_ON if send.send(read.to_vec()).is_err() => return,
            _ => {}
        }
    }
}

/// Cuts what comes into lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    /// Hands on each line that is whole.
    pub(super) fn cut(&mut self, chunk: &[u8], take: &mut dyn FnMut(&str)) {
        let mut rest = chunk;
        while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, behind) = (&rest[..at], &rest[at + 1..]);
            if self.begun.is_empty() {
                take(&String::from_utf8_lossy(line));
            } else {
                self.begun.extend(line);
                take(&String::from_utf8_lossy(&self.begun));
                self.begun.clear();
            }
            rest = behind;
        }
        self.begun.extend(rest);
        if self.begun.len() > LINE_MAX {
            self.begun.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn lines_may_lie_across_chunks_and_need_not_be_text() {
        let (mut lines, mut all) = (Lines::default(), Vec::new());
        for chunk in [&b"one\ntw"[..], b"o\n", b"", b"\xff\n\nend"] {
            lines.cut(chunk, &mut |line| all.push(line.to_owned()));
        }
        assert_eq!(all, ["one", "two", "\u{fffd}", ""]);
    }

    #[test]
    fn a_line_without_an_end_does_not_fill_the_memory() {
        let mut lines = Lines::default();
        for _ in 0..40 {
            lines.cut(&[b'x'; 4096], &mut |_| panic!("no line ended"));
        }
        assert!(lines.begun.len() <= LINE_MAX);
    }

    #[test]
    fn what_is_written_is_heard_and_the_end_is_known() {
        let pipe = Pipe::make("words").unwrap();
        assert_eq!(pipe.next(Duration::from_millis(1)), Came::Nothing);
        assert!(!pipe.heard(Duration::from_millis(1)));
        let mut other = std::fs::OpenOptions::new().write(true).open(pipe.path()).unwrap();
        other.write_all(b"some wo").unwrap();
        other.write_all(b"rds\n").unwrap();
        assert!(pipe.heard(Duration::from_secs(60)));
        pipe.open();
        other.write_all(b"more\n").unwrap();
        assert_eq!(pipe.next(Duration::from_secs(60)), Came::Lines(b"more\n".to_vec()));
        drop(other);
        assert_eq!(pipe.next(Duration::from_secs(60)), Came::End);
    }

    #[test]
    fn the_deaf_do_not_keep_a_writer_waiting() {
        let pipe = Pipe::make("word").unwrap();
        pipe.open();
        pipe.deafen();
        let mut other = std::fs::OpenOptions::new().write(true).open(pipe.path()).unwrap();
        let much = vec![b'x'; CHUNK];
        for _ in 0..4 * WAITING {
            other.write_all(&much).unwrap();
        }
        drop(other);
    }
}
