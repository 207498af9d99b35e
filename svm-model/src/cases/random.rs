//! Random walks: a valid VMCB, a handful of changes, a short program. The
//! changes are drawn from what interacts, so that most walks get somewhere.

use alloc::format;
use alloc::vec::Vec;

use super::Cases;
use crate::Feature;
use crate::arch::msr;
use crate::case::draft::{Draft, baseline};
use crate::case::{Case, Event, Insn, Step, world};
use crate::outcome::Obs;
use crate::vmcb::Field;
use crate::{coverage, model};

/// How many random cases the default run has.
pub const COUNT: usize = 2000;

/// A small generator of good numbers (SplitMix64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// Below `n`, which is not zero.
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    /// One of a list that is not empty.
    pub fn one<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    /// True one time in `n`.
    pub fn rarely(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

pub(crate) fn cases(out: &mut Cases, seed: u64, count: usize) {
    out.extend(walks(seed, count));
}

/// The first `count` random cases of a seed of which the manual says anything.
pub fn walks(seed: u64, count: usize) -> Vec<Case> {
    (0..).map(|n| walk(seed, n)).filter(tells).take(count).collect()
}

/// Whether the manual says anything of what the case leads to.
pub(crate) fn tells(case: &Case) -> bool {
    let open = |p| model::run(case, &p).obs.first() == Some(&Obs::Open);
    !coverage::platforms_for(case).into_iter().any(open)
}

/// The `n`th random case of a seed.
pub fn walk(seed: u64, n: u64) -> Case {
    let mut random = Random::new(seed ^ n.wrapping_mul(0xd134_2543_de82_ef95));
    let mut draft = Draft::new(Feature::Intercepts, format!("random/{seed:#x}-{n}"));
    let program: Vec<Insn> = (0..random.below(5)).map(|_| insn(&mut random)).collect();
    draft = draft.program(&program);
    for _ in 0..random.below(6) {
        draft = change(&mut random, draft);
    }
    if random.rarely(3) {
        draft = draft.clgi().raise(Event::Intr(0x51));
        draft = also(draft, Field::INTERCEPT_MISC1, 1);
        if random.rarely(2) {
            draft = draft.step(Step::Rflags(0x202));
        }
    }
    let draft = draft.run();
    let draft = if random.rarely(3) { draft.run() } else { draft };
    draft.step(Step::Rflags(2)).stgi().step(Step::Window).case()
}

fn insn(r: &mut Random) -> Insn {
    let gpr = *r.one(&[0u8, 1, 2, 3, 8, 15]);
    let page = world::DATA + r.below(8) as u64 * 0x1000 + 0x40;
    let pool = [
        Insn::Nop,
        Insn::Mov(gpr, r.bits() >> r.below(64)),
        Insn::Load(0, page),
        Insn::Store(page),
        Insn::Ud2,
        Insn::Int3,
        Insn::Int(*r.one(&[0x40u8, 6, 13, 0x80])),
        Insn::Icebp,
        Insn::Cpuid,
        Insn::Pause,
        Insn::Sti,
        Insn::Cli,
        Insn::Stgi,
        Insn::Clgi,
        Insn::Vmmcall,
        Insn::ReadCr(*r.one(&[0u8, 2, 3, 4, 8]), gpr),
        Insn::WriteCr(8, gpr),
        Insn::ReadDr(*r.one(&[0u8, 1, 6, 7]), gpr),
        Insn::Rdmsr(*r.one(&[msr::EFER, msr::KERNEL_GS_BASE, 0x277])),
        Insn::Out { size: *r.one(&[1u8, 2, 4]), port: *r.one(&[0x7eu16, 0x2f7, 0xffff]) },
        Insn::Invlpg(page),
        Insn::Smsw(0),
        Insn::Clts,
        Insn::Pushf,
        Insn::Wbinvd,
        Insn::Divide,
        Insn::Invlpga,
    ];
    r.one(&pool).clone()
}

fn change(r: &mut Random, draft: Draft) -> Draft {
    match r.below(12) {
        0 => also(draft, Field::INTERCEPT_MISC1, r.bits() & 0x3fff_ffef),
        1 => also(draft, Field::INTERCEPT_MISC2, r.bits() & 0x3ff),
        2 => draft.set(Field::INTERCEPT_EXCEPTIONS, r.bits() & r.bits() & 0xffff_ffff),
        3 => draft.set(Field::INTERCEPT_CR_READ, r.bits() & 0xffff),
        4 => draft.set(Field::INTERCEPT_DR_READ, r.bits() & 0xffff),
        5 => {
            let bits = r.bits();
            let int_ctl = bits & 0x011f_010f;
            draft.set(Field::INT_CTL, int_ctl).set(Field::INT_VECTOR, 0x20 + r.below(0xe0) as u64)
        }
        6 => draft.set(Field::RFLAGS, *r.one(&[2u64, 0x202, 0x8d7, 0x3202])),
        7 => draft.set(Field::INT_STATE, r.below(2) as u64),
        8 => {
            let event = *r.one(&[0x31u64, 0x202, 0x306, 0xb0d, 0xb0e, 0x302, 0x320, 0x120]);
            draft.set(Field::EVENTINJ, 1 << 31 | event | (r.bits() & 0xff) << 32)
        }
        9 => {
            let entry = world::npt::PT + r.below(8) as u64 * 8;
            let page = world::DATA + (entry - world::npt::PT) / 8 * 0x1000;
            draft.poke(entry, page | 0x60 | *r.one(&[7u64, 6, 5, 3, 1 << 63 | 7, 1 << 51 | 7]))
        }
        10 => {
            let n = r.below(8) as u64;
            draft.poke(
                world::l2pt::PT + n * 8,
                (world::DATA + n * 0x1000) | 0x60 | *r.one(&[7u64, 6, 5, 3, 1 << 51 | 7]),
            )
        }
        _ => invalid(r, draft),
    }
}

fn invalid(r: &mut Random, draft: Draft) -> Draft {
    let (field, value) = *r.one(&[
        (Field::GUEST_ASID, 0),
        (Field::CR0, 0xa001_0033),
        (Field::EFER, 0x1d00 | 1 << 33),
        (Field::DR7, 1 << 40),
        (Field::IOPM_BASE_PA, world::IOPM | 0x10),
        (Field::CS_ATTRIB, 0xe9b),
        (Field::RAX, 0x1234),
        (Field::CR2, 0x9876),
    ]);
    if r.rarely(2) { draft.set(field, value) } else { draft }
}

/// Sets bits of a VMCB field on top of the baseline's, whatever was written before.
fn also(draft: Draft, field: Field, bits: u64) -> Draft {
    draft.set(field, baseline(field) | bits)
}
