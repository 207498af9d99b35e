//! Each verdict, on disk as soon as it is known.
//!
//! One file for each pair of QEMU binary and suite; one JSON object a line,
//! appended and synced. A line that a kill or a full disk tore is ignored, so
//! the next run goes on from the last whole one.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::host::error::Context;
use crate::suites::{Job, Observation};
use crate::{Kind, Result, Verdict};

/// One measurement of one test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// The test's configuration.
    pub config: String,
    /// What the verdict depends on besides the binary: [`Job::fingerprint`].
    pub fingerprint: String,
    /// A series of attempts voids those with a smaller number.
    pub series: u32,
    /// Its number in the series, from 1.
    pub attempt: u32,
    /// Seconds, as a share of the job that measured it.
    pub seconds: f64,
    /// The time limit in seconds.
    pub limit: f64,
    /// What was seen.
    #[serde(flatten)]
    pub seen: Observation,
}

/// The verdicts of one binary and one suite.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    attempts: BTreeMap<(String, String), Vec<Attempt>>,
    recorded: usize,
}

impl Journal {
    /// Opens the journal at `path`, or starts one.
    ///
    /// # Errors
    /// I/O.
    pub fn open(path: &Path) -> Result<Self> {
        let doing = || format!("opening the journal {}", path.display());
        let text = match crate::host::regular::read(path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(e).doing(Kind::Harness, doing),
        };
        let options = OpenOptions::new().create(true).append(true).clone();
        let file = options.open(path).doing(Kind::Harness, doing)?;
        let attempts = BTreeMap::new();
        let mut journal = Journal { path: path.to_owned(), file, attempts, recorded: 0 };
        for line in text.lines() {
            if let Ok(attempt) = serde_json::from_str(line) {
                journal.keep(attempt);
            }
        }
        if !text.is_empty() && !text.ends_with('\n') {
            // Closes the torn line, so that the next one is whole.
            journal.write(b"\n")?;
        }
        Ok(journal)
    }

    fn keep(&mut self, attempt: Attempt) {
        let key = (attempt.config.clone(), attempt.seen.test.clone());
        let kept = self.attempts.entry(key).or_default();
        kept.retain(|a| a.series >= attempt.series);
        kept.push(attempt);
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let doing = || format!("recording a verdict in {}", self.path.display());
        self.file.write_all(bytes).doing(Kind::Harness, doing)?;
        self.file.sync_data().or_else(no_such_thing_as_sync).doing(Kind::Harness, doing)
    }

    /// Records one measurement; it is on disk when this returns.
    ///
    /// # Errors
    /// I/O, such as a full disk. Everything recorded before is still there.
    pub fn record(&mut self, attempt: Attempt) -> Result<()> {
        let mut line = serde_json::to_vec(&attempt)
            .doing(Kind::Harness, || format!("writing the verdict of {}", attempt.seen.test))?;
        line.push(b'\n');
        self.write(&line)?;
        self.keep(attempt);
        self.recorded += 1;
        Ok(())
    }

    /// How many measurements were recorded since it was opened.
    pub fn recorded(&self) -> usize {
        self.recorded
    }

    /// The measurements of `test` that still hold: of the same images and
    /// command line, not ended from outside, and, for a timeout, with at least
    /// the limit that the job has now.
    pub fn valid(&self, job: &Job, test: &str) -> Vec<&Attempt> {
        let holds = |a: &&Attempt| {
            let patient = a.seen.verdict != Verdict::Timeout || reaches(a.limit, job.timeout);
            a.fingerprint == job.fingerprint && !a.seen.fleeting && patient
        };
        self.of(job, test).filter(holds).collect()
    }

    /// The number of the last series of attempts at `test`; 0 before the first.
    pub fn series(&self, job: &Job, test: &str) -> u32 {
        self.of(job, test).map(|a| a.series).max().unwrap_or(0)
    }

    /// The last series of attempts at `test`, in order. Those that a later run
    /// would measure again are left out, unless there are no others.
    pub fn latest(&self, job: &Job, test: &str) -> Vec<Attempt> {
        let same = |a: &&Attempt| a.fingerprint == job.fingerprint;
        let mut kept: Vec<Attempt> = self.of(job, test).filter(same).cloned().collect();
        if kept.iter().any(|a| !a.seen.fleeting) {
            kept.retain(|a| !a.seen.fleeting);
        }
        kept.sort_by_key(|a| a.attempt);
        kept
    }

