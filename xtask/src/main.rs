//! `cargo xtask`: flags, dispatch, printing. No logic of its own.
//!
//! A new subcommand is one file here, one variant of [`Command`] and one arm of
//! the `match` in [`run`].

#![forbid(unsafe_code)]
// Standard output goes through one door, which knows when it is closed.
#![deny(clippy::print_stdout)]

mod base;
mod bench;
mod binaries;
mod bisect;
mod build;
mod case;
mod ci;
mod ci_config;
mod confine;
mod conform;
mod coverage;
mod doctor;
#[cfg(test)]
mod documents;
mod example;
mod executor;
mod explain;
mod given;
mod hostile;
mod layout;
mod merge;
mod mutate;
mod package;
mod qemu_tests;
#[cfg(test)]
mod refusals;
mod report;
mod review;
mod rules;
mod series;
mod show;
mod soak;
mod source;
mod suites;
mod test_svm;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgAction, Args, Parser, Subcommand};
use harness::host::cache::Cache;
use harness::host::console::{Console, Verbosity};
use harness::host::env;
use harness::host::{interrupt, out};
use harness::{Env, Result};

/// QEMU TCG's AMD SVM against an executable specification.
///
/// Exit codes: 0 as recorded or better, 1 regression, 2 usage, 3 set-up,
/// 4 build, 5 nothing ran, 6 the harness itself failed, 130 interrupted.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 80)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Flags of every subcommand.
#[derive(Args)]
struct Global {
    /// Where sources and builds are kept [default: $XDG_CACHE_HOME/qemu-svm or ~/.cache/qemu-svm]
    #[arg(long, global = true, env = "SVM_CACHE", value_name = "DIR", hide_env_values = true)]
    cache: Option<PathBuf>,
    /// Never install system packages; say what is missing and stop
    #[arg(long, global = true)]
    no_install: bool,
    /// Say less: errors and results only
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Say more: also the commands that are run
    #[arg(long, short, global = true, action = ArgAction::SetTrue)]
    verbose: bool,
}

#[derive(Subcommand)]
enum Command {
    Doctor(doctor::Args),
    Source(source::Args),
    Build(build::Args),
    Layout(layout::Args),
    Package(package::Args),
    Case(case::Args),
    Explain(explain::Args),
    Example(example::Args),
    Watch(watch::Args),
    Conform(Box<conform::Args>),
    Soak(soak::Args),
    Coverage(coverage::Args),
    Hostile(Box<hostile::Args>),
    Rules(rules::Args),
    Mutate(mutate::Args),
    Bench(Box<bench::Args>),
    Series(series::Args),
    Bisect(bisect::Args),
    Review(Box<review::Args>),
    TestSvm(Box<test_svm::Args>),
    QemuTests(Box<qemu_tests::Args>),
    Merge(merge::Args),
    Report(report::Args),
    Ci(ci::Args),
    CiConfig(ci_config::Args),
    #[command(hide = true)]
    Confine(confine::Args),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => return ExitCode::from(show::usage(&e)),
    };
    let done = match cli.command {
        // It is what was started: nothing is set up for it.
        Command::Confine(args) => confine::run(&args),
        command => surroundings(&cli.global).and_then(|env| run(&env, command)),
    };
    let code = match &done {
        Ok(code) => *code,
        Err(e) => told(e),
    };
    match out::failure() {
        Some(e) if done.is_ok() => told(&e),
        _ => code,
    }
}

fn told(e: &harness::Error) -> ExitCode {
    show::complain(e);
    ExitCode::from(e.kind().exit_code())
}

fn run(env: &Env, command: Command) -> Result<ExitCode> {
    match command {
        Command::Doctor(args) => doctor::run(env, &args),
        Command::Source(args) => source::run(env, &args),
        Command::Build(args) => build::run(env, &args),
        Command::Layout(args) => layout::run(env, &args),
        Command::Package(args) => package::run(env, &args),
        Command::Case(args) => case::run(env, &args),
        Command::Explain(args) => explain::run(&args),
        Command::Example(args) => example::run(env, &args),
        Command::Watch(args) => watch::run(env, args),
        Command::Conform(args) => conform::run(env, &args),
        Command::Soak(args) => soak::run(env, &args),
        Command::Coverage(args) => coverage::run(env, &args),
        Command::Hostile(args) => hostile::run(env, &args),
        Command::Rules(args) => rules::run(env, &args),
        Command::Mutate(args) => mutate::run(env, &args),
        Command::Bench(args) => bench::run(env, &args),
        Command::Series(args) => series::run(env, &args),
        Command::Bisect(args) => bisect::run(env, &args),
        Command::Review(args) => review::run(env, &args),
        Command::TestSvm(args) => test_svm::run(env, &args),
        Command::QemuTests(args) => qemu_tests::run(env, &args),
        Command::Merge(args) => merge::run(env, &args),
        Command::Report(args) => report::run(env, &args),
        Command::Ci(args) => ci::run(env, &args),
        Command::CiConfig(args) => ci_config::run(env, &args),
        Command::Confine(args) => confine::run(&args),
    }
}

fn surroundings(global: &Global) -> Result<Env> {
    interrupt::listen()?;
    let verbosity = match (global.quiet, global.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Normal,
    };
    // cargo sets the variable at run time; the compiled-in path serves a bare binary.
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let here = here.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Ok(Env {
        repo: env::find_repo(&here)?,
        cache: Cache::open(global.cache.as_deref())?,
        install: !global.no_install,
        console: Console::new(verbosity),
    })
}
