//! Debug registers and single stepping across the world switch.

use svm_model::Feature::Debug;
use svm_model::case::{Insn, Step, world};
use svm_model::snapshot::HostReg;
use svm_model::vmcb::{Field, exit};

use super::Draft;
use super::draft::fault;

const TF: u64 = 0x102;
const DB: u64 = exit::EXCP + 1;
const DR6: u64 = 0xffff_0ff0;
const DR6_B0: u64 = 1;
const DR6_BS: u64 = 1 << 14;
/// Breakpoint 0, on execution, enabled.
const DR7_G0: u64 = 0x402;

fn draft(id: &str, section: &'static str) -> Draft {
    Draft::new(format!("debug/{id}"), Debug, section)
}

pub(super) fn cases() -> Vec<Draft> {
    let nops = &[Insn::Nop, Insn::Nop];
    vec![
        draft("step-taken-by-l2", "15.5.1")
            .program(nops)
            .set(Field::RFLAGS, TF)
            .run()
            .takes(1, 0, world::L2_CODE + 1)
            .field(Field::DR6, DR6 | DR6_BS)
            .field(Field::RFLAGS, 2),
        draft("step-intercepted", "15.12.2")
            .program(nops)
            .set(Field::RFLAGS, TF)
            .intercept(DB)
            .run()
            .exits(DB)
            .at(1)
            .field(Field::RFLAGS, TF),
        draft("breakpoint-taken-by-l2", "15.5.1")
            .program(nops)
            .step(Step::WriteDr(0, world::L2_CODE + 1))
            .set(Field::DR7, DR7_G0)
            .run()
            .takes(1, 0, world::L2_CODE + 1)
            .field(Field::DR6, DR6 | DR6_B0),
        draft("breakpoint-intercepted", "15.12.2")
            .program(nops)
            .step(Step::WriteDr(0, world::L2_CODE + 1))
            .set(Field::DR7, DR7_G0)
            .intercept(DB)
            .run()
            .exits(DB)
            .at(1),
        // DR7 is L2's while L2 runs, and off when L1 comes back.
        draft("l1-breakpoint-not-in-l2", "15.5.1")
            .program(nops)
            .step(Step::WriteDr(0, world::L2_CODE + 1))
            .step(Step::WriteDr(7, DR7_G0))
            .run()
            .ends()
            .host(HostReg::Dr7, 0x400),
        draft("dr6-loaded", "15.5.1")
            .program(&[Insn::ReadDr(6, 0)])
            .set(Field::DR6, DR6 | DR6_BS)
            .run()
            .ends()
            .field(Field::RAX, DR6 | DR6_BS),
        draft("dr7-loaded", "15.5.1")
            .program(&[Insn::ReadDr(7, 0)])
            .set(Field::DR7, 0x700)
            .run()
            .ends()
            .field(Field::RAX, 0x700),
        // To L1, VMRUN is one instruction: L2 does not see TF, and L1 traps behind it.
        draft("l1-tf-traps-after-vmrun", "15.5.1")
            .program(nops)
            .step(Step::Rflags(TF))
            .run()
            .ends()
            .field(Field::RFLAGS, 2)
            .host(HostReg::Rflags, TF)
            .shows(fault(1)),
    ]
}
