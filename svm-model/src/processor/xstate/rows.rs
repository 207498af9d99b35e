//! The x87, MMX, SSE, AVX and state-management instructions, and a few beside them that touch
//! none of these registers, with what each looks at before it runs.

/// What an instruction looks at (APM vol. 3 to 5: the table of exceptions on its page).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// x87, FXSAVE and FXRSTOR: #NM if CR0.EM or CR0.TS is set.
    X87,
    /// FWAIT: #NM if CR0.MP and CR0.TS are set.
    Wait,
    /// MMX and 3DNow!: #UD if CR0.EM is set, #NM if CR0.TS is.
    Mmx,
    /// SSE without VEX: as MMX, and #UD if CR4.OSFXSR is clear.
    Sse,
    /// VEX with a vector register or MXCSR: #UD if CR4.OSXSAVE is clear, or XCR0 lacks SSE or
    /// AVX; #NM if CR0.TS is set. CR0.EM and CR4.OSFXSR do not matter.
    Avx,
    /// XSAVE, XSAVEOPT and XRSTOR: #UD if CR4.OSXSAVE is clear, #NM if CR0.TS is set.
    Xsave,
    /// XGETBV and XSETBV: #UD if CR4.OSXSAVE is clear; never #NM.
    Xcr,
    /// RDPKRU and WRPKRU with CR4.PKE set, and all else: none of these bits.
    Other,
    /// What a CPU does not offer: #UD.
    Absent,
}

/// One instruction.
#[derive(Clone, Copy)]
pub(super) struct Row {
    /// Its name, and part of the case's id.
    pub(super) name: &'static str,
    /// Its bytes; an operand in memory is at RBX.
    pub(super) bytes: &'static [u8],
    /// What it looks at.
    pub(super) kind: Kind,
    /// Whether RCX and RDX must be zero.
    pub(super) zeroed: bool,
    /// RAX, where the rest does not say what it must be.
    pub(super) rax: u64,
    /// What its operand in memory must be: quadwords from its start on, by offset.
    pub(super) mem: &'static [(u64, u64)],
    /// Whether its operand is not aligned as it must be: #GP(0), behind #UD and #NM.
    pub(super) misaligned: bool,
}

const fn row(name: &'static str, kind: Kind, bytes: &'static [u8]) -> Row {
    Row { name, bytes, kind, zeroed: false, rax: 7, mem: &[], misaligned: false }
}

const fn with(row: Row, mem: &'static [(u64, u64)]) -> Row {
    Row { mem, ..row }
}

const fn zeroed(row: Row) -> Row {
    Row { zeroed: true, rax: 0, ..row }
}

const fn misaligned(row: Row) -> Row {
    Row { misaligned: true, ..row }
}

/// FCW and MXCSR as at reset, where FXRSTOR and XRSTOR look for them.
const LEGACY: &[(u64, u64)] = &[(0, 0x37f), (24, 0x1f80)];
/// The same for FRSTOR and FLDENV.
const ENV: &[(u64, u64)] = &[(0, 0x37f), (8, 0xffff)];
/// The same for LDMXCSR, and for FLDCW.
const MXCSR: &[(u64, u64)] = &[(0, 0x1f80)];
const FCW: &[(u64, u64)] = &[(0, 0x37f)];

use Kind::{Absent, Avx, Mmx, Other, Sse, Wait, X87, Xcr, Xsave};

