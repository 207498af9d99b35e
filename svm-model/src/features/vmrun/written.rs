//! State that VMRUN must refuse: VMEXIT_INVALID, one wrong thing a case.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::{EventInjection, Npt, VmrunChecks};
use crate::case::Draft;
use crate::cpu::CpuFeature;
use crate::rules::{event_injection as e, vmrun as v};
use crate::vmcb::{Field, exit};

const CR0: u64 = 0x8001_0033;
const EFER: u64 = 0x1d00;
/// A page that no physical address reaches, with room for neither map below 2^52.
const TOO_HIGH: u64 = 0x000f_ffff_ffff_f000;

pub(crate) fn cases() -> Vec<Draft> {
    let mut cases = refused();
    cases.extend(accepted());
    cases.extend(injection());
    cases.extend(nested_paging());
    cases
}

/// What the list of consistency checks names.
fn refused() -> Vec<Draft> {
    let one_wrong = [
        ("efer-svme-clear", Field::EFER, EFER & !0x1000, v::EFER_SVME),
        ("cr0-cd-clear-nw-set", Field::CR0, CR0 | 1 << 29, v::CR0_CD_NW),
        ("cr0-bit-32", Field::CR0, CR0 | 1 << 32, v::CR0_HIGH),
        ("cr0-bit-63", Field::CR0, CR0 | 1 << 63, v::CR0_HIGH),
        ("cr3-bit-52", Field::CR3, 0x88_0000 | 1 << 52, v::CR3_MBZ),
        ("cr3-bit-63", Field::CR3, 0x88_0000 | 1 << 63, v::CR3_MBZ),
        ("cr4-bit-15", Field::CR4, 0x20 | 1 << 15, v::CR4_MBZ),
        ("cr4-bit-32", Field::CR4, 0x20 | 1 << 32, v::CR4_MBZ),
        ("dr6-bit-32", Field::DR6, 0xffff_0ff0 | 1 << 32, v::DR6_HIGH),
        ("dr7-bit-32", Field::DR7, 0x400 | 1 << 32, v::DR7_HIGH),
        ("efer-bit-9", Field::EFER, EFER | 1 << 9, v::EFER_MBZ),
        ("efer-bit-63", Field::EFER, EFER | 1 << 63, v::EFER_MBZ),
        ("lme-pg-without-pae", Field::CR4, 0, v::LME_PG_PAE),
        ("lme-pg-without-pe", Field::CR0, CR0 & !1, v::LME_PG_PE),
        ("cs-long-and-default-size", Field::CS_ATTRIB, 0xe9b, v::CS_L_D),
        ("asid-0", Field::GUEST_ASID, 0, v::ASID_ZERO),
    ];
    let mut cases: Vec<Draft> = one_wrong
        .map(|(name, field, value, rule)| {
            Draft::new(VmrunChecks, format!("vmrun-checks/{name}"))
                .about(rule)
                .set(field, value)
                .run()
                .exits(exit::INVALID)
        })
        .into();
    cases.push(
        Draft::new(VmrunChecks, "vmrun-checks/vmrun-not-intercepted")
            .about(v::VMRUN_INTERCEPT)
            .clear(Field::INTERCEPT_MISC2, 1)
            .run()
            .exits(exit::INVALID),
    );
    for (name, code, field, rule) in [
        ("iopm-too-high", exit::IOIO, Field::IOPM_BASE_PA, v::IOPM_PHYS),
        ("msrpm-too-high", exit::MSR, Field::MSRPM_BASE_PA, v::MSRPM_PHYS),
    ] {
        cases.push(
            Draft::new(VmrunChecks, format!("vmrun-checks/{name}"))
                .about(rule)
                .intercept(code)
                .set(field, TOO_HIGH)
                .run()
                .exits(exit::INVALID),
        );
    }
    cases
}

/// The other side of the same conditions.
fn accepted() -> Vec<Draft> {
    let legal = [
        ("cr0-cd-set-nw-set", Field::CR0, CR0 | 3 << 29, v::CR0_CD_NW),
        ("cr0-cd-set-nw-clear", Field::CR0, CR0 | 1 << 30, v::CR0_CD_NW),
        ("efer-sce", Field::EFER, EFER | 1, v::EFER_MBZ),
        ("efer-bit-1", Field::EFER, EFER | 1 << 1, v::EFER_MBZ),
        ("efer-bits-7-to-1", Field::EFER, EFER | 0xfe, v::EFER_MBZ),
        ("dr6-zero", Field::DR6, 0, v::DR6_HIGH),
        ("dr7-zero", Field::DR7, 0, v::DR7_HIGH),
        ("asid-15", Field::GUEST_ASID, 15, v::ASID_ZERO),
        ("tlb-control-0", Field::TLB_CONTROL, 0, v::TLB_CONTROL_RESERVED),
    ];
    legal
        .map(|(name, field, value, rule)| {
            Draft::new(VmrunChecks, format!("vmrun-checks/{name}-accepted"))
                .about(rule)
                .set(field, value)
                .run()
                .ends()
        })
        .into()
}

/// EVENTINJ that names no event.
fn injection() -> Vec<Draft> {
    let illegal = [
        ("type-1", 0x8000_0106, e::TYPE_RESERVED),
        ("type-5", 0x8000_0506, e::TYPE_RESERVED),
        ("type-6", 0x8000_0606, e::TYPE_RESERVED),
        ("type-7", 0x8000_0706, e::TYPE_RESERVED),
        ("exception-2", 0x8000_0302, e::VECTOR_NOT_EXCEPTION),
        ("exception-32", 0x8000_0320, e::VECTOR_NOT_EXCEPTION),
        ("exception-255", 0x8000_03ff, e::VECTOR_NOT_EXCEPTION),
        // #BR is impossible in 64-bit mode.
        ("br-in-64-bit-mode", 0x8000_0305, e::IMPOSSIBLE),
    ];
    illegal
        .map(|(name, value, rule)| {
            Draft::new(EventInjection, format!("vmrun-checks/eventinj-{name}"))
                .about(rule)
                .set(Field::EVENTINJ, value)
                .run()
                .exits(exit::INVALID)
        })
        .into()
}

fn nested_paging() -> Vec<Draft> {
    let illegal = [
        ("ncr3-bit-52", Field::N_CR3, 0x84_0000 | 1 << 52, v::NCR3_MBZ),
        ("g-pat-reserved-type", Field::G_PAT, 0x0007_0406_0007_0402, v::GPAT_TYPE),
        ("g-pat-reserved-bit", Field::G_PAT, 0x0007_0406_0007_0486, v::GPAT_TYPE),
    ];
    illegal
        .map(|(name, field, value, rule)| {
            Draft::new(Npt, format!("vmrun-checks/{name}"))
                .about(rule)
                .needs(&[CpuFeature::Npt])
                .set(field, value)
                .run()
                .exits(exit::INVALID)
        })
        .into()
}

/// Of CPUs that TCG is not.
pub(crate) fn elsewhere() -> Vec<Draft> {
    vec![
        Draft::new(VmrunChecks, "elsewhere/cet-without-wp")
            .about(v::CET_WP)
            .needs(&[CpuFeature::ShadowStack])
            .also(Field::CR4, 1 << 23)
            .clear(Field::CR0, 1 << 16)
            .run()
            .exits(exit::INVALID),
    ]
}
