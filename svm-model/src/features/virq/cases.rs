//! Virtual interrupts: every combination of what can hold one, the TPR, and
//! the interrupt that is taken.

use alloc::format;

use crate::Feature::Virq;
use crate::arch::int_ctl::{V_IGN_TPR, V_INTR_MASKING, V_IRQ};
use crate::case::draft::{Draft, on};
use crate::case::{Event, Insn, Step};
use crate::cases::Cases;
use crate::vmcb::Field;

pub(crate) fn cases(out: &mut Cases) {
    matrix(out);
    vectors(out);
    priorities(out);
    tpr(out);
    once(out);
    hlt(out);
    physical(out);
}

fn draft(id: impl AsRef<str>) -> Draft {
    Draft::new(Virq, format!("virq/{}", id.as_ref()))
}

fn matrix(out: &mut Cases) {
    for mask in 0..256u64 {
        let bit = |n: u64| mask >> n & 1 == 1;
        let (irq, masking, ign, guest_if) = (bit(0), bit(1), bit(2), bit(3));
        let (host_if, shadow, vintr, high) = (bit(4), bit(5), bit(6), bit(7));
        let id = format!(
            "irq={},masking={},ign-tpr={},if={},host-if={},shadow={},vintr={},above-tpr={}",
            on(irq),
            on(masking),
            on(ign),
            on(guest_if),
            on(host_if),
            on(shadow),
            on(vintr),
            on(high)
        );
        let prio = if high { 9u64 } else { 5 };
        let int_ctl = 5
            | if irq { V_IRQ } else { 0 }
            | if masking { V_INTR_MASKING } else { 0 }
            | if ign { V_IGN_TPR } else { 0 }
            | prio << 16;
        let case = draft(id).program(&[Insn::Nop, Insn::Nop]).set(Field::INT_CTL, int_ctl);
        let case = case.set(Field::INT_VECTOR, 0x93).set(Field::INT_STATE, shadow.into());
        let case = case.set(Field::RFLAGS, 2 | u64::from(guest_if) << 9);
        let case = case.step(Step::Rflags(2 | u64::from(host_if) << 9));
        out.push(case.also(Field::INTERCEPT_MISC1, u64::from(vintr) << 4).done());
    }
}

fn pending(id: &str) -> Draft {
    let case = draft(id).program(&[Insn::Nop, Insn::Nop]).set(Field::RFLAGS, 0x202);
    case.set(Field::INT_VECTOR, 0x93)
}

fn vectors(out: &mut Cases) {
    for vector in 0..256u64 {
        if vector < 0x20 && !matches!(vector, 3 | 6 | 9 | 0xf) {
            continue;
        }
        let case = pending(&format!("vector={vector:#x}")).set(Field::INT_VECTOR, vector);
        out.push(case.set(Field::INT_CTL, V_IRQ | V_INTR_MASKING | 0xf_0000).done());
    }
}

fn priorities(out: &mut Cases) {
    for prio in 0..16u64 {
        for v_tpr in 0..16 {
            let case = pending(&format!("prio={prio},v-tpr={v_tpr}"));
            out.push(case.set(Field::INT_CTL, V_IRQ | V_INTR_MASKING | prio << 16 | v_tpr).done());
        }
        let case = pending(&format!("prio={prio},ign-tpr"))
            .set(Field::INT_CTL, V_IRQ | V_IGN_TPR | prio << 16 | 0xf);
        out.push(case.done());
    }
}

