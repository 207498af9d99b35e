//! Many jobs on many binaries, in parallel, each verdict kept at once.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

use super::{Attempt, Journal};
use crate::host::cache::{Cache, Lock};
use crate::host::console::Console;
use crate::host::interrupt;
use crate::qemu::Qemu;
use crate::suites::{Job, Observation, Planned, Suite, Work};
use crate::{Result, Verdict};

/// A suite to be measured on a binary.
pub struct Set<'a> {
    /// The binary.
    pub qemu: &'a Qemu,
    /// The suite.
    pub suite: &'a dyn Suite,
    /// The jobs chosen from its plan.
    pub jobs: Vec<Job>,
}

/// How to measure.
#[derive(Clone, Debug)]
pub struct How {
    /// QEMUs at a time.
    pub parallel: usize,
    /// Measure again what has a verdict.
    pub fresh: bool,
    /// Attempts at each test.
    pub repeat: u32,
    /// Seconds that `(configuration, test)` took before; long ones go first.
    pub expected: BTreeMap<(String, String), f64>,
}

/// What is known of one test.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The configuration.
    pub config: String,
    /// The test and its feature.
    pub planned: Planned,
    /// At least one attempt, the oldest first.
    pub attempts: Vec<Attempt>,
    /// The log of the last attempt; none where nothing had to be run.
    pub log: Option<PathBuf>,
}

/// What is known of one [`Set`].
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// One entry for each test of the jobs, in their order.
    pub tests: Vec<Taken>,
}

/// The journal and the logs of one binary and one suite, locked.
struct Store {
    journal: Mutex<Journal>,
    logs: PathBuf,
    _lock: Lock,
}

/// One start of QEMU.
struct Item<'a> {
    store: usize,
    set: &'a Set<'a>,
    job: &'a Job,
    pending: Vec<&'a Planned>,
    /// The series of attempts that each of `pending` belongs to.
    series: Vec<u32>,
    attempt: u32,
}

/// Measures what has no verdict yet. Two sets with the same binary and suite
/// share their measurements. Also says how many attempts were measured now.
///
/// # Errors
/// The first error of any job, such as an interrupt. What was measured before
/// it is in the journal, and the next call goes on from there.
pub fn measure(
    sets: &[Set<'_>],
    how: &How,
    cache: &Cache,
    console: &Console,
) -> Result<(Vec<Measured>, usize)> {
    let (stores, of_set) = open_stores(sets, cache, console)?;
    let items = outstanding(sets, &of_set, &stores, how);
    for set in sets {
        if items.iter().any(|i| std::ptr::eq(i.set, set)) {
            set.suite.check(set.qemu)?;
        }
    }
    let total = items.iter().map(|i| i.pending.len()).sum();
    let sink = Sink { stores: &stores, console, done: Mutex::new(0), total };
    let (alone, together) = items.into_iter().partition(|i: &Item<'_>| i.job.alone);
    work_off(together, &sink, how.parallel)?;
    work_off(alone, &sink, 1)?;
    let collect = |(set, &store)| collect(set, &stores[store]);
    let ran = stores.iter().map(|s| lock(&s.journal).recorded()).sum();
    Ok((sets.iter().zip(&of_set).map(collect).collect(), ran))
}

/// Opens one store for each pair of binary and suite, in an order that all runs
/// share, so that two of them never wait for each other.
fn open_stores(
    sets: &[Set<'_>],
    cache: &Cache,
    console: &Console,
) -> Result<(Vec<Store>, Vec<usize>)> {
    let name = |set: &Set<'_>| {
        let digest = set.qemu.digest.get(..16).unwrap_or(&set.qemu.digest);
        format!("{digest}-{}", set.suite.identity().name)
    };
    let mut names: Vec<String> = sets.iter().map(name).collect();
    names.sort();
    names.dedup();
    let mut stores = Vec::new();
    for name in &names {
        let dir = cache.dir(format!("verdicts/{name}"))?;
        let lock = cache.lock(&format!("verdicts-{name}"), console)?;
        let journal = Mutex::new(Journal::open(&dir.join("journal.jsonl"))?);
        stores.push(Store { journal, logs: dir.join("logs"), _lock: lock });
    }
    let position = |set| names.iter().position(|n| *n == name(set)).unwrap_or_default();
    Ok((stores, sets.iter().map(position).collect()))
}

/// Every start of QEMU that is needed, the longest first.
fn outstanding<'a>(
    sets: &'a [Set<'a>],
    of_set: &[usize],
    stores: &[Store],
    how: &How,
) -> VecDeque<Item<'a>> {
    let mut items: Vec<Item<'a>> = Vec::new();
    for (set, &store) in sets.iter().zip(of_set) {
        let journal = lock(&stores[store].journal);
        for job in set.jobs.iter().filter(|job| job.decided.is_none()) {
            let twin = |i: &Item<'_>| {
                i.store == store && i.job.config == job.config && i.job.tests == job.tests
            };
            if items.iter().any(twin) {
                continue;
            }
            let have = |p: &&Planned| match how.fresh {
                true => 0,
                false => journal.valid(job, &p.test).len() as u32,
            };
            for attempt in 1..=how.repeat {
                let pending: Vec<_> = job.tests.iter().filter(|p| have(p) < attempt).collect();
                let series = |p: &&Planned| journal.series(job, &p.test) + u32::from(have(p) == 0);
                let series = pending.iter().map(series).collect();
                if !pending.is_empty() {
                    items.push(Item { store, set, job, pending, series, attempt });
                }
            }
        }
    }
    items.sort_by(|a, b| seconds(b, how).total_cmp(&seconds(a, how)));
    items.into()
}

