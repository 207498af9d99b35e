//! A tiny tree for tests, and mails that change it.

use std::fs;
use std::ops::RangeInclusive;
use std::process::Command;

use crate::host::cache::Cache;
use crate::host::console::{Console, Verbosity};
use crate::host::git::Git;
use crate::host::process;
use crate::mail::Mail;
use crate::qemu::source::Source;
use crate::qemu::{BuildIdentity, Series, Side};
use crate::{Env, Kind};

/// A base with a few files, and a cache.
pub(crate) struct Tree {
    pub(crate) env: Env,
    pub(crate) source: Source,
    dir: tempfile::TempDir,
}

impl Tree {
    pub(crate) fn new(files: &[(&str, &str)]) -> Tree {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("source");
        for (name, text) in files.iter().chain(&[("VERSION", "10.2.2\n")]) {
            fs::create_dir_all(home.join(name).parent().unwrap()).unwrap();
            fs::write(home.join(name), text).unwrap();
        }
        let git = Git::init(&home).unwrap();
        let commit = git.commit_all("base").unwrap();
        let tree = git.run(["rev-parse", &format!("{commit}^{{tree}}")]).unwrap();
        let env = Env {
            repo: dir.path().into(),
            cache: Cache::open(Some(&dir.path().join("cache"))).unwrap(),
            install: false,
            console: Console::new(Verbosity::Quiet),
        };
        let source = Source {
            git: home.join(".git"),
            dir: home,
            commit,
            tree,
            version: "10.2.2".into(),
            pinned: None,
        };
        Tree { env, source, dir }
    }

    /// A mail that replaces `old` in the base's `path`.
    pub(crate) fn mail(&self, subject: &str, path: &str, old: &str, new: &str) -> Mail {
        let base = fs::read_to_string(self.source.dir.join(path)).unwrap();
        self.mail_on(subject, path, &base, old, new)
    }

    /// A mail that replaces `old` in a `path` that says `base`.
    pub(crate) fn mail_on(
        &self,
        subject: &str,
        path: &str,
        base: &str,
        old: &str,
        new: &str,
    ) -> Mail {
        assert_eq!(base.matches(old).count(), 1, "{base}");
        let text = format!(
            "From: A <a@example.org>\nSubject: {subject}\n\n\
             It does (AMD64 APM vol. 2, section 15.9).\n---\n\n{}",
            self.diff(path, base, &base.replace(old, new))
        );
        Mail::parse(text.as_bytes()).unwrap()
    }

    fn diff(&self, path: &str, old: &str, new: &str) -> String {
        let scratch = tempfile::tempdir_in(self.dir.path()).unwrap();
        for (side, text) in [("a", old), ("b", new)] {
            let file = scratch.path().join(side).join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        let mut c = Command::new("diff");
        c.args(["-u", "--label"]).arg(format!("a/{path}")).arg("--label").arg(format!("b/{path}"));
        c.arg(format!("a/{path}")).arg(format!("b/{path}")).current_dir(scratch.path());
        let out = process::output(&mut c).unwrap();
        assert_eq!(out.status.code(), Some(1), "{:?}", Kind::Harness);
        String::from_utf8(out.stdout).unwrap()
    }
}

/// `line 1`, `line 2`, …
pub(crate) fn lines(range: RangeInclusive<u32>) -> String {
    range.map(|n| format!("line {n}\n")).collect()
}

/// `name` is `stock-…` or `patched-…`.
pub(crate) fn identity(name: &str) -> BuildIdentity {
    let side = if name.starts_with("stock") { Side::Stock } else { Side::Patched };
    BuildIdentity {
        name: name.into(),
        side,
        qemu: "10.2.2 (test)".into(),
        series: (side == Side::Patched).then(|| Series { hash: "0123abcd".into(), patches: 3 }),
        compiler: None,
    }
}
