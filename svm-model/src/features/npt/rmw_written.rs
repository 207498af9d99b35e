//! Instructions that store to what they load: the access is a write from the start, so that the
//! fault of an operand that is not there says so (vol. 2, 8.4.2 and 15.25.6).

use alloc::format;
use alloc::vec::Vec;

use super::written::{FULL, PAGE};
use crate::Feature::{Intercepts, Npt};
use crate::arch::{fault, pte};
use crate::case::listing::raw;
use crate::case::{About, Draft, Insn, world};
use crate::cpu::CpuFeature;
use crate::vmcb::{Field, exit};

/// The page's entries in the two tables.
const NESTED: u64 = world::npt::PT + 5 * 8;
const OWN: u64 = world::l2pt::PT + 5 * 8;

/// Instructions with an operand at `[RBX]` that they load and store.
const STORE: [(&str, &[u8]); 16] = [
    ("add", &[0x48, 0x01, 0x03]),
    ("add-imm", &[0x48, 0x83, 0x03, 0x01]),
    ("or-byte", &[0x80, 0x0b, 0x01]),
    ("adc", &[0x11, 0x03]),
    ("inc", &[0x48, 0xff, 0x03]),
    ("not", &[0xf6, 0x13]),
    ("neg-16", &[0x66, 0xf7, 0x1b]),
    ("shl", &[0x48, 0xd1, 0x23]),
    ("rcr", &[0x48, 0xd1, 0x1b]),
    ("shld", &[0x48, 0x0f, 0xa4, 0x03, 0x04]),
    ("bts", &[0x48, 0x0f, 0xba, 0x2b, 0x03]),
    ("btr", &[0x0f, 0xb3, 0x03]),
    ("xadd", &[0x48, 0x0f, 0xc1, 0x03]),
    ("cmpxchg", &[0x48, 0x0f, 0xb1, 0x03]),
    ("cmpxchg8b", &[0x0f, 0xc7, 0x0b]),
    ("lock-add", &[0xf0, 0x48, 0x01, 0x03]),
];

/// Instructions that only load it.
const LOAD: [(&str, &[u8]); 8] = [
    ("cmp", &[0x48, 0x39, 0x03]),
    ("test", &[0x48, 0x85, 0x03]),
    ("add-from", &[0x48, 0x03, 0x03]),
    ("bt", &[0x48, 0x0f, 0xba, 0x23, 0x03]),
    ("imul", &[0x48, 0x0f, 0xaf, 0x03]),
    ("fldenv", &[0xd9, 0x23]),
    ("frstor", &[0xdd, 0x23]),
    ("fldcw", &[0xd9, 0x2b]),
];

pub(crate) fn cases() -> Vec<Draft> {
    let stores = STORE.iter().map(|(name, code)| (*name, *code, fault::W));
    let loads = LOAD.iter().map(|(name, code)| (*name, *code, 0));
    let all = stores
        .chain(loads)
        .flat_map(|(name, code, write)| [nested(name, code, write), own(name, code, write)]);
    all.chain([writable_in_no_table(), read_only()]).collect()
}

fn program(draft: Draft, code: &[u8]) -> Draft {
    draft.program(&[Insn::Mov(3, PAGE), raw(code)])
}

/// The nested table has no such page.
fn nested(name: &str, code: &[u8], write: u64) -> Draft {
    let draft = Draft::new(Npt, format!("npt/operand,{name}")).needs(&[CpuFeature::Npt]);
    program(draft.about(About::Section("15.25.6")), code)
        .poke(NESTED, 0)
        .run()
        .exits(exit::NPF)
        .field(Field::EXITINFO1, fault::FINAL | fault::U | write)
        .field(Field::EXITINFO2, PAGE)
        .at(1)
}

/// L2's own table has none.
fn own(name: &str, code: &[u8], write: u64) -> Draft {
    let draft = Draft::new(Intercepts, format!("page-fault/operand,{name}"));
    program(draft.about(About::Section("8.4.2")), code)
        .poke(OWN, 0)
        .intercept(exit::EXCP + 14)
        .run()
        .exits(exit::EXCP + 14)
        .field(Field::EXITINFO1, write)
        .field(Field::EXITINFO2, PAGE)
        .at(1)
}

/// L2's table has it read-only, and the nested table not at all: L2's own fault comes first.
fn writable_in_no_table() -> Draft {
    let draft = Draft::new(Intercepts, "page-fault/operand,own-first").needs(&[CpuFeature::Npt]);
    program(draft.about(About::Section("15.25.6")), STORE[0].1)
        .poke(OWN, PAGE | FULL & !pte::W)
        .poke(NESTED, 0)
        .intercept(exit::EXCP + 14)
        .run()
        .exits(exit::EXCP + 14)
        .field(Field::EXITINFO1, fault::P | fault::W)
        .at(1)
}

/// The nested table has it read-only.
fn read_only() -> Draft {
    let draft = Draft::new(Npt, "npt/operand,read-only").needs(&[CpuFeature::Npt]);
    program(draft.about(About::Section("15.25.6")), STORE[0].1)
        .poke(NESTED, PAGE | FULL & !pte::W)
        .run()
        .exits(exit::NPF)
        .field(Field::EXITINFO1, fault::FINAL | fault::P | fault::U | fault::W)
        .field(Field::EXITINFO2, PAGE)
        .at(1)
}
