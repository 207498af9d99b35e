//! A QEMU tree that is a shell script, a suite for it, and a checkout of this
//! repository with a series: enough to build and run along a row of patches.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// The file that patches change: one line a test, `a = pass`.
pub(crate) const FILE: &str = "target/i386/svm.c";

/// "Compiles" the tests' lines into a script that ends as they say.
const COMPILE: &str = r#"
if grep -q '#error' ../src/target/i386/svm.c; then
    echo "../src/target/i386/svm.c:1:2: error: no such thing" >&2
    exit 1
fi
echo "$$ $(date +%s%N)" >> built
cat ../src/head ../src/target/i386/svm.c > "$1"
chmod +x "$1"
"#;

const HEAD: &str = r#"#!/bin/sh
case "$1 $2" in
--version*) echo "QEMU emulator version 10.2.2 (fake)"; exit 0;;
"-device help") printf 'name "%s"\n' pc-testdev pci-testdev isa-debug-exit; exit 0;;
"-machine none")
    on=$(sed -n 's/^cpu \(.*\)/"\1": true,/p' "$0")
    echo "{\"return\": {\"model\": {\"name\": \"max\", \"props\": {$on \"svm\": true}}}}"
    exit 0;;
esac
for last; do :; done
echo "SVM test: $last"
case "$(sed -n "s/^$last = //p" "$0")" in
fail) echo "FAIL: broken"; echo "SUMMARY: 1 tests, 1 unexpected failures"; exit 3;;
skip) echo "SKIP: not here"; echo "SUMMARY: 1 tests, 1 skipped"; exit 77;;
crash) exit 0;;
*) echo "PASS: fine"; echo "SUMMARY: 1 tests"; exit 1;;
esac
exit
"#;

const CONFIGURE: &str = r#"#!/bin/sh
cat > build.ninja <<'END'
rule cc
  command = sh ../src/compile $out
build qemu-system-x86_64: cc | ../src/target/i386/svm.c
END
"#;

/// Knows one rule.
const CHECKPATCH: &str = "while (<>) { if (/^\\+.*[ \\t]$/) { $bad = 1; \
                          print \"ERROR: trailing whitespace\\n#1: FILE: x.c:1:\\n\"; } } exit $bad;\n";

/// A folder with everything in it.
pub(crate) struct World {
    dir: tempfile::TempDir,
}

impl World {
    /// A tree with these lines, and a suite of the tests among them.
    pub(crate) fn new(lines: &[&str]) -> World {
        let world = World { dir: tempfile::tempdir().unwrap() };
        for (name, text) in [
            ("VERSION", "10.2.2\n"),
            ("meson.build", "project('fake')\n"),
            ("target/i386/cpu.h", "\n"),
            ("pc-bios/bios-256k.bin", "firmware\n"),
            ("docs/x.rst", "one\ntwo\nthree\n"),
            (FILE, &spread(lines)),
            ("head", HEAD),
            ("configure", CONFIGURE),
            ("compile", COMPILE),
            ("scripts/checkpatch.pl", CHECKPATCH),
        ] {
            world.put(&format!("qemu/{name}"), text);
        }
        world.executable("qemu/configure");
        let venv = world.path("cache/venv/meson-1.9.0");
        world.put("cache/venv/meson-1.9.0/bin/python3", "#!/bin/sh\n");
        world.executable("cache/venv/meson-1.9.0/bin/python3");
        world.put("cache/venv/meson-1.9.0/qemu-svm.whole", venv.to_str().unwrap());
        for file in
            ["repo/Cargo.toml", "repo/harness/Cargo.toml", "kut/config.mak", "kut/x86/svm.flat"]
        {
            world.put(file, "");
        }
        let cfg = "[svm]\nfile = svm.flat\nsmp = 2\nqemu_params = -cpu max,+svm\n";
        world.put("kut/x86/unittests.cfg", cfg);
        let tests = lines.iter().filter_map(|l| l.split_once(" = ")).map(|(name, _)| name);
        let rows: String = tests.map(|t| format!("\tTEST({t}),\n")).collect();
        let table = format!("struct svm_test svm_tests[] = {{\n{rows}\t{{ NULL }}\n}};\n");
        world.put("kut/x86/svm_tests.c", &table);
        world.git(&["init", "-q"]);
        world.commit("base");
        world
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join(relative)
    }

