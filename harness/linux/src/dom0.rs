//! Xen's first domain: it starts what Xen's tools need, and for each kind of guest
//! one such guest, beside which its own processes are put under stress.
//!
//! What it finds it tells as `seen TEST RUNS FAILURES [WHY]`, TEST being
//! `PLACE/WHAT`: `alone` is before there is any guest.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::mount::MountFlags;

use crate::{Context, Result, beside, report};

/// What is mounted: what, where, as what.
const MOUNTS: [(&str, &str); 5] = [
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("devtmpfs", "/dev"),
    ("devpts", "/dev/pts"),
    ("tmpfs", "/run"),
];
/// What Xen's tools expect to be there.
const FOLDERS: [&str; 4] = ["/run/xen", "/run/xenstored", "/var/lib/xen", "/var/log/xen/console"];
/// What the kernel must have, in the order of loading; the host puts them there.
const MODULES: &str = "/modules";
/// Between two looks.
const TICK: Duration = Duration::from_millis(500);

/// All of it; `guests` and `rounds` are on the kernel's command line.
pub(crate) fn run() -> Result<()> {
    prepare()?;
    report::line("seen dom0/starts 1 0");
    let word = |name: &str| std::env::var(name).doing(name);
    let (guests, rounds) = (word("guests")?, word("rounds")?);
    let tools = word("tools")?;
    beside::stress("alone", &rounds)?;
    for kind in guests.split(',') {
        let guest = Guest { kind, tools: &tools };
        match guest.start() {
            Ok(()) => report::line(format_args!("seen {kind}/starts 1 0")),
            Err(why) => {
                report::line(format_args!("seen {kind}/starts 1 1 {why}"));
                guest.xl(&["destroy", kind]).ok();
                continue;
            }
        }
        let before = guest.progress();
        beside::stress(kind, &rounds)?;
        guest.judge(before);
        let ended = guest
            .xl(&["destroy", kind])
            .err()
            .map_or_else(String::new, |why| " ".to_owned() + &why);
        report::line(format_args!("seen {kind}/ends 1 {}{ended}", u8::from(!ended.is_empty())));
    }
    Ok(())
}

/// Mounts, modules, and Xen's daemons.
fn prepare() -> Result<()> {
    for (what, at) in MOUNTS {
        fs::create_dir_all(at).doing(at)?;
        rustix::mount::mount(what, at, what, MountFlags::empty(), None).doing(at)?;
    }
    for folder in FOLDERS {
        fs::create_dir_all(folder).doing(folder)?;
    }
    std::os::unix::fs::symlink("/run", "/var/run").doing("/var/run")?;
    let mut modules =
        fs::read_dir(MODULES).doing(MODULES)?.collect::<io::Result<Vec<_>>>().doing(MODULES)?;
    modules.sort_by_key(fs::DirEntry::file_name);
    for module in modules {
        let path = module.path();
        let file = fs::File::open(&path).doing(&path.display().to_string())?;
        rustix::system::finit_module(&file, c"", 0).doing(&path.display().to_string())?;
    }
    rustix::mount::mount("xenfs", "/proc/xen", "xenfs", MountFlags::empty(), None)
        .doing("mounting /proc/xen")?;
    let tools = std::env::var("tools").doing("tools")?;
    call(&tools, "xenstored", &[])?;
    call(&tools, "xen-init-dom0", &[])?;
    call(&tools, "xenconsoled", &["--log=guest", "--log-dir=/var/log/xen/console"])
}

/// Runs one of Xen's tools; a daemon puts itself into the background.
fn call(tools: &str, name: &str, args: &[&str]) -> Result<()> {
    let program = Path::new(tools).join(name);
    let mut command = Command::new(&program);
    command.args(args).env("PATH", tools).stdin(Stdio::null());
    let output = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .and_then(Child::wait_with_output);
    let output = output.doing(name)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no message");
    Err(format!("{name} {}: {}: {last}", args.join(" "), output.status))
}

/// A guest of that kind; it is called like its kind.
struct Guest<'a> {
    kind: &'a str,
    tools: &'a str,
}

impl Guest<'_> {
    /// Runs `xl`.
    fn xl(&self, args: &[&str]) -> Result<()> {
        call(self.tools, "xl", args)
    }

    /// What it has printed.
    fn console(&self) -> String {
        let path = format!("/var/log/xen/console/guest-{}.log", self.kind);
        fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Its last word on how it gets on: the rounds, and what went wrong in them.
    fn progress(&self) -> Option<String> {
        let console = self.console();
        let (lines, _) = console.rsplit_once('\n')?;
        let last = lines.lines().rev().find_map(|line| line.split_once("svm-bench: load "))?;
        Some(last.1.trim().to_owned())
    }

    /// Creates it, and waits until it computes. The host limits the time.
    fn start(&self) -> Result<()> {
        self.xl(&["create", &format!("/guests/{}.cfg", self.kind)])?;
        while self.progress().is_none() {
            std::thread::sleep(TICK);
            self.alive()?;
        }
        Ok(())
    }

    /// Does Xen still have it?
    fn alive(&self) -> Result<()> {
        self.xl(&["domid", self.kind]).map_err(|_| {
            let console = self.console();
            let last = console.lines().rev().find(|line| !line.trim().is_empty());
            format!("it is gone; its last line: {}", last.unwrap_or("nothing was printed"))
        })
    }

    /// Tells how it did since it said `before`.
    fn judge(&self, before: Option<String>) {
        let kind = self.kind;
        let first = rounds(before.as_deref().unwrap_or_default());
        // One more round shows that it still computes; the host limits the time.
        let now = loop {
            let now = self.progress().unwrap_or_default();
            if rounds(&now) > first + 1 {
                break now;
            }
            if let Err(why) = self.alive() {
                report::line(format_args!("seen {kind}/lives 1 1 {why}"));
                return;
            }
            std::thread::sleep(TICK);
        };
        report::line(format_args!("seen {kind}/lives 1 0"));
        for word in now.split(' ').skip(1) {
            if let Some((what, failures)) = word.split_once('=') {
                let runs = rounds(&now);
                report::line(format_args!("seen {kind}/guest-{what} {runs} {failures}"));
            }
        }
    }
}

/// How many rounds a word on how a guest gets on tells.
fn rounds(progress: &str) -> u64 {
    progress.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0)
}
