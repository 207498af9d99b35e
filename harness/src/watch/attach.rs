//! QEMU's trace events on, and its log into our pipe; and back to what it was.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::net::sockopt::socket_peercred;
use serde_json::{Value, json};

use super::pipe::Pipe;
use crate::host::error::Context;
use crate::qemu::qmp::Qmp;
use crate::{Error, Kind, Result};

/// A monitor that says nothing for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(10);
/// A line that does not come in that time does not come.
const ECHOED: Duration = Duration::from_secs(3);
/// What is counted.
const COUNTED: [&str; 5] =
    ["svm_vmrun", "svm_vmrun_refused", "svm_vmexit", "svm_inject", "svm_flush"];
/// What the check needs beside.
const CHECKED: [&str; 2] = ["svm_gif", "svm_vmcb"];
/// An event that each command of the human monitor makes: whether a trace comes at all.
pub const ECHO: &str = "handle_hmp_command";

/// A QEMU whose trace we read. Dropped, it is as it was.
#[derive(Debug)]
pub struct Attached {
    qmp: Qmp,
    /// The events that were off before.
    ours: Vec<String>,
    /// Where its log went before.
    log: Log,
    /// Its log goes into our pipe.
    logs: bool,
    /// Its process, where that is known.
    pub process: Option<i32>,
}

/// Where a log went.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Log {
    /// To something that can be opened again.
    Back(&'static str),
    /// To a file, which would be emptied: it is closed.
    Closed,
}

impl Attached {
    /// Has the QEMU whose QMP listens there write what SVM does into the pipe.
    ///
    /// # Errors
    /// Usage, when there is no QMP, or the QEMU has not such events; Harness, when it refuses.
    pub fn attach(socket: &Path, check: bool, pipe: &Pipe) -> Result<Attached> {
        let doing = || format!("talking to a QEMU at {}", socket.display());
        let stream = UnixStream::connect(socket).doing(Kind::Usage, doing).map_err(|e| {
            e.hint("QEMU listens there when started with -qmp unix:SOCKET,server=on,wait=off")
        })?;
        let process = socket_peercred(&stream).ok().map(|peer| peer.pid.as_raw_pid());
        let qmp = Qmp::over(stream, PATIENCE).doing(Kind::Usage, doing)?;
        let log = process.map_or(Log::Closed, log_of);
        let mut attached = Attached { qmp, ours: Vec::new(), log, logs: false, process };
        attached.begin(check, pipe)?;
        Ok(attached)
    }

    fn begin(&mut self, check: bool, pipe: &Pipe) -> Result<()> {
        let more: &[&str] = if check { &CHECKED } else { &[] };
        let mut wanted = vec![ECHO];
        for event in COUNTED.iter().chain(more) {
            match self.state(event)?.as_str() {
                "disabled" => wanted.push(event),
                "enabled" => {}
                _ => return Err(absent(event)),
            }
        }
        let path = pipe.path().to_str().unwrap_or_default();
        self.logs = true;
        self.logfile(path)?;
        // The last one is the echo: what comes in front of it are lines of L2.
        for event in wanted.into_iter().rev() {
            if self.state(event)? == "disabled" {
                self.ours.push(event.to_owned());
                self.switch(event, true)?;
            }
        }
        self.monitor("info status")?;
        if !pipe.heard(ECHOED) {
            return Err(Error::new(Kind::Usage, "this QEMU writes no trace").hint(
                "it must be configured with --enable-trace-backends=log, as `cargo xtask build \
                 patched --flavour trace` does",
            ));
        }
        if let Some(at) = self.ours.iter().position(|event| event == ECHO) {
            self.ours.remove(at);
            self.switch(ECHO, false)?;
        }
        Ok(())
    }

    /// Has a machine that waits run.
    ///
    /// # Errors
    /// Harness, when QEMU refuses.
    pub fn go(&mut self) -> Result<()> {
        self.ask("cont", json!({})).map(|_| ())
    }