/// How long a start of QEMU will take, as far as one can know.
fn seconds(item: &Item<'_>, how: &How) -> f64 {
    let of_test = |p: &&Planned| how.expected.get(&(item.job.config.clone(), p.test.clone()));
    let known: Option<f64> = item.pending.iter().map(|p| of_test(p).copied()).sum();
    known.unwrap_or(item.job.timeout.as_secs_f64() / 10.0)
}

fn work_off(items: VecDeque<Item<'_>>, sink: &Sink<'_>, parallel: usize) -> Result<()> {
    let workers = parallel.clamp(1, items.len().max(1));
    let queue = Mutex::new(items);
    let failed = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(item) = next(&queue) {
                    if let Err(e) = sink.run(&item) {
                        lock(&queue).clear();
                        lock(&failed).get_or_insert(e);
                    }
                }
            });
        }
    });
    sink.console.end_progress();
    match failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        Some(e) => Err(e),
        None => interrupt::check(),
    }
}

fn next<'a>(queue: &Mutex<VecDeque<Item<'a>>>) -> Option<Item<'a>> {
    lock(queue).pop_front()
}

/// Takes in verdicts from all workers.
struct Sink<'a> {
    stores: &'a [Store],
    console: &'a Console,
    done: Mutex<usize>,
    total: usize,
}

impl Sink<'_> {
    /// One start of QEMU, from the log file's folder to the last verdict.
    fn run(&self, item: &Item<'_>) -> Result<()> {
        let store = &self.stores[item.store];
        let log = log_path(&store.logs, item.job, item.attempt);
        let (job, qemu) = (item.job, item.set.qemu);
        let work = Work { job, pending: &item.pending, qemu, log: &log };
        let mut left: Vec<&str> = item.pending.iter().map(|p| p.test.as_str()).collect();
        let mut last = Instant::now();
        let mut emit = |seen: Observation| {
            left.retain(|test| *test != seen.test);
            let seconds = last.elapsed().as_secs_f64();
            last = Instant::now();
            self.record(item, seen, seconds)
        };
        item.set.suite.run(&work, &mut emit)?;
        let silent = "the suite ended without a word about it";
        for test in left {
            self.record(item, Observation::bare(test, Verdict::Missing, silent), 0.0)?;
        }
        Ok(())
    }

    fn record(&self, item: &Item<'_>, seen: Observation, seconds: f64) -> Result<()> {
        let position = item.pending.iter().position(|p| p.test == seen.test);
        let series = position.map_or(1, |at| item.series[at]);
        let what = format!("{} {}/{}", item.set.qemu.build.name, item.job.config, seen.test);
        lock(&self.stores[item.store].journal).record(Attempt {
            config: item.job.config.clone(),
            fingerprint: item.job.fingerprint.clone(),
            series,
            attempt: item.attempt,
            seconds: (seconds * 1000.0).round() / 1000.0,
            limit: item.job.timeout.as_secs_f64(),
            seen,
        })?;
        let mut done = lock(&self.done);
        *done += 1;
        self.console.progress(*done as u64, self.total as u64, what);
        Ok(())
    }
}

