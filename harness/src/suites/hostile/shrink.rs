//! From a finding in thousands of attempts to the smallest one that shows it.

use std::time::Duration;

use super::ended::What;
use super::machine::Machine;
use super::protocol::{CHANGES, CODE_CHANGES};
use super::world::{Keep, Range};
use crate::Result;

/// How long a request may have no answer while we only look whether it is the same again.
const PATIENCE: Duration = Duration::from_secs(15);
/// Attempts before the one that it was seen in, at most, one after the other.
const BEFORE: [u64; 5] = [0, 1, 10, 100, 2000];
/// Tries for one length: a second processor is not the same twice.
const TRIES: usize = 2;
/// Most starts of QEMU while changes are left out.
const STARTS: usize = 120;

/// What a finding came down to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Small {
    /// These attempts alone show it, with the changes that are kept.
    Range(Range),
    /// It was not seen again.
    NotAgain,
}

/// The smallest range that shows `what` again.
///
/// # Errors
/// As [`Machine::run`].
pub(super) fn shrink(machine: &Machine<'_>, what: &What, seen: &Range, at: u64) -> Result<Small> {
    let machine = Machine { patience: PATIENCE, ..*machine };
    let mut shows = |range: &Range| -> Result<bool> {
        for _ in 0..TRIES {
            let again = machine.run(range)?.what;
            if again.is_some_and(|again| again.kind() == what.kind()) {
                return Ok(true);
            }
        }
        Ok(false)
    };
    for before in BEFORE {
        let first = at.saturating_sub(before).max(seen.first);
        let range = Range { first, count: at - first + 1, ..seen.clone() };
        if shows(&range)? {
            return Ok(Small::Range(if range.count == 1 {
                fewest_changes(range, &mut shows)?
            } else {
                shortest(range, &mut shows)?
            }));
        }
    }
    Ok(Small::NotAgain)
}

/// Half of the attempts before the last one, and half of that, as long as it shows.
fn shortest(mut range: Range, shows: &mut dyn FnMut(&Range) -> Result<bool>) -> Result<Range> {
    let mut cut = range.count / 2;
    while cut > 0 {
        let less = Range { first: range.first + cut, count: range.count - cut, ..range.clone() };
        if less.count > 0 && shows(&less)? {
            range = less;
        }
        cut = (cut / 2).min(range.count / 2);
    }
    Ok(range)
}

/// Leaves out ever smaller runs of changes.
fn fewest_changes(range: Range, shows: &mut dyn FnMut(&Range) -> Result<bool>) -> Result<Range> {
    let mut best = Range { keep: Some(range.keep.unwrap_or([u64::MAX; 16])), ..range };
    let mut starts = 0;
    // Those to memory and registers come first, then L2's instructions.
    for (from, to) in [(0, CODE_CHANGES), (CODE_CHANGES, CHANGES)] {
        let mut size = to - from;
        while size > 0 && starts < STARTS {
            let mut at = from;
            while at < to && starts < STARTS {
                let without = cleared(&best, at, (at + size).min(to));
                if without != best {
                    starts += 1;
                    if shows(&without)? {
                        best = without;
                    }
                }
                at += size;
            }
            size /= 2;
            // Nobody makes so many changes that single ones past the first hundred matter.
            if size < 8 && from == 0 {
                let last = last_kept(&best, to);
                if last.is_none_or(|last| last < from) {
                    break;
                }
            }
        }
    }
    Ok(best)
}

fn cleared(range: &Range, from: u64, to: u64) -> Range {
    let mut keep: Keep = range.keep.unwrap_or([u64::MAX; 16]);
    for n in from..to {
        keep[(n / 64) as usize] &= !(1 << (n % 64));
    }
    Range { keep: Some(keep), ..range.clone() }
}

fn last_kept(range: &Range, below: u64) -> Option<u64> {
    let keep = range.keep?;
    (0..below).rev().find(|n| keep[(n / 64) as usize] >> (n % 64) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: u64, count: u64) -> Range {
        Range { seed: 1, first, count, kinds: 0, keep: None }
    }

    #[test]
    fn the_attempts_before_that_matter_stay() {
        let mut shows = |r: &Range| Ok(r.first <= 37);
        let small = shortest(range(0, 101), &mut shows).unwrap();
        assert!(small.first <= 37 && small.first > 20, "{small:?}");
        assert_eq!(small.first + small.count, 101);
    }

    #[test]
    fn the_changes_that_matter_stay() {
        let kept = |r: &Range, n: u64| r.keep.unwrap()[(n / 64) as usize] >> (n % 64) & 1 == 1;
        let mut shows = |r: &Range| Ok(kept(r, 5) && kept(r, 800));
        let small = fewest_changes(range(3, 1), &mut shows).unwrap();
        assert!(kept(&small, 5) && kept(&small, 800));
        let left: u32 = small.keep.unwrap().iter().map(|w| w.count_ones()).sum();
        assert!(left <= 8, "{left}");
    }
}
