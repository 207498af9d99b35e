//! What the address and undefined-behaviour sanitizers say.

use std::process::Command;

/// How they end a program: with a signal, since an exit code may be the guest's;
/// at the first report, with where it is. What is never freed is no fault of a
/// test.
const OPTIONS: [(&str, &str); 2] = [
    ("ASAN_OPTIONS", "abort_on_error=1:detect_leaks=0"),
    ("UBSAN_OPTIONS", "halt_on_error=1:abort_on_error=1:print_stacktrace=1"),
];

/// Has them end `command` so, unless the user wants it otherwise.
pub fn configure(command: &mut Command) {
    for (name, value) in OPTIONS {
        if std::env::var_os(name).is_none() {
            command.env(name, value);
        }
    }
}

/// The first report in what a program wrote to its standard error.
pub fn report(stderr: &str) -> Option<&str> {
    let is_report = |line: &&str| {
        line.contains(": runtime error: ")
            || (line.contains("==ERROR: ") && line.contains("Sanitizer"))
    };
    stderr.lines().map(str::trim).find(is_report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_told_from_other_words() {
        let ubsan = "qemu: warning: x\n../a.c:3:7: runtime error: shift exponent 64 is too large\n";
        assert_eq!(
            report(ubsan),
            Some("../a.c:3:7: runtime error: shift exponent 64 is too large")
        );
        let asan = "=====\n==7==ERROR: AddressSanitizer: heap-use-after-free on address 0x1\n";
        assert!(report(asan).unwrap().starts_with("==7==ERROR: AddressSanitizer: heap"));
        assert_eq!(report("error: runtime error\n==ERROR: no such thing\n"), None);
    }

    #[test]
    fn a_program_that_is_undefined_dies_of_it_with_a_signal() {
        let dir = tempfile::tempdir().unwrap();
        let code = "int main(int c, char **v) { int s = 40 + c; return 1 << s; }";
        std::fs::write(dir.path().join("x.c"), code).unwrap();
        let mut cc = Command::new("cc");
        cc.current_dir(&dir).args(["-fsanitize=undefined", "-o", "x", "x.c"]);
        if !crate::host::process::output(&mut cc).unwrap().status.success() {
            // A compiler without the sanitizer builds no such QEMU either.
            return;
        }
        let mut x = Command::new(dir.path().join("x"));
        let out = crate::host::process::output(&mut x).unwrap();
        let stderr = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(report(&stderr).is_some(), "{stderr}");
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&out.status), Some(6), "{stderr}");
    }
}
