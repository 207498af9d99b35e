//! One verdict from a transcript and from how QEMU ended.

use super::{Assertion, Outcome, Transcript};
use crate::Verdict;
use crate::host::child::End;
use crate::host::sanitizer;

/// `exit(0)` in the guest, as isa-debug-exit turns it into QEMU's status.
const STATUS_GOOD: i32 = 1;
/// `exit(77 >> 1)`: every assertion skipped, or none made.
const STATUS_SKIPPED: i32 = 77;
/// SIGHUP, SIGINT, SIGKILL and SIGTERM: not by QEMU's own doing.
const FROM_OUTSIDE: [i32; 4] = [1, 2, 9, 15];

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The verdict.
    pub verdict: Verdict,
    /// Assertions that hold: those that were printed and, where none failed,
    /// the silent ones too.
    pub passed: u32,
    /// Assertions that do not hold.
    pub failed: u32,
    /// The first failed assertion, or what ended the run.
    pub first_failure: Option<String>,
    /// The named tests in which an assertion failed or which died, in order.
    pub failing: Vec<String>,
    /// The verdict says nothing about the binary.
    pub fleeting: bool,
}

/// Judges a run. `stderr` is QEMU's own output.
pub fn judge(seen: &Transcript, end: End, stderr: &str) -> Reading {
    let (verdict, why) = verdict(seen, end, stderr);
    let failures: Vec<&Assertion> = seen.assertions.iter().filter(|a| failed(a.outcome)).collect();
    let first = failures.first().map(|a| a.message.clone());
    let died = matches!(verdict, Verdict::Crash | Verdict::Timeout);
    let mut failing: Vec<String> = failures.iter().filter_map(|a| a.test.clone()).collect();
    if died {
        failing.extend(seen.last_test.clone());
    }
    failing.dedup();
    let fleeting = match end {
        End::Signalled(signal) => FROM_OUTSIDE.contains(&signal),
        End::Exited(status) => did_not_start(seen, status, stderr),
        End::TimedOut | End::Flooded => false,
    };
    Reading {
        verdict,
        passed: passed(seen),
        failed: u32::try_from(failures.len()).unwrap_or(u32::MAX),
        first_failure: if died { why.or(first) } else { first.or(why) },
        failing,
        fleeting,
    }
}

fn failed(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Fail | Outcome::UnexpectedPass | Outcome::Abort)
}

fn passed(seen: &Transcript) -> u32 {
    let printed = seen.count(Outcome::Pass);
    match seen.summary {
        // Beside each failed expectation the suite counts a silent pass, so
        // only without failures is the number of silent ones known.
        Some(summary) if summary.failures == 0 => {
            let others = [Outcome::Skip, Outcome::ExpectedFail, Outcome::KnownFail];
            let others: u32 = others.iter().map(|o| seen.count(*o)).sum();
            summary.tests.saturating_sub(others).max(printed)
        }
        _ => printed,
    }
}

fn verdict(seen: &Transcript, end: End, stderr: &str) -> (Verdict, Option<String>) {
    let at = seen.last_test.as_ref().map_or(String::new(), |test| format!(" in {test}"));
    if let Some(report) = sanitizer::report(stderr) {
        return (Verdict::Crash, Some(report.to_owned()));
    }
    match end {
        End::TimedOut => (Verdict::Timeout, Some(format!("time was up{at}"))),
        End::Flooded => (Verdict::Crash, Some(format!("flooded the serial port{at}"))),
        End::Signalled(signal) => {
            (Verdict::Crash, Some(format!("QEMU killed by {}{at}", signal_name(signal))))
        }
        End::Exited(STATUS_GOOD) if ends_without_summary(seen, stderr) => without_summary(seen),
        End::Exited(status) if seen.summary.is_none() => {
            (Verdict::Crash, Some(cause_of_death(seen, status, stderr)))
        }
        End::Exited(status) => finished(seen, status),
    }
}

/// Units that are older than the summary, or only measure, end well without one.
fn ends_without_summary(seen: &Transcript, stderr: &str) -> bool {
    seen.summary.is_none() && seen.exception.is_none() && complaint(stderr).is_none()
}

