//! What the families promise of themselves.

use std::collections::HashSet;

use svm_model::cases::drawn::Drawn;
use svm_model::cases::{self, FAMILIES, SEED, crossed, random};

#[test]
fn ids_are_unique_and_name_their_family() {
    let mut seen = HashSet::new();
    for family in FAMILIES {
        for case in family.cases(SEED) {
            assert!(
                case.id.starts_with(&format!("{}/", family.name)),
                "{} is not of {}",
                case.id,
                family.name
            );
            assert!(seen.insert(case.id.clone()), "two cases are called {}", case.id);
        }
    }
}

#[test]
fn the_default_run_has_ten_thousand_different_cases() {
    let mut different = HashSet::new();
    for case in cases::all(SEED) {
        let content = (case.cpu, case.program, case.steps);
        let text = format!("{content:?}");
        if !different.insert(text) {
            panic!("{} does what another case does", case.id);
        }
    }
    assert!(different.len() >= 10_000, "only {} different cases", different.len());
}

#[test]
fn no_case_is_open_before_anything_is_seen() {
    let mut open = Vec::new();
    for case in cases::all(SEED) {
        for platform in svm_model::coverage::platforms_for(&case) {
            let outcome = svm_model::model::run(&case, &platform);
            if outcome.obs.first() == Some(&svm_model::outcome::Obs::Open) {
                open.push(case.id.clone());
            }
        }
    }
    assert!(open.is_empty(), "{} cases tell nothing:\n{}", open.len(), open.join("\n"));
}

#[test]
fn a_case_that_follows_from_a_seed_is_found_by_its_id() {
    for family in cases::FAMILIES.iter().filter(|f| f.is_random()) {
        let first = family.cases(7).into_iter().next().expect("a family has a case");
        assert_eq!(cases::of_seed(&first.id).as_ref(), Some(&first), "{}", family.name);
        let (id, lasting) = (&first.id, cases::lasting_id(&first));
        assert!(lasting.starts_with(&format!("{id}@")), "{lasting}");
        let mut other = first.clone();
        other.steps.clear();
        assert_ne!(cases::lasting_id(&other), lasting);
    }
    assert_eq!(cases::of_seed("random/0x7-x"), None);
    assert_eq!(cases::of_seed("npt/0x7-1"), None);
}

#[test]
fn a_soak_draws_every_instruction_and_every_mode() {
    let pool = crossed::Pool::default();
    let mut drawn = Drawn::default();
    for seed in 0..8 {
        random::walks(seed, 1_000).iter().for_each(|case| drawn.count(case));
        pool.cases(seed, 4_000).for_each(|case| drawn.count(&case));
    }
    let never: Vec<_> = drawn.table().filter(|(_, count)| *count == 0).map(|(w, _)| w).collect();
    assert!(never.is_empty(), "{never:?}");
}
