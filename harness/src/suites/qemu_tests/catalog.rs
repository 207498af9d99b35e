//! Which runs there are, and which tests each of them has.

use std::sync::LazyLock;

use regex::Regex;
use svm_model::Feature;

use super::sources::Sources;
use crate::{Error, Kind, Result};

/// One start of QEMU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// What the makefile calls it, without `run-`.
    pub(super) name: String,
    /// The tests, in the order in which they run.
    pub(super) tests: Vec<String>,
    /// What they are about.
    pub(super) feature: Option<Feature>,
}

/// What a program is about. One that is not here is about several things.
const FEATURES: &[(&str, Feature)] = &[
    ("svm-vmrun", Feature::VmrunChecks),
    ("svm-invalid", Feature::VmrunChecks),
    ("svm-event", Feature::EventInjection),
    ("svm-decode", Feature::DecodeAssists),
    ("svm-npf", Feature::Npt),
    ("svm-tlb", Feature::TlbAsid),
    ("svm-vmload", Feature::VmloadVmsave),
    ("svm-intr", Feature::Virq),
    ("svm-clock", Feature::TscScale),
];

/// A list of tests: `static const struct svm_test tests[] = { { "name", function }, ... };`.
static LIST: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?s)struct svm_test tests\[\] = \{(.*?)\n\};").expect("constant")
});
static TEST: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"\{ "([^"]+)","#).expect("constant"));
/// A second run of a program: `run-NAME: PROGRAM`.
static AGAIN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^run-(svm-[\w-]+): (svm-[\w-]+)$").expect("constant"));

/// The runs of the programs, and those that the makefile has besides.
///
/// # Errors
/// Build, when a program has no list of tests that could be found.
pub(super) fn runs(sources: &Sources) -> Result<Vec<Run>> {
    let mut runs = Vec::new();
    for program in &sources.programs {
        runs.push(run(program, program, &sources.read(program)?)?);
    }
    for (_, [name, program]) in AGAIN.captures_iter(&sources.makefile()?).map(|c| c.extract()) {
        runs.push(run(name, program, &sources.read(program)?)?);
    }
    Ok(runs)
}

fn run(name: &str, program: &str, text: &str) -> Result<Run> {
    let list = LIST.captures(text).map_or("", |found| found.get(1).map_or("", |m| m.as_str()));
    let tests: Vec<String> = TEST.captures_iter(list).map(|found| found[1].to_owned()).collect();
    if tests.is_empty() {
        return Err(Error::new(Kind::Build, format!("{program}.c has no list of tests")));
    }
    let feature = FEATURES.iter().find(|(known, _)| *known == program).map(|(_, f)| *f);
    Ok(Run { name: name.into(), tests, feature })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "static const struct other events[] = {\n    { \"type 1\", 1 },\n};\n\
        static const struct svm_test tests[] = {\n    { \"flush all\", test_flush_all },\n    \
        { \"a long name, with a comma\",\n      test_long },\n};\n\nint main(void)\n{\n";

    #[test]
    fn a_program_has_the_tests_of_its_list() {
        let run = run("svm-tlb", "svm-tlb", TEXT).unwrap();
        assert_eq!(run.tests, ["flush all", "a long name, with a comma"]);
        assert_eq!(run.feature, Some(Feature::TlbAsid));
    }

    #[test]
    fn a_program_without_a_list_is_an_error() {
        let e = run("svm-x", "svm-x", "int main(void)\n{\n}\n").unwrap_err();
        assert_eq!(e.kind(), Kind::Build);
        assert!(e.to_string().contains("svm-x.c"), "{e}");
    }

    #[test]
    fn the_makefile_runs_a_program_twice() {
        let text = "run-svm-clock-icount: svm-clock\n\t$(call run-test)\nrun-svm-icount: \
                    QEMU_OPTS:=-smp 2\nrun-memory: memory\n";
        let found: Vec<_> = AGAIN.captures_iter(text).map(|c| c.extract::<2>().1).collect();
        assert_eq!(found, [["svm-clock-icount", "svm-clock"]]);
    }
}
