//! Intercepts of control and debug register accesses, LMSW, SMSW and CLTS.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::Intercepts;
use crate::arch::cr0;
use crate::arch::msr::EFER;
use crate::case::mode::Mode;
use crate::case::{Draft, Insn, world};
use crate::features::debug::model::dr_rule;
use crate::rules::intercepts as i;
use crate::vmcb::{Field, exit};

/// CR0 of the baseline, and bits of it.
const CR0: u64 = 0x8001_0033;

fn draft(id: &str) -> Draft {
    Draft::new(Intercepts, format!("registers/{id}"))
}

pub(crate) fn cases() -> Vec<Draft> {
    [control(), debug(), words(), narrow(), selective()].concat()
}

fn control() -> Vec<Draft> {
    let mut cases = Vec::new();
    for (n, value, read, write) in [
        (0, CR0, i::CR0_READ, i::CR0_WRITE),
        (2, 0, i::CR2_READ, i::CR2_WRITE),
        (3, 0x88_0000, i::CR3_READ, i::CR3_WRITE),
        (4, 0x20, i::CR4_READ, i::CR4_WRITE),
        (8, 0, i::CR8_READ, i::CR8_WRITE),
    ] {
        let cr = u64::from(n);
        cases.push(
            draft(&format!("read-cr{n}"))
                .about(read)
                .program(&[Insn::ReadCr(n, 3)])
                .intercept(exit::CR_READ + cr)
                .run()
                .exits(exit::CR_READ + cr)
                .at(0),
        );
        cases.push(
            draft(&format!("write-cr{n}"))
                .about(write)
                .program(&[Insn::Mov(0, value), Insn::WriteCr(n, 0)])
                .intercept(exit::CR_WRITE + cr)
                .run()
                .exits(exit::CR_WRITE + cr)
                .at(1),
        );
        // The other direction is not intercepted, and goes through.
        cases.push(
            draft(&format!("read-cr{n}-write-intercepted"))
                .about(read)
                .program(&[Insn::ReadCr(n, 0)])
                .intercept(exit::CR_WRITE + cr)
                .run()
                .ends()
                .field(Field::RAX, value),
        );
    }
    cases
}

fn debug() -> Vec<Draft> {
    let mut cases = Vec::new();
    for n in [0, 1, 2, 3, 6, 7] {
        let dr = u64::from(n);
        cases.push(
            draft(&format!("read-dr{n}"))
                .about(dr_rule(true, n))
                .program(&[Insn::ReadDr(n, 0)])
                .intercept(exit::DR_READ + dr)
                .run()
                .exits(exit::DR_READ + dr)
                .at(0),
        );
        cases.push(
            draft(&format!("write-dr{n}"))
                .about(dr_rule(false, n))
                .program(&[Insn::Mov(0, 0x400), Insn::WriteDr(n, 0)])
                .intercept(exit::DR_WRITE + dr)
                .run()
                .exits(exit::DR_WRITE + dr)
                .at(1),
        );
    }
    cases
}

/// What else reads or writes CR0.
fn words() -> Vec<Draft> {
    vec![
        draft("lmsw-cr0-write")
            .about(i::CR_LMSW)
            .program(&[Insn::Mov(0, 0x37), Insn::Lmsw(0)])
            .intercept(exit::CR_WRITE)
            .run()
            .exits(exit::CR_WRITE)
            .at(1),
        draft("lmsw-not-intercepted")
            .about(i::CR0_WRITE)
            .program(&[Insn::Mov(0, cr0::TS | cr0::MP | 1), Insn::Lmsw(0)])
            .run()
            .ends()
            .field(Field::CR0, CR0 | cr0::TS),
        draft("smsw-cr0-read")
            .about(i::CR_SMSW)
            .program(&[Insn::Smsw(0)])
            .intercept(exit::CR_READ)
            .run()
            .exits(exit::CR_READ)
            .at(0),
        draft("clts-cr0-write")
            .about(i::CR_CLTS)
            .program(&[Insn::Clts])
            .intercept(exit::CR_WRITE)
            .run()
            .exits(exit::CR_WRITE)
            .at(0),
    ]
}

