//! Table 15-7: for each instruction with an intercept, what it checks before the intercept and
//! what after (15.9; for MSRs 15.11, for ports 15.10.2). The exceptions themselves are those of
//! the instruction's page in APM vol. 3.

use alloc::vec;
use alloc::vec::Vec;

use crate::arch::exit;
use crate::case::Insn;
use crate::cpu::CpuFeature;

/// Something that an instruction checks, and raises an exception for (15.9; APM vol. 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// #DB: an instruction breakpoint (15.7: before all intercepts).
    Breakpoint,
    /// #PF of the fetch.
    FetchPage,
    /// A nested page fault of the fetch.
    FetchNested,
    /// #UD: a LOCK prefix on what cannot be locked.
    Lock,
    /// #UD: CPUID does not offer the instruction.
    Absent(CpuFeature),
    /// #UD: real and virtual-8086 mode do not have the instruction.
    LegacyMode,
    /// #GP: the CPL is not 0.
    Privilege,
    /// #UD: the CPL is not 0.
    PrivilegeUd,
    /// #GP: CR4.UMIP at CPL 3.
    Umip,
    /// #GP: CR4.TSD at CPL 3.
    Tsd,
    /// #GP: CR4.PCE clear at CPL 3.
    Pce,
    /// #GP: IOPL and the I/O map of the TSS.
    Iopl,
    /// #GP: a counter that there is not, or an extension in ECX.
    Ecx,
    /// #GP: an address in rAX that no VMCB can have.
    VmcbAddress,
    /// #GP: a value that the register cannot hold.
    Value,
    /// #UD: DR4 and DR5 with CR4.DE.
    DebugAlias,
    /// #DB: DR7.GD.
    Detect,
    /// #GP: a type of INVPCID that there is not.
    InvpcidType,
    /// #GP: the gate is beyond the limit of the IDT.
    Gate,
    /// #GP: the memory operand is at no canonical address.
    OperandCanonical,
    /// #PF of the memory operand.
    OperandPage,
    /// A nested page fault of the memory operand.
    OperandNested,
    /// #SS: the stack is at no canonical address.
    StackCanonical,
    /// #PF of the stack.
    StackPage,
    /// A nested page fault of the stack.
    StackNested,
    /// #AC of the stack.
    StackAligned,
}

impl Check {
    /// The exit that reports it, where its exception is intercepted (15.12).
    pub fn code(self) -> u64 {
        use Check::*;
        match self {
            Breakpoint | Detect => exit::EXCP + 1,
            Lock | Absent(_) | LegacyMode | PrivilegeUd | DebugAlias => exit::EXCP + 6,
            StackCanonical => exit::EXCP + 12,
            Privilege | Umip | Tsd | Pce | Iopl | Ecx | VmcbAddress | Value | InvpcidType
            | Gate | OperandCanonical => exit::EXCP + 13,
            FetchPage | OperandPage | StackPage => exit::EXCP + 14,
            StackAligned => exit::EXCP + 17,
            FetchNested | OperandNested | StackNested => exit::NPF,
        }
    }
}

/// A row of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// The name, for ids.
    pub name: &'static str,
    /// The instruction.
    pub insn: Insn,
    /// The exit code of its intercept.
    pub code: u64,
    /// What is checked before the intercept, in the order in which it shows.
    pub before: Vec<Check>,
    /// What is checked after it.
    pub after: Vec<Check>,
    /// What CPUID must offer for it.
    pub needs: &'static [CpuFeature],
    /// RAX for it.
    pub rax: Rax,
    /// It exists in 64-bit mode alone, or is written so.
    pub long_only: bool,
}

/// RAX for an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rax {
    /// As it is.
    Any,
    /// That value.
    Is(u64),
    /// What that control register holds.
    Cr(u8),
    /// What CR0 holds, with another WP.
    Cr0Changed,
}

/// What comes before every intercept (15.7).
pub const ALWAYS: [Check; 3] = [Check::Breakpoint, Check::FetchPage, Check::FetchNested];

fn row(name: &'static str, insn: Insn, code: u64, before: &[Check], after: &[Check]) -> Row {
    Row {
        name,
        insn,
        code,
        before: before.to_vec(),
        after: after.to_vec(),
        needs: &[],
        rax: Rax::Any,
        long_only: false,
    }
}

/// The table.
pub fn table() -> Vec<Row> {
    [registers(), tables(), plain(), own(), newer(), permission_maps()].concat()
}

use Check::*;

const OPERAND: [Check; 2] = [OperandPage, OperandNested];
const STACK: [Check; 4] = [StackCanonical, StackPage, StackNested, StackAligned];

