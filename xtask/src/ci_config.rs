//! `cargo xtask ci-config`.

use std::process::ExitCode;

use harness::ci::pipeline::{self, Request, System};
use harness::host::out;
use harness::qemu::source::pins::Pins;
use harness::{Env, Result};

use crate::given;

/// Print a pipeline that builds once, measures in shards on several machines,
/// and merges
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What reads it: gitlab
    #[arg(value_name = "SYSTEM")]
    system: System,
    /// Machines that measure
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=200))]
    shards: u32,
    /// The image of every job: a Rust toolchain on Debian
    #[arg(long, value_name = "IMAGE", default_value = "rust:1-bookworm", value_parser = image)]
    image: String,
    /// The pinned version [default: the newest]
    #[arg(long, value_name = "VERSION", value_parser = given::base)]
    base: Option<String>,
}

/// The name of an image goes into the file as it is.
fn image(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/@".contains(c);
    let is_name = !text.is_empty() && text.chars().all(plain);
    is_name.then(|| text.to_owned()).ok_or_else(|| "no name of an image".to_owned())
}

pub(crate) fn run(env: &Env, args: &Args) -> Result<ExitCode> {
    let version = Pins::builtin()?.base(args.base.as_deref())?.version.clone();
    let mut parts = version.split('.');
    let branch: Vec<&str> = parts.by_ref().take(2).collect();
    let request = Request {
        base: args.base.clone(),
        series: env.series_dir(&branch.join(".")),
        shards: args.shards,
        image: args.image.clone(),
    };
    out::write(&pipeline::pipeline(args.system, &request)?);
    Ok(ExitCode::SUCCESS)
}
