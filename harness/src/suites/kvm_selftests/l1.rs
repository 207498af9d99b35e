//! L1: booted with the tests that have no verdict yet, and again behind one that hangs
//! or ends it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::console::{Block, Console, Last};
use super::judge;
use crate::host::cache::{io_error, write_atomic};
use crate::host::child::{self, Ended, Launch};
use crate::host::process;
use crate::linux::{Parts, initramfs, kernel};
use crate::suites::{Observation, Work};
use crate::{Error, Kind, Result};

/// Each test's program: none where it was not built.
type Programs = BTreeMap<String, Option<PathBuf>>;
/// Where a verdict goes.
type Emit<'a> = &'a mut dyn FnMut(Observation) -> Result<()>;

/// Boots until every pending test has a verdict.
///
/// # Errors
/// When QEMU cannot be started, the run is interrupted, or I/O fails.
pub(super) fn run(
    parts: &Parts,
    programs: &Programs,
    work: &Work<'_>,
    emit: Emit<'_>,
) -> Result<()> {
    let mut left: Vec<&str> = work.pending.iter().map(|p| p.test.as_str()).collect();
    let mut log = Log::open(work.log, &left)?;
    while !left.is_empty() {
        let before = left.len();
        let (ended, last) = boot(parts, programs, work, &mut left, &mut log, emit)?;
        log.end(&last, &ended)?;
        // The one that ran is told of; with none, nobody knows what L1 ended of, and
        // another boot without a verdict would end the same way.
        let told: Vec<&str> = match &last.running {
            Some(block) => left.iter().copied().filter(|test| *test == block.test).collect(),
            None if left.len() < before => Vec::new(),
            None => left.clone(),
        };
        for test in told {
            emit(judge::cut_off(test, &last, ended.end))?;
            left.retain(|other| *other != test);
        }
    }
    Ok(())
}

/// One boot with the tests that are left; those that end leave the list.
fn boot(
    parts: &Parts,
    programs: &Programs,
    work: &Work<'_>,
    left: &mut Vec<&str>,
    log: &mut Log<'_>,
    emit: Emit<'_>,
) -> Result<(Ended, Last)> {
    let doing = "making a folder for L1";
    let folder = tempfile::tempdir().map_err(|e| Error::new(Kind::Harness, doing).because(e))?;
    let initrd = folder.path().join("l1.cpio");
    write_atomic(&initrd, &archive(parts, programs, left)?)?;
    let args = arguments(parts, work, &initrd);
    log.begin(work.qemu.path.as_os_str().to_owned(), &args)?;
    let mut console = Console::default();
    let mut news = |bytes: &[u8]| {
        let (ended, anew) = console.take(bytes);
        for (block, how) in ended {
            log.block(&block, &format!("{how:?}"))?;
            if left.contains(&block.test.as_str()) {
                left.retain(|test| *test != block.test);
                emit(judge::ended(&block, how))?;
            }
        }
        Ok(anew)
    };
    let launch = Launch { program: &work.qemu.path, args: &args, timeout: work.job.timeout };
    let ended = child::watched(&launch, &mut news)?;
    Ok((ended, console.finish()))
}

/// QEMU's arguments.
fn arguments(parts: &Parts, work: &Work<'_>, initrd: &Path) -> Vec<OsString> {
    let firmware = work.qemu.firmware.iter().flat_map(|dir| ["-L".into(), dir.into()]);
    let rest = work.job.args.iter().map(OsString::from);
    let image = OsString::from(&parts.kernel.image);
    let boot = ["-kernel".into(), image, "-initrd".into(), OsString::from(initrd)];
    firmware.chain(rest).chain(boot).collect()
}

/// L1's initramfs: KVM's modules, the tests, and their names in the order of running.
fn archive(parts: &Parts, programs: &Programs, tests: &[&str]) -> Result<Vec<u8>> {
    let mut files = vec![("selftests/list".to_owned(), tests.join("\n").into_bytes())];
    for module in &parts.kernel.modules {
        files.push((initramfs::name(module), kernel::read(module)?));
    }
    for test in tests {
        if let Some(Some(program)) = programs.get(*test) {
            files.push((format!("selftests/{test}"), kernel::read(program)?));
        }
    }
    let entries: Vec<_> = files.iter().map(|(name, bytes)| (name.as_str(), &**bytes)).collect();
    initramfs::archive(&parts.program, &entries)
}

/// The log: for each test a line with its name, and indented what was said.
struct Log<'a> {
    path: &'a Path,
    text: String,
}

