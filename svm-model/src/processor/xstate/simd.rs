//! SIMD floating-point exceptions: #XM, or #UD without CR4.OSXMMEXCPT, with the destination as
//! it was and MXCSR's flag set; and what MXCSR does not take (APM vol. 1, 4.10; vol. 2, 15.12.19).

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::kept::vmrun;
use super::{UD, XCR0_ALL, Xsave, cleared, set_xcr0};
use crate::Feature::Intercepts;
use crate::arch::cr4;
use crate::case::written::{GP, fault};
use crate::case::{About, Draft, Insn, Step, world};
use crate::vmcb::{Field, exit};

const XM: u8 = 19;

/// Where RSI points: XMM0, XMM1, MXCSR and MXCSR as at reset.
const GIVEN: u64 = world::gpr(6);
/// Where RDI points: XMM0 and MXCSR as they were found.
const FOUND: u64 = world::gpr(7);
/// MOVUPS XMM0, `[RSI]`; MOVUPS XMM1, `[RSI + 16]`; MOVQ MM0, `[RSI]`; LDMXCSR `[RSI + 32]`.
const LOAD: &[u8] =
    &[0x0f, 0x10, 0x06, 0x0f, 0x10, 0x4e, 0x10, 0x0f, 0x6f, 0x06, 0x0f, 0xae, 0x56, 0x20];
/// MOVUPS `[RDI]`, XMM0; STMXCSR `[RDI + 16]`; MOVQ `[RDI + 24]`, MM0.
const STORE: &[u8] = &[0x0f, 0x11, 0x07, 0x0f, 0xae, 0x5f, 0x10, 0x0f, 0x7f, 0x47, 0x18];
/// LDMXCSR `[RSI + 40]`; EMMS.
const RESET: &[u8] = &[0x0f, 0xae, 0x56, 0x28, 0x0f, 0x77];

const MASKED: u64 = 0x1f80;
const IE: u64 = 1;
const DE: u64 = 1 << 1;
const ZE: u64 = 1 << 2;
const OE: u64 = 1 << 3;
const UE: u64 = 1 << 4;
const PE: u64 = 1 << 5;
/// From a flag to its mask.
const MASK: u8 = 7;

/// An operation on XMM0 and XMM1, and the exceptions that it meets.
struct Op {
    name: &'static str,
    bytes: &'static [u8],
    values: [u64; 2],
    /// Flags that it sets.
    flags: u64,
    /// The one that is unmasked.
    unmasked: u64,
}

const fn op(
    name: &'static str,
    bytes: &'static [u8],
    values: [u64; 2],
    flags: u64,
    unmasked: u64,
) -> Op {
    Op { name, bytes, values, flags, unmasked }
}

/// Singles in the lower two places; the upper two are 0 (of XMM0) and 1 (of XMM1).
const ONE: u64 = 0x3f80_0000_3f80_0000;
const MINUS_ONE: u64 = 0xbf80_0000_bf80_0000;
const HALF: u64 = 0x3f00_0000_3f00_0000;
const DENORMAL: u64 = 0x0000_0001_0000_0001;
const LEAST: u64 = 0x0080_0001_0080_0001;
const LARGEST: u64 = 0x7f7f_ffff_7f7f_ffff;
const SNAN: u64 = 0x7fa0_0000_7fa0_0000;
const QNAN: u64 = 0x7fc0_0000_7fc0_0000;
const ONE_DOUBLE: u64 = 0x3ff0_0000_0000_0000;
const TINY_DOUBLE: u64 = 0x3c90_0000_0000_0000;

