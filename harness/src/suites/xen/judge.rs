//! What the first domain, or L1, said test by test.

use crate::Verdict;
use crate::host::child::End;
use crate::linux::said;
use crate::suites::Observation;

/// The kinds of what a process keeps (`harness/linux/src/stress.rs`).
pub(super) const KEPT: [&str; 7] =
    ["xmm", "xmm-calls", "ymm-calls", "controls", "memory", "fork", "fresh-pages"];
/// Processes under stress at `place`: beside a guest, or `alone`.
pub(super) fn stressed(place: &str) -> Vec<String> {
    let kinds = KEPT.iter().map(|kind| format!("{place}/own-{kind}"));
    kinds.chain([format!("{place}/own-processes")]).collect()
}

/// A guest at `place`, and processes under stress beside it, in the order in which
/// the tests are seen.
pub(super) fn guest(place: &str) -> Vec<String> {
    let mut tests = vec![format!("{place}/starts")];
    tests.extend(stressed(place));
    tests.push(format!("{place}/lives"));
    tests.extend(["checksum"].iter().chain(&KEPT).map(|kind| format!("{place}/guest-{kind}")));
    tests
}

/// A line on a test: `seen TEST RUNS FAILURES [WHY]`.
struct Seen<'a> {
    test: &'a str,
    runs: u32,
    failures: u32,
    why: &'a str,
}

impl<'a> Seen<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut words = said::word(line)?.strip_prefix("seen ")?.splitn(4, ' ');
        let test = words.next()?;
        let runs = words.next()?.parse().ok()?;
        let failures = words.next()?.parse().ok()?;
        Some(Seen { test, runs, failures, why: words.next().unwrap_or_default().trim() })
    }

    /// Rounds that are fewer than none were not made at all.
    fn observation(&self) -> Observation {
        let Seen { test, runs, failures, why } = *self;
        let verdict = if failures > 0 || runs == 0 { Verdict::Fail } else { Verdict::Pass };
        let mut said = (verdict == Verdict::Fail).then(|| format!("{failures} of {runs} failed"));
        if let Some(said) = said.as_mut().filter(|_| !why.is_empty()) {
            *said = format!("{said}: {why}");
        }
        Observation {
            passed: runs.saturating_sub(failures),
            failed: failures,
            first_failure: said,
            ..Observation::bare(test, verdict, "")
        }
    }
}

/// What each of `tests` came to, by the console and by how QEMU ended.
pub(super) fn judge(tests: &[&str], console: &str, end: End) -> Vec<Observation> {
    let seen: Vec<Seen<'_>> = console.lines().filter_map(Seen::parse).collect();
    let known = |test: &str| seen.iter().find(|s| s.test == test);
    let unseen = |test: &str| {
        let place = test.split('/').next().unwrap_or_default();
        let start = known(&format!("{place}/starts")).filter(|s| s.failures > 0);
        match start {
            Some(start) => {
                let why = format!("there was no guest: {}", start.why);
                Observation::bare(test, Verdict::Missing, why)
            }
            None => absent(test, console, end),
        }
    };
    tests.iter().map(|test| known(test).map_or_else(|| unseen(test), Seen::observation)).collect()
}

/// A test that nothing was said of.
fn absent(test: &str, console: &str, end: End) -> Observation {
    let gave_up = console.lines().filter_map(said::word).find_map(|w| w.strip_prefix("failed: "));
    let panic = console.lines().find(|line| line.contains("Panic on CPU"));
    let last = console.lines().rev().find(|line| !line.trim().is_empty());
    let last = panic.or(last).unwrap_or("nothing was printed").trim();
    let (verdict, why) = match (end, gave_up) {
        (End::TimedOut, _) => (Verdict::Timeout, format!("the last line: {last}")),
        (_, Some(why)) => (Verdict::Fail, format!("it says: {why}")),
        (End::Flooded, _) => (Verdict::Crash, format!("it printed without end: {last}")),
        (End::Signalled(n), _) => (Verdict::Crash, format!("QEMU ended by signal {n}")),
        (End::Exited(n), _) => {
            (Verdict::Crash, format!("the machine ended ({n}) before it; the last line: {last}"))
        }
    };
    Observation::bare(test, verdict, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: &str = "svm-bench: ";

    fn one(test: &str, console: &str, end: End) -> Observation {
        judge(&[test], console, end).remove(0)
    }

    const UP: &str = "dom0/starts";

    #[test]
    fn every_test_beside_a_guest_has_a_name_of_its_own() {
        let all = guest("pvh");
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
        for test in ["pvh/starts", "pvh/own-xmm-calls", "pvh/own-processes", "pvh/guest-fork"] {
            assert!(all.iter().any(|name| name == test), "{all:?}");
        }
    }

    #[test]
    fn what_was_kept_passes_and_one_failure_fails() {
        let console = format!(
            "(XEN) x\n{MARK}seen pvh/own-xmm 200 0\n{MARK}seen pvh/own-memory 200 3\n\
             {MARK}seen pvh/own-processes 2 1 signal: 11\n{MARK}done\n"
        );
        let end = End::Exited(0);
        assert_eq!(one("pvh/own-xmm", &console, end).verdict, Verdict::Pass);
        let memory = one("pvh/own-memory", &console, end);
        assert_eq!((memory.verdict, memory.passed, memory.failed), (Verdict::Fail, 197, 3));
        let died = one("pvh/own-processes", &console, end).first_failure.unwrap();
        assert_eq!(died, "1 of 2 failed: signal: 11");
    }

    #[test]
    fn what_ran_no_round_has_not_passed() {
        let console = format!("{MARK}seen alone/own-xmm 0 0\n");
        assert_eq!(one("alone/own-xmm", &console, End::Exited(0)).verdict, Verdict::Fail);
    }

    #[test]
    fn what_was_not_seen_says_why() {
        let no_guest = format!("{MARK}seen hvm/starts 1 1 xl create: no\n{MARK}done\n");
        let missing = one("hvm/ends", &no_guest, End::Exited(0));
        assert_eq!(missing.verdict, Verdict::Missing);
        assert!(missing.first_failure.unwrap().contains("xl create: no"));
        let gave_up = format!("{MARK}failed: mounting /proc/xen: no\n");
        assert_eq!(one(UP, &gave_up, End::Exited(0)).verdict, Verdict::Fail);
        assert_eq!(one(UP, "(XEN) x", End::TimedOut).verdict, Verdict::Timeout);
        let panic = "(XEN) Panic on CPU 0:\n(XEN) assertion\n";
        let crash = one(UP, panic, End::Exited(0));
        assert_eq!(crash.verdict, Verdict::Crash);
        assert!(crash.first_failure.unwrap().contains("Panic on CPU 0"));
        assert_eq!(one(UP, "", End::Signalled(11)).verdict, Verdict::Crash);
    }
}
