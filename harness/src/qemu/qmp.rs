//! QEMU's monitor: just enough of QMP to save a machine to a file, and to ask.
//!
//! With serde_json: the crate qapi compiles the types of the whole schema, of which this needs a dozen
//! commands.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::host::interrupt;

/// A monitor that takes commands.
#[derive(Debug)]
pub struct Qmp {
    stream: UnixStream,
    /// What has come and was not read yet.
    come: Vec<u8>,
    patience: Duration,
}

/// Bytes of the longest line; a page in hex has some ten thousand.
const LONGEST: usize = 16 << 20;

impl Qmp {
    /// Talks to the monitor at the other end; an answer that takes longer than
    /// `patience` is an error, whatever else comes meanwhile.
    ///
    /// # Errors
    /// When there is no QMP there.
    pub fn over(stream: UnixStream, patience: Duration) -> io::Result<Qmp> {
        // An interrupt is heard in time.
        stream.set_read_timeout(Some(patience.min(Duration::from_millis(100))))?;
        stream.set_write_timeout(Some(patience))?;
        let mut qmp = Qmp { stream, come: Vec::new(), patience };
        let greeting = qmp.read(Instant::now() + patience)?;
        if greeting.get("QMP").is_none() {
            return Err(io::Error::other(format!("no QMP greeting, but {greeting}")));
        }
        qmp.execute("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// Saves the machine, which must be paused, to a file.
    ///
    /// # Errors
    /// What QEMU says against it.
    pub fn migrate_to(&mut self, file: &Path) -> io::Result<()> {
        self.execute("migrate", json!({ "uri": format!("file:{}", file.display()) }))?;
        loop {
            let said = self.read(Instant::now() + self.patience)?;
            if said["event"] != "MIGRATION" {
                continue;
            }
            match said["data"]["status"].as_str() {
                Some("completed") => return Ok(()),
                Some("failed" | "cancelled") => break,
                _ => {}
            }
        }
        let info = self.execute("query-migrate", json!({}))?;
        let why = info["error-desc"].as_str().unwrap_or("without a reason");
        Err(io::Error::other(format!("the migration failed: {why}")))
    }

    /// Injects a machine check into the first CPU: an error that is not
    /// corrected, in bank 9.
    ///
    /// # Errors
    /// What QEMU says against it.
    pub fn machine_check(&mut self) -> io::Result<()> {
        let line = "mce 0 9 0xbd00000000000000 0x5 0x1 0x1";
        let command = "human-monitor-command";
        self.execute(command, json!({ "command-line": line })).map(|_| ())
    }

    /// Has a command executed; a refusal is an answer, too.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn ask(&mut self, command: &str, arguments: Value) -> io::Result<()> {
        match self.execute(command, arguments) {
            Err(e) if e.kind() != io::ErrorKind::Other => Err(e),
            _ => Ok(()),
        }
    }

    /// Tells QEMU to end.
    ///
    /// # Errors
    /// What QEMU says against it.
    pub fn quit(&mut self) -> io::Result<()> {
        self.execute("quit", json!({})).map(|_| ())
    }

    /// Executes a command, and returns its answer.
    ///
    /// # Errors
    /// What QEMU says against it.
    pub fn execute(&mut self, command: &str, arguments: Value) -> io::Result<Value> {
        let request = json!({ "execute": command, "arguments": arguments });
        self.stream.write_all(format!("{request}\n").as_bytes())?;
        let until = Instant::now() + self.patience;
        loop {
            let mut said = self.read(until)?;
            if let Some(error) = said.get("error") {
                let why = error["desc"].as_str().unwrap_or("an error");
                return Err(io::Error::other(format!("{command}: {why}")));
            }
            // Anything else is an event.
            if let Some(answer) = said.get_mut("return") {
                return Ok(answer.take());
            }
        }
    }

    /// The next line, if it is there before `until`.
    fn read(&mut self, until: Instant) -> io::Result<Value> {
        let mut some = [0; 1 << 16];
        let mut looked = 0;
        loop {
            if let Some(end) = self.come[looked..].iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.come.drain(..=looked + end).collect();
                // Words without an end are no answer, however fast they come.
                return match Instant::now() < until {
                    true => Ok(serde_json::from_slice(&line)?),
                    false => Err(self.silent()),
                };
            }
            looked = self.come.len();
            if looked > LONGEST {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line without an end"));
            }
            interrupt::check().map_err(|e| io::Error::new(io::ErrorKind::Interrupted, e))?;
            match self.stream.read(&mut some) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => self.come.extend_from_slice(&some[..n]),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock && Instant::now() < until => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Err(self.silent()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    fn silent(&self) -> io::Error {
        let what = format!("no answer within {} s", self.patience.as_secs_f64());
        io::Error::new(io::ErrorKind::TimedOut, what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A monitor that says all of that, whatever it hears.
    fn monitor(says: &str) -> io::Result<Qmp> {
        let (stream, mut other) = UnixStream::pair()?;
        other.write_all(says.as_bytes())?;
        // Kept open: what is not said is waited for.
        std::mem::forget(other);
        Qmp::over(stream, Duration::from_millis(200))
    }

    const HELLO: &str = "{\"QMP\": {}}\n{\"return\": {}}\n";

    #[test]
    fn a_migration_ends_with_its_event() {
        let ok = "{\"event\": \"STOP\"}\n{\"return\": {}}\n\
                  {\"event\": \"MIGRATION\", \"data\": {\"status\": \"active\"}}\n\
                  {\"event\": \"MIGRATION\", \"data\": {\"status\": \"completed\"}}\n";
        monitor(&format!("{HELLO}{ok}")).unwrap().migrate_to(Path::new("/x")).unwrap();
    }

    #[test]
    fn a_migration_that_fails_says_why() {
        let failed = "{\"return\": {}}\n\
                      {\"event\": \"MIGRATION\", \"data\": {\"status\": \"failed\"}}\n\
                      {\"return\": {\"error-desc\": \"no space\"}}\n";
        let e = monitor(&format!("{HELLO}{failed}")).unwrap().migrate_to(Path::new("/x"));
        assert!(e.unwrap_err().to_string().contains("no space"));
        let refused = "{\"error\": {\"desc\": \"not now\"}}\n";
        let e = monitor(&format!("{HELLO}{refused}")).unwrap().migrate_to(Path::new("/x"));
        assert_eq!(e.unwrap_err().to_string(), "migrate: not now");
    }

    #[test]
    fn a_qemu_that_is_told_to_end_says_so() {
        monitor(&format!("{HELLO}{{\"return\": {{}}}}\n")).unwrap().quit().unwrap();
        let refused = "{\"error\": {\"desc\": \"not now\"}}\n";
        assert!(monitor(&format!("{HELLO}{refused}")).unwrap().quit().is_err());
    }

    #[test]
    fn a_refusal_is_an_answer_and_silence_is_none() {
        let refused = format!("{HELLO}{{\"error\": {{\"desc\": \"not now\"}}}}\n");
        monitor(&refused).unwrap().ask("stop", json!({})).unwrap();
        assert!(monitor(HELLO).unwrap().ask("stop", json!({})).is_err());
    }

    #[test]
    fn words_without_an_end_are_no_answer() {
        for endless in ["{\"event\": \"X\"}\n".as_bytes(), b"x"] {
            let (stream, mut other) = UnixStream::pair().unwrap();
            std::thread::spawn(move || {
                let hello = other.write_all(HELLO.as_bytes());
                let chunk = endless.repeat(4096);
                while hello.is_ok() && other.write_all(&chunk).is_ok() {}
            });
            let mut qmp = Qmp::over(stream, Duration::from_millis(500)).unwrap();
            let e = qmp.execute("stop", json!({})).unwrap_err();
            let said = [io::ErrorKind::TimedOut, io::ErrorKind::InvalidData];
            assert!(said.contains(&e.kind()), "{e}");
        }
    }

    #[test]
    fn silence_is_an_error() {
        assert!(monitor("").is_err());
        assert!(monitor(HELLO).unwrap().migrate_to(Path::new("/x")).is_err());
    }
}
