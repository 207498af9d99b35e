//! Where sources, builds and logs are kept between runs, and the locks that
//! let two runs share it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::host::console::Console;
use crate::host::error::Context;
use crate::host::interrupt;
use crate::{Error, Kind, Result};

/// The cache folder.
///
/// ```text
/// archives/   verified source archives, by version
/// source/     one git repository a base, its first commit the base itself
/// trees/      one work tree, build folder and log folder a base and flavour
/// bin/        finished binaries, by the hash of what made them
/// linux/      the kernel of Linux guests, their initramfs and consoles
/// venv/       meson
/// locks/
/// ```
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

/// Between two looks at a lock that another run holds.
const POLL: Duration = Duration::from_millis(100);

impl Cache {
    /// The cache in `dir` or, without one, in `$XDG_CACHE_HOME/qemu-svm` or
    /// `~/.cache/qemu-svm`; created when it does not exist.
    ///
    /// # Errors
    /// Usage, when no folder can be named; Harness, when it cannot be created.
    pub fn open(dir: Option<&Path>) -> Result<Self> {
        let root = match dir {
            Some(dir) => std::path::absolute(dir)
                .doing(Kind::Usage, || format!("finding the cache {}", dir.display()))?,
            None => default_root()?,
        };
        fs::create_dir_all(&root).map_err(|e| match root.is_dir() || dir.is_none() {
            true => io_error("creating the cache", &root, e),
            false => Error::new(Kind::Usage, format!("creating the cache {}", root.display()))
                .because(e)
                .hint("--cache and SVM_CACHE name a folder"),
        })?;
        Ok(Cache { root })
    }

    /// The cache folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path in it.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// A folder in it, created when it does not exist.
    ///
    /// # Errors
    /// Harness, when it cannot be created.
    pub fn dir(&self, relative: impl AsRef<Path>) -> Result<PathBuf> {
        let dir = self.path(relative);
        fs::create_dir_all(&dir).map_err(|e| io_error("creating", &dir, e))?;
        Ok(dir)
    }

    /// Takes the lock `name`, waiting for a run that holds it. The kernel lets
    /// go of it when the last process that holds it ends, however it ends.
    ///
    /// # Errors
    /// Harness, when the lock file cannot be used; Interrupted while waiting.
    pub fn lock(&self, name: &str, console: &Console) -> Result<Lock> {
        let path = self.dir("locks")?.join(format!("{name}.lock"));
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|e| io_error("opening", &path, e))?;
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(e)) => return Err(io_error("locking", &path, e)),
                Err(TryLockError::WouldBlock) => {
                    if !std::mem::replace(&mut told, true) {
                        console.note(format_args!("waiting for {} ({name})", holder(&mut file)));
                    }
                    std::thread::sleep(POLL);
                    interrupt::check()?;
                }
            }
        }
        // Only for the message above; a full disk must not cost the lock.
        let _ = file.set_len(0).and_then(|()| file.rewind());
        let _ = write!(file, "{}", std::process::id());
        Ok(Lock { file })
    }
}

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    pub(crate) fn file(&self) -> &File {
        &self.file
    }
}

/// Who holds the lock, as far as its file tells.
fn holder(file: &mut File) -> String {
    let mut pid = String::new();
    match file.rewind().and_then(|()| file.read_to_string(&mut pid)) {
        Ok(_) if !pid.is_empty() => format!("another run, process {pid}"),
        _ => "another run".into(),
    }
}

fn default_root() -> Result<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    set("XDG_CACHE_HOME")
        .filter(|p| p.is_absolute())
        .or_else(|| set("HOME").map(|h| h.join(".cache")))
        .map(|d| d.join("qemu-svm"))
        .ok_or_else(|| {
            Error::new(Kind::Usage, "no cache folder: neither HOME nor XDG_CACHE_HOME is set")
                .hint("name one with --cache DIR or SVM_CACHE")
        })
}

/// Writes `path` by way of a file beside it, so that a reader sees the old
/// contents or the new and a failure leaves the old.
///
/// # Errors
/// Harness, naming `path`; nothing of the new contents is left then.
pub fn write_atomic(path: &Path, contents: &[u8]) -> Result<()> {
    write_atomic_with(path, |file| file.write_all(contents))
}