    pub(crate) fn put(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn executable(&self, name: &str) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn git(&self, args: &[&str]) -> Vec<u8> {
        let mut c = Command::new("git");
        c.arg("-C").arg(self.path("qemu")).args([
            "-c",
            "user.name=A",
            "-c",
            "user.email=a@example.org",
        ]);
        let out = c.args(args).output().unwrap();
        assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
        out.stdout
    }

    fn commit(&self, title: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "-q", "-m", title, "-m", "It does (AMD64 APM vol. 2, section 15.9)."]);
    }

    /// Commits a replacement in [`FILE`].
    pub(crate) fn change(&self, title: &str, old: &str, new: &str) {
        let text = fs::read_to_string(self.path("qemu").join(FILE)).unwrap();
        assert!(text.contains(old), "{text}");
        self.put(&format!("qemu/{FILE}"), &text.replace(old, new));
        self.commit(title);
    }

    /// Commits another file.
    pub(crate) fn file(&self, title: &str, name: &str, text: &str) {
        self.put(&format!("qemu/{name}"), text);
        self.commit(title);
    }

    /// The commits as an mbox; the checkout goes back to the base.
    pub(crate) fn mbox(&self) -> Vec<u8> {
        let mbox =
            self.git(&["format-patch", "--stdout", "--signoff", "--numbered", "--root", "HEAD"]);
        let text = String::from_utf8(mbox).unwrap();
        // The base's own mail is no part of the series.
        let begin = text.match_indices("\nFrom ").next().map_or(text.len(), |(at, _)| at + 1);
        let count = text[begin..].matches("Subject: [PATCH ").count();
        let mut series = text[begin..].to_string();
        for n in 1..=count {
            let width = (count + 1).to_string().len();
            let old = format!("[PATCH {:0width$}/{}]", n + 1, count + 1);
            series = series.replace(&old, &format!("[PATCH {n}/{count}]"));
        }
        series.into_bytes()
    }

    /// Takes the commits for the series of the repository, with what each flips.
    pub(crate) fn store_series(&self, flips: &[&[&str]]) {
        let folder = self.path("repo/patches/qemu-10.2");
        fs::create_dir_all(&folder).unwrap();
        let range = format!("HEAD~{}..HEAD", flips.len());
        self.git(&["format-patch", "-q", "-N", "-o", folder.to_str().unwrap(), &range]);
        let mut names: Vec<_> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
        names.sort();
        let mut toml = String::new();
        for (path, flips) in names.iter().zip(flips) {
            let text = fs::read_to_string(path).unwrap();
            let title = text.split("Subject: [PATCH] ").nth(1).unwrap().lines().next().unwrap();
            let file = path.file_name().unwrap().to_str().unwrap();
            toml += &format!(
                "[[patch]]\nfile = \"{file}\"\ntitle = \"{title}\"\nfeatures = [\"npt\"]\n\
                 flips = {flips:?}\nreason = \"none\"\n"
            );
        }
        fs::write(folder.join("series.toml"), toml).unwrap();
        self.git(&["reset", "-q", "--hard", &format!("HEAD~{}", flips.len())]);
    }

    /// The checkout goes back to its first commit.
    pub(crate) fn to_base(&self) {
        let root = self.git(&["rev-list", "--max-parents=0", "HEAD"]);
        self.git(&["reset", "-q", "--hard", String::from_utf8(root).unwrap().trim()]);
    }

    /// `xtask` in this world.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.run_with(args, &[])
    }

    /// The same with more variables in its environment.
    fn run_with(&self, args: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut c = Command::new(env!("CARGO_BIN_EXE_xtask"));
        c.arg("--cache").arg(self.path("cache")).arg("--no-install").args(args);
        c.env("CARGO_MANIFEST_DIR", self.path("repo")).env("KVM_UNIT_TESTS", self.path("kut"));
        c.envs(variables.iter().copied());
        c.stdin(Stdio::null()).output().unwrap()
    }

    /// Reviews an mbox; the exit code and what was printed.
    pub(crate) fn review(&self, mbox: &[u8], args: &[&str]) -> (i32, String) {
        self.review_with(mbox, args, &[])
    }

    /// The same with more variables in its environment.
    pub(crate) fn review_with(
        &self,
        mbox: &[u8],
        args: &[&str],
        variables: &[(&str, &str)],
    ) -> (i32, String) {
        let file = self.path("series.mbox");
        fs::write(&file, mbox).unwrap();
        let (qemu, file) = (self.path("qemu"), file.to_str().unwrap().to_string());
        let mut all = vec!["review", &file, "--qemu-src", qemu.to_str().unwrap()];
        all.extend(["--suite", "kvm-unit-tests"]);
        all.extend(args);
        let out = self.run_with(&all, variables);
        (out.status.code().unwrap(), text(&out))
    }

    /// How often the tree was built, in a sandbox or not: each build left a line,
    /// and a copy of a tree has those of the tree.
    pub(crate) fn builds(&self) -> usize {
        let of = |folder| fs::read_dir(self.path(folder)).into_iter().flatten().flatten();
        let trees = of("cache/trees").chain(of("cache/trees-apart"));
        let text = trees.map(|t| fs::read_to_string(t.path().join("build/built")));
        let lines: Vec<String> =
            text.flatten().flat_map(|t| t.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
        lines.into_iter().collect::<std::collections::BTreeSet<_>>().len()
    }
}

/// Everything that was printed.
pub(crate) fn text(out: &Output) -> String {
    String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr)
}

/// Lines with filling between, so that patches to them do not touch.
fn spread(lines: &[&str]) -> String {
    let filling = |n: usize| (0..6).map(|i| format!("int v{n}_{i};\n")).collect::<String>();
    lines.iter().enumerate().map(|(n, line)| format!("{}{line}\n", filling(n))).collect()
}
