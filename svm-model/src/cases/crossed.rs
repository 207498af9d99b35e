//! Crossed cases: one of the other families' cases with parts of others put in, so that what no
//! family thought of together comes together, in every mode that any of them knows.

use alloc::format;
use alloc::vec::Vec;

use super::random::Random;
use super::{Cases, FAMILIES, distinct};
use crate::Feature;
use crate::arch::int_ctl;
use crate::case::draft::baseline;
use crate::case::{Board, Case, Insn, Step, encode, world};
use crate::vmcb::Field;
use crate::{coverage, model};

/// How many crossed cases the default run has.
pub const COUNT: usize = 2000;

/// Most instructions of a program, and most steps, that may still grow.
const LONG: usize = 24;

/// What is crossed: the cases of the families that no seed steers.
#[derive(Clone, Debug)]
pub struct Pool(Vec<Case>);

impl Default for Pool {
    fn default() -> Pool {
        let mut all = Vec::new();
        for family in FAMILIES.iter().filter(|f| !f.is_random()) {
            (family.build)(&mut all, 0, 0);
        }
        all.retain(|case| case.cpu.board == Board::Small && runs(case));
        Pool(distinct(all))
    }
}

/// Whether the case keeps to its own memory, so that the next one finds what it must. The manual
/// then says something of all that it does.
fn contained(case: &Case) -> bool {
    // An interrupt in L1 needs the TSS, which L2 may have changed.
    let loads = case.program.iter().any(|i| matches!(i, Insn::Vmload | Insn::Ltr(_)));
    let events = |s: &Step| matches!(s, Step::Raise(_) | Step::Window);
    if loads && case.steps.iter().any(events) {
        return false;
    }
    coverage::platforms_for(case).iter().all(|p| model::footprint(case, p).contained)
}

fn runs(case: &Case) -> bool {
    case.steps.iter().any(|s| matches!(s, Step::Vmrun(_)))
}

impl Pool {
    /// The first `count` crossed cases of a seed of which the manual says anything.
    pub fn cases(&self, seed: u64, count: usize) -> impl Iterator<Item = Case> {
        (0..).map(move |n| self.case(seed, n)).filter(contained).take(count)
    }

    /// The `n`th crossed case of a seed.
    pub fn case(&self, seed: u64, n: u64) -> Case {
        let mut r = Random::new(seed.rotate_left(17) ^ n.wrapping_mul(0xa076_1d64_78bd_642f));
        let mut case = r.one(&self.0).clone();
        case.id = format!("crossed/{seed:#x}-{n}");
        case.feature = Feature::Intercepts;
        for _ in 0..1 + r.below(5) {
            let other = r.one(&self.0);
            self.cross(&mut r, &mut case, other);
        }
        case
    }

    fn cross(&self, r: &mut Random, case: &mut Case, other: &Case) {
        match r.below(20) {
            0..6 => instruction(r, case, other),
            6..14 => step(r, case, other),
            14..16 => flip(r, case),
            16..18 => again(r, case),
            18 => {
                case.cpu.without = case.cpu.without.union(other.cpu.without);
                case.cpu.needs = case.cpu.needs.union(other.cpu.needs);
            }
            _ if mode(case) == "32-bit, paged" => narrow(case),
            _ if r.rarely(4) => twin(r, case),
            _ => {}
        }
    }
}

/// What decides how L2's instructions are written down and what they mean.
#[derive(PartialEq, Eq)]
struct Mode {
    code: u64,
    long: bool,
    cr0: u64,
    virtual_8086: bool,
}

impl Mode {
    /// Of the VMCB as the last of `steps` leave it.
    fn of(steps: &[Step]) -> Mode {
        let last = |field| {
            let written = steps.iter().rev().find_map(|s| match s {
                Step::Vmcb(f, value) if *f == field => Some(*value),
                _ => None,
            });
            written.unwrap_or_else(|| baseline(field))
        };
        Mode {
            code: last(Field::CS_ATTRIB) >> 9 & 3,
            long: last(Field::EFER) >> 8 & 1 == 1,
            cr0: last(Field::CR0) & 0x8000_0001,
            virtual_8086: last(Field::RFLAGS) >> 17 & 1 == 1,
        }
    }

