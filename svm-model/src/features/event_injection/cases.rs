//! EVENTINJ: every type with every vector, what may not stand in its way, and
//! what goes wrong while an event is delivered.

use alloc::format;

use crate::Feature::EventInjection;
use crate::arch::event;
use crate::arch::intercept;
use crate::case::draft::{Draft, on};
use crate::case::{Event, Insn, Step, world};
use crate::cases::Cases;
use crate::cpu::CpuFeature;
use crate::vmcb::Field;

pub(crate) fn cases(out: &mut Cases) {
    types_and_vectors(out);
    error_codes(out);
    not_in_the_way(out);
    faults(out);
    own_faults(out);
    soft(out);
}

fn draft(id: impl AsRef<str>) -> Draft {
    Draft::new(EventInjection, format!("eventinj/{}", id.as_ref()))
}

fn types_and_vectors(out: &mut Cases) {
    for kind in 0..8u64 {
        for vector in 0..256u64 {
            // The vector of an NMI is not looked at.
            if kind == 2 && !matches!(vector, 0 | 2 | 0x20 | 0xff) {
                continue;
            }
            if matches!(kind, 1 | 5..=7) && vector % 5 != 0 && vector > 16 {
                continue;
            }
            let case = draft(format!("type={kind},vector={vector:#x}"));
            let case = case.program(&[Insn::Nop]).set(Field::NRIP, world::L2_CODE);
            out.push(case.set(Field::EVENTINJ, event::V | kind << 8 | vector).done());
        }
        for vector in [2, 3, 13, 0x40, 0xff] {
            let case = draft(format!("v=0,type={kind},vector={vector:#x}")).program(&[Insn::Nop]);
            out.push(case.set(Field::EVENTINJ, kind << 8 | vector).done());
        }
    }
    // Outside 64-bit mode #OF and #BR are possible; here they are not.
    for bit in 12..31 {
        let case = draft(format!("reserved,bit={bit}")).program(&[Insn::Nop]);
        out.push(case.set(Field::EVENTINJ, 1 << bit | 0x30d).done());
    }
}

fn error_codes(out: &mut Cases) {
    for vector in [0u64, 1, 3, 6, 7, 8, 10, 11, 12, 13, 14, 16, 17, 18, 19] {
        for value in [0u64, 0xffff, 0x1234_5678, 0xffff_ffff] {
            // The stub takes an error code that it does not expect for RIP, whose upper half
            // is then not defined.
            if value >> 31 == 1 && !matches!(vector, 8 | 10..=14 | 17) {
                continue;
            }
            let case = draft(format!("error={value:#x},vector={vector}"));
            let event = event::V | event::EV | 3 << 8 | vector | value << 32;
            out.push(case.program(&[Insn::Nop]).set(Field::EVENTINJ, event).done());
        }
        // Without EV the upper half is ignored.
        let case = draft(format!("no-ev,vector={vector}")).program(&[Insn::Nop]);
        out.push(case.set(Field::EVENTINJ, event::V | 3 << 8 | vector | 0x55 << 32).done());
    }
}

fn not_in_the_way(out: &mut Cases) {
    let events = [
        ("intr", 0x31u64),
        ("nmi", 0x202),
        ("ud", 0x306),
        ("gp", 0xb0d),
        ("pf", 0xb0e),
        ("int", 0x431),
    ];
    for (name, event) in events {
        let base = |detail: &str| {
            let case = draft(format!("{name},{detail}")).program(&[Insn::Nop, Insn::Cpuid]);
            case.set(Field::EVENTINJ, event::V | event).set(Field::NRIP, world::L2_CODE + 1)
        };
        for flags in [2, 0x202, 0x8d7, 0x1_0002] {
            out.push(base(&format!("rflags={flags:#x}")).set(Field::RFLAGS, flags).done());
        }
        for shadow in [0, 1] {
            out.push(base(&format!("shadow={shadow}")).set(Field::INT_STATE, shadow).done());
        }
        out.push(
            base("exceptions-intercepted").set(Field::INTERCEPT_EXCEPTIONS, 0xffff_ffff).done(),
        );
        // INTR, NMI, VINTR and INTn intercepts do not see an injected event.
        out.push(base("interrupts-intercepted").also(Field::INTERCEPT_MISC1, 0x20_0013).done());
        out.push(base("user").user().done());
        out.push(base("user,rflags=0x202").user().set(Field::RFLAGS, 0x202).done());
        out.push(base("rsp-unaligned").set(Field::RSP, world::L2_STACK - 5).done());
        out.push(base("cr2").set(Field::CR2, 0x1234_5000).done());
        out.push(
            base("first-insn-intercepted")
                .also(Field::INTERCEPT_MISC1, intercept::CPUID.mask())
                .done(),
        );
        out.push(base("twice").run().set(Field::RIP, world::L2_CODE).done());
        out.push(base("frame").run().peek(world::L2_STACK - 0x28).peek(world::L2_STACK - 8).case());
        // An NMI behind it exits at the handler, where no shadow is left.
        let nmi = base("nmi-pending,shadow=1").set(Field::INT_STATE, 1).clgi().raise(Event::Nmi);
        let nmi = nmi.also(Field::INTERCEPT_MISC1, 2).run();
        out.push(nmi.stgi().step(Step::Window).case());
        // A virtual interrupt waits behind it: the handler runs with IF clear.
        let virq = base("v-irq").set(Field::RFLAGS, 0x202).set(Field::INT_VECTOR, 0x60);
        out.push(virq.set(Field::INT_CTL, 0xf_0100).done());
        // So does a physical one that the host allows.
        for masking in [0u64, 1 << 24] {
            let case = base(&format!("intr-pending,masking={}", on(masking != 0)));
            let case = case.clgi().raise(Event::Intr(0x51)).step(Step::Rflags(0x202));
            let case = case.set(Field::RFLAGS, 0x202).set(Field::INT_CTL, masking);
            let case = case.also(Field::INTERCEPT_MISC1, 1).run();
            out.push(case.step(Step::Rflags(2)).stgi().step(Step::Window).case());
        }
    }
}

