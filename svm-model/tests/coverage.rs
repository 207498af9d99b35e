//! Every rule is reached by a case, on both sides where it has two, and some
//! case notices when the model breaks it.

use std::collections::HashSet;

use svm_model::cases::{self, SEED};
use svm_model::coverage::Coverage;
use svm_model::rules;

#[test]
fn every_rule_is_reached_on_every_side() {
    let coverage = Coverage::of(&cases::all(SEED));
    let missing: Vec<String> = rules::all()
        .filter(|(id, rule)| !coverage.complete(*id, rule))
        .map(|(id, rule)| {
            let (held, failed) = (coverage.held(id), coverage.failed(id));
            format!("{}: {:?}, {held} cases hold, {failed} do not", rule.id, rule.sides)
        })
        .collect();
    assert!(missing.is_empty(), "{} incomplete:\n{}", missing.len(), missing.join("\n"));
}

#[test]
fn some_case_notices_every_broken_rule() {
    let cases = cases::all(SEED);
    let coverage = Coverage::of(&cases);
    let unnoticed: Vec<&str> = rules::all()
        .filter(|(id, _)| coverage.witness(*id, &cases).is_none())
        .map(|(_, rule)| rule.id)
        .collect();
    assert!(unnoticed.is_empty(), "{} unnoticed:\n{}", unnoticed.len(), unnoticed.join("\n"));
}

#[test]
fn rule_ids_are_unique_kebab_case_and_numbered_by_place() {
    let mut seen = HashSet::new();
    for (place, (id, rule)) in rules::all().enumerate() {
        assert_eq!(id.index(), place);
        assert_eq!(id.rule().id, rule.id);
        assert!(seen.insert(rule.id), "two rules are called {}", rule.id);
        let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
        assert!(rule.id.contains('.') && rule.id.chars().all(kebab), "{}", rule.id);
        assert!(rule.statement.ends_with('.'), "{} has no full sentence", rule.id);
    }
    assert_eq!(rules::all().count(), rules::COUNT);
    const { assert!(rules::COUNT >= 250) };
}
