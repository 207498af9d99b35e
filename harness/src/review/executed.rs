//! Which of the lines that a series changes ran when the suites ran.

use serde::Serialize;

use crate::qemu::build::counted::Lines;

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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

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
