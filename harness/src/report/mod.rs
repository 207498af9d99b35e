//! What a run says, and what is recorded: on the terminal, as JSON, as JUnit, as pages. Pure,
//! but for [`pages::write`].

pub mod book;
mod brief;
pub mod html;
mod json;
mod junit;
mod matrix;
mod overview;
pub mod pages;
mod recorded;
mod text;

#[cfg(test)]
mod snapshots;

use std::path::PathBuf;

pub use brief::brief;
pub use json::json;
pub use junit::junit;
pub use matrix::matrix;
pub use overview::overview;
pub use recorded::{changes, recorded, since};
pub use text::text;

use crate::Kind;
use crate::record::diff::Comparison;
use crate::record::shard::Shard;
use crate::record::{Part, results};
use crate::suites::{Absent, TestId};

/// A run, complete.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Every suite on every build.
    pub parts: Vec<Part>,
    /// Suites that are not there.
    pub absent: Vec<Absent>,
    /// Stock to patched, and recorded to now.
    pub comparisons: Vec<Comparison>,
    /// Builds and suites for which nothing is recorded.
    pub unrecorded: Vec<(String, String)>,
    /// Passes that the known failures deny: build, test, reason.
    pub unexpected: Vec<(String, TestId, String)>,
    /// Attempts measured now; the rest was on record.
    pub ran: usize,
    /// Seconds that the run took.
    pub took: f64,
    /// The shard that was measured, if it is not the whole.
    pub shard: Option<Shard>,
    /// Shards that left nothing, of a run that was put together.
    pub lost: Vec<u32>,
    /// `cargo xtask test-svm` with the flags that chose the binaries; empty
    /// where the results were not measured by this command.
    pub command: String,
}

impl Report {
    /// None when all is as recorded or better. A shard may have nothing to do.
    /// A pass that the known failures deny fails the run: they are wrong then.
    pub fn failure(&self) -> Option<Kind> {
        let nothing = self.parts.iter().all(|p| p.set.tests.is_empty());
        if !self.lost.is_empty() || (nothing && self.shard.is_none()) {
            Some(Kind::NothingRan)
        } else if self.comparisons.iter().any(Comparison::is_worse) || !self.unexpected.is_empty() {
            Some(Kind::Regression)
        } else {
            None
        }
    }

    /// The command that measures one test again on the build of that name.
    pub fn reproduce(&self, build: &str, id: &TestId) -> String {
        if self.command.is_empty() {
            let part = self.parts.iter().find(|p| p.set.build.name == build);
            return part.map_or(String::new(), |p| results::reproduce(&p.set.build, id));
        }
        let quote = |text: &str| crate::host::process::quote(text.as_ref());
        let (unit, test) = (quote(&id.config), quote(&id.test));
        format!("{} --unit {unit} --test {test} --fresh", self.command)
    }

    /// The log of a test on a build.
    pub fn log(&self, build: &str, id: &TestId) -> Option<&PathBuf> {
        let part = self
            .parts
            .iter()
            .find(|p| p.set.build.name == build && p.set.suite.name == id.suite)?;
        part.logs.get(&(id.config.clone(), id.test.clone()))
    }
}
