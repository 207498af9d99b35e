//! VMLOAD and VMSAVE: in L1, and in L2 intercepted, as they are, and virtualised.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::VmloadVmsave;
use crate::arch::{msr, virt_ext};
use crate::case::written::{GP, fault};
use crate::case::{Draft, Insn, Step, world};
use crate::cpu::CpuFeature;
use crate::rules as r;
use crate::rules::RuleId;
use crate::vmcb::{Field, exit};

/// A VMCB for VMSAVE, and where the nested tables of some cases lead it.
const SAVED: u64 = world::DATA + 0x9000;
const MOVED: u64 = world::DATA + 0xa000;
/// Nested entry of [`SAVED`].
const SAVED_ENTRY: u64 = world::npt::PT + 9 * 8;
/// Pages that are no RAM: a device's, and the one with the reset vector.
const IO_APIC: u64 = 0xfec0_0000;
const ROM: u64 = 0xffff_f000;
const FS_BASE: u64 = 0x0000_1234_5678_9000;

/// The registers that are loaded and saved, and values that any CPU takes.
const STATE: [(Field, u64); 18] = [
    (Field::FS_SELECTOR, 0x10),
    (Field::FS_ATTRIB, 0xc93),
    (Field::FS_LIMIT, 0xffff_ffff),
    (Field::FS_BASE, FS_BASE),
    (Field::GS_SELECTOR, 0x10),
    (Field::GS_BASE, 0xffff_8000_0000_1000),
    (Field::LDTR_SELECTOR, 0x28),
    (Field::LDTR_ATTRIB, 0x82),
    (Field::LDTR_LIMIT, 0x7f),
    (Field::LDTR_BASE, world::DATA),
    (Field::STAR, 0x0023_0010_0000_0000),
    (Field::LSTAR, 0xffff_8000_0000_2000),
    (Field::CSTAR, 0xffff_8000_0000_3000),
    (Field::SFMASK, 0x4700),
    (Field::KERNEL_GS_BASE, 0x0000_7000_0000_4000),
    (Field::SYSENTER_CS, 0x10),
    (Field::SYSENTER_ESP, 0x8000_5000),
    (Field::SYSENTER_EIP, 0x8000_6000),
];

/// L1's TR, which its own exceptions need.
const TR: [(Field, u64); 4] = [
    (Field::TR_SELECTOR, world::L2_TR as u64),
    (Field::TR_ATTRIB, 0x8b),
    (Field::TR_LIMIT, 0x67),
    (Field::TR_BASE, world::L2_TSS),
];

fn draft(id: &str) -> Draft {
    Draft::new(VmloadVmsave, format!("vmload/{id}"))
}

/// Writes the state into a VMCB at `pa`.
fn fill(draft: Draft, pa: u64) -> Draft {
    STATE.iter().chain(&TR).fold(draft, |d, &(field, value)| d.poke_field(pa, field, value))
}

pub(crate) fn cases() -> Vec<Draft> {
    [in_l1(), in_l2(), virtualised()].concat()
}

/// A kernel address in a register that does not hold one.
fn wide(name: &str, field: Field) -> Draft {
    fill(
        draft(&format!("l1-sysenter-{name}-width")).about(r::vmload_vmsave::SYSENTER_WIDTH),
        world::VMCB2,
    )
    .poke_field(world::VMCB2, field, 0xffff_8000_0000_7000)
    .l1(Insn::Vmload, world::VMCB2)
    .l1(Insn::Vmsave, SAVED)
    .peek_field(SAVED, field)
    .value(0x7000)
}

