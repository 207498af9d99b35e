//! Instructions about caches (APM vol. 3): what flushes a line looks at its operand as a load of
//! a byte does, and prefetches never fault.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::Intercepts;
use crate::arch::{fault as code, pte};
use crate::case::listing::{joined, raw};
use crate::case::written::GP;
use crate::case::{About, Draft, Insn, world};
use crate::cpu::CpuFeature;
use crate::features::npt::written::PAGE;
use crate::outcome::Obs;
use crate::vmcb::{Field, exit};

const PF: u64 = exit::EXCP + 14;
const EXIT_SS: u64 = exit::EXCP + 12;
const EXIT_GP: u64 = exit::EXCP + 13;
const NESTED_ENTRY: u64 = world::npt::PT + 5 * 8;
const L2_ENTRY: u64 = world::l2pt::PT + 5 * 8;
const BAD: u64 = 1 << 50;

/// With `[RBX]`; whether it may fault.
const ROWS: &[(&str, &[u8], bool)] = &[
    ("clflush", &[0x0f, 0xae, 0x3b], true),
    ("clflushopt", &[0x66, 0x0f, 0xae, 0x3b], true),
    ("clwb", &[0x66, 0x0f, 0xae, 0x33], true),
    ("prefetchnta", &[0x0f, 0x18, 0x03], false),
    ("prefetcht0", &[0x0f, 0x18, 0x0b], false),
    ("prefetcht1", &[0x0f, 0x18, 0x13], false),
    ("prefetcht2", &[0x0f, 0x18, 0x1b], false),
    ("prefetch", &[0x0f, 0x0d, 0x03], false),
    ("prefetchw", &[0x0f, 0x0d, 0x0b], false),
    ("nop", &[0x0f, 0x1f, 0x03], false),
];

pub(crate) fn cases() -> Vec<Draft> {
    let rows = ROWS.iter().flat_map(|row| of(*row));
    rows.chain(segments()).collect()
}

fn draft(id: &str) -> Draft {
    Draft::new(Intercepts, format!("caches/{id}")).about(About::Section("15.12.15"))
}

fn of((name, bytes, faults): (&str, &[u8], bool)) -> Vec<Draft> {
    let insn = raw(bytes);
    let program = |address| [Insn::Mov(3, address), insn.clone()];
    let new = |id: &str, address| draft(&format!("{name},{id}")).program(&program(address));
    let l1 = |id: &str, address| draft(&format!("{name},{id}")).l1(joined(&program(address)), 0);
    let met = |d: Draft, code: u64, info: u64| match faults {
        true => d.run().exits(code).at(1).field(Field::EXITINFO1, info),
        false => d.run().ends(),
    };
    let page_fault = |d: Draft, info| {
        let d = met(d.intercept(PF), PF, info);
        if faults { d.field(Field::EXITINFO2, PAGE + 0x123) } else { d }
    };
    let absent = |id| new(id, PAGE + 0x123).poke(L2_ENTRY, 0);
    let supervisor = PAGE | pte::P | pte::W;
    let nested =
        new("no-nested-page", PAGE + 0x123).needs(&[CpuFeature::Npt]).poke(NESTED_ENTRY, 0);
    let nested = met(nested, exit::NPF, code::FINAL | code::U);
    // It is read: accessed, not dirty.
    let marked = supervisor | pte::U | if faults { pte::A } else { 0 };
    let taken = absent("taken").run();
    let rip = taken.rip(1);
    let shown = |d: Draft, obs| if faults { d.shows(obs) } else { d };
    vec![
        page_fault(absent("no-page"), 0),
        if faults { taken.takes(14, 0, rip) } else { taken.ends() },
        page_fault(new("user", PAGE + 0x123).poke(L2_ENTRY, supervisor).user(), code::P | code::U),
        if faults { nested.field(Field::EXITINFO2, PAGE + 0x123) } else { nested },
        met(new("no-address", BAD).intercept(EXIT_GP), EXIT_GP, 0),
        new("read-only", PAGE).poke(L2_ENTRY, PAGE | pte::P | pte::U).run().ends(),
        new("marks", PAGE)
            .poke(L2_ENTRY, supervisor | pte::U)
            .run()
            .ends()
            .peek(L2_ENTRY)
            .value(marked),
        shown(l1("l1,no-address", BAD), GP),
        shown(l1("l1,no-page", 1 << 46), Obs::L1Exception { vector: 14, error: Some(0) }),
    ]
}

/// With a base of rBP, it is the stack's segment.
fn segments() -> Vec<Draft> {
    // CLFLUSH, CLFLUSHOPT and CLWB of [RBP].
    let rows: [(&str, &[u8]); 3] = [
        ("clflush", &[0x0f, 0xae, 0x7d, 0]),
        ("clflushopt", &[0x66, 0x0f, 0xae, 0x7d, 0]),
        ("clwb", &[0x66, 0x0f, 0xae, 0x75, 0]),
    ];
    let all = rows.into_iter().map(|(name, bytes)| {
        draft(&format!("{name},stack"))
            .program(&[Insn::Mov(5, BAD), raw(bytes)])
            .intercept(EXIT_SS)
            .intercept(EXIT_GP)
            .run()
            .exits(EXIT_SS)
            .at(1)
    });
    all.collect()
}
