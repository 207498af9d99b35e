//! Patches as commits, made in an index of their own: no work tree is touched,
//! so a patch that does not apply leaves every tree as it was.

use std::path::Path;
use std::process::Stdio;

use super::patch::Patch;
use crate::host::cache::io_error;
use crate::host::git::Git;
use crate::host::hash;
use crate::host::process;
use crate::qemu::source::Source;
use crate::{Error, Kind, Result};

/// The commits of a series on a base.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The base's commit.
    pub base: String,
    /// One commit a patch, in order.
    pub commits: Vec<String>,
}

impl Applied {
    /// The commit with all patches.
    pub fn tip(&self) -> &str {
        self.commits.last().unwrap_or(&self.base)
    }
}

/// Commits `patches` on `source`. A prefix that was applied before is found by
/// its hash and not applied again.
///
/// # Errors
/// Build, with the patch, file and hunk that does not apply.
pub fn apply(source: &Source, patches: &[Patch]) -> Result<Applied> {
    let git = Git::new(&source.git);
    let mut applied = Applied { base: source.commit.clone(), commits: Vec::new() };
    for patch in patches {
        let parent = applied.tip().to_string();
        let key = hash::of_parts([parent.as_bytes(), &patch.bytes]);
        let name = format!("refs/qemu-svm/{}", &key[..32]);
        let known = git.run(["rev-parse", "--quiet", "--verify", &name]);
        let commit = match known {
            Ok(commit) => commit,
            Err(_) => {
                let commit = one(&git, source, &parent, patch)?;
                git.run(["update-ref", &name, &commit])?;
                commit
            }
        };
        applied.commits.push(commit);
    }
    Ok(applied)
}

fn one(git: &Git, source: &Source, parent: &str, patch: &Patch) -> Result<String> {
    let scratch = tempfile::tempdir_in(&source.git)
        .map_err(|e| io_error("creating a scratch folder in", &source.git, e))?;
    let mail = Mail::read(git, patch, scratch.path())?;
    let git = git.clone().with_index(scratch.path().join("index"));
    git.run(["read-tree", parent])?;
    let mut c = git.command(["apply", "--cached", "--whitespace=nowarn"]);
    let out = process::output(c.arg(&patch.path))?;
    if !out.status.success() {
        return Err(refused(source, patch, &String::from_utf8_lossy(&out.stderr)));
    }
    let tree = git.run(["write-tree"])?;
    let mut c = git.command(["commit-tree", &tree, "-p", parent, "-F"]);
    c.arg(scratch.path().join("message"));
    c.env("GIT_AUTHOR_NAME", mail.name).env("GIT_AUTHOR_EMAIL", mail.email);
    c.env("GIT_AUTHOR_DATE", mail.date);
    process::stdout(Kind::Harness, &mut c)
}

/// What the patch's mail header says.
struct Mail {
    name: String,
    email: String,
    date: String,
}

impl Mail {
    /// Splits the mail; the commit message is left in `scratch`/message.
    fn read(git: &Git, patch: &Patch, scratch: &Path) -> Result<Self> {
        let (message, diff) = (scratch.join("message"), scratch.join("diff"));
        let mut c = git.command(["mailinfo"]);
        c.arg(&message).arg(&diff);
        let input = std::fs::File::open(&patch.path)
            .map_err(|e| io_error("reading the patch", &patch.path, e))?;
        let header = process::stdout_from(Kind::Build, &mut c, Stdio::from(input))?;
        let field = |name: &str, default: &str| {
            let found = header.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(": "));
            found.filter(|v| !v.trim().is_empty()).unwrap_or(default).to_string()
        };
        let body = std::fs::read_to_string(&message).unwrap_or_default();
        let text = format!("{}\n\n{body}", field("Subject", &patch.name()));
        std::fs::write(&message, text).map_err(|e| io_error("writing", &message, e))?;
        Ok(Mail {
            name: field("Author", "unknown"),
            email: field("Email", "unknown@localhost"),
            date: field("Date", "2020-01-01T00:00:00Z"),
        })
    }
}

/// The error for a patch that git refused with `stderr`.
fn refused(source: &Source, patch: &Patch, stderr: &str) -> Error {
    let text = String::from_utf8_lossy(&patch.bytes);
    let failed: Vec<String> = stderr
        .lines()
        .filter_map(|l| l.strip_prefix("error: "))
        .filter(|l| !l.ends_with(": patch does not apply"))
        .map(|l| match l.strip_prefix("patch failed: ").and_then(|at| at.rsplit_once(':')) {
            Some((file, line)) => describe(&text, file, line),
            None => l.to_string(),
        })
        .collect();
    let what = format!("patch {} does not apply to QEMU {}", patch.name(), source.version);
    Error::new(Kind::Build, format!("{what}\n  {}", failed.join("\n  ")))
        .hint(format!("no tree was changed; the patch is {}", patch.path.display()))
}

/// git names the line at which a hunk would begin; people count hunks.
fn describe(patch: &str, file: &str, line: &str) -> String {
    let hunks = hunks_of(patch, file);
    let starts =
        |h: &str| h.starts_with(&format!("@@ -{line},")) || h.starts_with(&format!("@@ -{line} "));
    match hunks.iter().copied().position(starts) {
        Some(n) => format!("{file}: hunk {} of {}: {}", n + 1, hunks.len(), hunks[n]),
        None => format!("{file}, line {line}"),
    }
}

/// The `@@` lines of `file`'s part of `patch`.
fn hunks_of<'a>(patch: &'a str, file: &str) -> Vec<&'a str> {
    let mut inside = false;
    let mut hunks = Vec::new();
    for line in patch.lines() {
        if let Some(path) = line.strip_prefix("+++ ").or_else(|| line.strip_prefix("--- ")) {
            let path = path.split('\t').next().unwrap_or(path);
            inside = path.split_once('/').is_some_and(|(_, p)| p == file)
                || (inside && line.starts_with("+++ /dev/null"));
        } else if inside && line.starts_with("@@ -") {
            hunks.push(line);
        }
    }
    hunks
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "--- a/x.c\n+++ b/x.c\n@@ -3,2 +3,2 @@ f\n-a\n+b\n@@ -40 +40 @@ g\n-c\n+d\n\
                         --- a/y.c\n+++ b/y.c\n@@ -40,3 +40,3 @@ h\n-e\n+f\n";

    #[test]
    fn a_hunk_is_named_by_its_number_within_its_file() {
        assert_eq!(describe(PATCH, "x.c", "40"), "x.c: hunk 2 of 2: @@ -40 +40 @@ g");
        assert_eq!(describe(PATCH, "y.c", "40"), "y.c: hunk 1 of 1: @@ -40,3 +40,3 @@ h");
        assert_eq!(describe(PATCH, "y.c", "4"), "y.c, line 4");
    }
}
