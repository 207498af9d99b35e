//! `cargo xtask test-svm`, from binaries to a report.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use crate::diff::{Basis, Comparison, compare, unexpected_passes};
use crate::history::fails;
use crate::qemu::{Qemu, Side};
use crate::report::{Part, Report};
use crate::results::{self, Excerpts, KnownFailures, ResultSet, Times};
use crate::run::{How, Measured, Set, measure};
use crate::select::Selection;
use crate::suite::{Absent, Opened, Options, SUITES, Suite};
use crate::{Env, Error, Kind, Result};

/// What is to be run, and what is to be done with the results.
pub struct Request {
    /// The binaries, at most one a side.
    pub qemus: Vec<Qemu>,
    /// How suites are found.
    pub options: Options,
    /// Which tests.
    pub selection: Selection,
    /// QEMUs at a time.
    pub jobs: usize,
    /// Measure again what has a verdict.
    pub fresh: bool,
    /// Attempts at each test.
    pub repeat: u32,
    /// Write `results/`.
    pub record: bool,
    /// The command that a flip's reproduction begins with.
    pub command: String,
}

/// Measures, compares and, if asked, records.
///
/// # Errors
/// Usage for flags that do not go together or select nothing; what suites and
/// runs give; [`Kind::Interrupted`].
pub fn run(env: &Env, request: &Request) -> Result<Report> {
    let start = Instant::now();
    if request.record && !request.selection.takes_whole_suites() {
        let what = "recording a part of the tests";
        return Err(Error::new(Kind::Usage, format!("{what}: results/ holds whole suites only"))
            .hint("leave out --test, --unit and --feature; verdicts that are known cost no time"));
    }
    let folder = results::folder(&env.repo);
    let known = KnownFailures::load(&folder)?;
    let mut times = Times::load(&folder)?;
    let (suites, absent) = open_suites(request)?;
    let sets = sets(request, &suites)?;
    let (measured, ran) = measure(&sets, &how(request, &suites, &times), &env.cache, &env.console)?;

    let command = request.command.clone();
    let mut report = Report { absent, command, ran, ..Report::default() };
    for (set, measured) in sets.iter().zip(&measured) {
        let results = results::result_set(&set.qemu.build, set.suite, measured, &known);
        report.unexpected.extend(unexpected(&results, &known));
        let part = part(results, measured);
        Excerpts::save(&env.cache, &part.set, &part.excerpts)?;
        report.parts.push(part);
    }
    report.comparisons = sides(&report.parts);
    for part in &report.parts {
        against_recorded(
            &part.set,
            &folder,
            request,
            &mut report.comparisons,
            &mut report.unrecorded,
        )?;
    }
    if request.record {
        for (part, measured) in report.parts.iter().zip(&measured) {
            let path = results::save(&folder, &part.set)?;
            times.learn(&part.set.suite.name, measured);
            env.console.note(format_args!("recorded {}", path.display()));
        }
        times.save(&folder)?;
        report.unrecorded.clear();
    }
    report.took = start.elapsed().as_secs_f64();
    Ok(report)
}

/// The suites that are there, and those that are not.
type Found = (Vec<Box<dyn Suite>>, Vec<Absent>);

fn open_suites(request: &Request) -> Result<Found> {
    let known = |name: &String| SUITES.iter().any(|(suite, _)| suite == name);
    let mut asked = request.selection.suites.iter().chain(&request.options.require);
    if let Some(stranger) = asked.find(|name| !known(name)) {
        let names: Vec<&str> = SUITES.iter().map(|(name, _)| *name).collect();
        return Err(Error::new(Kind::Usage, format!("there is no suite {stranger}"))
            .hint(format!("the suites are: {}", names.join(", "))));
    }
    let (mut suites, mut absent) = (Vec::new(), Vec::new());
    for (_, open) in SUITES.iter().filter(|(name, _)| request.selection.suite(name)) {
        match open(&request.options)? {
            Opened::Ready(suite) => suites.push(suite),
            Opened::Absent(why) => absent.push(why),
        }
    }
    Ok((suites, absent))
}

