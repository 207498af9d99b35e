//! `cargo xtask case`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use harness::catalogue::{self, Entry};
use harness::exec::boot::Machine;
use harness::exec::c::{self, InProcess};
use harness::exec::executor::{LIMIT, QemuExecutor, Ran};
use harness::exec::{guest, render};
use harness::qemu::build::{self, Flavour, Spec, patch};
use harness::qemu::source;
use harness::{Env, Error, Kind, Result};
use svm_model::{Feature, compare, model};

use crate::base::BaseArgs;

/// List, show and run single cases
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// The cases, one a line
    List {
        /// Only those of this feature
        #[arg(long)]
        feature: Option<Feature>,
        /// Also the generated ones, of which the model alone says something
        #[arg(long)]
        generated: bool,
        /// Only those whose id contains this
        text: Option<String>,
    },
    /// One case, and what must come of it
    Show {
        /// The case
        id: String,
    },
    /// Runs one case, and shows what came of it beside what must; exit code 1 where they differ
    Run {
        /// The case
        id: String,
        /// model, qemu:stock, qemu:patched, qemu:PATH, or c:SOURCE:BUILD, QEMU's C code in
        /// process, from a source tree and a folder in which it is configured and built
        #[arg(long, default_value = "qemu:stock")]
        on: On,
        /// QEMU's accelerator: tcg, or kvm on an AMD host with nested virtualisation
        #[arg(long, default_value = "tcg")]
        accel: String,
        #[command(flatten)]
        base: BaseArgs,
    },
}

#[derive(Clone)]
enum On {
    Model,
    Stock,
    Patched,
    Binary(PathBuf),
    C { source: PathBuf, build: PathBuf },
}

impl FromStr for On {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "model" => Ok(On::Model),
            "qemu" | "qemu:stock" => Ok(On::Stock),
            "qemu:patched" => Ok(On::Patched),
            other => other_place(other).ok_or_else(|| {
                "one of model, qemu:stock, qemu:patched, qemu:PATH, c:SOURCE:BUILD".into()
            }),
        }
    }
}

/// `qemu:PATH` or `c:SOURCE:BUILD`.
fn other_place(s: &str) -> Option<On> {
    if let Some(path) = s.strip_prefix("qemu:") {
        return (!path.is_empty()).then(|| On::Binary(path.into()));
    }
    let (source, build) = s.strip_prefix("c:")?.split_once(':')?;
    Some(On::C { source: source.into(), build: build.into() })
}

pub(crate) fn run(env: &Env, args: &Args) -> Result<ExitCode> {
    match &args.what {
        What::List { feature, generated, text } => list(*feature, *generated, text.as_deref()),
        What::Show { id } => show(&catalogue::find(id)?),
        What::Run { id, on, accel, base } => {
            let entry = catalogue::find(id)?;
            print!("{}", render::case(&entry.case));
            match on {
                On::Model => on_model(&entry),
                On::C { source, build } => {
                    let program = c::build(env, source, build)?;
                    on_qemu(&entry, QemuExecutor::in_process(InProcess { program, limit: LIMIT }))
                }
                on => on_qemu(&entry, QemuExecutor::new(machine(env, on, accel, base)?)),
            }
        }
    }
}

fn list(feature: Option<Feature>, generated: bool, text: Option<&str>) -> Result<ExitCode> {
    let wanted = |e: &Entry| {
        feature.is_none_or(|f| e.case.feature == f) && text.is_none_or(|t| e.case.id.contains(t))
    };
    let more = generated.then(catalogue::generated).into_iter().flatten();
    let entries: Vec<Entry> = catalogue::all().into_iter().chain(more).filter(wanted).collect();
    for entry in &entries {
        println!("{:<48} {:<16} {}", entry.case.id, entry.case.feature, entry.authority());
    }
    if entries.is_empty() {
        return Err(Error::new(Kind::NothingRan, "no such case"));
    }
    Ok(ExitCode::SUCCESS)
}

fn show(entry: &Entry) -> Result<ExitCode> {
    print!("{}", render::case(&entry.case));
    println!("  must show ({})", entry.authority());
    print!("{}", render::outcome(&entry.expected(&catalogue::assumed(&entry.case))));
    Ok(ExitCode::SUCCESS)
}

fn on_model(entry: &Entry) -> Result<ExitCode> {
    let platform = catalogue::assumed(&entry.case);
    let observed = model::run(&entry.case, &platform);
    Ok(verdict(entry, &entry.expected(&platform), &observed))
}

fn machine(env: &Env, on: &On, accel: &str, base: &BaseArgs) -> Result<Machine> {
    let (qemu, firmware) = match on {
        On::Binary(path) => (path.clone(), Vec::new()),
        _ => {
            let source = source::obtain(env, &base.request())?;
            let patches = match on {
                On::Patched => patch::series(&env.series_dir(&source.major_minor()))?,
                _ => Vec::new(),
            };
            let built = build::build(env, &Spec { source, patches, flavour: Flavour::Release })?;
            (built.path, built.firmware)
        }
    };
    let guest = guest::build(&env.repo)?;
    Ok(Machine { qemu, accel: accel.to_owned(), firmware, guest, limit: LIMIT })
}

fn on_qemu(entry: &Entry, mut executor: QemuExecutor) -> Result<ExitCode> {
    let platform = executor.platform(entry.case.cpu.without)?;
    let expected = entry.expected(&platform);
    let mut code = ExitCode::FAILURE;
    executor.run(&[&entry.case], &mut |_, ran| {
        match ran.expecting(&expected) {
            Ran::Outcome(observed) => code = verdict(entry, &expected, &observed),
            Ran::Skipped(lacking) => {
                println!("  skipped: this CPU lacks {lacking:?}");
                code = ExitCode::SUCCESS;
            }
            Ran::Crashed(why, seen) => println!("  crash: {why}\n{}", render::outcome(&seen)),
            Ran::TimedOut(why, seen) => println!("  timeout: {why}\n{}", render::outcome(&seen)),
            Ran::Killed(signal) => println!("  QEMU was killed by signal {signal}"),
        }
        Ok(())
    })?;
    Ok(code)
}

fn verdict(
    entry: &Entry,
    expected: &svm_model::Outcome,
    observed: &svm_model::Outcome,
) -> ExitCode {
    let differences = compare(expected, observed);
    println!("  came of it ({})", entry.authority());
    print!("{}", render::side_by_side(expected, observed));
    match differences.first() {
        None => {
            println!("  as it must be");
            ExitCode::SUCCESS
        }
        Some(first) => {
            println!("  {} differences, the first: {first}", differences.len());
            ExitCode::from(Kind::Regression.exit_code())
        }
    }
}