/// What stores a word into a register has the operand size of the code segment, and 16 bits leave
/// the others alone.
fn narrow() -> Vec<Draft> {
    const RAX: u64 = 0xaaaa_5555;
    let insns = [
        ("smsw", Insn::Smsw(0), None),
        ("sldt", Insn::Sldt(0), Some(0)),
        ("str", Insn::Str(0), Some(u64::from(world::L2_TR))),
    ];
    let all = insns.iter().flat_map(|(name, insn, word)| {
        Mode::ALL.into_iter().filter(|m| m.protected() || word.is_none()).map(move |mode| {
            let value = word.unwrap_or(mode.cr0());
            let value = if mode.narrow() { RAX & !0xffff | value & 0xffff } else { value };
            let d = draft(&format!("{name}-{}", mode.name()))
                .about(i::NARROW_OPERAND)
                .program(core::slice::from_ref(insn));
            let d = mode.enter(d, world::L2_CODE, false).set(Field::RAX, RAX).run();
            let (base, end) = (if mode.protected() { 0 } else { world::L2_CODE }, d.rip(1));
            d.exits(exit::VMMCALL).field(Field::RIP, end - base).field(Field::RAX, value)
        })
    });
    all.collect()
}

/// The selective CR0 write intercept: bits other than cr0::TS and cr0::MP, and LMSW always.
fn selective() -> Vec<Draft> {
    let writes = |id: &str, value: u64| {
        draft(&format!("selective-{id}"))
            .program(&[Insn::Mov(0, value), Insn::WriteCr(0, 0)])
            .intercept(exit::CR0_SEL_WRITE)
    };
    let lmsw = |id: &str, value: u64| {
        draft(&format!("selective-{id}"))
            .program(&[Insn::Mov(0, value), Insn::Lmsw(0)])
            .intercept(exit::CR0_SEL_WRITE)
    };
    vec![
        writes("wp-changed", CR0 & !cr0::WP)
            .about(i::CR0_SEL)
            .run()
            .exits(exit::CR0_SEL_WRITE)
            .at(1),
        writes("ts-and-mp-changed", CR0 ^ cr0::TS ^ cr0::MP)
            .about(i::CR0_SEL)
            .run()
            .ends()
            .field(Field::CR0, CR0 ^ cr0::TS ^ cr0::MP),
        writes("nothing-changed", CR0).about(i::CR0_SEL).run().ends().field(Field::CR0, CR0),
        // The unconditional intercept comes first.
        writes("and-unconditional", CR0 & !cr0::WP)
            .about(i::CR0_SEL_PRIORITY)
            .intercept(exit::CR_WRITE)
            .run()
            .exits(exit::CR_WRITE)
            .at(1),
        lmsw("lmsw-em-changed", 7).about(i::CR0_SEL_LMSW).run().exits(exit::CR0_SEL_WRITE).at(1),
        lmsw("lmsw-ts-changed", cr0::TS | cr0::MP | 1)
            .about(i::CR0_SEL_LMSW)
            .run()
            .exits(exit::CR0_SEL_WRITE)
            .at(1),
        draft("selective-clts")
            .about(i::CR0_SEL_CLTS)
            .program(&[Insn::Clts])
            .set(Field::CR0, CR0 | cr0::TS)
            .intercept(exit::CR0_SEL_WRITE)
            .run()
            .ends()
            .field(Field::CR0, CR0),
    ]
}

/// The write traps that only SEV-ES guests have, all of them set: CR0 to CR15, and EFER.
pub(crate) fn write_traps() -> Vec<Draft> {
    let traps = |id: &str, program: &[Insn]| {
        Draft::new(Intercepts, format!("write-trap/{id}"))
            .about(i::CR_TRAP_INERT)
            .program(program)
            .also(Field::INTERCEPT_MISC2, 0xffff_8000)
            .run()
            .ends()
    };
    vec![
        traps("cr0", &[Insn::Mov(0, 0x8001_0033), Insn::WriteCr(0, 0)]),
        traps("cr3", &[Insn::Mov(0, world::L2PT), Insn::WriteCr(3, 0)]),
        traps("cr4", &[Insn::Mov(0, 0x20), Insn::WriteCr(4, 0)]),
        traps("cr8", &[Insn::Mov(0, 5), Insn::WriteCr(8, 0)]),
        traps("efer", &[Insn::Wrmsr(EFER, 0x1d01)])
            .about(i::EFER_TRAP_INERT)
            .field(Field::EFER, 0x1d01),
    ]
}
