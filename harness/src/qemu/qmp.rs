//! QEMU's monitor: just enough of QMP to save a machine to a file, and to ask.
//!
//! With serde_json: the crate qapi compiles the types of the whole schema, of which this needs a dozen
//! commands.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

/// A monitor that takes commands.
#[derive(Debug)]
pub struct Qmp {
    input: BufReader<UnixStream>,
    output: UnixStream,
}

impl Qmp {
    /// Talks to the monitor at the other end; silence for longer than `patience`
    /// is an error.
    ///
    /// # Errors
    /// When there is no QMP there.
    pub fn over(stream: UnixStream, patience: Duration) -> io::Result<Qmp> {
        stream.set_read_timeout(Some(patience))?;
        let mut qmp = Qmp { input: BufReader::new(stream.try_clone()?), output: stream };
        let greeting = qmp.read()?;
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
            let said = self.read()?;
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
        self.output.write_all(format!("{request}\n").as_bytes())?;
        loop {
            let mut said = self.read()?;
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

    fn read(&mut self) -> io::Result<Value> {
        let mut line = String::new();
        if self.input.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(serde_json::from_str(&line)?)
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
    fn silence_is_an_error() {
        assert!(monitor("").is_err());
        assert!(monitor(HELLO).unwrap().migrate_to(Path::new("/x")).is_err());
    }
}
