//! `cargo xtask report`.

use std::process::ExitCode;

use harness::{Env, Error, Kind, Result, report, results};

/// Print the matrix of the recorded results
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only this suite
    #[arg(long, value_name = "SUITE")]
    suite: Option<String>,
    /// Only this build, such as stock-10.2.2 (may be given several times)
    #[arg(long = "build", value_name = "BUILD")]
    builds: Vec<String>,
}

pub(crate) fn run(env: &Env, args: &Args) -> Result<ExitCode> {
    let folder = results::folder(&env.repo);
    let mut sets = results::load_all(&folder)?;
    sets.retain(|set| args.suite.as_ref().is_none_or(|s| *s == set.suite.name));
    sets.retain(|set| args.builds.is_empty() || args.builds.contains(&set.build.name));
    if sets.is_empty() {
        let what = format!("nothing of that kind is recorded in {}", folder.display());
        return Err(Error::new(Kind::NothingRan, what)
            .hint("`cargo xtask test-svm --record` measures and records"));
    }
    print!("{}", report::recorded(&sets));
    Ok(ExitCode::SUCCESS)
}
