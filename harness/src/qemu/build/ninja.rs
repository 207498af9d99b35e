//! configure and ninja: run with a bar, logged whole.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal};

use super::tree::Tree;
use crate::host::cache::{io_error, write_atomic};
use crate::host::error::Context;
use crate::host::interrupt;
use crate::host::sandbox::{Exceeded, Guard};
use crate::host::{process, regular};
use crate::{Env, Error, Kind, Result};

/// Bytes of the longest log; what prints more is killed.
const LOG_MAX: u64 = 256 << 20;
/// Bytes of its longest line; a longer one becomes several.
const LINE_MAX: u64 = 64 << 10;
/// With this begins the last line of a log, where the harness ended the step.
pub(super) const KILLED: &str = "error: ";

/// Configures the tree's build folder, unless it was configured with just this.
///
/// # Errors
/// Build, with configure's last lines and the log.
pub(super) fn configure(env: &Env, tree: &Tree, mut args: Vec<String>) -> Result<()> {
    let build = tree.build();
    let script = tree.src().join("configure");
    let contents = regular::read(&script).map_err(|e| io_error("reading", &script, e))?;
    args.insert(0, tree.seen().join("src/configure").display().to_string());
    let stamp = format!("{}\n{}\n", args.join("\n"), crate::host::hash::of_parts([contents]));
    let stamp_file = build.join("qemu-svm.configured");
    if regular::read_text(&stamp_file).is_ok_and(|old| old == stamp)
        && build.join("build.ninja").is_file()
    {
        return Ok(());
    }
    tree.remove_build()?;
    fs::create_dir_all(&build).map_err(|e| io_error("creating", &build, e))?;
    env.console.step("configuring QEMU");
    let mut c = tree.command(Path::new(&args[0]))?;
    c.args(&args[1..]);
    let log = tree.log("configure");
    let status = logged(env, tree, clean(&mut c), &log, |_| {})?;
    if !status.success() {
        return Err(configure_failed(&log));
    }
    let written = write_atomic(&stamp_file, stamp.as_bytes());
    written.map_err(|e| tree.blame(e))
}

/// Builds a target; the log is whole even when it fails.
///
/// # Errors
/// Harness, when ninja cannot be run; Interrupted. A failed build is `false`.
pub(super) fn ninja(env: &Env, tree: &Tree, target: &str) -> Result<bool> {
    tree.clear(target)?;
    let program =
        ["ninja", "ninja-build", "samu"].into_iter().find_map(crate::host::setup::find_tool);
    let mut c = tree.command(&program.unwrap_or_else(|| "ninja".into()))?;
    c.arg("-C").arg(tree.seen().join("build")).arg(target).env("NINJA_STATUS", "[%f/%t] ");
    let status = logged(env, tree, clean(&mut c), &tree.log("build"), |line| {
        if let Some((done, total, what)) = progress(line) {
            env.console.progress(done, total, what);
        }
    });
    env.console.end_progress();
    Ok(status?.success())
}

/// Runs `command`, writes what it prints to `log` and shows `each` line.
fn logged(
    env: &Env,
    tree: &Tree,
    command: &mut Command,
    log: &Path,
    mut each: impl FnMut(&str),
) -> Result<std::process::ExitStatus> {
    env.console.detail(process::show(command));
    let mut file = File::create(log).map_err(|e| io_error("creating", log, e))?;
    let (read, write) = std::io::pipe().doing(Kind::Harness, || "making a pipe".into())?;
    let twin = write.try_clone().doing(Kind::Harness, || "making a pipe".into())?;
    command.stdin(Stdio::null()).stdout(write).stderr(twin);
    // In a sandbox nothing outlives us, and nothing must meddle with the lock.
    let running = match tree.sandbox() {
        None => process::spawn_holding(command, tree.lock()),
        Some(_) => process::spawn(command),
    };
    let mut running = running.map_err(|e| process::not_started(command, e))?;
    let pid = Pid::from_child(running.child());
    let guard = tree.sandbox().map(|s| Guard::over(pid, s.of_a_build(), vec![tree.build()]));
    // The command keeps its ends of the pipe; without these the end is seen.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut reader = BufReader::new(read);
    let seen = format!("{}/", tree.seen().display());
    let (mut line, mut left) = (Vec::new(), LOG_MAX);
    while let n @ 1.. = (&mut reader)
        .take(LINE_MAX)
        .read_until(b'\n', &mut line)
        .doing(Kind::Harness, || "reading".into())?
    {
        file.write_all(&line).map_err(|e| io_error("writing", log, e))?;
        let text = String::from_utf8_lossy(&line);
        each(text.trim_end());
        if let Some(sandbox) = tree.sandbox() {
            sandbox.hear(&text.trim_end().replace(&seen, ""));
        }
        line.clear();
        left = left.saturating_sub(n as u64);
        if left == 0 {
            running.signal(Signal::KILL);
            let _ = writeln!(file, "{KILLED}killed: it printed more than {} MiB", LOG_MAX >> 20);
            break;
        }
    }
    drop(reader);
    let status = running.wait().doing(Kind::Harness, || process::show(command))?;
    if let Some(exceeded) = guard.and_then(Guard::verdict) {
        let _ = writeln!(file, "{KILLED}{exceeded}");
        if let Exceeded::Disk(_) | Exceeded::DiskLeft(_) | Exceeded::Files(_) = exceeded {
            // Nobody else must miss the room that it took.
            tree.remove_build()?;
        }
    }
    interrupt::check()?;
    Ok(status)
}

/// `[3/40] Compiling C object x.c.o`.
fn progress(line: &str) -> Option<(u64, u64, &str)> {
    let (counts, what) = line.strip_prefix('[')?.split_once("] ")?;
    let (done, total) = counts.split_once('/')?;
    Some((done.parse().ok()?, total.parse().ok()?, what))
}

/// Without flags that would make this build another one than its hash says.
fn clean(command: &mut Command) -> &mut Command {
    for name in [
        "CFLAGS",
        "CPPFLAGS",
        "CXXFLAGS",
        "OBJCFLAGS",
        "LDFLAGS",
        "MAKEFLAGS",
        "DESTDIR",
        "PYTHONHOME",
        "PYTHONPATH",
        "VIRTUAL_ENV",
        "NINJAFLAGS",
    ] {
        command.env_remove(name);
    }
    command.env("LC_ALL", "C.UTF-8")
}

fn configure_failed(log: &Path) -> Error {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    let first = lines.iter().position(|l| l.contains("ERROR") || l.contains("error:"));
    let from = first.unwrap_or(lines.len().saturating_sub(5));
    let shown = lines[from..].iter().take(5).copied().collect::<Vec<_>>().join("\n  ");
    Error::new(Kind::Build, format!("QEMU's configure failed\n  {shown}"))
        .hint(format!("the whole log: {}", log.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ninja_status_lines_are_told_from_compiler_output() {
        assert_eq!(progress("[3/40] Compiling x"), Some((3, 40, "Compiling x")));
        assert_eq!(progress("[-Wall] y"), None);
        assert_eq!(progress("x.c:3: [3/40] no"), None);
    }
}
