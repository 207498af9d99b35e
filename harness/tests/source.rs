//! Sources from archives: unpacked, refused, not fetched twice.

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use harness::Kind;
use harness::host::hash;
use harness::qemu::source::{self, pins::Pins};
use sha2::{Digest, Sha256};
use support::{Scene, put};

const NAMES: [&str; 3] = ["q_1.orig.tar.xz", "q_1-1.debian.tar.xz", "q_1-1.dsc"];

const FIX: &str = "--- a/main.c\n+++ b/main.c\n@@ -1,2 +1,2 @@\n int helper_vmrun(void);\n\
                   -int main(void) { return helper_vmrun(); }\n+int main(void) { return 0; }\n";
const ROMS: &str = "--- a/roms/x/y.c\n+++ b/roms/x/y.c\n@@ -1 +1 @@\n-a\n+b\n";

/// Makes a mirror with a source package of the fake tree.
fn mirror(scene: &Scene) -> Pins {
    let dir = scene.dir.path().join("mirror");
    let debian = scene.dir.path().join("debian/debian");
    put(&debian.join("patches/series"), "fix.patch\nroms.patch # comment\n");
    put(&debian.join("patches/fix.patch"), FIX);
    put(&debian.join("patches/roms.patch"), ROMS);
    put(&scene.qemu().join("roms/x/y.c"), "a\n");
    put(&dir.join(NAMES[2]), "a description\n");
    tar(&dir.join(NAMES[0]), scene.dir.path(), "qemu");
    tar(&dir.join(NAMES[1]), debian.parent().unwrap(), "debian");
    toml::from_str(&pins(&dir)).unwrap()
}

fn tar(archive: &Path, dir: &Path, what: &str) {
    let mut c = Command::new("tar");
    c.arg("-cJf").arg(archive).arg("-C").arg(dir).arg(what);
    assert!(c.status().unwrap().success());
}

fn pins(dir: &Path) -> String {
    let mut text = format!(
        "default = \"1\"\n[upstream]\nurl = \"file:///no/such/repository\"\n\
         [debian]\napt = false\narchives = [\"file://{}/{{name}}\"]\n\
         [[base]]\nversion = \"1\"\ntag = \"v1\"\nmeson = \"1.9.0\"\n\
         interpreter = \"--python={{python}}\"\nconfigure = []\nsuite = \"x\"\npackage = \"1-1\"\n\
         directory = \"x\"\n[base.trees]\n",
        dir.display()
    );
    for name in NAMES {
        let bytes = fs::read(dir.join(name)).unwrap();
        let sha256 = hash::hex(&Sha256::digest(&bytes));
        let size = bytes.len();
        text += &format!(
            "[[base.files]]\nname = \"{name}\"\nsize = {size}\nsha256 = \"{sha256}\"\nsha1 = \"\"\n"
        );
    }
    text
}

#[test]
fn a_package_is_unpacked_patched_committed_and_fetched_once() {
    let scene = Scene::new();
    let pins = mirror(&scene);
    let env = scene.env();
    let first = source::pinned(&env, &pins, None).unwrap();
    assert_eq!(first.version, "10.2.2");
    let main = fs::read_to_string(first.dir.join("main.c")).unwrap();
    assert!(main.contains("return 0"), "{main}");
    assert!(!first.dir.join("roms").exists() && !first.dir.join("debian").exists());
    // No mirror, no archives: the cache alone must do.
    fs::remove_dir_all(scene.dir.path().join("mirror")).unwrap();
    fs::remove_dir_all(scene.cache().join("archives")).unwrap();
    let second = source::pinned(&env, &pins, None).unwrap();
    assert_eq!((first.commit, first.tree), (second.commit, second.tree));
}

#[test]
fn an_archive_with_a_wrong_hash_is_refused_with_both_hashes() {
    let scene = Scene::new();
    let pins = mirror(&scene);
    let archive = scene.dir.path().join("mirror").join(NAMES[0]);
    let mut bytes = fs::read(&archive).unwrap();
    let expected = hash::hex(&Sha256::digest(&bytes));
    bytes[40] ^= 1;
    fs::write(&archive, &bytes).unwrap();
    let found = hash::hex(&Sha256::digest(&bytes));
    let e = source::pinned(&scene.env(), &pins, None).unwrap_err();
    assert_eq!(e.kind(), Kind::Setup);
    let text = e.to_string();
    assert!(text.contains(&expected) && text.contains(&found), "{text}");
    assert!(!scene.cache().join("source/1").exists());
    let kept = fs::read_dir(scene.cache().join("archives/1")).unwrap();
    assert_eq!(kept.count(), 0, "nothing of a refused archive is kept");
}

#[test]
fn an_archive_that_went_bad_in_the_cache_is_fetched_again() {
    let scene = Scene::new();
    let pins = mirror(&scene);
    put(&scene.cache().join("archives/1").join(NAMES[0]), "half an archive");
    source::pinned(&scene.env(), &pins, None).unwrap();
}

#[test]
fn a_run_that_was_killed_while_unpacking_leaves_nothing_in_the_way() {
    let scene = Scene::new();
    let pins = mirror(&scene);
    put(&scene.cache().join("source/.new-1/half/unpacked"), "x");
    put(&scene.cache().join("source/1/without/a/record"), "x");
    let source = source::pinned(&scene.env(), &pins, None).unwrap();
    assert!(!source.dir.join("without").exists() && !source.dir.join("half").exists());
}

/// Makes the fake tree a repository with tag v1, and pins for it alone.
fn upstream(scene: &Scene, pinned: Option<&str>) -> Pins {
    let git = |args: &[&str]| {
        let mut c = Command::new("git");
        c.args(["-c", "user.name=x", "-c", "user.email=x@example.org"]).args(args);
        let out = c.current_dir(scene.qemu()).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap().trim_end().to_string()
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "-m", "x"]);
    git(&["tag", "v1"]);
    let tree = git(&["rev-parse", "HEAD:target/i386"]);
    let text = format!(
        "default = \"1\"\n[upstream]\nurl = \"file://{}\"\n\
         [debian]\napt = false\narchives = [\"file:///no/such/archive\"]\n\
         [[base]]\nversion = \"1\"\ntag = \"v1\"\nmeson = \"1.9.0\"\n\
         interpreter = \"--python={{python}}\"\nconfigure = []\nsuite = \"x\"\npackage = \"1-1\"\n\
         directory = \"x\"\nfiles = [{{ name = \"a\", size = 0, sha256 = \"\", sha1 = \"\" }}]\n\
         [base.trees]\n\"target/i386\" = \"{}\"\n",
        scene.qemu().display(),
        pinned.unwrap_or(&tree)
    );
    toml::from_str(&text).unwrap()
}

#[test]
fn upstreams_tag_becomes_the_base() {
    let scene = Scene::new();
    let pins = upstream(&scene, None);
    let source = source::pinned(&scene.env(), &pins, None).unwrap();
    assert_eq!(source.version, "10.2.2");
    assert!(source.dir.join("target/i386/svm.c").is_file());
    fs::remove_dir_all(scene.qemu()).unwrap();
    source::pinned(&scene.env(), &pins, None).unwrap();
}

#[test]
fn a_tag_that_was_moved_is_not_taken() {
    let scene = Scene::new();
    let other = "0123456789012345678901234567890123456789";
    let pins = upstream(&scene, Some(other));
    let e = source::pinned(&scene.env(), &pins, None).unwrap_err();
    assert_eq!(e.kind(), Kind::Setup);
    let text = e.to_string();
    assert!(text.contains(other) && text.contains("is not the pinned one"), "{text}");
}
