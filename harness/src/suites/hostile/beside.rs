//! What happens at QEMU's monitor and its gdbstub while the guest runs.

use std::io;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::qemu::qmp::Qmp;
use crate::suites::migration::gdb::Gdb;

/// What is done beside the guest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Beside {
    /// Nothing.
    #[default]
    Nothing,
    /// Commands at the monitor.
    Monitor,
    /// Those, and single steps through the gdbstub.
    Gdb,
}

impl Beside {
    /// All.
    pub const ALL: [Beside; 3] = [Beside::Nothing, Beside::Monitor, Beside::Gdb];

    /// Its name on command lines.
    pub const fn name(self) -> &'static str {
        match self {
            Beside::Nothing => "nothing",
            Beside::Monitor => "monitor",
            Beside::Gdb => "gdb",
        }
    }
}

impl std::str::FromStr for Beside {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Beside::ALL.into_iter().find(|beside| beside.name() == name);
        found.ok_or_else(|| {
            format!("{name:?} is not one of {}", Beside::ALL.map(Beside::name).join(", "))
        })
    }
}

/// Lines for the human monitor that only look. What a QEMU does not know it says in words, which
/// is an answer, too.
const LOOKS: [&str; 12] = [
    "info registers -a",
    "info registers",
    "info tlb",
    "info mem",
    "info mtree",
    "info lapic",
    "info svm",
    "info cpus",
    "info jit",
    "x /16xb 0x900000",
    "xp /16xb 0x800000",
    "gva2gpa 0x900000",
];

/// What one single step has.
const STEP: Duration = Duration::from_secs(1);

/// The commands that change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    StopAndGo,
    Reset,
    Save,
    Nmi,
    Look(&'static str),
    Virtual,
    Physical,
    MachineCheck,
}

/// A sequence of commands that follows from a seed.
#[derive(Debug)]
pub(super) struct Hand {
    state: u64,
}

impl Hand {
    pub(super) fn new(seed: u64) -> Self {
        Hand { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 }
    }

    /// The next number below `n`.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 11) % n
    }

    fn deed(&mut self) -> Deed {
        match self.below(20) {
            0..3 => Deed::StopAndGo,
            3 => Deed::Reset,
            4 => Deed::Save,
            5..8 => Deed::Nmi,
            8 => Deed::Virtual,
            9 => Deed::Physical,
            10 => Deed::MachineCheck,
            _ => Deed::Look(LOOKS[self.below(LOOKS.len() as u64) as usize]),
        }
    }

    /// Does one thing. What it was, and what came of it: an error is a QEMU that gives no answer.
    pub(super) fn act(&mut self, qmp: &mut Qmp, folder: &Path) -> (String, io::Result<()>) {
        let deed = self.deed();
        let name = match deed {
            Deed::Look(line) => line.to_owned(),
            deed => format!("{deed:?}"),
        };
        (name, self.done(deed, qmp, folder))
    }

    fn done(&mut self, deed: Deed, qmp: &mut Qmp, folder: &Path) -> io::Result<()> {
        let path = |name: &str| folder.join(name).display().to_string();
        let memory =
            |file: &str, at: u64| json!({ "val": at, "size": 0x1000, "filename": path(file) });
        match deed {
            Deed::StopAndGo => {
                qmp.ask("stop", json!({}))?;
                qmp.ask("cont", json!({}))
            }
            Deed::Reset => qmp.ask("system_reset", json!({})),
            Deed::Save => {
                qmp.ask("stop", json!({}))?;
                // A machine that was told to end is not saved.
                let _ = refused(qmp.migrate_to(&folder.join("state")))?;
                qmp.ask("cont", json!({}))
            }
            Deed::Nmi => qmp.ask("inject-nmi", json!({})),
            Deed::Look(line) => qmp.ask("human-monitor-command", json!({ "command-line": line })),
            Deed::Virtual => qmp.ask("memsave", memory("memory", 0x90_0000)),
            Deed::Physical => qmp.ask("pmemsave", memory("physical", 0xfee0_0000)),
            Deed::MachineCheck => {
                let line = "mce 0 9 0x9400000000000000 0x5 0x1 0x1";
                qmp.ask("human-monitor-command", json!({ "command-line": line }))
            }
        }
    }
}

/// A refusal is an answer; silence is not.
fn refused(done: io::Result<()>) -> io::Result<Option<String>> {
    match done {
        Ok(()) => Ok(None),
        Err(e) if e.kind() == io::ErrorKind::Other => Ok(Some(e.to_string())),
        Err(e) => Err(e),
    }
}

/// Stops the guest through the gdbstub, steps it, and lets it go.
///
/// # Errors
/// When QEMU gives no answer or is gone.
pub(super) fn steps(gdb: &mut Gdb, count: u64) -> io::Result<()> {
    gdb.interrupt()?;
    for _ in 0..count {
        if !gdb.step(STEP)? {
            // It sleeps, or it is gone, which the next request tells.
            gdb.interrupt()?;
            break;
        }
    }
    gdb.go()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_follows_from_the_seed_and_leaves_nothing_out() {
        let deeds = |seed| {
            let mut hand = Hand::new(seed);
            (0..400).map(|_| hand.deed()).collect::<Vec<_>>()
        };
        let all = deeds(1);
        assert_eq!(all, deeds(1));
        assert_ne!(all, deeds(2));
        for deed in [Deed::StopAndGo, Deed::Reset, Deed::Save, Deed::Nmi, Deed::Physical] {
            assert!(all.contains(&deed), "{deed:?}");
        }
        for line in LOOKS {
            assert!(all.contains(&Deed::Look(line)), "{line}");
        }
    }

    #[test]
    fn a_refusal_is_an_answer_and_silence_is_none() {
        assert_eq!(refused(Ok(())).unwrap(), None);
        assert!(refused(Err(io::Error::other("not now"))).unwrap().unwrap().contains("not now"));
        assert!(refused(Err(io::ErrorKind::WouldBlock.into())).is_err());
    }
}
