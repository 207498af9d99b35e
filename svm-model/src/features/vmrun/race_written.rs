//! A second CPU that writes to the VMCB while VMRUN reads it: what VMRUN has
//! checked is what it runs with.
//!
//! L1 runs L2 until it has been let in, and has been refused, often enough.
//! The other CPU, in the meantime, writes a legal and an illegal value in turn.

use alloc::format;
use alloc::vec::Vec;

use crate::Feature::VmrunChecks;
use crate::arch::msr::EFER;
use crate::case::code::{Code, cleared};
use crate::case::other_cpu::{self, ICR_LOW, INIT, START, STARTUP, STOP, STOPPED};
use crate::case::{Draft, Insn, Step, world};
use crate::rules::{RuleId, vmrun as v, vmrun_state as s};
use crate::vmcb::{Field, exit};

const CODE: u64 = world::DATA + 0x2_0000;
/// How often L2 ran and was refused, and how often it ran with what is illegal.
const RAN: u64 = world::DATA + 0x3_0000;
const REFUSED: u64 = RAN + 4;
const WRONG: u64 = RAN + 8;
/// The state-save area as it is at first, and how much of it VMRUN loads.
const KEPT: u64 = world::DATA + 0x3_1000;
const SAVED: u64 = 0x300;
/// How often is often enough. On a single core, each time slice of the other CPU
/// makes one refusal at most.
const RUNS: u64 = 20_000;
const REFUSALS: u64 = 20;

/// A field of the state-save area, its legal and its illegal value, how L2 sees which it is, and
/// the rules that load and refuse it.
struct Flip {
    name: &'static str,
    field: Field,
    legal: u32,
    illegal: u32,
    reads: Insn,
    rules: [RuleId; 2],
}

pub(crate) fn cases() -> Vec<Draft> {
    let flip = |name, field, legal, illegal, reads, rules| Flip {
        name,
        field,
        legal,
        illegal,
        reads,
        rules,
    };
    [
        // NW without CD; a bit that is reserved; SVME clear.
        flip(
            "cr0",
            Field::CR0,
            0x8001_0033,
            0xa001_0033,
            Insn::ReadCr(0, 0),
            [s::LOAD_CR0, v::CR0_CD_NW],
        ),
        flip("cr4", Field::CR4, 0x20, 0x8020, Insn::ReadCr(4, 0), [s::LOAD_CR4, v::CR4_MBZ]),
        flip("efer", Field::EFER, 0x1d00, 0xd00, Insn::Rdmsr(EFER), [s::LOAD_EFER, v::EFER_SVME]),
    ]
    .iter()
    .map(Flip::case)
    .collect()
}

impl Flip {
    fn case(&self) -> Draft {
        let code = self.l1();
        let d = Draft::new(VmrunChecks, format!("race/{}", self.name))
            .about(self.rules)
            .on_large_board()
            .program(core::slice::from_ref(&self.reads))
            .set(Field::NESTED_CTL, 0)
            .set(Field::N_CR3, 0);
        let d = cleared(cleared(d, RAN, STOPPED + 8 - RAN), KEPT, SAVED);
        code.called(code.placed(d))
            .step(Step::Peek { pa: WRONG, width: 4 })
            .value(0)
            .step(Step::Peek { pa: STOPPED, width: 1 })
            .value(1)
    }

    /// L1, in protected mode without paging.
    fn l1(&self) -> Code {
        let at = |field: Field| world::VMCB + u64::from(field.offset());
        let code = Code::at(CODE).leave_long_mode().write(START, &self.other());
        // L2 begins anew each time, whatever the last #VMEXIT has saved.
        let (start, field) = (at(Field::ES_SELECTOR), at(self.field));
        let restored = |code: Code, from: u64, to: u64| {
            code.copy(KEPT + (from - start), from, (to - from) / 4)
        };
        let code = code.copy(start, KEPT, SAVED / 4).store(ICR_LOW, INIT).store(ICR_LOW, STARTUP);
        let again = code.here();
        restored(restored(code, start, field), field + 8, start + SAVED)
            .vmrun(world::VMCB)
            .load_eax(at(Field::EXITCODE))
            .if_equal(
                exit::INVALID,
                // With no other CPU to write to it, L2 would never run again.
                |code| code.count(REFUSED).store(field, self.legal),
                |code| {
                    code.if_equal(exit::VMMCALL, |code| code.count(RAN), |code| code.count(WRONG))
                        .load_eax(at(Field::RAX))
                        .if_equal(self.legal.into(), |code| code, |code| code.count(WRONG))
                },
            )
            .while_none(WRONG, |code| {
                code.jump_below(RAN, RUNS, again).jump_below(REFUSED, REFUSALS, again)
            })
            .store(STOP, 1)
            .wait_for(STOPPED)
            .return_to_long_mode()
    }

    /// The other CPU: MOV dword, illegal; MOV dword, legal.
    fn other(&self) -> Vec<u8> {
        let mut work = Vec::new();
        let field = (world::VMCB as u32 + u32::from(self.field.offset())).to_le_bytes();
        for value in [self.illegal, self.legal] {
            work.extend([0x66, 0x67, 0xc7, 0x05]);
            work.extend(field);
            work.extend(value.to_le_bytes());
        }
        other_cpu::program(&work)
    }
}
