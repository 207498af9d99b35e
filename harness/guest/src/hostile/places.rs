//! Addresses where things are not put, and the fields of the VMCB.

use crate::draw::Draw;
use crate::layout::{DATA, HSAVE, IOPM, L2_CODE, L2PT, MSRPM, NPT, VMCB, VMCB2};

/// Offsets of fields in the VMCB that mean something, and their bytes.
pub(crate) const FIELDS: &[(u16, u8)] = &[
    (0x000, 4),
    (0x004, 4),
    (0x008, 4),
    (0x00c, 4),
    (0x010, 4),
    (0x014, 4),
    (0x03c, 2),
    (0x03e, 2),
    (0x040, 8),
    (0x048, 8),
    (0x050, 8),
    (0x058, 4),
    (0x05c, 1),
    (0x060, 1),
    (0x061, 1),
    (0x062, 1),
    (0x063, 1),
    (0x064, 1),
    (0x068, 8),
    (0x070, 8),
    (0x088, 8),
    (0x090, 8),
    (0x098, 8),
    (0x0a0, 8),
    (0x0a8, 8),
    (0x0b0, 8),
    (0x0b8, 8),
    (0x0c0, 4),
    (0x0c8, 8),
    (0x0d0, 8),
    (0x0e0, 8),
    (0x0f0, 8),
    (0x0f8, 8),
    (0x108, 8),
    (0x110, 8),
    (0x120, 8),
    (0x138, 8),
    (0x400, 2),
    (0x402, 2),
    (0x404, 4),
    (0x408, 8),
    (0x410, 2),
    (0x412, 2),
    (0x414, 4),
    (0x418, 8),
    (0x420, 2),
    (0x422, 2),
    (0x424, 4),
    (0x428, 8),
    (0x430, 2),
    (0x432, 2),
    (0x434, 4),
    (0x438, 8),
    (0x442, 2),
    (0x444, 4),
    (0x448, 8),
    (0x452, 2),
    (0x454, 4),
    (0x458, 8),
    (0x464, 4),
    (0x468, 8),
    (0x470, 2),
    (0x472, 2),
    (0x474, 4),
    (0x478, 8),
    (0x484, 4),
    (0x488, 8),
    (0x490, 2),
    (0x492, 2),
    (0x494, 4),
    (0x498, 8),
    (0x4cb, 1),
    (0x4d0, 8),
    (0x4d0, 2),
    (0x548, 8),
    (0x548, 4),
    (0x550, 8),
    (0x558, 8),
    (0x558, 4),
    (0x560, 8),
    (0x568, 8),
    (0x570, 8),
    (0x570, 4),
    (0x578, 8),
    (0x5d8, 8),
    (0x5f8, 8),
    (0x600, 8),
    (0x608, 8),
    (0x610, 8),
    (0x618, 8),
    (0x620, 8),
    (0x628, 8),
    (0x630, 8),
    (0x638, 8),
    (0x640, 8),
    (0x668, 8),
    (0x670, 8),
    (0x678, 8),
    (0x680, 8),
    (0x688, 8),
    (0x690, 8),
    (0x698, 8),
];

/// An address where nobody puts anything, in a machine with so much RAM.
pub(crate) fn nowhere(draw: &mut Draw, ram: u64) -> u64 {
    let v = draw.next();
    match draw.below(24) {
        0 => 0xfee0_0000,             // local APIC
        1 => 0xfec0_0000,             // I/O APIC
        2 => 0xfed0_0000,             // HPET
        3 => 0xffff_f000,             // ROM
        4 => 0xf_f000,                // its copy below 1 MiB
        5 => 0xa_0000,                // where a VGA would be
        6 => ram - 0x1000,            // the last page of RAM
        7 => ram,                     // right behind it
        8 => ram + (v & 0x3fff_f000), // further behind
        9 => 1 << 39,
        10 => (1 << 40) - 0x1000, // the last page of 40 bits
        11 => 1 << 40,
        12 => (1 << 52) - 0x1000,
        13 => 1 << 63,
        14 => !0xfff,
        15 => u64::MAX,
        16 => 0,
        17 => v & 0xff_f000,      // any page below 16 MiB
        18 => VMCB + (v & 0xfff), // not aligned
        19 => DATA + (v & 0x1f_ffff),
        20 => 0xfee0_0000 + (v & 0xff0),
        21 => v & 0xffff_f000,
        22 => v & 0xff_ffff_f000,
        _ => v,
    }
}

/// A page that has another use.
pub(crate) fn shared(draw: &mut Draw) -> u64 {
    draw.of(&[
        VMCB,
        VMCB2,
        HSAVE,
        IOPM,
        MSRPM,
        NPT,
        NPT + 0x1000,
        NPT + 0x2000,
        NPT + 0x3000,
        NPT + 0x4000,
        NPT + 0x5000,
        L2PT,
        L2PT + 0x1000,
        L2PT + 0x2000,
        L2PT + 0x3000,
        L2_CODE,
        DATA,
    ])
}