fn in_l1() -> Vec<Draft> {
    let msr = |n: u32, name: &str, rule: RuleId, value: u64| {
        fill(draft(&format!("l1-loads-{name}")).about(rule), world::VMCB2)
            .l1(Insn::Vmload, world::VMCB2)
            .step(Step::Rdmsr(n))
            .value(value)
    };
    let round_trip = fill(
        draft("l1-loads-and-saves").about([
            r::vmload_vmsave::LOADS_FS_GS,
            r::vmload_vmsave::LOADS_TR,
            r::vmload_vmsave::LOADS_LDTR,
            r::vmload_vmsave::LOADS_KERNEL_GS,
            r::vmload_vmsave::LOADS_STAR,
            r::vmload_vmsave::LOADS_SYSENTER,
            r::vmload_vmsave::SAVES_FS_GS,
            r::vmload_vmsave::SAVES_TR,
            r::vmload_vmsave::SAVES_LDTR,
            r::vmload_vmsave::SAVES_KERNEL_GS,
            r::vmload_vmsave::SAVES_STAR,
            r::vmload_vmsave::SAVES_SYSENTER,
        ]),
        world::VMCB2,
    )
    .l1(Insn::Vmload, world::VMCB2)
    .l1(Insn::Vmsave, SAVED);
    // Nothing of use comes from there, but L1 goes on.
    let device = draft("l1-loads-from-device")
        .about(r::vmload_vmsave::RAX_PHYS)
        .l1(Insn::Vmload, IO_APIC)
        .run()
        .ends();
    let rom = draft("l1-saves-to-rom")
        .about(r::vmload_vmsave::RAX_PHYS)
        .l1(Insn::Vmsave, ROM)
        .run()
        .ends();
    let no_svme = Step::Wrmsr(msr::EFER, world::L1_EFER & !0x1000);
    vec![
        STATE
            .iter()
            .chain(&TR)
            .fold(round_trip, |d, &(f, value)| d.peek_field(SAVED, f).value(value)),
        device,
        rom,
        msr(msr::FS_BASE, "fs-base", r::vmload_vmsave::LOADS_FS_GS, FS_BASE),
        msr(msr::GS_BASE, "gs-base", r::vmload_vmsave::LOADS_FS_GS, 0xffff_8000_0000_1000),
        msr(
            msr::KERNEL_GS_BASE,
            "kernel-gs-base",
            r::vmload_vmsave::LOADS_KERNEL_GS,
            0x0000_7000_0000_4000,
        ),
        msr(msr::STAR, "star", r::vmload_vmsave::LOADS_STAR, 0x0023_0010_0000_0000),
        msr(msr::SYSENTER_EIP, "sysenter-eip", r::vmload_vmsave::LOADS_SYSENTER, 0x8000_6000),
        wide("esp", Field::SYSENTER_ESP),
        wide("eip", Field::SYSENTER_EIP),
        draft("l1-saves-fs-base")
            .about([r::vmload_vmsave::SAVES_FS_GS, r::vmload_vmsave::SAVES_NOTHING_ELSE])
            .step(Step::Wrmsr(msr::FS_BASE, FS_BASE))
            .l1(Insn::Vmsave, SAVED)
            .peek_field(SAVED, Field::FS_BASE)
            .value(FS_BASE)
            // What VMRUN and #VMEXIT deal with is left alone.
            .peek_field(SAVED, Field::RIP)
            .value(0),
        draft("vmload-misaligned")
            .about(r::vmload_vmsave::RAX_ALIGNED)
            .l1(Insn::Vmload, world::VMCB2 + 8)
            .shows(GP),
        draft("vmsave-misaligned")
            .about(r::vmload_vmsave::RAX_ALIGNED)
            .l1(Insn::Vmsave, world::VMCB2 + 8)
            .shows(GP),
        draft("vmload-beyond-physical-memory")
            .about(r::vmload_vmsave::RAX_PHYS)
            .l1(Insn::Vmload, 1 << 52)
            .shows(GP),
        draft("vmsave-beyond-physical-memory")
            .about(r::vmload_vmsave::RAX_PHYS)
            .l1(Insn::Vmsave, 1 << 52)
            .shows(GP),
        draft("vmload-svme-clear")
            .about(r::vmload_vmsave::SVME_UD)
            .step(no_svme.clone())
            .l1(Insn::Vmload, world::VMCB2)
            .shows(fault(6)),
        draft("vmsave-svme-clear")
            .about(r::vmload_vmsave::SVME_UD)
            .step(no_svme)
            .l1(Insn::Vmsave, world::VMCB2)
            .shows(fault(6)),
    ]
}

fn in_l2() -> Vec<Draft> {
    let loads = |id: &str| {
        fill(draft(id), world::VMCB2).program(&[Insn::Mov(0, world::VMCB2), Insn::Vmload])
    };
    let saves = |id: &str| {
        draft(id)
            .step(Step::Wrmsr(msr::FS_BASE, FS_BASE))
            .program(&[Insn::Mov(0, world::VMCB2), Insn::Vmsave])
    };
    let loaded = |d: Draft| d.run().ends().step(Step::Rdmsr(msr::FS_BASE)).value(FS_BASE);
    let saved = |d: Draft| d.run().ends().peek_field(world::VMCB2, Field::FS_BASE).value(FS_BASE);
    vec![
        loads("l2-vmload-intercepted")
            .about(r::intercepts::VMLOAD)
            .intercept(exit::VMLOAD)
            .run()
            .exits(exit::VMLOAD)
            .at(1),
        saves("l2-vmsave-intercepted")
            .about(r::intercepts::VMSAVE)
            .intercept(exit::VMSAVE)
            .run()
            .exits(exit::VMSAVE)
            .at(1),
        loaded(loads("l2-vmload").about(r::vmload_vmsave::GUEST_REAL)),
        saved(saves("l2-vmsave").about(r::vmload_vmsave::GUEST_REAL)),
        loaded(
            loads("l2-vmload-without-npt")
                .about(r::vmload_vmsave::GUEST_REAL)
                .without(&[CpuFeature::Npt]),
        ),
        saved(
            saves("l2-vmsave-without-npt")
                .about(r::vmload_vmsave::GUEST_REAL)
                .without(&[CpuFeature::Npt]),
        ),
        draft("l2-vmload-at-cpl3")
            .about(r::intercepts::CPL_FIRST)
            .program(&[Insn::Vmload])
            .user()
            .run()
            .takes(13, 0, world::L2_CODE),
        draft("l2-vmload-misaligned")
            .about(r::vmload_vmsave::RAX_ALIGNED)
            .program(&[Insn::Mov(0, world::VMCB2 + 8), Insn::Vmload])
            .run()
            .takes(13, 0, world::L2_CODE + 10),
    ]
}

