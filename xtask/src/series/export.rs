//! `cargo xtask series export`.

use std::path::PathBuf;
use std::process::ExitCode;

use harness::host::out;
use harness::record::results;
use harness::series::export::{self, Request};
use harness::{Env, Result};

use super::Which;
use crate::given;

/// Write the series as mails, with a cover letter that shows the results
///
/// Read QEMU's code-provenance policy (docs/devel/code-provenance.rst) before
/// you sign off and send. The cover letter's text is cover.txt beside the
/// patches; its table comes from results/.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// Where the files go
    #[arg(long, short, value_name = "DIR", default_value = "out/series",
          value_parser = given::folder())]
    output_directory: PathBuf,
    /// The version of the series, as in [PATCH v2]
    #[arg(long, short = 'V', value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..))]
    reroll_count: u32,
    /// Add your Signed-off-by, as git knows you
    #[arg(long, short)]
    signoff: bool,
    /// A commit of this repository that was sent before: notes what changed
    #[arg(long, value_name = "REVISION")]
    since_revision: Option<String>,
    /// Leave out To and Cc
    #[arg(long)]
    no_recipients: bool,
}

pub(crate) fn run(env: &Env, args: &Args) -> Result<ExitCode> {
    let series = args.which.series(env)?;
    let user = export::git_user(&env.repo);
    let signoff = if args.signoff { Some(user.as_ref().map_err(again)?.clone()) } else { None };
    let request = Request {
        version: args.reroll_count,
        signoff,
        sender: user.unwrap_or_else(|_| "*** your name and address ***".into()),
        since: args.since_revision.clone(),
        recipients: !args.no_recipients,
        directory: args.output_directory.clone(),
    };
    export::ready(&env.repo, &series, &request)?;
    let source = args.which.source(env)?;
    let measured = results::load_all(&results::folder(&env.repo))?;
    let files = export::export(&env.repo, &series, &source, &measured, &request)?;
    for file in &files {
        out::path(file);
    }
    Ok(ExitCode::SUCCESS)
}

/// The same error once more: the one above is only borrowed.
fn again(e: &harness::Error) -> harness::Error {
    harness::Error::new(e.kind(), e.to_string())
}
