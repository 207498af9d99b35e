//! What a case can come to, and what is to be made of one that does not end.

use std::fmt;

use svm_model::cpu::CpuSet;
use svm_model::outcome::{Obs, Outcome};

/// What became of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ran {
    /// It came to its end.
    Outcome(Outcome),
    /// The executor cannot tell how it goes on; what was observed before.
    Open(Outcome),
    /// It ended otherwise: how, and what was observed before.
    Broken(End, Outcome),
    /// This CPU lacks what it needs.
    Skipped(CpuSet),
}

/// How a case ended that did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The guest's CPU shut down.
    Shutdown,
    /// Something died.
    Crashed(Crash),
    /// It was stopped, since it went nowhere.
    TimedOut(Stuck),
    /// QEMU was killed from outside by that signal: this says nothing of it.
    Killed(i32),
}

/// What died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The guest, by an exception where it takes none.
    Guest {
        /// Vector.
        vector: u32,
        /// Error code.
        error: u32,
        /// Where.
        rip: u64,
        /// CR2.
        cr2: u64,
    },
    /// QEMU, or the process that runs its C code: its status and its last words.
    Qemu(String),
    /// What harness and guest say to each other: the guest's memory was overwritten.
    Talk(String),
}

/// How a case goes nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stuck {
    /// It goes on and on.
    Runaway,
    /// It has come to rest too early.
    Halted,
}

impl Ran {
    /// A case that ended with that outcome, which may be left open.
    pub fn of(mut outcome: Outcome) -> Ran {
        if outcome.obs.last() == Some(&Obs::Open) {
            outcome.obs.pop();
            return Ran::Open(outcome);
        }
        Ran::Outcome(outcome)
    }

    /// As it is, save that a shutdown where one is expected is an observation.
    pub fn expecting(self, expected: &Outcome) -> Ran {
        match self {
            Ran::Broken(End::Shutdown, mut seen)
                if expected.obs.last() == Some(&Obs::L1Shutdown) =>
            {
                seen.obs.push(Obs::L1Shutdown);
                Ran::Outcome(seen)
            }
            other => other,
        }
    }

    /// All that was observed, with [`Obs::Open`] where that is how it ends.
    pub fn seen(&self) -> Outcome {
        match self {
            Ran::Outcome(seen) | Ran::Broken(_, seen) => seen.clone(),
            Ran::Open(seen) => {
                let obs = seen.obs.iter().cloned().chain([Obs::Open]);
                Outcome { obs: obs.collect() }
            }
            Ran::Skipped(_) => Outcome::default(),
        }
    }

    /// Why there is no outcome, in words; none where there is one.
    pub fn why(&self) -> Option<String> {
        match self {
            Ran::Outcome(_) | Ran::Open(_) => None,
            Ran::Broken(end, _) => Some(end.to_string()),
            Ran::Skipped(lacking) => Some(lacks(*lacking)),
        }
    }
}

impl End {
    /// Where the manual leaves all open, a guest may shut down or never come
    /// back; that QEMU itself dies, nothing allows.
    pub fn may_be_where_all_is_open(&self) -> bool {
        !matches!(self, End::Crashed(Crash::Qemu(_)))
    }

    /// Whether it says nothing of the executor, so that the case is to run again.
    pub fn is_fleeting(&self) -> bool {
        matches!(self, End::Killed(_))
    }
}

/// That a CPU lacks these features.
pub fn lacks(features: CpuSet) -> String {
    let names: Vec<&str> = features.iter().map(|f| f.name()).collect();
    format!("the CPU lacks {}", names.join(", "))
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Shutdown => f.write_str("the guest's CPU shut down"),
            End::Crashed(crash) => crash.fmt(f),
            End::TimedOut(stuck) => stuck.fmt(f),
            End::Killed(signal) => write!(f, "QEMU was killed by signal {signal} from outside"),
        }
    }
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Crash::Guest { vector, error, rip, cr2 } => write!(
                f,
                "the guest itself met exception {vector} (error code {error:#x}, RIP {rip:#x}, CR2 {cr2:#x})"
            ),
            Crash::Qemu(words) => write!(f, "QEMU ended with {words}"),
            Crash::Talk(what) => write!(f, "the case has overwritten the guest: {what}"),
        }
    }
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stuck::Runaway => "it runs and does not come to an end",
            Stuck::Halted => "it has halted, and nothing wakes it",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(obs: &[Obs]) -> Outcome {
        Outcome { obs: obs.to_vec() }
    }

    #[test]
    fn a_shutdown_is_an_observation_only_where_one_is_expected() {
        let ran = Ran::Broken(End::Shutdown, outcome(&[Obs::L1Nmi]));
        let expected = outcome(&[Obs::L1Nmi, Obs::L1Shutdown]);
        assert_eq!(ran.clone().expecting(&expected), Ran::Outcome(expected));
        assert_eq!(ran.clone().expecting(&outcome(&[Obs::L1Nmi])), ran);
        let died = Ran::Broken(End::Crashed(Crash::Qemu("x".into())), Outcome::default());
        assert_eq!(died.clone().expecting(&outcome(&[Obs::L1Shutdown])), died);
    }

    #[test]
    fn what_is_left_open_is_told_from_an_end() {
        let open = outcome(&[Obs::L1Nmi, Obs::Open]);
        assert_eq!(Ran::of(open.clone()), Ran::Open(outcome(&[Obs::L1Nmi])));
        assert_eq!(Ran::of(open.clone()).seen(), open);
        assert_eq!(Ran::of(outcome(&[Obs::L1Nmi])), Ran::Outcome(outcome(&[Obs::L1Nmi])));
    }

    #[test]
    fn only_the_death_of_qemu_is_never_allowed_and_only_a_kill_is_fleeting() {
        let guest = Crash::Guest { vector: 13, error: 0, rip: 1, cr2: 2 };
        let ends = [
            End::Shutdown,
            End::Crashed(guest),
            End::TimedOut(Stuck::Halted),
            End::Killed(9),
            End::Crashed(Crash::Qemu("signal: 6".into())),
        ];
        let allowed = ends.iter().map(End::may_be_where_all_is_open).collect::<Vec<_>>();
        assert_eq!(allowed, [true, true, true, true, false]);
        let fleeting = ends.iter().map(End::is_fleeting).collect::<Vec<_>>();
        assert_eq!(fleeting, [false, false, false, true, false]);
    }
}
