//! The ways in which QEMU runs a guest.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// A thread for each processor.
    Mttcg,
    /// One thread for all.
    Single,
    /// A translation block for each instruction.
    OneInsn,
    /// Time by the number of instructions.
    Icount,
    /// The same, recorded, and then replayed.
    Replay,
}

impl Mode {
    /// All, in the order in which reports list them.
    pub const ALL: [Mode; 5] =
        [Mode::Mttcg, Mode::Single, Mode::OneInsn, Mode::Icount, Mode::Replay];

    /// Its name on command lines and in results.
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Mttcg => "mttcg",
            Mode::Single => "single",
            Mode::OneInsn => "one-insn",
            Mode::Icount => "icount",
            Mode::Replay => "replay",
        }
    }

    /// QEMU's arguments, without those that name a recording.
    pub(super) const fn arguments(self) -> &'static [&'static str] {
        match self {
            Mode::Mttcg => &["-accel", "tcg,thread=multi"],
            Mode::Single => &["-accel", "tcg,thread=single"],
            Mode::OneInsn => &["-accel", "tcg,one-insn-per-tb=on"],
            Mode::Icount => &["-accel", "tcg", "-icount", "shift=2,sleep=off"],
            Mode::Replay => &["-accel", "tcg"],
        }
    }

    /// Whether it knows more than one processor: a recording does not.
    pub(super) const fn allows(self, processors: u32) -> bool {
        processors == 1 || !matches!(self, Mode::Replay)
    }

    /// Time without a new attempt after which the monitor steps in: L1 has been lost, which
    /// attempts may bring about. One too early costs an attempt.
    pub(super) const fn stuck(self) -> Duration {
        Duration::from_millis(match self {
            Mode::Mttcg | Mode::Single => 400,
            Mode::OneInsn | Mode::Icount => 2_000,
            Mode::Replay => 10_000,
        })
    }

    /// Attempts of one boot: some modes are slower.
    pub(super) const fn attempts(self) -> u64 {
        match self {
            Mode::Mttcg | Mode::Single => 20_000,
            Mode::OneInsn | Mode::Icount => 5_000,
            Mode::Replay => 1_000,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Mode::ALL.into_iter().find(|mode| mode.name() == name);
        found.ok_or_else(|| {
            format!("there is no mode {name:?}; there are {}", Mode::ALL.map(Mode::name).join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mode_is_found_by_its_name_and_no_other_is() {
        for mode in Mode::ALL {
            assert_eq!(mode.name().parse(), Ok(mode));
        }
        assert!("tcg".parse::<Mode>().unwrap_err().contains("one-insn"));
    }
}
