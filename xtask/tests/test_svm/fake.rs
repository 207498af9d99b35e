//! A checkout, a kvm-unit-tests tree and a QEMU that are none: enough of each
//! for `cargo xtask test-svm` to run on, with faults on demand.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// What the fake QEMU does, by the test's name. `$last` is the guest's argument.
const QEMU: &str = r#"#!/bin/sh
here=$(dirname "$0")
case "$1 $2" in
--version*) echo "QEMU emulator version 1.2.3 (fake)"; exit 0;;
"-device help") printf 'name "%s"\n' pc-testdev pci-testdev isa-debug-exit; exit 0;;
esac
for last; do :; done
echo "$$ $last" >> "$here/started"
echo "SVM test: $last"
case "$last" in
good*) echo "PASS: fine"; echo "SUMMARY: 1 tests"; exit 1;;
bad) echo "PASS: fine"; echo "FAIL: broken at 0x1234"; echo "SUMMARY: 2 tests, 1 unexpected failures"; exit 3;;
skipped) echo "SKIP: not here"; echo "SUMMARY: 1 tests, 1 skipped"; exit 77;;
empty) echo "SUMMARY: 0 tests"; exit 77;;
triple) echo "PASS: so far"; exit 0;;
hangs) exec sleep 1000;;
undefined) echo "../svm.c:1:2: runtime error: shift exponent 64 is too large" >&2
           echo "PASS: fine"; echo "SUMMARY: 1 tests"; exit 1;;
stopped) kill -STOP $$; sleep 1000;;
brood) sleep 1000 & echo "$! child" >> "$here/started"; wait;;
flood) exec yes "PASS: again";;
garbage) printf 'PASS: \377\376\200\n\300\nSUMMARY: 1 tests\n'; exit 1;;
killed) kill -9 $$;;
segv) ulimit -c 0; kill -SEGV $$;;
waits) while ! [ -e "$here/go" ]; do sleep 0.05; done
       echo "PASS: at last"; echo "SUMMARY: 1 tests"; exit 1;;
esac
"#;

/// A folder with everything in it.
pub(crate) struct World {
    dir: tempfile::TempDir,
}

impl World {
    /// One unit, `svm`, with these tests.
    pub(crate) fn new(tests: &[&str]) -> Self {
        let world = World { dir: tempfile::tempdir().unwrap() };
        for file in
            ["repo/Cargo.toml", "repo/harness/Cargo.toml", "kut/config.mak", "kut/x86/svm.flat"]
        {
            let path = world.path(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let cfg = "[svm]\nfile = svm.flat\nsmp = 2\nqemu_params = -cpu max,+svm\n";
        fs::write(world.path("kut/x86/unittests.cfg"), cfg).unwrap();
        let rows: String = tests.iter().map(|t| format!("\tTEST({t}),\n")).collect();
        let table = format!("struct svm_test svm_tests[] = {{\n{rows}\t{{ NULL }}\n}};\n");
        fs::write(world.path("kut/x86/svm_tests.c"), table).unwrap();
        world.set_qemu(QEMU);
        world
    }

    /// Makes the fake QEMU another binary, in which `from` is `to`.
    pub(crate) fn change_qemu(&self, from: &str, to: &str) {
        assert!(QEMU.contains(from));
        self.set_qemu(&QEMU.replace(from, to));
    }

    fn set_qemu(&self, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        // Written beside and renamed: a running script must not change.
        let new = self.path("qemu.new");
        fs::write(&new, text).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(new, self.path("qemu")).unwrap();
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join(relative)
    }

    /// `xtask test-svm` on this world's stock QEMU, not started yet.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.arg("test-svm").arg("--cache").arg(self.path("cache")).arg("--no-install");
        command.args(["--suite", "kvm-unit-tests", "--test", "!whole", "--only", "stock"]);
        command.arg("--stock-qemu").arg(self.path("qemu")).args(args);
        command.env("CARGO_MANIFEST_DIR", self.path("repo"));
        command.env("KVM_UNIT_TESTS", self.path("kut"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    pub(crate) fn start(&self, args: &[&str]) -> Child {
        self.command(args).spawn().unwrap()
    }

    /// Process ids of the QEMUs that were started for `test`.
    pub(crate) fn started(&self, test: &str) -> Vec<u32> {
        let text = fs::read_to_string(self.path("started")).unwrap_or_default();
        let of_test = |line: &str| line.strip_suffix(test)?.strip_suffix(' ')?.parse().ok();
        text.lines().filter_map(of_test).collect()
    }

    /// Waits until a QEMU was started for `test`.
    pub(crate) fn wait_for_start(&self, test: &str) -> u32 {
        wait_until(|| self.started(test).first().copied())
    }
}

/// Waits for something that will happen, or fails after a long time.
pub(crate) fn wait_until<T>(mut happened: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = happened() {
            return value;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "it never happened");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until a process is dead (or a zombie that nobody has collected yet).
pub(crate) fn wait_for_end(pid: u32) {
    wait_until(|| match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Err(_) => Some(()),
        Ok(stat) => stat.contains(") Z ").then_some(()),
    });
}

pub(crate) fn signal(name: &str, child: &Child) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
}

pub(crate) fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

pub(crate) fn text(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8(both).unwrap()
}
