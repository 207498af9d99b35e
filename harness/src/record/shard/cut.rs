//! Which shard measures which test. Pure.

use std::collections::BTreeMap;

use super::Shard;
use crate::record::results::Times;
use crate::suites::{Job, TestId};

/// The shard of each test, by suite, configuration and name.
pub type Cut = BTreeMap<TestId, u32>;

/// What even the quickest test costs, in seconds: without it, tests that take
/// no time to speak of would all go to one shard.
const LEAST: f64 = 0.01;

/// Gives each test of `plans` (a suite's name and its jobs) to one of `of`
/// shards, so that all take about as long: the longest test goes first, each to
/// the shard that has least to do. Every machine that is given the same plans
/// and times comes to the same.
pub fn cut(plans: &[(&str, &[Job])], of: u32, times: &Times) -> Cut {
    let mut tests: Vec<(TestId, f64)> = Vec::new();
    for (suite, jobs) in plans {
        let known = times.of_suite(suite);
        for job in *jobs {
            let guess = job.timeout.as_secs_f64() / 10.0 / job.tests.len() as f64;
            let guess = if job.decided.is_some() { 0.0 } else { guess };
            tests.extend(job.tests.iter().map(|planned| {
                let key = (job.config.clone(), planned.test.clone());
                let seconds = known.get(&key).copied().unwrap_or(guess).max(LEAST);
                let (config, test) = key;
                (TestId { suite: (*suite).to_owned(), config, test }, seconds)
            }));
        }
    }
    tests.sort_by(|(a, x), (b, y)| y.total_cmp(x).then_with(|| a.cmp(b)));
    // Micro-seconds, so that sums are exact on every machine.
    let mut loads: Vec<(u64, u32)> = (1..=of).map(|number| (0, number)).collect();
    let mut cut = Cut::new();
    for (id, seconds) in tests {
        let least = loads.iter_mut().min_by_key(|load| **load);
        let Some(load) = least else { break };
        load.0 += (seconds * 1e6) as u64;
        cut.insert(id, load.1);
    }
    cut
}

/// Leaves in `jobs` what belongs to `shard`; a job of many tests keeps some.
pub fn keep(jobs: &mut Vec<Job>, suite: &str, shard: Shard, cut: &Cut) {
    for job in jobs.iter_mut() {
        let id = |test: &str| {
            let (suite, config) = (suite.to_owned(), job.config.clone());
            TestId { suite, config, test: test.to_owned() }
        };
        let mine: Vec<bool> =
            job.tests.iter().map(|p| cut.get(&id(&p.test)) == Some(&shard.number)).collect();
        let mut mine = mine.into_iter();
        job.tests.retain(|_| mine.next().unwrap_or(false));
    }
    jobs.retain(|job| !job.tests.is_empty());
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::record::fixtures::taken;
    use crate::run::Measured;
    use crate::suites::Planned;

    fn job(tests: &[&str]) -> Job {
        let planned = |t: &&str| Planned { test: (*t).into(), feature: None };
        Job {
            config: "c".into(),
            tests: tests.iter().map(planned).collect(),
            timeout: Duration::from_secs(90),
            args: Vec::new(),
            fingerprint: String::new(),
            decided: None,
            alone: false,
        }
    }

    /// The names of each shard's tests.
    fn shards(jobs: &[Job], of: u32, times: &Times) -> Vec<Vec<String>> {
        let cut = cut(&[("s", jobs)], of, times);
        let total: usize = jobs.iter().map(|j| j.tests.len()).sum();
        assert_eq!(cut.len(), total, "each test is in one shard");
        let of_shard = |n| cut.iter().filter(move |(_, k)| **k == n).map(|(id, _)| id.test.clone());
        (1..=of).map(|n| of_shard(n).collect()).collect()
    }

    #[test]
    fn shards_take_about_as_long_as_each_other() {
        let mut times = Times::default();
        let seconds = [("a", 8.0), ("b", 5.0), ("c", 4.0), ("d", 3.0), ("e", 2.0), ("f", 2.0)];
        let tests = seconds.map(|(test, seconds)| taken("c", test, seconds)).to_vec();
        times.learn("s", &Measured { tests });
        let jobs = seconds.map(|(test, _)| job(&[test]));
        let shards = shards(&jobs, 2, &times);
        let load = |names: &[String]| -> f64 {
            names.iter().map(|n| seconds.iter().find(|s| s.0 == n).unwrap().1).sum()
        };
        // Of 24 s, with tests of at least 2 s: as near as dealing them out comes.
        assert_eq!((load(&shards[0]), load(&shards[1])), (13.0, 11.0), "{shards:?}");
    }

    #[test]
    fn tests_without_a_time_and_of_one_job_are_dealt_out() {
        let jobs = [job(&["a", "b", "c", "d", "e", "f", "g", "h"])];
        let all = shards(&jobs, 4, &Times::default());
        assert!(all.iter().all(|s| s.len() == 2), "{all:?}");
        let few = shards(&[job(&["a"])], 3, &Times::default());
        assert_eq!(few.iter().filter(|s| s.is_empty()).count(), 2);
    }
}
