//! Every rule is reached by a case, on both sides where it has two.

use svm_model::cases::{self, SEED};
use svm_model::rules::{self, Sides};
use svm_model::{coverage, model};

#[test]
fn every_rule_is_reached_on_every_side() {
    let mut trace = model::Trace::new(None);
    for case in cases::all(SEED) {
        for platform in coverage::platforms_for(&case) {
            model::run_traced(&case, &platform, &mut trace);
        }
    }
    let mut missing = Vec::new();
    for (id, rule) in rules::all() {
        if !trace.held.has(id) {
            missing.push(format!("{} (holds)", rule.id));
        }
        if rule.sides == Sides::Two && !trace.failed.has(id) {
            missing.push(format!("{} (does not hold)", rule.id));
        }
        if rule.sides == Sides::One && trace.failed.has(id) {
            missing.push(format!("{} (is said to have one side)", rule.id));
        }
    }
    assert!(missing.is_empty(), "{} not reached:\n{}", missing.len(), missing.join("\n"));
}
