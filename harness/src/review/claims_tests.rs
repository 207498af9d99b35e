use super::*;
use crate::review::Flipped;

fn mail(message: &str) -> Mail {
    let diff = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n";
    Mail::parse(format!("Subject: [PATCH] t: x\n\n{message}\n---\n{diff}").as_bytes()).unwrap()
}

fn flip(test: &str, to: Verdict, worse: bool) -> Flipped {
    Flipped {
        test: test.into(),
        feature: None,
        from: Some(Verdict::Fail),
        to: Some(to),
        worse,
        flaky: false,
        why: None,
        or_earlier: Vec::new(),
    }
}

fn patch(flips: Vec<Flipped>, gained: &[&str]) -> PatchReview {
    let gained = gained.iter().map(|g| (*g).to_string()).collect();
    PatchReview { flips, features: (gained, Vec::new()), ..PatchReview::default() }
}

#[test]
fn a_fixes_line_is_held_against_form_and_flips() {
    let good = mail("M.\n\nFixes: 0123456789ab (\"x: y\")");
    let seen = patch(vec![flip("kut/svm/a", Verdict::Pass, false)], &[]);
    assert_eq!(remarks(&good, &seen), [Remark::FixesSeen]);
    assert_eq!(remarks(&good, &patch(vec![], &[])), [Remark::FixesUnseen]);
    let bad = mail("M.\n\nFixes: 0123 x: y");
    let found = remarks(&bad, &seen);
    assert_eq!(found[0], Remark::FixesForm { value: "0123 x: y".into() });
    assert!(found[0].is_objection() && !found[1].is_objection());
    assert_eq!(remarks(&mail("M."), &seen), []);
}

#[test]
fn cpuid_bits_are_looked_up_in_what_is_offered() {
    let m = mail("With TscRateMsr (CPUID\nFn8000_000A_EDX[4]) it scales.");
    let bit = "CPUID Fn8000_000A_EDX[4]".to_string();
    let feature = "tsc-scale".to_string();
    let offered = Remark::BitOffered { bit: bit.clone(), feature: feature.clone() };
    assert_eq!(remarks(&m, &patch(vec![], &["tsc-scale"])), [offered]);
    assert_eq!(remarks(&m, &patch(vec![], &[])), [Remark::BitUnchanged { bit, feature }]);
    let newer = mail("With SpecCtrl (CPUID Fn8000_000A_EDX[20]) there are two.");
    let seen = remarks(&newer, &patch(vec![], &["v-spec-ctrl"]));
    assert!(matches!(&seen[..], [Remark::BitOffered { .. }]), "{seen:?}");
    let words = mail("CPUID Fn8000_0001 ECX bit 12 says so.");
    assert!(
        matches!(&remarks(&words, &patch(vec![], &[]))[..], [Remark::BitUnchanged { feature, .. }] if feature == "skinit")
    );
}

#[test]
fn a_feature_that_nobody_spoke_of_is_an_objection() {
    let silent = remarks(&mail("Refactor."), &patch(vec![], &["lbrv"]));
    assert_eq!(silent, [Remark::Unannounced { feature: "lbrv".into() }]);
    assert!(silent[0].is_objection());
    assert_eq!(remarks(&mail("Provide NRIP_SAVE."), &patch(vec![], &["nrip-save"])), []);
}

#[test]
fn a_test_that_the_message_names_must_pass() {
    let m = mail("This mends svm_pae_test.");
    let good = patch(vec![flip("kut/svm/svm_pae_test", Verdict::Pass, false)], &[]);
    assert!(matches!(&remarks(&m, &good)[..], [Remark::TestPasses { .. }]));
    let bad = patch(vec![flip("kut/svm/svm_pae_test", Verdict::Crash, true)], &[]);
    assert!(remarks(&m, &bad)[0].is_objection());
    let other = patch(vec![flip("kut/svm/svm_pae", Verdict::Pass, false)], &[]);
    assert_eq!(remarks(&m, &other), []);
}
