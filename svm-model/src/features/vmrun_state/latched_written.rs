//! What VMRUN reads, it reads once (15.5.1): a VMCB that changes while the
//! guest runs, here by the guest's own hand, changes nothing for it.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::{self, Intercepts, Msr, TlbAsid, Virq, VmloadVmsave};
use crate::arch::{flag, int_ctl, intercept, msr, virt_ext};
use crate::case::{About, Draft, Insn, Step, world};
use crate::cpu::CpuFeature;
use crate::rules as r;
use crate::vmcb::{Field, exit};

const PENDING: u64 = int_ctl::V_IRQ | int_ctl::V_IGN_TPR;
/// A permission map that has every bit set where it matters.
const ELSEWHERE: u64 = world::DATA + 0x1_0000;
/// A page, and its entry in the nested tables.
const PAGE: u64 = world::DATA + 0xf000;
const ENTRY: u64 = world::npt::PT + 0xf * 8;

/// L2 writes eight bytes of its VMCB, and goes on.
fn writes(id: &str, feature: Feature, field: Field, value: u64, then: &[Insn]) -> Draft {
    let mut program =
        vec![Insn::Mov(0, value), Insn::Store(world::VMCB + u64::from(field.offset()))];
    program.extend_from_slice(then);
    Draft::new(feature, format!("latched/{id}")).about(r::vmrun_state::READ_ONCE).program(&program)
}

fn all_set(draft: Draft, pa: u64) -> Draft {
    draft.step(Step::Mem { pa, width: 8, value: u64::MAX })
}

pub(crate) fn cases() -> Vec<Draft> {
    [maps(), controls(), vectors(), virtual_vmload()].concat()
}

fn maps() -> Vec<Draft> {
    let out = Insn::Out { size: 1, port: 0x80 };
    let efer = ELSEWHERE + 0x800 + 0x80 / 4;
    let io = |id: &str, base: u64| {
        let d = writes(id, Intercepts, Field::IOPM_BASE_PA, base, core::slice::from_ref(&out));
        all_set(d.about([r::vmrun_state::READ_ONCE, r::io::IOIO_BIT]), ELSEWHERE + 0x10)
            .intercept(exit::IOIO)
    };
    let msr = |id: &str, base: u64| {
        let d = writes(id, Msr, Field::MSRPM_BASE_PA, base, &[Insn::Rdmsr(msr::EFER)]);
        all_set(d.about([r::vmrun_state::READ_ONCE, r::msr::MAP_READ]), efer).intercept(exit::MSR)
    };
    vec![
        io("iopm-moved", ELSEWHERE).run().ends(),
        io("iopm-moved-low-bits", ELSEWHERE | 0xfff).run().ends(),
        msr("msrpm-moved", ELSEWHERE).run().ends(),
        // The next VMRUN reads it.
        io("iopm-read-again", ELSEWHERE)
            .run()
            .ends()
            .set(Field::IOPM_BASE_PA, ELSEWHERE)
            .set(Field::RIP, world::L2_CODE)
            .run()
            .exits(exit::IOIO)
            .at(2),
        // And there is no map where no physical memory can be.
        io("iopm-moved-beyond", 1 << 52).run().ends(),
    ]
}

/// Controls that live in the processor anyhow.
fn controls() -> Vec<Draft> {
    let once = || About::from(r::vmrun_state::READ_ONCE);
    let rows = [
        (
            "intercepts",
            Intercepts,
            Field::INTERCEPT_MISC1,
            intercept::CPUID.mask() | intercept::SHUTDOWN.mask(),
            Insn::Cpuid,
            r::intercepts::CPUID.into(),
        ),
        (
            "cr-intercepts",
            Intercepts,
            Field::INTERCEPT_CR_READ,
            1,
            Insn::ReadCr(0, 0),
            r::intercepts::CR0_READ.into(),
        ),
        ("virtual-interrupt", Virq, Field::INT_CTL, PENDING, Insn::Sti, once()),
        ("nested-cr3", Intercepts, Field::N_CR3, 0, Insn::Nop, once()),
        ("asid", TlbAsid, Field::GUEST_ASID, 0, Insn::Nop, once()),
    ];
    rows.map(|(id, feature, field, value, insn, about)| {
        writes(id, feature, field, value, &[insn, Insn::Nop]).about(about).run().ends()
    })
    .into()
}

fn vectors() -> Vec<Draft> {
    let pending = |d: Draft| d.set(Field::INT_CTL, PENDING);
    vec![
        pending(writes(
            "vector",
            Virq,
            Field::INT_VECTOR,
            0x51,
            &[Insn::Sti, Insn::Nop, Insn::Nop],
        ))
        .about(r::virq::TAKEN)
        .set(Field::INT_VECTOR, 0x50)
        .run()
        .takes(0x50, 0, world::L2_CODE + 10 + 13 + 2),
        // V_INTR_VECTOR is 8 bits (15.21.4, appendix B), and beside it nothing is read.
        pending(
            Draft::new(Virq, "latched/vector-of-8-bits")
                .about(r::virq::TAKEN)
                .program(&[Insn::Nop]),
        )
        .set(Field::INT_VECTOR, 0xabcd_ef50)
        .set(Field::RFLAGS, flag::FIXED | flag::IF)
        .run()
        .takes(0x50, 0, world::L2_CODE),
    ]
}

/// Where VMLOAD looks is settled at VMRUN: the page is there in memory, and absent
/// in the nested tables.
fn virtual_vmload() -> Vec<Draft> {
    let vmload = |id: &str, value: u64| {
        let then = [Insn::Mov(0, PAGE), Insn::Vmload];
        writes(id, VmloadVmsave, Field::VIRT_EXT, value, &then)
            .needs(&[CpuFeature::Npt, CpuFeature::VirtVmload])
            .poke(ENTRY, 0)
    };
    vec![
        vmload("virtual-vmload-turned-on", virt_ext::VMLOAD_VMSAVE).run().ends(),
        vmload("virtual-vmload-turned-off", 0)
            .about(r::vmload_vmsave::VLS_NPF)
            .set(Field::VIRT_EXT, virt_ext::VMLOAD_VMSAVE)
            .run()
            .exits(exit::NPF)
            .field(Field::EXITINFO2, PAGE),
    ]
}
