//! SPEC_CTRL: what VMRUN loads, what the guest writes, what the host finds.

use alloc::format;

use crate::Feature::SpecCtrl;
use crate::arch::msr::SPEC_CTRL;
use crate::case::draft::{Draft, on};
use crate::case::{Insn, Step};
use crate::cases::Cases;
use crate::cpu::CpuFeature::{Ibrs, Ssbd, Stibp, VirtSpecCtrl};
use crate::vmcb::Field;

fn draft(id: &str, offered: bool) -> Draft {
    let id = format!("spec-ctrl/{id},v-spec-ctrl={}", on(offered));
    let draft = Draft::new(SpecCtrl, id).needs(&[Ibrs, Stibp, Ssbd]);
    if offered { draft.needs(&[VirtSpecCtrl]) } else { draft.without(&[VirtSpecCtrl]) }
}

pub(crate) fn cases(out: &mut Cases) {
    for offered in [false, true] {
        for host in 0..4u64 {
            for guest in [0, 1, 2, 5, 7] {
                let ends = |id: &str, program: &[Insn]| {
                    let case = draft(&format!("{id},host={host},guest={guest}"), offered);
                    let case = case.step(Step::Wrmsr(SPEC_CTRL, host));
                    let case = case.set(Field::SPEC_CTRL, guest).program(program);
                    case.run().step(Step::Rdmsr(SPEC_CTRL)).case()
                };
                out.push(ends("kept", &[Insn::Nop]));
                out.push(ends("read", &[Insn::Rdmsr(SPEC_CTRL)]));
                out.push(ends("written", &[Insn::Wrmsr(SPEC_CTRL, 4)]));
            }
        }
        reserved(out, offered);
        others(out, offered);
    }
}

fn reserved(out: &mut Cases, offered: bool) {
    for bit in (0..7).chain(8..64) {
        let value = 1u64 << bit;
        let host = draft(&format!("l1,bit={bit}"), offered);
        let host = host.step(Step::Wrmsr(SPEC_CTRL, value)).step(Step::Rdmsr(SPEC_CTRL));
        out.push(host.step(Step::Wrmsr(SPEC_CTRL, 0)).case());
        let guest = draft(&format!("l2,bit={bit}"), offered);
        let guest = guest.program(&[Insn::Wrmsr(SPEC_CTRL, value)]);
        out.push(guest.run().step(Step::Rdmsr(SPEC_CTRL)).case());
    }
}

fn others(out: &mut Cases, offered: bool) {
    // The guest's value goes on from VMRUN to VMRUN.
    let again = draft("again", offered).step(Step::Wrmsr(SPEC_CTRL, 1));
    let again = again.program(&[Insn::Wrmsr(SPEC_CTRL, 2), Insn::Vmmcall, Insn::Rdmsr(SPEC_CTRL)]);
    let again = again.run().set(
        Field::RIP,
        crate::case::draft::rip(&[Insn::Wrmsr(SPEC_CTRL, 2), Insn::Vmmcall, Insn::Nop], 2),
    );
    out.push(again.run().step(Step::Rdmsr(SPEC_CTRL)).case());
    // A VMRUN that is refused loads nothing.
    let refused = draft("refused", offered).step(Step::Wrmsr(SPEC_CTRL, 1));
    let refused = refused.set(Field::SPEC_CTRL, 6).set(Field::GUEST_ASID, 0);
    out.push(refused.run().step(Step::Rdmsr(SPEC_CTRL)).case());
}
