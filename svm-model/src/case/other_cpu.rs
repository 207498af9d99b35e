//! A second CPU that does the same over and over, beside what L1 does.
//!
//! L1 starts it from 32-bit code: it writes [`program`] to [`START`], and stores
//! [`INIT`] and [`STARTUP`] to [`ICR_LOW`]. The CPU stops when [`STOP`] is set, and
//! then sets [`STOPPED`].

use alloc::vec;
use alloc::vec::Vec;

use super::world;

/// The CPU goes on as long as this is zero, and says so when it has stopped.
pub(crate) const STOP: u64 = world::DATA + 0x3_0040;
/// It has stopped.
pub(crate) const STOPPED: u64 = STOP + 4;
/// Where it starts: real mode, CS:IP 1000:0000.
pub(crate) const START: u64 = 0x1_0000;
/// The low half of the local APIC's interrupt command register.
pub(crate) const ICR_LOW: u64 = 0xfee0_0300;
/// INIT, for all but the sender.
pub(crate) const INIT: u32 = 0xc_4500;
/// Start-up at [`START`], likewise.
pub(crate) const STARTUP: u32 = 0xc_4600 | (START >> 12) as u32;

/// The pointer to L1's GDT behind the program, as an offset.
const GDTR: u8 = 0x80;
const GDT_LIMIT: u16 = 0x3f;

/// CLI; LGDT; MOV EAX, CR0; OR AL, 1; MOV CR0, EAX; MOV BX, 16; MOV DS, BX; AND AL, 0xfe;
/// MOV CR0, EAX; and then, with all of memory in reach, `work` (16-bit code);
/// CMP byte `[STOP]`, 0; JE to `work`; MOV byte `[STOPPED]`, 1; HLT; JMP.
pub(crate) fn program(work: &[u8]) -> Vec<u8> {
    let mut code = vec![0xfa, 0x66, 0x2e, 0x0f, 0x01, 0x16, GDTR, 0];
    code.extend([0x0f, 0x20, 0xc0, 0x0c, 1, 0x0f, 0x22, 0xc0]);
    code.extend([0xbb, world::L2_DS as u8, 0, 0x8e, 0xdb, 0x24, 0xfe, 0x0f, 0x22, 0xc0]);
    let again = code.len();
    code.extend(work);
    code.extend([0x67, 0x80, 0x3d]);
    code.extend((STOP as u32).to_le_bytes());
    code.extend([0, 0x74]);
    code.push((again.wrapping_sub(code.len() + 1)) as u8);
    code.extend([0x67, 0xc6, 0x05]);
    code.extend((STOPPED as u32).to_le_bytes());
    code.extend([1, 0xf4, 0xeb, 0xfd]);
    code.resize(GDTR.into(), 0);
    code.extend(GDT_LIMIT.to_le_bytes());
    code.extend((world::L1_GDT as u32).to_le_bytes());
    code
}
