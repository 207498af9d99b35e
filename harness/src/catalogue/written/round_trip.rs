//! VMRUN, L2, #VMEXIT: what is loaded, what is saved, what comes back.

use svm_model::Feature::{self, VmrunChecks};
use svm_model::case::{Insn, Step, world};
use svm_model::snapshot::HostReg;
use svm_model::vmcb::{Field, exit};

use super::Draft;
use super::draft::{GP, fault};

const EFER: u32 = 0xc000_0080;
const VALUE: u64 = 0x1122_3344_5566_7788;

fn draft(id: &str, section: &'static str) -> Draft {
    Draft::new(format!("round-trip/{id}"), VmrunChecks, section)
}

pub(super) fn cases() -> Vec<Draft> {
    [states(), refusals()].concat()
}

fn states() -> Vec<Draft> {
    vec![
        draft("vmmcall", "15.5").run().ends(),
        draft("twice", "15.5").run().ends().set(Field::RIP, world::L2_CODE).run().ends(),
        draft("rax-in-and-out", "15.5.1")
            .program(&[Insn::Store(world::DATA), Insn::Mov(0, !VALUE)])
            .set(Field::RAX, VALUE)
            .run()
            .ends()
            .field(Field::RAX, !VALUE)
            .peek(world::DATA, VALUE),
        // PUSHF shows RFLAGS as loaded; CF and bit 1.
        draft("rsp-and-rflags", "15.5.1")
            .program(&[Insn::Pushf])
            .set(Field::RFLAGS, 3)
            .run()
            .ends()
            .field(Field::RFLAGS, 3)
            .field(Field::RSP, world::L2_STACK - 8)
            .peek(world::L2_STACK - 8, 3),
        draft("l1-rflags-come-back", "15.6")
            .step(Step::Rflags(0x8d7))
            .run()
            .ends()
            .field(Field::RFLAGS, 2)
            .host(HostReg::Rflags, 0x8d7),
        draft("cr0-cr4-saved", "15.6")
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
        draft("cr2-saved", "15.6")
            .program(&[Insn::Mov(0, VALUE), Insn::WriteCr(2, 0)])
            .run()
            .ends()
            .field(Field::CR2, VALUE),
        draft("cr2-loaded", "15.5.1")
            .program(&[Insn::ReadCr(2, 0)])
            .set(Field::CR2, VALUE)
            .run()
            .ends()
            .field(Field::RAX, VALUE),
        draft("dr6-dr7-saved", "15.6")
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
        draft("efer-saved", "15.6")
            .program(&[Insn::Wrmsr(EFER, 0x1d01)])
            .run()
            .ends()
            .field(Field::EFER, 0x1d01),
        draft("cpl3", "15.5.1").user().run().ends().field(Field::CPL, 3),
        draft("idtr-gdtr-saved", "15.6")
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
        draft("misaligned", "15.5.1").step(Step::Vmrun(world::VMCB + 0x10)).shows(GP),
        draft("beyond-physical-memory", "15.5.1").step(Step::Vmrun(1 << 52)).shows(GP),
        draft("svme-clear", "15.4")
            .step(Step::Wrmsr(EFER, world::L1_EFER & !0x1000))
            .run()
            .shows(fault(6)),
        Draft::new("round-trip/vmrun-in-l2", Feature::Intercepts, "15.9")
            .program(&[Insn::Mov(0, world::VMCB), Insn::Vmrun])
            .run()
            .exits(exit::VMRUN)
            .at(1)
            .field(Field::RAX, world::VMCB),
        Draft::new("round-trip/vmmcall-not-intercepted", Feature::Intercepts, "15.9")
            .program(&[Insn::Nop])
            .clear(Field::INTERCEPT_MISC2, 2)
            .intercept(exit::EXCP + 6)
            .run()
            .exits(exit::EXCP + 6)
            .at(1),
    ]
}