/// Every suite on every binary, as far as selected.
fn sets<'a>(request: &'a Request, suites: &'a [Box<dyn Suite>]) -> Result<Vec<Set<'a>>> {
    let mut sets = Vec::new();
    for suite in suites {
        let jobs = request.selection.jobs(suite.plan());
        for qemu in request.qemus.iter().filter(|_| !jobs.is_empty()) {
            sets.push(Set { qemu, suite: suite.as_ref(), jobs: jobs.clone() });
        }
    }
    if sets.is_empty() && !suites.is_empty() {
        return Err(Error::new(Kind::NothingRan, "no test is selected")
            .hint("--test and --unit take names or patterns such as 'svm_lbrv*'"));
    }
    Ok(sets)
}

fn how(request: &Request, suites: &[Box<dyn Suite>], times: &Times) -> How {
    let names = suites.iter().map(|suite| &suite.identity().name);
    How {
        parallel: request.jobs,
        fresh: request.fresh,
        repeat: request.repeat,
        expected: names.flat_map(|name| times.of_suite(name)).collect(),
    }
}

fn part(set: ResultSet, measured: &Measured) -> Part {
    let (mut seconds, mut logs) = (BTreeMap::new(), BTreeMap::new());
    for taken in &measured.tests {
        let key = (taken.config.clone(), taken.planned.test.clone());
        seconds.insert(key.clone(), taken.attempts.iter().map(|a| a.seconds).sum());
        logs.extend(taken.log.clone().map(|log| (key, log)));
    }
    let excerpts = excerpts(&set, &logs);
    Part { set, seconds, logs, excerpts }
}

/// Of the tests that neither pass nor are skipped. A log that cannot be read is
/// as good as none.
fn excerpts(
    set: &ResultSet,
    logs: &BTreeMap<(String, String), PathBuf>,
) -> BTreeMap<(String, String), String> {
    // Many tests may share a log.
    let mut texts: BTreeMap<&PathBuf, String> = BTreeMap::new();
    let mut excerpts = BTreeMap::new();
    for row in set.tests.iter().filter(|row| fails(row.verdict)) {
        let key = (row.config.clone(), row.test.clone());
        let Some(log) = logs.get(&key) else { continue };
        let read = || String::from_utf8_lossy(&std::fs::read(log).unwrap_or_default()).into_owned();
        let text = results::excerpt(texts.entry(log).or_insert_with(read), &row.test);
        if !text.is_empty() {
            excerpts.insert(key, text);
        }
    }
    excerpts
}

fn unexpected(
    set: &ResultSet,
    known: &KnownFailures,
) -> impl Iterator<Item = (String, crate::suite::TestId, String)> {
    let build = set.build.name.clone();
    unexpected_passes(set, known).into_iter().map(move |(id, why)| (build.clone(), id, why))
}

/// Stock to patched, for each suite that ran on both.
fn sides(parts: &[Part]) -> Vec<Comparison> {
    let on = |side| parts.iter().map(|p| &p.set).filter(move |set| set.build.side == side);
    let mut comparisons = Vec::new();
    for stock in on(Side::Stock) {
        for patched in on(Side::Patched).filter(|p| p.suite.name == stock.suite.name) {
            comparisons.push(compare(Basis::Series, stock, patched));
        }
    }
    comparisons
}

/// The recorded results, as far as their tests were selected now.
fn against_recorded(
    now: &ResultSet,
    folder: &std::path::Path,
    request: &Request,
    comparisons: &mut Vec<Comparison>,
    unrecorded: &mut Vec<(String, String)>,
) -> Result<()> {
    match results::load(folder, &now.build.name, &now.suite.name)? {
        Some(mut before) => {
            let wanted = |r: &results::Row| request.selection.test(&r.config, &r.test, r.feature);
            before.tests.retain(wanted);
            comparisons.push(compare(Basis::Recorded, &before, now));
        }
        None => unrecorded.push((now.build.name.clone(), now.suite.name.clone())),
    }
    Ok(())
}
