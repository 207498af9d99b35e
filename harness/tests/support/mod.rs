//! A QEMU tree that configures and builds in a blink, and a cache for it.
//!
//! Each test binary uses its own part of it.
#![allow(dead_code, unreachable_pub)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::Env;
use harness::host::cache::Cache;
use harness::host::console::{Console, Verbosity};
use harness::qemu::source;
use tempfile::TempDir;

/// Files of the fake: `svm.c` is what patches change; `configure` counts its
/// runs beside the tree it is run in, and while `$FAKE_HOLD` names a file, no
/// compilation ends.
const FILES: &[(&str, &str)] = &[
    ("VERSION", "10.2.2\n"),
    ("meson.build", "project('fake')\n"),
    ("target/i386/cpu.h", "#define VMCB_SIZE 4096\n"),
    ("target/i386/svm.c", SVM_C),
    ("main.c", "int helper_vmrun(void);\nint main(void) { return helper_vmrun(); }\n"),
    ("pc-bios/bios-256k.bin", "firmware\n"),
    ("configure", CONFIGURE),
    ("compile", COMPILE),
];

const SVM_C: &str = "#include \"cpu.h\"\n\nint helper_vmrun(void)\n{\n    return VMCB_SIZE - 4096;\n}\n\
                     \nint helper_vmexit(void)\n{\n    return 1;\n}\n";

const CONFIGURE: &str = r#"#!/bin/sh
echo run >> "$(dirname "$0")/../configured"
cat > build.ninja <<'END'
rule cc
  command = sh ../src/compile -MD -MF $out.d -c $in -o $out
  depfile = $out.d
rule link
  command = cc $in -o $out
build main.o: cc ../src/main.c
build svm.o: cc ../src/target/i386/svm.c
build qemu-system-x86_64: link main.o svm.o
END
"#;

const COMPILE: &str = r#"
echo "$$" >> ../compiled
while [ -n "$FAKE_HOLD" ] && [ -e "$FAKE_HOLD" ]; do sleep 0.02; done
exec cc "$@"
"#;

/// A scratch folder with a fake QEMU tree and a cache.
pub struct Scene {
    pub dir: TempDir,
}

impl Scene {
    pub fn new() -> Self {
        let scene = Scene { dir: tempfile::tempdir().unwrap() };
        for (name, text) in FILES {
            put(&scene.qemu().join(name), text);
        }
        executable(&scene.qemu().join("configure"));
        // What Venv looks for, so that no test asks a package index.
        let venv = scene.cache().join("venv/meson-1.9.0");
        put(&venv.join("bin/python3"), "#!/bin/sh\n");
        executable(&venv.join("bin/python3"));
        put(&venv.join("qemu-svm.whole"), venv.to_str().unwrap());
        scene
    }

    pub fn qemu(&self) -> PathBuf {
        self.dir.path().join("qemu")
    }

    pub fn cache(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    pub fn env(&self) -> Env {
        Env {
            repo: self.dir.path().into(),
            cache: Cache::open(Some(&self.cache())).unwrap(),
            install: false,
            console: Console::new(Verbosity::Quiet),
        }
    }

    pub fn request(&self) -> source::Request {
        source::Request { base: None, dir: Some(self.qemu()) }
    }

    /// The one build tree's folder.
    pub fn tree(&self) -> PathBuf {
        let mut trees = fs::read_dir(self.cache().join("trees")).unwrap();
        trees.next().unwrap().unwrap().path()
    }

    /// Writes a patch that replaces `from` by `to` in svm.c, made by git.
    pub fn patch(&self, name: &str, from: &str, to: &str) -> PathBuf {
        let (a, b) = (self.dir.path().join("a"), self.dir.path().join("b"));
        let path = "target/i386/svm.c";
        put(&a.join(path), SVM_C);
        assert!(SVM_C.contains(from));
        put(&b.join(path), &SVM_C.replace(from, to));
        let diff = Command::new("git")
            .args(["diff", "--no-index", "--no-prefix", "a", "b"])
            .current_dir(self.dir.path())
            .output()
            .unwrap();
        let diff = String::from_utf8(diff.stdout).unwrap();
        let mail = format!(
            "From 0 Mon Sep 17 00:00:00 2001\nFrom: A Developer <dev@example.org>\n\
             Date: Mon, 1 Jan 2024 00:00:00 +0000\nSubject: [PATCH] {name}\n\nWhy.\n---\n{diff}-- \n2.39.5\n"
        );
        let file = self.dir.path().join("patches").join(name);
        put(&file, &mail);
        file
    }
}

pub fn put(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

pub fn executable(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The lines of a file that the fake counts in; none when there is no file.
pub fn count(path: &Path) -> usize {
    fs::read_to_string(path).map_or(0, |text| text.lines().count())
}