    fn name(&self) -> &'static str {
        match (self.cr0 & 1, self.cr0 >> 31, self.long, self.code) {
            (0, ..) => "real",
            _ if self.virtual_8086 && !self.long => "virtual 8086",
            (_, 1, true, 1) => "64-bit",
            (_, 1, true, _) => "compatibility",
            (_, 1, _, 2 | 3) => "32-bit, paged",
            (_, 1, _, _) => "16-bit, paged",
            (_, _, _, 2 | 3) => "32-bit, not paged",
            _ => "16-bit, not paged",
        }
    }

    /// 64-bit mode, for which operands are loaded.
    fn is_wide(&self) -> bool {
        self.code == 1 && self.long && self.cr0 == 0x8000_0001
    }
}

/// The mode in which L2 starts, in words.
pub fn mode(case: &Case) -> &'static str {
    Mode::of(&case.steps).name()
}

/// Puts an instruction of `other` into the program, with the loads in front of it.
fn instruction(r: &mut Random, case: &mut Case, other: &Case) {
    let mode = Mode::of(&case.steps);
    if other.program.is_empty() || case.program.len() > LONG || mode != Mode::of(&other.steps) {
        return;
    }
    let end = r.below(other.program.len());
    // A load of a register means something to what follows it.
    let loads =
        other.program[..end].iter().rev().take_while(|i| matches!(i, Insn::Mov(..))).count();
    let part = &other.program[end - loads..=end];
    let plain = |i: &Insn| encode::length(i).setup == 0 && !matches!(i, Insn::Mov(..));
    if mode.is_wide() || part.iter().all(plain) {
        let at = r.below(case.program.len() + 1);
        case.program.splice(at..at, part.iter().cloned());
    }
}

/// Puts a step of `other` in front of one of the case's, if L2 stays in its mode.
fn step(r: &mut Random, case: &mut Case, other: &Case) {
    let step = r.one(&other.steps).clone();
    if matches!(step, Step::Vmrun(_)) || case.steps.len() > LONG {
        return;
    }
    let before = Mode::of(&case.steps);
    let mut steps = case.steps.clone();
    let last_run = steps.iter().rposition(|s| matches!(s, Step::Vmrun(_))).unwrap_or(0);
    let at = if r.rarely(3) { r.below(steps.len() + 1) } else { r.below(last_run + 1) };
    steps.insert(at, step);
    if Mode::of(&steps) == before {
        case.steps = steps;
    }
}

/// Flips a bit of a field of the VMCB, or of what a step writes.
fn flip(r: &mut Random, case: &mut Case) {
    let before = Mode::of(&case.steps);
    let mut steps = case.steps.clone();
    if r.rarely(2) {
        let at = r.below(steps.len());
        match &mut steps[at] {
            Step::Vmcb(field, value) => *value ^= bit(r, *field),
            Step::Mem { width, value, .. } => *value ^= 1 << r.below(usize::from(*width) * 8),
            Step::Rflags(value) => *value ^= *r.one(&[0x100u64, 0x200]),
            _ => {}
        }
    } else {
        let field = *r.one(Field::ALL);
        let run = steps.iter().position(|s| matches!(s, Step::Vmrun(_))).unwrap_or(0);
        let value = baseline(field) ^ bit(r, field);
        steps.insert(run, Step::Vmcb(field, value));
    }
    if Mode::of(&steps) == before {
        case.steps = steps;
    }
}

