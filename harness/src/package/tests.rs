//! What is refused, and packages of a program that is no QEMU: whatever has libraries will do.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::text::tests::facts;
use super::tree::Tree;
use super::version::PROGRAM;
use super::*;
use crate::host::cache::Cache;
use crate::host::console::{Console, Verbosity};

/// Linked with more than the C library.
const PROGRAM_WITH_LIBRARIES: &str = "/usr/bin/git";
const BY: &str = "A Packer <a@example.org>";

fn tree() -> Tree {
    Tree::of(Path::new(PROGRAM_WITH_LIBRARIES), facts())
}

fn dpkg(option: &str, deb: &Path) -> String {
    let out = Command::new("dpkg-deb").arg(option).arg(deb).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn a_debian_package_has_a_prefix_of_its_own_one_name_on_the_path_and_what_it_depends_on() {
    let out = tempfile::tempdir().unwrap();
    let deb = deb::write(&tree(), BY, out.path()).unwrap();
    let info = dpkg("--field", &deb);
    let depends = info.lines().find_map(|line| line.strip_prefix("Depends: ")).unwrap();
    assert!(depends.contains("libc6 (>= ") && depends.contains("zlib1g"), "{depends}");
    let listed = dpkg("--contents", &deb);
    let files = listed.lines().filter(|line| !line.starts_with('d'));
    let files: BTreeSet<&str> = files.map(|line| line.split_once(" ./").unwrap().1).collect();
    let link = format!("usr/bin/{PROGRAM} -> ../lib/qemu-svm/bin/{PROGRAM}");
    let page = format!("usr/share/man/man1/{PROGRAM}.1.gz");
    for file in [
        link.as_str(),
        page.as_str(),
        "usr/lib/qemu-svm/share/qemu/bios-256k.bin",
        "usr/share/doc/qemu-svm/copyright",
        "usr/share/doc/qemu-svm/changelog.Debian.gz",
        "usr/share/doc/qemu-svm/README.md",
        "usr/share/doc/qemu-svm/series.mbox.gz",
    ] {
        assert!(files.contains(file), "{file} is not in it:\n{listed}");
    }
    // Nothing that the distribution's QEMU has, too.
    let own = ["usr/lib/qemu-svm/", "usr/share/doc/qemu-svm/", &link, &page];
    let strange = files.iter().filter(|file| !own.iter().any(|own| file.starts_with(own)));
    assert_eq!(strange.collect::<Vec<_>>(), [&""; 0]);
    assert!(listed.lines().all(|line| line.contains(" root/root ")), "{listed}");
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 1, "something is left");
}

#[test]
fn a_tarball_brings_its_libraries_along_with_their_terms_and_can_be_moved() {
    let out = tempfile::tempdir().unwrap();
    let tree = tree();
    let made = tarball::write(&tree, out.path()).unwrap();
    let folder = tree.facts.version.folder();
    let root = tarball::unpack(&made, &folder, out.path()).unwrap();
    let wanted = libraries::of(Path::new(PROGRAM_WITH_LIBRARIES)).unwrap();
    assert!(!wanted.is_empty());
    for name in wanted.keys() {
        assert!(root.join("lib").join(name).is_file(), "{name}");
    }
    for file in ["doc/licences/zlib1g", "doc/licences/seabios", "doc/LICENSE", "doc/series.mbox"] {
        assert!(root.join(file).is_file(), "{file}");
    }
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    assert!(readme.contains("glibc 2.") && readme.contains("zlib1g"), "{readme}");
    // This program does not look beside itself, which is seen.
    let program = root.join("bin").join(PROGRAM);
    assert!(libraries::of(&program).unwrap().values().all(|path| !path.starts_with(&root)));
}

/// What is said to a request on a machine with an empty cache.
fn refused(request: &Request) -> Error {
    let dir = tempfile::tempdir().unwrap();
    let repo = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned();
    let cache = Cache::open(Some(dir.path())).unwrap();
    let env = Env { repo, cache, install: false, console: Console::new(Verbosity::Quiet) };
    check(&env, request).map(|patches| patches.len()).unwrap_err()
}

fn request(base: Option<&str>, series: Option<&Path>) -> Request {
    Request {
        source: source::Request { base: base.map(str::to_owned), dir: None },
        series: series.map(Path::to_owned),
        out: "/no/such/folder".into(),
        only: None,
    }
}

#[test]
fn what_cannot_be_packed_is_refused_before_anything_is_fetched() {
    let old = refused(&request(Some("7.2"), None));
    assert_eq!(old.kind(), Kind::Usage);
    assert!(old.to_string().contains("QEMU 7.2 cannot be built with every device"), "{old}");
    let dir = tempfile::tempdir().unwrap();
    assert!(refused(&request(None, Some(dir.path()))).to_string().contains("no *.patch"));
    fs::write(dir.path().join("0001-x.patch"), "diff --git a/x b/x\n").unwrap();
    let undated = refused(&request(None, Some(dir.path())));
    assert!(undated.to_string().contains("when it was written"), "{undated}");
}

#[test]
fn what_is_made_is_named() {
    for what in What::ALL {
        assert_eq!(what.name().parse(), Ok(what));
    }
    assert!("rpm".parse::<What>().is_err());
}

#[test]
fn the_last_patch_names_the_packer_if_nothing_else_does() {
    let patch = |text: &str| Patch { path: "x".into(), bytes: text.into() };
    let all = [patch("From: A <a@b>\nSubject: x\n\n"), patch("From: B <b@c>\nSubject: y\n\n")];
    if std::env::var_os("DEBEMAIL").is_none() {
        assert_eq!(packer(&all), "B <b@c>");
        assert_eq!(packer(&[]), "unknown <unknown@localhost>");
    }
}
