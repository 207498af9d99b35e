//! How soon a soak notices that one patch of the series is missing.
//!
//! The same cases run without the patch and with the whole series, and only a case in which the
//! two come to another end counts: what the whole series has wrong by itself finds nothing.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use svm_model::case::Case;
use svm_model::cases::crossed::Pool;
use svm_model::cases::lasting_id;
use svm_model::rules::RuleId;

use super::judge::{Judged, judge};
use super::soak::{self, Request};
use crate::exec::name::Name;
use crate::exec::place::{self, How, Place};
use crate::host::interrupt;
use crate::mail::Mail;
use crate::qemu::Side;
use crate::qemu::build::patch::Patch;
use crate::qemu::build::{Spec, without};
use crate::{Env, Error, Kind, Result};

/// The difference that a missing patch makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The rule that is broken without it.
    pub rule: Option<RuleId>,
    /// A case that differs.
    pub case: String,
}

/// A search for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// What was found, if anything.
    pub found: Option<Found>,
    /// How long it took.
    pub took: Duration,
    /// Cases that had run by then.
    pub cases: usize,
}

/// What came of a patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    /// It was searched for.
    Searched(Search),
    /// It could not be taken out: why.
    Stays(String),
}

/// A patch that was taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its number.
    pub number: String,
    /// Its title.
    pub title: String,
    /// What came of it.
    pub came: Came,
}

/// Takes each of the patches with these numbers out of the series, and searches for what it was
/// there for: on `name`, of which the patched side is wanted.
///
/// # Errors
/// Usage, for another executor and for what is no patch's number; as [`place::open`] and
/// [`search`].
pub fn campaign(
    env: &Env,
    name: &Name,
    how: &How,
    numbers: &[String],
    request: &Request,
) -> Result<Vec<Row>> {
    if !matches!(name, Name::Qemu(Side::Patched) | Name::C(Side::Patched)) {
        let what = format!("no patch can be taken out of {name}");
        return Err(Error::new(Kind::Usage, what).hint("--on qemu:patched, or --on c:patched"));
    }
    let whole = place::spec(env, Side::Patched, how)?;
    let places = without::numbered(&whole.patches, numbers)?;
    // Built before anything is timed.
    drop(place::open_spec(env, name, &whole, how)?);
    let pool = Pool::default();
    let mut rows = Vec::new();
    for place in places {
        interrupt::check()?;
        let patch = Patch::read(&whole.patches[place])?;
        let came = match without::without(env, &whole, place)? {
            None => Came::Stays("no: later patches change the same lines".to_owned()),
            Some(spec) => match place::open_spec(env, name, &spec, how) {
                Err(e) if e.kind() == Kind::Build => {
                    Came::Stays("no: later patches do not build without it".to_owned())
                }
                opened => {
                    drop(opened?);
                    let open = |spec: &Spec| place::open_spec(env, name, spec, how);
                    Came::Searched(search(request, &pool, &|| open(&spec), &|| open(&whole))?)
                }
            },
        };
        let row = Row::new(&patch, came);
        env.console.note(row.line());
        rows.push(row);
    }
    Ok(rows)
}

/// Runs new cases on what `open` opens until one differs there and not on what `whole` opens, or
/// time is up.
///
/// # Errors
/// What `open` and `whole` give, and as [`judge`]; Interrupted.
pub fn search(
    request: &Request,
    pool: &Pool,
    open: &(dyn Fn() -> Result<Place> + Sync),
    whole: &(dyn Fn() -> Result<Place> + Sync),
) -> Result<Search> {
    let start = Search { found: None, took: Duration::ZERO, cases: 0 };
    let shared = Mutex::new((start, 0));
    let lock = || shared.lock().expect("no worker panics");
    let worker = || -> Result<()> {
        let (mut without, mut with) = (open()?, whole()?);
        // What builds and boots them is not searching.
        let begun = Instant::now();
        loop {
            let round = {
                let mut shared = lock();
                shared.1 += 1;
                shared.1 - 1
            };
            interrupt::check()?;
            let over = begun.elapsed() >= request.time && round > 0;
            if over || lock().0.found.is_some() {
                return Ok(());
            }
            let cases = soak::cases(pool, request.seed.wrapping_add(round), request.cases);
            let judged = judge(&mut *without.executor, &cases.iter().collect::<Vec<_>>())?;
            let found = new(&judged, &cases, &mut with)?;
            let search = &mut lock().0;
            search.cases += judged.ran;
            if search.found.is_none() {
                search.took = begun.elapsed();
                search.found = found;
            }
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..request.jobs.max(1)).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().try_for_each(|w| w.join().expect("a worker does not panic"))
    })?;
    Ok(shared.into_inner().expect("no worker panics").0)
}

