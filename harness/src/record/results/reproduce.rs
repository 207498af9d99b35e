//! The command that measures a recorded result again.

use crate::host::process::quote;
use crate::qemu::source::pins::Pins;
use crate::qemu::{BuildIdentity, Side};
use crate::suites::TestId;

/// `cargo xtask test-svm` with the flags that build what `build` was and choose
/// `id`. A version that is not pinned is left to the reader.
pub fn reproduce(build: &BuildIdentity, id: &TestId) -> String {
    let mut command = "cargo xtask test-svm".to_owned();
    let version = build.qemu.split_whitespace().next().unwrap_or_default();
    match base(version) {
        Some(base) if base.is_default => {}
        Some(base) => command += &format!(" --base {}", base.name),
        None if build.side == Side::Stock => command += " --stock-qemu PATH",
        None => command += " --qemu PATH",
    }
    let plain = format!("{}-{version}", build.side);
    if let Some(flavour) = build.name.strip_prefix(&plain).and_then(|f| f.strip_prefix('-')) {
        command += &format!(" --flavour {flavour}");
    }
    let word = |text: &str| quote(text.as_ref());
    command += &format!(" --only {} --suite {}", build.side, word(&id.suite));
    command + &format!(" --unit {} --test {} --fresh", word(&id.config), word(&id.test))
}

struct Base {
    name: String,
    is_default: bool,
}

/// The pin of a version: its own, or that of its branch (7.2 for 7.2.22).
fn base(version: &str) -> Option<Base> {
    let pins = Pins::builtin().ok()?;
    let of = |name: &str| version == name || version.starts_with(&format!("{name}."));
    let pin = pins.bases.iter().find(|b| of(&b.version))?;
    Some(Base { is_default: pin.version == pins.default, name: pin.version.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::fixtures::set;

    fn command(name: &str, qemu: &str) -> String {
        let mut build = set(name, vec![]).build;
        build.qemu = qemu.into();
        let id = TestId { suite: "s".into(), config: "svm".into(), test: "a b".into() };
        reproduce(&build, &id)
    }

    #[test]
    fn the_flags_name_the_build_and_the_test() {
        let rest = "--suite s --unit svm --test 'a b' --fresh";
        for (name, qemu, flags) in [
            ("stock-10.2.2", "10.2.2", "--only stock"),
            ("patched-10.2.2", "10.2.2 (v10.2.2)", "--only patched"),
            ("patched-10.0.13", "10.0.13", "--base 10.0.13 --only patched"),
            ("stock-7.2.22", "7.2.22", "--base 7.2 --only stock"),
            ("stock-7.20", "7.20", "--stock-qemu PATH --only stock"),
            ("patched-11.0", "11.0", "--qemu PATH --only patched"),
            ("stock-10.2.2-asan", "10.2.2", "--flavour asan --only stock"),
        ] {
            assert_eq!(command(name, qemu), format!("cargo xtask test-svm {flags} {rest}"));
        }
    }
}
