//! A Debian source package as a folder: the original tarball, then its patches.
//!
//! What `dpkg-source -x` does, without needing it and without `roms/`, which is
//! two thirds of the tarball and no part of the build.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use xshell::cmd;

use super::pins::Base;
use crate::host::cache::io_error;
use crate::host::process;
use crate::{Error, Kind, Result};

/// Unpacks `base`'s archives, which are in `archives`, into the empty `dir`.
///
/// # Errors
/// Setup or Harness, with what tar or patch said.
pub(super) fn package(base: &Base, archives: &Path, dir: &Path) -> Result<()> {
    let archive = |end: &str| {
        let file = base.files.iter().find(|f| f.name.ends_with(end));
        file.map(|f| archives.join(&f.name)).ok_or_else(|| {
            Error::new(Kind::Harness, format!("no {end} is pinned for QEMU {}", base.version))
        })
    };
    let mut orig = tar(&archive(".orig.tar.xz")?, dir)?;
    process::stdout(Kind::Harness, orig.args(["--strip-components=1", "--exclude=*/roms"]))?;
    process::stdout(Kind::Harness, &mut tar(&archive(".debian.tar.xz")?, dir)?)?;
    let patches = dir.join("debian/patches");
    let series = patches.join("series");
    let text = fs::read_to_string(&series).map_err(|e| io_error("reading", &series, e))?;
    for name in text.lines().filter_map(|l| l.split('#').next()?.split_whitespace().next()) {
        apply(&patches.join(name), dir)?;
    }
    let packaging = dir.join("debian");
    fs::remove_dir_all(&packaging).map_err(|e| io_error("removing", &packaging, e))
}

fn tar(archive: &Path, dir: &Path) -> Result<Command> {
    let sh = process::shell()?;
    Ok(cmd!(sh, "tar -xJ --no-same-owner --no-same-permissions -f {archive} -C {dir}").into())
}

/// Applies one packaging patch as `dpkg-source` does: no fuzz, binary hunks
/// (of test data) left out. One that is for `roms/` alone has nothing to change.
fn apply(patch: &Path, dir: &Path) -> Result<()> {
    let bytes = fs::read(patch).map_err(|e| io_error("reading", patch, e))?;
    let text = String::from_utf8_lossy(&bytes);
    if is_for_roms_alone(&text) {
        return Ok(());
    }
    let input = fs::File::open(patch).map_err(|e| io_error("opening", patch, e))?;
    let sh = process::shell()?;
    let c = cmd!(sh, "patch -s -t -F0 -N -p1 -u -V never -E -r - --no-backup-if-mismatch");
    let mut c: Command = c.into();
    process::stdout_from(Kind::Setup, c.current_dir(dir), Stdio::from(input)).map(drop)
}

fn is_for_roms_alone(patch: &str) -> bool {
    let path = |l: &str| l.strip_prefix("+++ ").and_then(|p| p.split_once('/')).map(|p| p.1.into());
    let paths: Vec<String> = patch.lines().filter_map(path).collect();
    !paths.is_empty() && paths.iter().all(|p| p.starts_with("roms/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_that_also_touches_the_build_is_not_left_out() {
        let roms = "--- a/roms/x.c\n+++ b/roms/x.c\n@@ -1 +1 @@\n-a\n+b\n";
        assert!(is_for_roms_alone(roms));
        assert!(!is_for_roms_alone(&format!("{roms}--- a/y.c\n+++ b/y.c\n")));
        assert!(!is_for_roms_alone("no diff at all"));
    }
}