/// The verdict of such a unit.
fn without_summary(seen: &Transcript) -> (Verdict, Option<String>) {
    if seen.assertions.iter().any(|a| failed(a.outcome)) {
        (Verdict::Fail, None)
    } else if seen.count(Outcome::Pass) > 0 {
        (Verdict::Pass, None)
    } else {
        (Verdict::Missing, Some("asserts nothing".to_owned()))
    }
}

/// The verdict of a unit that got to its end.
fn finished(seen: &Transcript, status: i32) -> (Verdict, Option<String>) {
    let summary = seen.summary.unwrap_or_default();
    let said = |text: &str| Some(text.to_owned());
    let unknown = |a: &Assertion| {
        a.outcome == Outcome::Fail && a.message.starts_with("command line didn't match any tests")
    };
    if summary.tests == 0 {
        (Verdict::Missing, said("asserts nothing"))
    } else if seen.assertions.iter().any(unknown) {
        (Verdict::Missing, said("the suite knows no test of this name"))
    } else if summary.failures > 0 || seen.assertions.iter().any(|a| failed(a.outcome)) {
        (Verdict::Fail, said("the summary counts a failure that no line names"))
    } else if summary.skipped == summary.tests && status == STATUS_SKIPPED {
        let why = seen.assertions.iter().find(|a| a.outcome == Outcome::Skip);
        (Verdict::Skip, why.map(|a| a.message.clone()))
    } else if status == STATUS_GOOD {
        (Verdict::Pass, None)
    } else {
        (Verdict::Fail, Some(format!("no assertion failed, but QEMU's status is {status}")))
    }
}

/// QEMU refuses a command line with status 1, which is also a guest's success.
fn did_not_start(seen: &Transcript, status: i32, stderr: &str) -> bool {
    let said_nothing = *seen == Transcript::default();
    status == STATUS_GOOD && said_nothing && complaint(stderr).is_some()
}

/// The last line of QEMU's that is no warning.
fn complaint(stderr: &str) -> Option<&str> {
    let mut lines = stderr.lines().rev().map(str::trim);
    lines.find(|l| !l.is_empty() && !l.contains("warning: ") && !l.contains("terminating on"))
}

fn cause_of_death(seen: &Transcript, status: i32, stderr: &str) -> String {
    if let Some(exception) = &seen.exception {
        return exception.clone();
    }
    let at = seen.last_test.as_ref().map_or(String::new(), |test| format!(" in {test}"));
    match (status, complaint(stderr)) {
        (0, _) => format!("the guest shut down or triple-faulted{at}"),
        (_, Some(complaint)) => format!("QEMU ended with status {status}{at}: {complaint}"),
        (_, None) => format!("QEMU ended with status {status}{at}, without a summary"),
    }
}

