//! What cases are made of, counted: a line of the table that stays at zero is a question that
//! nobody asks.
//!
//! What a case cannot say is no line: modes of L1 other than 64-bit mode, and machine checks. The
//! written cases have them, as code in bytes that the model does not look into.

use crate::arch::{cr4, debugctl, efer, flag, int_ctl};
use crate::case::draft::baseline;
use crate::case::{Case, Event, Insn, Step, world};
use crate::vmcb::Field;

use super::crossed;

/// How often each kind of instruction, each mode, and all else of the table was drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    insns: [u64; Insn::KINDS.len()],
    lines: [u64; LINES.len()],
}

impl Default for Drawn {
    fn default() -> Drawn {
        Drawn { insns: [0; Insn::KINDS.len()], lines: [0; LINES.len()] }
    }
}

impl Drawn {
    /// Counts a case.
    pub fn count(&mut self, case: &Case) {
        let in_l1 = case.steps.iter().filter_map(|s| match s {
            Step::L1(insn, _) => Some(insn),
            _ => None,
        });
        case.program.iter().chain(in_l1).for_each(|insn| self.insns[insn.kind()] += 1);
        let view = View(case);
        for ((_, drawn), count) in LINES.iter().zip(&mut self.lines) {
            *count += u64::from(drawn(&view));
        }
    }

    /// Adds what another has counted.
    pub fn add(&mut self, other: &Drawn) {
        self.insns.iter_mut().zip(other.insns).for_each(|(a, b)| *a += b);
        self.lines.iter_mut().zip(other.lines).for_each(|(a, b)| *a += b);
    }

    /// The table: what, and how often.
    pub fn table(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let lines = LINES.iter().map(|(name, _)| *name).zip(self.lines);
        // Bytes that the model does not look into are in no case that it says anything of.
        let insns = Insn::KINDS.iter().copied().zip(self.insns).filter(|(kind, _)| *kind != "Raw");
        lines.chain(insns)
    }
}

/// A case, as the lines of the table look at it.
struct View<'a>(&'a Case);

impl View<'_> {
    /// The values that a field of the VMCB has in the course of the case.
    fn values(&self, field: Field) -> impl Iterator<Item = u64> + '_ {
        let written = self.0.steps.iter().filter_map(move |s| match s {
            Step::Vmcb(f, value) if *f == field => Some(*value),
            _ => None,
        });
        core::iter::once(baseline(field)).chain(written)
    }

    /// Whether the field has a bit of `bits` at some time.
    fn sets(&self, field: Field, bits: u64) -> bool {
        self.values(field).any(|v| v & bits != 0)
    }

    /// Whether the field has no bit of `bits` at some time.
    fn clears(&self, field: Field, bits: u64) -> bool {
        self.values(field).any(|v| v & bits == 0)
    }

    fn mode(&self, name: &str) -> bool {
        crossed::mode(self.0) == name
    }

    fn step(&self, is: impl Fn(&Step) -> bool) -> bool {
        self.0.steps.iter().any(is)
    }

    /// Whether memory there is written.
    fn writes(&self, from: u64, to: u64) -> bool {
        self.step(|s| matches!(s, Step::Mem { pa, .. } if (from..to).contains(pa)))
    }

    fn runs(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        self.0.steps.iter().enumerate().filter_map(|(n, s)| match s {
            Step::Vmrun(pa) => Some((n, *pa)),
            _ => None,
        })
    }

    /// Whether L1 writes page tables between two runs of L2.
    fn remaps(&self) -> bool {
        let (Some(first), Some(last)) = (self.runs().next(), self.runs().last()) else {
            return false;
        };
        self.0.steps[first.0..=last.0]
            .iter()
            .any(|s| matches!(s, Step::Mem { pa, .. } if world::table_entry(*pa).is_some()))
    }

    /// Whether a data or stack segment has one of these attributes.
    fn segment(&self, is: impl Fn(u64) -> bool) -> bool {
        const SEGMENTS: [Field; 4] =
            [Field::SS_ATTRIB, Field::DS_ATTRIB, Field::ES_ATTRIB, Field::FS_ATTRIB];
        SEGMENTS.iter().any(|field| self.values(*field).any(&is))
    }
}

const PRESENT: u64 = 1 << 7;
const VALID: u64 = 1 << 31;

