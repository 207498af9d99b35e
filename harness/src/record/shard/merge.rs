//! Shares of one run, put together. Pure.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Share;
use crate::record::Part;
use crate::{Error, Kind, Result};

/// A whole run.
#[derive(Clone, Debug)]
pub struct Merged {
    /// One share, for what all have in common.
    pub common: Share,
    /// Every suite on every build.
    pub parts: Vec<Part>,
    /// The shards that left nothing.
    pub lost: Vec<u32>,
    /// Attempts that were measured.
    pub ran: usize,
    /// Seconds of the slowest shard.
    pub took: f64,
}

/// Merges shares, each with the file that it comes from.
///
/// # Errors
/// Usage, when there is none, when they are not of one run, or when one shard
/// is there twice.
pub fn merge(shares: Vec<(PathBuf, Share)>) -> Result<Merged> {
    let Some((first, common)) = shares.first() else {
        return Err(Error::new(Kind::Usage, "there is no shard to merge"));
    };
    let mut by_number: BTreeMap<u32, &PathBuf> = BTreeMap::new();
    for (path, share) in &shares {
        if let Some(reason) = difference(common, share) {
            let (a, b) = (first.display(), path.display());
            let what = format!("{a} and {b} are not shards of one run: they differ in {reason}");
            return Err(Error::new(Kind::Usage, what).hint(
                "all shards take the same commit, the same binaries, the same suites and flags",
            ));
        }
        let number = share.shard.number;
        if let Some(other) = by_number.insert(number, path) {
            let (a, b) = (other.display(), path.display());
            let what = format!("shard {number} is there twice: {a} and {b}");
            return Err(Error::new(Kind::Usage, what));
        }
    }
    let of = common.shard.of;
    let lost = (1..=of).filter(|number| !by_number.contains_key(number)).collect();
    let parts = (0..common.outline.len()).map(|at| part(&shares, at)).collect();
    Ok(Merged {
        parts,
        lost,
        ran: shares.iter().map(|(_, s)| s.ran).sum(),
        took: shares.iter().map(|(_, s)| s.took).fold(0.0, f64::max),
        common: common.clone(),
    })
}

/// In what two shares differ that must be the same.
fn difference(a: &Share, b: &Share) -> Option<&'static str> {
    let builds = |s: &Share| s.outline.iter().map(|o| o.build.clone()).collect::<Vec<_>>();
    let suites = |s: &Share| s.outline.iter().map(|o| o.suite.clone()).collect::<Vec<_>>();
    if a.shard.of != b.shard.of {
        Some("the number of shards")
    } else if builds(a) != builds(b) {
        Some("the QEMU that was measured")
    } else if suites(a) != suites(b) || a.absent != b.absent {
        Some("the suites")
    } else if a.outline != b.outline || a.cut != b.cut || a.selection != b.selection {
        Some("the tests, or in which shard they are")
    } else {
        None
    }
}

/// One suite on one build: the outline, and over it what was measured.
fn part(shares: &[(PathBuf, Share)], at: usize) -> Part {
    let mut set = shares[0].1.outline[at].clone();
    let (mut seconds, mut excerpts) = (BTreeMap::new(), BTreeMap::new());
    for (_, share) in shares {
        let Some(results) = share.results.get(at) else { continue };
        for row in &results.tests {
            let key = |r: &crate::record::results::Row| (r.config.clone(), r.test.clone());
            if let Ok(n) = set.tests.binary_search_by(|r| key(r).cmp(&key(row))) {
                set.tests[n] = row.clone();
            }
        }
        seconds.extend(results.seconds.iter().cloned());
        excerpts.extend(results.excerpts.iter().cloned());
    }
    Part { set, seconds, logs: BTreeMap::new(), excerpts }
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
