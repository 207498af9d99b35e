//! One work tree and one build folder for each base and flavour.
//!
//! The tree has no `.git`: the repository is the source's, the index lies beside
//! the tree. So QEMU's build sees a plain release, and moving to another commit
//! rewrites only the files that differ, which is what makes the next build an
//! incremental one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::flags::{DEVICES, DEVICES_FILE, Flavour};
use crate::host::cache::{Lock, io_error, write_atomic};
use crate::host::git::Git;
use crate::host::process;
use crate::host::sandbox::{Limits, Moved, Room, Sandbox};
use crate::qemu::source::Source;
use crate::{Env, Error, Kind, Result};

/// A tree that this run alone may change.
#[derive(Debug)]
pub struct Tree {
    home: PathBuf,
    git: Git,
    lock: Lock,
    apart: Option<Apart>,
}

/// What makes a tree one for a stranger's series.
#[derive(Debug)]
struct Apart {
    sandbox: Sandbox,
    /// The tree that it is a copy of: what is built finds it there.
    original: PathBuf,
    /// Python with meson.
    venv: PathBuf,
}

impl Tree {
    /// The tree of `source` and `flavour`, waiting for a run that builds in it.
    ///
    /// # Errors
    /// Harness, when it cannot be created; Interrupted while waiting.
    pub fn take(env: &Env, source: &Source, flavour: Flavour) -> Result<Self> {
        let name = format!("{}-{flavour}", source.name());
        let lock = env.cache.lock(&format!("tree-{name}"), &env.console)?;
        let home = env.cache.dir(format!("trees/{name}"))?;
        let src = home.join("src");
        fs::create_dir_all(&src).map_err(|e| io_error("creating", &src, e))?;
        let git = Git::new(&source.git).with_work_tree(src).with_index(home.join("index"));
        Ok(Tree { home, git, lock, apart: None })
    }

    /// A copy of [`Tree::take`]'s for what must be built in `sandbox`: whatever a
    /// series leaves in it, no build of another one meets it. The first in a
    /// sandbox begins as the tree is, so that little is to be built.
    ///
    /// # Errors
    /// As [`Tree::take`].
    pub fn apart(env: &Env, source: &Source, flavour: Flavour, sandbox: &Sandbox) -> Result<Self> {
        let name = format!("{}-{flavour}", source.name());
        let lock = env.cache.lock(&format!("tree-apart-{name}"), &env.console)?;
        let home = env.cache.dir("trees-apart")?.join(&name);
        if sandbox.first(&name) {
            let original = Tree::take(env, source, flavour)?;
            remove(&home)?;
            let mut c = Command::new("cp");
            c.args(["-a", "--reflink=auto", "--"]).arg(&original.home).arg(&home);
            process::stdout(Kind::Harness, &mut c)?;
        }
        let (src, build) = (home.join("src"), home.join("build"));
        fs::create_dir_all(&build).map_err(|e| io_error("creating", &build, e))?;
        let git = Git::new(&source.git).with_work_tree(src).with_index(home.join("index"));
        // The copy's files are new to the index, and the same.
        process::output(&mut git.command(["update-index", "-q", "--refresh"]))?;
        let original = env.cache.path(format!("trees/{name}"));
        let apart = Apart { sandbox: sandbox.clone(), original, venv: env.cache.path("venv") };
        Ok(Tree { home, git, lock, apart: Some(apart) })
    }

    /// `program`, to be run in the build folder: in the tree's sandbox, if it has
    /// one. It finds the tree at [`Tree::seen`].
    ///
    /// # Errors
    /// Harness, when the tree cannot be handed over.
    pub fn command(&self, program: &Path) -> Result<Command> {
        let Some(sandbox) = self.sandbox() else {
            let mut c = Command::new(program);
            c.current_dir(self.build());
            return Ok(c);
        };
        sandbox.hand_over(&self.src(), false)?;
        sandbox.hand_over(&self.build(), true)?;
        let lock = self.home.join("wraplock");
        if lockable(&self.src())? {
            fs::write(&lock, "").map_err(|e| io_error("writing", &lock, e))?;
            sandbox.hand_over(&lock, true)?;
        } else {
            let _ = fs::remove_file(&lock);
        }
        let mut room = self.room().unwrap_or_default();
        if program.is_absolute()
            && !program.starts_with("/usr")
            && !program.starts_with(self.seen())
        {
            room.shown.push(program.to_owned());
        }
        Ok(sandbox.command(&Room { limits: Limits::BUILD, ..room }, program))
    }

