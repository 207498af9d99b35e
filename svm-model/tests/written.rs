//! Each written case is about a rule: the model goes through it, and with the rule broken it no
//! longer does what is written. What is about no rule is listed.

use svm_model::case::{About, Written};
use svm_model::compare;
use svm_model::coverage::{FULL, platform_for};
use svm_model::model::{self, Trace};
use svm_model::written;

/// Cases about what the model does not know, by how their ids begin. There are to be fewer of
/// these, not more.
const NO_RULE: &[(&str, usize, &str)] = &[];

/// Cases that do not notice when their rule is broken, and why.
const UNNOTICED: &[(&str, &str)] = &[];

fn all() -> Vec<Written> {
    written::all().into_iter().chain(written::elsewhere()).collect()
}

#[test]
fn what_is_about_no_rule_is_listed() {
    let all = all();
    let bare: Vec<&str> = all
        .iter()
        .filter(|w| matches!(w.about, About::Section(_)))
        .map(|w| w.case.id.as_str())
        .collect();
    let unlisted: Vec<_> =
        bare.iter().filter(|id| !NO_RULE.iter().any(|(p, ..)| id.starts_with(p))).collect();
    assert!(unlisted.is_empty(), "these are about no rule: {unlisted:#?}");
    for (prefix, count, _) in NO_RULE {
        let found = bare.iter().filter(|id| id.starts_with(prefix)).count();
        assert_eq!(found, *count, "{prefix}");
    }
}

#[test]
fn a_case_goes_through_its_rules_and_notices_when_the_first_is_broken() {
    let (mut wrong, mut judged) = (Vec::new(), 0);
    for Written { case, expect, about } in all() {
        let platform = platform_for(&case, &FULL).expect("every feature is there");
        let mut trace = Trace::new(None);
        let outcome = model::run_traced(&case, &platform, &mut trace);
        // Where the model leaves open what comes, it goes through no more than the beginning.
        if !compare(&expect, &outcome).is_empty() {
            continue;
        }
        judged += 1;
        let mut reached = trace.held;
        reached.extend(&trace.failed);
        for rule in about.rules().iter().filter(|r| !reached.has(**r)) {
            wrong.push(format!("{} does not come to {rule}", case.id));
        }
        let notices =
            |rule| !compare(&expect, &model::run_broken(&case, &platform, rule)).is_empty();
        let listed = UNNOTICED.iter().any(|(id, _)| *id == case.id);
        if let Some(first) = about.rules().first()
            && notices(*first) == listed
        {
            wrong.push(format!(
                "{}, {first}: {}",
                case.id,
                if listed { "listed, but notices" } else { "does not notice" }
            ));
        }
    }
    assert!(judged > 400, "the model agrees on only {judged}");
    assert!(wrong.is_empty(), "{} of {judged}:\n{}", wrong.len(), wrong.join("\n"));
}
