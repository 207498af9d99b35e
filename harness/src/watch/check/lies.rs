//! One thing that is wrong in a scene, and the rule that it breaks.

use svm_model::arch::control::MOV_CR;
use svm_model::arch::{cr0, cr4, efer, event, fault, int_ctl, intercept};
use svm_model::case::world;
use svm_model::cpu::CpuFeature;
use svm_model::vmcb::{Field, exit};

use super::scene::Scene;

/// Enters a guest, injecting that.
fn injecting(code: u64, asked: u64) -> Scene {
    let mut scene = Scene::of(code);
    scene.before.set(Field::EVENTINJ, asked);
    scene.injects = Some((asked & 0xffff_ffff, asked >> 32));
    scene
}

const GP: u64 = event::V | event::EV | event::EXCEPTION | 13;

/// The rule, the exit, and what is wrong with it.
pub(super) type Lie = (&'static str, u64, fn(&mut Scene));

const ENTERING: &[Lie] = &[
    ("vmrun.cr0-cd-nw", exit::CPUID, |s| s.was(Field::CR0, 0x8001_0033 | cr0::NW)),
    ("vmrun.asid-zero", exit::CPUID, |s| s.refused("ASID is zero")),
    ("vmrun.cr4-mbz", exit::CPUID, |s| s.refused("reserved bit of CR4")),
    ("vmrun.invalid-exit", exit::CPUID, |s| s.refused("something new")),
    ("vmrun.invalid-exit", exit::CPUID, |s| {
        s.refused("x");
        s.reasons.clear();
    }),
    ("vmrun.invalid-exit", exit::CPUID, |s| {
        s.was(Field::GUEST_ASID, 0);
        s.refused("ASID is zero");
        s.exit.code = exit::CPUID;
        s.is(Field::EXITCODE, exit::CPUID);
    }),
    ("vmrun.invalid-exit", exit::CPUID, |s| {
        s.refused("x");
        s.entered = true;
    }),
    ("vmrun.invalid-save-area", exit::CPUID, |s| {
        s.was(Field::GUEST_ASID, 0);
        s.refused("ASID is zero");
        s.is(Field::RIP, 7);
    }),
    ("vmrun.invalid-eventinj", exit::CPUID, |s| {
        s.was(Field::GUEST_ASID, 0);
        s.was(Field::EVENTINJ, event::V | 0x31);
        s.refused("ASID is zero");
    }),
    ("vmrun.sets-gif", exit::CPUID, |s| s.sets_gif = false),
    ("eventinj.valid", exit::CPUID, |s| s.injects = Some((event::V | 0x31, 0))),
    ("eventinj.delivered", exit::CPUID, |s| {
        *s = injecting(exit::CPUID, GP | 5 << 32);
        s.injects = None;
    }),
    ("eventinj.delivered", exit::CPUID, |s| {
        *s = injecting(exit::CPUID, GP | 5 << 32);
        s.injects = Some((GP, 4));
    }),
    ("eventinj.delivered", exit::CPUID, |s| {
        *s = injecting(exit::CPUID, event::V | 0x31);
        s.injects = Some((event::V | 0x32, 0));
    }),
];

const INTERCEPTS: &[Lie] = &[
    ("intercept.exception-2", 0x42, |_| {}),
    ("intercept.efer-write-trap-inert", 0x8f, |_| {}),
    ("intercept.cr-write-trap-inert", 0x94, |_| {}),
    ("vmexit.exitcode", 0x1234, |_| {}),
    ("intercept.cr0-sel-priority", exit::CR0_SEL_WRITE, |s| s.was(Field::INTERCEPT_CR_WRITE, 1)),
    ("intercept.cpl-first", exit::HLT, |s| s.is(Field::CPL, 3)),
    ("intercept.protected-mode-first", exit::IDTR_READ + 6, |s| {
        s.is(Field::CR0, 0x30);
        s.is(Field::EFER, 0x1900);
    }),
    ("intercept.umip-first", exit::IDTR_READ, |s| {
        s.is(Field::CPL, 3);
        s.was(Field::CR4, 0x20 | cr4::UMIP);
    }),
    ("intercept.tsd-first", exit::RDTSC, |s| {
        s.is(Field::CPL, 3);
        s.was(Field::CR4, 0x20 | cr4::TSD);
    }),
    ("intercept.pce-first", exit::RDPMC, |s| s.is(Field::CPL, 3)),
    ("intercept.ud-first", exit::RDTSCP, |s| s.without(CpuFeature::Rdtscp)),
    ("intercept.intr-if", exit::INTR, |s| s.was(Field::INT_CTL, 0)),
];

const MISSED: &[Lie] = &[
    ("intercept.cr0-write", exit::CPUID, |s| {
        s.also(intercept::TASK_SWITCH);
        s.was(Field::INTERCEPT_CR_WRITE, 1);
        s.is(Field::CR0, 0x8001_0033 ^ cr0::TS);
    }),
    ("intercept.cr0-sel", exit::CPUID, |s| {
        s.also(intercept::CR0_SEL_WRITE);
        s.is(Field::CR0, 0x8001_0033 ^ cr0::AM);
    }),
    ("intercept.cr3-write", exit::CPUID, |s| {
        s.also(intercept::TASK_SWITCH);
        s.was(Field::INTERCEPT_CR_WRITE, 1 << 3);
        s.is(Field::CR3, 0x7000);
    }),
    ("intercept.cr4-write", exit::CPUID, |s| {
        s.was(Field::INTERCEPT_CR_WRITE, 1 << 4);
        s.is(Field::CR4, 0xa0);
    }),
    ("intercept.cr8-write", exit::CPUID, |s| {
        s.was(Field::INTERCEPT_CR_WRITE, 1 << 8);
        s.is(Field::INT_CTL, int_ctl::V_INTR_MASKING | 3);
    }),
    ("intercept.dr7-write", exit::CPUID, |s| {
        s.was(Field::INTERCEPT_DR_WRITE, 1 << 7);
        s.is(Field::DR7, 0x402);
    }),
    ("intercept.pf-cr2", exit::CPUID, |s| {
        s.was(Field::INTERCEPT_EXCEPTIONS, 1 << 14);
        s.was(Field::INTERCEPT_CR_WRITE, 1 << 2);
        s.is(Field::CR2, 0x1234);
    }),
    ("intercept.gdtr-write", exit::CPUID, |s| {
        s.also(intercept::LGDT);
        s.is(Field::GDTR_LIMIT, 0x7f);
    }),
    ("intercept.idtr-write", exit::CPUID, |s| {
        s.also(intercept::LIDT);
        s.is(Field::IDTR_BASE, 0x1234);
    }),
    ("intercept.exception-gp", exit::NPF, |s| {
        s.was(Field::INTERCEPT_EXCEPTIONS, 1 << 13);
        s.is(Field::EXITINTINFO, GP);
    }),
    ("intercept.swint", exit::NPF, |s| {
        s.also(intercept::SWINT);
        s.is(Field::EXITINTINFO, event::V | event::SOFTWARE | 0x80);
    }),
    ("intercept.intr", exit::NPF, |s| {
        s.also(intercept::INTR);
        s.is(Field::EXITINTINFO, event::V | 0x31);
    }),
    ("intercept.nmi", exit::NPF, |s| {
        s.also(intercept::NMI);
        s.is(Field::EXITINTINFO, event::V | event::NMI | 2);
    }),
    ("virq.vintr-intercept", exit::NPF, |s| {
        s.also(intercept::INTR);
        s.also(intercept::VINTR);
        s.was(Field::INT_CTL, int_ctl::V_INTR_MASKING | int_ctl::V_IRQ);
        s.is(Field::EXITINTINFO, event::V | 0x31);
    }),
    ("virq.vintr-intercept", exit::CPUID, |s| {
        s.also(intercept::VINTR);
        s.was(Field::INT_CTL, int_ctl::V_INTR_MASKING | int_ctl::V_IRQ);
        s.is(Field::INT_CTL, int_ctl::V_INTR_MASKING);
    }),
];

const REPORTED: &[Lie] = &[
    ("vmexit.exitcode", exit::CPUID, |s| s.is(Field::EXITINFO1, 1)),
    ("decode.cr-gpr", exit::CR_READ, |s| s.reports(MOV_CR | 0x10, 0)),
    ("decode.cr-other", exit::CR_WRITE + 3, |s| s.reports(0, 0)),
    ("decode.dr-gpr", exit::DR_READ, |s| s.reports(0x10, 0)),
    ("intercept.exception-error-code", exit::EXCP + 13, |s| s.reports(1 << 32, 0)),
    ("intercept.smi-external", exit::SMI, |s| s.reports(0, 0)),
    ("decode.swint", exit::SWINT, |s| s.reports(0x100, 0)),
    ("intercept.ioio-exitinfo1", exit::IOIO, |s| s.reports(0x80_0211 | 2, s.exit.info2)),
    ("intercept.ioio-exitinfo1", exit::IOIO, |s| s.reports(0x80_0200, s.exit.info2)),
    ("intercept.ioio-exitinfo1", exit::IOIO, |s| s.reports(1 << 32 | 0x210, s.exit.info2)),
    ("intercept.ioio-exitinfo2", exit::IOIO, |s| s.reports(s.exit.info1, 0)),
    ("msr.exitinfo1", exit::MSR, |s| s.reports(2, 0)),
    ("intercept.task-switch-info", exit::TASK_SWITCH, |s| s.reports(0x1_0000, 0)),
    ("bus-lock.exitinfo", exit::BUSLOCK, |s| s.reports(0, 1)),
    ("npt.user", exit::NPF, |s| s.reports(fault::FINAL | fault::W, 0)),
    ("npt.final-walk", exit::NPF, |s| s.reports(fault::U, 0)),
    ("npt.table-write", exit::NPF, |s| s.reports(fault::TABLE | fault::U, 0)),
    ("npt.reserved", exit::NPF, |s| s.reports(fault::FINAL | fault::U | fault::RSV, 0)),
    ("npt.fetch", exit::NPF, |s| s.reports(fault::FINAL | fault::U | fault::I | fault::W, 0)),
    ("npt.exitcode", exit::NPF, |s| s.reports(fault::FINAL | fault::U | 1 << 20, 0)),
    ("nrip.supported", exit::CPUID, |s| s.without(CpuFeature::NripSave)),
    ("nrip.others-zero", exit::INTR, |s| s.is(Field::NRIP, 5)),
    ("nrip.cr-dr", exit::CR_WRITE, |s| s.is(Field::NRIP, 0)),
    ("nrip.msr-io", exit::MSR, |s| s.is(Field::NRIP, world::L2_CODE)),
    ("nrip.soft-exception", exit::EXCP + 3, |s| s.is(Field::NRIP, 0)),
    ("nrip.instruction", exit::CPUID, |s| s.is(Field::NRIP, world::L2_CODE + 16)),
    ("vmexit.exitintinfo-idle", exit::CPUID, |s| s.is(Field::EXITINTINFO, GP)),
    ("exitintinfo.delivery-fault", exit::NPF, |s| s.is(Field::EXITINTINFO, event::V | 5 << 8)),
    ("exitintinfo.type-nmi", exit::NPF, |s| s.is(Field::EXITINTINFO, event::V | event::NMI | 3)),
    ("exitintinfo.type-exception", exit::NPF, |s| {
        s.is(Field::EXITINTINFO, event::V | event::EXCEPTION | 40);
    }),
    ("exitintinfo.error-code", exit::NPF, |s| s.is(Field::EXITINTINFO, GP & !event::EV)),
    ("exitintinfo.error-code", exit::NPF, |s| {
        *s = injecting(exit::NPF, GP & !event::EV);
        s.is(Field::EXITINTINFO, GP);
    }),
    ("decode.bytes-others", exit::CPUID, |s| s.is(Field::INSN_LEN, 3)),
    ("decode.bytes-fetch", exit::NPF, |s| {
        s.reports(fault::FINAL | fault::U | fault::I, 0);
        s.is(Field::INSN_LEN, 3);
    }),
    ("decode.bytes", exit::NPF, |s| s.is(Field::INSN_LEN, 16)),
];

const SAVED: &[Lie] = &[
    ("vmexit.exitcode", exit::CPUID, |s| s.is(Field::EXITCODE, exit::HLT)),
    ("vmexit.clears-eventinj", exit::CPUID, |s| {
        *s = injecting(exit::CPUID, event::V | 0x31);
        s.is(Field::EVENTINJ, event::V | 0x31);
    }),
    ("tlb.field-kept", exit::CPUID, |s| s.is(Field::TLB_CONTROL, 0)),
    ("tlb.asid-kept", exit::CPUID, |s| s.is(Field::GUEST_ASID, 2)),
    ("pause.loaded", exit::CPUID, |s| s.is(Field::PAUSE_FILTER_COUNT, 2)),
    ("vmexit.leaves-controls", exit::CPUID, |s| s.is(Field::TSC_OFFSET, 2)),
    ("vmexit.leaves-fs-gs-tr-ldtr", exit::CPUID, |s| s.is(Field::GS_BASE, 2)),
    ("npt.gpat-load", exit::CPUID, |s| {
        s.was(Field::NESTED_CTL, 0);
        s.is(Field::G_PAT, 6);
    }),
    ("lbrv.shared", exit::CPUID, |s| s.is(Field::BR_TO, 2)),
    ("virq.int-ctl-kept", exit::CPUID, |s| s.is(Field::INT_CTL, 0)),
    ("virq.pending-saved", exit::CPUID, |s| {
        s.is(Field::INT_CTL, int_ctl::V_INTR_MASKING | int_ctl::V_IRQ);
    }),
    ("vmexit.save-shadow", exit::CPUID, |s| s.is(Field::INT_STATE, 4)),
    ("vmexit.save-rflags", exit::CPUID, |s| s.is(Field::RFLAGS, 0)),
    ("vmexit.save-rflags", exit::CPUID, |s| s.is(Field::RFLAGS, 0xa)),
    ("vmexit.save-efer", exit::CPUID, |s| s.is(Field::EFER, 0x1d00 & !efer::LMA)),
    ("vmexit.save-cpl", exit::CPUID, |s| s.is(Field::CPL, 4)),
    ("virq.v-irq", exit::VINTR, |s| s.was(Field::INT_CTL, 5 << 16)),
    ("virq.vintr-keeps-v-irq", exit::VINTR, |s| {
        s.is(Field::INT_CTL, s.before.get(Field::INT_CTL) & !int_ctl::V_IRQ);
    }),
    ("virq.guest-if", exit::VINTR, |s| s.is(Field::RFLAGS, 2)),
    ("virq.shadow", exit::VINTR, |s| s.is(Field::INT_STATE, 1)),
    ("virq.priority", exit::VINTR, |s| {
        s.was(Field::INT_CTL, s.before.get(Field::INT_CTL) | 5);
    }),
    ("vgif.blocks-virq", exit::VINTR, |s| {
        s.was(Field::INT_CTL, s.before.get(Field::INT_CTL) | int_ctl::V_GIF_ENABLE);
    }),
];

/// All of them.
pub(super) fn lies() -> impl Iterator<Item = &'static Lie> {
    [ENTERING, INTERCEPTS, MISSED, REPORTED, SAVED].into_iter().flatten()
}