/// Delivery that a nested page fault cuts short: EXITINTINFO.
fn faults(out: &mut Cases) {
    let events = [
        ("intr", 0x31u64),
        ("nmi", 0x202),
        ("de", 0x300),
        ("ud", 0x306),
        ("bp", 0x303),
        ("df", 0xb08),
        ("gp", 0xb0d | 0x1234 << 32),
        ("pf", 0xb0e | 6 << 32),
        ("int", 0x431),
        ("int3", 0x403),
    ];
    // The stack, moved into the window whose nested entries can be taken away.
    let stack = world::DATA + 0x7ff0;
    let entry = world::npt::PT + 7 * 8;
    for (name, event) in events {
        for (what, value) in [("absent", 0x66), ("read-only", 0x65), ("supervisor", 0x63)] {
            let case = draft(format!("{name},stack-{what}"))
                .needs(&[CpuFeature::Npt])
                .program(&[Insn::Nop]);
            let case = case.set(Field::RSP, stack).poke(entry, (world::DATA + 0x7000) | value);
            let case = case.set(Field::NRIP, world::L2_CODE).set(Field::EVENTINJ, event::V | event);
            out.push(case.done());
        }
        // The IDT, likewise.
        let case =
            draft(format!("{name},idt-absent")).needs(&[CpuFeature::Npt]).program(&[Insn::Nop]);
        let case = case.set(Field::IDTR_BASE, world::DATA + 0x8000);
        let case = case.poke(world::npt::PT + 8 * 8, world::DATA + 0x8066);
        let case = case.set(Field::NRIP, world::L2_CODE).set(Field::EVENTINJ, event::V | event);
        out.push(case.done());
        // A fault of the guest's own tables: intercepted, the event is reported.
        for intercepted in [false, true] {
            let id = format!("{name},stack-guest-absent,intercept={}", on(intercepted));
            let case = draft(id).program(&[Insn::Nop]).set(Field::RSP, stack);
            let case = case.poke(world::l2pt::PT + 7 * 8, world::DATA + 0x7066);
            let case = case.set(Field::NRIP, world::L2_CODE).set(Field::EVENTINJ, event::V | event);
            out.push(case.also(Field::INTERCEPT_EXCEPTIONS, u64::from(intercepted) << 14).done());
        }
        for intercepted in [false, true] {
            let id = format!("{name},gate-absent,intercept={}", on(intercepted));
            let vector = event & 0xff;
            let gate = world::L2_IDT + 16 * vector;
            let absent = world::initial_word(gate) & !(1 << 47);
            let case = draft(id).program(&[Insn::Nop]).poke(gate, absent);
            let case = case.set(Field::NRIP, world::L2_CODE).set(Field::EVENTINJ, event::V | event);
            out.push(case.also(Field::INTERCEPT_EXCEPTIONS, u64::from(intercepted) << 11).done());
        }
    }
}

/// The same for what the guest raises itself.
fn own_faults(out: &mut Cases) {
    let stack = world::DATA + 0x7ff0;
    let rows: [(&str, &[Insn]); 5] = [
        ("int", &[Insn::Int(0x31)]),
        ("int3", &[Insn::Int3]),
        ("ud", &[Insn::Ud2]),
        ("de", &[Insn::Divide]),
        ("gp", &[Insn::Load(0, 1 << 50)]),
    ];
    for (name, program) in rows {
        let base = |what: &str| {
            let case = draft(format!("own-{name},{what}")).program(program).program(&[Insn::Nop]);
            case.set(Field::RSP, stack)
        };
        let nested = |case: Draft| case.needs(&[CpuFeature::Npt]);
        out.push(
            nested(base("stack-absent")).poke(world::npt::PT + 56, world::DATA + 0x7066).done(),
        );
        out.push(
            nested(base("stack-read-only")).poke(world::npt::PT + 56, world::DATA + 0x7065).done(),
        );
        for intercepts in [0u64, 1 << 14, 1 << 8] {
            let case = base(&format!("stack-guest-absent,intercept={intercepts:#x}"));
            let case = case.poke(world::l2pt::PT + 56, world::DATA + 0x7066);
            out.push(case.also(Field::INTERCEPT_EXCEPTIONS, intercepts).done());
        }
    }
}

/// The return address of an injected software interrupt.
fn soft(out: &mut Cases) {
    for (name, nrip) in [("next", world::L2_CODE + 2), ("far", world::L2_CODE + 0x40), ("zero", 0)]
    {
        for saved in [false, true] {
            let case =
                draft(format!("int,nrip={name},nrip-save={}", on(saved))).program(&[Insn::Nop]);
            let feature = [CpuFeature::NripSave];
            let case = if saved { case.needs(&feature) } else { case.without(&feature) };
            out.push(case.set(Field::NRIP, nrip).set(Field::EVENTINJ, event::V | 0x431).done());
        }
    }
}
