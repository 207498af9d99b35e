//! One case in full: on every executor that was asked for, or held to what is
//! known to come of it.

use std::fmt::Write;

use svm_model::case::Case;
use svm_model::compare::compare;
use svm_model::cpu::CpuSet;
use svm_model::model::{self, Trace};

use super::text;
use crate::Result;
use crate::catalogue::{self, Entry};
use crate::exec::place::Place;
use crate::exec::{Executor, Ran, platform_of, render};

/// What is to be printed, and whether all is as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The text.
    pub text: String,
    /// No executor did anything else.
    pub good: bool,
}

/// One case on every executor, beside the model; `all` that is known, or what differs and little
/// more.
///
/// # Errors
/// As [`Executor::run`].
pub fn whole(case: &Case, places: &mut [Place], all: bool) -> Result<Said> {
    let mut seen = Vec::new();
    let mut platform = catalogue::assumed(case);
    for place in places {
        let title = place.title();
        platform = platform_of(&place.executor.platform(CpuSet::NONE)?, case);
        place.executor.run(&[case], &mut |_, ran| {
            seen.push((title.clone(), ran));
            Ok(())
        })?;
    }
    let mut trace = Trace::new(None);
    let expected = model::run_traced(case, &platform, &mut trace);
    let rules: Vec<String> = trace.held.iter().map(|r| r.to_string()).collect();
    let seen: Vec<(String, Ran)> =
        seen.into_iter().map(|(title, ran)| (title, ran.expecting(&expected))).collect();
    let same = |(_, ran): &(String, Ran)| {
        ran.why().is_none() && compare(&expected, &ran.seen()).is_empty()
    };
    let text = text::whole(case, &expected, &rules, &seen, all);
    Ok(Said { text, good: seen.iter().all(same) })
}

/// One case on one executor, beside what must come of it. A case that the CPU
/// cannot run is no fault.
///
/// # Errors
/// As [`Executor::run`].
pub fn held(entry: &Entry, executor: &mut dyn Executor, all: bool) -> Result<Said> {
    let platform = platform_of(&executor.platform(CpuSet::NONE)?, &entry.case);
    let expected = entry.expected(&platform);
    let mut said = Said { text: String::new(), good: false };
    executor.run(&[&entry.case], &mut |_, ran| {
        let ran = ran.expecting(&expected);
        said = match &ran {
            Ran::Outcome(_) | Ran::Open(_) => beside(entry, &expected, &ran, all),
            Ran::Skipped(_) => {
                Said { text: format!("  skipped: {}\n", ran.why().unwrap_or_default()), good: true }
            }
            Ran::Broken(end, seen) => {
                Said { text: format!("  {end}\n{}", render::outcome(seen)), good: false }
            }
        };
        Ok(())
    })?;
    Ok(said)
}

fn beside(entry: &Entry, expected: &svm_model::Outcome, ran: &Ran, all: bool) -> Said {
    let observed = ran.seen();
    let differences = compare(expected, &observed);
    let mut text = format!("  came of it ({})\n", entry.authority());
    text += &render::side_by_side(expected, &observed, all);
    let _ = match differences.first() {
        None => writeln!(text, "  as it must be"),
        Some(first) => writeln!(text, "  {} differences, the first: {first}", differences.len()),
    };
    Said { text, good: differences.is_empty() }
}

#[cfg(test)]
mod tests {
    use svm_model::case::About;
    use svm_model::outcome::{Obs, Outcome};

    use super::*;
    use crate::exec::model::Model;

    #[test]
    fn the_model_agrees_with_itself_and_with_what_is_written() {
        let entry = catalogue::all().swap_remove(0);
        let said = whole(&entry.case, &mut [Place::model(), Place::model()], false).unwrap();
        assert!(said.good && said.text.matches("  model: as it must be").count() == 2);
        assert!(said.text.lines().count() <= 48, "{}", said.text);
        assert!(said.text.lines().all(|line| line.chars().count() <= 80), "{}", said.text);
        let full = whole(&entry.case, &mut [Place::model()], true).unwrap().text;
        assert!(full.contains("L1's efer") && !said.text.contains("L1's efer"), "{full}");
        assert!(full.lines().all(|line| line.chars().count() <= 80), "{full}");
        let said = held(&entry, &mut Model, false).unwrap();
        assert!(said.good && said.text.ends_with("  as it must be\n"), "{}", said.text);
    }

    #[test]
    fn another_expectation_is_a_difference_and_a_missing_feature_is_none() {
        let mut entry = catalogue::all().swap_remove(0);
        entry.written = Some((Outcome { obs: vec![Obs::L1Nmi] }, About::Section("15.1")));
        let said = held(&entry, &mut Model, false).unwrap();
        assert!(!said.good && said.text.contains("differences, the first"), "{}", said.text);
        let npt = CpuSet::of(&[svm_model::cpu::CpuFeature::Npt]);
        (entry.case.cpu.needs, entry.case.cpu.without) = (npt, npt);
        let said = held(&entry, &mut Model, false).unwrap();
        assert!(said.good && said.text == "  skipped: the CPU lacks npt\n", "{}", said.text);
    }
}