/// Control and debug registers.
fn registers() -> Vec<Row> {
    let read = |name, n, before: &[Check]| {
        row(name, Insn::ReadCr(n, 0), exit::CR_READ + u64::from(n), before, &[])
    };
    let write = |name, n, before: &[Check]| Row {
        rax: Rax::Cr(n),
        ..row(name, Insn::WriteCr(n, 0), exit::CR_WRITE + u64::from(n), before, &[])
    };
    let mut rows = vec![
        // With LOCK it is CR8.
        read("cr0-read", 0, &[Privilege]),
        read("cr2-read", 2, &[Lock, Privilege]),
        read("cr3-read", 3, &[Lock, Privilege]),
        read("cr4-read", 4, &[Lock, Privilege]),
        Row { long_only: true, ..read("cr8-read", 8, &[Lock, Privilege]) },
        row("smsw", Insn::Smsw(0), exit::CR_READ, &[Lock, Umip], &[]),
        write("cr0-write", 0, &[Privilege, Value]),
        write("cr2-write", 2, &[Lock, Privilege]),
        write("cr3-write", 3, &[Lock, Privilege, Value]),
        write("cr4-write", 4, &[Lock, Privilege, Value]),
        Row { long_only: true, ..write("cr8-write", 8, &[Lock, Privilege, Value]) },
        Row {
            rax: Rax::Cr0Changed,
            ..row(
                "cr0-selective",
                Insn::WriteCr(0, 0),
                exit::CR0_SEL_WRITE,
                &[Privilege, Value],
                &[],
            )
        },
        Row {
            rax: Rax::Cr(0),
            ..row("lmsw-selective", Insn::Lmsw(0), exit::CR0_SEL_WRITE, &[Lock, Privilege], &[])
        },
        Row {
            rax: Rax::Cr(0),
            ..row("lmsw", Insn::Lmsw(0), exit::CR_WRITE, &[Lock, Privilege], &[])
        },
        row("clts", Insn::Clts, exit::CR_WRITE, &[Lock, Privilege], &[]),
    ];
    const READS: [&str; 8] = [
        "dr0-read", "dr1-read", "dr2-read", "dr3-read", "dr4-read", "dr5-read", "dr6-read",
        "dr7-read",
    ];
    const WRITES: [&str; 8] = [
        "dr0-write",
        "dr1-write",
        "dr2-write",
        "dr3-write",
        "dr4-write",
        "dr5-write",
        "dr6-write",
        "dr7-write",
    ];
    for n in 0..8u8 {
        let mut before = vec![Lock];
        before.extend(matches!(n, 4 | 5).then_some(DebugAlias));
        before.push(Privilege);
        let code = u64::from(n);
        let mut reads = before.clone();
        reads.push(Detect);
        before.extend((n > 3).then_some(Value));
        before.push(Detect);
        let read = Insn::ReadDr(n, 0);
        rows.push(row(READS[usize::from(n)], read, exit::DR_READ + code, &reads, &[]));
        let write =
            row(WRITES[usize::from(n)], Insn::WriteDr(n, 0), exit::DR_WRITE + code, &before, &[]);
        rows.push(Row { rax: Rax::Is(0x400), ..write });
    }
    rows
}

/// Descriptor tables and their registers.
fn tables() -> Vec<Row> {
    let at = |n: u64| exit::IDTR_READ + n;
    vec![
        row("sidt", Insn::Sidt, at(0), &[Lock, Umip], &OPERAND),
        row("sgdt", Insn::Sgdt, at(1), &[Lock, Umip], &OPERAND),
        row("sldt", Insn::Sldt(0), at(2), &[Lock, LegacyMode, Umip], &[]),
        row("str", Insn::Str(0), at(3), &[Lock, LegacyMode, Umip], &[]),
        row("lidt", Insn::Lidt, at(4), &[Lock, Privilege], &OPERAND),
        row("lgdt", Insn::Lgdt, at(5), &[Lock, Privilege], &OPERAND),
        row("lldt", Insn::Lldt(0), at(6), &[Lock, LegacyMode, Privilege], &[]),
        row("ltr", Insn::Ltr(0), at(7), &[Lock, LegacyMode, Privilege], &[]),
    ]
}

/// Instructions that every processor has.
fn plain() -> Vec<Row> {
    let all = |before: &[Check]| -> Vec<Check> { [&[Lock], before].concat() };
    vec![
        row("rdtsc", Insn::Rdtsc, exit::RDTSC, &all(&[Tsd]), &[]),
        row("rdpmc", Insn::Rdpmc, exit::RDPMC, &all(&[Pce, Ecx]), &[]),
        row("pushf", Insn::Pushf, exit::PUSHF, &[Lock], &STACK),
        row("popf", Insn::Popf, exit::POPF, &[Lock], &STACK),
        row("cpuid", Insn::Cpuid, exit::CPUID, &[Lock], &[]),
        row("rsm", Insn::Rsm, exit::RSM, &[Lock], &[]),
        Row { long_only: true, ..row("iret", Insn::Iret, exit::IRET, &[Lock], &STACK) },
        row("int", Insn::Int(0x40), exit::SWINT, &[Lock], &[Gate]),
        row("int-exception", Insn::Int(13), exit::SWINT, &[Lock], &[Gate]),
        row("invd", Insn::Invd, exit::INVD, &all(&[Privilege]), &[]),
        row("pause", Insn::Pause, exit::PAUSE, &[Lock], &[]),
        row("hlt", Insn::Hlt, exit::HLT, &all(&[Privilege]), &[]),
        row("invlpg", Insn::Invlpg(0), exit::INVLPG, &all(&[Privilege]), &[]),
        row("icebp", Insn::Icebp, exit::ICEBP, &[Lock], &[]),
        row("wbinvd", Insn::Wbinvd, exit::WBINVD, &all(&[Privilege]), &[]),
    ]
}

