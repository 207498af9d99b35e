//! `cargo xtask case`.

use std::process::ExitCode;
use std::slice;

use harness::catalogue;
use harness::exec::name::Name;
use harness::exec::render;
use harness::host::console::Verbosity;
use harness::host::out;
use harness::host::wrap::wrapped;
use harness::rule_check::{kept, whole};
use harness::{Env, Kind, Result};
use svm_model::Feature;

use crate::executor::ExecutorArgs;
use crate::show::show;

/// List, show and run single cases
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// The cases, one a line; with -v also who says what must come of each
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
        /// The executor: model, qemu:stock, qemu:patched, qemu:PATH, c:stock, c:patched, or
        /// c:SOURCE:BUILD, QEMU's C code in process, from a source tree and a folder in which it
        /// is configured and built
        #[arg(long, value_name = "EXECUTOR", default_value = "qemu:stock")]
        on: Name,
        #[command(flatten)]
        how: ExecutorArgs,
    },
}

pub(crate) fn run(env: &Env, args: &Args) -> Result<ExitCode> {
    match &args.what {
        What::List { feature, generated, text } => {
            for entry in catalogue::list(*feature, *generated, text.as_deref())? {
                let row = format!("{:<53} {}", entry.case.id, entry.case.feature);
                match env.console.verbosity() {
                    Verbosity::Verbose => {
                        out::line(format_args!("{row:<70} {}", entry.authority()))
                    }
                    _ => out::line(row),
                }
            }
        }
        What::Show { id } => {
            let entry = kept::entry(&env.repo, id)?;
            let outcome = render::outcome(&entry.expected(&catalogue::assumed(&entry.case)));
            let authority = wrapped(&format!("must show ({})", entry.authority()), "  ");
            show(&(render::case(&entry.case) + &authority + &outcome));
        }
        What::Run { id, on, how } => {
            let entry = kept::entry(&env.repo, id)?;
            how.check(env, slice::from_ref(on))?;
            let said = {
                let all = env.console.verbosity() == Verbosity::Verbose;
                whole::held(&entry, &mut *how.open(env, on)?.executor, all)?
            };
            show(&(render::case(&entry.case) + &said.text));
            if !said.good {
                return Ok(ExitCode::from(Kind::Regression.exit_code()));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
