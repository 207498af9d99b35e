//! The texts in a package: `harness/data/package`, with what is known of it filled in.

use minijinja::{Environment, UndefinedBehavior, Value, context};

use super::version::{PROGRAM, Version};
use crate::host::error::Context;
use crate::{Kind, Result};

const README: &str = include_str!("../../data/package/README.md");
const MANUAL: &str = include_str!("../../data/package/manual.1");
const CONTAINERFILE: &str = include_str!("../../data/package/Containerfile");

/// What is known of what is packed.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// What it is called.
    pub(super) version: Version,
    /// The digest of the series.
    pub(super) series: String,
    /// Where QEMU's source is from.
    pub(super) base: String,
    /// What built it.
    pub(super) compiler: String,
    /// The packages with firmware.
    pub(super) firmware: Vec<String>,
    /// The table of features by model.
    pub(super) features: String,
    /// QEMU's own text on its licences.
    pub(super) licence: String,
}

/// What the tarball brings along.
#[derive(Clone, Debug, Default)]
pub(super) struct Libraries {
    /// The packages whose libraries are beside the program.
    pub(super) packages: Vec<String>,
    /// The C library that it needs.
    pub(super) c_library: String,
}

/// README; of a tarball, if it is told of its libraries.
///
/// # Errors
/// Harness, when the template is wrong.
pub(super) fn readme(facts: &Facts, libraries: Option<&Libraries>) -> Result<String> {
    let libraries = libraries.map(|l| {
        let packages = l.packages.join(", ");
        context! { packages, c_library => l.c_library }
    });
    fill(README, facts, context! { libraries })
}

/// The manual page.
///
/// # Errors
/// As [`readme`].
pub(super) fn manual(facts: &Facts) -> Result<String> {
    fill(MANUAL, facts, context! { rows => rows(&facts.features) })
}

/// What makes a container image of the tarball.
///
/// # Errors
/// As [`readme`].
pub(super) fn containerfile(facts: &Facts) -> Result<String> {
    fill(CONTAINERFILE, facts, context! {})
}

fn fill(template: &str, facts: &Facts, more: Value) -> Result<String> {
    let doing = || "writing a text of the package".to_owned();
    let mut all = Environment::new();
    all.set_undefined_behavior(UndefinedBehavior::Strict);
    all.set_keep_trailing_newline(true);
    let values = context! {
        version => facts.version.to_string(),
        qemu => facts.version.qemu,
        day => facts.version.day,
        patches => facts.version.patches,
        folder => facts.version.folder(),
        tarball => facts.version.tarball(),
        program => PROGRAM,
        series => facts.series,
        base => facts.base,
        compiler => facts.compiler,
        firmware => facts.firmware,
        features => facts.features,
        ..more
    };
    all.render_str(template, values).doing(Kind::Harness, doing)
}

/// The table as lines of a manual page: a feature, and who offers it.
fn rows(table: &str) -> Vec<(String, String)> {
    let cells = |line: &str| -> Vec<String> {
        let inner = line.trim_matches('|').split('|');
        inner.map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
    };
    let mut lines = table.lines();
    let head = lines.next().map(cells).unwrap_or_default();
    let row = |line: &str| {
        let cells = cells(line);
        let offers = cells.iter().zip(&head).skip(1).filter(|(cell, _)| *cell == "yes");
        let names: Vec<&str> = offers.map(|(_, model)| model.as_str()).collect();
        let said = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        (cells.first().cloned().unwrap_or_default(), said)
    };
    lines.skip(1).map(row).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::package) fn facts() -> Facts {
        Facts {
            version: Version {
                qemu: "10.2.2".into(),
                day: "20261128".into(),
                patches: 180,
                date: "Sat, 28 Nov 2026 06:26:04 +0000".into(),
                seconds: 1_795_847_164,
            },
            series: "0123456789abcdef".into(),
            base: "10.2.2, source package 1:10.2.2+ds-1".into(),
            compiler: "cc 12".into(),
            firmware: vec!["seabios_1_all.deb".into()],
            features: "| feature | max | EPYC |\n| --- | --- | --- |\n| `npt` | yes | yes |\n\
                       | `vnmi` | yes |  |\n| `idle-hlt` |  |  |\n"
                .into(),
            licence: "QEMU as a whole is under the GPL, version 2.".into(),
        }
    }

    #[test]
    fn readme_says_how_to_start_it_and_what_it_offers() {
        let plain = readme(&facts(), None).unwrap();
        for part in [
            "qemu-system-x86_64-svm -accel tcg -cpu max,+svm",
            "180 patches (0123456789abcdef)",
            "source package 1:10.2.2+ds-1",
            "| `vnmi` | yes |  |",
            "seabios_1_all.deb",
        ] {
            assert!(plain.contains(part), "{part}:\n{plain}");
        }
        assert!(!plain.contains("glibc"), "{plain}");
        let packages = vec!["libslirp0".to_owned(), "libzstd1".to_owned()];
        let libraries = Libraries { packages, c_library: "2.34".into() };
        let with = readme(&facts(), Some(&libraries)).unwrap();
        assert!(with.contains("glibc 2.34") && with.contains("libslirp0, libzstd1"), "{with}");
    }

    #[test]
    fn the_manual_names_each_feature_with_its_models() {
        let page = manual(&facts()).unwrap();
        assert!(page.starts_with(".TH QEMU\\-SYSTEM\\-X86_64\\-SVM 1"), "{page}");
        for part in [".B npt\nmax, EPYC\n", ".B vnmi\nmax\n", ".B idle\\-hlt\nnone\n"] {
            assert!(page.contains(part), "{part}:\n{page}");
        }
        assert!(page.contains("NOT THERE"));
    }

    #[test]
    fn the_container_is_made_of_the_tarball() {
        let text = containerfile(&facts()).unwrap();
        assert!(text.contains("qemu-svm-10.2.2+svm20261128.180-x86_64.tar.zst"), "{text}");
        assert!(text.contains("ENTRYPOINT [\"qemu-system-x86_64-svm\"]"), "{text}");
    }
}
