//! The Debian package: the tree below a prefix of its own, and one name on the path.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use xshell::cmd;

use super::text::{self, Facts};
use super::tree::{self, Tree};
use super::version::{NAME, PROGRAM};
use crate::host::cache::io_error;
use crate::host::error::Context;
use crate::host::process;
use crate::{Error, Kind, Result};

/// Where the tree is installed.
const PREFIX: &str = "usr/lib/qemu-svm";

/// Writes it into the folder `out`, and returns its path. `by` is who packs it.
///
/// # Errors
/// Setup, when dpkg's tools are missing; Harness.
pub(super) fn write(tree: &Tree, by: &str, out: &Path) -> Result<PathBuf> {
    let scratch = tempfile::tempdir().doing(Kind::Harness, || "making a folder".into())?;
    let root = scratch.path().join("root");
    let (prefix, doc) = (root.join(PREFIX), root.join("usr/share/doc").join(NAME));
    for part in ["bin", "share"] {
        tree.copy(part, &prefix.join(part))?;
    }
    tree.copy("doc", &doc)?;
    let (bin, man, control) =
        (root.join("usr/bin"), root.join("usr/share/man/man1"), root.join("DEBIAN"));
    for dir in [&bin, &man, &control] {
        fs::create_dir_all(dir).map_err(|e| io_error("creating", dir, e))?;
    }
    let link = bin.join(PROGRAM);
    symlink(format!("../lib/{NAME}/bin/{PROGRAM}"), &link)
        .map_err(|e| io_error("creating", &link, e))?;
    let facts = &tree.facts;
    tree::write(&doc.join("README.md"), text::readme(facts, None)?.as_bytes())?;
    tree::write(&doc.join("copyright"), copyright(facts).as_bytes())?;
    let changes = doc.join("changelog.Debian");
    tree::write(&changes, changelog(facts, by).as_bytes())?;
    let page = man.join(format!("{PROGRAM}.1"));
    tree::write(&page, tree.manual()?.as_bytes())?;
    gzip(&[&changes, &page, &doc.join("series.mbox")])?;
    tree::open_up(&root)?;
    let depends = depends(scratch.path(), &prefix.join("bin").join(PROGRAM))?;
    let stanza = stanza(facts, by, &depends, kibibytes(&root)?);
    tree::write(&control.join("control"), stanza.as_bytes())?;
    tree::open_up(&control)?;
    pack(&root, facts.version.seconds, &out.join(facts.version.deb()))
}

fn pack(root: &Path, seconds: i64, to: &Path) -> Result<PathBuf> {
    let fresh = to.with_extension("deb.new");
    let sh = process::shell()?;
    let mut c: Command = cmd!(sh, "dpkg-deb --root-owner-group --build {root} {fresh}").into();
    let packed = process::stdout(Kind::Setup, c.env("SOURCE_DATE_EPOCH", seconds.to_string()));
    if packed.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    packed?;
    fs::rename(&fresh, to).map_err(|e| io_error("writing", to, e))?;
    Ok(to.to_owned())
}

fn gzip(files: &[&Path]) -> Result<()> {
    let sh = process::shell()?;
    process::stdout(Kind::Harness, &mut cmd!(sh, "gzip -9n {files...}").into()).map(drop)
}

/// The packages that have the libraries of `program`, in the versions that it was linked with.
fn depends(scratch: &Path, program: &Path) -> Result<String> {
    // The tool wants to stand in a source package.
    let debian = scratch.join("debian");
    fs::create_dir_all(&debian).map_err(|e| io_error("creating", &debian, e))?;
    let source = format!("Source: {NAME}\n\nPackage: {NAME}\nArchitecture: any\n");
    tree::write(&debian.join("control"), source.as_bytes())?;
    let (sh, e) = (process::shell()?, format!("-e{}", program.display()));
    let mut c: Command = cmd!(sh, "dpkg-shlibdeps -O {e}").into();
    let said = process::stdout(Kind::Setup, c.current_dir(scratch))?;
    let found = said.lines().find_map(|line| line.strip_prefix("shlibs:Depends="));
    let found = found.filter(|depends| !depends.is_empty()).map(str::to_owned);
    found.ok_or_else(|| Error::new(Kind::Setup, format!("dpkg-shlibdeps names no package: {said}")))
}

fn kibibytes(root: &Path) -> Result<u64> {
    let sh = process::shell()?;
    let mut c = cmd!(sh, "du -k -s --apparent-size {root}").into();
    let said = process::stdout(Kind::Harness, &mut c)?;
    let number = said.split_whitespace().next().and_then(|n| n.parse().ok());
    number.ok_or_else(|| Error::new(Kind::Harness, format!("du says {said:?}")))
}

/// What dpkg reads.
fn stanza(facts: &Facts, by: &str, depends: &str, kibibytes: u64) -> String {
    let (version, qemu) = (facts.version.debian(), &facts.version.qemu);
    let (patches, series) = (facts.version.patches, &facts.series);
    format!(
        "Package: {NAME}\nVersion: {version}\nArchitecture: amd64\nMaintainer: {by}\n\
         Installed-Size: {kibibytes}\nDepends: {depends}\nRecommends: qemu-utils\n\
         Section: otherosfs\nPriority: optional\n\
         Description: QEMU for hypervisors that use AMD SVM, without an AMD processor\n \
         QEMU {qemu} for x86-64 machines, with a series of {patches} patches\n ({series}) \
         after which TCG's emulation of AMD's extension SVM does\n \
         as the manual says. It stands beside the QEMU of the distribution, and is\n \
         started as {PROGRAM}.\n"
    )
}

fn changelog(facts: &Facts, by: &str) -> String {
    let version = &facts.version;
    format!(
        "{NAME} ({}) unstable; urgency=medium\n\n  * QEMU {} with a series of {} patches ({}).\n\n \
         -- {by}  {}\n",
        version.debian(),
        facts.base,
        version.patches,
        facts.series,
        version.date
    )
}

fn copyright(facts: &Facts) -> String {
    format!(
        "QEMU: {}\nThe patches on it are in series.mbox.gz, and under the licences of the files that \
         they change.\nThe firmware, which QEMU loads and is not linked with, is from the packages \
         \n  {}\nand under the licences that licences/ has for each of them.\n\n{}",
        facts.base,
        facts.firmware.join("\n  "),
        facts.licence
    )
}

#[cfg(test)]
mod tests {
    use super::super::text::tests::facts;
    use super::*;

    const BY: &str = "A Packer <a@example.org>";

    #[test]
    fn the_stanza_has_what_dpkg_asks_for_and_reads_as_one() {
        let text = stanza(&facts(), BY, "libc6 (>= 2.34)", 99);
        for line in [
            "Package: qemu-svm",
            "Architecture: amd64",
            "Maintainer: A Packer <a@example.org>",
            "Installed-Size: 99",
            "Depends: libc6 (>= 2.34)",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}:\n{text}");
        }
        let (_, rest) = text.split_once("Description: ").unwrap();
        assert!(rest.lines().skip(1).all(|l| l.starts_with(' ') && l.len() > 1), "{rest}");
        assert!(rest.lines().all(|l| l.len() <= 80), "{rest}");
        assert!(text.ends_with('\n'));
    }

    #[test]
    fn the_changelog_is_one_that_dpkg_parses() {
        let text = changelog(&facts(), BY);
        assert!(text.starts_with("qemu-svm (10.2.2+svm20261128.180-1~"), "{text}");
        let last = " -- A Packer <a@example.org>  Sat, 28 Nov 2026 06:26:04 +0000";
        assert_eq!(text.lines().last(), Some(last));
    }
}
