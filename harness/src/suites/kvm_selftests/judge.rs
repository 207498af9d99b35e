//! What a selftest's exit status and words come to.

use super::console::{Block, How, Last};
use crate::Verdict;
use crate::host::child::End;
use crate::suites::Observation;

/// The exit status by which a selftest says that it does not apply.
const SKIP: i32 = 4;

/// What a test came to that ended.
pub(super) fn ended(block: &Block, how: How) -> Observation {
    let test = block.test.as_str();
    let (verdict, why) = match how {
        How::Exited(0) => match kernel_fault(&block.lines) {
            None => (Verdict::Pass, None),
            Some(line) => (Verdict::Fail, Some(format!("it passes, and the kernel says: {line}"))),
        },
        How::Exited(SKIP) => (Verdict::Skip, Some(skipped(&block.lines))),
        How::Exited(code) => (Verdict::Fail, Some(failure(&block.lines, code))),
        How::Signalled(n) => (Verdict::Crash, Some(format!("the test ended by signal {n}"))),
    };
    let (passed, failed) = totals(&block.lines).unwrap_or_else(|| {
        (u32::from(verdict == Verdict::Pass), u32::from(verdict == Verdict::Fail))
    });
    let bare = Observation::bare(test, verdict, "");
    Observation { passed, failed, first_failure: why, ..bare }
}

/// What a test came to in which the machine ended, or none of which was begun.
pub(super) fn cut_off(test: &str, last: &Last, end: End) -> Observation {
    let line = last.line();
    let (verdict, why) = match (end, &last.gave_up) {
        (_, Some(why)) => (Verdict::Fail, format!("L1 says: {why}")),
        (End::TimedOut, None) => (Verdict::Timeout, format!("the last line: {line}")),
        (End::Flooded, None) => (Verdict::Crash, format!("it printed without end: {line}")),
        (End::Signalled(n), None) => (Verdict::Crash, format!("QEMU ended by signal {n}: {line}")),
        (End::Exited(_), None) => (Verdict::Crash, format!("L1 ended; the last line: {line}")),
    };
    // A kill from outside says nothing about QEMU.
    let fleeting = matches!(end, End::Signalled(9 | 15));
    Observation { fleeting, ..Observation::bare(test, verdict, why) }
}

/// What says that the kernel found a fault: any, or one that KVM warns of. Others warn of
/// timers that a busy host makes late.
const FAULTS: [&str; 4] = ["BUG:", "Oops", "WARNING: arch/x86/kvm/", "WARNING: virt/kvm/"];

/// The kernel found a fault of its own while the test ran.
fn kernel_fault(lines: &[String]) -> Option<&str> {
    let fault = |line: &&String| {
        let kernel = line.starts_with("kernel: ") || line.starts_with('[');
        kernel && FAULTS.iter().any(|word| line.contains(word))
    };
    lines.iter().find(fault).map(|line| line.trim())
}

/// Why it does not apply: behind `SKIP`, or its last word.
fn skipped(lines: &[String]) -> String {
    let said = lines.iter().find_map(|line| line.split_once("# SKIP"));
    let said = said.map(|(_, why)| why.trim_start_matches([' ', '-', ':']));
    let last = || lines.iter().rev().map(String::as_str).find(|line| !line.trim().is_empty());
    said.or_else(last).unwrap_or("it does not say why").trim().to_owned()
}

/// The assertion that does not hold: where it is, what it asserts, and what it says.
/// The lines behind a failure are `FILE:LINE: CONDITION`, `pid=…`, a backtrace, and the
/// message.
fn failure(lines: &[String], code: i32) -> String {
    let Some(at) = lines.iter().position(|l| l.contains("Test Assertion Failure")) else {
        let not = lines.iter().find(|line| line.trim_start().starts_with("not ok "));
        let last = lines.iter().rev().find(|line| !line.trim().is_empty());
        let said = not.or(last).map_or("", |line| line.trim());
        return format!("exit status {code}: {said}");
    };
    let behind: Vec<&str> = lines[at + 1..].iter().map(|line| line.trim()).collect();
    let what = behind.first().copied().unwrap_or_default();
    let detail = |line: &&&str| {
        let frame = line.split_once(['\t', ' ']).is_some_and(|(n, _)| n.parse::<u32>().is_ok());
        !frame && !line.starts_with("pid=") && !line.starts_with("(stack trace")
    };
    match behind.iter().skip(1).find(detail).filter(|line| !line.is_empty()) {
        Some(message) => format!("{what}; {message}"),
        None => what.to_owned(),
    }
}

