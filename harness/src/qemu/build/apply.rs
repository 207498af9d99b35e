//! Patches as commits, made in an index of their own: no work tree is touched,
//! so a patch that does not apply leaves every tree as it was.

use super::patch::Patch;
use crate::host::cache::io_error;
use crate::host::git::Git;
use crate::host::hash;
use crate::host::process;
use crate::mail::{Hunk, Mail, diff};
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

/// The date of a patch that has none.
const LONG_AGO: &str = "2020-01-01T00:00:00Z";

fn one(git: &Git, source: &Source, parent: &str, patch: &Patch) -> Result<String> {
    let scratch = tempfile::tempdir_in(&source.git)
        .map_err(|e| io_error("creating a scratch folder in", &source.git, e))?;
    // A bare diff is a patch, too: what it does not say is unknown.
    let mail = Mail::parse(&patch.bytes).unwrap_or_default();
    let title = Some(&mail.subject.title).filter(|t| !t.is_empty());
    let text = format!("{}\n\n{}\n", title.unwrap_or(&patch.name()), mail.message);
    let message = scratch.path().join("message");
    std::fs::write(&message, text).map_err(|e| io_error("writing", &message, e))?;
    let git = git.clone().with_index(scratch.path().join("index"));
    git.run(["read-tree", parent])?;
    let mut c = git.command(["apply", "--cached", "--whitespace=nowarn"]);
    let out = process::output(c.arg(&patch.path))?;
    if !out.status.success() {
        return Err(refused(source, patch, &String::from_utf8_lossy(&out.stderr)));
    }
    let tree = git.run(["write-tree"])?;
    let mut c = git.command(["commit-tree", &tree, "-p", parent, "-F"]);
    let (name, address) = author(&mail);
    c.arg(&message).env("GIT_AUTHOR_NAME", name).env("GIT_AUTHOR_EMAIL", address);
    c.env("GIT_AUTHOR_DATE", if mail.date.is_empty() { LONG_AGO } else { &mail.date });
    process::stdout(Kind::Harness, &mut c)
}

/// Who is said to have written what, for git: `Name <address>`, which both must be
/// there and have a letter.
fn author(mail: &Mail) -> (&str, &str) {
    let (name, address) = mail.author.rsplit_once('<').unwrap_or((&mail.author, ""));
    let good = |text: &str| text.chars().any(char::is_alphanumeric);
    let name = name.trim().trim_matches('"');
    let address = address.trim_end().trim_end_matches('>');
    (
        if good(name) { name } else { "unknown" },
        if good(address) { address } else { "unknown@localhost" },
    )
}

/// The error for a patch that git refused with `stderr`.
fn refused(source: &Source, patch: &Patch, stderr: &str) -> Error {
    let failed: Vec<String> = stderr
        .lines()
        .filter_map(|l| l.strip_prefix("error: "))
        .filter(|l| !l.ends_with(": patch does not apply"))
        .map(|l| match l.strip_prefix("patch failed: ").and_then(|at| at.rsplit_once(':')) {
            Some((file, line)) => describe(&patch.bytes, file, line),
            None => l.to_string(),
        })
        .collect();
    let what = format!("patch {} does not apply to QEMU {}", patch.name(), source.version);
    Error::new(Kind::Build, format!("{what}\n  {}", failed.join("\n  ")))
        .hint(format!("no tree was changed; the patch is {}", patch.path.display()))
}

/// git names the line at which a hunk would begin; people count hunks.
fn describe(patch: &[u8], file: &str, line: &str) -> String {
    let changes = diff::parse(patch).unwrap_or_default();
    let hunks = changes.files.iter().find(|f| f.path() == file).map_or(&[][..], |f| &f.hunks);
    let starts = |hunk: &Hunk| line.parse().is_ok_and(|line: u32| hunk.start.0 == line);
    match hunks.iter().position(starts) {
        Some(n) => format!("{file}: hunk {} of {}: {}", n + 1, hunks.len(), hunks[n].header),
        None => format!("{file}, line {line}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "--- a/x.c\n+++ b/x.c\n@@ -3,2 +3,2 @@ f\n-a\n+b\n x\n@@ -40 +40 @@ g\n-c\n+d\n\
                         --- a/y.c\n+++ b/y.c\n@@ -40,3 +40,3 @@ h\n-e\n+f\n x\n y\n";

    #[test]
    fn a_hunk_is_named_by_its_number_within_its_file() {
        assert_eq!(describe(PATCH.as_bytes(), "x.c", "40"), "x.c: hunk 2 of 2: @@ -40 +40 @@ g");
        assert_eq!(
            describe(PATCH.as_bytes(), "y.c", "40"),
            "y.c: hunk 1 of 1: @@ -40,3 +40,3 @@ h"
        );
        assert_eq!(describe(PATCH.as_bytes(), "y.c", "4"), "y.c, line 4");
    }
}