/// `SIGSEGV`, or the number of a signal without a common name.
fn signal_name(signal: i32) -> String {
    let name = signal_hook::low_level::signal_name(signal);
    name.map_or_else(|| format!("signal {signal}"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(log: &str, end: End) -> Reading {
        judge(&Transcript::read(log), end, "")
    }

    fn check(log: &str, end: End, verdict: Verdict, counts: (u32, u32), why: Option<&str>) {
        let got = reading(log, end);
        assert_eq!((got.verdict, got.passed, got.failed), (verdict, counts.0, counts.1), "{log}");
        assert_eq!(got.first_failure.as_deref(), why, "{log}");
    }

    #[test]
    fn a_unit_without_a_summary_can_end_well() {
        let verdict = |log, status| reading(log, End::Exited(status)).verdict;
        assert_eq!(verdict("PASS: nopl\n", 1), Verdict::Pass);
        assert_eq!(verdict("PASS: nopl\nFAIL: xadd\n", 1), Verdict::Fail);
        assert_eq!(verdict("cpuid 172\n", 1), Verdict::Missing);
        // The guest's exit(1), and its death.
        assert_eq!(verdict("PASS: nopl\n", 3), Verdict::Crash);
        assert_eq!(verdict("PASS: nopl\n", 0), Verdict::Crash);
        let refused = judge(&Transcript::default(), End::Exited(1), "qemu: no such CPU");
        assert_eq!(refused.verdict, Verdict::Crash);
    }

    #[test]
    fn a_summary_and_the_right_status_make_a_pass() {
        let log = "SVM test: a\nPASS: a\nSUMMARY: 1 tests\n";
        check(log, End::Exited(1), Verdict::Pass, (1, 0), None);
        let odd = "no assertion failed, but QEMU's status is 3";
        check(log, End::Exited(3), Verdict::Fail, (1, 0), Some(odd));
    }

    #[test]
    fn silent_assertions_count_where_none_failed() {
        check("SUMMARY: 9 tests\n", End::Exited(1), Verdict::Pass, (9, 0), None);
        let log = "FAIL: x\nSUMMARY: 9 tests, 1 unexpected failures\n";
        check(log, End::Exited(3), Verdict::Fail, (0, 1), Some("x"));
    }

    #[test]
    fn nothing_asserted_is_missing_and_all_skipped_is_skip() {
        let log = "SVM test: a\nSUMMARY: 0 tests\n";
        check(log, End::Exited(77), Verdict::Missing, (0, 0), Some("asserts nothing"));
        let log = "SKIP: a (not supported)\nSUMMARY: 1 tests, 1 skipped\n";
        check(log, End::Exited(77), Verdict::Skip, (0, 0), Some("a (not supported)"));
        let log = "PASS: b\nSKIP: a\nSUMMARY: 2 tests, 1 skipped\n";
        check(log, End::Exited(1), Verdict::Pass, (1, 0), None);
    }

    #[test]
    fn a_name_that_the_suite_does_not_know_is_missing() {
        let log = "FAIL: command line didn't match any tests!\n\
                   SUMMARY: 1 tests, 1 unexpected failures\n";
        assert_eq!(reading(log, End::Exited(3)).verdict, Verdict::Missing);
    }

    #[test]
    fn the_suites_own_unexpected_pass_is_a_failure_and_its_known_failure_is_none() {
        let log = "XPASS: a\nSUMMARY: 1 tests, 1 unexpected failures\n";
        check(log, End::Exited(3), Verdict::Fail, (0, 1), Some("a"));
        let log = "PASS: b\nKFAIL: a\nXFAIL: c\n\
                   SUMMARY: 3 tests, 1 known failures, 1 expected failures\n";
        check(log, End::Exited(1), Verdict::Pass, (1, 0), None);
    }

    #[test]
    fn without_a_summary_it_is_a_crash_that_names_its_cause() {
        let log = "SVM test: a\nPASS: x\nUnhandled exception 3 #BP at ip 42\n";
        let got = reading(log, End::Exited(13));
        assert_eq!((got.verdict, got.passed), (Verdict::Crash, 1));
        assert_eq!(got.first_failure.as_deref(), Some("Unhandled exception 3 #BP at ip 42"));
        assert_eq!(got.failing, ["a"]);
        let triple = "the guest shut down or triple-faulted in a";
        check("SVM test: a\n", End::Exited(0), Verdict::Crash, (0, 0), Some(triple));
        let killed = "QEMU killed by SIGSEGV in a";
        check("SVM test: a\n", End::Signalled(11), Verdict::Crash, (0, 0), Some(killed));
    }

    #[test]
    fn what_was_done_from_outside_does_not_count_against_the_binary() {
        assert!(reading("", End::Signalled(9)).fleeting);
        assert!(!reading("", End::Signalled(11)).fleeting);
        let refused = "qemu: warning: x\nqemu: pc-testdev: no such device\n";
        let got = judge(&Transcript::default(), End::Exited(1), refused);
        assert!(got.fleeting);
        let why = "QEMU ended with status 1: qemu: pc-testdev: no such device";
        assert_eq!(got.first_failure.as_deref(), Some(why));
    }

    #[test]
    fn a_timeout_after_a_failure_is_a_timeout_and_keeps_the_counts() {
        let log = "SVM test: a\nPASS: x\nFAIL: y\nSVM test: b\n";
        check(log, End::TimedOut, Verdict::Timeout, (1, 1), Some("time was up in b"));
        assert_eq!(reading(log, End::TimedOut).failing, ["a", "b"]);
    }

    #[test]
    fn a_failure_that_no_line_names_is_still_a_failure() {
        let log = "PASS: a\nSUMMARY: 2 tests, 1 unexpected failures\n";
        let why = "the summary counts a failure that no line names";
        check(log, End::Exited(3), Verdict::Fail, (1, 0), Some(why));
    }
}
