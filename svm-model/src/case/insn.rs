//! The instructions that cases are written in, as L2 (or L1) executes them. Each has its
//! page in APM vol. 3, under the name that is given here.

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// General-purpose register number: RAX 0, RCX 1, RDX 2, RBX 3, RSP 4, RBP 5, RSI 6, RDI 7, R8 8 …
pub type Gpr = u8;

/// One instruction. Operands that live in registers are loaded with [`Insn::Mov`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Insn {
    /// MOV gpr, imm64.
    Mov(Gpr, u64),
    /// MOV gpr, `[imm64 address in RBX]` — RBX is overwritten with the address first.
    Load(Gpr, u64),
    /// MOV `[imm64 address in RBX]`, RAX — RBX is overwritten with the address first.
    Store(u64),
    /// LOCK NOT qword `[imm64 address in RBX]`, likewise.
    LockNot(u64),
    /// XCHG `[imm64 address in RBX]`, RAX, likewise; locked without a prefix.
    Xchg(u64),
    /// JMP to the absolute address, through RBX.
    Jump(u64),
    /// NOP.
    Nop,
    /// VMMCALL.
    Vmmcall,
    /// VMRUN rAX.
    Vmrun,
    /// VMLOAD rAX.
    Vmload,
    /// VMSAVE rAX.
    Vmsave,
    /// STGI.
    Stgi,
    /// CLGI.
    Clgi,
    /// INVLPGA rAX, ECX.
    Invlpga,
    /// SKINIT EAX.
    Skinit,
    /// CPUID.
    Cpuid,
    /// HLT.
    Hlt,
    /// PAUSE.
    Pause,
    /// STI.
    Sti,
    /// CLI.
    Cli,
    /// RDTSC.
    Rdtsc,
    /// RDTSCP.
    Rdtscp,
    /// RDPMC.
    Rdpmc,
    /// PUSHF.
    Pushf,
    /// POPF.
    Popf,
    /// IRET (IRETQ in 64-bit mode).
    Iret,
    /// RSM.
    Rsm,
    /// INT imm8.
    Int(u8),
    /// INT3 (0xCC).
    Int3,
    /// INTO (0xCE); #UD in 64-bit mode.
    Into,
    /// INT1 (0xF1).
    Icebp,
    /// DIV ECX, with ECX cleared first: #DE.
    Divide,
    /// JMP far to a task-state segment (EA, outside 64-bit mode).
    TaskJump(u16),
    /// SHR gpr, imm8.
    Shr(Gpr, u8),
    /// FNOP.
    Fnop,
    /// UD2.
    Ud2,
    /// INVD.
    Invd,
    /// WBINVD.
    Wbinvd,
    /// INVLPG `[address]`, through RBX.
    Invlpg(u64),
    /// MONITOR.
    Monitor,
    /// MWAIT.
    Mwait,
    /// XSETBV.
    Xsetbv,
    /// RDPRU.
    Rdpru,
    /// IN AL/AX/EAX from an immediate or DX port.
    In {
        /// Bytes: 1, 2 or 4.
        size: u8,
        /// Port; above 0xff it goes through DX (loaded first).
        port: u16,
    },
    /// OUT, likewise.
    Out {
        /// Bytes: 1, 2 or 4.
        size: u8,
        /// Port; above 0xff it goes through DX (loaded first).
        port: u16,
    },
    /// INS or OUTS of the default address size, DX loaded first; RCX loaded with
    /// `count` first where it has a REP prefix.
    StringIo {
        /// INS; else OUTS.
        input: bool,
        /// Bytes: 1, 2 or 4.
        size: u8,
        /// Port.
        port: u16,
        /// REP count; `None` without the prefix.
        count: Option<u64>,
    },
    /// INVPCID RAX, `[RBX]`, with RBX pointing at scratch and RAX loaded first.
    Invpcid(u64),
    /// WBNOINVD.
    Wbnoinvd,
    /// INVLPGB.
    Invlpgb,
    /// TLBSYNC.
    Tlbsync,
    /// MCOMMIT.
    Mcommit,
    /// RDMSR of that MSR (ECX loaded first).
    Rdmsr(u32),
    /// WRMSR of that MSR and value (ECX, EDX, EAX loaded first).
    Wrmsr(u32, u64),
    /// MOV gpr, CRn.
    ReadCr(u8, Gpr),
    /// MOV CRn, gpr.
    WriteCr(u8, Gpr),
    /// MOV gpr, DRn.
    ReadDr(u8, Gpr),
    /// MOV DRn, gpr.
    WriteDr(u8, Gpr),
    /// LMSW gpr.
    Lmsw(Gpr),
    /// SMSW gpr.
    Smsw(Gpr),
    /// CLTS.
    Clts,
    /// SIDT `[RBX]`, with RBX pointing at scratch (loaded first).
    Sidt,
    /// SGDT, likewise.
    Sgdt,
    /// SLDT gpr.
    Sldt(Gpr),
    /// STR gpr.
    Str(Gpr),
    /// LIDT `[RBX]`, likewise.
    Lidt,
    /// LGDT, likewise.
    Lgdt,
    /// LLDT gpr.
    Lldt(Gpr),
    /// LTR gpr.
    Ltr(Gpr),
    /// MOV r32, imm32, of the first eight registers: the same bytes in 64-bit mode and with
    /// default sizes of 32 bits.
    Mov32(Gpr, u32),
    /// That instruction behind a LOCK prefix, which it cannot have.
    Lock(Box<Insn>),
    /// The bytes as they are; the model does not look inside, so only for cases that never reach them.
    Raw(Vec<u8>),
}

macro_rules! kinds {
    ($($kind:ident)*) => {
        /// The kinds of instruction, to be numbered.
        enum Kind {
            $($kind,)*
        }

        impl Insn {
            /// The name of every kind of instruction.
            pub const KINDS: &[&str] = &[$(stringify!($kind)),*];

            /// Its kind, as the place in [`Insn::KINDS`].
            pub fn kind(&self) -> usize {
                (match self {
                    $(Insn::$kind { .. } => Kind::$kind,)*
                }) as usize
            }
        }
    };
}

kinds! {
    Mov Load Store LockNot Xchg Jump Nop Vmmcall Vmrun Vmload Vmsave Stgi Clgi Invlpga Skinit
    Cpuid Hlt Pause Sti Cli Rdtsc Rdtscp Rdpmc Pushf Popf Iret Rsm Int Int3 Into Icebp Divide
    TaskJump Shr Fnop Ud2 Invd Wbinvd Invlpg Monitor Mwait Xsetbv Rdpru In Out StringIo Invpcid
    Wbnoinvd Invlpgb Tlbsync Mcommit Rdmsr Wrmsr ReadCr WriteCr ReadDr WriteDr Lmsw Smsw Clts
    Sidt Sgdt Sldt Str Lidt Lgdt Lldt Ltr Mov32 Lock Raw
}