    fn of(&self, job: &Job, test: &str) -> impl Iterator<Item = &Attempt> {
        self.attempts.get(&(job.config.clone(), test.to_owned())).into_iter().flatten()
    }
}

fn reaches(limit: f64, wanted: Duration) -> bool {
    limit + 1e-6 >= wanted.as_secs_f64()
}

/// Character devices cannot be synced.
fn no_such_thing_as_sync(e: std::io::Error) -> std::io::Result<()> {
    if e.kind() == std::io::ErrorKind::InvalidInput { Ok(()) } else { Err(e) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(limit: u64) -> Job {
        Job {
            config: "svm".into(),
            tests: Vec::new(),
            timeout: Duration::from_secs(limit),
            args: Vec::new(),
            fingerprint: "f".into(),
            decided: None,
            alone: false,
        }
    }

    fn attempt(series: u32, n: u32, verdict: Verdict) -> Attempt {
        Attempt {
            config: "svm".into(),
            fingerprint: "f".into(),
            series,
            attempt: n,
            seconds: 1.5,
            limit: 60.0,
            seen: Observation::bare("null", verdict, "why"),
        }
    }

    fn verdicts(journal: &Journal, job: &Job) -> Vec<Verdict> {
        journal.valid(job, "null").iter().map(|a| a.seen.verdict).collect()
    }

    #[test]
    fn what_was_recorded_is_there_after_a_torn_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j");
        let mut journal = Journal::open(&path).unwrap();
        journal.record(attempt(1, 1, Verdict::Pass)).unwrap();
        drop(journal);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"config\":\"svm\",\"finge").unwrap();
        let mut journal = Journal::open(&path).unwrap();
        assert_eq!(verdicts(&journal, &job(60)), [Verdict::Pass]);
        journal.record(attempt(1, 2, Verdict::Fail)).unwrap();
        let journal = Journal::open(&path).unwrap();
        assert_eq!(verdicts(&journal, &job(60)), [Verdict::Pass, Verdict::Fail]);
    }

    #[test]
    fn a_series_voids_earlier_ones_in_whatever_order_its_attempts_end() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(&dir.path().join("j")).unwrap();
        journal.record(attempt(1, 1, Verdict::Pass)).unwrap();
        journal.record(attempt(2, 2, Verdict::Fail)).unwrap();
        journal.record(attempt(2, 1, Verdict::Crash)).unwrap();
        assert_eq!(verdicts(&journal, &job(60)), [Verdict::Fail, Verdict::Crash]);
        let latest = journal.latest(&job(60), "null");
        let latest: Vec<_> = latest.iter().map(|a| a.seen.verdict).collect();
        assert_eq!(latest, [Verdict::Crash, Verdict::Fail]);
        assert_eq!(journal.series(&job(60), "null"), 2);
    }

    #[test]
    fn another_fingerprint_an_outside_kill_or_a_longer_limit_is_measured_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(&dir.path().join("j")).unwrap();
        journal.record(attempt(1, 1, Verdict::Timeout)).unwrap();
        assert_eq!(verdicts(&journal, &job(60)), [Verdict::Timeout]);
        assert_eq!(verdicts(&journal, &job(61)), []);
        let other = Job { fingerprint: "g".into(), ..job(60) };
        assert_eq!(verdicts(&journal, &other), []);
        let mut killed = attempt(2, 1, Verdict::Crash);
        killed.seen.fleeting = true;
        journal.record(killed).unwrap();
        assert_eq!(verdicts(&journal, &job(60)), []);
    }

    #[test]
    fn a_full_disk_is_an_error_that_names_the_journal() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j");
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        // Reading /dev/full never ends, so the journal is made by hand.
        let file = OpenOptions::new().append(true).open(&path).unwrap();
        let mut journal =
            Journal { path: path.clone(), file, attempts: BTreeMap::new(), recorded: 0 };
        let error = journal.record(attempt(1, 1, Verdict::Pass)).unwrap_err();
        assert_eq!(error.kind(), Kind::Harness);
        let text = error.to_string();
        assert!(text.contains("No space left") && text.contains(&path.display().to_string()));
    }
}
