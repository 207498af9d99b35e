//! The patches of a series as commits on a base, as `git am` would make them,
//! and as files that the build takes.
//!
//! git refuses a patch whose context differs. What a reviewer would do then,
//! try with less context or with the blobs that the patch names, is tried here,
//! too, and said.

use std::path::{Path, PathBuf};

use crate::host::cache::{io_error, write_atomic};
use crate::host::git::Git;
use crate::host::hash;
use crate::host::process;
use crate::mail::Mail;
use crate::qemu::build::{self, patch::Patch};
use crate::qemu::source::Source;
use crate::{Env, Error, Kind, Result};

/// How a patch went on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// As it is.
    Cleanly,
    /// By merging, since the base has the blobs that it was made for.
    Merged,
    /// With fewer lines of context than it has.
    Fuzzily {
        /// The lines of context that had to match.
        context: u32,
    },
}

/// A patch that applies.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The file that the build takes; its name is that of the patch.
    pub file: PathBuf,
    /// How it went on.
    pub how: How,
}

/// A series on a base.
#[derive(Clone, Debug, Default)]
pub struct OnBase {
    /// Patches that apply, from the first on.
    pub applied: Vec<Applied>,
    /// Why the next one does not: its place in the list, and git's words.
    pub refused: Option<(usize, String)>,
}

/// What is tried, in order.
const ATTEMPTS: [(How, &[&str]); 4] = [
    (How::Cleanly, &[]),
    (How::Merged, &["--3way"]),
    (How::Fuzzily { context: 2 }, &["-C2"]),
    (How::Fuzzily { context: 1 }, &["-C1"]),
];

/// Applies `mails` on `before`, which are patches on `source`.
///
/// # Errors
/// Build, when `before` does not apply; Harness. A patch of `mails` that does
/// not apply is no error.
pub fn apply(env: &Env, source: &Source, before: &[Patch], mails: &[Mail]) -> Result<OnBase> {
    let mut parent = build::apply::apply(source, before)?.tip().to_string();
    let git = Git::new(&source.git);
    let mut result = OnBase::default();
    for (at, mail) in mails.iter().enumerate() {
        match one(&git, source, &parent, mail)? {
            Ok((tree, how)) => {
                let commit = git.commit_tree(&tree, Some(&parent), &mail.subject.title)?;
                let file = keep(env, &git, &parent, &commit, at, mail)?;
                result.applied.push(Applied { file, how });
                parent = commit;
            }
            Err(why) => {
                result.refused = Some((at, why));
                break;
            }
        }
    }
    Ok(result)
}

/// The tree that one patch makes of `parent`, or git's words.
fn one(
    git: &Git,
    source: &Source,
    parent: &str,
    mail: &Mail,
) -> Result<Result<(String, How), String>> {
    let scratch = tempfile::tempdir_in(&source.git)
        .map_err(|e| io_error("creating a scratch folder in", &source.git, e))?;
    let diff = scratch.path().join("diff");
    std::fs::write(&diff, &mail.diff).map_err(|e| io_error("writing", &diff, e))?;
    let git = git.clone().with_index(scratch.path().join("index"));
    let mut first = String::new();
    for (how, flags) in ATTEMPTS {
        git.run(["read-tree", parent])?;
        let mut c = git.command(["apply", "--cached", "--whitespace=nowarn"]);
        let out = process::output(c.args(flags).arg(&diff))?;
        if out.status.success() {
            let tree = git.run(["write-tree"])?;
            if tree == git.run(["rev-parse", &format!("{parent}^{{tree}}")])? {
                return Ok(Err(THERE.into()));
            }
            return Ok(Ok((tree, how)));
        }
        if first.is_empty() {
            first = refusal(&String::from_utf8_lossy(&out.stderr));
        }
    }
    git.run(["read-tree", parent])?;
    let mut c = git.command(["apply", "--cached", "--check", "--reverse"]);
    let there = process::output(c.arg(&diff))?.status.success();
    Ok(Err(if there { THERE.into() } else { first }))
}

/// Why a patch is refused that was applied before.
const THERE: &str = "it changes nothing here: what it does is there already";

/// git's complaint, one line a hunk.
fn refusal(stderr: &str) -> String {
    let lines = stderr.lines().filter_map(|l| l.strip_prefix("error: "));
    let lines = lines.filter(|l| !l.ends_with(": patch does not apply"));
    let mut lines: Vec<String> = lines.map(|l| l.replace("patch failed: ", "")).collect();
    lines.dedup();
    lines.join("; ")
}

