//! An x87 exception that is pending: #MF at the next instruction of x87 or MMX that waits for
//! it (APM vol. 5, the instructions' pages).

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::rows::{Kind, ROWS, Row};
use super::{OPERAND, OPERAND_LEN, cleared};
use crate::Feature::Intercepts;
use crate::arch::cr4;
use crate::case::listing::{
    DIVIDE_BY_ZERO, FLDCW_RSI, FLDZ, FNINIT, FNOP, FNSTCW_RDI, FNSTENV_RBX, raw,
};
use crate::case::written::fault;
use crate::case::{About, Draft, world};
use crate::vmcb::{Field, exit};

pub(crate) const MF: u8 = 16;
/// Where RSI points: a control word that unmasks #ZE.
pub(crate) const FCW: u64 = world::gpr(6);
/// Leaves #ZE pending.
pub(crate) fn divide() -> Vec<u8> {
    [FNINIT, FLDCW_RSI, DIVIDE_BY_ZERO].concat()
}

/// x87 instructions that do not wait.
const AT_ONCE: &[&str] = &[
    "fninit",
    "fnclex",
    "fnstcw",
    "fnstsw-ax",
    "fnstenv",
    "fnsave",
    "fxsave",
    "fxsave64",
    "fxrstor",
];
/// Those of SSE that have an MMX register for an operand.
const MIXED: &[&str] = &[
    "cvtpi2ps",
    "cvtpi2pd",
    "cvtps2pi",
    "cvtpd2pi",
    "cvttps2pi",
    "cvttpd2pi",
    "movq2dq",
    "movdq2q",
];

fn waits(row: &Row) -> bool {
    match row.kind {
        Kind::X87 => !AT_ONCE.contains(&row.name),
        Kind::Wait | Kind::Mmx => true,
        _ => MIXED.contains(&row.name),
    }
}

pub(crate) fn cases() -> Vec<Draft> {
    let rows = ROWS.iter().filter(|row| !row.misaligned && !row.zeroed).flat_map(of);
    rows.chain(control_word()).collect()
}

fn draft(row: &Row, place: &str) -> Draft {
    let new = Draft::new(Intercepts, format!("xstate/pending-{}-{place}", row.name))
        .about(About::Section("15.12.16"));
    let new = cleared(new.poke(FCW, 0x37b), OPERAND, OPERAND_LEN);
    row.mem.iter().fold(new, |d, (at, value)| d.poke(OPERAND + at, *value))
}

/// In L1, in L2, and in L2 with the intercept. XSAVE and AVX are off where the
/// rest is asked, so they are left out; they do not wait, which [`Kind::Sse`] shows too.
fn of(row: &Row) -> Vec<Draft> {
    if matches!(row.kind, Kind::Avx | Kind::Xsave | Kind::Xcr | Kind::Absent) {
        return Vec::new();
    }
    let in_l1 = draft(row, "in-l1").l1(raw(&[&divide(), row.bytes].concat()), row.rax);
    let in_l1 = if waits(row) { in_l1.shows(fault(MF)) } else { in_l1 };
    let in_l2 = |place| {
        draft(row, place)
            .program(&[raw(&divide()), raw(row.bytes)])
            .set(Field::CR4, cr4::PAE | cr4::OSFXSR | cr4::OSXSAVE)
            .set(Field::RAX, row.rax)
    };
    let (intercept, taken) = (in_l2("in-l2-intercepted"), in_l2("in-l2"));
    let intercept = intercept.intercept(exit::EXCP + u64::from(MF)).run();
    let taken = taken.run();
    let rip = taken.rip(1);
    let all = if waits(row) {
        vec![in_l1, intercept.exits(exit::EXCP + u64::from(MF)).at(1), taken.takes(MF, 0, rip)]
    } else {
        vec![in_l1, intercept.ends()]
    };
    all.into_iter().map(|d| d.l1(raw(FNINIT), 0)).collect()
}

/// What is pending follows the control word: FNSTENV masks everything behind the
/// store, and FLDCW makes pending what it unmasks.
fn control_word() -> Vec<Draft> {
    let unmask = [FNINIT, DIVIDE_BY_ZERO, FLDCW_RSI].concat();
    let found = world::gpr(7);
    let new = |id: &str| {
        let new = Draft::new(Intercepts, format!("xstate/pending-{id}"))
            .about(About::Section("15.12.16"));
        cleared(new.poke(FCW, 0x37b).poke(found, 0), OPERAND, 0x20)
    };
    let code = exit::EXCP + u64::from(MF);
    let stored = [&divide(), FNSTENV_RBX, FLDZ, FNSTCW_RDI].concat();
    let all = [
        new("fnstenv-masks-in-l1").l1(raw(&stored), 0).peek(found).value(0x37f),
        new("fnstenv-masks-in-l2")
            .program(&[raw(&stored)])
            .intercept(code)
            .run()
            .ends()
            .peek(found)
            .value(0x37f),
        new("fldcw-unmasks-in-l1").l1(raw(&[&unmask, FNOP].concat()), 0).shows(fault(MF)),
        new("fldcw-unmasks-in-l2")
            .program(&[raw(&unmask), raw(FNOP)])
            .intercept(code)
            .run()
            .exits(code)
            .at(1),
    ];
    all.into_iter().map(|d| d.l1(raw(FNINIT), 0)).collect()
}
