//! Physical INTR, NMI, INIT and SMI: intercepted or not, allowed or held, and
//! still pending afterwards.

use alloc::format;

use crate::Feature::Intercepts;
use crate::case::draft::{Draft, on};
use crate::case::{Event, Insn, Step};
use crate::cases::Cases;
use crate::vmcb::Field;

pub(crate) fn cases(out: &mut Cases) {
    interrupts(out);
    vectors(out);
    tpr(out);
    nmi(out);
    init(out);
    smi(out);
}

fn draft(id: impl AsRef<str>) -> Draft {
    Draft::new(Intercepts, format!("physical/{}", id.as_ref()))
}

/// Back in L1: the event is taken once GIF and IF allow it, and not before.
fn after(draft: Draft) -> Draft {
    draft.step(Step::Rflags(2)).step(Step::Window).stgi().step(Step::Window)
}

fn interrupts(out: &mut Cases) {
    for mask in 0..32u64 {
        let bit = |n: u64| mask >> n & 1 == 1;
        let (intercept, masking, guest_if, host_if, user) =
            (bit(0), bit(1), bit(2), bit(3), bit(4));
        let id = format!(
            "intr,intercept={},masking={},if={},host-if={},user={}",
            on(intercept),
            on(masking),
            on(guest_if),
            on(host_if),
            on(user)
        );
        let case = draft(id).program(&[Insn::Nop, Insn::Nop]).clgi().raise(Event::Intr(0x51));
        let case = case.step(Step::Rflags(2 | u64::from(host_if) << 9));
        let case = case.set(Field::INT_CTL, u64::from(masking) << 24);
        let case = if user { case.user() } else { case };
        let case = case.set(Field::RFLAGS, 2 | u64::from(guest_if) << 9);
        let case = case.also(Field::INTERCEPT_MISC1, intercept.into());
        out.push(after(case.run()).case());
    }
    for sti in [false, true] {
        let program: &[Insn] =
            if sti { &[Insn::Nop, Insn::Sti, Insn::Nop, Insn::Nop] } else { &[Insn::Nop] };
        for intercept in [false, true] {
            if sti && intercept {
                continue;
            }
            let id = format!("intr,guest-sti={},intercept={}", on(sti), on(intercept));
            let case = draft(id).program(program).raise(Event::Intr(0x51));
            let case = case.also(Field::INTERCEPT_MISC1, intercept.into());
            out.push(after(case.run()).case());
        }
    }
    // Without GIF clear, an interrupt that L1 allows is taken before VMRUN.
    let early = draft("intr,before-vmrun").raise(Event::Intr(0x51)).step(Step::Rflags(0x202));
    out.push(after(early.also(Field::INTERCEPT_MISC1, 1).run()).case());
}

fn vectors(out: &mut Cases) {
    for vector in [0x20u8, 0x30, 0x51, 0x80, 0xd0, 0xef, 0xfe] {
        for intercept in [false, true] {
            let id = format!("intr,vector={vector:#x},intercept={}", on(intercept));
            let case = draft(id).program(&[Insn::Nop]).clgi().raise(Event::Intr(vector));
            let case =
                case.set(Field::RFLAGS, 0x202).also(Field::INTERCEPT_MISC1, intercept.into());
            out.push(after(case.run()).case());
        }
    }
    for (a, b) in [(0x51, 0x61), (0x61, 0x51), (0x51, 0x52)] {
        let case = draft(format!("intr,two={a:#x}-{b:#x}")).program(&[Insn::Nop]).clgi();
        let case = case.raise(Event::Intr(a)).raise(Event::Intr(b)).set(Field::RFLAGS, 0x202);
        out.push(after(case.also(Field::INTERCEPT_MISC1, 1).run()).case());
    }
}

/// The physical TPR, whatever V_TPR says.
fn tpr(out: &mut Cases) {
    for physical in [0u64, 4, 5, 6, 15] {
        for masking in [0, 1 << 24] {
            for v_tpr in [0u64, 0xf] {
                let id = format!("intr,tpr={physical},masking={},v-tpr={v_tpr}", on(masking != 0));
                let case = draft(id).program(&[Insn::Nop]).step(Step::WriteCr(8, physical)).clgi();
                let case = case.raise(Event::Intr(0x51)).step(Step::Rflags(0x202));
                let case = case.set(Field::INT_CTL, masking | v_tpr).set(Field::RFLAGS, 0x202);
                let case = case.also(Field::INTERCEPT_MISC1, 1).run().step(Step::WriteCr(8, 0));
                out.push(after(case).case());
            }
        }
    }
}

fn nmi(out: &mut Cases) {
    for intercept in [false, true] {
        for gif in [false, true] {
            for exceptions in [0u64, 4] {
                let id = format!(
                    "nmi,intercept={},gif={},vector-2={}",
                    on(intercept),
                    on(gif),
                    on(exceptions != 0)
                );
                let case = draft(id).program(&[Insn::Nop]);
                let case = if gif { case } else { case.clgi() };
                let case = case.raise(Event::Nmi).also(Field::INTERCEPT_EXCEPTIONS, exceptions);
                let case = case.also(Field::INTERCEPT_MISC1, u64::from(intercept) << 1);
                out.push(after(case.run()).case());
            }
        }
    }
    for flags in [2, 0x202] {
        let case = draft(format!("nmi+intr,rflags={flags:#x}")).program(&[Insn::Nop]).clgi();
        let case = case.raise(Event::Intr(0x51)).raise(Event::Nmi).set(Field::RFLAGS, flags);
        out.push(after(case.also(Field::INTERCEPT_MISC1, 3).run()).case());
    }
    let again = draft("nmi,run-again").program(&[Insn::Nop]).clgi().raise(Event::Nmi);
    out.push(after(again.also(Field::INTERCEPT_MISC1, 2).run().run()).case());
}

fn init(out: &mut Cases) {
    let case = draft("init,intercepted").program(&[Insn::Nop]).clgi().raise(Event::Init);
    out.push(case.also(Field::INTERCEPT_MISC1, 8).run().case());
    let case = draft("init,again").program(&[Insn::Nop]).clgi().raise(Event::Init);
    out.push(case.also(Field::INTERCEPT_MISC1, 8).run().run().case());
    for gif in [false, true] {
        let case = draft(format!("init,not-intercepted,gif={}", on(gif))).program(&[Insn::Nop]);
        let case = if gif { case } else { case.clgi() };
        out.push(case.raise(Event::Init).run().case());
    }
    let case = draft("init,held").clgi().raise(Event::Init).step(Step::ReadCr(0));
    out.push(case.case());
}

fn smi(out: &mut Cases) {
    let case = draft("smi,intercepted").program(&[Insn::Nop]).clgi().raise(Event::Smi);
    out.push(case.also(Field::INTERCEPT_MISC1, 4).run().case());
    for gif in [false, true] {
        let case = draft(format!("smi,not-intercepted,gif={}", on(gif))).program(&[Insn::Nop]);
        let case = if gif { case } else { case.clgi() };
        out.push(case.raise(Event::Smi).run().case());
    }
    let case = draft("smi,held").clgi().raise(Event::Smi).step(Step::ReadCr(0));
    out.push(case.case());
}
