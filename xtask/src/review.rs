//! `cargo xtask review`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use harness::host::console::Verbosity;
use harness::host::{cache, visible};
use harness::review::assemble::assemble;
use harness::review::input::Input;
use harness::review::{self, Request, report};
use harness::row::mails::read_folder;
use harness::suites::select::Selection;
use harness::{Env, Error, Kind, Result};

use crate::base::BaseArgs;
use crate::given;
use crate::show::show;
use crate::suites::SuiteArgs;

/// Review a series: apply, checkpatch, build and test it patch by patch
///
/// Exit codes, the first that fits: 10 a patch is missing, damaged or there
/// twice; 11 one does not apply; 4 one does not build; 1 a test gets worse;
/// 13 a test of the series comes before its fix or does not show it; 12
/// checkpatch finds an error; 14 a message says what was not seen; 0 nothing to
/// object. 2, 3, 5 and 6 as for every subcommand.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// An mbox, a folder of patches, or A..B in the checkout that --checkout names
    #[arg(value_name = "INPUT")]
    input: String,
    /// The git checkout that has the range; its start is the base, unless one is named
    #[arg(long, value_name = "DIR")]
    checkout: Option<PathBuf>,
    #[command(flatten)]
    base: BaseArgs,
    /// Review it on stock QEMU, or on top of the series of this repository
    #[arg(long, value_enum, default_value_t = On::Stock, value_name = "WHAT")]
    on_top_of: On,
    #[command(flatten)]
    suites: SuiteArgs,
    /// Only this suite (may be given several times)
    #[arg(long, value_name = "SUITE", value_parser = given::suite())]
    suite: Vec<String>,
    /// Only this test, TEST or UNIT/TEST, or pattern (may be given several times)
    #[arg(long, value_name = "PATTERN")]
    test: Vec<String>,
    /// Run all tests at every patch, not only where something changed
    #[arg(long)]
    every: bool,
    /// Run the suites even if the series touches nothing that they test
    #[arg(long)]
    always: bool,
    /// Do not hold QEMU to the model's rules with the generated cases
    #[arg(long)]
    no_rules: bool,
    /// Also say which of the changed lines of target/i386 run; builds QEMU once more, with counters
    #[arg(long)]
    lines: bool,
    /// Take numbers that the newest version lacks from the version before it
    #[arg(long)]
    reroll: bool,
    /// Build and run what was sent without a sandbox, with all that you may do
    #[arg(long)]
    no_sandbox: bool,
    /// Seconds that a build in the sandbox may do nothing
    #[arg(long, value_name = "SECONDS", default_value_t = 120,
          value_parser = clap::value_parser!(u32).range(1..))]
    patience: u32,
    /// Attempts at each test
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeat: u32,
    /// Write a reply to the list to this file
    #[arg(long, value_name = "FILE", value_parser = given::file())]
    markdown: Option<PathBuf>,
    /// Write everything to this file as JSON
    #[arg(long, value_name = "FILE", value_parser = given::file())]
    json: Option<PathBuf>,
    /// Write a page to this folder
    #[arg(long, value_name = "DIR", value_parser = given::folder())]
    html: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum On {
    Stock,
    Ours,
}

pub(crate) fn run(env: &Env, args: &Args) -> Result<ExitCode> {
    given::apart(&[("--json", &args.json), ("--markdown", &args.markdown)])?;
    let input = Input::parse(&args.input, args.checkout.as_deref())?;
    args.suites.check(env, &args.suite)?;
    let assembled = assemble(input.read()?, args.reroll);
    let source = review::base(env, &input, &args.base.request())?;
    let before = match args.on_top_of {
        On::Stock => Vec::new(),
        On::Ours => read_folder(&env.series_dir(&source.major_minor()))?,
    };
    let base = match before.len() {
        0 => format!("stock QEMU {}", source.version),
        n => format!("QEMU {} with our {n} patches", source.version),
    };
    let (suites, tests) = (args.suite.clone(), args.test.clone());
    let request = Request {
        name: input.name(),
        assembled,
        source,
        before,
        base,
        selection: Selection { suites, tests, ..Selection::default() },
        repeat: args.repeat,
        always: args.always,
        every: args.every,
        rules: !args.no_rules,
        lines: args.lines,
    };
    let mut lab = args.suites.lab(env);
    if !args.no_sandbox {
        let patience = Duration::from_secs(args.patience.into());
        lab = lab.with_strangers_behind(request.before.len(), patience);
    }
    let mut review = review::review(env, &mut lab, &request)?;
    review.absent = lab.absent().to_vec();
    if let Some(path) = &args.markdown {
        cache::write_named(path, visible::lines(&report::markdown(&review)).as_bytes())?;
    }
    if let Some(path) = &args.json {
        let text = serde_json::to_vec_pretty(&review).map_err(|e| {
            Error::new(Kind::Harness, format!("writing {}", path.display())).because(e)
        })?;
        cache::write_named(path, &text)?;
    }
    if let Some(dir) = &args.html {
        cache::write_atomic(&dir.join("index.html"), report::html(&review)?.as_bytes())?;
    }
    let all = env.console.verbosity() == Verbosity::Verbose;
    show(&if all { report::text(&review) } else { report::brief(&review) });
    Ok(ExitCode::from(review.outcome().exit_code()))
}
