//! What was seen, for a program: JSON, a line an interval, and a last one for all.

use std::collections::BTreeMap;

use serde::Serialize;
use svm_model::vmcb::exit;

use super::check::Found;
use super::count::{Counts, Refusal};
use super::follow::Look;
use crate::explain::exits;

/// The exits of a code.
#[derive(Debug, Serialize)]
struct Exits {
    count: u64,
    /// Microseconds in L2 before it, on average since the beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    l2_micros: Option<f64>,
    /// Microseconds in L1 after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    l1_micros: Option<f64>,
}

/// An interval, or all.
#[derive(Debug, Serialize)]
struct Record<'a> {
    /// `interval` or `summary`.
    kind: &'static str,
    /// Seconds since the beginning.
    seconds: f64,
    /// Seconds that it is about.
    interval: f64,
    vmruns: u64,
    refused: u64,
    injected: u64,
    exits: BTreeMap<String, Exits>,
    flushes: BTreeMap<&'a str, u64>,
    unreadable: u64,
    /// With the check: VMRUNs that were looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    checked: Option<u64>,
    /// The last refusals, in the summary.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refusals: Vec<&'a Refusal>,
    /// What is not as the manual says, since the beginning.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    differences: &'a [Found],
}

/// An interval.
pub fn interval(look: &Look<'_>) -> String {
    line(&record(look, "interval"))
}

/// All of it.
pub fn summary(look: &Look<'_>) -> String {
    line(&Record { refusals: look.counter.refusals.iter().collect(), ..record(look, "summary") })
}

fn line(record: &Record<'_>) -> String {
    // There is nothing in it that JSON cannot say.
    serde_json::to_string(record).unwrap_or_default() + "\n"
}

fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn record<'a>(look: &Look<'a>, kind: &'static str) -> Record<'a> {
    let (now, before): (&Counts, &Counts) = (&look.counter.counts, look.before);
    let mut exits = BTreeMap::new();
    for (code, one) in &now.exits {
        let count = one.count - before.exits.get(code).map_or(0, |exits| exits.count);
        let (l2_micros, l1_micros) = (one.l2.mean().map(tenth), one.l1.mean().map(tenth));
        if count > 0 {
            let name = if *code == exit::INVALID { "INVALID".into() } else { exits::name(*code) };
            exits.insert(name, Exits { count, l2_micros, l1_micros });
        }
    }
    let flushes = now.flushes.iter().map(|(cause, count)| {
        (cause.as_str(), count - before.flushes.get(cause).copied().unwrap_or(0))
    });
    Record {
        kind,
        seconds: tenth(look.seconds),
        interval: tenth(look.interval),
        vmruns: now.vmruns - before.vmruns,
        refused: now.refused() - before.refused(),
        injected: now.injected - before.injected,
        exits,
        flushes: flushes.filter(|(_, count)| *count > 0).collect(),
        unreadable: now.unreadable - before.unreadable,
        checked: look.checker.map(|checker| checker.checked),
        refusals: Vec::new(),
        differences: look.checker.map_or(&[], |checker| &checker.found),
    }
}
