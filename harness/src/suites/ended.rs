//! What is said of a case that has no outcome: one policy for every suite.

use crate::Verdict;
use crate::exec::{End, Ran};
use crate::suites::Observation;

/// The observation of the test `id` where its case came to no outcome; none
/// where it has one, which is for the suite to judge.
pub(super) fn without_outcome(id: &str, ran: &Ran) -> Option<Observation> {
    let verdict = match ran {
        Ran::Outcome(_) | Ran::Open(_) => return None,
        Ran::Skipped(_) => Verdict::Skip,
        Ran::Broken(End::TimedOut(_), _) => Verdict::Timeout,
        Ran::Broken(End::Shutdown | End::Crashed(_) | End::Killed(_), _) => Verdict::Crash,
    };
    let fleeting = matches!(ran, Ran::Broken(end, _) if end.is_fleeting());
    Some(Observation { fleeting, ..Observation::bare(id, verdict, ran.why().unwrap_or_default()) })
}

#[cfg(test)]
mod tests {
    use svm_model::cpu::{CpuFeature, CpuSet};
    use svm_model::outcome::Outcome;

    use super::*;
    use crate::exec::{Crash, Stuck};

    #[test]
    fn each_end_has_its_verdict_and_only_a_kill_is_measured_again() {
        let broken = |end| Ran::Broken(end, Outcome::default());
        let all = [
            (broken(End::Shutdown), "crash", false, "shut down"),
            (broken(End::Crashed(Crash::Qemu("x".into()))), "crash", false, "QEMU ended with x"),
            (broken(End::TimedOut(Stuck::Halted)), "timeout", false, "halted"),
            (broken(End::Killed(9)), "crash", true, "signal 9 from outside"),
            (Ran::Skipped(CpuSet::of(&[CpuFeature::Npt])), "skip", false, "the CPU lacks npt"),
        ];
        for (ran, verdict, fleeting, why) in all {
            let seen = without_outcome("t", &ran).unwrap();
            assert_eq!((seen.verdict.to_string().as_str(), seen.fleeting), (verdict, fleeting));
            assert!(seen.first_failure.unwrap().contains(why), "{why}");
        }
        assert_eq!(without_outcome("t", &Ran::Outcome(Outcome::default())), None);
        assert_eq!(without_outcome("t", &Ran::Open(Outcome::default())), None);
    }
}
