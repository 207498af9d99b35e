//! Which lines of QEMU's SVM the suites reach, and why the others are not reached.
//!
//! The lines that count are all of the files that are about SVM, the nested page
//! walk and SMM; and elsewhere in `target/i386` what the series adds or changes, and
//! functions that have SVM in their name. A line that nothing reaches has its reason
//! in `harness/data/unreached.toml`, by its text, so that the reason follows the line
//! when others move.

mod reasons;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::host::git::Git;
use crate::qemu::build::apply::apply;
use crate::qemu::build::counted::{Count, Counts, counted};
use crate::qemu::build::patch::Patch;
use crate::qemu::{Qemu, Side};
use crate::row::{Point, touched};
use crate::test_svm::{self, Request};
use crate::{Env, Error, Kind, Result};

use reasons::Reasons;
pub use text::text;

/// The part of QEMU whose lines are counted.
const FOLDER: &str = "target/i386";

/// Files of which every line counts.
const WHOLE: [&str; 3] = [
    "target/i386/tcg/system/excp_helper.c",
    "target/i386/tcg/system/smm_helper.c",
    "target/i386/tcg/system/svm_helper.c",
];

/// What was reached.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Reached {
    /// What ran: suites with their versions.
    pub suites: Vec<String>,
    /// By file of QEMU's tree.
    pub files: BTreeMap<String, File>,
    /// Reasons for lines that are reached, or are not there any more.
    pub stale: Vec<String>,
}

/// One file of QEMU's tree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct File {
    /// Lines that count and have code.
    pub lines: usize,
    /// Of these, the lines that ran.
    pub ran: usize,
    /// Ways on from a line that has more than one.
    pub branches: usize,
    /// Of these, the ways that were taken.
    pub taken: usize,
    /// The lines that did not run.
    pub unreached: Vec<Unreached>,
}

/// A line that nothing ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unreached {
    /// Its number.
    pub line: u32,
    /// The function that it is in.
    pub function: String,
    /// The line.
    pub text: String,
    /// Why it stays unreached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Reached {
    /// The sum over all files.
    pub fn total(&self) -> File {
        let add = |sum: File, file: &File| File {
            lines: sum.lines + file.lines,
            ran: sum.ran + file.ran,
            branches: sum.branches + file.branches,
            taken: sum.taken + file.taken,
            unreached: Vec::new(),
        };
        self.files.values().fold(File::default(), add)
    }

    /// Lines that are not reached, and nobody said why.
    pub fn unexplained(&self) -> impl Iterator<Item = (&str, &Unreached)> {
        self.files.iter().flat_map(|(file, of)| {
            of.unreached.iter().filter(|u| u.reason.is_none()).map(move |u| (file.as_str(), u))
        })
    }
}

/// Runs what `request` selects on `point`, built with counters. The request's QEMU
/// and `fresh` are put in here.
///
/// # Errors
/// As [`counted`] and [`test_svm::run`]; Usage, for reasons that cannot be read.
pub fn measure(env: &Env, point: &Point, request: Request) -> Result<Reached> {
    let reasons = Reasons::load(&env.repo)?;
    let counted = counted(env, &point.spec, None)?;
    let qemu = Qemu::built(Side::Patched, &counted.built)?;
    // A verdict that is known would leave no trace in the counters.
    let request = Request { qemus: vec![qemu], fresh: true, ..request };
    let report = test_svm::run(env, &request)?;
    let name =
        |part: &crate::record::Part| format!("{} {}", part.set.suite.name, part.set.suite.version);
    let counts = counted.counts(FOLDER)?;
    let tree = Tree::of(point)?;
    let files = reached(&counts, &tree.touched, &tree, &reasons)?;
    let stale = reasons.stale(&files);
    Ok(Reached { suites: report.parts.iter().map(name).collect(), files, stale })
}

/// The patched tree: its text, and what the series touches.
struct Tree {
    git: Git,
    tip: String,
    touched: BTreeMap<String, BTreeSet<u32>>,
}

impl Tree {
    fn of(point: &Point) -> Result<Self> {
        let source = &point.spec.source;
        let patches = point.spec.patches.iter().map(|p| Patch::read(p));
        let patches: Vec<Patch> = patches.collect::<Result<_>>()?;
        let touched = touched(source, &[], &patches, FOLDER)?;
        let touched = touched.into_iter().map(|(file, lines)| (file, lines.into_iter().collect()));
        let tip = apply(source, &patches)?.tip().to_owned();
        Ok(Tree { git: Git::new(&source.git), tip, touched: touched.collect() })
    }
}

/// Gives a file's lines.
trait Text {
    fn lines(&self, file: &str) -> Result<Vec<String>>;
}

impl Text for Tree {
    fn lines(&self, file: &str) -> Result<Vec<String>> {
        let name = format!("{}:{file}", self.tip);
        let text = self.git.run(["show", &name])?;
        Ok(text.lines().map(|line| line.trim().to_owned()).collect())
    }
}

