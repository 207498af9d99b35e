//! What a series touches, as far as the SVM suites care. Pure.

use crate::mail::{FileDiff, Mail};

/// Parts of QEMU that decide how an SVM guest runs under TCG.
const PARTS: [&str; 12] = [
    "target/i386/",
    "accel/tcg/",
    "tcg/",
    "include/exec/",
    "include/tcg/",
    "include/accel/",
    "include/hw/core/",
    "include/hw/i386/",
    "hw/i386/",
    "hw/intc/",
    "hw/core/cpu",
    "system/",
];

/// The files of a series that the suites could notice.
pub fn relevant(mails: &[Mail]) -> Vec<&str> {
    let paths = mails.iter().flat_map(Mail::paths);
    let mut paths: Vec<&str> =
        paths.filter(|p| PARTS.iter().any(|part| p.starts_with(part))).collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

/// Files that run when QEMU is configured, built or tested, as far as their names
/// tell; links, too, since they may lead to any file.
pub fn runs(mail: &Mail) -> Vec<&str> {
    const NAMES: [&str; 6] = [
        "configure",
        "meson.build",
        "meson_options.txt",
        "Makefile",
        "conftest.py",
        "pyproject.toml",
    ];
    const ENDS: [&str; 9] =
        [".py", ".sh", ".pl", ".mak", ".wrap", ".ninja", ".cmake", ".cfg", ".bash"];
    const FOLDERS: [&str; 5] = ["scripts/", "tests/", "python/", "subprojects/", "buildsys/"];
    let by_name = |p: &str| {
        let name = p.rsplit_once('/').map_or(p, |(_, name)| name);
        NAMES.contains(&name)
            || name.starts_with("Makefile.")
            || ENDS.iter().any(|end| name.ends_with(end))
            || FOLDERS.iter().any(|folder| p.starts_with(folder))
    };
    let files = mail.changes.files.iter();
    let files = files.filter(|f| f.executable || f.link || by_name(f.path()));
    files.map(FileDiff::path).collect()
}

/// Tests in QEMU's own tree that a patch adds or changes.
pub fn tests(mail: &Mail) -> Vec<&str> {
    let is_test = |p: &&str| {
        let code = [".c", ".S", ".py", ".sh"].iter().any(|end| p.ends_with(end));
        p.starts_with("tests/") && code
    };
    mail.paths().into_iter().filter(is_test).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(paths: &[&str]) -> Mail {
        let diff: String =
            paths.iter().map(|p| format!("--- a/{p}\n+++ b/{p}\n@@ -1 +1 @@\n-a\n+b\n")).collect();
        Mail::parse(format!("Subject: [PATCH] x\n\nM.\n---\n{diff}").as_bytes()).unwrap()
    }

    #[test]
    fn svm_is_where_the_guest_runs_and_not_elsewhere() {
        let none = mail(&["hw/arm/virt.c", "docs/x.rst", "tests/qtest/x-test.c", "target/arm/a.c"]);
        assert!(relevant(&[none]).is_empty());
        let some = mail(&["docs/x.rst", "target/i386/tcg/x.c", "accel/tcg/y.c"]);
        assert_eq!(relevant(&[some]), ["accel/tcg/y.c", "target/i386/tcg/x.c"]);
    }

    #[test]
    fn what_runs_at_build_or_test_time_is_told_from_what_is_compiled() {
        let m = mail(&["configure", "target/i386/svm.c", "hw/meson.build", "tests/a.c", "a/x.py"]);
        assert_eq!(runs(&m), ["configure", "hw/meson.build", "tests/a.c", "a/x.py"]);
        let text = "Subject: [PATCH] x\n\nM.\n---\ndiff --git a/s b/s\nnew file mode 100755\n\
                    --- /dev/null\n+++ b/s\n@@ -0,0 +1 @@\n+n\ndiff --git a/l b/l\n\
                    new file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+/etc\n\
                    diff --git a/n b/n\nnew file mode 100644\n--- /dev/null\n+++ b/n\n\
                    @@ -0,0 +1 @@\n+n\n";
        assert_eq!(runs(&Mail::parse(text.as_bytes()).unwrap()), ["s", "l"]);
    }

    #[test]
    fn tests_are_code_under_tests() {
        let m = mail(&["tests/qtest/x-test.c", "tests/qtest/meson.build", "target/i386/tests.c"]);
        assert_eq!(tests(&m), ["tests/qtest/x-test.c"]);
    }
}
