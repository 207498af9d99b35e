//! What each exit code reports: EXITINFO1 and EXITINFO2, nRIP, and whether it can come while an
//! event is being delivered (15.7.1, 15.7.2; the information of each is in its own section).

use crate::arch::exit;

/// What EXITINFO1 or EXITINFO2 holds (15.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Info {
    /// Undefined, or not described.
    Open,
    /// That value.
    Is(u64),
    /// A value up to that.
    UpTo(u64),
    /// A value of that kind where decode assists are offered (15.8).
    Decoded(u64),
    /// The number of a register, and bit 63 for a MOV (15.8.1).
    MovCr,
    /// An error code (15.12).
    ErrorCode,
    /// An address.
    Address,
    /// The RIP behind the instruction (15.10.2).
    NextRip,
}

/// What nRIP holds, where it is offered (15.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The instruction behind the one at RIP.
    Instruction,
    /// Zero.
    Zero,
    /// Either: what raises the exit decides.
    Either,
}

/// A row: exit codes that report alike.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The first code.
    pub first: u64,
    /// The last.
    pub last: u64,
    /// EXITINFO1.
    pub info1: Info,
    /// EXITINFO2.
    pub info2: Info,
    /// nRIP.
    pub next: Next,
    /// Whether EXITINTINFO can be valid.
    pub delivering: bool,
}

const fn row(first: u64, last: u64, info1: Info, info2: Info, next: Next) -> Row {
    Row { first, last, info1, info2, next, delivering: false }
}

const fn exception(vector: u64, info1: Info, info2: Info) -> Row {
    let code = exit::EXCP + vector;
    Row { delivering: true, ..row(code, code, info1, info2, Next::Zero) }
}

use Info::{Address, Decoded, ErrorCode, Is, MovCr, NextRip, Open, UpTo};
use Next::{Either, Instruction, Zero};

/// The table, by exit code (15.8 to 15.14, 15.25.6).
pub const TABLE: &[Row] = &[
    row(exit::CR_READ, exit::CR_READ + 15, MovCr, Open, Instruction),
    row(exit::CR_WRITE, exit::CR_WRITE + 15, MovCr, Open, Instruction),
    row(exit::DR_READ, exit::DR_READ + 15, Decoded(15), Open, Instruction),
    row(exit::DR_WRITE, exit::DR_WRITE + 15, Decoded(15), Open, Instruction),
    Row { delivering: false, ..exception(0, Open, Open) },
    // A data breakpoint that delivery meets comes when delivery is through.
    Row { delivering: false, ..exception(1, Open, Open) },
    Row { delivering: false, next: Instruction, ..exception(3, Open, Open) },
    Row { delivering: false, next: Instruction, ..exception(4, Open, Open) },
    Row { delivering: false, ..exception(6, Open, Open) },
    Row { delivering: false, ..exception(7, Open, Open) },
    Row { delivering: false, ..exception(8, ErrorCode, Open) },
    exception(11, ErrorCode, Open),
    exception(12, ErrorCode, Open),
    exception(13, ErrorCode, Open),
    exception(14, ErrorCode, Address),
    Row { delivering: false, ..exception(17, ErrorCode, Open) },
    row(exit::INTR, exit::NMI, Open, Open, Zero),
    row(exit::SMI, exit::SMI, Is(1), Open, Zero),
    row(exit::INIT, exit::VINTR, Open, Open, Zero),
    row(exit::CR0_SEL_WRITE, exit::CR0_SEL_WRITE, MovCr, Open, Instruction),
    row(exit::IDTR_READ, exit::IRET, Open, Open, Instruction),
    row(exit::SWINT, exit::SWINT, Decoded(0xff), Open, Instruction),
    row(exit::INVD, exit::HLT, Open, Open, Instruction),
    row(exit::INVLPG, exit::INVLPG, Decoded(u64::MAX), Open, Instruction),
    row(exit::INVLPGA, exit::INVLPGA, Open, Open, Instruction),
    row(exit::IOIO, exit::IOIO, UpTo(0xffff_ffff), NextRip, Instruction),
    row(exit::MSR, exit::MSR, UpTo(1), Open, Instruction),
    // Selector of the TSS; error code and what caused it (15.14.1).
    row(exit::TASK_SWITCH, exit::TASK_SWITCH, UpTo(0xffff), UpTo(0x1_ffff_ffff_ffff), Zero),
    Row { delivering: true, ..row(exit::SHUTDOWN, exit::SHUTDOWN, Open, Open, Zero) },
    row(exit::VMRUN, exit::RDPRU, Open, Open, Instruction),
    row(exit::INVLPGB, exit::TLBSYNC, Open, Open, Instruction),
    row(exit::BUSLOCK, exit::BUSLOCK, Is(0), Is(0), Zero),
    row(exit::IDLE_HLT, exit::IDLE_HLT, Open, Open, Instruction),
    // Virtual VMLOAD and VMSAVE fault like an access of the guest.
    Row { delivering: true, ..row(exit::NPF, exit::NPF, Address, Address, Either) },
];

/// The row of an exit code.
pub fn row_of(code: u64) -> Option<&'static Row> {
    TABLE.iter().find(|row| (row.first..=row.last).contains(&code))
}
