//! RDMSR and WRMSR against the permission map.

use alloc::format;

use crate::Feature::Msr;
use crate::arch::intercept;
use crate::arch::msr;
use crate::case::draft::{Draft, on};
use crate::case::{Insn, Step, world};
use crate::cases::Cases;
use crate::vmcb::Field;

pub(crate) fn cases(out: &mut Cases) {
    edges(out);
    neighbours(out);
    known(out);
    order(out);
}

fn draft(id: impl AsRef<str>) -> Draft {
    Draft::new(Msr, format!("msr-map/{}", id.as_ref()))
}

/// The place of an MSR's two bits: byte in the map, lowest bit.
fn place(msr: u32) -> (u64, u32) {
    let base = match msr >> 16 {
        0 => 0,
        0xc000 => 0x800,
        _ => 0x1000,
    };
    (world::MSRPM + base + u64::from(msr & 0x1fff) / 4, (msr & 3) * 2)
}

fn set(draft: Draft, msr: u32, write: bool) -> Draft {
    let (pa, bit) = place(msr);
    draft.step(Step::Mem { pa, width: 1, value: 1 << (bit + u32::from(write)) })
}

fn access(msr: u32, write: bool) -> Insn {
    if write { Insn::Wrmsr(msr, 0) } else { Insn::Rdmsr(msr) }
}

/// MSRs at the ends of the three ranges, and just outside them.
fn edges(out: &mut Cases) {
    let inside = [
        0,
        1,
        3,
        4,
        msr::DEBUGCTL,
        msr::PAT,
        0xfff,
        0x1000,
        0x1ffe,
        0x1fff,
        0xc000_0000,
        0xc000_0001,
        msr::EFER,
        msr::KERNEL_GS_BASE,
        0xc000_1000,
        0xc000_1fff,
        0xc001_0000,
        0xc001_0015,
        msr::VM_CR,
        msr::VM_HSAVE_PA,
        0xc001_1fff,
    ];
    for msr in inside {
        for write in [false, true] {
            let name = if write { "wrmsr" } else { "rdmsr" };
            let case = draft(format!("{name}={msr:#x},bit=on")).program(&[access(msr, write)]);
            out.push(
                set(case.also(Field::INTERCEPT_MISC1, intercept::MSR_PROT.mask()), msr, write)
                    .done(),
            );
        }
    }
    for msr in [
        0x2000,
        0x2001,
        0xffff,
        0x1_0000,
        0x4000_0000,
        0x8000_0000,
        0xbfff_ffff,
        0xc000_2000,
        0xc000_ffff,
        0xc001_2000,
        0xc002_0000,
        0xffff_ffff,
    ] {
        for write in [false, true] {
            let name = if write { "wrmsr" } else { "rdmsr" };
            let case = draft(format!("{name}={msr:#x},outside")).program(&[access(msr, write)]);
            out.push(case.also(Field::INTERCEPT_MISC1, intercept::MSR_PROT.mask()).done());
        }
    }
}

/// All bits but the one asked for.
fn neighbours(out: &mut Cases) {
    for msr in [msr::EFER, msr::STAR, msr::LSTAR, msr::CSTAR, msr::KERNEL_GS_BASE, msr::PAT] {
        for write in [false, true] {
            let name = if write { "wrmsr" } else { "rdmsr" };
            let (pa, bit) = place(msr);
            let all = 0xff & !(1u64 << (bit + u32::from(write)));
            let value = match msr {
                msr::EFER => 0x1d00,
                msr::PAT => world::PAT,
                _ => 0x10_0000,
            };
            let insn = if write { Insn::Wrmsr(msr, value) } else { Insn::Rdmsr(msr) };
            let case = draft(format!("{name}={msr:#x},neighbours")).program(&[insn]);
            let case = case.also(Field::INTERCEPT_MISC1, intercept::MSR_PROT.mask());
            let case = (0..4)
                .filter(|n| *n != 1)
                .fold(case, |c, n| c.step(Step::Mem { pa: pa + n - 1, width: 1, value: 0xff }));
            out.push(case.step(Step::Mem { pa, width: 1, value: all }).done());
        }
    }
}

/// The same MSR with the intercept off and on, its bit clear and set.
fn known(out: &mut Cases) {
    for msr in [
        msr::EFER,
        msr::STAR,
        msr::LSTAR,
        msr::FS_BASE,
        msr::GS_BASE,
        msr::KERNEL_GS_BASE,
        msr::PAT,
    ] {
        for prot in [false, true] {
            for bit in [false, true] {
                for write in [false, true] {
                    let value = match msr {
                        msr::EFER => 0x1d01,
                        msr::PAT => 0x0606_0606_0606_0606,
                        _ => 0x12_3000,
                    };
                    let insn = if write { Insn::Wrmsr(msr, value) } else { Insn::Rdmsr(msr) };
                    let name = if write { "wrmsr" } else { "rdmsr" };
                    let id = format!("{name}={msr:#x},prot={},bit={}", on(prot), on(bit));
                    let case = draft(id).program(&[insn, Insn::Rdmsr(msr)]);
                    let case = case.also(
                        Field::INTERCEPT_MISC1,
                        if prot { intercept::MSR_PROT.mask() } else { 0 },
                    );
                    out.push(if bit { set(case, msr, write) } else { case }.done());
                }
            }
        }
    }
    for low in [1, 0xabc, 0xfff] {
        let case = draft(format!("base-low={low:#x}")).program(&[Insn::Rdmsr(msr::EFER)]);
        let case = case
            .also(Field::INTERCEPT_MISC1, intercept::MSR_PROT.mask())
            .set(Field::MSRPM_BASE_PA, world::MSRPM | low);
        out.push(set(case, msr::EFER, false).done());
    }
}

/// CPL first, the map second, the MSR's own #GP last.
fn order(out: &mut Cases) {
    let bad = [
        ("efer-reserved", msr::EFER, 1 << 40),
        ("efer-bit-9", msr::EFER, 0x1f00),
        // Canonical in 57 bits, not in 48.
        ("lstar", msr::LSTAR, 1 << 60),
        ("cstar", msr::CSTAR, 1 << 58),
        ("kernel-gs", msr::KERNEL_GS_BASE, 1 << 63),
        ("pat", msr::PAT, 2),
    ];
    for (name, msr, value) in bad {
        for bit in [false, true] {
            for gp in [false, true] {
                let id = format!("bad,{name},bit={},gp={}", on(bit), on(gp));
                let case = draft(id).program(&[Insn::Wrmsr(msr, value)]);
                let case = case.also(Field::INTERCEPT_MISC1, intercept::MSR_PROT.mask());
                let case = case.also(Field::INTERCEPT_EXCEPTIONS, u64::from(gp) << 13);
                out.push(if bit { set(case, msr, true) } else { case }.done());
            }
        }
    }
    for write in [false, true] {
        for msr in [msr::EFER, 0x4000_0000] {
            let id = format!("cpl=3,msr={msr:#x},write={}", on(write));
            let case = draft(id).user().program(&[access(msr, write)]);
            out.push(case.also(Field::INTERCEPT_MISC1, intercept::MSR_PROT.mask()).done());
        }
    }
}
