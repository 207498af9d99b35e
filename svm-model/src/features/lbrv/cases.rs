//! LBR virtualisation: DEBUGCTL and the records across the world switch.

use alloc::format;

use crate::Feature::Lbrv;
use crate::arch::msr::{BR_FROM, BR_TO, DEBUGCTL};
use crate::case::draft::{Draft, on};
use crate::case::{Insn, Step, world};
use crate::cases::Cases;
use crate::cpu::CpuFeature;
use crate::vmcb::Field;

pub(crate) fn cases(out: &mut Cases) {
    switches(out);
    records(out);
    reserved(out);
    shared(out);
}

fn draft(id: impl AsRef<str>, offered: bool) -> Draft {
    let draft = Draft::new(Lbrv, format!("lbr/{}", id.as_ref()));
    if offered { draft.needs(&[CpuFeature::Lbrv]) } else { draft.without(&[CpuFeature::Lbrv]) }
}

/// The VMCB's fields, where the bit is set, clear, or not offered.
fn switches(out: &mut Cases) {
    for offered in [false, true] {
        for enable in [0u64, 1] {
            for guest in [0u64, 2] {
                for host in [0u64, 2] {
                    if !offered && host != 0 {
                        continue;
                    }
                    let id = format!(
                        "switch,offered={},enable={enable},guest={guest},host={host}",
                        on(offered)
                    );
                    let case = draft(id, offered).set(Field::VIRT_EXT, enable);
                    let case = case.set_all(&[
                        (Field::DBGCTL, guest),
                        (Field::BR_FROM, 0x1111),
                        (Field::BR_TO, 0x2222),
                        (Field::LASTEXCPFROM, 0x3333),
                        (Field::LASTEXCPTO, 0x4444),
                    ]);
                    let case = if offered { case.step(Step::Wrmsr(DEBUGCTL, host)) } else { case };
                    let case = if offered { case.program(&[Insn::Rdmsr(DEBUGCTL)]) } else { case };
                    let case = case.run();
                    out.push(if offered { case.step(Step::Rdmsr(DEBUGCTL)) } else { case }.case());
                }
            }
        }
    }
    for (name, msr) in [("from", BR_FROM), ("to", BR_TO), ("excp-from", 0x1dd), ("excp-to", 0x1de)]
    {
        let case = draft(format!("read-{name}"), true).set(Field::VIRT_EXT, 1);
        let case = case.set_all(&[
            (Field::BR_FROM, 0x1111),
            (Field::BR_TO, 0x2222),
            (Field::LASTEXCPFROM, 0x3333),
            (Field::LASTEXCPTO, 0x4444),
        ]);
        out.push(case.program(&[Insn::Rdmsr(msr)]).done());
    }
}

/// A guest with LBR on takes a branch.
fn records(out: &mut Cases) {
    let target = world::L2_CODE + 0x40;
    let padded = |first: &[Insn]| -> alloc::vec::Vec<Insn> {
        first.iter().cloned().chain(alloc::vec![Insn::Nop; 0x80]).collect()
    };
    for debugctl in [0u64, 1] {
        for enable in [0u64, 1] {
            let id = format!("branch,debugctl={debugctl},enable={enable}");
            let case = draft(id, true).program(&padded(&[Insn::Jump(target)]));
            let case = case.set(Field::VIRT_EXT, enable).set(Field::DBGCTL, debugctl);
            out.push(case.run().step(Step::Rdmsr(DEBUGCTL)).case());
        }
    }
    let own = draft("branch,guest-enables", true).set(Field::VIRT_EXT, 1);
    out.push(own.program(&padded(&[Insn::Wrmsr(DEBUGCTL, 1), Insn::Jump(target)])).done());
    for debugctl in [0u64, 1] {
        let case = draft(format!("single-step,debugctl={debugctl}"), true).set(Field::VIRT_EXT, 1);
        let case = case.set(Field::DBGCTL, debugctl).set(Field::RFLAGS, 0x102);
        out.push(case.program(&[Insn::Nop, Insn::Nop]).done());
    }
    let host = draft("branch,host-keeps", true).set(Field::VIRT_EXT, 1).set(Field::DBGCTL, 1);
    let host = host.program(&padded(&[Insn::Jump(target)])).run();
    out.push(
        host.step(Step::Rdmsr(BR_FROM)).step(Step::Rdmsr(BR_TO)).step(Step::Rdmsr(DEBUGCTL)).case(),
    );
}

fn reserved(out: &mut Cases) {
    for bit in 6..64 {
        let id = format!("debugctl,bit={bit}");
        out.push(
            draft(id, true)
                .step(Step::Wrmsr(DEBUGCTL, 1 << bit))
                .step(Step::Rdmsr(DEBUGCTL))
                .case(),
        );
    }
    for bit in 1..6 {
        let case = draft(format!("debugctl,bit={bit}"), true).step(Step::Wrmsr(DEBUGCTL, 1 << bit));
        out.push(case.step(Step::Rdmsr(DEBUGCTL)).step(Step::Wrmsr(DEBUGCTL, 0)).case());
    }
}

/// Recording as such needs no virtualisation: the guest runs with the host's
/// DEBUGCTL, and its branches go into the host's records.
fn shared(out: &mut Cases) {
    for lbr in [0u64, 1] {
        let case = draft(format!("debugctl,lbr={lbr},offered=off"), false);
        let case = case.step(Step::Wrmsr(DEBUGCTL, lbr)).step(Step::Rdmsr(DEBUGCTL));
        out.push(case.step(Step::Wrmsr(DEBUGCTL, 0)).case());
    }
    for (name, msr) in [("from", BR_FROM), ("to", BR_TO)] {
        let mut program = alloc::vec![Insn::Jump(world::L2_CODE + 0x40)];
        program.extend(alloc::vec![Insn::Nop; 0x80]);
        program.push(Insn::Rdmsr(msr));
        let case = draft(format!("branch,shared,{name}"), false).program(&program);
        let case = case.step(Step::Wrmsr(DEBUGCTL, 1)).run();
        out.push(case.step(Step::Wrmsr(DEBUGCTL, 0)).case());
    }
}
