//! What a run printed, as verdicts.

use std::sync::LazyLock;

use regex::Regex;

use crate::Verdict;
use crate::host::child::End;
use crate::suites::Observation;

/// make on a program that a signal has ended: the shell adds 128 to its number.
static KILLED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"Error (1[2-9]\d|2\d\d)\b").expect("constant"));

/// Every pending test: by what the guest printed of it, or by how the run ended.
pub(super) fn judge(pending: &[&str], printed: &str, end: End, said: &str) -> Vec<Observation> {
    let seen = seen(printed);
    let unseen = |test: &str| match end {
        End::TimedOut => Observation::bare(test, Verdict::Timeout, "its time was up"),
        _ => Observation::bare(test, Verdict::Crash, why(said)),
    };
    let one = |test: &&str| {
        seen.iter().find(|o| o.test == **test).cloned().unwrap_or_else(|| unseen(test))
    };
    pending.iter().map(one).collect()
}

/// `PASS: TEST`, or `FAIL: TEST` behind a line for each check that did not hold.
fn seen(printed: &str) -> Vec<Observation> {
    let mut seen = Vec::new();
    let mut said: Vec<&str> = Vec::new();
    for line in printed.lines() {
        let (verdict, test) = match line.split_once(": ") {
            Some(("PASS", test)) => (Verdict::Pass, test),
            Some(("FAIL", test)) => (Verdict::Fail, test),
            _ => {
                said.push(line);
                continue;
            }
        };
        let mut observation = Observation::bare(test, verdict, "");
        observation.first_failure = said.first().map(|line| (*line).to_owned());
        if verdict == Verdict::Pass {
            observation.passed = 1;
            observation.first_failure = None;
        } else {
            observation.failed = said.len().max(1) as u32;
        }
        said.clear();
        seen.push(observation);
    }
    seen
}

/// What ended a run before all its tests had been made.
fn why(said: &str) -> String {
    let telling =
        |l: &&str| l.starts_with("ERROR") || l.contains("fatal:") || l.contains("ssertion");
    match (said.lines().find(telling), KILLED.is_match(said)) {
        (Some(line), _) => line.to_owned(),
        (None, true) => "QEMU was ended by a signal".into(),
        (None, false) => "the run ended before this test".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "PASS: a\nline 3: not so: x\nline 4: y is 0x1, not 0x2\nFAIL: b, c\n";

    #[test]
    fn what_the_guest_says_of_a_test_is_its_verdict() {
        let found = judge(&["b, c", "a"], PRINTED, End::Exited(2), "");
        assert_eq!((found[0].verdict, found[0].failed), (Verdict::Fail, 2));
        assert_eq!(found[0].first_failure.as_deref(), Some("line 3: not so: x"));
        assert_eq!((found[1].verdict, found[1].passed), (Verdict::Pass, 1));
        assert_eq!(found[1].first_failure, None);
    }

    #[test]
    fn a_test_that_was_not_reached_has_what_ended_the_run() {
        let verdict = |end, said: &str| {
            let found = judge(&["d"], PRINTED, end, said).remove(0);
            (found.verdict, found.first_failure.unwrap())
        };
        let aborted = "**\nERROR:cpus.c:274:cpu_interrupt: assertion failed\nmake: *** Error 134\n";
        assert_eq!(verdict(End::Exited(2), aborted).0, Verdict::Crash);
        assert!(verdict(End::Exited(2), aborted).1.starts_with("ERROR:cpus.c:274"));
        let killed = "make: *** [Makefile:1: run-x] Error 139\n";
        assert_eq!(verdict(End::Exited(2), killed).1, "QEMU was ended by a signal");
        assert_eq!(verdict(End::TimedOut, "").0, Verdict::Timeout);
        assert_eq!(verdict(End::Exited(2), "make: *** Error 3").0, Verdict::Crash);
    }
}