    /// Leaves QEMU as it was found, and says what could not be put back. What is read of the pipe
    /// meanwhile must be thrown away by somebody, for QEMU waits for that.
    pub fn detach(&mut self) -> Option<String> {
        for event in std::mem::take(&mut self.ours) {
            // A QEMU that is gone traces nothing.
            let _ = self.switch(&event, false);
        }
        if !std::mem::take(&mut self.logs) {
            return None;
        }
        let back = match &self.log {
            Log::Back(path) => self.logfile(path).is_ok(),
            Log::Closed => false,
        };
        if back {
            return None;
        }
        self.logfile("/dev/null").ok()?;
        Some(
            "QEMU's log went to a file, which would be emptied if it were opened again: QEMU \
             logs nothing now"
                .into(),
        )
    }

    fn ask(&mut self, command: &str, arguments: Value) -> Result<Value> {
        let doing = || "asking QEMU's monitor".to_owned();
        self.qmp.execute(command, arguments).doing(Kind::Harness, doing)
    }

    /// `enabled`, `disabled` or `unavailable`; nothing where there is no such event.
    fn state(&mut self, event: &str) -> Result<String> {
        let Ok(said) = self.ask("trace-event-get-state", json!({ "name": event })) else {
            return Ok(String::new());
        };
        Ok(said[0]["state"].as_str().unwrap_or_default().to_owned())
    }

    fn switch(&mut self, event: &str, enable: bool) -> Result<()> {
        let arguments = json!({ "name": event, "enable": enable });
        self.ask("trace-event-set-state", arguments).map(|_| ())
    }

    /// A command of the human monitor, which says nothing when all is well.
    fn monitor(&mut self, line: &str) -> Result<String> {
        let said = self.ask("human-monitor-command", json!({ "command-line": line }))?;
        Ok(said.as_str().unwrap_or_default().trim().to_owned())
    }

    fn logfile(&mut self, path: &str) -> Result<()> {
        let said = self.monitor(&format!("logfile {path}"))?;
        if said.is_empty() {
            return Ok(());
        }
        Err(Error::new(Kind::Harness, format!("QEMU cannot log to {path}: {said}")))
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.detach();
    }
}

fn absent(event: &str) -> Error {
    let what = format!("this QEMU has no trace event {event}");
    Error::new(Kind::Usage, what).hint("the series adds it (patches/); stock QEMU has none of SVM")
}

/// Where the log of that QEMU goes.
fn log_of(process: i32) -> Log {
    let arguments = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    let file = arguments.split(|byte| *byte == 0).any(|word| word == b"-D" || word == b"--D");
    let stderr = fs::metadata(format!("/proc/{process}/fd/2"));
    log(file, stderr.is_ok_and(|stderr| stderr.is_file()))
}

