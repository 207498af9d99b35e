//! `cargo xtask ci`: every check, in the order in which they cost time.
//!
//! A step is a command; a new check is one entry of [`steps`].

pub mod pipeline;

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use crate::host::error::Context;
use crate::host::process;
use crate::host::setup::{self, Need};
use crate::host::{interrupt, out};
use crate::{Env, Error, Kind, Result};

/// One check.
#[derive(Debug)]
pub struct Step {
    /// Its name, for `--only` and the summary.
    pub name: &'static str,
    /// What it must not run without.
    pub after: Option<&'static str>,
    command: Command,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it should.
    Ok,
    /// With this exit code.
    Failed(u8),
    /// Not run, because what it needs failed.
    Left,
}

/// The steps, each run with this project's `cargo` and our own binary `xtask`.
pub fn steps(env: &Env, xtask: &Path) -> Vec<Step> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let step = |name, after, program: &OsString, args: &[&str]| {
        let mut command = Command::new(program);
        command.args(args).current_dir(&env.repo);
        Step { name, after, command }
    };
    let own = |name, after, args: &[&str]| {
        let mut step = step(name, after, &xtask.as_os_str().to_owned(), args);
        step.command.arg("--cache").arg(env.cache.root());
        step.command.args((!env.install).then_some("--no-install"));
        step
    };
    let (guest, linux) = ("harness/guest/Cargo.toml", "harness/linux/Cargo.toml");
    let example = "harness/example/Cargo.toml";
    let (cexec, no_std) = ("harness/cexec/Cargo.toml", "svm-model/no-std/Cargo.toml");
    let given = |name, args| {
        let mut step = own(name, Some("patched"), &["build", "patched"]);
        step.command = given(&step.command, &cargo, args);
        step
    };
    let bare_metal = |name, folder, args| {
        let mut step = step(name, None, &cargo, args);
        step.command.current_dir(env.repo.join(folder));
        step
    };
    let mut doc = step("doc", None, &cargo, &DOC);
    doc.command.env("RUSTDOCFLAGS", "-D warnings");
    let conformance = |name, after, side| {
        own(name, after, &["test-svm", "--suite", "conformance", "--only", side])
    };
    vec![
        step("fmt", None, &cargo, &["fmt", "--all", "--check"]),
        step("fmt-features", None, &"sh".into(), &FMT_FEATURES),
        step("fmt-guest", None, &cargo, &["fmt", "--manifest-path", guest, "--check"]),
        step("fmt-example", None, &cargo, &["fmt", "--manifest-path", example, "--check"]),
        step("fmt-cexec", None, &cargo, &["fmt", "--manifest-path", cexec, "--check"]),
        step("fmt-linux", None, &cargo, &["fmt", "--manifest-path", linux, "--check"]),
        step("fmt-no-std", None, &cargo, &["fmt", "--manifest-path", no_std, "--check"]),
        step("clippy", None, &cargo, &CLIPPY),
        bare_metal("clippy-guest", "harness/guest", &CLIPPY_GUEST),
        bare_metal("clippy-example", "harness/example", &CLIPPY_EXAMPLE),
        step("clippy-linux", None, &cargo, &CLIPPY_LINUX),
        doc,
        step("no-std", None, &cargo, &NO_STD),
        step("test", None, &cargo, if has_nextest(&cargo) { &NEXTEST } else { &TEST }),
        own("series", None, &["series", "lint"]),
        own("stock", None, &["build", "stock"]),
        own("patched", Some("stock"), &["build", "patched"]),
        // What becomes of a guest that hangs, dies or is killed, and that cases leave nothing
        // behind; on stock, some of SVM's state itself is left behind.
        given("executors", &EXECUTORS),
        given("clippy-cexec", &CLIPPY_C),
        own("conform-c", Some("patched"), &["conform", "--on", "c:patched"]),
        conformance("conformance-stock", Some("stock"), "stock"),
        conformance("conformance-patched", Some("patched"), "patched"),
        own("migration", Some("patched"), &["test-svm", "--suite", "migration"]),
    ]
}

