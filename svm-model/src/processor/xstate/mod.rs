//! x87, MMX, SSE and AVX: what their instructions raise under each setting of the control
//! bits, in L1 and in L2, and their registers, which VMRUN and #VMEXIT leave alone.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

mod kept;
pub(crate) mod pending;
mod rows;
mod simd;
pub(crate) mod undefined;

use crate::Feature::Intercepts;
use crate::arch::{cr0, cr4};
use crate::case::code::cleared;
use crate::case::listing::{CLEAR_RCX_RDX, FNINIT, XSETBV, raw};
use crate::case::written;
use crate::case::{About, Draft, Step, world};
use crate::cpu::CpuFeature::{Pku, Xsave, Xsavec, Xsaves};
use crate::outcome::Obs;
use crate::vmcb::{Field, exit};
use rows::{Kind, ROWS, Row};

/// XCR0: x87, SSE and AVX.
pub(super) const XCR0_ALL: u64 = 7;

const UD: u8 = 6;
const NM: u8 = 7;
const GP: u8 = 13;

/// Where RBX points, and how much of it the instructions write.
const OPERAND: u64 = world::gpr(3);
const OPERAND_LEN: u64 = 0x380;

pub(crate) fn cases() -> Vec<Draft> {
    let rows = ROWS.iter().flat_map(|row| [in_l1(row), in_l2(row, false), in_l2(row, true)]);
    rows.chain(kept::cases()).chain(pending::cases()).chain(simd::cases()).collect()
}

/// One setting of the control bits.
#[derive(Clone, Copy)]
struct Control {
    /// Of CR0: MP, EM and TS.
    cr0: u64,
    /// Of CR4: OSFXSR and OSXSAVE.
    cr4: u64,
    xcr0: u64,
}

/// Every setting. Without OSXSAVE, XCR0 is what it was last, which then is all.
fn controls() -> impl Iterator<Item = Control> {
    let xsave = [(cr4::OSXSAVE, 1), (cr4::OSXSAVE, 3), (cr4::OSXSAVE, XCR0_ALL), (0, XCR0_ALL)];
    xsave.into_iter().flat_map(|(osxsave, xcr0)| {
        (0..16).map(move |n| Control {
            cr0: (n & 7) << 1,
            cr4: osxsave | if n & 8 == 0 { cr4::OSFXSR } else { 0 },
            xcr0,
        })
    })
}

impl Control {
    const fn has(&self, cr0: u64) -> bool {
        self.cr0 & cr0 != 0
    }

    /// The vector that the instruction raises, if any.
    fn raises(&self, row: &Row) -> Option<u8> {
        let no_xsave = self.cr4 & cr4::OSXSAVE == 0;
        let (ud, nm) = match row.kind {
            Kind::X87 => (false, self.has(cr0::EM | cr0::TS)),
            Kind::Wait => (false, self.has(cr0::MP) && self.has(cr0::TS)),
            Kind::Mmx => (self.has(cr0::EM), self.has(cr0::TS)),
            Kind::Sse => (self.has(cr0::EM) || self.cr4 & cr4::OSFXSR == 0, self.has(cr0::TS)),
            Kind::Avx => (no_xsave || self.xcr0 & 6 != 6, self.has(cr0::TS)),
            Kind::Xsave => (no_xsave, self.has(cr0::TS)),
            Kind::Xcr => (no_xsave, false),
            Kind::Other => (false, false),
            Kind::Absent => (true, false),
        };
        match (ud, nm) {
            (true, _) => Some(UD),
            (false, true) => Some(NM),
            (false, false) => row.misaligned.then_some(GP),
        }
    }

    /// RAX: XSETBV's is what XCR0 is.
    fn rax(&self, row: &Row) -> u64 {
        if row.name == "xsetbv" { self.xcr0 } else { row.rax }
    }
}

