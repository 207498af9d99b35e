//! What #VMEXIT writes back and what the host gets back.

use alloc::format;

use crate::Feature::Intercepts;
use crate::arch::msr;
use crate::case::draft::Draft;
use crate::case::{Insn, Step, world};
use crate::cases::Cases;
use crate::vmcb::Field;

pub(crate) fn cases(out: &mut Cases) {
    written_back(out);
    host(out);
    fields_left(out);
}

fn draft(id: impl AsRef<str>) -> Draft {
    Draft::new(Intercepts, format!("vmexit/{}", id.as_ref()))
}

/// The guest changes a register; the VMCB has it afterwards.
fn written_back(out: &mut Cases) {
    let changes: &[(&str, &[Insn])] = &[
        ("cr0-ts", &[Insn::Mov(1, 0x8001_003b), Insn::WriteCr(0, 1)]),
        ("cr0-no-wp", &[Insn::Mov(1, 0x8000_0033), Insn::WriteCr(0, 1)]),
        ("cr0-mp", &[Insn::Mov(1, 0x8001_0031), Insn::WriteCr(0, 1)]),
        ("lmsw-ts", &[Insn::Mov(1, 0xb), Insn::Lmsw(1)]),
        ("lmsw-keeps-pe", &[Insn::Mov(1, 0x2), Insn::Lmsw(1)]),
        ("clts", &[Insn::Mov(1, 0xb), Insn::Lmsw(1), Insn::Clts]),
        ("cr2", &[Insn::Mov(1, 0xabcd_ef01_2345), Insn::WriteCr(2, 1)]),
        ("cr3", &[Insn::Mov(1, world::L2PT | 0x18), Insn::WriteCr(3, 1)]),
        ("cr4-pge", &[Insn::Mov(1, 0xa0), Insn::WriteCr(4, 1)]),
        ("cr4-tsd", &[Insn::Mov(1, 0x24), Insn::WriteCr(4, 1)]),
        ("efer-sce", &[Insn::Wrmsr(msr::EFER, 0x1d01)]),
        ("dr6", &[Insn::Mov(1, 0xffff_4ff3), Insn::WriteDr(6, 1)]),
        ("dr7", &[Insn::Mov(1, 0x400 | 1 << 9), Insn::WriteDr(7, 1)]),
        ("rsp", &[Insn::Mov(4, world::L2_STACK - 0x100)]),
        ("pushf", &[Insn::Pushf]),
        ("rax", &[Insn::Mov(0, 0x1122_3344_5566_7788)]),
        ("rbx-rcx-rdx", &[Insn::Mov(3, 3), Insn::Mov(1, 1), Insn::Mov(2, 2)]),
        ("sti", &[Insn::Sti, Insn::Nop]),
        ("cli", &[Insn::Sti, Insn::Cli]),
        ("lidt", &[Insn::Lidt]),
        ("lgdt", &[Insn::Lgdt]),
        ("jump", &[Insn::Jump(world::L2_CODE + 0x20)]),
    ];
    for (name, program) in changes {
        let padded: alloc::vec::Vec<Insn> =
            program.iter().cloned().chain(alloc::vec![Insn::Nop; 64]).collect();
        out.push(draft(format!("saves,{name}")).program(&padded).done());
    }
    for (name, insn, at, table) in [
        ("lidt-other", Insn::Lidt, world::SCRATCH_IDTR, world::L2_IDT),
        ("lgdt-other", Insn::Lgdt, world::SCRATCH_GDTR, world::L2_GDT),
    ] {
        let case = draft(format!("saves,{name}")).program(&[insn]).poke(at, table << 16 | 0x2f);
        out.push(case.done());
    }
    for (name, image) in [
        ("cf", 0x3),
        ("all-status", 0x8d7),
        ("if", 0x202),
        ("df", 0x402),
        ("id", 0x20_0002),
        ("ac", 0x4_0002),
    ] {
        let program =
            [Insn::Mov(0, image), Insn::Store(world::L2_STACK - 8), Insn::Popf, Insn::Nop];
        let case = draft(format!("saves,popf-{name}")).program(&program);
        out.push(case.set(Field::RSP, world::L2_STACK - 8).done());
    }
}

