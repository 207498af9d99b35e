//! A series with one of its patches taken out again, on top of all of them.

use std::path::PathBuf;

use super::Spec;
use super::apply::apply;
use super::patch::Patch;
use crate::host::cache::{io_error, write_atomic};
use crate::host::git::Git;
use crate::host::process;
use crate::{Env, Error, Kind, Result};

/// The spec with a patch at its end that takes the one of that place out; none where those behind
/// it have changed the same lines, so that it cannot be taken out alone.
///
/// # Errors
/// As [`apply`]; Harness, when the cache cannot be written.
pub fn without(env: &Env, spec: &Spec, place: usize) -> Result<Option<Spec>> {
    let patches = spec.patches.iter().map(|p| Patch::read(p)).collect::<Result<Vec<_>>>()?;
    let applied = apply(&spec.source, &patches)?;
    let Some(diff) = reverse(&Git::new(&spec.source.git), applied.tip(), &patches[place])? else {
        return Ok(None);
    };
    let path = env.cache.dir("without")?.join(format!("without-{}", patches[place].name()));
    write_atomic(&path, diff.as_bytes())?;
    let patches = spec.patches.iter().cloned().chain([path]).collect();
    Ok(Some(Spec { patches, ..spec.clone() }))
}

/// What takes `patch` out of the commit `tip`, if it can be taken out.
fn reverse(git: &Git, tip: &str, patch: &Patch) -> Result<Option<String>> {
    let scratch = tempfile::tempdir_in(git.dir())
        .map_err(|e| io_error("creating a scratch folder in", git.dir(), e))?;
    let git = git.clone().with_index(scratch.path().join("index"));
    git.run(["read-tree", tip])?;
    let mut c = git.command(["apply", "--cached", "--reverse", "--whitespace=nowarn"]);
    if !process::output(c.arg(&patch.path))?.status.success() {
        return Ok(None);
    }
    let mut c = git.command(["diff", "--cached", "--binary", "--no-color", "--no-ext-diff", tip]);
    let diff = process::output(&mut c)?;
    if !diff.status.success() || diff.stdout.is_empty() {
        let what = format!("git does not say what is left without {}", patch.name());
        return Err(Error::new(Kind::Harness, what));
    }
    String::from_utf8(diff.stdout).map(Some).map_err(|e| {
        Error::new(Kind::Harness, format!("{} is not all text", patch.name())).because(e)
    })
}

/// The places of the patches that are named by their numbers, as `42` or `0042`.
///
/// # Errors
/// Usage, for what is no number of a patch.
pub fn numbered(patches: &[PathBuf], numbers: &[String]) -> Result<Vec<usize>> {
    let number = |path: &PathBuf| -> Option<usize> {
        path.file_name()?.to_str()?.split_once('-')?.0.parse().ok()
    };
    let find = |wanted: &String| {
        let place = wanted
            .parse()
            .ok()
            .and_then(|n: usize| patches.iter().position(|path| number(path) == Some(n)));
        place.ok_or_else(|| {
            Error::new(Kind::Usage, format!("no patch of the series has the number {wanted}"))
                .hint("0042 is the patch whose file's name begins with 0042-")
        })
    };
    numbers.iter().map(find).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn git(dir: &std::path::Path, args: &[&str]) -> String {
        let git = Git::new(dir.join(".git")).with_work_tree(dir);
        git.run(args.iter().copied()).unwrap()
    }

    /// A repository with a commit for each text of a file; the commits.
    fn repository(texts: &[&str]) -> (tempfile::TempDir, Vec<String>) {
        let dir = tempfile::tempdir().unwrap();
        let init = process::output(std::process::Command::new("git").arg("init").arg(dir.path()));
        assert!(init.unwrap().status.success());
        let commit = |text: &&str| {
            std::fs::write(dir.path().join("x.c"), text).unwrap();
            git(dir.path(), &["add", "x.c"]);
            git(dir.path(), &["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"]);
            git(dir.path(), &["rev-parse", "HEAD"])
        };
        let commits = texts.iter().map(commit).collect();
        (dir, commits)
    }

    #[test]
    fn what_later_patches_leave_alone_is_taken_out_and_what_they_change_is_not() {
        let base = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        let texts =
            [base, &base.replace('2', "two"), &base.replace('2', "two").replace('8', "eight")];
        let (dir, commits) = repository(&texts);
        let path = dir.path().join("0001-two.patch");
        let text = git(dir.path(), &["diff", &commits[0], &commits[1]]) + "\n";
        std::fs::write(&path, &text).unwrap();
        let two = Patch::read(&path).unwrap();
        let repository = Git::new(dir.path().join(".git"));
        let diff = reverse(&repository, &commits[2], &two).unwrap().unwrap();
        assert!(diff.contains("-two\n+2\n") && !diff.contains("eight\n+"), "{diff}");
        // Base has no such line, and so nothing to take out.
        assert_eq!(reverse(&repository, &commits[0], &two).unwrap(), None);
    }

    #[test]
    fn patches_go_by_their_numbers() {
        let files: Vec<PathBuf> = ["a/0001-x.patch", "a/0012-y.patch"].map(PathBuf::from).into();
        let places = |numbers: &[&str]| {
            let numbers: Vec<String> = numbers.iter().map(|n| (*n).to_owned()).collect();
            numbered(&files, &numbers)
        };
        assert_eq!(places(&["12", "0001"]).unwrap(), [1, 0]);
        for bad in ["3", "x", ""] {
            assert_eq!(places(&[bad]).unwrap_err().kind(), Kind::Usage, "{bad}");
        }
    }
}