/// XSETBV of XCR0 to EAX by L1, which has OSXSAVE for it.
pub(super) fn set_xcr0(draft: Draft, xcr0: u64) -> Draft {
    draft
        .step(Step::WriteCr(4, world::L1_CR4 | cr4::OSXSAVE))
        .l1(raw(&[CLEAR_RCX_RDX, XSETBV].concat()), xcr0)
        .step(Step::WriteCr(4, world::L1_CR4))
}

/// A case of that row, with the operand and the x87 state in order.
fn of(row: &Row, place: &str) -> Draft {
    let new = Draft::new(Intercepts, format!("xstate/{}-{place}", row.name))
        .about(About::Section("15.12.8"));
    let new = match (row.kind, row.name) {
        (Kind::Other, _) if row.zeroed => new.needs(&[Pku]),
        (Kind::Absent, "xsavec") => new.without(&[Xsavec]),
        (Kind::Absent, _) => new.without(&[Xsaves]),
        _ => new,
    };
    let new = cleared(new.needs(&[Xsave]), OPERAND, OPERAND_LEN);
    let new = row.mem.iter().fold(new, |d, (at, value)| d.poke(OPERAND + at, *value));
    new.l1(raw(FNINIT), 0)
}

/// CR4 bits that are no part of the question.
fn other_cr4(row: &Row) -> u64 {
    if row.kind == Kind::Other && row.zeroed { cr4::PKE } else { 0 }
}

/// L1 executes it under each setting. CR0 is read behind each, so that what was
/// raised is known to be of that setting.
fn in_l1(row: &Row) -> Draft {
    let before: &[u8] = if row.zeroed { CLEAR_RCX_RDX } else { &[] };
    let code = raw(&[before, row.bytes].concat());
    let cr4 = world::L1_CR4 & !cr4::OSFXSR | other_cr4(row);
    let end = controls().fold(of(row, "in-l1"), |d, control| {
        let cr0 = world::L1_CR0 & !cr0::MP | control.cr0;
        let d = set_xcr0(d, control.xcr0)
            .step(Step::WriteCr(4, cr4 | control.cr4))
            .step(Step::WriteCr(0, cr0))
            .l1(code.clone(), control.rax(row));
        let d = match control.raises(row) {
            Some(GP) => d.shows(written::GP),
            Some(vector) => d.shows(written::fault(vector)),
            None => d,
        };
        d.step(Step::ReadCr(0)).shows(Obs::Value(cr0)).step(Step::WriteCr(0, world::L1_CR0))
    });
    set_xcr0(end, 1)
}

/// L2 executes it under each setting, with the exceptions intercepted or not.
fn in_l2(row: &Row, intercepted: bool) -> Draft {
    let place = if intercepted { "in-l2-intercepted" } else { "in-l2" };
    let insn = raw(row.bytes);
    let program = if row.zeroed { vec![raw(CLEAR_RCX_RDX), insn] } else { vec![insn] };
    let at = program.len() - 1;
    let new = of(row, place).program(&program);
    let new = match intercepted {
        true => [UD, NM, GP].iter().fold(new, |d, v| d.intercept(exit::EXCP + u64::from(*v))),
        false => new,
    };
    let mut last = 0;
    let end = controls().fold(new, |d, control| {
        let d = if control.xcr0 == last { d } else { set_xcr0(d, control.xcr0) };
        last = control.xcr0;
        let d = d
            .set(Field::CR0, world::L1_CR0 & !cr0::MP | control.cr0)
            .set(Field::CR4, cr4::PAE | other_cr4(row) | control.cr4)
            .set(Field::RIP, world::L2_CODE)
            .set(Field::RSP, world::L2_STACK)
            .set(Field::RFLAGS, 2)
            .set(Field::RAX, control.rax(row))
            .run();
        let rip = d.rip(at);
        match control.raises(row) {
            None => d.ends(),
            Some(vector) if intercepted => d.exits(exit::EXCP + u64::from(vector)).at(at),
            Some(vector) => d.takes(vector, 0, rip),
        }
    });
    set_xcr0(end, 1)
}
