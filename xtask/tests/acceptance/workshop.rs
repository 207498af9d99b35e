//! A checkout of the real QEMU in which series are made, and the mails of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What series are made in: enough to apply ours and to plant changes.
const FOLDERS: [&str; 9] = [
    "accel",
    "docs/system",
    "hw/core",
    "hw/i386",
    "hw/intc",
    "include",
    "target/i386",
    "tests/tcg",
    "scripts",
];

/// One review at a time: each builds, and each is timed.
static TURN: Mutex<()> = Mutex::new(());

/// A checkout, with a branch that starts at the base.
pub(crate) struct Workshop {
    dir: tempfile::TempDir,
    version: &'static str,
    /// Where the series begins.
    base: String,
    _turn: MutexGuard<'static, ()>,
}

/// What a review said.
pub(crate) struct Said {
    /// Its exit code.
    pub(crate) code: i32,
    /// Everything that it printed.
    pub(crate) text: String,
    /// Its JSON; null where there was none.
    pub(crate) json: serde_json::Value,
    /// Its reply to the list.
    pub(crate) reply: String,
}

impl Workshop {
    /// On QEMU of this version, which is fetched where it is not there.
    pub(crate) fn on(version: &'static str) -> Workshop {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = tempfile::tempdir().unwrap();
        let out = xtask(&["source", "--base", version]);
        assert!(out.status.success(), "{}", text(&out));
        let source = String::from_utf8(out.stdout).unwrap();
        let mut workshop = Workshop { dir, version, base: String::new(), _turn: turn };
        let checkout = workshop.checkout();
        let clone = ["clone", "-q", "--shared", "--no-checkout", source.trim()];
        ran(Command::new("git").args(clone).arg(&checkout));
        workshop.git(&[&["sparse-checkout", "set"], &FOLDERS[..]].concat());
        workshop.git(&["checkout", "-q", "-B", "series"]);
        workshop.start_here();
        workshop
    }

    fn checkout(&self) -> PathBuf {
        self.dir.path().join("qemu")
    }

    fn git(&self, args: &[&str]) -> Vec<u8> {
        let mut c = Command::new("git");
        c.arg("-C").arg(self.checkout()).args([
            "-c",
            "user.name=Series Author",
            "-c",
            "user.email=author@example.org",
        ]);
        ran(c.args(args)).stdout
    }

    /// The series begins with the next commit.
    pub(crate) fn start_here(&mut self) {
        let head = self.git(&["rev-parse", "HEAD"]);
        self.base = String::from_utf8(head).unwrap().trim().to_string();
    }

    /// Back to where the series begins.
    pub(crate) fn again(&self) {
        self.git(&["reset", "-q", "--hard", &self.base]);
    }

    /// Puts patches of our series on, by number, in the name of the series' author.
    pub(crate) fn ours(&self, numbers: impl IntoIterator<Item = usize>) {
        let folder = match self.version {
            "10.0.13" => "qemu-10.0",
            _ => "qemu-10.2",
        };
        let files = patches(folder);
        for n in numbers {
            self.git(&["am", "-q", files[n - 1].to_str().unwrap()]);
            self.git(&["commit", "-q", "--amend", "--no-edit", "--reset-author"]);
        }
    }

    /// How many patches our series has.
    pub(crate) fn count() -> usize {
        patches("qemu-10.2").len()
    }

