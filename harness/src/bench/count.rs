//! Counting a process's instructions, which a busy machine does not change.

use std::path::PathBuf;

use crate::host::setup::{self, Need};
use crate::{Env, Error, Kind, Result};

/// A valgrind that counts.
#[derive(Clone, Debug)]
pub struct Counter {
    valgrind: PathBuf,
}

impl Counter {
    /// Finds it, or has it installed.
    ///
    /// # Errors
    /// Setup, when it is not there and may not be installed.
    pub fn find(env: &Env) -> Result<Self> {
        setup::require(env, &[Need::Count])?;
        let valgrind = setup::find_tool("valgrind")
            .ok_or_else(|| Error::new(Kind::Setup, "valgrind is not there"))?;
        Ok(Counter { valgrind })
    }

    /// What comes before the program on the command line. QEMU changes code that
    /// it has made while that runs, and the file with the profile is not wanted.
    pub fn wrap(&self) -> [&str; 4] {
        let program = self.valgrind.to_str().unwrap_or("valgrind");
        [program, "--tool=callgrind", "--smc-check=all-non-file", "--callgrind-out-file=/dev/null"]
    }

    /// The count in what it printed at the end.
    ///
    /// # Errors
    /// Harness, when there is none.
    pub fn read(stderr: &str) -> Result<u64> {
        let count = stderr.lines().rev().find_map(|line| {
            let (_, count) = line.strip_prefix("==")?.split_once("Collected :")?;
            count.trim().parse().ok()
        });
        count.ok_or_else(|| {
            let last = stderr.lines().last().unwrap_or("nothing was printed");
            Error::new(Kind::Harness, format!("callgrind counted no instructions: {last}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_callgrinds_last_word() {
        let text = "==7== Callgrind, a call-graph\n==7== Events    : Ir\n==7== Collected : 123456789\n==7== \n";
        assert_eq!(Counter::read(text).unwrap(), 123_456_789);
        for text in ["", "==7== Collected : many\n", "valgrind: failed to start\n"] {
            assert_eq!(Counter::read(text).unwrap_err().kind(), Kind::Harness, "{text}");
        }
    }
}
