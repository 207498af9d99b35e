//! VMRUN, L2, #VMEXIT: what is loaded, what is saved, what comes back.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::{self, VmrunChecks};
use crate::arch::cr0;
use crate::arch::msr::EFER;
use crate::case::written::{GP, fault};
use crate::case::{Draft, Insn, Step, world};
use crate::rules as r;
use crate::snapshot::HostReg;
use crate::vmcb::{Field, exit};

const VALUE: u64 = 0x1122_3344_5566_7788;

fn draft(id: &str) -> Draft {
    Draft::new(VmrunChecks, format!("round-trip/{id}"))
}

pub(crate) fn cases() -> Vec<Draft> {
    [states(), refusals()].concat()
}

fn states() -> Vec<Draft> {
    vec![
        draft("vmmcall").about([r::vmexit::EXITCODE, r::vmrun_state::LOAD_RIP]).run().ends(),
        draft("twice")
            .about(r::vmrun_state::LOAD_RIP)
            .run()
            .ends()
            .set(Field::RIP, world::L2_CODE)
            .run()
            .ends(),
        draft("rax-in-and-out")
            .about([r::vmrun_state::LOAD_RAX, r::vmexit::SAVE_RAX])
            .program(&[Insn::Store(world::DATA), Insn::Mov(0, !VALUE)])
            .set(Field::RAX, VALUE)
            .run()
            .ends()
            .field(Field::RAX, !VALUE)
            .peek(world::DATA)
            .value(VALUE),
        // The bit is fixed (3.1.1): neither L2 nor the VMCB sees it clear.
        draft("cr0-et-clear")
            .about(r::vmrun_state::CR0_ET)
            .program(&[Insn::ReadCr(0, 0)])
            .set(Field::CR0, world::L1_CR0 & !cr0::ET)
            .run()
            .ends()
            .field(Field::RAX, world::L1_CR0)
            .field(Field::CR0, world::L1_CR0),
        // PUSHF shows RFLAGS as loaded; CF and bit 1.
        draft("rsp-and-rflags")
            .about([r::vmrun_state::LOAD_RFLAGS, r::vmrun_state::LOAD_RSP])
            .program(&[Insn::Pushf])
            .set(Field::RFLAGS, 3)
            .run()
            .ends()
            .field(Field::RFLAGS, 3)
            .field(Field::RSP, world::L2_STACK - 8)
            .peek(world::L2_STACK - 8)
            .value(3),
        draft("l1-rflags-come-back")
            .about(r::vmexit::HOST_RFLAGS)
            .step(Step::Rflags(0x8d7))
            .run()
            .ends()
            .field(Field::RFLAGS, 2)
            .host(HostReg::Rflags, 0x8d7),
        draft("cr0-cr4-saved")
            .about([r::vmexit::SAVE_CR0, r::vmexit::SAVE_CR4])
            .program(&[
                Insn::Mov(0, 0x8001_003b),
                Insn::WriteCr(0, 0),
                Insn::Mov(0, 0xa0),
                Insn::WriteCr(4, 0),
            ])
            .run()
            .ends()
            .field(Field::CR0, 0x8001_003b)
            .field(Field::CR4, 0xa0),
        draft("cr2-saved")
            .about(r::vmexit::SAVE_CR2)
            .program(&[Insn::Mov(0, VALUE), Insn::WriteCr(2, 0)])
            .run()
            .ends()
            .field(Field::CR2, VALUE),
        draft("cr2-loaded")
            .about(r::vmrun_state::LOAD_CR2)
            .program(&[Insn::ReadCr(2, 0)])
            .set(Field::CR2, VALUE)
            .run()
            .ends()
            .field(Field::RAX, VALUE),
        draft("dr6-dr7-saved")
            .about([r::vmexit::SAVE_DR6, r::vmexit::SAVE_DR7])
            .program(&[
                Insn::Mov(0, 0x500),
                Insn::WriteDr(7, 0),
                Insn::Mov(0, 0xffff_0ff1),
                Insn::WriteDr(6, 0),
            ])
            .run()
            .ends()
            .field(Field::DR7, 0x500)
            .field(Field::DR6, 0xffff_0ff1),
        draft("efer-saved")
            .about(r::vmexit::SAVE_EFER)
            .program(&[Insn::Wrmsr(EFER, 0x1d01)])
            .run()
            .ends()
            .field(Field::EFER, 0x1d01),
        draft("cpl3")
            .about([r::vmrun_state::LOAD_CPL, r::vmexit::SAVE_CPL])
            .user()
            .run()
            .ends()
            .field(Field::CPL, 3),
        draft("idtr-gdtr-saved")
            .about(r::vmexit::SAVE_TABLES)
            .program(&[Insn::Lidt])
            .set(Field::IDTR_LIMIT, 0x7ff)
            .run()
            .ends()
            .field(Field::IDTR_LIMIT, 0xfff)
            .field(Field::IDTR_BASE, world::L2_IDT)
            .field(Field::GDTR_BASE, world::L2_GDT),
    ]
}

/// What keeps VMRUN from being executed at all.
fn refusals() -> Vec<Draft> {
    vec![
        draft("misaligned")
            .about(r::vmrun::RAX_ALIGNED)
            .step(Step::Vmrun(world::VMCB + 0x10))
            .shows(GP),
        draft("beyond-physical-memory")
            .about(r::vmrun::RAX_PHYS)
            .step(Step::Vmrun(1 << 52))
            .shows(GP),
        draft("svme-clear")
            .about(r::vmrun::SVME_UD)
            .step(Step::Wrmsr(EFER, world::L1_EFER & !0x1000))
            .run()
            .shows(fault(6)),
        Draft::new(Feature::Intercepts, "round-trip/vmrun-in-l2")
            .about(r::intercepts::VMRUN)
            .program(&[Insn::Mov(0, world::VMCB), Insn::Vmrun])
            .run()
            .exits(exit::VMRUN)
            .at(1)
            .field(Field::RAX, world::VMCB),
        Draft::new(Feature::Intercepts, "round-trip/vmmcall-not-intercepted")
            .about(r::intercepts::VMMCALL_UD)
            .program(&[Insn::Nop])
            .clear(Field::INTERCEPT_MISC2, 2)
            .intercept(exit::EXCP + 6)
            .run()
            .exits(exit::EXCP + 6)
            .at(1),
    ]
}