    /// What is found of it in its sandbox, if it has one.
    pub fn room(&self) -> Option<Room> {
        let Apart { original, venv, .. } = self.apart.as_ref()?;
        let moved = |name: &str, open| {
            let (from, to) = (self.home.join(name), original.join(name));
            Moved { from, to, open }
        };
        let mut all = vec![moved("src", false), moved("build", true)];
        let lock = self.home.join("wraplock");
        if lock.is_file() {
            all.push(Moved { from: lock, to: original.join("src").join(WRAP_LOCK), open: true });
        }
        Some(Room {
            shown: if venv.is_dir() { vec![venv.clone()] } else { Vec::new() },
            moved: all,
            dir: Some(original.join("build")),
            ..Room::default()
        })
    }

    /// Where what is built finds the tree.
    pub fn seen(&self) -> &Path {
        self.apart.as_ref().map_or(&self.home, |apart| &apart.original)
    }

    /// The sandbox that it is built in.
    pub fn sandbox(&self) -> Option<&Sandbox> {
        self.apart.as_ref().map(|apart| &apart.sandbox)
    }

    /// The sources.
    pub fn src(&self) -> PathBuf {
        self.home.join("src")
    }

    /// What is built from them.
    pub fn build(&self) -> PathBuf {
        self.home.join("build")
    }

    /// Removes what is built. Who built it in a sandbox may have taken us the right
    /// to do so.
    ///
    /// # Errors
    /// Harness, when it cannot be removed.
    pub fn remove_build(&self) -> Result<()> {
        remove(&self.build())
    }

    /// Removes what is in the place of something to be built, unless it is a file: a
    /// link or a folder that one build left would spoil the next one.
    ///
    /// # Errors
    /// Harness, when it cannot be removed.
    pub fn clear(&self, target: &str) -> Result<()> {
        let path = self.build().join(target);
        match path.symlink_metadata() {
            Ok(meta) if meta.is_dir() => remove(&path),
            Ok(meta) if !meta.is_file() => {
                fs::remove_file(&path).map_err(|e| io_error("removing", &path, e))
            }
            _ => Ok(()),
        }
    }

    /// An error over something in the build folder, which a stranger's series has
    /// for itself: what it made of it is its own fault, and no build of QEMU.
    pub fn blame(&self, e: Error) -> Error {
        match self.apart {
            Some(_) if e.kind() == Kind::Harness => {
                Error::new(Kind::Build, format!("QEMU's build leaves what no build leaves: {e}"))
            }
            _ => e,
        }
    }

    /// A log of the last run of a step.
    pub fn log(&self, step: &str) -> PathBuf {
        self.home.join(format!("{step}.log"))
    }

    /// The lock that lets this run change the tree.
    pub fn lock(&self) -> &Lock {
        &self.lock
    }

    /// Makes the tree that of `commit`, whatever state a killed run or a curious
    /// person left it in.
    ///
    /// # Errors
    /// Harness, with what git said; the next run starts over from there.
    pub fn checkout(&self, commit: &str) -> Result<()> {
        let _ = fs::remove_file(self.home.join("index.lock"));
        if self.git.run(["read-tree", "-u", "--reset", commit]).is_err() {
            // A damaged index costs a look at every file, no more.
            let _ = fs::remove_file(self.home.join("index"));
            let _ = fs::remove_file(self.home.join("index.lock"));
            self.git.run(["read-tree", "--reset", commit])?;
        }
        // Files that were changed behind git's back; it names those that differ
        // and ends with 1, which is no failure here.
        let refresh = self.git.command(["update-index", "-q", "--refresh"]);
        crate::host::process::output(&mut { refresh })?;
        self.git.run(["checkout-index", "--all", "--force", "--quiet", "--index"])?;
        put(&self.src(), DEVICES_FILE, DEVICES)
    }
}

/// The one file below the source that meson writes: its lock over subprojects.
const WRAP_LOCK: &str = "subprojects/.wraplock";

/// Makes a place for [`WRAP_LOCK`] to be put over, unless the tree has no
/// subprojects, or a patch made a link of them.
fn lockable(src: &Path) -> Result<bool> {
    let (folder, place) = (src.join("subprojects"), src.join(WRAP_LOCK));
    if !folder.is_dir() || folder.is_symlink() {
        return Ok(false);
    }
    if place.is_symlink() {
        fs::remove_file(&place).map_err(|e| io_error("removing", &place, e))?;
    }
    put(src, WRAP_LOCK, "")?;
    Ok(true)
}