const OPS: &[Op] = &[
    op("divps", &[0x0f, 0x5e, 0xc1], [ONE, 0], ZE, ZE),
    op("divss", &[0xf3, 0x0f, 0x5e, 0xc1], [ONE, 0], ZE, ZE),
    op("divsd", &[0xf2, 0x0f, 0x5e, 0xc1], [ONE_DOUBLE, 0], ZE, ZE),
    op("addsd", &[0xf2, 0x0f, 0x58, 0xc1], [ONE_DOUBLE, TINY_DOUBLE], PE, PE),
    op("sqrtps", &[0x0f, 0x51, 0xc1], [ONE, MINUS_ONE], IE, IE),
    op("addps-denormal", &[0x0f, 0x58, 0xc1], [ONE, DENORMAL], DE | PE, DE),
    op("mulps-overflow", &[0x0f, 0x59, 0xc1], [LARGEST, LARGEST], OE | PE, OE),
    op("mulps-underflow", &[0x0f, 0x59, 0xc1], [LEAST, HALF], UE | PE, UE),
    op("subps-snan", &[0x0f, 0x5c, 0xc1], [ONE, SNAN], IE, IE),
    op("maxps-qnan", &[0x0f, 0x5f, 0xc1], [ONE, QNAN], IE, IE),
    op("cmpps-snan", &[0x0f, 0xc2, 0xc1, 0], [ONE, SNAN], IE, IE),
    op("comiss-qnan", &[0x0f, 0x2f, 0xc1], [ONE, QNAN], IE, IE),
    op("ucomiss-snan", &[0x0f, 0x2e, 0xc1], [ONE, SNAN], IE, IE),
    op("cvtss2si", &[0xf3, 0x0f, 0x2d, 0xc1], [ONE, HALF], PE, PE),
    op("cvttss2si-nan", &[0xf3, 0x0f, 0x2c, 0xc1], [ONE, QNAN], IE, IE),
    op("cvtps2dq", &[0x66, 0x0f, 0x5b, 0xc1], [ONE, HALF], PE, PE),
    op("cvtps2pd-snan", &[0x0f, 0x5a, 0xc1], [ONE, SNAN], IE, IE),
    op("cvtps2pi", &[0x0f, 0x2d, 0xc1], [ONE, HALF], PE, PE),
    op("cvttps2pi-nan", &[0x0f, 0x2c, 0xc1], [ONE, QNAN], IE, IE),
    op("roundps", &[0x66, 0x0f, 0x3a, 0x08, 0xc1, 0], [ONE, HALF], PE, PE),
    op("haddps-snan", &[0xf2, 0x0f, 0x7c, 0xc1], [ONE, SNAN], IE, IE),
    op("dpps-snan", &[0x66, 0x0f, 0x3a, 0x40, 0xc1, 0xff], [ONE, SNAN], IE, IE),
    op("vdivps", &[0xc5, 0xf8, 0x5e, 0xc1], [ONE, 0], ZE, ZE),
    op("vfmadd231ps", &[0xc4, 0xe2, 0x71, 0xb8, 0xc1], [ONE, SNAN], IE, IE),
    op("vcvtps2ph", &[0xc4, 0xe3, 0x79, 0x1d, 0xc8, 0], [ONE, SNAN], IE, IE),
];

/// How MXCSR and CR4 are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Setting {
    /// All masked: the flag is set, and nothing is raised.
    Masked,
    /// Unmasked: #XM.
    Unmasked,
    /// The same without OSXMMEXCPT: #UD.
    NoOs,
    /// Another is unmasked: nothing is raised.
    OtherUnmasked,
    /// Unmasked, with the flag set from before, which by itself raises nothing.
    Sticky,
}

pub(crate) fn cases() -> Vec<Draft> {
    use Setting::{Masked, NoOs, OtherUnmasked, Sticky, Unmasked};
    let settings = [Masked, Unmasked, NoOs, OtherUnmasked, Sticky];
    let all = OPS.iter().flat_map(|op| settings.map(|s| (op, s)));
    let raised = all.flat_map(|(op, s)| [in_l1(op, s), in_l2(op, s)]);
    raised.chain(pre_before_post()).chain(reserved()).collect()
}

impl Setting {
    fn name(self) -> &'static str {
        match self {
            Setting::Masked => "masked",
            Setting::Unmasked => "unmasked",
            Setting::NoOs => "unmasked-no-os",
            Setting::OtherUnmasked => "other-unmasked",
            Setting::Sticky => "unmasked-sticky",
        }
    }

    fn mxcsr(self, op: &Op) -> u64 {
        match self {
            Setting::Masked => MASKED,
            Setting::Unmasked | Setting::NoOs => MASKED & !(op.unmasked << MASK),
            // No operation here meets both.
            Setting::OtherUnmasked => MASKED & !(if op.flags & ZE == 0 { ZE } else { OE } << MASK),
            Setting::Sticky => MASKED & !(op.unmasked << MASK) | op.unmasked,
        }
    }

    fn raises(self) -> Option<u8> {
        match self {
            Setting::Masked | Setting::OtherUnmasked => None,
            Setting::Unmasked | Setting::Sticky => Some(XM),
            Setting::NoOs => Some(UD),
        }
    }

    fn cr4(self, cr4: u64) -> u64 {
        if self == Setting::NoOs { cr4 & !cr4::OSXMMEXCPT } else { cr4 | cr4::OSXMMEXCPT }
    }
}

fn draft(op: &Op, setting: Setting, place: &str) -> Draft {
    let id = format!("xstate/xm-{}-{}-{place}", op.name, setting.name());
    let new = Draft::new(Intercepts, id).about(About::Section("15.12.19")).needs(&[Xsave]);
    let new = cleared(cleared(new, GIVEN, 48), FOUND, 32)
        .poke(GIVEN, op.values[0])
        .poke(GIVEN + 16, op.values[1])
        .poke(GIVEN + 24, 0x3f80_0000_3f80_0000)
        .poke(GIVEN + 32, setting.mxcsr(op))
        .poke(GIVEN + 40, MASKED);
    set_xcr0(new, XCR0_ALL).step(Step::WriteCr(4, setting.cr4(world::L1_CR4 | cr4::OSXSAVE)))
}

