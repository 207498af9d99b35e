//! What a #VMEXIT was, in a sentence (appendix C, 15.7, 15.8).

use svm_model::arch::control::{MOV_CR, TASK_BY_JUMP};
use svm_model::arch::{event as ev, fault, ioio};
use svm_model::vmcb::{Field, Image, exit};

use super::event;

/// General registers by number.
const REGISTERS: [&str; 16] = [
    "RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI", "R8", "R9", "R10", "R11", "R12", "R13",
    "R14", "R15",
];

/// Exit codes of one thing each: the name, and what L2 did.
const PLAIN: &[(u64, &str, &str)] = &[
    (exit::INTR, "INTR", "a physical interrupt is pending"),
    (exit::NMI, "NMI", "a physical NMI is pending"),
    (exit::SMI, "SMI", "a physical SMI is pending"),
    (exit::INIT, "INIT", "a physical INIT is pending"),
    (exit::VINTR, "VINTR", "L2 was about to take a virtual interrupt"),
    (exit::CR0_SEL_WRITE, "CR0_SEL_WRITE", "L2 wrote to CR0, and not only to TS or MP"),
    (exit::IDTR_READ, "IDTR_READ", "L2 executed SIDT"),
    (exit::IDTR_READ + 1, "GDTR_READ", "L2 executed SGDT"),
    (exit::IDTR_READ + 2, "LDTR_READ", "L2 executed SLDT"),
    (exit::IDTR_READ + 3, "TR_READ", "L2 executed STR"),
    (exit::IDTR_READ + 4, "IDTR_WRITE", "L2 executed LIDT"),
    (exit::IDTR_READ + 5, "GDTR_WRITE", "L2 executed LGDT"),
    (exit::IDTR_READ + 6, "LDTR_WRITE", "L2 executed LLDT"),
    (exit::IDTR_READ + 7, "TR_WRITE", "L2 executed LTR"),
    (exit::RDTSC, "RDTSC", "L2 executed RDTSC"),
    (exit::RDPMC, "RDPMC", "L2 executed RDPMC"),
    (exit::PUSHF, "PUSHF", "L2 executed PUSHF"),
    (exit::POPF, "POPF", "L2 executed POPF"),
    (exit::CPUID, "CPUID", "L2 executed CPUID"),
    (exit::RSM, "RSM", "L2 executed RSM"),
    (exit::IRET, "IRET", "L2 executed IRET"),
    (exit::INVD, "INVD", "L2 executed INVD"),
    (exit::PAUSE, "PAUSE", "L2 executed PAUSE"),
    (exit::HLT, "HLT", "L2 executed HLT"),
    (exit::INVLPGA, "INVLPGA", "L2 executed INVLPGA"),
    (exit::FERR_FREEZE, "FERR_FREEZE", "the processor froze on a floating-point error"),
    (
        exit::SHUTDOWN,
        "SHUTDOWN",
        "L2 shut down, as after a triple fault; what the VMCB has of it is not defined",
    ),
    (exit::VMRUN, "VMRUN", "L2 executed VMRUN"),
    (exit::VMMCALL, "VMMCALL", "L2 executed VMMCALL"),
    (exit::VMLOAD, "VMLOAD", "L2 executed VMLOAD"),
    (exit::VMSAVE, "VMSAVE", "L2 executed VMSAVE"),
    (exit::STGI, "STGI", "L2 executed STGI"),
    (exit::CLGI, "CLGI", "L2 executed CLGI"),
    (exit::SKINIT, "SKINIT", "L2 executed SKINIT"),
    (exit::RDTSCP, "RDTSCP", "L2 executed RDTSCP"),
    (exit::ICEBP, "ICEBP", "L2 executed INT1"),
    (exit::WBINVD, "WBINVD", "L2 executed WBINVD or WBNOINVD"),
    (exit::MONITOR, "MONITOR", "L2 executed MONITOR or MONITORX"),
    (exit::MWAIT, "MWAIT", "L2 executed MWAIT or MWAITX"),
    (exit::MWAIT_ARMED, "MWAIT_CONDITIONAL", "L2 executed MWAIT with the monitor armed"),
    (exit::XSETBV, "XSETBV", "L2 executed XSETBV"),
    (exit::RDPRU, "RDPRU", "L2 executed RDPRU"),
    (exit::EFER_WRITE_TRAP, "EFER_WRITE_TRAP", "L2 has written to EFER"),
    (exit::INVLPGB, "INVLPGB", "L2 executed INVLPGB"),
    (exit::INVPCID, "INVPCID", "L2 executed INVPCID"),
    (exit::MCOMMIT, "MCOMMIT", "L2 executed MCOMMIT"),
    (exit::TLBSYNC, "TLBSYNC", "L2 executed TLBSYNC"),
    (exit::BUSLOCK, "BUSLOCK", "L2 was about to lock the bus, and had no bus lock left"),
    (exit::IDLE_HLT, "IDLE_HLT", "L2 executed HLT with nothing virtual pending"),
    (0x401, "AVIC_INCOMPLETE_IPI", "AVIC could not deliver an IPI"),
    (0x402, "AVIC_NOACCEL", "L2 accessed a register that AVIC does not accelerate"),
    (0x403, "VMGEXIT", "L2 executed VMGEXIT"),
    (0xffff_ffff_ffff_fffe, "BUSY", "the VMSA was in use"),
];

