//! The manual's tables, as data, against the model and the cases: a row without a case fails,
//! and so does one of which the model says something else.

use std::collections::BTreeSet;

use svm_model::arch::exit;
use svm_model::case::mode::Mode;
use svm_model::coverage::{FULL, platform_for};
use svm_model::features::intercepts::order::{ALWAYS, table};
use svm_model::features::intercepts::order_cases::crossings;
use svm_model::model;
use svm_model::outcome::{Exit, Obs, Outcome};
use svm_model::vmcb::Field;

/// Exit codes of instruction intercepts that have no row, and why.
const NO_ROW: &[(u64, &str)] = &[
    (exit::MWAIT_ARMED, "MWAIT's row, behind MONITOR: instructions/mwait,armed"),
    (exit::MCOMMIT, "the table does not have it"),
    (0xa1, "INVLPGB's illegal forms: no processor of ours has INVLPGB"),
];

fn first_exit(outcome: &Outcome) -> Option<&Exit> {
    outcome.obs.iter().find_map(|obs| match obs {
        Obs::Exit(exit) => Some(&**exit),
        _ => None,
    })
}

#[test]
fn each_instruction_intercept_has_a_row() {
    let rows: BTreeSet<u64> = table().iter().map(|row| row.code).collect();
    let crs = [0u64, 2, 3, 4, 8];
    let wanted = crs
        .iter()
        .flat_map(|n| [exit::CR_READ + n, exit::CR_WRITE + n])
        .chain((0..8).flat_map(|n| [exit::DR_READ + n, exit::DR_WRITE + n]))
        .chain(exit::CR0_SEL_WRITE..exit::TASK_SWITCH)
        .chain(exit::VMRUN..exit::EFER_WRITE_TRAP)
        .chain([exit::INVLPGB, 0xa1, exit::INVPCID, exit::MCOMMIT, exit::TLBSYNC, exit::IDLE_HLT]);
    let missing: Vec<String> = wanted
        .filter(|code| !rows.contains(code) && !NO_ROW.iter().any(|(c, _)| c == code))
        .map(|code| format!("{code:#x}"))
        .collect();
    assert!(missing.is_empty(), "no row for {missing:?}");
    let idle: Vec<_> = NO_ROW.iter().filter(|(code, _)| rows.contains(code)).collect();
    assert!(idle.is_empty(), "listed, and there is a row: {idle:?}");
}

#[test]
fn each_check_of_each_row_has_a_case_in_each_mode_that_has_it() {
    let crossings = crossings();
    let mut missing = Vec::new();
    for row in table() {
        let own: Vec<_> = crossings.iter().filter(|c| c.row == row.name).collect();
        let modes = if row.long_only { &Mode::ALL[..1] } else { &Mode::ALL[..] };
        for mode in modes {
            if !own.iter().any(|c| c.mode == *mode && c.check.is_none()) {
                missing.push(format!("{}: nothing in {mode:?}", row.name));
            }
        }
        for check in ALWAYS.iter().chain(&row.before).chain(&row.after) {
            // What a mode or the CPL makes fail has no case of its own.
            let code = check.code();
            let made = own.iter().any(|c| c.check == Some(*check) || c.code == Some(code));
            if !made {
                missing.push(format!("{}: {check:?}", row.name));
            }
        }
    }
    assert!(missing.is_empty(), "{} without a case:\n{}", missing.len(), missing.join("\n"));
}

#[test]
fn the_model_checks_in_the_order_of_the_table() {
    let (mut wrong, mut judged) = (Vec::new(), 0);
    for crossing in crossings() {
        let Some(code) = crossing.code else { continue };
        let Some(platform) = platform_for(&crossing.case, &FULL) else { continue };
        let outcome = model::run(&crossing.case, &platform);
        let seen = first_exit(&outcome).and_then(|exit| exit.vmcb.get(Field::EXITCODE));
        judged += 1;
        if seen != Some(code) {
            wrong.push(format!("{}: {seen:x?}, not {code:#x}", crossing.case.id));
        }
    }
    assert!(judged > 1000, "only {judged} cases");
    assert!(wrong.is_empty(), "{} of {judged}:\n{}", wrong.len(), wrong.join("\n"));
}