fn finish(draft: Draft) -> Draft {
    set_xcr0(draft.l1(Insn::Raw(RESET.to_vec()), 0), 1)
}

fn in_l1(op: &Op, setting: Setting) -> Draft {
    let new = draft(op, setting, "in-l1").l1(Insn::Raw([LOAD, op.bytes].concat()), 0);
    finish(match setting.raises() {
        Some(vector) => new.shows(fault(vector)),
        None => new,
    })
}

/// L1 looks at the registers right behind the #VMEXIT.
fn in_l2(op: &Op, setting: Setting) -> Draft {
    let cr4 = setting.cr4(cr4::PAE | cr4::OSFXSR | cr4::OSXSAVE);
    let new = draft(op, setting, "in-l2")
        .program(&[Insn::Raw(op.bytes.to_vec())])
        .set(Field::CR4, cr4)
        .intercept(exit::EXCP + u64::from(UD))
        .intercept(exit::EXCP + u64::from(XM))
        .l1(Insn::Raw([LOAD, &vmrun(), STORE].concat()), 0);
    // An exception before the operation is known alone; behind it all are.
    let pre = op.unmasked & (IE | DE | ZE) != 0;
    let flags =
        if setting.raises().is_some() && pre { op.flags & (IE | DE | ZE) } else { op.flags };
    let code = setting.raises().map_or(exit::VMMCALL, |v| exit::EXCP + u64::from(v));
    let new = new
        .peek_field(world::VMCB, Field::EXITCODE)
        .value(code)
        .peek(FOUND + 16)
        .value(setting.mxcsr(op) | flags);
    finish(match setting.raises() {
        Some(_) => new
            .peek_field(world::VMCB, Field::RIP)
            .value(world::L2_CODE)
            .peek(FOUND)
            .value(op.values[0])
            .peek(FOUND + 8)
            .value(0)
            .peek(FOUND + 24)
            .value(op.values[0]),
        None => new,
    })
}

/// One place divides by zero, the other is not exact: with both unmasked, the
/// first is raised, and the second's flag is not set.
fn pre_before_post() -> Vec<Draft> {
    const BOTH: Op =
        op("divps-two", &[0x0f, 0x5e, 0xc1], [ONE, 0x4040_0000_0000_0000], ZE | PE, ZE);
    vec![in_l2(&BOTH, Setting::Unmasked), in_l2(&BOTH, Setting::Masked)]
}

/// Reserved bits of MXCSR: #GP(0), and nothing is loaded.
fn reserved() -> Vec<Draft> {
    const FAULT: u64 = exit::EXCP + 13;
    let loads: [(&str, &[u8], u64); 6] = [
        ("ldmxcsr", &[0x0f, 0xae, 0x13], 0),
        ("vldmxcsr", &[0xc5, 0xf8, 0xae, 0x13], 0),
        ("fxrstor", &[0x0f, 0xae, 0x0b], 24),
        ("fxrstor64", &[0x48, 0x0f, 0xae, 0x0b], 24),
        ("xrstor", &[0x0f, 0xae, 0x2b], 24),
        ("xrstor64", &[0x48, 0x0f, 0xae, 0x2b], 24),
    ];
    let all = loads.into_iter().flat_map(|load| [16, 17, 31].map(|bit| (load, bit)));
    all.flat_map(|((name, bytes, at), bit)| {
        let base = |place| {
            let id = format!("xstate/mxcsr-{name}-bit={bit}-{place}");
            let new = Draft::new(Intercepts, id).about(About::Section("15.12.14")).needs(&[Xsave]);
            let new = cleared(new, world::gpr(3), 0x380);
            let new = if at == 0 { new } else { new.poke(world::gpr(3), 0x37f) };
            set_xcr0(new.poke(world::gpr(3) + at, MASKED | 1 << bit), XCR0_ALL)
        };
        let l1 = base("in-l1")
            .step(Step::WriteCr(4, world::L1_CR4 | cr4::OSXSAVE))
            .l1(Insn::Raw(bytes.to_vec()), 7)
            .shows(GP);
        let l2 = base("in-l2")
            .program(&[Insn::Raw(bytes.to_vec())])
            .set(Field::CR4, cr4::PAE | cr4::OSFXSR | cr4::OSXSAVE)
            .set(Field::RAX, 7)
            .intercept(FAULT)
            .run()
            .exits(FAULT)
            .at(0)
            .field(Field::EXITINFO1, 0);
        [set_xcr0(l1, 1), set_xcr0(l2, 1)]
    })
    .collect()
}