/// A bit of a field; none of which the manual does not say what becomes of it.
fn bit(r: &mut Random, field: Field) -> u64 {
    let within = |r: &mut Random, bits: usize| 1 << r.below(bits);
    match field {
        Field::INT_STATE => within(r, 2),
        // Above the size that the mode gives an instruction pointer.
        Field::RIP => within(r, 24),
        Field::INT_CTL => *r.one(&INT_CTL),
        // The reserved ones are ignored.
        Field::CR0 => *r.one(&CR0),
        Field::DBGCTL => within(r, 6),
        _ => within(r, usize::from(field.width()).min(8) * 8),
    }
}

/// The bits of CR0 that are defined, PE and PG apart, and one that must be zero.
const CR0: [u64; 9] = [1 << 1, 1 << 2, 1 << 3, 1 << 4, 1 << 5, 1 << 16, 1 << 18, 1 << 29, 1 << 40];

/// The control bits of virtual interrupts, and two of V_TPR and V_INTR_PRIO each.
const INT_CTL: [u64; 12] = [
    1,
    8,
    int_ctl::V_IRQ,
    int_ctl::V_GIF,
    int_ctl::V_NMI,
    int_ctl::V_NMI_MASK,
    1 << 16,
    8 << 16,
    int_ctl::V_IGN_TPR,
    int_ctl::V_INTR_MASKING,
    int_ctl::V_GIF_ENABLE,
    int_ctl::V_NMI_ENABLE,
];

/// Runs L2 again, at times behind the instruction that it left at, or lets an event in.
fn again(r: &mut Random, case: &mut Case) {
    let Some(run) = case.steps.iter().rposition(|s| matches!(s, Step::Vmrun(_))) else { return };
    let vmrun = case.steps[run].clone();
    match r.below(3) {
        0 => case.steps.insert(run + 1, vmrun),
        1 => {
            let rip = crate::case::draft::rip(&case.program, r.below(case.program.len() + 1));
            case.steps.splice(run + 1..run + 1, [Step::Vmcb(Field::RIP, rip), vmrun]);
        }
        _ => case.steps.extend([Step::Rflags(2), Step::L1(Insn::Stgi, 0), Step::Window]),
    }
}

/// Gives L2's code 16 bits, where its instructions have the same bytes then.
fn narrow(case: &mut Case) {
    let same = |i: &Insn| {
        let operand = matches!(i, Insn::Mov(..) | Insn::Mov32(..) | Insn::TaskJump(_));
        !operand && encode::length(i).setup == 0
    };
    if !case.program.iter().all(same) {
        return;
    }
    let first = case.steps.iter().position(|s| matches!(s, Step::Vmrun(_))).unwrap_or(0);
    let attrib = case.steps[..first].iter().rev().find_map(|s| match s {
        Step::Vmcb(Field::CS_ATTRIB, value) => Some(*value),
        _ => None,
    });
    let attrib = attrib.unwrap_or_else(|| baseline(Field::CS_ATTRIB));
    case.steps.insert(first, Step::Vmcb(Field::CS_ATTRIB, attrib & !0x400));
}

/// Runs a second VMCB behind or in front of the first: the baseline's, at times under an ASID of
/// its own.
fn twin(r: &mut Random, case: &mut Case) {
    let Some(run) = case.steps.iter().position(|s| matches!(s, Step::Vmrun(_))) else { return };
    let at = if r.rarely(2) { run } else { run + 1 };
    let asid = 1 + u64::from(r.rarely(2));
    let fields = world::BASELINE.iter().map(|&(field, value)| Step::Mem {
        pa: world::VMCB2 + u64::from(field.offset()),
        width: field.width(),
        value: if field == Field::GUEST_ASID { asid } else { value },
    });
    let steps: Vec<Step> = fields.chain([Step::Vmrun(world::VMCB2)]).collect();
    case.steps.splice(at..at, steps);
}

/// The `n`th crossed case of a seed.
pub(super) fn walk(seed: u64, n: u64) -> Case {
    Pool::default().case(seed, n)
}

pub(crate) fn cases(out: &mut Cases, seed: u64, count: usize) {
    if count > 0 {
        out.extend(Pool::default().cases(seed, count));
    }
}