/// Whether a line is SVM's.
fn is_svms(file: &str, line: u32, count: &Count, touched: Option<&BTreeSet<u32>>) -> bool {
    WHOLE.contains(&file)
        || touched.is_some_and(|lines| lines.contains(&line))
        || count.function.to_lowercase().contains("svm")
}

fn reached(
    counts: &Counts,
    touched: &BTreeMap<String, BTreeSet<u32>>,
    tree: &dyn Text,
    reasons: &Reasons,
) -> Result<BTreeMap<String, File>> {
    let mut files = BTreeMap::new();
    for (name, counts) in counts {
        let touched = touched.get(name);
        let ours: Vec<_> =
            counts.iter().filter(|(line, count)| is_svms(name, **line, count, touched)).collect();
        if ours.is_empty() {
            continue;
        }
        let lines = tree.lines(name)?;
        let mut file = File { lines: ours.len(), ..File::default() };
        for (&line, count) in ours {
            file.ran += usize::from(count.ran);
            file.branches += count.branches.len();
            file.taken += count.branches.iter().filter(|taken| **taken).count();
            if !count.ran {
                let text = lines.get(line as usize - 1).cloned().ok_or_else(|| {
                    Error::new(
                        Kind::Harness,
                        format!("gcov counts line {line} of {name}, which is shorter"),
                    )
                })?;
                let function = count.function.clone();
                let reason = reasons.of(name, &function, &text).map(ToOwned::to_owned);
                file.unreached.push(Unreached { line, function, text, reason });
            }
        }
        files.insert(name.clone(), file);
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Lines(&'static str);

    impl Text for Lines {
        fn lines(&self, _: &str) -> Result<Vec<String>> {
            Ok(self.0.lines().map(ToOwned::to_owned).collect())
        }
    }

    fn count(function: &str, ran: bool, branches: &[bool]) -> Count {
        Count { function: function.into(), ran, branches: branches.into() }
    }

    fn example(reasons: &str) -> Reached {
        let counts = Counts::from([
            (
                WHOLE[2].to_owned(),
                BTreeMap::from([
                    (1, count("f", true, &[true, false])),
                    (2, count("f", false, &[])),
                ]),
            ),
            (
                "target/i386/a.c".to_owned(),
                BTreeMap::from([
                    (1, count("g", false, &[])),
                    (2, count("g", false, &[])),
                    (3, count("cpu_svm_h", true, &[])),
                ]),
            ),
            ("target/i386/b.c".to_owned(), BTreeMap::from([(1, count("g", false, &[]))])),
        ]);
        let touched = BTreeMap::from([("target/i386/a.c".to_owned(), BTreeSet::from([2, 9]))]);
        let reasons = Reasons::parse(reasons).unwrap();
        let files = reached(&counts, &touched, &Lines("one;\ntwo;\nthree;"), &reasons).unwrap();
        let stale = reasons.stale(&files);
        Reached { suites: vec!["rules 1".into()], files, stale }
    }

    #[test]
    fn what_counts_is_svms_files_what_the_series_touches_and_functions_of_that_name() {
        let reached = example("");
        let names: Vec<_> = reached.files.keys().map(String::as_str).collect();
        assert_eq!(names, ["target/i386/a.c", WHOLE[2]]);
        let sum = reached.total();
        assert_eq!((sum.lines, sum.ran, sum.branches, sum.taken), (4, 2, 2, 1));
        let open: Vec<_> = reached.unexplained().map(|(file, u)| (file, &*u.text)).collect();
        assert_eq!(open, [("target/i386/a.c", "two;"), (WHOLE[2], "two;")]);
    }

    #[test]
    fn a_reason_is_for_its_file_and_a_reached_line_makes_it_stale() {
        let reached = example(
            "[[line]]\nfile = \"target/i386/a.c\"\nfunction = \"g\"\ntext = [\"two;\"]\nreason = \"r\"\n\
             [[line]]\nfile = \"target/i386/a.c\"\nfunction = \"h\"\nreason = \"s\"\n",
        );
        assert_eq!(reached.unexplained().count(), 1);
        assert_eq!(reached.stale, ["target/i386/a.c, h"]);
    }

    #[test]
    fn the_text_says_what_is_open_and_what_share_was_reached() {
        let reached = example(
            "[[line]]\nfile = \"target/i386/a.c\"\nfunction = \"g\"\ntext = [\"two;\"]\nreason = \"r\"\n",
        );
        expect_test::expect![[r"
            ran: rules 1

                                                      lines    ran         branches
            a.c                                           2      1  50.0 %         
            tcg/system/svm_helper.c                       2      1  50.0 %   50.0 %
            all                                           4      2  50.0 %   50.0 %

            target/i386/tcg/system/svm_helper.c, f
                 2  two;

            2 of 4 lines reached; 1 are not, with a reason; 1 without
        "]]
        .assert_eq(&text(&reached, false));
    }
}
