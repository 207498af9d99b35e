//! A machine check that L2 meets.
//!
//! `SVM_QEMU=PATH cargo test -p harness --features qemu-tests`

use std::path::{Path, PathBuf};
use std::time::Duration;

use harness::exec::boot::Machine;
use harness::exec::{Ran, guest};
use harness::suites::migration::machine_check;
use svm_model::Feature;
use svm_model::arch::cr4::{MCE, PAE};
use svm_model::case::{Case, Cpu, Insn, Step, world};
use svm_model::outcome::Obs;
use svm_model::vmcb::{Field, exit};

const EXIT_MC: u64 = exit::EXCP + 18;

/// The exit code and RIP, with that CR4 of L2, #MC intercepted or not.
fn exits(cr4: u64, intercepted: bool, checks: usize) -> (u64, u64) {
    let qemu = std::env::var_os("SVM_QEMU").expect("SVM_QEMU must name a QEMU");
    let repo = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let guest = guest::build(repo).unwrap_or_else(|e| panic!("{e}"));
    let machine = Machine {
        qemu: PathBuf::from(qemu),
        accel: "tcg".into(),
        firmware: Vec::new(),
        guest,
        limit: Duration::from_secs(30),
    };
    let bits = if intercepted { 1 << 18 } else { 0 };
    let case = Case {
        id: "machine-check".into(),
        feature: Feature::Intercepts,
        cpu: Cpu::default(),
        program: vec![Insn::Nop],
        steps: vec![
            Step::Vmcb(Field::CR4, cr4),
            Step::Vmcb(Field::INTERCEPT_EXCEPTIONS, bits),
            Step::Vmrun(world::VMCB),
        ],
    };
    let ran = machine_check::in_l2(&machine, &case, checks).unwrap_or_else(|e| panic!("{e}"));
    let Some(Ran::Outcome(outcome)) = &ran else { panic!("no outcome: {ran:?}") };
    let [Obs::Exit(exit)] = outcome.obs.as_slice() else { panic!("no exit: {outcome:?}") };
    let field = |f| exit.vmcb.get(f).expect("the VMCB is observed");
    assert_eq!(field(Field::EXITINTINFO), 0);
    (field(Field::EXITCODE), field(Field::RIP))
}

#[test]
fn it_is_mc_where_mce_is_set() {
    assert_eq!(exits(PAE | MCE, true, 1), (EXIT_MC, world::L2_CODE));
}

/// APM vol. 2, 15.12.18: with CR4.MCE clear it shuts down, whatever the intercept of #MC says.
#[test]
fn it_is_a_shutdown_where_mce_is_clear() {
    for intercepted in [false, true] {
        assert_eq!(exits(PAE, intercepted, 1), (exit::SHUTDOWN, world::L2_CODE));
    }
}

#[test]
fn it_is_a_shutdown_while_another_is_in_progress() {
    assert_eq!(exits(PAE | MCE, false, 2), (exit::SHUTDOWN, world::L2_CODE));
}