/// cargo fmt does not see the features, whose `mod` lines a macro writes.
const FMT_FEATURES: [&str; 2] =
    ["-c", "rustfmt --check --edition 2024 svm-model/src/features/*/*.rs"];
const CLIPPY: [&str; 7] =
    ["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"];
/// Nothing else compiles the program of the Linux guests before it is measured with.
const CLIPPY_LINUX: [&str; 10] = [
    "clippy",
    "--quiet",
    "--locked",
    "--manifest-path",
    "harness/linux/Cargo.toml",
    "--target-dir",
    "target/linux",
    "--",
    "-D",
    "warnings",
];
/// As it is built: in its own folder, with the flags that are there.
const CLIPPY_GUEST: [&str; 7] =
    ["clippy", "--quiet", "--locked", "--target-dir=../../target/guest", "--", "-D", "warnings"];
const CLIPPY_EXAMPLE: [&str; 7] =
    ["clippy", "--quiet", "--locked", "--target-dir=../../target/example", "--", "-D", "warnings"];
const CLIPPY_C: [&str; 8] = [
    "clippy",
    "--quiet",
    "--locked",
    "--manifest-path=harness/cexec/Cargo.toml",
    "--target-dir=target/cexec/clippy",
    "--",
    "-D",
    "warnings",
];
const DOC: [&str; 5] = ["doc", "--quiet", "--no-deps", "-p", "svm-model"];
/// The model in a program without std, which a dependency on std does not let compile.
const NO_STD: [&str; 7] = [
    "run",
    "--quiet",
    "--locked",
    "--manifest-path",
    "svm-model/no-std/Cargo.toml",
    "--target-dir",
    "target/no-std",
];
const NEXTEST: [&str; 4] = ["nextest", "run", "--workspace", "--no-fail-fast"];
const TEST: [&str; 3] = ["test", "--workspace", "--no-fail-fast"];

const EXECUTORS: [&str; 9] = [
    "test",
    "--quiet",
    "-p",
    "harness",
    "--features=qemu-tests",
    "--test=conformance",
    "--test=executor_c",
    "--test=streams",
    "--no-fail-fast",
];

