//! `cargo xtask rules`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use harness::catalogue::Entry;
use harness::host::out;
use harness::record::history::History;
use harness::record::results::{self, KnownFailures};
use harness::report::{book, pages};
use harness::suites::conformance::NAME as CONFORMANCE;
use harness::suites::rules::NAME as RULES;
use harness::{Env, Result};
use svm_model::Feature;
use svm_model::cases::{self, SEED};
use svm_model::coverage::Coverage;
use svm_model::rules::{self, Rule, RuleId, Sides, Source};

use crate::given;
use crate::show::show;

/// List the rules, and how many cases reach each; or write them as a book
///
/// Exit code 1 where a rule is not reached on every side that it has.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only those of this feature
    #[arg(long)]
    feature: Option<Feature>,
    /// Only those that no case reaches, or not on every side
    #[arg(long)]
    uncovered: bool,
    /// Also each rule's statement, and what decides it where the manual does not
    #[arg(long)]
    long: bool,
    /// Seed of the random cases
    #[arg(long, default_value_t = SEED)]
    seed: u64,
    /// Write all of them as pages for a browser into this folder, which must hold nothing else:
    /// section by section, each with the line of the model that decides, its cases, and what is
    /// recorded of it on each QEMU; they need no network
    #[arg(long, value_name = "DIR", value_parser = given::folder(), conflicts_with_all = ["feature", "uncovered", "long"])]
    book: Option<PathBuf>,
}

pub(crate) fn run(env: &Env, args: &Args) -> Result<ExitCode> {
    if let Some(dir) = &args.book {
        return write_book(env, dir, args.seed);
    }
    let coverage = Coverage::of(&cases::all(args.seed));
    let (mut listed, mut incomplete, mut text) = (0, 0, String::new());
    for (id, rule) in of_feature(args.feature) {
        let complete = coverage.complete(id, rule);
        incomplete += usize::from(!complete);
        if args.uncovered && complete {
            continue;
        }
        listed += 1;
        text += &row(id, rule, &coverage);
        if args.long {
            text += &detail(rule);
        }
    }
    show(&format!("{text}{listed} rules listed, {incomplete} not reached on every side\n"));
    Ok(ExitCode::from(u8::from(incomplete > 0)))
}

fn write_book(env: &Env, dir: &Path, seed: u64) -> Result<ExitCode> {
    pages::ready(dir)?;
    let folder = results::folder(&env.repo);
    let known = KnownFailures::load(&folder)?;
    let mut sets = results::load_all(&folder)?;
    sets.retain(|set| [RULES, CONFORMANCE].contains(&set.suite.name.as_str()));
    sets.iter_mut().for_each(|set| known.apply(set));
    let generated = cases::all(seed).into_iter().map(|case| Entry { case, written: None });
    let book = book::pages(&env.repo, generated.collect(), &History::of(&sets))?;
    pages::write(dir, &book)?;
    out::path(&dir.join("index.html"));
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn of_feature(
    feature: Option<Feature>,
) -> impl Iterator<Item = (RuleId, &'static Rule)> {
    rules::all().filter(move |(_, rule)| feature.is_none_or(|f| rule.feature == f))
}

fn row(id: RuleId, rule: &Rule, coverage: &Coverage) -> String {
    let (held, failed) = (coverage.held(id), coverage.failed(id));
    let cases = match rule.sides {
        Sides::One => format!("{held}"),
        Sides::Two => format!("{held}/{failed}"),
    };
    let name = format!("{:<15} {:<31} {}", rule.feature.name(), rule.id, rule.section);
    format!("{name:<64} {cases:>11}\n")
}

fn detail(rule: &Rule) -> String {
    match rule.source {
        Source::Manual => format!("    {}\n", rule.statement),
        Source::Silent { decided_by, reasoning } => {
            format!("    {}\n    Decided by {decided_by}: {reasoning}.\n", rule.statement)
        }
    }
}