/// Every row.
pub(super) const ROWS: &[Row] = &[
    row("fnop", X87, &[0xd9, 0xd0]),
    row("fninit", X87, &[0xdb, 0xe3]),
    row("fnclex", X87, &[0xdb, 0xe2]),
    row("fldz", X87, &[0xd9, 0xee]),
    row("fxch", X87, &[0xd9, 0xc9]),
    row("fcomi", X87, &[0xdb, 0xf1]),
    row("fld-m32", X87, &[0xd9, 0x03]),
    row("fstp-m80", X87, &[0xdb, 0x3b]),
    row("fisttp-m32", X87, &[0xdb, 0x0b]),
    with(row("fldcw", X87, &[0xd9, 0x2b]), FCW),
    row("fnstcw", X87, &[0xd9, 0x3b]),
    row("fnstsw-ax", X87, &[0xdf, 0xe0]),
    row("fnstenv", X87, &[0xd9, 0x33]),
    with(row("fldenv", X87, &[0xd9, 0x23]), ENV),
    row("fnsave", X87, &[0xdd, 0x33]),
    with(row("frstor", X87, &[0xdd, 0x23]), ENV),
    row("fxsave", X87, &[0x0f, 0xae, 0x03]),
    row("fxsave64", X87, &[0x48, 0x0f, 0xae, 0x03]),
    misaligned(row("fxsave-misaligned", X87, &[0x0f, 0xae, 0x43, 0x08])),
    with(row("fxrstor", X87, &[0x0f, 0xae, 0x0b]), LEGACY),
    misaligned(row("fxrstor-misaligned", X87, &[0x0f, 0xae, 0x4b, 0x08])),
    row("fwait", Wait, &[0x9b]),
    row("movq-mm", Mmx, &[0x0f, 0x6f, 0xc1]),
    row("movd-mm", Mmx, &[0x0f, 0x6e, 0xc0]),
    row("paddb-mm", Mmx, &[0x0f, 0xfc, 0xc1]),
    row("pshufw", Mmx, &[0x0f, 0x70, 0xc1, 0]),
    row("pextrw-mm", Mmx, &[0x0f, 0xc5, 0xc0, 0]),
    row("pshufb-mm", Mmx, &[0x0f, 0x38, 0x00, 0xc1]),
    row("movntq", Mmx, &[0x0f, 0xe7, 0x03]),
    row("emms", Mmx, &[0x0f, 0x77]),
    row("femms", Mmx, &[0x0f, 0x0e]),
    row("pfadd", Mmx, &[0x0f, 0x0f, 0xc1, 0x9e]),
    row("movaps", Sse, &[0x0f, 0x28, 0xc1]),
    misaligned(row("movaps-misaligned", Sse, &[0x0f, 0x28, 0x43, 0x08])),
    row("movups-store", Sse, &[0x0f, 0x11, 0x03]),
    row("movdqa-load", Sse, &[0x66, 0x0f, 0x6f, 0x03]),
    row("lddqu", Sse, &[0xf2, 0x0f, 0xf0, 0x43, 0x08]),
    row("movntps", Sse, &[0x0f, 0x2b, 0x03]),
    row("movntss", Sse, &[0xf3, 0x0f, 0x2b, 0x03]),
    row("movntsd", Sse, &[0xf2, 0x0f, 0x2b, 0x03]),
    row("movd-xmm", Sse, &[0x66, 0x0f, 0x7e, 0xc0]),
    row("pmovmskb", Sse, &[0x66, 0x0f, 0xd7, 0xc1]),
    row("addps", Sse, &[0x0f, 0x58, 0xc1]),
    misaligned(row("addps-misaligned", Sse, &[0x0f, 0x58, 0x43, 0x08])),
    row("addsd", Sse, &[0xf2, 0x0f, 0x58, 0xc1]),
    row("comiss", Sse, &[0x0f, 0x2f, 0xc1]),
    row("cvtsi2ss", Sse, &[0xf3, 0x0f, 0x2a, 0xc0]),
    row("cvtpi2ps", Sse, &[0x0f, 0x2a, 0xc1]),
    row("cvtpi2pd", Sse, &[0x66, 0x0f, 0x2a, 0xc1]),
    row("cvtps2pi", Sse, &[0x0f, 0x2d, 0xc1]),
    row("cvtpd2pi", Sse, &[0x66, 0x0f, 0x2d, 0xc1]),
    misaligned(row("cvtpd2pi-misaligned", Sse, &[0x66, 0x0f, 0x2d, 0x43, 0x08])),
    row("cvttps2pi", Sse, &[0x0f, 0x2c, 0xc1]),
    row("cvttpd2pi", Sse, &[0x66, 0x0f, 0x2c, 0xc1]),
    row("movq2dq", Sse, &[0xf3, 0x0f, 0xd6, 0xc1]),
    row("movdq2q", Sse, &[0xf2, 0x0f, 0xd6, 0xc1]),
    row("pshufb-xmm", Sse, &[0x66, 0x0f, 0x38, 0x00, 0xc1]),
    row("dpps", Sse, &[0x66, 0x0f, 0x3a, 0x40, 0xc1, 0xff]),
    row("pcmpistri", Sse, &[0x66, 0x0f, 0x3a, 0x63, 0xc1, 0]),
    row("aesenc", Sse, &[0x66, 0x0f, 0x38, 0xdc, 0xc1]),
    row("pclmulqdq", Sse, &[0x66, 0x0f, 0x3a, 0x44, 0xc1, 0]),
    row("sha1msg1", Sse, &[0x0f, 0x38, 0xc9, 0xc1]),
    misaligned(row("sha1msg1-misaligned", Sse, &[0x0f, 0x38, 0xc9, 0x43, 0x08])),
    row("sha1rnds4", Sse, &[0x0f, 0x3a, 0xcc, 0xc1, 0]),
    row("sha256rnds2", Sse, &[0x0f, 0x38, 0xcb, 0xc1]),
    row("extrq-imm", Sse, &[0x66, 0x0f, 0x78, 0xc0, 8, 0]),
    row("extrq", Sse, &[0x66, 0x0f, 0x79, 0xc1]),
    row("insertq-imm", Sse, &[0xf2, 0x0f, 0x78, 0xc1, 8, 0]),
    row("insertq", Sse, &[0xf2, 0x0f, 0x79, 0xc1]),
    with(row("ldmxcsr", Sse, &[0x0f, 0xae, 0x13]), MXCSR),
    row("stmxcsr", Sse, &[0x0f, 0xae, 0x1b]),
    row("vaddps", Avx, &[0xc5, 0xf8, 0x58, 0xc1]),
    row("vmovaps-ymm", Avx, &[0xc5, 0xfc, 0x28, 0xc1]),
    misaligned(row("vmovaps-misaligned", Avx, &[0xc5, 0xf8, 0x28, 0x43, 0x08])),
    row("vpermq", Avx, &[0xc4, 0xe3, 0xfd, 0x00, 0xc1, 0]),
    row("vpbroadcastb", Avx, &[0xc4, 0xe2, 0x79, 0x78, 0xc1]),
    row("vmaskmovps", Avx, &[0xc4, 0xe2, 0x71, 0x2c, 0x03]),
    row("vcvtph2ps", Avx, &[0xc4, 0xe2, 0x79, 0x13, 0xc1]),
    row("vfmadd231ps", Avx, &[0xc4, 0xe2, 0x71, 0xb8, 0xc1]),
    row("vzeroupper", Avx, &[0xc5, 0xf8, 0x77]),
    row("vzeroall", Avx, &[0xc5, 0xfc, 0x77]),
    with(row("vldmxcsr", Avx, &[0xc5, 0xf8, 0xae, 0x13]), MXCSR),
    row("vstmxcsr", Avx, &[0xc5, 0xf8, 0xae, 0x1b]),
    row("xsave", Xsave, &[0x0f, 0xae, 0x23]),
    row("xsave64", Xsave, &[0x48, 0x0f, 0xae, 0x23]),
    misaligned(row("xsave-misaligned", Xsave, &[0x0f, 0xae, 0x63, 0x20])),
    row("xsaveopt", Xsave, &[0x0f, 0xae, 0x33]),
    row("xsaveopt64", Xsave, &[0x48, 0x0f, 0xae, 0x33]),
    misaligned(row("xsaveopt-misaligned", Xsave, &[0x0f, 0xae, 0x73, 0x20])),
    with(row("xrstor", Xsave, &[0x0f, 0xae, 0x2b]), LEGACY),
    with(row("xrstor64", Xsave, &[0x48, 0x0f, 0xae, 0x2b]), LEGACY),
    misaligned(row("xrstor-misaligned", Xsave, &[0x0f, 0xae, 0x6b, 0x20])),
    row("xsavec", Absent, &[0x0f, 0xc7, 0x23]),
    row("xsaves", Absent, &[0x0f, 0xc7, 0x2b]),
    row("xrstors", Absent, &[0x0f, 0xc7, 0x1b]),
    zeroed(row("xgetbv", Xcr, &[0x0f, 0x01, 0xd0])),
    zeroed(row("xsetbv", Xcr, &[0x0f, 0x01, 0xd1])),
    zeroed(row("rdpkru", Other, &[0x0f, 0x01, 0xee])),
    zeroed(row("wrpkru", Other, &[0x0f, 0x01, 0xef])),
    row("crc32", Other, &[0xf2, 0x0f, 0x38, 0xf0, 0xc1]),
    row("popcnt", Other, &[0xf3, 0x0f, 0xb8, 0xc1]),
    row("movbe", Other, &[0x0f, 0x38, 0xf0, 0x03]),
    row("movnti", Other, &[0x0f, 0xc3, 0x03]),
    row("prefetchnta", Other, &[0x0f, 0x18, 0x03]),
    row("prefetchw", Other, &[0x0f, 0x0d, 0x0b]),
    row("clflush", Other, &[0x0f, 0xae, 0x3b]),
    row("clflushopt", Other, &[0x66, 0x0f, 0xae, 0x3b]),
    row("clwb", Other, &[0x66, 0x0f, 0xae, 0x33]),
    row("lfence", Other, &[0x0f, 0xae, 0xe8]),
    row("mfence", Other, &[0x0f, 0xae, 0xf0]),
    row("sfence", Other, &[0x0f, 0xae, 0xf8]),
    row("andn", Other, &[0xc4, 0xe2, 0x60, 0xf2, 0xc1]),
    row("rorx", Other, &[0xc4, 0xe3, 0x7b, 0xf0, 0xc1, 1]),
];
