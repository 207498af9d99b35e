//! SVM's own MSRs, as L1 uses them.

use alloc::format;

use crate::Feature;
use crate::arch::msr::{EFER, IGNNE, SMM_CTL, SVM_KEY, TSC_RATIO, VM_CR, VM_HSAVE_PA};
use crate::case::draft::Draft;
use crate::case::{Insn, Step, world};
use crate::cases::Cases;
use crate::cpu::CpuFeature;

pub(crate) fn cases(out: &mut Cases) {
    hsave(out);
    vm_cr(out);
    efer(out);
    others(out);
}

fn draft(id: impl AsRef<str>) -> Draft {
    Draft::new(Feature::Msr, format!("msr/{}", id.as_ref()))
}

fn hsave(out: &mut Cases) {
    for bit in 0..64 {
        let case = draft(format!("hsave,bit={bit}"))
            .step(Step::Wrmsr(VM_HSAVE_PA, world::HSAVE ^ 1 << bit));
        let case = case.step(Step::Rdmsr(VM_HSAVE_PA)).step(Step::Wrmsr(VM_HSAVE_PA, world::HSAVE));
        out.push(case.run().case());
    }
    let moved = draft("hsave,moved").step(Step::Wrmsr(VM_HSAVE_PA, world::DATA + 0x3000));
    out.push(moved.run().step(Step::Rdmsr(VM_HSAVE_PA)).case());
}

fn vm_cr(out: &mut Cases) {
    for bit in 0..64 {
        // LOCK cannot be undone, and SVMDIS is refused with SVME set.
        if bit == 3 {
            continue;
        }
        let case = draft(format!("vm-cr,bit={bit}")).step(Step::Wrmsr(VM_CR, 1 << bit));
        out.push(case.step(Step::Rdmsr(VM_CR)).step(Step::Wrmsr(VM_CR, 0)).run().case());
    }
    let disable =
        draft("vm-cr,svmdis").step(Step::Wrmsr(EFER, 0xd00)).step(Step::Wrmsr(VM_CR, 1 << 4));
    let disable =
        disable.step(Step::Rdmsr(VM_CR)).step(Step::Wrmsr(EFER, 0x1d00)).step(Step::Rdmsr(EFER));
    let disable = disable.step(Step::Vmrun(world::VMCB)).step(Step::Wrmsr(VM_CR, 0));
    out.push(disable.step(Step::Wrmsr(EFER, 0x1d00)).run().case());
}

fn efer(out: &mut Cases) {
    for bit in [9, 16, 19].into_iter().chain(22..64) {
        let case = draft(format!("efer,bit={bit}")).step(Step::Wrmsr(EFER, 0x1d00 | 1 << bit));
        out.push(case.step(Step::Rdmsr(EFER)).run().case());
        let case =
            draft(format!("guest-efer,bit={bit}")).program(&[Insn::Wrmsr(EFER, 0x1d00 | 1 << bit)]);
        out.push(case.done());
    }
    let lme = draft("efer,lme").step(Step::Wrmsr(EFER, 0x1c00)).step(Step::Rdmsr(EFER)).run();
    out.push(lme.case());
    for insn in [Insn::Vmload, Insn::Vmsave, Insn::Stgi, Insn::Clgi, Insn::Invlpga, Insn::Vmmcall] {
        for svme in [0xd00, 0x1d00] {
            for rax in [world::VMCB2, 8] {
                let id = format!("l1-{insn:?},efer={svme:#x},rax={rax:#x}").to_lowercase();
                let case = draft(id).step(Step::Wrmsr(EFER, svme));
                out.push(case.l1(insn.clone(), rax).step(Step::Wrmsr(EFER, 0x1d00)).stgi().case());
            }
        }
    }
}

fn others(out: &mut Cases) {
    for value in [0, 1] {
        let case = draft(format!("ignne={value}")).step(Step::Wrmsr(IGNNE, value));
        out.push(case.step(Step::Rdmsr(IGNNE)).case());
    }
    out.push(draft("smm-ctl,read").step(Step::Rdmsr(SMM_CTL)).case());
    let key = |id| draft(id).step(Step::Rdmsr(SVM_KEY));
    out.push(key("svm-key,on").needs(&[CpuFeature::SvmLock]).case());
    out.push(key("svm-key,off").without(&[CpuFeature::SvmLock]).case());
    let ratio = |id: &str| Draft::new(Feature::TscScale, format!("msr/tsc-ratio,{id}"));
    out.push(ratio("off").without(&[CpuFeature::TscScale]).step(Step::Rdmsr(TSC_RATIO)).case());
    let off = ratio("off,write").without(&[CpuFeature::TscScale]);
    out.push(off.step(Step::Wrmsr(TSC_RATIO, 1 << 32)).case());
    let reset = ratio("reset").needs(&[CpuFeature::TscScale]).step(Step::Rdmsr(TSC_RATIO));
    out.push(reset.case());
    for bit in 32..64 {
        let case = ratio(&format!("bit={bit}")).needs(&[CpuFeature::TscScale]);
        let case = case.step(Step::Wrmsr(TSC_RATIO, 1 << bit)).step(Step::Rdmsr(TSC_RATIO));
        out.push(case.step(Step::Wrmsr(TSC_RATIO, 1 << 32)).run().case());
    }
}
