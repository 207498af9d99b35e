//! `results/bench.json`: what was measured, on what, where.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::machine::Machine;
use super::stats;
use super::{Reading, Unit};
use crate::host::cache;
use crate::host::error::Context;
use crate::qemu::{BuildIdentity, Side};
use crate::{Error, Kind, Result};

/// The version of the file's form. A reader refuses any other.
pub const SCHEMA: u32 = 1;
/// The file's name in `results/`.
const NAME: &str = "bench.json";
/// Digits of every recorded figure.
const DIGITS: i32 = 4;
/// Digits of counted instructions, of which one in a hundred decides.
const COUNT_DIGITS: i32 = 6;

/// The figures of one round, on stock and on patched.
pub type Pair = (Option<f64>, Option<f64>);

/// Everything that one run measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Where.
    pub machine: Machine,
    /// On what, stock first.
    pub builds: Vec<BuildIdentity>,
    /// What, sorted by name.
    pub measures: Vec<Measure>,
}

/// One figure on both sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// `GROUP/NAME`.
    pub name: String,
    /// What the figures are in.
    pub unit: Unit,
    /// The median over all rounds on stock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stock: Option<f64>,
    /// The same on patched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patched: Option<f64>,
    /// The median of the rounds' ratios, stock divided by patched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
    /// The smallest and the largest ratio of a round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<(f64, f64)>,
    /// The figure of each round, stock and patched, in the order of measuring.
    pub rounds: Vec<Pair>,
}

impl Measure {
    /// From the figures of each round.
    pub fn new(name: &str, unit: Unit, rounds: Vec<Pair>) -> Self {
        let digits = if unit == Unit::Instructions { COUNT_DIGITS } else { DIGITS };
        let cut = |value: f64| stats::significant(value, digits);
        let stock: Vec<f64> = rounds.iter().filter_map(|r| r.0).collect();
        let patched: Vec<f64> = rounds.iter().filter_map(|r| r.1).collect();
        let both: Vec<(f64, f64)> = rounds.iter().filter_map(|&(s, p)| Some((s?, p?))).collect();
        let (first, second): (Vec<f64>, Vec<f64>) = both.into_iter().unzip();
        let ratios = stats::paired_ratios(&first, &second);
        let median = |values: &[f64]| (!values.is_empty()).then(|| cut(stats::median(values)));
        Measure {
            name: name.to_owned(),
            unit,
            stock: median(&stock),
            patched: median(&patched),
            ratio: median(&ratios),
            spread: stats::range(&ratios).map(|(low, high)| (cut(low), cut(high))),
            rounds: rounds.iter().map(|&(s, p)| (s.map(cut), p.map(cut))).collect(),
        }
    }
}

/// The readings of all rounds, as they come.
#[derive(Clone, Debug, Default)]
pub struct Rounds(BTreeMap<String, (Unit, Vec<Pair>)>);

impl Rounds {
    /// Adds what round `n` (from 0) gave on a side.
    pub fn add(&mut self, n: usize, side: Side, readings: Vec<Reading>) {
        for Reading { name, unit, value } in readings {
            let (_, rounds) = self.0.entry(name).or_insert((unit, Vec::new()));
            rounds.resize(rounds.len().max(n + 1), (None, None));
            match side {
                Side::Stock => rounds[n].0 = Some(value),
                Side::Patched => rounds[n].1 = Some(value),
            }
        }
    }

    /// All of it, sorted by name.
    pub fn measures(self) -> Vec<Measure> {
        let measures = self.0.into_iter();
        measures.map(|(name, (unit, rounds))| Measure::new(&name, unit, rounds)).collect()
    }
}

impl Record {
    /// The file's text: one measure a line.
    ///
    /// # Errors
    /// Harness, when it cannot be written as JSON.
    pub fn text(&self) -> Result<String> {
        let json = |value: serde_json::Result<String>| {
            value.doing(Kind::Harness, || "writing the measurements as JSON".into())
        };
        let lines = self.measures.iter().map(|m| json(serde_json::to_string(m)));
        let builds = self.builds.iter().map(|b| json(serde_json::to_string(b)));
        Ok(format!(
            "{{\n\"schema\": {},\n\"machine\": {},\n\"builds\": [\n{}\n],\n\"measures\": [\n{}\n]\n}}\n",
            self.schema,
            json(serde_json::to_string(&self.machine))?,
            builds.collect::<Result<Vec<_>>>()?.join(",\n"),
            lines.collect::<Result<Vec<_>>>()?.join(",\n")
        ))
    }

    /// What is recorded in the folder `results`; none when there is nothing.
    ///
    /// # Errors
    /// Harness, when it cannot be read or has another schema.
    pub fn load(results: &Path) -> Result<Option<Self>> {
        #[derive(Deserialize)]
        struct Version {
            schema: u32,
        }
        let path = results.join(NAME);
        let doing = || format!("reading {}", path.display());
        let text = match crate::host::regular::read_text(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e).doing(Kind::Harness, doing),
        };
        let Version { schema } = serde_json::from_str(&text).doing(Kind::Harness, doing)?;
        if schema != SCHEMA {
            let what =
                format!("{}: it has schema {schema}, and this program reads {SCHEMA}", doing());
            return Err(Error::new(Kind::Harness, what)
                .hint("measure again: cargo xtask bench all --record"));
        }
        serde_json::from_str(&text).map(Some).doing(Kind::Harness, doing)
    }

    /// Writes it to the folder `results`. Measures that are recorded and were not
    /// taken now stay, if they were taken on the same builds and machine.
    ///
    /// # Errors
    /// Usage, when they were not; Harness, on I/O failures. The old file is then as it was.
    pub fn save(&self, results: &Path, whole: bool) -> Result<PathBuf> {
        let mut all = self.clone();
        if let Some(before) = Self::load(results)?.filter(|_| !whole) {
            if (&before.machine, &before.builds) != (&self.machine, &self.builds) {
                return Err(Error::new(
                    Kind::Usage,
                    "recording a part: what is recorded was measured on other builds or another machine",
                )
                .hint("record everything: cargo xtask bench all --record"));
            }
            let stays = |m: &Measure| self.measures.iter().all(|now| now.name != m.name);
            all.measures.extend(before.measures.into_iter().filter(stays));
            all.measures.sort_by(|a, b| a.name.cmp(&b.name));
        }
        let path = results.join(NAME);
        cache::write_atomic(&path, all.text()?.as_bytes())?;
        Ok(path)
    }
}