/// Writes what the patch changes here, in a form that always applies; two
/// series that share a patch on one base share the file and the build.
fn keep(
    env: &Env,
    git: &Git,
    parent: &str,
    commit: &str,
    at: usize,
    mail: &Mail,
) -> Result<PathBuf> {
    let args = ["diff", "--binary", "--full-index", "--no-renames", "--no-ext-diff"];
    let diff = process::output(&mut git.command(args.into_iter().chain([parent, commit])))?;
    if !diff.status.success() {
        return Err(Error::new(Kind::Harness, "reading back a patch that was applied"));
    }
    // Who wrote it, when and why is not what is built, and need not suit git.
    let here = Mail {
        author: "review <review@localhost>".into(),
        date: "Thu, 1 Jan 2026 00:00:00 +0000".into(),
        message: String::new(),
        diff: diff.stdout,
        ..mail.clone()
    };
    let text = here.to_patch();
    let dir = env.cache.path("review").join(&hash::of_parts([&text])[..16]);
    let file = dir.join(file_name(at, &mail.subject.title));
    write_atomic(&file, &text)?;
    Ok(file)
}

/// The name that `git format-patch` gives.
pub fn file_name(at: usize, title: &str) -> String {
    let mut name = String::new();
    for c in title.chars() {
        let plain = c.is_ascii_alphanumeric() || "._".contains(c);
        if plain {
            name.push(c);
        } else if !name.ends_with('-') {
            name.push('-');
        }
    }
    let name: String = name.trim_matches(['-', '.']).chars().take(52).collect();
    format!("{:04}-{}.patch", at + 1, name.trim_end_matches(['-', '.']))
}

/// The patches' files.
pub fn files(applied: &[Applied]) -> Vec<PathBuf> {
    applied.iter().map(|a| a.file.clone()).collect()
}

/// The patches of a folder, read.
///
/// # Errors
/// Usage, when the folder holds none.
pub fn read_folder(dir: &Path) -> Result<Vec<Patch>> {
    build::patch::series(dir)?.iter().map(|p| Patch::read(p)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qemu::testing::{Tree, lines};

    fn on(tree: &Tree, mails: &[Mail]) -> OnBase {
        apply(&tree.env, &tree.source, &[], mails).unwrap()
    }

    #[test]
    fn patches_go_on_in_order_and_are_kept_as_files_that_build() {
        let tree = Tree::new(&[("a.c", &lines(1..=9))]);
        let mails = [
            tree.mail("[PATCH 1/2] a: one", "a.c", "line 2\n", "line two\n"),
            tree.mail_on(
                "[PATCH 2/2] a: two",
                "a.c",
                &lines(1..=9).replace("line 2\n", "line two\n"),
                "line 8\n",
                "line eight\n",
            ),
        ];
        let result = on(&tree, &mails);
        assert!(result.refused.is_none(), "{:?}", result.refused);
        let names: Vec<_> =
            result.applied.iter().map(|a| a.file.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["0001-a-one.patch", "0002-a-two.patch"]);
        let patches: Vec<Patch> =
            files(&result.applied).iter().map(|p| Patch::read(p).unwrap()).collect();
        build::apply::apply(&tree.source, &patches).unwrap();
        let again = on(&tree, &mails);
        assert_eq!(files(&again.applied), files(&result.applied));
    }

    #[test]
    fn a_patch_with_other_context_goes_on_fuzzily_and_says_so() {
        let tree = Tree::new(&[("a.c", &lines(1..=9))]);
        let other = lines(1..=9).replace("line 3\n", "line three\n");
        let mail = tree.mail_on("[PATCH] a: five", "a.c", &other, "line 6\n", "line six\n");
        let result = on(&tree, std::slice::from_ref(&mail));
        assert_eq!(result.applied[0].how, How::Fuzzily { context: 2 });
        let text = std::fs::read_to_string(&result.applied[0].file).unwrap();
        assert!(text.contains("\n line 3\n"), "{text}");
    }

    #[test]
    fn a_patch_that_does_not_apply_stops_there_with_file_and_line() {
        let tree = Tree::new(&[("a.c", &lines(1..=9))]);
        let mails = [
            tree.mail("[PATCH 1/2] a: one", "a.c", "line 2\n", "line two\n"),
            tree.mail_on("[PATCH 2/2] a: two", "a.c", &lines(21..=29), "line 25\n", "x\n"),
        ];
        let result = on(&tree, &mails);
        assert_eq!(result.applied.len(), 1);
        let (at, why) = result.refused.unwrap();
        assert_eq!(at, 1);
        assert!(why.contains("a.c:2"), "{why}");
    }

    #[test]
    fn file_names_are_those_of_format_patch() {
        assert_eq!(file_name(6, "target/i386: svm: a  b (c)."), "0007-target-i386-svm-a-b-c.patch");
        assert!(file_name(0, &"x".repeat(90)).len() <= 5 + 52 + 6);
    }
}
