//! What is told truly is not remarked on; each lie is named by its rule.

use std::collections::BTreeSet;

use svm_model::coverage::FULL;
use svm_model::features::vmexit::information;
use svm_model::rules;
use svm_model::vmcb::{Field, exit};

use super::intercept::{Needs, needs, rule};
use super::lies::lies;
use super::scene::{Scene, checked};

/// Exit codes that there are: those of the model's table, and exceptions beside it.
fn codes() -> Vec<u64> {
    let rows = information::TABLE.iter().flat_map(|row| row.first..=row.last);
    let known = |code: &u64| needs(*code) != Needs::Never;
    rows.chain([0x45, 0x4a, 0x50, 0x53]).filter(known).collect()
}

#[test]
fn what_is_as_it_must_be_is_not_remarked_on() {
    for code in codes() {
        let found = Scene::of(code).found();
        assert!(found.is_empty(), "{code:#x}: {found:#?}");
    }
    let mut scene = Scene::of(exit::CPUID);
    scene.was(Field::GUEST_ASID, 0);
    scene.refused("ASID is zero");
    assert_eq!(scene.found(), []);
    // In memory, which is not seen.
    let mut scene = Scene::of(exit::CPUID);
    scene.refused("reserved bit of a PDPTE");
    assert_eq!(scene.found(), []);
}

#[test]
fn an_exit_whose_intercept_is_clear_is_named_by_its_rule() {
    for code in codes() {
        let Needs::Bit(field, bit) = needs(code) else { continue };
        let mut scene = Scene::of(code);
        scene.was(field, scene.before.get(field) & !bit);
        let found = scene.found();
        assert!(found.iter().any(|f| f.rule == rule(code)), "{code:#x}: {found:?}");
        // VMRUN without its intercept is not even entered.
        assert!(found.iter().all(|f| f.what.contains("not intercepted") || f.rule != rule(code)));
    }
    // Most of the codes have a rule of their own.
    let all: BTreeSet<_> = codes().into_iter().map(rule).collect();
    assert!(all.len() > 70, "{}", all.len());
}

#[test]
fn each_lie_is_named_by_its_rule() {
    for (n, (rule, code, tell)) in lies().enumerate() {
        let mut scene = Scene::of(*code);
        tell(&mut scene);
        let found = scene.found();
        assert!(found.iter().any(|f| f.rule == *rule), "{n}, {rule}: {found:#?}");
        assert!(found.len() <= 3, "{n}, {rule}: {found:#?}");
    }
}

/// Every rule that the check names by a word of its own has a lie.
#[test]
fn no_rule_is_named_that_no_lie_breaks() {
    let sources = [
        include_str!("mod.rs"),
        include_str!("entering.rs"),
        include_str!("intercept.rs"),
        include_str!("missed.rs"),
        include_str!("reported.rs"),
        include_str!("saved.rs"),
    ];
    let mut told: BTreeSet<&str> = lies().map(|(rule, ..)| *rule).collect();
    // A lie of two scenes; and the intercepts, which have a test of their own.
    told.insert("vmexit.clears-gif");
    told.extend(codes().into_iter().map(rule));
    for source in sources {
        let named = source.split('"').filter(|word| rules::named(word).is_some());
        let left: Vec<&str> = named.filter(|word| !told.contains(word)).collect();
        assert!(left.is_empty(), "no lie for {left:?}");
    }
}

#[test]
fn gif_that_stays_set_is_noticed_at_the_next_vmrun() {
    let good = Scene::of(exit::CPUID).lines();
    let lie = Scene { clears_gif: false, ..Scene::of(exit::CPUID) }.lines();
    assert!(checked(FULL, &(good.clone() + &good)).found.is_empty());
    let found = checked(FULL, &(lie + &good)).found;
    assert_eq!(found.iter().map(|f| f.rule).collect::<Vec<_>>(), ["vmexit.clears-gif"]);
}

#[test]
fn the_first_time_is_kept_and_the_others_are_counted() {
    let mut scene = Scene::of(exit::CPUID);
    scene.is(Field::TSC_OFFSET, 2);
    let checker = checked(FULL, &(Scene::of(exit::HLT).lines() + &scene.lines().repeat(3)));
    assert_eq!((checker.checked, checker.found.len()), (4, 1));
    let found = &checker.found[0];
    assert_eq!((found.times, found.vmrun, found.vmcb), (3, 2, 0x1000));
    assert_eq!(found.what, "#VMEXIT(CPUID): tsc_offset was 0x0, and is 0x2");
}

#[test]
fn what_began_before_we_looked_is_not_judged() {
    let mut scene = Scene::of(exit::CPUID);
    scene.is(Field::TSC_OFFSET, 2);
    let lines = scene.lines();
    let late = lines.split_once('\n').unwrap().1;
    assert!(checked(FULL, late).found.is_empty());
    // A machine that is reset in L2 begins anew.
    let entered: String = lines.split_inclusive('\n').take(4).collect();
    assert!(checked(FULL, &(entered + &Scene::of(exit::HLT).lines())).found.is_empty());
}

#[test]
fn each_processor_is_looked_at_by_itself() {
    let other = |lines: &str| lines.replace("cpu 0", "cpu 1").replace("0x1000 ", "0x2000 ");
    let (one, two) = (Scene::of(exit::CPUID).lines(), other(&Scene::of(exit::HLT).lines()));
    let mixed: String = one.lines().zip(two.lines()).map(|(a, b)| format!("{a}\n{b}\n")).collect();
    let checker = checked(FULL, &mixed);
    assert!(checker.checked == 2 && checker.found.is_empty(), "{:#?}", checker.found);
}