fn tpr(out: &mut Cases) {
    for masking in [0, V_INTR_MASKING] {
        for physical in [0u64, 3, 0xf] {
            for v_tpr in [0u64, 3, 0xf] {
                for write in [None, Some(0u64), Some(7), Some(0xf)] {
                    let name = write.map_or_else(|| "read".into(), |w| format!("write={w}"));
                    let id = format!(
                        "cr8,{name},masking={},tpr={physical},v-tpr={v_tpr}",
                        on(masking != 0)
                    );
                    let case = draft(id).step(Step::WriteCr(8, physical));
                    let program: &[Insn] = match write {
                        None => &[Insn::ReadCr(8, 0)],
                        Some(value) => {
                            &[Insn::Mov(1, value), Insn::WriteCr(8, 1), Insn::ReadCr(8, 0)]
                        }
                    };
                    let case = case.program(program).set(Field::INT_CTL, masking | v_tpr).run();
                    out.push(case.step(Step::ReadCr(8)).step(Step::WriteCr(8, 0)).case());
                }
            }
        }
        for value in [16, 0x100, 1 << 32] {
            let id = format!("cr8,write={value:#x},masking={}", on(masking != 0));
            let case = draft(id).program(&[Insn::Mov(1, value), Insn::WriteCr(8, 1)]);
            out.push(case.set(Field::INT_CTL, masking).done());
        }
        // Lowering V_TPR lets the virtual interrupt in; raising it keeps it out.
        for (name, before, after) in [("lower", 0xf, 0), ("raise", 0, 0xf)] {
            for irq_if in [2, 0x202] {
                let id = format!("cr8,{name},masking={},rflags={irq_if:#x}", on(masking != 0));
                let case = draft(id).program(&[
                    Insn::Mov(1, after),
                    Insn::WriteCr(8, 1),
                    Insn::Nop,
                    Insn::Sti,
                    Insn::Nop,
                    Insn::Nop,
                ]);
                let case = case.set(Field::INT_CTL, masking | V_IRQ | 9 << 16 | before);
                out.push(case.set(Field::RFLAGS, irq_if).set(Field::INT_VECTOR, 0x93).done());
            }
        }
    }
}

/// A taken interrupt is gone; one that was not taken is still there.
fn once(out: &mut Cases) {
    for vintr in [0u64, 1 << 4] {
        for flags in [2, 0x202] {
            let case = pending(&format!("twice,vintr={},rflags={flags:#x}", on(vintr != 0)));
            let case = case
                .set(Field::INT_CTL, V_IRQ | V_INTR_MASKING | 0xf_0000)
                .set(Field::RFLAGS, flags);
            out.push(case.also(Field::INTERCEPT_MISC1, vintr).run().run().case());
        }
    }
    for exception in [0u64, 1 << 6] {
        let case = pending(&format!("kept,exception={}", on(exception != 0))).program(&[Insn::Ud2]);
        let case = case.set(Field::INT_CTL, V_IRQ | 0xf_0000).set(Field::RFLAGS, 2);
        out.push(case.also(Field::INTERCEPT_EXCEPTIONS, exception).done());
    }
}

fn hlt(out: &mut Cases) {
    for (name, program) in [
        ("sti-hlt", &[Insn::Sti, Insn::Hlt, Insn::Nop][..]),
        ("nop-hlt", &[Insn::Nop, Insn::Hlt, Insn::Nop][..]),
    ] {
        for vintr in [0u64, 1 << 4] {
            for masking in [0, V_INTR_MASKING] {
                let id = format!("{name},vintr={},masking={}", on(vintr != 0), on(masking != 0));
                let case =
                    draft(id).program(program).set(Field::INT_CTL, V_IRQ | masking | 0xf_0000);
                let case = case.set(Field::INT_VECTOR, 0x93);
                let case = if name == "nop-hlt" { case.set(Field::RFLAGS, 0x202) } else { case };
                out.push(case.also(Field::INTERCEPT_MISC1, vintr).done());
            }
        }
    }
}

/// A physical interrupt and a virtual one at once.
fn physical(out: &mut Cases) {
    for mask in 0..64u64 {
        let bit = |n: u64| mask >> n & 1 == 1;
        let (intercept, masking, guest_if, host_if, irq, vintr) =
            (bit(0), bit(1), bit(2), bit(3), bit(4), bit(5));
        let id = format!(
            "both,intr={},masking={},if={},host-if={},irq={},vintr={}",
            on(intercept),
            on(masking),
            on(guest_if),
            on(host_if),
            on(irq),
            on(vintr)
        );
        let int_ctl =
            if masking { V_INTR_MASKING } else { 0 } | if irq { V_IRQ } else { 0 } | 0xf_0000;
        let case = draft(id).program(&[Insn::Nop, Insn::Nop]).clgi().raise(Event::Intr(0x51));
        let case = case.step(Step::Rflags(2 | u64::from(host_if) << 9));
        let case = case.set(Field::INT_CTL, int_ctl).set(Field::INT_VECTOR, 0x93);
        let case = case.set(Field::RFLAGS, 2 | u64::from(guest_if) << 9);
        let case = case.also(Field::INTERCEPT_MISC1, u64::from(intercept) | u64::from(vintr) << 4);
        out.push(case.run().step(Step::Rflags(2)).stgi().step(Step::Window).case());
    }
}
