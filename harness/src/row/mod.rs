//! A row of QEMUs, each a base with some patches, and how tests end on them.
//!
//! `series verify`, `bisect` and `review` walk along such a row; what they make
//! of it is theirs, and knows nothing of compilers.

mod ask;
mod companion;
mod flips;
mod lab;
pub mod mails;
pub mod range;
mod touched;

#[cfg(test)]
pub(crate) mod fake;

use std::collections::BTreeSet;
use std::path::Path;

use crate::qemu::build::counted::Lines;
use crate::qemu::build::{Flavour, Spec};
use crate::qemu::source::pins::Pins;
use crate::qemu::source::{self, Request};
use crate::qemu::{Qemu, Side};
use crate::record::results::{ResultSet, Row};
use crate::suites::TestId;
use crate::suites::select::Selection;
use crate::{Env, Error, Kind, Result, Verdict};

pub use flips::{Measured, changed, flips, only, unsteady};
pub use lab::Lab;
pub use touched::touched;

/// One QEMU of a row.
#[derive(Clone, Debug)]
pub struct Point {
    /// What it is called: `stock 10.2.2`, `0003-….patch`, a commit.
    pub name: String,
    /// What is built.
    pub spec: Spec,
}

/// What became of a point.
#[derive(Clone, Debug)]
pub enum Step {
    /// A QEMU.
    Built(Box<Qemu>),
    /// It does not apply, configure or compile; the compiler's first words.
    Broken(String),
}

/// A case that came out otherwise than the model says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The case.
    pub case: String,
    /// The rule that it breaks.
    pub rule: String,
}

/// Builds points and measures them.
pub trait Bench {
    /// Builds a point, or finds it built.
    ///
    /// # Errors
    /// Anything but a source that does not build.
    fn build(&mut self, point: &Point) -> Result<Step>;

    /// What a sandbox refused while the last point was built, in words; nothing
    /// where there is none.
    fn refused(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// The names of the CPU features that `-cpu max` offers under TCG, as QEMU's
    /// `-cpu` takes them.
    ///
    /// # Errors
    /// When the binary cannot be asked.
    fn features(&mut self, qemu: &Qemu) -> Result<BTreeSet<String>>;

    /// How a test that a series itself brings ends on each of `qemus`; none
    /// when it is of a kind that cannot be run here. `tip` has the test.
    ///
    /// # Errors
    /// When it does not build, as Build.
    fn companion(
        &mut self,
        tip: &Point,
        test: &str,
        qemus: &[&Qemu],
    ) -> Result<Option<Vec<Verdict>>>;

    /// The verdicts of the selected tests, one set a suite. What has a verdict
    /// is not measured again unless there are fewer attempts than `repeat`.
    ///
    /// # Errors
    /// As [`crate::test_svm::run`].
    fn measure(&mut self, qemu: &Qemu, what: &Selection, repeat: u32) -> Result<Vec<ResultSet>>;

    /// The model's generated cases, or `only` those, held against the model on
    /// `qemu`: those that differ. None where they cannot be run.
    ///
    /// # Errors
    /// As [`crate::rule_check::judge::judge`].
    fn rules(&mut self, _qemu: &Qemu, _only: Option<&[String]>) -> Result<Option<Vec<Breach>>> {
        Ok(None)
    }

    /// The lines below `folder` that run at `point` when the selected tests run;
    /// none where lines cannot be counted.
    ///
    /// # Errors
    /// As [`Bench::build`] and [`Bench::measure`].
    fn lines(&mut self, _point: &Point, _what: &Selection, _folder: &str) -> Result<Option<Lines>> {
        Ok(None)
    }
}

/// The points of a series: its base, and the base with the first, the first
/// two, … patches.
pub fn along(whole: &Spec, base: &str) -> Vec<Point> {
    let first = Point { name: base.into(), spec: Spec { patches: Vec::new(), ..whole.clone() } };
    let with = |n: usize| {
        let patches = whole.patches[..n].to_vec();
        let name = whole.patches[n - 1].file_name().unwrap_or_default();
        Point { name: name.to_string_lossy().into_owned(), spec: Spec { patches, ..whole.clone() } }
    };
    std::iter::once(first).chain((1..=whole.patches.len()).map(with)).collect()
}

/// The points of a series on the source that is wanted: that of this repository,
/// or the folder that is named.
///
/// # Errors
/// As [`source::obtain`] and [`Spec::of_side`].
pub fn of_series(env: &Env, wanted: &Request, series: Option<&Path>) -> Result<Vec<Point>> {
    Spec::check(env, Side::Patched, wanted, series)?;
    let source = source::obtain(env, wanted)?;
    let base = format!("stock {}", source.version);
    let whole = Spec::of_side(env, Side::Patched, source, series, Flavour::Release)?;
    Ok(along(&whole, &base))
}

/// Released versions as points, in that order.
///
/// # Errors
/// Usage, for one that is not pinned, before any is fetched; as
/// [`source::obtain`].
pub fn versions(env: &Env, names: &[String]) -> Result<Vec<Point>> {
    // A slip in the list should not cost a download.
    let pins = Pins::builtin()?;
    for name in names {
        if name.trim().is_empty() {
            return Err(Error::new(Kind::Usage, "--versions has an empty entry"));
        }
        pins.base(Some(name.trim()))?;
    }
    let mut apart: Vec<&str> = names.iter().map(|name| name.trim()).collect();
    apart.sort_unstable();
    apart.dedup();
    if apart.len() < 2 || apart.len() < names.len() {
        return Err(Error::new(Kind::Usage, "--versions wants two of them at least, each once"));
    }
    names.iter().map(|name| version(env, name.trim())).collect()
}

fn version(env: &Env, version: &str) -> Result<Point> {
    let source = source::obtain(env, &Request { base: Some(version.into()), dir: None })?;
    let spec = Spec::of_side(env, Side::Stock, source, None, Flavour::Release)?;
    Ok(Point { name: format!("stock {version}"), spec })
}

/// Every row of some sets with its identity.
pub fn rows(sets: &[ResultSet]) -> impl Iterator<Item = (TestId, &Row)> {
    sets.iter().flat_map(|set| set.tests.iter().map(move |row| (set.id(row), row)))
}
