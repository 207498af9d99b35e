//! Debug registers and single stepping across the world switch.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::Debug;
use crate::arch::{dr, flag};
use crate::case::written::fault;
use crate::case::{Draft, Insn, Step, world};
use crate::rules as r;
use crate::snapshot::HostReg;
use crate::vmcb::{Field, exit};

const TF: u64 = flag::FIXED | flag::TF;
const DB: u64 = exit::EXCP + 1;
const DR6: u64 = dr::DR6_ONES;
/// Breakpoint 0, on execution, enabled.
const DR7_G0: u64 = 0x402;

fn draft(id: &str) -> Draft {
    Draft::new(Debug, format!("debug/{id}"))
}

pub(crate) fn cases() -> Vec<Draft> {
    let nops = &[Insn::Nop, Insn::Nop];
    vec![
        draft("step-taken-by-l2")
            .about(r::debug::TF_TRAP)
            .program(nops)
            .set(Field::RFLAGS, TF)
            .run()
            .takes(1, 0, world::L2_CODE + 1)
            .field(Field::DR6, DR6 | dr::DR6_BS)
            .field(Field::RFLAGS, 2),
        draft("step-intercepted")
            .about([r::intercepts::EXCP_DB, r::debug::TF_TRAP])
            .program(nops)
            .set(Field::RFLAGS, TF)
            .intercept(DB)
            .run()
            .exits(DB)
            .at(1)
            .field(Field::RFLAGS, TF),
        draft("breakpoint-taken-by-l2")
            .about(r::debug::EXEC_BREAKPOINT)
            .program(nops)
            .step(Step::WriteDr(0, world::L2_CODE + 1))
            .set(Field::DR7, DR7_G0)
            .run()
            .takes(1, 0, world::L2_CODE + 1)
            .field(Field::DR6, DR6 | dr::DR6_B0),
        draft("breakpoint-intercepted")
            .about([r::intercepts::EXCP_DB, r::debug::EXEC_BREAKPOINT])
            .program(nops)
            .step(Step::WriteDr(0, world::L2_CODE + 1))
            .set(Field::DR7, DR7_G0)
            .intercept(DB)
            .run()
            .exits(DB)
            .at(1),
        // DR7 is L2's while L2 runs, and off when L1 comes back.
        draft("l1-breakpoint-not-in-l2")
            .about([r::vmrun_state::LOAD_DR7, r::vmexit::HOST_DR7])
            .program(nops)
            .step(Step::WriteDr(0, world::L2_CODE + 1))
            .step(Step::WriteDr(7, DR7_G0))
            .run()
            .ends()
            .host(HostReg::Dr7, 0x400),
        draft("dr6-loaded")
            .about(r::vmrun_state::LOAD_DR6)
            .program(&[Insn::ReadDr(6, 0)])
            .set(Field::DR6, DR6 | dr::DR6_BS)
            .run()
            .ends()
            .field(Field::RAX, DR6 | dr::DR6_BS),
        draft("dr7-loaded")
            .about(r::vmrun_state::LOAD_DR7)
            .program(&[Insn::ReadDr(7, 0)])
            .set(Field::DR7, 0x700)
            .run()
            .ends()
            .field(Field::RAX, 0x700),
        // To L1, VMRUN is one instruction: L2 does not see TF, and L1 traps behind it.
        draft("l1-tf-traps-after-vmrun")
            .about([r::debug::TF_TRAP, r::vmexit::HOST_RFLAGS])
            .program(nops)
            .step(Step::Rflags(TF))
            .run()
            .ends()
            .field(Field::RFLAGS, 2)
            .host(HostReg::Rflags, TF)
            .shows(fault(1)),
    ]
}
