//! How long tests take, apart from what they come to: `results/times.json`.
//!
//! Used to start long tests first and to cut a plan into equal shards; it is
//! never compared. A time is replaced only when it has changed a good deal, so
//! that the file is quiet in git.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::store::{json, lines};
use crate::host::cache;
use crate::host::error::Context;
use crate::run::Measured;
use crate::{Kind, Result};

const NAME: &str = "times.json";

/// Changes below this factor, and times below this many seconds, are noise.
const FACTOR: f64 = 2.0;
const NOISE: f64 = 0.5;

/// Seconds by suite, configuration and test.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Times(BTreeMap<(String, String, String), f64>);

#[derive(Serialize, Deserialize)]
struct Entry {
    suite: String,
    config: String,
    test: String,
    seconds: f64,
}

#[derive(Deserialize)]
struct File {
    times: Vec<Entry>,
}

impl Times {
    /// Reads the file in `results`; none is as good as an empty one.
    ///
    /// # Errors
    /// Harness, when it cannot be understood.
    pub fn load(results: &Path) -> Result<Self> {
        let path = results.join(NAME);
        let doing = || format!("reading {}", path.display());
        let text = match crate::host::regular::read_text(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(e).doing(Kind::Harness, doing),
        };
        let file: File = serde_json::from_str(&text).doing(Kind::Harness, doing)?;
        let pair = |e: Entry| ((e.suite, e.config, e.test), e.seconds);
        Ok(Times(file.times.into_iter().map(pair).collect()))
    }

    /// Writes the file.
    ///
    /// # Errors
    /// Harness; the old file is still there then.
    pub fn save(&self, results: &Path) -> Result<()> {
        let entry = |((suite, config, test), seconds): (&(String, String, String), &f64)| Entry {
            suite: suite.clone(),
            config: config.clone(),
            test: test.clone(),
            seconds: *seconds,
        };
        let entries: Vec<Entry> = self.0.iter().map(entry).collect();
        let text = format!(
            "{{\n\"schema\": {},\n\"times\": {}\n}}\n",
            json(&super::SCHEMA)?,
            lines(&entries)?
        );
        cache::write_atomic(&results.join(NAME), text.as_bytes())
    }

    /// Takes in what a run took.
    pub fn learn(&mut self, suite: &str, measured: &Measured) {
        for taken in &measured.tests {
            let Some(last) = taken.attempts.last() else { continue };
            let key = (suite.to_owned(), taken.config.clone(), taken.planned.test.clone());
            let seconds = (last.seconds * 10.0).round() / 10.0;
            let old = *self.0.entry(key.clone()).or_insert(seconds);
            let (low, high) = (old.min(seconds), old.max(seconds));
            if high > NOISE && high > low * FACTOR {
                self.0.insert(key, seconds);
            }
        }
    }

    /// Seconds by configuration and test of one suite.
    pub fn of_suite(&self, suite: &str) -> BTreeMap<(String, String), f64> {
        let of = self.0.iter().filter(|((s, ..), _)| s == suite);
        of.map(|((_, config, test), seconds)| ((config.clone(), test.clone()), *seconds)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::fixtures::taken;

    fn learned(times: &mut Times, seconds: f64) -> f64 {
        let measured = Measured { tests: vec![taken("c", "t", seconds)] };
        times.learn("s", &measured);
        times.of_suite("s")[&("c".into(), "t".into())]
    }

    #[test]
    fn small_changes_are_not_written_down_and_large_ones_are() {
        let mut times = Times::default();
        assert_eq!(learned(&mut times, 4.0), 4.0);
        assert_eq!(learned(&mut times, 6.04), 4.0);
        assert_eq!(learned(&mut times, 9.04), 9.0);
        assert_eq!(learned(&mut times, 0.1), 0.1);
        assert_eq!(learned(&mut times, 0.4), 0.1);
        let dir = tempfile::tempdir().unwrap();
        times.save(dir.path()).unwrap();
        assert_eq!(Times::load(dir.path()).unwrap(), times);
    }
}
