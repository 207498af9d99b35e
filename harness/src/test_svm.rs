//! `cargo xtask test-svm`, from binaries to a report.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::qemu::{BuildIdentity, Qemu, Side};
use crate::record::Part;
use crate::record::diff::{Basis, Comparison, compare, unexpected_passes};
use crate::record::history::fails;
use crate::record::results::{self, Excerpts, KnownFailures, ResultSet, Times};
use crate::record::shard::{self, Cut, Merged, Shard, Share};
use crate::report::Report;
use crate::run::{How, Measured, Set, measure};
use crate::suites::select::Selection;
use crate::suites::{self, Absent, Job, Opened, Options, SUITES, Suite, TestId};
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
    /// Measure this shard only, and write its share to a file.
    pub shard: Option<(Shard, PathBuf)>,
    /// Write `results/`.
    pub record: bool,
    /// The command that a flip's reproduction begins with.
    pub command: String,
}

/// Refuses what can be seen to be wrong before a QEMU is there.
///
/// # Errors
/// As [`suites::check`]; Usage, for a part of the tests that shall be recorded.
pub fn check(request: &Request) -> Result<()> {
    if request.record {
        refuse_to_record_a_part(&request.selection, request.shard.is_some())?;
    }
    suites::check(&request.options, &request.selection)
}

/// Measures, compares and, if asked, records.
///
/// # Errors
/// Usage for flags that do not go together or select nothing; what suites and
/// runs give; [`Kind::Interrupted`].
pub fn run(env: &Env, request: &Request) -> Result<Report> {
    let start = Instant::now();
    check(request)?;
    let folder = results::folder(&env.repo);
    let known = KnownFailures::load(&folder)?;
    let mut times = Times::load(&folder)?;
    let (suites, absent) = open_suites(request)?;
    suites.iter().flat_map(|s| s.notes()).for_each(|note| env.console.warn(note));
    let plans = plans(request, &suites)?;
    let cut = request.shard.as_ref().map(|(shard, _)| cut(&plans, *shard, &times));
    let sets = sets(request, &plans, cut.as_ref());
    let (measured, ran) = measure(&sets, &how(request, &suites, &times), &env.cache, &env.console)?;

    let command = request.command.clone();
    let shard = request.shard.as_ref().map(|(shard, _)| *shard);
    let mut report = Report { absent, command, ran, shard, ..Report::default() };
    for (set, measured) in sets.iter().zip(&measured) {
        let results = results::result_set(&set.qemu.build, set.suite, measured, &known);
        let part = part(results, measured);
        Excerpts::save(&env.cache, &part.set, &part.excerpts)?;
        report.parts.push(part);
    }
    let elsewhere: BTreeSet<&TestId> = match (&cut, shard) {
        (Some(cut), Some(s)) => cut.iter().filter(|c| *c.1 != s.number).map(|c| c.0).collect(),
        _ => BTreeSet::new(),
    };
    conclude(&folder, &known, &request.selection, &elsewhere, &mut report)?;
    if request.record {
        record(env, &mut report)?;
        for (part, measured) in report.parts.iter().zip(&measured) {
            times.learn(&part.set.suite.name, measured);
        }
        times.save(&folder)?;
    }
    report.took = start.elapsed().as_secs_f64();
    if let (Some((shard, path)), Some(cut)) = (&request.shard, cut) {
        share(request, *shard, &report, &sets, &plans, cut).save(path)?;
    }
    Ok(report)
}

/// The report of a run whose shards were put together.
///
/// # Errors
/// Harness; Usage, for `--record` of less than all tests.
pub fn conclude_merged(env: &Env, merged: Merged, record_it: bool) -> Result<Report> {
    let folder = results::folder(&env.repo);
    let known = KnownFailures::load(&folder)?;
    let Merged { common, parts, lost, ran, took } = merged;
    if record_it {
        refuse_to_record_a_part(&common.selection, false)?;
    }
    for part in &parts {
        Excerpts::save(&env.cache, &part.set, &part.excerpts)?;
    }
    let (absent, command) = (common.absent, common.command);
    let mut report = Report { parts, absent, command, lost, ran, took, ..Report::default() };
    conclude(&folder, &known, &common.selection, &BTreeSet::new(), &mut report)?;
    if record_it && report.lost.is_empty() {
        record(env, &mut report)?;
    } else if record_it {
        env.console.note(format_args!("nothing is recorded: results/ holds whole suites only"));
    }
    Ok(report)
}

fn refuse_to_record_a_part(selection: &Selection, shard: bool) -> Result<()> {
    let error =
        Error::new(Kind::Usage, "recording a part of the tests: results/ holds whole suites only");
    if shard {
        Err(error.hint("leave --record to `cargo xtask merge`"))
    } else if !selection.takes_whole_suites() {
        Err(error
            .hint("leave out --test, --unit and --feature; verdicts that are known cost no time"))
    } else {
        Ok(())
    }
}