/// What a test counts that is many: `# Totals: pass:3 fail:1 …`.
fn totals(lines: &[String]) -> Option<(u32, u32)> {
    let line = lines.iter().rev().find_map(|line| line.strip_prefix("# Totals: "))?;
    let count = |name: &str| {
        let word = line.split(' ').find_map(|word| word.strip_prefix(name));
        word.and_then(|number| number.parse::<u32>().ok())
    };
    Some((count("pass:")?, count("fail:")? + count("error:").unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str, how: How) -> Observation {
        let lines = text.lines().map(str::to_owned).collect();
        ended(&Block { test: "t".into(), lines }, how)
    }

    fn last(text: &str) -> Last {
        let between = text.lines().map(str::to_owned).collect();
        Last { running: None, between, gave_up: None }
    }

    #[test]
    fn each_exit_status_has_its_verdict() {
        let pass = one("Random seed: 1", How::Exited(0));
        assert_eq!((pass.verdict, pass.passed, pass.first_failure), (Verdict::Pass, 1, None));
        let skip = one("x\n1..0 # SKIP - Requirement not met: vmx\n", How::Exited(4));
        assert_eq!(skip.verdict, Verdict::Skip);
        assert_eq!(skip.first_failure.unwrap(), "Requirement not met: vmx");
        let skip = one("no huge pages, skipping\n\n", How::Exited(4));
        assert_eq!(skip.first_failure.unwrap(), "no huge pages, skipping");
        assert_eq!(one("", How::Signalled(11)).verdict, Verdict::Crash);
    }

    #[test]
    fn a_failure_names_the_assertion_and_its_message() {
        let text = "==== Test Assertion Failure ====\n  x86/a.c:105: val == want\n  pid=230 \
                    tid=230 errno=4 - Interrupted\n     1\t0x0000000000401f2e: ?? ??:0\n  \
                    Wanted 1, got 2\n";
        let fail = one(text, How::Exited(254));
        assert_eq!((fail.verdict, fail.failed), (Verdict::Fail, 1));
        assert_eq!(fail.first_failure.unwrap(), "x86/a.c:105: val == want; Wanted 1, got 2");
        let bare = one("not ok 2 b\nend", How::Exited(1)).first_failure.unwrap();
        assert_eq!(bare, "exit status 1: not ok 2 b");
    }

    #[test]
    fn a_test_that_counts_is_counted() {
        let text = "# Totals: pass:3 fail:1 xfail:0 xpass:0 skip:0 error:1";
        let counted = one(text, How::Exited(1));
        assert_eq!((counted.passed, counted.failed), (3, 2));
    }

    #[test]
    fn a_pass_in_which_the_kernel_warns_is_none() {
        let warned = one("kernel: [ 1.0] WARNING: arch/x86/kvm/svm/svm.c:1", How::Exited(0));
        assert_eq!(warned.verdict, Verdict::Fail);
        for other in ["WARNING: this takes long", "kernel: [ 1.0] WARNING: kernel/time/hrtimer.c:1"]
        {
            assert_eq!(one(other, How::Exited(0)).verdict, Verdict::Pass, "{other}");
        }
    }

    #[test]
    fn a_machine_that_ends_under_a_test_is_told_apart_from_one_that_hangs() {
        let hangs = cut_off("t", &last("stuck"), End::TimedOut);
        assert_eq!(hangs.verdict, Verdict::Timeout);
        assert!(hangs.first_failure.unwrap().contains("stuck"));
        let panics = cut_off("t", &last("[ 1] Kernel panic - x\nrest"), End::Exited(0));
        assert_eq!(panics.verdict, Verdict::Crash);
        assert!(panics.first_failure.unwrap().contains("panic"));
        assert!(cut_off("t", &last(""), End::Signalled(9)).fleeting);
        let refused = Last { gave_up: Some("loading kvm-amd: no".into()), ..last("") };
        assert_eq!(cut_off("t", &refused, End::Exited(0)).verdict, Verdict::Fail);
    }
}
