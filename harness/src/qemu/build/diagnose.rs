//! From a build log to the one error that matters, and the patch it is in.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use super::apply::Applied;
use super::ninja::KILLED;
use super::patch::Patch;
use super::tree::Tree;
use crate::host::cache::NO_SPACE;
use crate::host::git::Git;
use crate::qemu::source::Source;
use crate::{Error, Kind};

/// The first thing that went wrong in a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The file, as the compiler names it.
    pub file: Option<String>,
    /// The line in it, from 1.
    pub line: Option<u32>,
    /// What the compiler or linker said.
    pub message: String,
}

static ERROR: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?<file>[^\s:]+):(?<line>\d+):(?:\d+:)? (?:fatal )?error: (?<message>.*)$")
        .expect("the pattern is a constant")
});
static LINK: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(undefined reference to|multiple definition of) .*$")
        .expect("the pattern is a constant")
});

/// Finds the first error in what ninja printed.
pub fn first(log: &str) -> Failure {
    // Whoever was killed for what it took, all else follows from that.
    let last = log.lines().next_back().and_then(|line| line.strip_prefix(KILLED));
    if let Some(why) = last.filter(|why| why.starts_with("killed: ")) {
        return Failure { file: None, line: None, message: why.to_string() };
    }
    let failed: Vec<&str> = log.lines().skip_while(|l| !l.starts_with("FAILED: ")).collect();
    for line in &failed {
        if let Some(m) = ERROR.captures(line) {
            return Failure {
                file: Some(m["file"].to_string()),
                line: m["line"].parse().ok(),
                message: m["message"].to_string(),
            };
        }
        if let Some(m) = LINK.find(line) {
            return Failure { file: None, line: None, message: m.as_str().to_string() };
        }
    }
    // A patch that meson, which ninja runs again, does not take.
    if let Some(at) = log.lines().find(|l| l.contains(": ERROR: ") || l.starts_with("ERROR: ")) {
        return Failure { file: None, line: None, message: at.to_string() };
    }
    // No compiler's words: after FAILED and the command comes what it printed.
    let printed = failed.iter().skip(2).take_while(|l| !l.starts_with('['));
    let mut printed: Vec<&str> =
        printed.filter(|l| !l.trim().is_empty()).take(3).copied().collect();
    if printed.is_empty() {
        printed = log.lines().rev().find(|l| !l.trim().is_empty()).into_iter().collect();
    }
    Failure { file: None, line: None, message: printed.join("\n  ") }
}

/// How tools that met a full disk say so, in lower case.
const ENOSPC: &str = "no space left on device";

/// The error for a build that failed.
pub(super) fn explain(source: &Source, tree: &Tree, patches: &[Patch], applied: &Applied) -> Error {
    let log_file = tree.log("build");
    let log = fs::read(&log_file).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let whole = format!("the whole log: {}", log_file.display());
    // What runs in a sandbox may say so of its own small disk, or just say so.
    let believed = tree.sandbox().is_none();
    if believed && log.to_ascii_lowercase().contains(ENOSPC) {
        return Error::new(Kind::Harness, "building QEMU: no space left on the device")
            .hint(format!("{NO_SPACE}\n  {whole}"));
    }
    let Failure { file, line, message } = first(&log);
    let file = file.map(|f| in_tree(&f, &tree.src(), &tree.build()));
    let at = match (&file, line) {
        (Some(file), Some(line)) => format!("{file}:{line}: "),
        _ => String::new(),
    };
    let blamed = file.and_then(|f| blame(source, patches, applied, &f, line));
    let from = blamed.map_or(String::new(), |patch| format!("\n  from {patch}"));
    Error::new(Kind::Build, format!("QEMU does not compile\n  {at}{message}{from}")).hint(whole)
}

/// A path as the compiler prints it (from the build folder) as one in the tree.
fn in_tree(file: &str, src: &Path, build: &Path) -> String {
    let mut path = std::path::PathBuf::new();
    for part in build.join(file).components() {
        match part {
            std::path::Component::ParentDir => drop(path.pop()),
            other => path.push(other),
        }
    }
    path.strip_prefix(src).map_or(file.to_string(), |p| p.display().to_string())
}

/// The patch that wrote the line, or else the last one that touched the file.
fn blame(
    source: &Source,
    patches: &[Patch],
    applied: &Applied,
    file: &str,
    line: Option<u32>,
) -> Option<String> {
    let git = Git::new(&source.git);
    let range = format!("{}..{}", applied.base, applied.tip());
    let by_line = line.and_then(|line| {
        let lines = format!("-L{line},{line}");
        let blame = git.run(["blame", "--porcelain", &lines, &range, "--", file]).ok()?;
        blame.split_whitespace().next().map(str::to_string)
    });
    let name = |commit: &str| {
        let n = applied.commits.iter().position(|c| c == commit)?;
        Some(patches[n].name())
    };
    by_line.and_then(|c| name(&c)).or_else(|| {
        let last = git.run(["log", "-1", "--format=%H", &range, "--", file]).ok()?;
        name(last.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_compiler_error_is_found_among_warnings_and_followers() {
        let log = "[1/9] Compiling C object a.o\n../src/a.c:1:2: warning: x\n\
                   [2/9] Compiling C object b.o\nFAILED: b.o\ncc -o b.o\n\
                   In file included from ../src/b.c:1:\n\
                   ../src/b.h:7:3: warning: y\n../src/b.h:8:12: error: expected ';'\n\
                   ../src/b.c:9:1: error: later\n[3/9] Compiling\nninja: build stopped\n";
        let expected = Failure {
            file: Some("../src/b.h".into()),
            line: Some(8),
            message: "expected ';'".into(),
        };
        assert_eq!(first(log), expected);
    }

    #[test]
    fn a_linker_error_has_a_message_and_no_file() {
        let log = "FAILED: q\ncc -o q\n/usr/bin/ld: a.o: in function `f':\n\
                   a.c:(.text+0x1): undefined reference to `g'\ncollect2: error: ld\n";
        let found = first(log);
        assert_eq!((found.file, found.message.as_str()), (None, "undefined reference to `g'"));
    }

    #[test]
    fn without_a_compiler_error_the_failed_commands_words_are_shown() {
        let log =
            "FAILED: gen.h\npython3 gen.py\nTraceback: no\n[2/9] next\nninja: build stopped\n";
        assert_eq!(first(log).message, "Traceback: no");
        assert_eq!(
            first("ninja: error: loading build.ninja\n").message,
            "ninja: error: loading build.ninja"
        );
    }

    #[test]
    fn what_was_killed_failed_by_that_whatever_else_it_said() {
        let log = "FAILED: x.o\ncc\nx.c:1:1: error: y\nerror: killed: no end after 9 s\n";
        assert_eq!(first(log).message, "killed: no end after 9 s");
    }

    #[test]
    fn paths_are_shown_as_they_are_in_the_tree() {
        let (src, build) = (Path::new("/c/t/src"), Path::new("/c/t/build"));
        assert_eq!(in_tree("../src/target/i386/x.c", src, build), "target/i386/x.c");
        assert_eq!(in_tree("/usr/include/x.h", src, build), "/usr/include/x.h");
    }
}
