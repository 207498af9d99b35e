//! Which of the lines that a series changes ran when the suites ran.

use serde::Serialize;

use crate::host::git::Git;
use crate::mail::{FileDiff, diff};
use crate::qemu::build::apply::apply;
use crate::qemu::build::counted::Lines;
use crate::qemu::build::patch::Patch;
use crate::qemu::source::Source;
use crate::{Error, Kind, Result};

/// The part of QEMU whose lines are counted.
pub(super) const FOLDER: &str = "target/i386";

/// One file that the series changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Executed {
    /// Its name in QEMU's tree.
    pub file: String,
    /// Lines that the series adds or changes and that have code.
    pub lines: usize,
    /// Of these, the lines that ran.
    pub ran: usize,
    /// The others: first and last of each stretch.
    pub idle: Vec<(u32, u32)>,
}

/// Of `changed` lines, those that have code and whether they ran. A file that no
/// object has code of, such as a header with constants, is left out.
pub(super) fn executed(changed: &[(String, Vec<u32>)], lines: &Lines) -> Vec<Executed> {
    let mut all = Vec::new();
    for (file, changed) in changed {
        let Some(known) = lines.get(file) else { continue };
        let with_code = changed.iter().filter_map(|n| Some((*n, *known.get(n)?)));
        let with_code: Vec<(u32, bool)> = with_code.collect();
        if with_code.is_empty() {
            continue;
        }
        let ran = with_code.iter().filter(|(_, ran)| *ran).count();
        let idle = with_code.iter().filter(|(_, ran)| !ran).map(|(n, _)| *n).collect::<Vec<_>>();
        let idle = stretches(&idle);
        all.push(Executed { file: file.clone(), lines: with_code.len(), ran, idle });
    }
    all
}

fn stretches(lines: &[u32]) -> Vec<(u32, u32)> {
    let mut all: Vec<(u32, u32)> = Vec::new();
    for &n in lines {
        match all.last_mut() {
            Some((_, last)) if *last + 1 == n => *last = n,
            _ => all.push((n, n)),
        }
    }
    all
}

/// The lines of [`FOLDER`] that `after` has and `before` has not, in the
/// numbering of `after`.
///
/// # Errors
/// Build, when the patches do not apply; Harness.
pub(super) fn changed(
    source: &Source,
    before: &[Patch],
    after: &[Patch],
) -> Result<Vec<(String, Vec<u32>)>> {
    let (from, to) = (apply(source, before)?, apply(source, after)?);
    let args = ["diff", "--unified=0", "--no-color", "--no-ext-diff", "--no-renames"];
    let args = args.into_iter().chain([from.tip(), to.tip(), "--", FOLDER]);
    parse(&Git::new(&source.git).run(args)?)
}

fn parse(diff: &str) -> Result<Vec<(String, Vec<u32>)>> {
    let read = diff::parse(diff.as_bytes())
        .map_err(|why| Error::new(Kind::Harness, format!("reading git's own diff: {why}")))?;
    let added = |file: &FileDiff| {
        let lines: Vec<u32> = file.added().map(|(line, _)| line).collect();
        (file.path().to_owned(), lines)
    };
    Ok(read.files.iter().map(added).filter(|(_, lines)| !lines.is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn changed_lines_are_those_of_the_new_file() {
        let diff = "diff --git a/target/i386/a.c b/target/i386/a.c\n--- a/target/i386/a.c\n\
                    +++ b/target/i386/a.c\n@@ -4,0 +5,3 @@ f()\n+a\n+b\n+c\n@@ -9 +12 @@\n-d\n+e\n\
                    @@ -20,2 +22,0 @@\n-f\n-g\n--- a/gone.c\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n";
        assert_eq!(parse(diff).unwrap(), [("target/i386/a.c".to_string(), vec![5, 6, 7, 12])]);
    }

    #[test]
    fn only_changed_lines_with_code_count_and_idle_ones_are_named_in_stretches() {
        let lines = [(5, true), (6, false), (7, false), (9, false), (12, false)];
        let known: Lines = [("a.c".to_string(), BTreeMap::from(lines))].into();
        let changed = [("a.c".to_string(), vec![4, 5, 6, 7, 12]), ("a.h".to_string(), vec![1])];
        let expected =
            Executed { file: "a.c".into(), lines: 4, ran: 1, idle: vec![(6, 7), (12, 12)] };
        assert_eq!(executed(&changed, &known), [expected]);
    }
}