/// A log in a file that is opened again is emptied.
fn log(named: bool, stderr_is_a_file: bool) -> Log {
    if named || stderr_is_a_file { Log::Closed } else { Log::Back("/proc/self/fd/2") }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::net::UnixListener;
    use std::thread::JoinHandle;

    use super::*;

    /// A QEMU with those events, which writes its echo, or not; at the end, what it was told.
    fn qemu(events: &'static [&str], echoes: bool) -> (tempfile::TempDir, JoinHandle<Vec<String>>) {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("qmp")).unwrap();
        let told = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let input = BufReader::new(stream.try_clone().unwrap());
            writeln!(stream, "{{\"QMP\": {{}}}}").unwrap();
            let (mut told, mut log, mut on) = (Vec::new(), None, Vec::new());
            for line in input.lines() {
                let said: Value = serde_json::from_str(&line.unwrap()).unwrap();
                let (command, arguments) = (said["execute"].as_str().unwrap(), &said["arguments"]);
                let name = arguments["name"].as_str().unwrap_or_default().to_owned();
                let mut answer = json!({});
                match command {
                    "trace-event-get-state" => {
                        let known = events.contains(&&*name) || name == ECHO;
                        let state = if on.contains(&name) { "enabled" } else { "disabled" };
                        answer = if known { json!([{ "state": state }]) } else { json!([]) };
                    }
                    "trace-event-set-state" => {
                        let enable = arguments["enable"] == true;
                        on.retain(|event| *event != name);
                        if enable {
                            on.push(name.clone());
                        }
                        told.push(format!("{name} {enable}"));
                    }
                    "human-monitor-command" => {
                        let line = arguments["command-line"].as_str().unwrap();
                        if let Some(path) = line.strip_prefix("logfile ") {
                            log = fs::OpenOptions::new().write(true).open(path).ok();
                            let known = ["/proc/self/fd/2", "/dev/null"].contains(&path);
                            told.push(format!("log {}", if known { path } else { "ours" }));
                        } else if let Some(log) = log.as_mut().filter(|_| echoes) {
                            writeln!(log, "{ECHO} mon 0x1 cmdline: {line}").unwrap();
                        }
                        answer = json!("");
                    }
                    _ => {}
                }
                writeln!(stream, "{}", json!({ "return": answer })).unwrap();
            }
            told
        });
        (dir, told)
    }

    #[test]
    fn events_go_on_and_off_and_the_log_goes_back() {
        let (dir, told) = qemu(&COUNTED, true);
        let pipe = Pipe::make(ECHO).unwrap();
        let mut attached = Attached::attach(&dir.path().join("qmp"), false, &pipe).unwrap();
        attached.log = Log::Back("/proc/self/fd/2");
        assert_eq!(attached.detach(), None);
        drop(attached);
        let told = told.join().unwrap();
        let on: Vec<_> = told.iter().filter(|t| t.ends_with("true")).collect();
        let off = told.iter().filter(|t| t.ends_with("false")).count();
        assert_eq!((on.len(), off), (COUNTED.len() + 1, COUNTED.len() + 1), "{told:?}");
        assert_eq!(
            (told.first().unwrap().as_str(), told.last().unwrap().as_str()),
            ("log ours", "log /proc/self/fd/2")
        );
    }

    #[test]
    fn a_log_in_a_file_is_not_opened_again() {
        assert_eq!(log(true, false), Log::Closed);
        assert_eq!(log(false, true), Log::Closed);
        assert_eq!(log(false, false), Log::Back("/proc/self/fd/2"));
        let (dir, told) = qemu(&COUNTED, true);
        let pipe = Pipe::make(ECHO).unwrap();
        let mut attached = Attached::attach(&dir.path().join("qmp"), false, &pipe).unwrap();
        attached.log = Log::Closed;
        assert!(attached.detach().unwrap().contains("emptied"));
        drop(attached);
        assert_eq!(told.join().unwrap().last().unwrap(), "log /dev/null");
    }

    #[test]
    fn what_is_missing_is_said() {
        let attach = |events, echoes, check| {
            let pipe = Pipe::make(ECHO).unwrap();
            let (dir, told) = qemu(events, echoes);
            let e = Attached::attach(&dir.path().join("qmp"), check, &pipe).unwrap_err();
            told.join().unwrap();
            assert_eq!(e.kind(), Kind::Usage);
            e.to_string()
        };
        let stock = attach(&[], true, false);
        assert!(stock.contains("no trace event svm_vmrun\n"), "{stock}");
        let older = attach(&COUNTED, true, true);
        assert!(older.contains("no trace event svm_gif"), "{older}");
        let silent = attach(&COUNTED, false, false);
        assert!(silent.contains("writes no trace") && silent.contains("backends=log"), "{silent}");
        let pipe = Pipe::make(ECHO).unwrap();
        let e = Attached::attach(Path::new("/nowhere/qmp"), false, &pipe).unwrap_err();
        assert!(e.to_string().contains("-qmp unix:"), "{e}");
    }
}
