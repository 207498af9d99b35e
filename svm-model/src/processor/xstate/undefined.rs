//! What comes first at an opcode of x87: #UD if it is none, #NM, the #MF that is pending, and
//! then what its operand raises (APM vol. 2, 8.5).

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::pending::{FCW, MF, divide};
use crate::Feature::Intercepts;
use crate::arch::cr0;
use crate::case::listing::{FLD_RBX, FNINIT, FNOP, SET_TS_BY_EAX, raw};
use crate::case::written::fault;
use crate::case::{About, Draft, Insn, Step, world};
use crate::vmcb::{Field, exit};

const UD: u8 = 6;
const NM: u8 = 7;
const EXIT_UD: u64 = exit::EXCP + UD as u64;
const EXIT_NM: u64 = exit::EXCP + NM as u64;
const EXIT_MF: u64 = exit::EXCP + MF as u64;
const EXIT_GP: u64 = exit::EXCP + 13;

/// One of each row of APM vol. 3, table A-15, that has gaps; memory is `[RBX]`. Bytes, because
/// what is no instruction has no name.
const UNDEFINED: &[[u8; 2]] = &[
    [0xd9, 0x0b],
    [0xdb, 0x23],
    [0xdb, 0x33],
    [0xdd, 0x2b],
    [0xd9, 0xd1],
    [0xd9, 0xe2],
    [0xd9, 0xe6],
    [0xd9, 0xef],
    [0xda, 0xe0],
    [0xda, 0xe8],
    [0xda, 0xf0],
    [0xda, 0xf8],
    [0xdb, 0xe5],
    [0xdb, 0xf8],
    [0xdd, 0xf0],
    [0xdd, 0xf8],
    [0xde, 0xd8],
    [0xdf, 0xe1],
    [0xdf, 0xf8],
];

fn draft(id: &str) -> Draft {
    Draft::new(Intercepts, format!("xstate/undefined-{id}"))
        .about(About::Section("8.5"))
        .poke(FCW, 0x37b)
}

pub(crate) fn cases() -> Vec<Draft> {
    let rows = UNDEFINED.iter().flat_map(|bytes| of(*bytes));
    rows.chain(order()).collect()
}

fn of(bytes: [u8; 2]) -> Vec<Draft> {
    let [first, second] = bytes;
    let new = |id: &str| draft(&format!("{first:02x}-{second:02x}-{id}"));
    let l2 = |id, program: &[Insn]| {
        new(id).program(program).intercept(EXIT_UD).intercept(EXIT_NM).intercept(EXIT_MF)
    };
    let pending = l2("pending-in-l2", &[raw(&divide()), raw(&bytes)]);
    vec![
        pending.run().exits(EXIT_UD).at(1).l1(raw(FNINIT), 0),
        l2("ts-in-l2", &[raw(&bytes)]).also(Field::CR0, cr0::TS).run().exits(EXIT_UD).at(0),
        l2("em-in-l2", &[raw(&bytes)]).also(Field::CR0, cr0::EM).run().exits(EXIT_UD).at(0),
        new("pending-in-l1")
            .l1(raw(&[&divide()[..], &bytes].concat()), 0)
            .shows(fault(UD))
            .l1(raw(FNINIT), 0),
        new("ts-in-l1")
            .step(Step::WriteCr(0, world::L1_CR0 | cr0::TS))
            .l1(raw(&bytes), 0)
            .shows(fault(UD))
            .step(Step::WriteCr(0, world::L1_CR0)),
    ]
}

/// The rest of the order, with an #MF pending.
fn order() -> Vec<Draft> {
    let new = |id, program: &[Insn]| {
        let program = [&[raw(&divide())], program].concat();
        let d = draft(&format!("order-{id}")).program(&program);
        d.intercept(EXIT_NM).intercept(EXIT_MF).intercept(EXIT_GP)
    };
    let met = |d: Draft, code, at| d.run().exits(code).at(at).l1(raw(FNINIT), 0);
    vec![
        met(new("nm-before-mf", &[raw(SET_TS_BY_EAX), raw(FNOP)]), EXIT_NM, 2),
        met(new("mf-before-memory", &[Insn::Mov(3, 1 << 50), raw(FLD_RBX)]), EXIT_MF, 2),
    ]
}
