//! Every case that there is, and what must come of it.

use svm_model::Feature;
use svm_model::case::{About, Case, Written};
use svm_model::cpu::{CpuFeature, CpuSet, Platform};
use svm_model::model;
use svm_model::outcome::Outcome;
use svm_model::{cases, written};

use crate::{Error, Kind, Result};

/// A case of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The case.
    pub case: Case,
    /// Where a person has written down what must come of it: that, and what it
    /// is about.
    pub written: Option<(Outcome, About)>,
}

impl Entry {
    /// What must come of it on a CPU that offers `platform`: what is written
    /// down, else what the model says.
    pub fn expected(&self, platform: &Platform) -> Outcome {
        match &self.written {
            Some((outcome, _)) => outcome.clone(),
            None => model::run(&self.case, platform),
        }
    }

    /// Who says so.
    pub fn authority(&self) -> String {
        match &self.written {
            Some((_, about)) => about.to_string(),
            None => "the model".to_owned(),
        }
    }
}

/// All written cases, in an order that stays as it is.
pub fn all() -> Vec<Entry> {
    entries(written::all())
}

/// Written cases for CPUs that TCG is not, which no suite runs.
pub fn elsewhere() -> Vec<Entry> {
    entries(written::elsewhere())
}

fn entries(written: Vec<Written>) -> Vec<Entry> {
    written
        .into_iter()
        .map(|w| Entry { case: w.case, written: Some((w.expect, w.about)) })
        .collect()
}

/// The CPU that a case is shown for where none is at hand: every feature, save
/// those that it wants to be without.
pub fn assumed(case: &Case) -> Platform {
    let features = CpuSet::of(CpuFeature::ALL).minus(case.cpu.without);
    Platform { features, phys_bits: 40, asids: 16 }
}

/// The generated cases, which the model alone says something of.
pub fn generated() -> impl Iterator<Item = Entry> {
    cases::all(cases::SEED).into_iter().map(|case| Entry { case, written: None })
}

/// Written cases, and generated ones where they are wanted, of a feature and
/// with `text` in their ids.
///
/// # Errors
/// Nothing ran, where there is none.
pub fn list(feature: Option<Feature>, more: bool, text: Option<&str>) -> Result<Vec<Entry>> {
    let wanted = |e: &Entry| {
        feature.is_none_or(|f| e.case.feature == f) && text.is_none_or(|t| e.case.id.contains(t))
    };
    let more = more.then(generated).into_iter().flatten();
    let entries: Vec<Entry> = all().into_iter().chain(more).filter(wanted).collect();
    match entries.is_empty() {
        true => Err(Error::new(Kind::NothingRan, "no such case")),
        false => Ok(entries),
    }
}

/// The case of that id, written or generated.
///
/// # Errors
/// Usage, when there is none; it names what comes near.
pub fn find(id: &str) -> Result<Entry> {
    let mut entries: Vec<Entry> = all().into_iter().chain(generated()).collect();
    if let Some(n) = entries.iter().position(|e| e.case.id == id) {
        return Ok(entries.swap_remove(n));
    }
    let word = id.rsplit('/').next().unwrap_or(id);
    let near: Vec<&str> =
        entries.iter().map(|e| e.case.id.as_str()).filter(|i| i.contains(word)).take(5).collect();
    let hint = match near.as_slice() {
        [] => "`cargo xtask case list` lists them all".to_owned(),
        near => format!("did you mean {}?", near.join(", ")),
    };
    Err(Error::new(Kind::Usage, format!("no case is called {id}")).hint(hint))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_distinct_and_can_be_typed() {
        let entries: Vec<Entry> = all().into_iter().chain(generated()).collect();
        let ids: BTreeSet<&str> = entries.iter().map(|e| e.case.id.as_str()).collect();
        assert_eq!(ids.len(), entries.len());
        let plain = |c: char| c.is_ascii_graphic() && !"'\"\\*?!".contains(c);
        let odd: Vec<_> =
            ids.iter().filter(|id| !id.contains('/') || !id.chars().all(plain)).collect();
        assert!(odd.is_empty(), "{odd:?}");
    }

    #[test]
    fn an_unknown_id_names_its_neighbours() {
        let e = find("registers/cr3").unwrap_err();
        assert_eq!(e.kind(), Kind::Usage);
        assert!(e.to_string().contains("registers/read-cr3"), "{e}");
    }
}