/// Removes a folder with all that is in it, folders that nobody may read among it.
fn remove(folder: &Path) -> Result<()> {
    if !folder.exists() || fs::remove_dir_all(folder).is_ok() {
        return Ok(());
    }
    // It follows no links below the folder.
    let mut c = Command::new("chmod");
    process::output(c.args(["-R", "u+rwX", "--"]).arg(folder))?;
    fs::remove_dir_all(folder).map_err(|e| io_error("removing", folder, e))
}

/// Writes `src`'s `file` unless it already says `text`, so that its time stays.
///
/// # Errors
/// Build, when a patch made a link on the way to it: it would lead elsewhere.
fn put(src: &Path, file: &str, text: &str) -> Result<()> {
    let path = src.join(file);
    let mut above = path.ancestors().skip(1).take_while(|dir| *dir != src);
    if let Some(link) = above.find(|dir| dir.is_symlink()) {
        let what = format!("{} is a link, and must be a folder", link.display());
        return Err(Error::new(Kind::Build, what));
    }
    if fs::read_to_string(&path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    write_atomic(&path, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing is closed to root: runs the test `name` once more without that right, and says
    /// whether that is done.
    fn run_without_the_right_of_root(name: &str) -> bool {
        const MARK: &str = "QEMU_SVM_TEST_WITHOUT_RIGHTS";
        if !rustix::process::geteuid().is_root() || std::env::var_os(MARK).is_some() {
            return false;
        }
        let mut c = Command::new("setpriv");
        c.args(["--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-all"]);
        let test = format!("{}::{name}", module_path!().split_once("::").unwrap().1);
        c.arg(std::env::current_exe().unwrap()).args(["--exact", &test]).env(MARK, "1");
        let out = c.output().unwrap();
        let said = String::from_utf8_lossy(&out.stdout) + String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success() && said.contains("1 passed"), "{said}");
        true
    }

    #[test]
    fn a_folder_that_was_closed_to_us_is_removed_all_the_same() {
        use std::os::unix::fs::PermissionsExt;
        let name = "a_folder_that_was_closed_to_us_is_removed_all_the_same";
        if run_without_the_right_of_root(name) {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let (build, other) = (dir.path().join("build"), dir.path().join("other"));
        fs::create_dir_all(build.join("a/b")).unwrap();
        fs::create_dir(&other).unwrap();
        fs::write(other.join("kept"), "").unwrap();
        std::os::unix::fs::symlink(&other, build.join("a/link")).unwrap();
        fs::set_permissions(build.join("a"), fs::Permissions::from_mode(0o0)).unwrap();
        assert!(fs::read_dir(build.join("a")).is_err(), "nothing is closed to who runs this");
        remove(&build).unwrap();
        assert!(!build.exists() && other.join("kept").exists());
        remove(&build).unwrap();
    }

    #[test]
    fn mesons_lock_is_a_file_of_ours_whatever_a_patch_put_there() {
        let dir = tempfile::tempdir().unwrap();
        let (src, other) = (dir.path().join("src"), dir.path().join("other"));
        fs::create_dir(&src).unwrap();
        assert!(!lockable(&src).unwrap());
        fs::create_dir(&other).unwrap();
        fs::write(other.join(".wraplock"), "").unwrap();
        std::os::unix::fs::symlink(&other, src.join("subprojects")).unwrap();
        assert!(!lockable(&src).unwrap());
        fs::remove_file(src.join("subprojects")).unwrap();
        fs::create_dir(src.join("subprojects")).unwrap();
        std::os::unix::fs::symlink(other.join(".wraplock"), src.join(WRAP_LOCK)).unwrap();
        assert!(lockable(&src).unwrap());
        assert!(!src.join(WRAP_LOCK).is_symlink() && src.join(WRAP_LOCK).is_file());
        assert!(other.join(".wraplock").exists());
    }

    #[test]
    fn nothing_is_written_through_a_link_that_a_patch_made() {
        let dir = tempfile::tempdir().unwrap();
        let (src, elsewhere) = (dir.path().join("src"), dir.path().join("elsewhere"));
        fs::create_dir_all(src.join("configs")).unwrap();
        fs::create_dir(&elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, src.join("configs/devices")).unwrap();
        let e = put(&src, "configs/devices/x.mak", "text").unwrap_err();
        assert_eq!(e.kind(), Kind::Build);
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
        fs::remove_file(src.join("configs/devices")).unwrap();
        put(&src, "configs/devices/x.mak", "text").unwrap();
        assert!(src.join("configs/devices/x.mak").is_file());
    }
}