/// Puts together what the journal now holds.
fn collect(set: &Set<'_>, store: &Store) -> Measured {
    let journal = lock(&store.journal);
    let mut measured = Measured::default();
    for job in &set.jobs {
        for planned in &job.tests {
            let attempts = match &job.decided {
                Some((verdict, why)) => vec![decided(job, &planned.test, *verdict, why)],
                None => journal.latest(job, &planned.test),
            };
            let number = attempts.last().map_or(1, |a| a.attempt);
            let log = log_path(&store.logs, job, number);
            measured.tests.push(Taken {
                config: job.config.clone(),
                planned: planned.clone(),
                attempts,
                log: log.is_file().then_some(log),
            });
        }
    }
    measured
}

fn decided(job: &Job, test: &str, verdict: Verdict, why: &str) -> Attempt {
    Attempt {
        config: job.config.clone(),
        fingerprint: job.fingerprint.clone(),
        series: 1,
        attempt: 1,
        seconds: 0.0,
        limit: job.timeout.as_secs_f64(),
        seen: Observation::bare(test, verdict, why),
    }
}

/// A job that measures one test has a log named after it, another one is named
/// after its first test.
fn log_path(logs: &Path, job: &Job, attempt: u32) -> PathBuf {
    let test = job.tests.first().map_or("none", |p| p.test.as_str());
    let plain = |c: char| if c.is_alphanumeric() || "-_+.@".contains(c) { c } else { '_' };
    let named = |text: &str| -> String {
        let text: String = text.chars().map(plain).collect();
        // What begins with a dot may be the folder above.
        if text.starts_with('.') { format!("_{text}") } else { text }
    };
    let name = named(test);
    let number = if attempt > 1 { format!(".{attempt}") } else { String::new() };
    logs.join(named(&job.config)).join(format!("{name}{number}.log"))
}

/// A worker that panicked leaves a journal or a queue that is still whole.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::host::console::Verbosity;
    use crate::qemu::testing::identity;
    use crate::suites::{Config, SuiteIdentity};

    /// Counts how many of its jobs run at a time.
    struct Counting {
        identity: SuiteIdentity,
        running: AtomicUsize,
        most: AtomicUsize,
        beside_alone: AtomicUsize,
    }

    impl Suite for Counting {
        fn identity(&self) -> &SuiteIdentity {
            &self.identity
        }

        fn configs(&self) -> Vec<Config> {
            Vec::new()
        }

        fn plan(&self) -> Vec<Job> {
            let job = |n: usize| Job {
                config: "c".into(),
                tests: vec![Planned { test: format!("t{n}"), feature: None }],
                timeout: Duration::from_secs(60),
                args: Vec::new(),
                fingerprint: "f".into(),
                decided: None,
                alone: n.is_multiple_of(4),
            };
            (0..16).map(job).collect()
        }

        fn check(&self, _: &Qemu) -> Result<()> {
            Ok(())
        }

        fn run(
            &self,
            work: &Work<'_>,
            emit: &mut dyn FnMut(Observation) -> Result<()>,
        ) -> Result<()> {
            let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(running, Ordering::SeqCst);
            // Long enough that the other workers come by.
            std::thread::sleep(Duration::from_millis(20));
            let now = self.running.fetch_sub(1, Ordering::SeqCst);
            if work.job.alone {
                self.beside_alone.fetch_max(running.max(now) - 1, Ordering::SeqCst);
            }
            emit(Observation::bare(&work.pending[0].test, Verdict::Pass, ""))
        }
    }

    #[test]
    fn jobs_run_side_by_side_unless_they_want_to_be_alone() {
        let suite = Counting {
            identity: SuiteIdentity { name: "s".into(), version: "1".into() },
            running: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            beside_alone: AtomicUsize::new(0),
        };
        let qemu = Qemu {
            build: identity("stock-10.2.2"),
            path: PathBuf::new(),
            digest: "0123456789abcdef".into(),
            firmware: Vec::new(),
        };
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(Some(dir.path())).unwrap();
        let how = How { parallel: 4, fresh: false, repeat: 1, expected: BTreeMap::new() };
        let sets = [Set { qemu: &qemu, suite: &suite, jobs: suite.plan() }];
        let console = Console::new(Verbosity::Quiet);
        let (measured, ran) = measure(&sets, &how, &cache, &console).unwrap();
        assert_eq!((ran, measured[0].tests.len()), (16, 16));
        assert!(suite.most.load(Ordering::SeqCst) > 1);
        assert_eq!(suite.beside_alone.load(Ordering::SeqCst), 0);
    }
}
