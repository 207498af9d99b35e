//! Tests that a series brings itself, in QEMU's own tree.
//!
//! Two kinds can be run on any binary: qtests, which talk to it from outside,
//! and the bare-metal programs of `tests/tcg/x86_64/system`. Unit tests and
//! others are part of a build and say nothing about another one.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::Point;
use crate::host::cache::io_error;
use crate::host::child::{self, End, Launch};
use crate::host::error::Context;
use crate::host::git::Git;
use crate::host::sandbox::{self, Limits, Room, Sandbox};
use crate::host::setup;
use crate::qemu::Qemu;
use crate::qemu::build::{self, patch::Patch};
use crate::{Env, Kind, Result, Verdict};

/// A test that is not done by then hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// Where QEMU keeps bare-metal programs for this target.
const SYSTEM: [&str; 2] = ["tests/tcg/x86_64/system", "tests/tcg/multiarch/system"];

pub(super) fn run(
    env: &Env,
    tip: &Point,
    test: &str,
    qemus: &[&Qemu],
    sandbox: Option<&Sandbox>,
) -> Result<Option<Vec<Verdict>>> {
    let (folder, name) = test.rsplit_once('/').unwrap_or(("", test));
    let Some(stem) = name.strip_suffix(".c") else { return Ok(None) };
    if folder == "tests/qtest" && stem.ends_with("-test") {
        let target = format!("tests/qtest/{stem}");
        let program = build::aside(env, &tip.spec, &target, sandbox)?;
        return each(qemus, |qemu| qtest(env, &program, qemu, sandbox)).map(Some);
    }
    if SYSTEM.contains(&folder) {
        let dir = tempfile::tempdir().doing(Kind::Harness, || "making a folder".into())?;
        let image = compile(tip, test, dir.path(), sandbox)?;
        return each(qemus, |qemu| system(&image, qemu)).map(Some);
    }
    Ok(None)
}

/// One verdict a binary; the same binary is not run twice.
fn each(qemus: &[&Qemu], run: impl Fn(&Qemu) -> Result<Verdict>) -> Result<Vec<Verdict>> {
    let mut verdicts: Vec<Verdict> = Vec::new();
    for (n, qemu) in qemus.iter().enumerate() {
        let same = n > 0 && qemus[n - 1].digest == qemu.digest;
        let verdict = if same { verdicts[n - 1] } else { run(qemu)? };
        verdicts.push(verdict);
    }
    Ok(verdicts)
}

/// Runs a qtest on a QEMU, both in one sandbox, if there is one: it starts the
/// binary itself, not what confines it.
fn qtest(env: &Env, program: &Path, qemu: &Qemu, sandbox: Option<&Sandbox>) -> Result<Verdict> {
    let mut firmware: OsString = "QTEST_QEMU_ARGS=".into();
    for dir in &qemu.firmware {
        firmware.push(" -L ");
        firmware.push(dir);
    }
    let mut binary: OsString = "QTEST_QEMU_BINARY=".into();
    let real = sandbox::real(&qemu.path);
    binary.push(&real);
    let args = [binary, firmware, program.into(), "--tap".into(), "-k".into()];
    let starts = match sandbox {
        None => PathBuf::from(ENV),
        Some(sandbox) => {
            let mut shown = vec![program.to_owned(), real];
            shown.extend(qemu.firmware.iter().cloned());
            let room = Room { shown, ..Room::default() };
            let folder = env.cache.dir("confined")?.join("qtest");
            sandbox::wrap(sandbox, &folder, Path::new(ENV), room)?
        }
    };
    let launch = Launch { program: &starts, args: &args, timeout: LIMIT };
    let ended = child::run(&launch)?;
    let skipped = ended.stdout.text().lines().any(|l| l.contains("# SKIP"));
    Ok(match verdict(ended.end, 0) {
        Verdict::Pass if skipped => Verdict::Skip,
        verdict => verdict,
    })
}

fn system(image: &Path, qemu: &Qemu) -> Result<Verdict> {
    let mut args: Vec<OsString> = Vec::new();
    for dir in &qemu.firmware {
        args.extend(["-L".into(), dir.into()]);
    }
    let flags = "-nodefaults -display none -no-reboot -accel tcg -cpu max -m 512 \
                 -chardev stdio,id=output -device isa-debugcon,chardev=output \
                 -device isa-debug-exit,iobase=0xf4,iosize=0x4 -kernel";
    args.extend(flags.split_whitespace().map(OsString::from));
    args.push(image.into());
    let ended = child::run(&Launch { program: &qemu.path, args: &args, timeout: LIMIT })?;
    Ok(verdict(ended.end, 0))
}

fn verdict(end: End, pass: i32) -> Verdict {
    match end {
        End::Exited(code) if code == pass => Verdict::Pass,
        End::Exited(_) => Verdict::Fail,
        End::TimedOut => Verdict::Timeout,
        End::Signalled(_) | End::Flooded => Verdict::Crash,
    }
}

/// Starts a program with variables of its own.
const ENV: &str = "/usr/bin/env";

/// Builds a bare-metal program as QEMU's own makefile does. In a sandbox it can
/// include no file but the tree's.
fn compile(tip: &Point, test: &str, dir: &Path, sandbox: Option<&Sandbox>) -> Result<PathBuf> {
    let patches: Vec<Patch> =
        tip.spec.patches.iter().map(|p| Patch::read(p)).collect::<Result<_>>()?;
    let applied = build::apply::apply(&tip.spec.source, &patches)?;
    let git = Git::new(&tip.spec.source.git);
    for folder in ["tests/tcg/minilib", SYSTEM[0]] {
        let listed = git.run(["ls-tree", "--name-only", applied.tip(), &format!("{folder}/")])?;
        for path in listed.lines() {
            take(&git, applied.tip(), path, dir)?;
        }
    }
    take(&git, applied.tip(), test, dir)?;
    let compiler = setup::compiler()?;
    let image = dir.join("image");
    let boot = format!("{}/boot.S", SYSTEM[0]);
    let script = format!("-Wl,-T{}/kernel.ld", SYSTEM[0]);
    let (open, here) = (vec![dir.to_owned()], Some(dir.to_owned()));
    let room = Room { open, dir: here, limits: Limits::QUESTION, ..Room::default() };
    let mut c = match sandbox {
        None => Command::new("sh"),
        Some(sandbox) => {
            sandbox.hand_over(dir, true)?;
            sandbox.command(&room, Path::new("sh"))
        }
    };
    let line = format!("{} \"$@\"", compiler.command);
    c.current_dir(dir).args(["-c", &line, "cc", "-m64", "-O0", "-nostdlib", "-static", "-no-pie"]);
    c.args(["-fno-pie", "-fno-stack-protector", "-Wl,-melf_x86_64", "-Wl,--build-id=none"]);
    c.args(["-Itests/tcg/minilib", &boot, "tests/tcg/minilib/printf.c", test, &script, "-lgcc"]);
    sandbox::stdout(c.arg("-o").arg(&image), Stdio::null(), &room)?;
    Ok(image)
}

fn take(git: &Git, commit: &str, path: &str, dir: &Path) -> Result<()> {
    let file = dir.join(path);
    let parent = file.parent().unwrap_or(dir);
    fs::create_dir_all(parent).map_err(|e| io_error("creating", parent, e))?;
    let text = git.run(["show", &format!("{commit}:{path}")])? + "\n";
    fs::write(&file, text).map_err(|e| io_error("writing", &file, e))
}
