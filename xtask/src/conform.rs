//! `cargo xtask conform`.

use std::path::PathBuf;
use std::process::ExitCode;

use harness::exec::name::Name;
use harness::host::cache;
use harness::host::console::Verbosity;
use harness::host::out;
use harness::record::results::{self, KnownFailures};
use harness::rule_check::{self, Choice, json, kept, markdown, text, whole};
use harness::{Env, Kind, Result};
use svm_model::rules::RuleId;
use svm_model::{Feature, cases};

use crate::executor::{ExecutorArgs, Former};
use crate::given;
use crate::show::show;

/// Hold executors to the model: differences by rule, each with a small case
///
/// The generated cases run on a QEMU with the conformance guest (qemu:…) and on
/// QEMU's C code in process (c:…). Exit code 1 where something differs that is
/// not among the known failures.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The executors, one after the other: qemu:patched, qemu:stock, qemu:PATH, c:patched, c:stock,
    /// c:SOURCE:BUILD, model
    #[arg(
        long,
        alias = "executor",
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "qemu:patched"
    )]
    on: Vec<Name>,
    #[command(flatten)]
    how: ExecutorArgs,
    #[command(flatten)]
    former: Former,

    /// Only cases of this feature
    #[arg(long)]
    feature: Option<Feature>,
    /// Only these cases, by id or pattern: ids of any seed, run in this order; one id alone is shown
    /// in full
    #[arg(long, value_name = "ID")]
    case: Vec<String>,
    /// Seed of the random cases
    #[arg(long, default_value_t = cases::SEED)]
    seed: u64,
    /// How many random cases
    #[arg(long, value_name = "N", default_value_t = cases::random::COUNT as u32,
          value_parser = given::cases())]
    cases: u32,
    /// Leave the example of each rule as large as it was found
    #[arg(long)]
    no_shrink: bool,

    /// Write the differences to this file as JSON
    #[arg(long, value_name = "FILE", value_parser = given::file(), help_heading = "Output")]
    json: Option<PathBuf>,
    /// Write tables to this file: what kvm-unit-tests finds, and what it does not
    #[arg(long, value_name = "FILE", value_parser = given::file(), help_heading = "Output")]
    markdown: Option<PathBuf>,
    /// Keep the example of each rule in svm-model/kept, where none is kept yet
    #[arg(long, help_heading = "Output", conflicts_with = "no_shrink")]
    keep: bool,
    /// Run nothing: take the model's word for what kept cases must show
    #[arg(long, help_heading = "Output")]
    bless: bool,
}

pub(crate) fn run(env: &Env, args: &Args) -> Result<ExitCode> {
    args.former.refuse()?;
    given::apart(&[("--json", &args.json), ("--markdown", &args.markdown)])?;
    if args.bless {
        for path in kept::bless(&env.repo)? {
            out::line(format_args!("blessed {}", path.display()));
        }
        return Ok(ExitCode::SUCCESS);
    }
    args.how.check(env, &args.on)?;
    if let [id] = args.case.as_slice()
        && !rule_check::is_pattern(id)
        && (&args.json, &args.markdown) == (&None, &None)
    {
        return in_full(env, args, id);
    }
    let cases = args.choice().cases(&env.repo)?;
    let known = KnownFailures::load(&results::folder(&env.repo))?;
    let mut sides = Vec::new();
    let mut news = 0;
    for name in &args.on {
        let mut place = args.how.open(env, name)?;
        let side = rule_check::run(&mut place, &cases, !args.no_shrink, &env.console)?;
        let reason =
            |rule: RuleId| known.of_rule(place.kind, &place.build, rule).map(ToOwned::to_owned);
        let all = env.console.verbosity() == Verbosity::Verbose;
        show(&if all {
            text::side(&side, &cases, &reason)
        } else {
            text::brief(&side, &cases, &reason)
        });
        news += side.news(&reason);
        if args.keep {
            for path in kept::keep(&env.repo, side.groups.iter().map(|g| &g.example))? {
                out::line(format_args!("kept {}", path.display()));
            }
        }
        sides.push(side);
    }
    if let Some(path) = &args.json {
        cache::write_named(path, json::json(&sides, &cases)?.as_bytes())?;
    }
    if let Some(path) = &args.markdown {
        let tables = sides.iter().map(markdown::tables).collect::<Result<Vec<_>>>()?;
        cache::write_named(path, tables.join("\n").as_bytes())?;
    }
    Ok(code(news == 0))
}

/// One case on every executor that was asked for.
fn in_full(env: &Env, args: &Args, id: &str) -> Result<ExitCode> {
    let case = kept::find(&env.repo, id)?;
    let places = args.on.iter().map(|name| args.how.open(env, name));
    let all = env.console.verbosity() == Verbosity::Verbose;
    let said = whole::whole(&case, &mut places.collect::<Result<Vec<_>>>()?, all)?;
    show(&said.text);
    Ok(code(said.good))
}

impl Args {
    fn choice(&self) -> Choice {
        Choice {
            feature: self.feature,
            ids: self.case.clone(),
            seed: Some(self.seed),
            walks: Some(self.cases as usize),
        }
    }
}

fn code(good: bool) -> ExitCode {
    ExitCode::from(if good { 0 } else { Kind::Regression.exit_code() })
}
