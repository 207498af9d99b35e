//! `cargo xtask conform`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use harness::catalogue;
use harness::exec::executor::{QemuExecutor, Ran};
use harness::exec::place;
use harness::host::cache;
use harness::qemu::build::{Flavour, Spec, patch};
use harness::qemu::source;
use harness::qemu::{Qemu, Side};
use harness::record::results::{self, KnownFailures};
use harness::rule_check::{self, Choice, json, kept, markdown, text};
use harness::suites::TestId;
use harness::suites::rules as rule_suite;
use harness::{Env, Error, Kind, Result, Verdict};
use svm_model::model::{self, Trace};
use svm_model::outcome::Outcome;
use svm_model::rules::RuleId;
use svm_model::{Feature, cases};

use crate::base::BaseArgs;

/// Hold executors to the model: differences by rule, each with a small case
///
/// The generated cases run on QEMU's C code in process (c) and on a QEMU with
/// the conformance guest (qemu). Exit code 1 where something differs that is not
/// among the known failures.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// model, c, qemu: which executors; the model always is what they are held to
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "qemu")]
    executor: Vec<Executor>,
    /// QEMU as released; with --patched, one after the other
    #[arg(long)]
    stock: bool,
    /// QEMU with the series (the default)
    #[arg(long)]
    patched: bool,
    #[command(flatten)]
    base: BaseArgs,
    /// A binary to use instead of building one
    #[arg(long, value_name = "PATH")]
    qemu: Option<PathBuf>,
    /// QEMU's accelerator: tcg, or kvm on an AMD host with nested virtualisation
    #[arg(long, default_value = "tcg")]
    accel: String,

    /// Only cases of this feature
    #[arg(long)]
    feature: Option<Feature>,
    /// Only these cases, by id or pattern; one id alone is shown in full
    #[arg(long, value_name = "ID")]
    case: Vec<String>,
    /// Seed of the random cases
    #[arg(long, default_value_t = cases::SEED)]
    seed: u64,
    /// How many random cases
    #[arg(long, value_name = "N", default_value_t = cases::random::COUNT)]
    cases: usize,
    /// Leave the example of each rule as large as it was found
    #[arg(long)]
    no_shrink: bool,

    /// Write the differences to this file as JSON
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    json: Option<PathBuf>,
    /// Write tables to this file: what kvm-unit-tests finds, and what it does not
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    markdown: Option<PathBuf>,
    /// Keep the example of each rule in svm-model/kept, where none is kept yet
    #[arg(long, help_heading = "Output", conflicts_with = "no_shrink")]
    keep: bool,
    /// Run nothing: take the model's word for what kept cases must show
    #[arg(long, help_heading = "Output")]
    bless: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Executor {
    Model,
    C,
    Qemu,
}

