//! The shared libraries that a program needs, and of which age the C library must be.
//!
//! In the tarball they stand beside it: distributions have other versions of them, under other
//! names. The C library and its loader stay the system's: a program names its loader by a path
//! from the root, so that one that is shipped could not be found from wherever it is unpacked.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use object::LittleEndian;
use object::elf::FileHeader64;
use object::read::elf::FileHeader;
use xshell::cmd;

use crate::host::cache::io_error;
use crate::host::process;
use crate::{Error, Kind, Result};

/// Parts of the C library, and what the kernel or the loader bring.
const SYSTEM: [&str; 9] = [
    "linux-vdso",
    "ld-linux",
    "libc.so",
    "libm.so",
    "libpthread.so",
    "libdl.so",
    "librt.so",
    "libutil.so",
    "libresolv.so",
];

/// The libraries that `program` is given here, and those that they need, by name; those of the C
/// library left out.
///
/// # Errors
/// Setup, when one is not there.
pub(super) fn of(program: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let sh = process::shell()?;
    let said = process::stdout(Kind::Setup, &mut cmd!(sh, "ldd {program}").into())?;
    read(&said)
}

/// What `ldd` says.
fn read(said: &str) -> Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    for line in said.lines() {
        let Some((name, path)) = line.trim().split_once(" => ") else {
            continue;
        };
        if SYSTEM.iter().any(|system| name.starts_with(system)) {
            continue;
        }
        let path = path.split(" (").next().unwrap_or_default();
        if !path.starts_with('/') {
            return Err(Error::new(Kind::Setup, format!("the library {name} is not there")));
        }
        found.insert(name.to_owned(), PathBuf::from(path));
    }
    Ok(found)
}

/// The package of the distribution that a library is from, and on what terms it is given.
///
/// # Errors
/// Setup, when no package has it.
pub(super) fn licence(library: &Path) -> Result<(String, PathBuf)> {
    let real = fs::canonicalize(library).map_err(|e| io_error("finding", library, e))?;
    let merged = real.strip_prefix("/usr").map(|rest| Path::new("/").join(rest));
    for path in std::iter::once(real.clone()).chain(merged) {
        let sh = process::shell()?;
        let out = process::output(&mut cmd!(sh, "dpkg-query -S {path}").into())?;
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        if let Some(name) = said.split(':').next().filter(|_| out.status.success()) {
            return Ok((name.to_owned(), format!("/usr/share/doc/{name}/copyright").into()));
        }
    }
    let what = format!("{} is of no package of the distribution", real.display());
    Err(Error::new(Kind::Setup, what).hint(
        "a tarball says on what terms each of its libraries is given; remove one that was \
               built by hand, and install the distribution's",
    ))
}

/// The newest version of the C library that one of these files asks for: `2.34`.
///
/// # Errors
/// Harness, when one is no program and no library, or none asks for any.
pub(super) fn c_library<'a>(files: impl IntoIterator<Item = &'a Path>) -> Result<String> {
    let mut newest = Vec::new();
    for file in files {
        let bytes = fs::read(file).map_err(|e| io_error("reading", file, e))?;
        let asked = versions(&bytes).map_err(|e| {
            Error::new(Kind::Harness, format!("reading {}", file.display())).because(e)
        })?;
        let numbers = asked.iter().filter_map(|v| number(v.strip_prefix("GLIBC_")?));
        newest = numbers.chain([newest]).max().unwrap_or_default();
    }
    if newest.is_empty() {
        return Err(Error::new(Kind::Harness, "no program asks for a C library"));
    }
    Ok(newest.iter().map(u32::to_string).collect::<Vec<_>>().join("."))
}

/// The numbers in `2.34`; nothing of `PRIVATE`, or of `ABI_DT_RELR`.
fn number(version: &str) -> Option<Vec<u32>> {
    version.split('.').map(|part| part.parse().ok()).collect()
}

/// The versions of other libraries' symbols that an ELF file asks for.
fn versions(bytes: &[u8]) -> object::read::Result<Vec<String>> {
    let header = FileHeader64::<LittleEndian>::parse(bytes)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, bytes)?;
    let Some((mut needs, strings)) = sections.gnu_verneed(endian, bytes)? else {
        return Ok(Vec::new());
    };
    let strings = sections.strings(endian, bytes, strings)?;
    let mut all = Vec::new();
    while let Some((_, mut names)) = needs.next()? {
        while let Some(name) = names.next()? {
            all.push(String::from_utf8_lossy(name.name(endian, strings)?).into_owned());
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LDD: &str = "\tlinux-vdso.so.1 (0x00007ffc)\n\
        \tlibslirp.so.0 => /lib/x86_64-linux-gnu/libslirp.so.0 (0x00007f1)\n\
        \tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f2)\n\
        \tlibmount.so.1 => /lib/x86_64-linux-gnu/libmount.so.1 (0x00007f3)\n\
        \t/lib64/ld-linux-x86-64.so.2 (0x00007f4)\n";

    #[test]
    fn all_but_the_c_library_is_taken_along() {
        let found = read(LDD).unwrap();
        let names: Vec<_> = found.keys().map(String::as_str).collect();
        assert_eq!(names, ["libmount.so.1", "libslirp.so.0"]);
        assert_eq!(found["libslirp.so.0"], Path::new("/lib/x86_64-linux-gnu/libslirp.so.0"));
        let e = read("\tlibslirp.so.0 => not found\n").unwrap_err();
        assert!(e.kind() == Kind::Setup && e.to_string().contains("libslirp.so.0"), "{e}");
    }

    #[test]
    fn versions_are_numbers_and_not_text() {
        assert!(number("2.4") < number("2.34") && number("2.34") < number("2.34.1"));
        assert_eq!(number("PRIVATE"), None);
    }

    #[test]
    fn what_this_program_asks_of_the_c_library_is_read_from_it() {
        let ours = std::env::current_exe().unwrap();
        let version = c_library([ours.as_path()]).unwrap();
        assert!(version.starts_with("2.") && number(&version).is_some(), "{version}");
        let script = tempfile::NamedTempFile::new().unwrap();
        assert!(c_library([script.path()]).is_err());
        assert!(c_library([]).is_err());
    }
}