/// Compares what is in `report`, stock to patched and recorded to now; what was
/// measured `elsewhere` is not missed.
fn conclude(
    folder: &Path,
    known: &KnownFailures,
    selection: &Selection,
    elsewhere: &BTreeSet<&TestId>,
    report: &mut Report,
) -> Result<()> {
    for part in &report.parts {
        report.unexpected.extend(unexpected(&part.set, known));
    }
    report.comparisons = sides(&report.parts);
    for Part { set: now, .. } in &report.parts {
        match results::load(folder, &now.build.name, &now.suite.name)? {
            Some(mut before) => {
                let suite = &now.suite.name;
                before.tests.retain(|r| {
                    let id = || TestId {
                        suite: suite.clone(),
                        config: r.config.clone(),
                        test: r.test.clone(),
                    };
                    selection.test(&r.config, &r.test, r.feature) && !elsewhere.contains(&id())
                });
                report.comparisons.push(compare(Basis::Recorded, &before, now));
            }
            None => report.unrecorded.push((now.build.name.clone(), now.suite.name.clone())),
        }
    }
    Ok(())
}

/// What is recorded must say what was measured: which series, and as much as what
/// it takes the place of.
fn refuse_to_record_the_nameless(folder: &Path, set: &ResultSet) -> Result<()> {
    let build = &set.build;
    let before = results::load(folder, &build.name, &set.suite.name)?;
    let lost =
        |f: fn(&BuildIdentity) -> bool| before.as_ref().is_some_and(|b| f(&b.build)) && !f(build);
    let what = match () {
        () if build.side == Side::Patched && build.series.is_none() => {
            "which series it is built of"
        }
        () if lost(|b| b.series.is_some()) => "which series it is built of",
        () if lost(|b| b.compiler.is_some()) => "with which compiler it was built",
        () => return Ok(()),
    };
    let text = format!("recording {}: nobody knows {what}", build.name);
    Err(Error::new(Kind::Usage, text)
        .hint("let this command build it, or give the binary of a folder that has its build.json"))
}

/// Writes the report's sets to `results/`.
fn record(env: &Env, report: &mut Report) -> Result<()> {
    let folder = results::folder(&env.repo);
    for part in &report.parts {
        refuse_to_record_the_nameless(&folder, &part.set)?;
    }
    for part in &report.parts {
        let path = results::save(&folder, &part.set)?;
        env.console.note(format_args!("recorded {}", path.display()));
    }
    report.unrecorded.clear();
    Ok(())
}

/// What this shard writes. Its parts are in the order of its sets.
fn share(
    request: &Request,
    shard: Shard,
    report: &Report,
    sets: &[Set<'_>],
    plans: &[Plan<'_>],
    cut: Cut,
) -> Share {
    let mut outline = Vec::new();
    for (set, part) in sets.iter().zip(&report.parts) {
        let name = &set.suite.identity().name;
        let plan = plans.iter().find(|(suite, _)| suite.identity().name == *name);
        let jobs = plan.map_or(&[][..], |(_, jobs)| jobs);
        outline.push(shard::outline(shard.of, &part.set, set.suite, jobs, &cut));
    }
    Share {
        schema: results::SCHEMA,
        shard,
        selection: request.selection.clone(),
        command: request.command.clone(),
        outline,
        cut: cut.into_iter().collect(),
        results: report.parts.iter().map(shard::Results::of).collect(),
        absent: report.absent.clone(),
        ran: report.ran,
        took: report.took,
    }
}

/// The suites that are there, and those that are not.
type Found = (Vec<Box<dyn Suite>>, Vec<Absent>);

fn open_suites(request: &Request) -> Result<Found> {
    let (mut suites, mut absent) = (Vec::new(), Vec::new());
    for (_, open) in SUITES.iter().filter(|(name, _)| suites::runs(&request.selection, name)) {
        match open(&request.options)? {
            Opened::Ready(suite) => suites.push(suite),
            Opened::Absent(why) => absent.push(why),
        }
    }
    Ok((suites, absent))
}

/// A suite, and the jobs of it that are wanted, in all shards.
type Plan<'a> = (&'a dyn Suite, Vec<Job>);

fn plans<'a>(request: &Request, suites: &'a [Box<dyn Suite>]) -> Result<Vec<Plan<'a>>> {
    let plan = |s: &'a dyn Suite| (s, request.selection.jobs(s.plan()));
    let mut plans: Vec<Plan<'a>> = suites.iter().map(|s| plan(s.as_ref())).collect();
    plans.retain(|(_, jobs)| !jobs.is_empty());
    if plans.is_empty() && !suites.is_empty() {
        return Err(Error::new(Kind::NothingRan, "no test is selected")
            .hint("--test and --unit take names or patterns such as 'svm_lbrv*'"));
    }
    Ok(plans)
}

fn cut(plans: &[Plan<'_>], shard: Shard, times: &Times) -> Cut {
    let named: Vec<(&str, &[Job])> =
        plans.iter().map(|(s, jobs)| (s.identity().name.as_str(), jobs.as_slice())).collect();
    shard::cut(&named, shard.of, times)
}

/// Every suite on every binary, as far as the shard has a part in it.
fn sets<'a>(request: &'a Request, plans: &[Plan<'a>], cut: Option<&Cut>) -> Vec<Set<'a>> {
    let mut sets = Vec::new();
    for (suite, jobs) in plans {
        let mut jobs = jobs.clone();
        if let (Some(cut), Some((shard, _))) = (cut, &request.shard) {
            shard::keep(&mut jobs, &suite.identity().name, *shard, cut);
        }
        for qemu in &request.qemus {
            sets.push(Set { qemu, suite: *suite, jobs: jobs.clone() });
        }
    }
    sets
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
) -> impl Iterator<Item = (String, crate::suites::TestId, String)> {
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
