//! What changed in the series since a revision of this repository: the notes
//! that a new version of a series carries.

use std::collections::BTreeMap;
use std::path::Path;

use xshell::cmd;

use super::Series;
use crate::host::process;
use crate::mail::Mail;
use crate::{Error, Kind, Result};

/// What became of a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// As it was.
    Same,
    /// Only its message changed.
    Reworded,
    /// Its diff changed.
    Changed,
    /// It was not there.
    New,
}

/// The series against what it was.
#[derive(Clone, Debug)]
pub(super) struct History {
    changes: Vec<(String, Change)>,
    dropped: Vec<String>,
}

impl History {
    /// Compares the series with what `revision` of `repo` has in its folder.
    /// Patches are known again by their title, or by their diff.
    ///
    /// # Errors
    /// Usage, when there is no such revision or it has no series.
    pub(super) fn compare(repo: &Path, series: &Series, revision: &str) -> Result<Self> {
        let old = old_patches(repo, &series.dir, revision)?;
        let mut left: BTreeMap<&str, &Mail> =
            old.iter().map(|m| (m.subject.title.as_str(), m)).collect();
        let mut changes = Vec::new();
        for mail in series.patches.iter().map(|p| &p.mail) {
            let title = mail.subject.title.as_str();
            let same_diff = |m: &&Mail| shape(m) == shape(mail);
            let before = left.remove(title).or_else(|| {
                let found = left.values().copied().find(same_diff)?;
                left.remove(found.subject.title.as_str())
            });
            let change = match before {
                None => Change::New,
                Some(b) if shape(b) != shape(mail) => Change::Changed,
                Some(b) if b.message != mail.message || b.subject.title != title => {
                    Change::Reworded
                }
                Some(_) => Change::Same,
            };
            changes.push((title.to_string(), change));
        }
        let dropped = left.keys().map(|title| (*title).to_string()).collect();
        Ok(History { changes, dropped })
    }

    /// The line below `---` of patch `n`, from 0.
    pub(super) fn note(&self, n: usize, version: u32) -> Option<String> {
        let what = match self.changes.get(n)?.1 {
            Change::Same => return None,
            Change::Reworded => "message reworded, no change of code",
            Change::Changed => "changed",
            Change::New => "new patch",
        };
        Some(format!("v{version}: {what}"))
    }

    /// The paragraph for the cover letter.
    pub(super) fn summary(&self, version: u32) -> String {
        let mut out = format!("Changes since v{}:\n", version.saturating_sub(1).max(1));
        let word = |change| match change {
            Change::Same => None,
            Change::Reworded => Some("reworded"),
            Change::Changed => Some("changed"),
            Change::New => Some("new"),
        };
        let mut same = 0;
        for (title, change) in &self.changes {
            match word(*change) {
                Some(word) => out += &format!("- {word}: {title}\n"),
                None => same += 1,
            }
        }
        for title in &self.dropped {
            out += &format!("- dropped: {title}\n");
        }
        out + &format!("- {same} patches as they were\n")
    }
}

/// What a patch changes, without line numbers and context that moved.
fn shape(mail: &Mail) -> Vec<(String, Vec<&String>)> {
    let changed = |l: &&String| l.starts_with(['+', '-']);
    let lines = |f: &'_ crate::mail::FileDiff| f.path().to_string();
    let files = mail.changes.files.iter();
    files
        .map(|f| (lines(f), f.hunks.iter().flat_map(|h| &h.lines).filter(changed).collect()))
        .collect()
}

fn old_patches(repo: &Path, dir: &Path, revision: &str) -> Result<Vec<Mail>> {
    let sh = process::shell()?;
    let git = |args: &[&str]| process::output(&mut cmd!(sh, "git -C {repo} {args...}").into());
    let absolute = |p: &Path| p.canonicalize().unwrap_or_else(|_| p.to_path_buf());
    let (repo_dir, dir) = (absolute(repo), absolute(dir));
    let inside = dir.strip_prefix(&repo_dir).map_err(|_| {
        let what = format!("{} is not in this repository, so it has no history", dir.display());
        Error::new(Kind::Usage, what).hint("leave out --since-revision")
    })?;
    let folder = format!("{revision}:{}", inside.display());
    let list = git(&["ls-tree", "--name-only", &folder])?;
    if !list.status.success() {
        return Err(Error::new(Kind::Usage, format!("{revision} has no {}", inside.display()))
            .hint("--since-revision takes a commit or tag of this repository"));
    }
    let names = String::from_utf8_lossy(&list.stdout).into_owned();
    let patches = names.lines().filter(|n| n.ends_with(".patch"));
    patches.map(|name| Mail::parse(&git(&["show", &format!("{folder}/{name}")])?.stdout)).collect()
}
