//! Random walks over what debugging depends on: breakpoints of each kind, TF, RF, BTF, GIF,
//! shadows, pending interrupts and faults.

use alloc::format;
use alloc::vec::Vec;

use crate::Feature::Debug;
use crate::arch::{cr4, debugctl, dr, exit, flag, int_ctl};
use crate::case::draft::rip;
use crate::case::{Case, Draft, Event, Insn, Step, world};
use crate::cases::Cases;
use crate::cases::random::{Random, tells};
use crate::cpu::CpuFeature;
use crate::vmcb::Field;

use super::trap_cases::{PORT, WATCHED, enabled};

/// A quarter of the random cases.
pub(crate) fn cases(out: &mut Cases, seed: u64, count: usize) {
    let walks = (0..).map(|n| walk(seed, n)).filter(tells);
    out.extend(walks.take(count / 4));
}

/// The `n`th walk of a seed.
pub(crate) fn walk(seed: u64, n: u64) -> Case {
    let mut r = Random::new(!seed ^ n.wrapping_mul(0x9e6c_63d0_876a_68de));
    let program: Vec<Insn> = (0..2 + r.below(5)).map(|_| insn(&mut r)).collect();
    let mut draft = Draft::new(Debug, format!("debug-walk/{seed:#x}-{n}")).program(&program);
    draft = draft.set(Field::CR4, cr4::PAE | cr4::DE);
    let mut dr7 = dr::DR7_ONES | if r.rarely(8) { dr::DR7_GD } else { 0 };
    for n in 0..4u8 {
        if r.rarely(2) {
            continue;
        }
        let (at, condition) = match r.below(4) {
            0 => (rip(&program, r.below(program.len())), 0),
            1 => (u64::from(PORT) + r.below(2) as u64, 2),
            2 => (world::L2_STACK - 8 * (1 + r.below(5) as u64), 1),
            _ => (WATCHED + r.below(16) as u64, *r.one(&[1u64, 3])),
        };
        let length = if condition == 0 { 0 } else { *r.one(&[0u64, 1, 3]) };
        draft = draft.step(Step::WriteDr(n, at));
        dr7 |= enabled(n, condition, length);
        if r.rarely(3) {
            dr7 &= !(3 << (2 * n));
        }
    }
    draft = draft.set(Field::DR7, dr7);
    let tf = if r.rarely(3) { flag::TF } else { 0 };
    let rf = if r.rarely(3) { flag::RF } else { 0 };
    let interrupts = if r.rarely(2) { flag::IF } else { 0 };
    draft = draft.set(Field::RFLAGS, flag::FIXED | tf | rf | interrupts);
    if r.rarely(3) {
        draft = draft.set(Field::DR6, dr::DR6_ONES | r.bits() & (dr::DR6_B | dr::DR6_BS));
    }
    if r.rarely(4) {
        let bits = *r.one(&[debugctl::BTF, debugctl::LBR, debugctl::BTF | debugctl::LBR]);
        draft = draft.needs(&[CpuFeature::Lbrv]);
        draft = draft.set(Field::VIRT_EXT, 1).set(Field::DBGCTL, bits);
    }
    let draft = events(&mut r, draft);
    let draft = if r.rarely(2) { draft.intercept(exit::EXCP + 1) } else { draft };
    let draft = draft.run();
    // From the start, since L1 has put the registers back.
    let draft = if r.rarely(2) { draft.set(Field::RIP, world::L2_CODE).run() } else { draft };
    draft.stgi().step(Step::Window).case()
}

fn events(r: &mut Random, draft: Draft) -> Draft {
    let draft = match r.below(6) {
        0 => draft
            .set(Field::INT_CTL, int_ctl::V_IRQ | int_ctl::V_IGN_TPR)
            .set(Field::INT_VECTOR, 0x60),
        1 => draft.clgi().raise(Event::Intr(0x61)),
        2 => draft.clgi().raise(Event::Nmi),
        3 => draft.set(Field::EVENTINJ, 1 << 31 | *r.one(&[0x62u64, 0x202, 0x306])),
        _ => draft,
    };
    let draft = if r.rarely(4) { draft.set(Field::INT_STATE, 1) } else { draft };
    match r.below(5) {
        0 => draft.poke(world::l2pt::PT + 8, 0),
        1 => draft.needs(&[CpuFeature::Npt]).poke(world::npt::PT + 8, 0),
        2 => draft.intercept(exit::CPUID).intercept(exit::IOIO),
        _ => draft,
    }
}

fn insn(r: &mut Random) -> Insn {
    let at = WATCHED + r.below(12) as u64;
    let pool = [
        Insn::Nop,
        Insn::Load(0, at),
        Insn::Store(at),
        Insn::Store(at),
        Insn::Load(2, at),
        Insn::Pushf,
        Insn::Out { size: 1, port: PORT },
        Insn::In { size: 2, port: PORT },
        Insn::Clgi,
        Insn::Stgi,
        Insn::Sti,
        Insn::Cli,
        Insn::Cpuid,
        Insn::Pause,
        Insn::Int(0x40),
        Insn::Int3,
        Insn::Icebp,
        Insn::Ud2,
        Insn::ReadDr(*r.one(&[0u8, 7]), 2),
        Insn::Sidt,
        Insn::Mov(9, 1),
    ];
    r.one(&pool).clone()
}