    /// Commits a replacement in one file.
    pub(crate) fn change(&self, title: &str, file: &str, old: &str, new: &str) {
        let path = self.checkout().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches(old).count(), 1, "`{old}` in {file}");
        self.put(title, file, &text.replace(old, new));
    }

    /// Commits a file.
    pub(crate) fn put(&self, title: &str, file: &str, text: &str) {
        fs::write(self.checkout().join(file), text).unwrap();
        self.git(&["add", "--sparse", file]);
        let message = "A change that is planted (AMD64 APM vol. 2, section 15.9).";
        self.git(&["commit", "-q", "-m", title, "-m", message]);
    }

    /// The series as mails; with a cover letter, which is then the first.
    pub(crate) fn mails(&self, flags: &[&str]) -> Vec<String> {
        let range = format!("{}..HEAD", self.base);
        let args = [&["format-patch", "--stdout", "--signoff", "--numbered"], flags, &[&range]];
        split(&String::from_utf8(self.git(&args.concat())).unwrap())
    }

    /// Reviews mails on this version, with `flags`.
    pub(crate) fn review(&self, what: &str, mails: &[String], flags: &[&str]) -> Said {
        let at = |name: &str| self.dir.path().join(name).to_str().unwrap().to_string();
        let (mbox, json, reply) = (at("series.mbox"), at("out.json"), at("reply.txt"));
        fs::write(&mbox, mails.concat()).unwrap();
        let _ = fs::remove_file(&json);
        let mut args = vec!["review", &mbox, "--json", &json, "--markdown", &reply];
        args.extend(["--base", self.version]);
        args.extend(flags);
        let start = Instant::now();
        let out = xtask(&args);
        let said = Said {
            code: out.status.code().unwrap_or(-1),
            text: text(&out),
            json: fs::read(&json)
                .map_or(serde_json::Value::Null, |json| serde_json::from_slice(&json).unwrap()),
            reply: fs::read_to_string(&reply).unwrap_or_default(),
        };
        let seconds = start.elapsed().as_secs();
        eprintln!("== {what}: exit code {}, {seconds} s\n{}", said.code, said.text);
        said
    }

    /// Commits replacements in one file, in one.
    pub(crate) fn change_all(&self, title: &str, file: &str, changes: &[(&str, &str)]) {
        let mut text = fs::read_to_string(self.checkout().join(file)).unwrap();
        for (old, new) in changes {
            assert_eq!(text.matches(old).count(), 1, "`{old}` in {file}");
            text = text.replace(old, new);
        }
        self.put(title, file, &text);
    }

    /// Searches the series for what changed `test`: the exit code, and what was
    /// said. QEMU sees `SVM_FLAKY`, the name of a file that is not there.
    pub(crate) fn bisect(&self, test: &str) -> (i32, String) {
        let at = |name: &str| self.dir.path().join(name).to_str().unwrap().to_string();
        let (folder, range) = (at("patches"), format!("{}..HEAD", self.base));
        self.git(&["format-patch", "-q", "--zero-commit", "-N", "-o", &folder, &range]);
        let mut c = Command::new(env!("CARGO_BIN_EXE_xtask"));
        c.args(["bisect", test, "--base", self.version, "--series", &folder]);
        let out = c.env("SVM_FLAKY", at("flaky")).stdin(Stdio::null()).output().unwrap();
        let said = text(&out);
        eprintln!("== bisect {test}\n{said}");
        (out.status.code().unwrap_or(-1), said)
    }
}

impl Said {
    /// The exit code, and words that must be there, wherever.
    #[track_caller]
    pub(crate) fn is(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{}", self.text);
        for words in words {
            assert!(self.text.contains(words), "no `{words}` in:\n{}", self.text);
        }
    }

    /// Numbers of the patches of which `what` holds.
    pub(crate) fn patches(&self, what: impl Fn(&serde_json::Value) -> bool) -> Vec<u64> {
        let all = self.json["patches"].as_array().unwrap();
        all.iter().filter(|p| what(p)).map(|p| p["number"].as_u64().unwrap()).collect()
    }

    /// Patches at which a test or a rule changes, for the worse or for the better.
    pub(crate) fn changes(&self, worse: bool) -> Vec<u64> {
        self.patches(|p| {
            let flip = |f: &serde_json::Value| f["worse"] == worse && f["flaky"] == false;
            let rule = |r: &serde_json::Value| {
                let broke = r["before"].as_u64() == Some(0);
                broke == worse
            };
            p["flips"].as_array().unwrap().iter().any(flip)
                || p["rules"].as_array().unwrap().iter().any(rule)
        })
    }
}

/// The files of one of our series, in order.
fn patches(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../patches").join(folder);
    let all = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path());
    let mut files: Vec<PathBuf> =
        all.filter(|p| p.extension().is_some_and(|x| x == "patch")).collect();
    files.sort();
    files
}

fn xtask(args: &[&str]) -> Output {
    let mut c = Command::new(env!("CARGO_BIN_EXE_xtask"));
    c.args(args).stdin(Stdio::null()).output().unwrap()
}

fn ran(c: &mut Command) -> Output {
    let out = c.stdin(Stdio::null()).output().unwrap();
    assert!(out.status.success(), "{c:?}: {}", text(&out));
    out
}

fn text(out: &Output) -> String {
    String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr)
}

/// The mails of an mbox.
fn split(mbox: &str) -> Vec<String> {
    let mut mails: Vec<String> = Vec::new();
    for line in mbox.split_inclusive('\n') {
        if line.starts_with("From ") && line.ends_with(" 00:00:00 2001\n") {
            mails.push(String::new());
        }
        mails.last_mut().unwrap().push_str(line);
    }
    mails
}
