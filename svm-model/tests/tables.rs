//! The manual's tables, as data, against the model and the cases: a row without a case fails,
//! and so does one of which the model says something else.

use std::collections::BTreeSet;

use svm_model::arch::exit;
use svm_model::case::mode::Mode;
use svm_model::cases::{self, SEED};
use svm_model::coverage::{FULL, platform_for};
use svm_model::cpu::CpuFeature;
use svm_model::features::intercepts::order::{ALWAYS, table};
use svm_model::features::intercepts::order_cases::crossings;
use svm_model::features::vgif::held::{self, Held};
use svm_model::features::vmexit::information::{self, Info, Next};
use svm_model::model::{self, Trace};
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

/// Every exit that the model says of the generated cases, on a processor with everything.
fn exits() -> Vec<(String, Box<Exit>)> {
    let run = |case: &svm_model::Case| {
        let platform = platform_for(case, &FULL)?;
        Some(model::run(case, &platform).obs)
    };
    let of = |case: svm_model::Case| {
        let mut obs = run(&case).unwrap_or_default();
        if case.cpu.without.has(CpuFeature::NripSave) {
            // The field is nobody's then.
            for obs in &mut obs {
                if let Obs::Exit(exit) = obs {
                    exit.vmcb.forget(Field::NRIP);
                }
            }
        }
        obs.into_iter().filter_map(move |obs| match obs {
            Obs::Exit(exit) => Some((case.id.clone(), exit)),
            _ => None,
        })
    };
    cases::all(SEED).into_iter().flat_map(of).collect()
}

/// Whether what an exit reports is of that kind.
fn fits(info: Info, value: Option<u64>, exit: &Exit) -> bool {
    let Some(value) = value else {
        // What the model leaves open is described for other modes alone.
        return matches!(info, Info::Open | Info::Decoded(_) | Info::UpTo(_) | Info::Address);
    };
    match info {
        Info::Open => false,
        Info::Is(wanted) => value == wanted,
        Info::UpTo(most) | Info::Decoded(most) => value <= most,
        Info::MovCr => value == 0 || value & !15 == 1 << 63,
        Info::ErrorCode => value <= 0xffff_ffff,
        Info::Address => true,
        Info::NextRip => exit.vmcb.get(Field::NRIP) == Some(value),
    }
}

/// Exit codes without a row, and why.
const NOT_REPORTED: &[(u64, &str)] = &[(u64::MAX, "VMRUN was refused")];

#[test]
fn each_exit_reports_what_its_row_says() {
    let exits = exits();
    let (mut wrong, mut seen) = (Vec::new(), BTreeSet::new());
    let mut delivering = BTreeSet::new();
    for (id, exit) in &exits {
        let get = |field| exit.vmcb.get(field);
        let code = get(Field::EXITCODE).expect("an exit has a code");
        let Some(row) = information::row_of(code) else {
            if !NOT_REPORTED.iter().any(|(c, _)| *c == code) {
                wrong.push(format!("{id}: no row for {code:#x}"));
            }
            continue;
        };
        seen.insert(row.first);
        let mut say = |what: &str| wrong.push(format!("{id}: {code:#x}, {what}"));
        if !fits(row.info1, get(Field::EXITINFO1), exit) {
            say(&format!("EXITINFO1 {:x?}", get(Field::EXITINFO1)));
        }
        if !fits(row.info2, get(Field::EXITINFO2), exit) {
            say(&format!("EXITINFO2 {:x?}", get(Field::EXITINFO2)));
        }
        // A shutdown leaves no RIP to compare with.
        if let (Some(next), Some(rip)) = (get(Field::NRIP), get(Field::RIP)) {
            let behind = (1..=15).contains(&next.wrapping_sub(rip));
            let right = match row.next {
                Next::Instruction => behind,
                Next::Zero => next == 0,
                Next::Either => behind || next == 0,
            };
            if !right {
                say(&format!("nRIP {next:#x} behind {rip:#x}"));
            }
        }
        if get(Field::EXITINTINFO).is_some_and(|info| info >> 31 & 1 == 1) {
            delivering.insert(row.first);
            if !row.delivering {
                say("EXITINTINFO is valid");
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(60)].join("\n")
    );
    let unseen: Vec<String> = information::TABLE
        .iter()
        .filter(|row| !seen.contains(&row.first))
        .map(|row| format!("{:#x}", row.first))
        .collect();
    assert!(unseen.is_empty(), "no case for the rows from {unseen:?} on");
    let never: Vec<String> = information::TABLE
        .iter()
        .filter(|row| row.delivering && row.first != exit::SHUTDOWN)
        .filter(|row| !delivering.contains(&row.first))
        .map(|row| format!("{:#x}", row.first))
        .collect();
    assert!(never.is_empty(), "never during delivery: {never:?}");
}

#[test]
fn each_row_of_what_gif_holds_has_cases_that_the_rule_decides() {
    let all = cases::all(SEED);
    let mut wrong = Vec::new();
    for row in held::TABLE {
        assert!(!row.cases.is_empty(), "{}: no case", row.source);
        for (place, gif) in row.cases.iter().flat_map(|p| [(p, false), (p, true)]) {
            let id = format!("gif-table/{place},gif={}", if gif { "on" } else { "off" });
            let Some(case) = all.iter().find(|case| case.id == id) else {
                wrong.push(format!("{}: there is no {id}", row.source));
                continue;
            };
            let platform = platform_for(case, &FULL).expect("everything is there");
            let mut trace = Trace::new(None);
            model::run_traced(case, &platform, &mut trace);
            // A rule that discards holds with GIF clear; those that let an event pass, with GIF set.
            let clear = match row.held {
                Held::Discarded => &trace.held,
                Held::Pending => &trace.failed,
                Held::Normal => &trace.held,
            };
            let held_with_gif = row.held == Held::Pending && row.rule != vintr();
            let reached = if !gif || row.held == Held::Normal {
                clear.has(row.rule) || row.rule == vintr() && trace.held.has(row.rule)
            } else if held_with_gif {
                trace.held.has(row.rule)
            } else {
                !trace.held.has(row.rule)
            };
            if !reached {
                wrong.push(format!("{id} does not come to {}", row.rule));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The one rule of these that is an effect.
fn vintr() -> svm_model::rules::RuleId {
    svm_model::rules::named("gif.holds-vintr").expect("the rule").0
}