/// The name of an exit code, as the manual has it behind `VMEXIT_`.
pub(crate) fn name(code: u64) -> String {
    match code {
        exit::INVALID => "INVALID".into(),
        exit::NPF => "NPF".into(),
        exit::SWINT => "SWINT".into(),
        exit::INVLPG => "INVLPG".into(),
        exit::IOIO => "IOIO".into(),
        exit::MSR => "MSR".into(),
        exit::TASK_SWITCH => "TASK_SWITCH".into(),
        0..exit::CR_WRITE => format!("CR{code}_READ"),
        exit::CR_WRITE..exit::DR_READ => format!("CR{}_WRITE", code - exit::CR_WRITE),
        exit::DR_READ..exit::DR_WRITE => format!("DR{}_READ", code - exit::DR_READ),
        exit::DR_WRITE..exit::EXCP => format!("DR{}_WRITE", code - exit::DR_WRITE),
        exit::EXCP..exit::INTR => format!("EXCP{}", code - exit::EXCP),
        exit::CR_WRITE_TRAP..exit::INVLPGB => {
            format!("CR{}_WRITE_TRAP", code - exit::CR_WRITE_TRAP)
        }
        _ => match PLAIN.iter().find(|(c, ..)| *c == code) {
            Some((_, name, _)) => (*name).to_owned(),
            None => format!("no exit code: {code:#x}"),
        },
    }
}

/// Whether an exit of that code is the intercept of an instruction, for which a next RIP is saved.
pub(crate) fn instruction(code: u64) -> bool {
    matches!(
        code,
        0..exit::EXCP
            | exit::CR0_SEL_WRITE..=exit::MSR
            | exit::VMRUN..=exit::RDPRU
            | exit::INVLPGB..=exit::TLBSYNC
            | exit::IDLE_HLT
    )
}

/// Whether the page tells of an exit: a page that never ran has none of that.
pub(super) fn happened(image: &Image) -> bool {
    let told = [
        Field::EXITCODE,
        Field::EXITINFO1,
        Field::EXITINFO2,
        Field::EXITINTINFO,
        Field::NRIP,
        Field::INSN_LEN,
    ];
    told.iter().any(|field| image.get(*field) != 0)
}

/// The last exit in a sentence; `found` is what a walk of the nested tables has found, for a
/// nested page fault. `None` where there was none.
pub(super) fn sentence(image: &Image, found: Option<&str>) -> Option<String> {
    if !happened(image) {
        return None;
    }
    let code = image.get(Field::EXITCODE);
    let mut text = format!("#VMEXIT({}): {}", name(code), what(image, found));
    let delivered = image.get(Field::EXITINTINFO);
    if delivered & ev::V != 0 {
        text += &format!("; while delivering {}", event::words(delivered));
    }
    Some(text + ".")
}

fn what(image: &Image, found: Option<&str>) -> String {
    let code = image.get(Field::EXITCODE);
    let (info1, info2) = (image.get(Field::EXITINFO1), image.get(Field::EXITINFO2));
    match code {
        exit::INVALID => "VMRUN refused this VMCB".into(),
        exit::NPF => nested_fault(info1, info2, found),
        exit::SWINT => {
            format!("L2 executed INT {:#x}, if the processor has decode assists", info1 & 0xff)
        }
        exit::INVLPG => {
            format!("L2 executed INVLPG of {info1:#x}, if the processor has decode assists")
        }
        exit::IOIO => port(info1, info2),
        exit::MSR => msr(image, info1),
        exit::TASK_SWITCH => task_switch(info1, info2),
        0..exit::CR_WRITE => control(code, "read CR", "into", info1),
        exit::CR_WRITE..exit::DR_READ => {
            control(code - exit::CR_WRITE, "wrote to CR", "from", info1)
        }
        exit::DR_READ..exit::DR_WRITE => debug(code - exit::DR_READ, "read DR", "into", info1),
        exit::DR_WRITE..exit::EXCP => debug(code - exit::DR_WRITE, "wrote to DR", "from", info1),
        exit::EXCP..exit::INTR => exception(code - exit::EXCP, info1, info2),
        exit::CR_WRITE_TRAP..exit::INVLPGB => {
            format!("L2 has written to CR{}", code - exit::CR_WRITE_TRAP)
        }
        _ => match PLAIN.iter().find(|(c, ..)| *c == code) {
            Some((.., what)) => (*what).to_owned(),
            None => "appendix C has no such code".into(),
        },
    }
}