/// Whether a case is to be counted in a line.
type Is = fn(&View<'_>) -> bool;

/// The lines that are not instructions.
const LINES: [(&str, Is); 44] = [
    ("mode: real", |v| v.mode("real")),
    ("mode: virtual 8086", |v| v.mode("virtual 8086")),
    ("mode: 16-bit, not paged", |v| v.mode("16-bit, not paged")),
    ("mode: 32-bit, not paged", |v| v.mode("32-bit, not paged")),
    ("mode: 16-bit, paged", |v| v.mode("16-bit, paged")),
    ("mode: 32-bit, paged", |v| v.mode("32-bit, paged")),
    ("mode: PAE without long mode", |v| {
        v.mode("32-bit, paged") && v.clears(Field::EFER, efer::LME) && v.sets(Field::CR4, cr4::PAE)
    }),
    ("mode: compatibility", |v| v.mode("compatibility")),
    ("mode: 64-bit", |v| v.mode("64-bit")),
    ("CPL 3", |v| v.sets(Field::CPL, 3) || v.sets(Field::SS_ATTRIB, 0x60)),
    ("LA57", |v| v.sets(Field::CR4, cr4::LA57)),
    ("nested paging off", |v| v.clears(Field::NESTED_CTL, 1)),
    ("nested tables written", |v| v.writes(world::NPT, world::NPT + 0x4000)),
    ("L2's tables written", |v| v.writes(world::L2PT, world::L2PT + 0x4000)),
    ("tables written between runs", |v| v.remaps()),
    ("L2 run again", |v| v.runs().count() > 1),
    ("another VMCB", |v| v.runs().any(|(_, pa)| pa == world::VMCB2)),
    ("another ASID", |v| v.values(Field::GUEST_ASID).any(|asid| asid > 1)),
    ("TLB control", |v| v.values(Field::TLB_CONTROL).any(|c| c != 1)),
    ("single-step", |v| v.sets(Field::RFLAGS, flag::TF)),
    ("single-step on branches", |v| v.sets(Field::DBGCTL, debugctl::BTF)),
    ("breakpoint 0", |v| v.sets(Field::DR7, 0x3)),
    ("breakpoint 1", |v| v.sets(Field::DR7, 0xc)),
    ("breakpoint 2", |v| v.sets(Field::DR7, 0x30)),
    ("breakpoint 3", |v| v.sets(Field::DR7, 0xc0)),
    ("L1 writes a debug register", |v| v.step(|s| matches!(s, Step::WriteDr(..)))),
    ("segment not present", |v| v.segment(|a| a & PRESENT == 0)),
    ("segment that expands down", |v| v.segment(|a| a & 0x1c == 0x14)),
    ("conforming code", |v| v.values(Field::CS_ATTRIB).any(|a| a & 0x1c == 0x1c)),
    ("segment limit", |v| {
        [Field::CS_LIMIT, Field::SS_LIMIT, Field::DS_LIMIT]
            .iter()
            .any(|f| v.values(*f).any(|limit| limit != 0xffff_ffff))
    }),
    ("L2's GDT written", |v| v.writes(world::L2_GDT, world::L2_GDT + 0x1000)),
    ("I/O permission map", |v| v.writes(world::IOPM, world::IOPM + 0x3000)),
    ("MSR permission map", |v| v.writes(world::MSRPM, world::MSRPM + 0x2000)),
    ("feature off", |v| v.0.cpu.without.iter().next().is_some()),
    ("event: interrupt", |v| v.step(|s| matches!(s, Step::Raise(Event::Intr(_))))),
    ("event: NMI", |v| v.step(|s| matches!(s, Step::Raise(Event::Nmi)))),
    ("event: INIT", |v| v.step(|s| matches!(s, Step::Raise(Event::Init)))),
    ("event: SMI", |v| v.step(|s| matches!(s, Step::Raise(Event::Smi)))),
    ("virtual interrupt", |v| v.sets(Field::INT_CTL, int_ctl::V_IRQ)),
    ("virtual NMI", |v| v.sets(Field::INT_CTL, int_ctl::V_NMI_ENABLE)),
    ("virtual GIF", |v| v.sets(Field::INT_CTL, int_ctl::V_GIF_ENABLE)),
    ("injected event", |v| v.sets(Field::EVENTINJ, VALID)),
    ("injected over a faulting IDT", |v| {
        let limit = v.values(Field::IDTR_LIMIT).any(|limit| limit < 0xfff);
        v.sets(Field::EVENTINJ, VALID) && (limit || v.writes(world::L2_IDT, world::L2_IDT + 0x1000))
    }),
    ("last-branch records", |v| v.sets(Field::DBGCTL, 1)),
];