/// The first finding that the whole series does not have.
fn new(judged: &Judged, cases: &[Case], whole: &mut Place) -> Result<Option<Found>> {
    if judged.findings.is_empty() {
        return Ok(None);
    }
    let differing: Vec<&Case> = judged.findings.iter().map(|f| &cases[f.case]).collect();
    let there = judge(&mut *whole.executor, &differing)?;
    let own = |n: &usize| there.findings.iter().all(|f| f.case != *n);
    Ok((0..differing.len())
        .find(own)
        .map(|n| Found { rule: judged.findings[n].blame.rule, case: lasting_id(differing[n]) }))
}

impl Row {
    fn new(patch: &Patch, came: Came) -> Row {
        let name = patch.name();
        let number = name.split('-').next().unwrap_or_default().to_owned();
        let title = Mail::parse(&patch.bytes).map_or(name, |mail| mail.subject.title);
        Row { number, title, came }
    }

    /// A line of the table.
    fn line(&self) -> String {
        let patch = format!("{} {}", self.number, self.title.replace('|', "\\|"));
        match &self.came {
            Came::Stays(why) => format!("| {patch} | {why} | | | |"),
            Came::Searched(Search { found: None, took, cases }) => {
                format!("| {patch} | not in {} s | {cases} | | |", took.as_secs())
            }
            Came::Searched(Search { found: Some(found), took, cases }) => {
                let rule = found.rule.map_or_else(String::new, |rule| format!("`{rule}`"));
                let (took, case) = (took.as_secs_f64(), &found.case);
                format!("| {patch} | {took:.1} s | {cases} | {rule} | `{case}` |")
            }
        }
    }
}

/// The table, as Markdown.
pub fn markdown(rows: &[Row]) -> String {
    let head =
        "| patch | found after | cases | by the rule | in the case |\n|---|---|---|---|---|\n";
    rows.iter().fold(head.to_owned(), |text, row| text + &row.line() + "\n")
}

#[cfg(test)]
mod tests {
    use svm_model::cpu::{CpuSet, Platform};
    use svm_model::{model, rules};

    use super::*;
    use crate::exec::{Executor, Ran, platform_of};

    /// The model with rules broken.
    struct Broken(Vec<RuleId>);

    impl Executor for Broken {
        fn platform(&mut self, _: CpuSet) -> Result<Platform> {
            Ok(svm_model::coverage::FULL)
        }

        fn run(
            &mut self,
            cases: &[&Case],
            emit: &mut dyn FnMut(usize, Ran) -> Result<()>,
        ) -> Result<()> {
            for (n, case) in cases.iter().enumerate() {
                let platform = platform_of(&svm_model::coverage::FULL, case);
                let right = model::run(case, &platform);
                let broken = self.0.iter().map(|rule| model::run_broken(case, &platform, *rule));
                let wrong = broken.into_iter().find(|seen| *seen != right);
                emit(n, Ran::of(wrong.unwrap_or(right)))?;
            }
            Ok(())
        }
    }

    fn rule(id: &str) -> RuleId {
        rules::named(id).expect("there is such a rule").0
    }

    fn place(broken: &[RuleId]) -> Place {
        Place { executor: Box::new(Broken(broken.to_vec())), ..Place::model() }
    }

    fn searched(without: &[RuleId], whole: &[RuleId]) -> Search {
        let time = Duration::from_millis(1);
        let request = Request { time, jobs: 1, seed: 3, cases: 400 };
        search(&request, &Pool::default(), &|| Ok(place(without)), &|| Ok(place(whole))).unwrap()
    }

    #[test]
    fn what_is_missing_is_found_and_what_is_wrong_anyway_is_not() {
        let [own, anyway] = ["vmexit.host-cr3", "intercept.cpuid"].map(rule);
        let search = searched(&[own, anyway], &[anyway]);
        assert_eq!(search.found.as_ref().and_then(|f| f.rule), Some(own), "{search:?}");
        assert!(search.cases > 0 && search.found.unwrap().case.contains('@'));
        let search = searched(&[anyway], &[anyway]);
        assert!(search.found.is_none() && search.cases > 0, "{search:?}");
    }

    #[test]
    fn the_table_says_what_came_of_each() {
        let found = Found { rule: Some(rule("vmexit.host-cr3")), case: "crossed/0x1-2@3".into() };
        let search =
            |found| Came::Searched(Search { found, took: Duration::from_millis(2540), cases: 900 });
        let row = |number: &str, came| Row { number: number.into(), title: "a|b".into(), came };
        let rows = [
            row("0001", search(Some(found))),
            row("0002", search(None)),
            row("0003", Came::Stays("later patches change the same lines".into())),
        ];
        expect_test::expect![[r#"
            | patch | found after | cases | by the rule | in the case |
            |---|---|---|---|---|
            | 0001 a\|b | 2.5 s | 900 | `vmexit.host-cr3` | `crossed/0x1-2@3` |
            | 0002 a\|b | not in 2 s | 900 | | |
            | 0003 a\|b | later patches change the same lines | | | |
        "#]]
        .assert_eq(&markdown(&rows));
    }
}