impl<'a> Log<'a> {
    /// What an earlier run said of other tests stays.
    fn open(path: &'a Path, pending: &[&str]) -> Result<Self> {
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).map_err(|e| io_error("creating", dir, e))?;
        }
        let old = fs::read(path).unwrap_or_default();
        let text = without(&String::from_utf8_lossy(&old), &pending.iter().copied().collect());
        Ok(Log { path, text })
    }

    fn add(&mut self, text: &str) -> Result<()> {
        self.text.push_str(text);
        fs::write(self.path, &self.text).map_err(|e| io_error("writing the log", self.path, e))
    }

    fn begin(&mut self, program: OsString, args: &[OsString]) -> Result<()> {
        let words = std::iter::once(&program).chain(args).map(|word| process::quote(word));
        self.add(&format!("$ {}\n", words.collect::<Vec<_>>().join(" ")))
    }

    fn block(&mut self, block: &Block, how: &str) -> Result<()> {
        self.add(&shown(&block.test, &block.lines, how))
    }

    /// What a boot ended with: in a test, or outside of one.
    fn end(&mut self, last: &Last, ended: &Ended) -> Result<()> {
        let how = format!("{:?} after {:.0} s", ended.end, ended.elapsed.as_secs_f64());
        if let Some(block) = &last.running {
            self.block(block, &how)?;
        }
        let mut said = last.between.clone();
        said.extend(ended.stderr.text().lines().map(|line| format!("QEMU: {line}")));
        self.add(&shown("(outside of tests)", &said, &how))
    }
}

/// A block of the log.
fn shown(name: &str, lines: &[String], how: &str) -> String {
    let lines: String = lines.iter().map(|line| format!("    {line}\n")).collect();
    format!("{name}\n{lines}    --- {how}\n")
}

/// The log without the blocks of these tests.
fn without(log: &str, tests: &BTreeSet<&str>) -> String {
    let mut kept = String::new();
    let mut keeps = true;
    for line in log.lines() {
        if !line.starts_with(' ') {
            keeps = !tests.contains(line);
        }
        if keeps {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use super::*;
    use crate::Verdict;
    use crate::linux::kernel::Kernel;
    use crate::qemu::Qemu;
    use crate::qemu::testing::identity;
    use crate::suites::{Job, Planned};

    /// What a QEMU that is a shell script makes of these tests, and the log of it.
    fn run_on(script: &str, tests: &[&str]) -> (Vec<Observation>, String) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("qemu");
        let boots = dir.path().join("boots");
        let head = format!("#!/bin/sh\necho >> {0}; boot=$(wc -l < {0})\n", boots.display());
        fs::write(&path, format!("{head}say() {{ echo \"svm-bench: $*\"; }}\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let build = identity("stock-10.2.2");
        let qemu = Qemu { build, path, digest: String::new(), firmware: Vec::new() };
        let planned = |test: &&str| Planned { test: (*test).into(), feature: None };
        let job = Job {
            config: "max".into(),
            tests: tests.iter().map(planned).collect(),
            timeout: Duration::from_secs(1),
            args: Vec::new(),
            fingerprint: String::new(),
            decided: None,
            alone: false,
        };
        let kernel = Kernel { release: String::new(), image: "k".into(), modules: Vec::new() };
        let parts = Parts { kernel, program: Vec::new() };
        let log = dir.path().join("log");
        // An earlier run's.
        fs::write(&log, "a\n    old\nz\n    kept\n").unwrap();
        let pending: Vec<_> = job.tests.iter().collect();
        let work = Work { job: &job, pending: &pending, qemu: &qemu, log: &log };
        let mut seen = Vec::new();
        let mut emit = |one| {
            seen.push(one);
            Ok(())
        };
        run(&parts, &Programs::new(), &work, &mut emit).unwrap();
        (seen, fs::read_to_string(&log).unwrap())
    }

    #[test]
    fn a_test_that_hangs_l1_loses_no_verdict_of_the_others() {
        let script = "if [ $boot = 1 ]; then say begin a; say end a exited 0; say begin b; \
                      echo stuck; exec sleep 1000; fi\n\
                      say begin c; say end c exited 4; say done";
        let (seen, log) = run_on(script, &["a", "b", "c"]);
        let verdicts: Vec<_> = seen.iter().map(|o| (o.test.as_str(), o.verdict)).collect();
        let expected = [("a", Verdict::Pass), ("b", Verdict::Timeout), ("c", Verdict::Skip)];
        assert_eq!(verdicts, expected);
        assert!(log.contains("z\n    kept\n") && !log.contains("old"), "{log}");
        assert!(log.contains("b\n    stuck\n    --- TimedOut"), "{log}");
        assert_eq!(log.matches("$ ").count(), 2, "{log}");
    }

    #[test]
    fn an_l1_that_does_not_come_up_is_booted_once() {
        let (seen, log) = run_on("echo Kernel panic - not syncing", &["a", "b"]);
        assert!(seen.iter().all(|o| o.verdict == Verdict::Crash), "{seen:?}");
        assert_eq!((seen.len(), log.matches("$ ").count()), (2, 1), "{log}");
        assert!(seen[0].first_failure.as_ref().unwrap().contains("not syncing"));
    }

    #[test]
    fn the_time_limit_begins_anew_with_each_test() {
        let each = "say begin $t; sleep 0.6; say end $t exited 0;";
        let script = format!("for t in a b c; do {each} done; say done");
        let (seen, _) = run_on(&script, &["a", "b", "c"]);
        assert!(seen.iter().all(|o| o.verdict == Verdict::Pass), "{seen:?}");
    }
}