pub(crate) fn run(env: &Env, args: &Args) -> Result<ExitCode> {
    if args.bless {
        for path in kept::bless(&env.repo)? {
            println!("blessed {}", path.display());
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let [id] = args.case.as_slice()
        && !id.contains(['*', '?'])
    {
        return whole(env, args, id);
    }
    let choice = Choice {
        feature: args.feature,
        ids: args.case.clone(),
        seed: Some(args.seed),
        walks: Some(args.cases),
    };
    let cases = choice.cases()?;
    let known = KnownFailures::load(&results::folder(&env.repo))?;
    let mut sides = Vec::new();
    let mut news = 0;
    for One { name, build, mut executor } in executors(env, args)? {
        let side =
            rule_check::run(&format!("{name} {build}"), &mut executor, &cases, !args.no_shrink)?;
        let reason = |rule: RuleId| {
            let config = if name == "qemu" { rule_suite::NAME } else { name };
            let test = rule.to_string();
            let id = TestId { suite: rule_suite::NAME.into(), config: config.into(), test };
            known.find(&build, &id, Verdict::Fail, None).map(|k| k.reason.clone())
        };
        print!("{}", text::side(&side, &reason));
        news += side.groups.iter().filter(|g| g.rule.and_then(reason).is_none()).count();
        if args.keep {
            for path in kept::keep(&env.repo, side.groups.iter().map(|g| &g.example))? {
                println!("kept {}", path.display());
            }
        }
        sides.push(side);
    }
    if let Some(path) = &args.json {
        cache::write_atomic(path, json::json(&sides, &cases)?.as_bytes())?;
    }
    if let Some(path) = &args.markdown {
        let tables = sides.iter().map(markdown::tables).collect::<Result<Vec<_>>>()?;
        cache::write_atomic(path, tables.join("\n").as_bytes())?;
    }
    Ok(ExitCode::from(if news > 0 { Kind::Regression.exit_code() } else { 0 }))
}

/// One case on every executor that was asked for.
fn whole(env: &Env, args: &Args, id: &str) -> Result<ExitCode> {
    let case = match kept::load(&env.repo)?.into_iter().find(|(_, k)| k.case.id == id) {
        Some((_, kept)) => kept.case,
        None => catalogue::find(id)?.case,
    };
    let mut seen: Vec<(String, Outcome, Option<String>)> = Vec::new();
    let mut platform = catalogue::assumed(&case);
    for One { name, build, mut executor } in executors(env, args)? {
        let name = format!("{name} {build}");
        platform = executor.platform(case.cpu.without)?;
        executor.run(&[&case], &mut |_, ran| {
            seen.push(match ran {
                Ran::Outcome(outcome) => (name.clone(), outcome, None),
                Ran::Crashed(why, outcome) | Ran::TimedOut(why, outcome) => {
                    (name.clone(), outcome, Some(why))
                }
                Ran::Skipped(lacking) => {
                    (name.clone(), Outcome::default(), Some(format!("lacks {lacking:?}")))
                }
                Ran::Killed(signal) => {
                    (name.clone(), Outcome::default(), Some(format!("killed by signal {signal}")))
                }
            });
            Ok(())
        })?;
    }
    let mut trace = Trace::new(None);
    let expected = model::run_traced(&case, &platform, &mut trace);
    let rules: Vec<String> = trace.held.iter().map(|r| r.to_string()).collect();
    print!("{}", text::whole(&case, &expected, &rules, &seen));
    let same = |(_, outcome, ended): &(String, Outcome, Option<String>)| {
        ended.is_none() && svm_model::compare(&expected, outcome).is_empty()
    };
    Ok(ExitCode::from(if seen.iter().all(same) { 0 } else { Kind::Regression.exit_code() }))
}

/// One executor on one build.
struct One {
    /// `c` or `qemu`.
    name: &'static str,
    /// As the folder under `results/`.
    build: String,
    executor: QemuExecutor,
}

/// The executors that were asked for.
fn executors(env: &Env, args: &Args) -> Result<Vec<One>> {
    let wants = |e| args.executor.contains(&e);
    let mut sides = Vec::new();
    if args.stock {
        sides.push(Side::Stock);
    }
    if args.patched || !args.stock {
        sides.push(Side::Patched);
    }
    if args.qemu.is_some() && (sides.len() > 1 || wants(Executor::C)) {
        let what = "--qemu names one binary: it has one side, and no sources for c";
        return Err(Error::new(Kind::Usage, what));
    }
    let mut out = Vec::new();
    for side in sides {
        if let Some(path) = &args.qemu {
            let qemu = Qemu::inspect(side, path)?;
            if wants(Executor::Qemu) {
                let executor = place::qemu(env, &qemu, &args.accel)?;
                out.push(One { name: "qemu", build: qemu.build.name, executor });
            }
            continue;
        }
        let spec = spec(env, args, side)?;
        let build = format!("{side}-{}", spec.source.version);
        if wants(Executor::C) {
            out.push(One { name: "c", build: build.clone(), executor: place::c(env, &spec)? });
        }
        if wants(Executor::Qemu) {
            let qemu = Qemu::built(side, &harness::qemu::build::build(env, &spec)?)?;
            let executor = place::qemu(env, &qemu, &args.accel)?;
            out.push(One { name: "qemu", build, executor });
        }
    }
    Ok(out)
}

fn spec(env: &Env, args: &Args, side: Side) -> Result<Spec> {
    let source = source::obtain(env, &args.base.request())?;
    let patches = match side {
        Side::Stock => Vec::new(),
        Side::Patched => patch::series(&env.series_dir(&source.major_minor()))?,
    };
    Ok(Spec { source, patches, flavour: Flavour::Release })
}