/// A shell that runs `cargo` with what `$1` prints of its build in the environment: the path of
/// the QEMU, and what the executor `c` is compiled from.
const GIVEN: &str = r#"SVM_QEMU=$(eval "$1 --print-path") && TREE=$(eval "$1 --print-c") || exit
    shift; export SVM_QEMU
    SVM_QEMU_SRC=${TREE%%:*} SVM_QEMU_BUILD=${TREE#*:} exec "$@""#;

/// `cargo` with `args`, given what `build` builds.
fn given(build: &Command, cargo: &OsString, args: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", GIVEN, "sh"]);
    command.arg(process::show(build)).arg(cargo).args(args);
    command.current_dir(build.get_current_dir().unwrap_or(Path::new(".")));
    command
}

fn has_nextest(cargo: &OsString) -> bool {
    let mut c = Command::new(cargo);
    process::output(c.args(["nextest", "--version"])).is_ok_and(|out| out.status.success())
}

/// Runs `steps` and prints a summary on stdout. A step that fails does not stop
/// the others, only those that need it.
///
/// # Errors
/// Setup, when the machine lacks something; Interrupted.
pub fn run(env: &Env, steps: Vec<Step>) -> Result<ExitCode> {
    setup::require(env, &[Need::Source, Need::Build, Need::Run, Need::Bindgen, Need::Sandbox])?;
    let total = steps.len();
    let mut done: Vec<(&'static str, Outcome, Duration)> = Vec::new();
    for (n, mut step) in steps.into_iter().enumerate() {
        let ended = |name| done.iter().find(|d| d.0 == name).map(|d| d.1);
        let begun = Instant::now();
        let outcome = match step.after.and_then(ended) {
            Some(Outcome::Failed(_) | Outcome::Left) => Outcome::Left,
            _ => {
                env.console.step(format_args!("ci {}/{total}: {}", n + 1, step.name));
                one(&mut step.command)?
            }
        };
        done.push((step.name, outcome, begun.elapsed()));
    }
    out::write(&summary(&done));
    Ok(ExitCode::from(exit_code(done.iter().map(|d| d.1))))
}

/// What it prints is seen as it comes.
fn one(command: &mut Command) -> Result<Outcome> {
    let mut running = process::spawn(command.stdin(Stdio::null()))
        .map_err(|e| process::not_started(command, e))?;
    let status = running.wait().doing(Kind::Harness, || process::show(command))?;
    interrupt::check()?;
    Ok(match status.code() {
        Some(0) => Outcome::Ok,
        // cargo's own codes mean nothing to our caller; ours are 1 to 6.
        Some(code @ 1..=6) => Outcome::Failed(code as u8),
        Some(_) => Outcome::Failed(Kind::Regression.exit_code()),
        None => Outcome::Failed(Kind::Harness.exit_code()),
    })
}

fn summary(done: &[(&str, Outcome, Duration)]) -> String {
    let mut text = String::from("\nci\n");
    for (name, outcome, took) in done {
        let outcome = match outcome {
            Outcome::Ok => "ok".into(),
            Outcome::Failed(code) => format!("FAILED ({code})"),
            Outcome::Left => "not run".into(),
        };
        text += &format!("  {name:20} {outcome:10} {:6.1} s\n", took.as_secs_f64());
    }
    text
}

/// The first failure's code.
fn exit_code(outcomes: impl IntoIterator<Item = Outcome>) -> u8 {
    let failed = |o| if let Outcome::Failed(code) = o { Some(code) } else { None };
    outcomes.into_iter().find_map(failed).unwrap_or(0)
}

/// Of `steps`, those that `only` names, or all.
///
/// # Errors
/// Usage, for a name that no step has.
pub fn select(steps: Vec<Step>, only: &[String]) -> Result<Vec<Step>> {
    let names: Vec<_> = steps.iter().map(|s| s.name).collect();
    if let Some(unknown) = only.iter().find(|o| !names.contains(&o.as_str())) {
        return Err(Error::new(Kind::Usage, format!("ci has no step `{unknown}`"))
            .hint(format!("its steps: {}", names.join(", "))));
    }
    let wanted = |s: &Step| only.is_empty() || only.iter().any(|o| o == s.name);
    Ok(steps.into_iter().filter(wanted).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::cache::Cache;
    use crate::host::console::{Console, Verbosity};

    fn shell(name: &'static str, after: Option<&'static str>, script: &str) -> Step {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Step { name, after, command }
    }

    #[test]
    fn the_first_failure_gives_the_code_and_what_needs_it_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let mark = dir.path().join("ran");
        let mut steps = [
            shell("a", None, "exit 0"),
            shell("b", None, "exit 4"),
            shell("c", Some("b"), "exit 0"),
            shell("d", None, &format!("touch {}; exit 101", mark.display())),
        ];
        let outcomes: Vec<_> = steps.iter_mut().map(|s| one(&mut s.command).unwrap()).collect();
        use Outcome::{Failed, Left, Ok};
        assert_eq!(outcomes, [Ok, Failed(4), Ok, Failed(1)]);
        assert!(mark.exists());
        assert_eq!(exit_code([Ok, Failed(4), Left, Failed(1)]), 4);
        assert_eq!(exit_code([Ok, Ok]), 0);
    }

    #[test]
    fn steps_are_selected_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let env = Env {
            repo: dir.path().into(),
            cache: Cache::open(Some(dir.path())).unwrap(),
            install: false,
            console: Console::new(Verbosity::Quiet),
        };
        let all = || steps(&env, Path::new("xtask"));
        let named = select(all(), &["stock".into(), "fmt".into()]).unwrap();
        assert_eq!(named.iter().map(|s| s.name).collect::<Vec<_>>(), ["fmt", "stock"]);
        assert_eq!(select(all(), &[]).unwrap().len(), all().len());
        assert_eq!(select(all(), &["x".into()]).unwrap_err().kind(), Kind::Usage);
        for step in all().iter().filter(|s| s.name == "patched") {
            assert!(process::show(&step.command).contains("build patched --cache"));
        }
    }
}