/// SVM's own instructions.
fn own() -> Vec<Row> {
    let svm = |name, insn, code, more: &[Check]| {
        row(name, insn, code, &[&[Lock, LegacyMode, Privilege], more].concat(), &[])
    };
    let addressed = |name, insn, code| Row {
        rax: Rax::Is(crate::case::world::VMCB2),
        ..svm(name, insn, code, &[VmcbAddress])
    };
    vec![
        addressed("vmrun", Insn::Vmrun, exit::VMRUN),
        addressed("vmload", Insn::Vmload, exit::VMLOAD),
        addressed("vmsave", Insn::Vmsave, exit::VMSAVE),
        row("vmmcall", Insn::Vmmcall, exit::VMMCALL, &[Lock], &[]),
        svm("stgi", Insn::Stgi, exit::STGI, &[]),
        svm("clgi", Insn::Clgi, exit::CLGI, &[]),
        svm("invlpga", Insn::Invlpga, exit::INVLPGA, &[]),
        Row { needs: &[CpuFeature::Skinit], ..svm("skinit", Insn::Skinit, exit::SKINIT, &[]) },
    ]
}

/// Instructions that CPUID reports.
fn newer() -> Vec<Row> {
    let new =
        |name, insn, code, needs: &'static [CpuFeature], before: &[Check], after: &[Check]| {
            let absent: Vec<Check> = needs.iter().map(|feature| Absent(*feature)).collect();
            Row { needs, ..row(name, insn, code, &[&[Lock], &absent[..], before].concat(), after) }
        };
    let operand = [Ecx, OperandCanonical, OperandPage, OperandNested];
    let monitor = [&[PrivilegeUd][..], &operand].concat();
    vec![
        new("rdtscp", Insn::Rdtscp, exit::RDTSCP, &[CpuFeature::Rdtscp], &[Tsd], &[]),
        Row {
            rax: Rax::Is(crate::case::world::DATA + 0x3_0000),
            ..new("monitor", Insn::Monitor, exit::MONITOR, &[CpuFeature::Monitor], &monitor, &[])
        },
        new("mwait", Insn::Mwait, exit::MWAIT, &[CpuFeature::Monitor], &[PrivilegeUd, Ecx], &[]),
        Row {
            needs: &[CpuFeature::Xsave],
            ..row("xsetbv", Insn::Xsetbv, exit::XSETBV, &[Lock], &[Privilege])
        },
        new("rdpru", Insn::Rdpru, exit::RDPRU, &[CpuFeature::Rdpru], &[], &[]),
        row("wbnoinvd", Insn::Wbnoinvd, exit::WBINVD, &[Lock, Privilege], &[]),
        new("invlpgb", Insn::Invlpgb, exit::INVLPGB, &[CpuFeature::Invlpgb], &[Privilege], &[]),
        Row {
            rax: Rax::Is(2),
            ..new(
                "invpcid",
                Insn::Invpcid(2),
                exit::INVPCID,
                &[CpuFeature::Invpcid],
                &[Privilege],
                &[InvpcidType],
            )
        },
        new("tlbsync", Insn::Tlbsync, exit::TLBSYNC, &[CpuFeature::Invlpgb], &[Privilege], &[]),
        Row {
            needs: &[CpuFeature::IdleHlt],
            ..row("idle-hlt", Insn::Hlt, exit::IDLE_HLT, &[Lock, Privilege], &[])
        },
    ]
}

/// What a permission map intercepts.
fn permission_maps() -> Vec<Row> {
    let port = 0x80;
    let string = |input| Insn::StringIo { input, size: 1, port, count: None };
    vec![
        row("in", Insn::In { size: 1, port }, exit::IOIO, &[Lock, Iopl], &[]),
        row("out", Insn::Out { size: 1, port }, exit::IOIO, &[Lock, Iopl], &[]),
        row("ins", string(true), exit::IOIO, &[Lock, Iopl], &[]),
        row("outs", string(false), exit::IOIO, &[Lock, Iopl], &[]),
        row("rdmsr", Insn::Rdmsr(0), exit::MSR, &[Lock, Privilege], &[]),
        row("wrmsr", Insn::Wrmsr(0, 0), exit::MSR, &[Lock, Privilege], &[]),
    ]
}