/// The guest changes what the host also has; the host's own comes back.
fn host(out: &mut Cases) {
    let program = [
        Insn::Mov(1, 0x8000_003b),
        Insn::WriteCr(0, 1),
        Insn::Mov(1, 0xa0),
        Insn::WriteCr(4, 1),
        Insn::Mov(1, 0xffff_0ff5),
        Insn::WriteDr(6, 1),
        Insn::Mov(1, 0x401),
        Insn::WriteDr(7, 1),
        Insn::Mov(1, 0x9999),
        Insn::WriteCr(2, 1),
        Insn::Wrmsr(msr::EFER, 0x1d01),
    ];
    for (name, flags) in [("plain", 2), ("status", 0x8d7), ("df", 0x402), ("iopl", 0x3002)] {
        let case = draft(format!("host,{name}")).program(&program);
        let case = case.step(Step::Rflags(flags)).run();
        let case = [0, 2, 3, 4].iter().fold(case, |c, n| c.step(Step::ReadCr(*n)));
        let case = case.step(Step::ReadDr(6)).step(Step::ReadDr(7)).step(Step::Rdmsr(msr::EFER));
        out.push(case.case());
    }
    for (name, value) in [("ts", 0x8001_003b), ("no-wp", 0x8000_0033)] {
        let case = draft(format!("host,cr0-{name}")).step(Step::WriteCr(0, value)).run();
        out.push(case.step(Step::ReadCr(0)).case());
    }
    for (name, value) in [("pge", 0x6a0), ("tsd", 0x624), ("de", 0x628)] {
        let case = draft(format!("host,cr4-{name}")).step(Step::WriteCr(4, value)).run();
        out.push(case.step(Step::ReadCr(4)).case());
    }
    for (name, value) in [("sce", 0x1d01), ("no-nx", 0x1500)] {
        let case = draft(format!("host,efer-{name}")).step(Step::Wrmsr(msr::EFER, value)).run();
        out.push(case.step(Step::Rdmsr(msr::EFER)).case());
    }
    for value in [0x400, 0x401, 0x4aa, 0x1_0403] {
        let case = draft(format!("host,dr7={value:#x}"));
        let case = case.step(Step::WriteDr(0, 0x1000)).step(Step::WriteDr(7, value));
        out.push(case.run().step(Step::ReadDr(7)).case());
    }
    let cr3 = draft("host,cr3-bits").step(Step::WriteCr(3, world::L1PT | 0x18)).run();
    out.push(cr3.step(Step::ReadCr(3)).case());
    for tpr in [1, 0xf] {
        let case = draft(format!("host,cr8={tpr}")).step(Step::WriteCr(8, tpr)).run();
        out.push(case.step(Step::ReadCr(8)).step(Step::WriteCr(8, 0)).case());
    }
}

/// Each field that #VMEXIT has no business with keeps what software wrote.
fn fields_left(out: &mut Cases) {
    let left = [
        (Field::INTERCEPT_CR_READ, 0x8000),
        (Field::INTERCEPT_DR_WRITE, 0x8000),
        (Field::INTERCEPT_EXCEPTIONS, 1 << 18),
        (Field::PAUSE_FILTER_THRESHOLD, 0x123),
        (Field::PAUSE_FILTER_COUNT, 0x456),
        (Field::TSC_OFFSET, 0x1234_5678_9abc),
        (Field::GUEST_ASID, 3),
        (Field::TLB_CONTROL, 0),
        (Field::INT_VECTOR, 0x77),
        (Field::FS_BASE, 0x1234_0000),
        (Field::GS_BASE, 0x1234_0000),
        (Field::FS_SELECTOR, 0x20),
        (Field::TR_BASE, 0x4321_0000),
        (Field::LDTR_LIMIT, 0x4321),
        (Field::STAR, 0x1111),
        (Field::LSTAR, 0x2222),
        (Field::KERNEL_GS_BASE, 0x3333),
        (Field::SYSENTER_EIP, 0x4444),
        (Field::DBGCTL, 1),
        (Field::BR_FROM, 0x5555),
        (Field::SPEC_CTRL, 1),
        (Field::S_CET, 1),
        (Field::SSP, 0x6660),
        (Field::GHCB_PA, 0x7000),
        (Field::AVIC_APIC_BAR, 0x8000),
    ];
    for (field, value) in left {
        out.push(draft(format!("leaves,{field}")).set(field, value).done());
    }
    // What an earlier exit left is overwritten where the new one reports.
    let stale = [
        (Field::EXITCODE, 0x1234),
        (Field::EXITINTINFO, 0x8000_0b0e),
        (Field::EVENTINJ, 0x20),
        (Field::NRIP, 0xdead),
        (Field::INSN_LEN, 7),
    ];
    for (field, value) in stale {
        out.push(draft(format!("stale,{field}")).set(field, value).done());
    }
}
