//! State that VMRUN must refuse: VMEXIT_INVALID, one wrong thing a case.

use svm_model::Feature::{EventInjection, Npt, VmrunChecks};
use svm_model::cpu::CpuFeature;
use svm_model::vmcb::{Field, exit};

use super::Draft;

const CR0: u64 = 0x8001_0033;
const EFER: u64 = 0x1d00;
/// A page that no physical address reaches, with room for neither map below 2^52.
const TOO_HIGH: u64 = 0x000f_ffff_ffff_f000;

pub(super) fn cases() -> Vec<Draft> {
    let mut cases = refused();
    cases.extend(accepted());
    cases.extend(injection());
    cases.extend(nested_paging());
    cases
}

/// What the list of consistency checks names.
fn refused() -> Vec<Draft> {
    let one_wrong = [
        ("efer-svme-clear", Field::EFER, EFER & !0x1000),
        ("cr0-cd-clear-nw-set", Field::CR0, CR0 | 1 << 29),
        ("cr0-bit-32", Field::CR0, CR0 | 1 << 32),
        ("cr0-bit-63", Field::CR0, CR0 | 1 << 63),
        ("cr3-bit-52", Field::CR3, 0x88_0000 | 1 << 52),
        ("cr3-bit-63", Field::CR3, 0x88_0000 | 1 << 63),
        ("cr4-bit-15", Field::CR4, 0x20 | 1 << 15),
        ("cr4-bit-32", Field::CR4, 0x20 | 1 << 32),
        ("dr6-bit-32", Field::DR6, 0xffff_0ff0 | 1 << 32),
        ("dr7-bit-32", Field::DR7, 0x400 | 1 << 32),
        ("efer-bit-9", Field::EFER, EFER | 1 << 9),
        ("efer-bit-63", Field::EFER, EFER | 1 << 63),
        ("lme-pg-without-pae", Field::CR4, 0),
        ("lme-pg-without-pe", Field::CR0, CR0 & !1),
        ("cs-long-and-default-size", Field::CS_ATTRIB, 0xe9b),
        ("asid-0", Field::GUEST_ASID, 0),
    ];
    let mut cases: Vec<Draft> = one_wrong
        .map(|(name, field, value)| {
            Draft::new(format!("vmrun-checks/{name}"), VmrunChecks, "15.5.1")
                .set(field, value)
                .run()
                .exits(exit::INVALID)
        })
        .into();
    cases.push(
        Draft::new("vmrun-checks/vmrun-not-intercepted", VmrunChecks, "15.5.1")
            .clear(Field::INTERCEPT_MISC2, 1)
            .run()
            .exits(exit::INVALID),
    );
    for (name, code, field) in [
        ("iopm-too-high", exit::IOIO, Field::IOPM_BASE_PA),
        ("msrpm-too-high", exit::MSR, Field::MSRPM_BASE_PA),
    ] {
        cases.push(
            Draft::new(format!("vmrun-checks/{name}"), VmrunChecks, "15.5.1")
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
        ("cr0-cd-set-nw-set", Field::CR0, CR0 | 3 << 29),
        ("cr0-cd-set-nw-clear", Field::CR0, CR0 | 1 << 30),
        ("efer-sce", Field::EFER, EFER | 1),
        ("dr6-zero", Field::DR6, 0),
        ("dr7-zero", Field::DR7, 0),
        ("asid-15", Field::GUEST_ASID, 15),
        ("tlb-control-0", Field::TLB_CONTROL, 0),
    ];
    legal
        .map(|(name, field, value)| {
            Draft::new(format!("vmrun-checks/{name}-accepted"), VmrunChecks, "15.5.1")
                .set(field, value)
                .run()
                .ends()
        })
        .into()
}

/// EVENTINJ that names no event.
fn injection() -> Vec<Draft> {
    let illegal = [
        ("type-1", 0x8000_0106),
        ("type-5", 0x8000_0506),
        ("type-6", 0x8000_0606),
        ("type-7", 0x8000_0706),
        ("exception-2", 0x8000_0302),
        ("exception-32", 0x8000_0320),
        ("exception-255", 0x8000_03ff),
        // #BR is impossible in 64-bit mode.
        ("br-in-64-bit-mode", 0x8000_0305),
    ];
    illegal
        .map(|(name, value)| {
            Draft::new(format!("vmrun-checks/eventinj-{name}"), EventInjection, "15.20")
                .set(Field::EVENTINJ, value)
                .run()
                .exits(exit::INVALID)
        })
        .into()
}

fn nested_paging() -> Vec<Draft> {
    let illegal = [
        ("ncr3-bit-52", Field::N_CR3, 0x84_0000 | 1 << 52),
        ("g-pat-reserved-type", Field::G_PAT, 0x0007_0406_0007_0402),
        ("g-pat-reserved-bit", Field::G_PAT, 0x0007_0406_0007_0486),
    ];
    illegal
        .map(|(name, field, value)| {
            Draft::new(format!("vmrun-checks/{name}"), Npt, "15.25.4")
                .needs(CpuFeature::Npt)
                .set(field, value)
                .run()
                .exits(exit::INVALID)
        })
        .into()
}