/// [`write_atomic`] with contents that `write` produces.
///
/// # Errors
/// As [`write_atomic`].
pub fn write_atomic_with(
    path: &Path,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<()> {
    let dir = path.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let attempt = || -> io::Result<()> {
        fs::create_dir_all(dir)?;
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(dir)?;
        write(file.as_file_mut())?;
        file.as_file().sync_all()?;
        set_default_mode(file.as_file())?;
        file.persist(path)?;
        Ok(())
    };
    attempt().map_err(|e| io_error("writing", path, e))
}

/// Writes the file that a person has named for output.
///
/// A regular file is replaced as [`write_atomic`] does it, and so is the one that a
/// link leads to. A pipe or a device, such as `/dev/stdout`, is written to and stays.
///
/// # Errors
/// Harness, naming `path`; a pipe that nobody reads is one.
pub fn write_named(path: &Path, contents: &[u8]) -> Result<()> {
    let failed = |e| io_error("writing", path, e);
    match fs::metadata(path) {
        Ok(there) if !there.is_file() => {
            let nonblock = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
            let mut file =
                OpenOptions::new().write(true).custom_flags(nonblock).open(path).map_err(failed)?;
            blocking(&file).map_err(|e| failed(e.into()))?;
            file.write_all(contents).map_err(failed)
        }
        Ok(_) => write_atomic(&fs::canonicalize(path).map_err(failed)?, contents),
        Err(_) if path.is_symlink() => {
            let there = fs::read_link(path).map_err(failed)?;
            let beside = path.parent().unwrap_or(Path::new("."));
            write_atomic(&beside.join(there), contents)
        }
        Err(_) => write_atomic(path, contents),
    }
}

/// Whether two names lead to one regular file, there already or not.
pub fn same_file(a: &Path, b: &Path) -> bool {
    let real = |path: &Path| {
        let dir = path.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let absent =
            || fs::canonicalize(dir).map(|dir| dir.join(path.file_name().unwrap_or_default()));
        fs::canonicalize(path).or_else(|_| absent()).unwrap_or_else(|_| path.to_owned())
    };
    let stream = |path: &Path| fs::metadata(path).is_ok_and(|m| !m.is_file());
    !stream(a) && real(a) == real(b)
}

/// Opening did not wait for a reader; writing does.
fn blocking(file: &File) -> rustix::io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(file)?;
    rustix::fs::fcntl_setfl(file, flags - rustix::fs::OFlags::NONBLOCK)
}

/// Whether a file could be written there, folders on the way to it included, as far
/// as can be told without writing anything.
///
/// # Errors
/// Why not, in words.
pub fn writable(path: &Path) -> Result<(), String> {
    if path.exists() {
        return rustix::fs::access(path, rustix::fs::Access::WRITE_OK)
            .map_err(|e| format!("it cannot be written to: {e}"));
    }
    let above = path.ancestors().skip(1);
    let mut named = above.map(|dir| if dir.as_os_str().is_empty() { Path::new(".") } else { dir });
    let Some(dir) = named.find(|dir| dir.symlink_metadata().is_ok()) else {
        return Ok(());
    };
    if !dir.is_dir() {
        return Err(format!("{} is no folder", dir.display()));
    }
    rustix::fs::access(dir, rustix::fs::Access::WRITE_OK)
        .map_err(|e| format!("{} cannot be written to: {e}", dir.display()))
}

/// Temporary files are private; what they become need not be.
fn set_default_mode(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

/// The error for an I/O failure on `path`; a full disk is named as what it is.
pub fn io_error(doing: &str, path: &Path, e: io::Error) -> Error {
    let full = matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    let error = Error::new(Kind::Harness, format!("{doing} {}", path.display())).because(e);
    if full { error.hint(NO_SPACE) } else { error }
}

/// What to do about a full disk.
pub const NO_SPACE: &str =
    "the disk is full: free some space, or name another cache with --cache DIR (it needs 2 GB)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_file_could_be_written_is_told_without_writing_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(writable(&file), Ok(()));
        assert_eq!(writable(&dir.path().join("a/b/c")), Ok(()));
        assert_eq!(writable(Path::new("here")), Ok(()));
        let below = file.join("a/b");
        assert_eq!(writable(&below), Err(format!("{} is no folder", file.display())));
        assert!(!dir.path().join("a").exists());
    }

    #[test]
    fn what_is_named_for_output_is_written_to_and_stays_what_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link, new, pipe) = (
            dir.path().join("f"),
            dir.path().join("l"),
            dir.path().join("n"),
            dir.path().join("p"),
        );
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink("f", &link).unwrap();
        std::os::unix::fs::symlink("absent", &new).unwrap();
        for (path, there) in [(&link, &file), (&new, &dir.path().join("absent"))] {
            write_named(path, b"new").unwrap();
            assert!(path.is_symlink());
            assert_eq!(fs::read(there).unwrap(), b"new");
        }
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let e = write_named(&pipe, b"new").unwrap_err();
        assert_eq!(e.kind(), Kind::Harness);
        let read = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::read(pipe).unwrap()
        });
        while write_named(&pipe, b"new").is_err() {
            std::thread::yield_now();
        }
        assert_eq!(read.join().unwrap(), b"new");
        write_named(Path::new("/dev/null"), b"new").unwrap();
        use std::os::unix::fs::FileTypeExt;
        let null = fs::metadata("/dev/null").unwrap().file_type();
        let pipe = fs::symlink_metadata(&pipe).unwrap().file_type();
        assert!(null.is_char_device() && pipe.is_fifo());
        assert!(write_named(Path::new("/dev/full"), b"new").is_err());
        assert!(
            same_file(&file, &link) && same_file(&dir.path().join("x"), &dir.path().join("./x"))
        );
        assert!(!same_file(&file, &dir.path().join("x")));
        assert!(!same_file(Path::new("/dev/null"), Path::new("/dev/null")));
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("results.json");
        write_atomic(&path, b"old").unwrap();
        let e = write_atomic_with(&path, |f| {
            f.write_all(b"half of the ne")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        })
        .unwrap_err();
        assert_eq!(e.kind(), Kind::Harness);
        assert!(e.to_string().contains("disk is full"), "{e}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_lock_is_held_by_one_at_a_time_and_freed_on_drop() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(Some(dir.path())).unwrap();
        let console = Console::new(crate::host::console::Verbosity::Quiet);
        let lock = cache.lock("x", &console).unwrap();
        let other = File::open(dir.path().join("locks/x.lock")).unwrap();
        assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
        drop(lock);
        other.try_lock().unwrap();
    }
}
