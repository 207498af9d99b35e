//! Running what strangers sent: no network, nothing to write but what it is
//! given, an empty environment, and limits on time, memory, processes and files.
//!
//! bubblewrap makes the walls. As root the program becomes another user behind
//! them, since limits on processes do not hold for root; anybody else is put
//! into a user namespace.

mod confine;
mod guard;
mod limits;
mod output;
mod wrapper;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub use confine::confine;
pub use guard::{Exceeded, Guard};
pub use limits::Limits;
pub use output::stdout;
pub use wrapper::{real, wrap};

use serde::{Deserialize, Serialize};

use crate::host::process;
use crate::host::setup::{self, Need};
use crate::{Env, Error, Kind, Result};

/// Users and groups from here on, one for each run of ours, are what root's
/// confined programs become: nobody's, so that nothing else counts against the
/// limit on processes.
const USERS: u32 = 5_461_581;

/// How the walls are made on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// bubblewrap runs as root, the program as this user and group.
    OtherUser(u32),
    /// In a user namespace, as whoever we are.
    Namespace,
}

/// Walls that can be had on this machine, and what was seen behind them.
#[derive(Clone, Debug)]
pub struct Sandbox {
    way: Way,
    seen: Arc<Mutex<Seen>>,
    patience: Duration,
}

#[derive(Debug, Default)]
struct Seen {
    /// What a confined program was refused, in its own words, in order.
    refused: Vec<String>,
    /// All of it so far: a script that runs in each build is no news.
    told: BTreeSet<String>,
    /// Names for which [`Sandbox::first`] was asked.
    begun: BTreeSet<String>,
}

/// What a confined program finds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// Files and folders that it can read, where they are.
    pub shown: Vec<PathBuf>,
    /// Files and folders that it can write, where they are.
    pub open: Vec<PathBuf>,
    /// A folder of ours, and the place where it is found.
    pub moved: Vec<Moved>,
    /// Where it starts.
    pub dir: Option<PathBuf>,
    /// How much it gets.
    pub limits: Limits,
}

impl Room {
    /// Where what it can write is on the disk.
    pub fn written(&self) -> Vec<PathBuf> {
        let moved = self.moved.iter().filter(|m| m.open).map(|m| &m.from);
        self.open.iter().chain(moved).cloned().collect()
    }

    /// The folders above all that is put into it, the upper ones first. bubblewrap
    /// would make them, but for the eyes of root only.
    fn ancestors(&self) -> BTreeSet<&Path> {
        let moved = self.moved.iter().map(|m| &m.to);
        let all = self.shown.iter().chain(&self.open).chain(moved);
        let is_system = |p: &Path| SYSTEM.iter().chain(&["/etc"]).any(|s| p.starts_with(s));
        let above = all.flat_map(|path| path.ancestors().skip(1));
        above.filter(|p| p.parent().is_some() && !is_system(p)).collect()
    }
}

/// A folder that is found elsewhere than it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// Where it is.
    pub from: PathBuf,
    /// Where it is found.
    pub to: PathBuf,
    /// Whether it can be written.
    pub open: bool,
}

/// Where a program is looked for behind the walls.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The system's folders: shown, or linked as they are.
const SYSTEM: [&str; 10] =
    ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix", "/gnu"];
/// What compilers and the C library read below `/etc`; nothing in it is secret.
const ETC: [&str; 8] = [
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/etc/passwd",
    "/etc/group",
    "/etc/nsswitch.conf",
    "/etc/localtime",
];
/// Bytes of its `/tmp`.
const SCRATCH: u64 = 1 << 30;

impl Sandbox {
    fn of(way: Way) -> Sandbox {
        Sandbox { way, seen: Arc::default(), patience: Limits::BUILD.idle }
    }

    /// The same, and a build in it may do nothing for so long.
    pub fn with_patience(self, patience: Duration) -> Sandbox {
        Sandbox { patience, ..self }
    }

    /// What a build in it gets.
    pub fn of_a_build(&self) -> Limits {
        Limits { idle: self.patience, ..Limits::BUILD }
    }

    /// Walls that hold on this machine; bubblewrap is installed if it must be.
    ///
    /// # Errors
    /// Setup, with the reason, when there are none to be had.
    pub fn find(env: &Env) -> Result<Sandbox> {
        setup::require(env, &[Need::Sandbox])?;
        Self::probe()
    }