fn control(n: u64, did: &str, way: &str, info1: u64) -> String {
    if info1 & MOV_CR != 0 {
        return format!("L2 {did}{n} {way} {}", REGISTERS[(info1 & 0xf) as usize]);
    }
    format!(
        "L2 {did}{n}; no register is named, as without decode assists, or for CLTS, LMSW and SMSW"
    )
}

fn debug(n: u64, did: &str, way: &str, info1: u64) -> String {
    let register = REGISTERS[(info1 & 0xf) as usize];
    format!("L2 {did}{n}, {way} {register} if the processor has decode assists")
}

fn exception(vector: u64, info1: u64, info2: u64) -> String {
    let name = event::exception(vector);
    match vector {
        14 => format!(
            "L2 raised #PF: {} of linear address {info2:#x}, {}",
            access(info1),
            if info1 & fault::P == 0 { "not present" } else { protection(info1) }
        ),
        _ if event::has_error_code(vector) => {
            format!("L2 raised {name} with error code {:#x}", info1 & 0xffff_ffff)
        }
        _ => format!("L2 raised {name}"),
    }
}

/// The access that a page fault's error code tells of.
fn access(code: u64) -> &'static str {
    match (code & fault::U != 0, code & fault::W != 0, code & fault::I != 0) {
        (true, _, true) => "a user's fetch",
        (false, _, true) => "a fetch",
        (true, true, _) => "a user's write",
        (false, true, _) => "a write",
        (true, false, _) => "a user's read",
        (false, false, _) => "a read",
    }
}

fn protection(code: u64) -> &'static str {
    if code & fault::RSV != 0 { "a reserved bit is set in an entry" } else { "not permitted" }
}

/// A nested fault's user bit is always set (15.25.6).
fn nested_fault(info1: u64, gpa: u64, found: Option<&str>) -> String {
    let did = match (info1 & fault::I != 0, info1 & fault::W != 0) {
        (true, _) => "fetched from",
        (_, true) => "wrote to",
        _ => "read",
    };
    let who = if info1 & fault::TABLE != 0 { "a walk of L2's page tables" } else { "L2" };
    let why = match found {
        Some(found) => found.to_owned(),
        None if info1 & fault::P == 0 => "not present in the nested table".into(),
        None if info1 & fault::RSV != 0 => "a reserved bit is set in its nested table".into(),
        None => "not permitted by the nested table".into(),
    };
    format!("{who} {did} guest-physical {gpa:#x}, {why}")
}

fn port(info1: u64, info2: u64) -> String {
    let input = info1 & ioio::IN != 0;
    let name = match (input, info1 & ioio::STRING != 0) {
        (true, false) => "IN",
        (true, true) => "INS",
        (false, false) => "OUT",
        (false, true) => "OUTS",
    };
    let rep = if info1 & ioio::REP != 0 { "REP " } else { "" };
    let bytes = info1 >> ioio::SIZE_SHIFT & 7;
    let port = info1 >> ioio::PORT_SHIFT & 0xffff;
    let did = if input { "read from" } else { "wrote to" };
    let plural = if bytes == 1 { "" } else { "s" };
    format!(
        "L2 {did} port {port:#x}, {bytes} byte{plural} ({rep}{name}); the next instruction is at {info2:#x}"
    )
}

fn msr(image: &Image, info1: u64) -> String {
    let number = "of the MSR that its ECX names, which is not in the VMCB";
    match info1 {
        0 => format!("L2 executed RDMSR {number}"),
        1 => {
            let low = image.get(Field::RAX) & 0xffff_ffff;
            format!("L2 executed WRMSR {number}; EAX is {low:#x}")
        }
        _ => format!("EXITINFO1 is {info1:#x}, which is neither RDMSR (0) nor WRMSR (1)"),
    }
}

fn task_switch(info1: u64, info2: u64) -> String {
    let by = match (info2 >> 36 & 1 == 1, info2 & TASK_BY_JUMP != 0) {
        (true, _) => "IRET",
        (_, true) => "a far jump",
        _ => "a call, an interrupt or an exception",
    };
    let code = match info2 >> 44 & 1 {
        1 => format!(", with error code {:#x}", info2 & 0xffff_ffff),
        _ => String::new(),
    };
    format!("L2 switched to the task of TSS selector {:#x} by {by}{code}", info1 & 0xffff)
}
