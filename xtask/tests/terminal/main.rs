//! `cargo xtask` at a terminal of 80 columns: what it prints fits, and what can be seen to be
//! wrong is refused before anything is done.

mod early;
mod width;

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

/// The columns that everything has to fit.
const WIDTH: usize = 80;

/// Runs `xtask` in this checkout with `cache`: the exit code, and what it printed.
fn xtask(cache: &Path, path: Option<&OsStr>, args: &[String]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("--cache").arg(cache).arg("--no-install").args(args).stdin(Stdio::null());
    command.env("CARGO_MANIFEST_DIR", env!("CARGO_MANIFEST_DIR")).env("COLUMNS", "200");
    command.env_remove("KVM_UNIT_TESTS").env("GIT_ALLOW_PROTOCOL", "file");
    if let Some(path) = path {
        command.env("PATH", path);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap(), said.into_owned())
}

/// The arguments of a command as one types it.
fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// Lines that are too wide though they could be broken.
fn too_wide(text: &str) -> Vec<&str> {
    let wide = |line: &&str| line.chars().count() > WIDTH;
    text.lines().filter(wide).filter(|line| line.trim().contains(' ')).collect()
}