    /// [`Sandbox::find`] where bubblewrap is installed already.
    ///
    /// # Errors
    /// Setup, with the reason, when there are none to be had.
    pub fn probe() -> Result<Sandbox> {
        let root = rustix::process::geteuid().is_root();
        let other = Way::OtherUser(USERS + std::process::id());
        let ways = [root.then_some(other), Some(Way::Namespace)];
        let mut why = Vec::new();
        for way in ways.into_iter().flatten() {
            let sandbox = Sandbox::of(way);
            let room = Room { limits: Limits::QUESTION, ..Room::default() };
            let mut c = sandbox.command(&room, Path::new("/bin/true"));
            match process::output_within(&mut c, Duration::from_secs(20)) {
                Ok(out) if out.status.success() => return Ok(sandbox),
                Ok(out) => why.push(last_line(&out.stderr)),
                Err(e) if e.kind() == Kind::Interrupted => return Err(e),
                Err(e) => why.push(e.to_string()),
            }
        }
        why.dedup();
        let what = format!("no sandbox can be had on this machine: {}", why.join("; "));
        Err(Error::new(Kind::Setup, what).hint(
            "bubblewrap needs root with CAP_SYS_ADMIN, or user namespaces for everybody \
             (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, \
             kernel.apparmor_restrict_unprivileged_userns);\n  --no-sandbox builds and runs \
             what was sent without one, with all that you may do",
        ))
    }

    /// A command for `program` behind the walls; its arguments are the caller's to add.
    pub fn command(&self, room: &Room, program: &Path) -> Command {
        let mut c = Command::new(setup::find_tool("bwrap").unwrap_or_else(|| "bwrap".into()));
        c.env_clear().env("PATH", PATH).env("HOME", "/tmp").env("LC_ALL", "C.UTF-8");
        c.args(["--die-with-parent", "--new-session", "--unshare-ipc", "--unshare-pid"]);
        c.args(["--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]);
        match self.way {
            Way::OtherUser(_) => c.args(["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]),
            Way::Namespace => c.arg("--unshare-user"),
        };
        system(&mut c);
        c.args(["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--size"]);
        c.arg(SCRATCH.to_string()).args(["--tmpfs", "/tmp"]);
        for folder in room.ancestors() {
            c.args(["--perms", "0755", "--dir"]).arg(folder);
        }
        for path in &room.shown {
            c.arg("--ro-bind").arg(path).arg(path);
        }
        for path in &room.open {
            c.arg("--bind").arg(path).arg(path);
        }
        for Moved { from, to, open } in &room.moved {
            c.arg(if *open { "--bind" } else { "--ro-bind" }).arg(from).arg(to);
        }
        // Both are in memory: what is writable of them has a size.
        c.args(["--remount-ro", "/dev", "--remount-ro", "/", "--chdir"])
            .arg(room.dir.as_deref().unwrap_or("/tmp".as_ref()));
        c.arg("--");
        if let Way::OtherUser(id) = self.way {
            let id = id.to_string();
            c.args(["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups"]);
            c.arg("--inh-caps=-all");
        }
        c.arg("prlimit").args(room.limits.arguments()).arg("--").arg(program);
        c
    }

    /// Makes a folder of ours one that a confined program can write, or read.
    ///
    /// # Errors
    /// Harness, when its owner or its modes cannot be changed.
    pub fn hand_over(&self, path: &Path, open: bool) -> Result<()> {
        let Way::OtherUser(user) = self.way else { return Ok(()) };
        let mut c = match open {
            true => Command::new("chown"),
            false => Command::new("chmod"),
        };
        c.arg("-R").arg(if open { format!("{user}:{user}") } else { "a+rX".into() });
        process::stdout(Kind::Harness, c.arg("--").arg(path)).map(drop)
    }

    /// Whether this name is asked about for the first time.
    pub fn first(&self, name: &str) -> bool {
        self.seen().begun.insert(name.to_owned())
    }

    /// Takes in one line of what a confined program printed: what it was refused
    /// is worth telling.
    pub fn hear(&self, line: &str) {
        const MOST: usize = 8;
        if REFUSALS.iter().any(|r| line.contains(r)) {
            let mut seen = self.seen();
            let line = crate::host::visible::short(line, 160);
            if seen.refused.len() < MOST && !seen.told.contains(&line) {
                seen.told.insert(line.clone());
                seen.refused.push(line);
            }
        }
    }

    /// What was refused since it was taken last.
    pub fn refused(&self) -> Vec<String> {
        self.seen().refused.clone()
    }

    /// What was refused since this was asked last, and not before.
    pub fn take_refused(&self) -> Vec<String> {
        std::mem::take(&mut self.seen().refused)
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The C library's words for what the walls refuse.
const REFUSALS: [&str; 10] = [
    "Read-only file system",
    "Permission denied",
    "Operation not permitted",
    "Network is unreachable",
    "Connection refused",
    "failure in name resolution",
    "Cannot fork",
    "Resource temporarily unavailable",
    "File too large",
    "No space left on device",
];

/// The system's programs and libraries, read-only.
fn system(c: &mut Command) {
    for path in SYSTEM.map(Path::new) {
        match std::fs::read_link(path) {
            Ok(target) => c.arg("--symlink").arg(target).arg(path),
            Err(_) => c.arg("--ro-bind-try").arg(path).arg(path),
        };
    }
    c.args(["--perms", "0755", "--dir", "/etc"]);
    for path in ETC {
        c.args(["--ro-bind-try", path, path]);
    }
}

fn last_line(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let line = text.lines().rfind(|l| !l.trim().is_empty()).unwrap_or("no message");
    crate::host::visible::line(line)
}

#[cfg(test)]
mod tests;