/// RAX is then an address of L2's, which the nested tables translate.
fn virtualised() -> Vec<Draft> {
    let moved = |id: &str, insn: Insn| {
        draft(id)
            .needs(&[CpuFeature::Npt])
            .program(&[Insn::Mov(0, SAVED), insn])
            .poke(SAVED_ENTRY, MOVED | 0x67)
            .set(Field::VIRT_EXT, virt_ext::VMLOAD_VMSAVE)
    };
    let loads = |id: &str| fill(moved(id, Insn::Vmload).needs(&[CpuFeature::VirtVmload]), MOVED);
    let saves = |id: &str| {
        moved(id, Insn::Vmsave)
            .needs(&[CpuFeature::VirtVmload])
            .step(Step::Wrmsr(msr::FS_BASE, FS_BASE))
    };
    vec![
        loads("virtual-vmload")
            .about(r::vmload_vmsave::VLS_TRANSLATES)
            .run()
            .ends()
            .step(Step::Rdmsr(msr::FS_BASE))
            .value(FS_BASE),
        saves("virtual-vmsave")
            .about(r::vmload_vmsave::VLS_TRANSLATES)
            .run()
            .ends()
            .peek_field(MOVED, Field::FS_BASE)
            .value(FS_BASE)
            .peek_field(SAVED, Field::FS_BASE)
            .value(0),
        loads("virtual-vmload-intercept-first")
            .about(r::vmload_vmsave::VLS_INTERCEPT_WINS)
            .intercept(exit::VMLOAD)
            .run()
            .exits(exit::VMLOAD)
            .at(1),
        saves("virtual-vmsave-intercept-first")
            .about(r::vmload_vmsave::VLS_INTERCEPT_WINS)
            .intercept(exit::VMSAVE)
            .run()
            .exits(exit::VMSAVE)
            .at(1),
        // The page is not there: a nested fault, on a final address, as a read.
        loads("virtual-vmload-nested-fault")
            .about(r::vmload_vmsave::VLS_NPF)
            .poke(SAVED_ENTRY, 0)
            .run()
            .exits(exit::NPF)
            .at(1)
            .field(Field::EXITINFO1, 0x1_0000_0004),
        // The bit is recognised only with nested paging; else there is an exit.
        fill(
            draft("virtual-vmload-without-nested-paging").about(r::vmload_vmsave::VLS_NEEDS_NPT),
            world::VMCB2,
        )
        .needs(&[CpuFeature::VirtVmload])
        .program(&[Insn::Mov(0, world::VMCB2), Insn::Vmload])
        .set(Field::NESTED_CTL, 0)
        .set(Field::N_CR3, 0)
        .set(Field::VIRT_EXT, virt_ext::VMLOAD_VMSAVE)
        .run()
        .exits(exit::VMLOAD)
        .at(1),
        // Without the feature, the bit means nothing and RAX is a system address.
        fill(moved("virtual-vmload-feature-off", Insn::Vmload), SAVED)
            .about(r::vmload_vmsave::VLS_SUPPORTED)
            .without(&[CpuFeature::VirtVmload])
            .run()
            .ends()
            .step(Step::Rdmsr(msr::FS_BASE))
            .value(FS_BASE),
    ]
}

pub(crate) fn off() -> Vec<Draft> {
    let off = |id: &str, rule: RuleId| {
        Draft::new(VmloadVmsave, format!("feature-off/{id}"))
            .about(rule)
            .without(&[CpuFeature::AddrChk])
    };
    // An address has as many bits of RAX as the code's other addresses have, so that this one is
    // good and the intercept comes.
    let narrow = |bits: u64, attrib: u64, insn: Insn, rule: RuleId, code: u64| {
        off(&format!("svme-addr-chk,{code:#x}-{bits}-bit"), rule)
            .program(&[insn])
            .set(Field::CS_ATTRIB, attrib)
            .set(Field::RAX, 1 << bits | 1 << 40)
            .intercept(code)
            .run()
            .exits(code)
            .at(0)
    };
    let both = |insn: Insn, rule: RuleId, code: u64| {
        [narrow(16, 0x89b, insn.clone(), rule, code), narrow(32, 0xc9b, insn, rule, code)]
    };
    vec![
        // With it, the intercept would come before the #GP for the address.
        off("svme-addr-chk", r::vmload_vmsave::ADDR_BEFORE_INTERCEPT)
            .program(&[Insn::Mov(0, 8), Insn::Vmload])
            .intercept(exit::VMLOAD)
            .run()
            .takes(13, 0, world::L2_CODE + 10),
    ]
    .into_iter()
    .chain(both(Insn::Vmrun, r::intercepts::VMRUN, exit::VMRUN))
    .chain(both(Insn::Vmload, r::intercepts::VMLOAD, exit::VMLOAD))
    .chain(both(Insn::Vmsave, r::intercepts::VMSAVE, exit::VMSAVE))
    .collect()
}
