//! Which of the model's fields and exit codes each of QEMU's names means.

use svm_model::vmcb::{Field, exit};

/// What a field of QEMU's stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ours {
    /// These fields, one behind the other.
    Fields(&'static [Field]),
    /// Bytes of a field: from, and how many.
    Part(Field, u16, u8),
    /// The manual has it reserved; QEMU names it because its struct is shared.
    Reserved,
}

/// Names that are not the model's with a dot for the first underscore. A field
/// that is neither here nor called like one of ours is compared by its place.
const NAMES: &[(&str, Ours)] = &[
    ("control.intercept", Ours::Fields(&[Field::INTERCEPT_MISC1, Field::INTERCEPT_MISC2])),
    ("control.asid", Ours::Fields(&[Field::GUEST_ASID])),
    ("control.tlb_ctl", Ours::Fields(&[Field::TLB_CONTROL])),
    // Bits 1:0 are all that the quadword has.
    ("control.int_state", Ours::Part(Field::INT_STATE, 0, 4)),
    ("control.exit_code", Ours::Fields(&[Field::EXITCODE])),
    ("control.exit_info_1", Ours::Fields(&[Field::EXITINFO1])),
    ("control.exit_info_2", Ours::Fields(&[Field::EXITINFO2])),
    ("control.exit_int_info", Ours::Part(Field::EXITINTINFO, 0, 4)),
    ("control.exit_int_info_err", Ours::Part(Field::EXITINTINFO, 4, 4)),
    ("control.event_inj", Ours::Part(Field::EVENTINJ, 0, 4)),
    ("control.event_inj_err", Ours::Part(Field::EVENTINJ, 4, 4)),
    ("control.nested_cr3", Ours::Fields(&[Field::N_CR3])),
    ("control.lbr_ctl", Ours::Fields(&[Field::VIRT_EXT])),
    ("control.next_rip", Ours::Fields(&[Field::NRIP])),
    ("control.insn_bytes", Ours::Fields(&[Field::INSN_BYTES_0, Field::INSN_BYTES_8])),
    ("save.gdtr.selector", Ours::Reserved),
    ("save.gdtr.attrib", Ours::Reserved),
    ("save.idtr.selector", Ours::Reserved),
    ("save.idtr.attrib", Ours::Reserved),
    ("save.last_excp_from", Ours::Fields(&[Field::LASTEXCPFROM])),
    ("save.last_excp_to", Ours::Fields(&[Field::LASTEXCPTO])),
];

/// What that path in `struct vmcb` stands for, if the name tells.
pub fn field(path: &str) -> Option<Ours> {
    if let Some((_, ours)) = NAMES.iter().find(|(name, _)| *name == path) {
        return Some(*ours);
    }
    let (_, name) = path.split_once('.')?;
    let index = Field::named(&name.replace('.', "_"))?.index();
    Some(Ours::Fields(&Field::ALL[index..=index]))
}

/// The model's exit codes under QEMU's names; QEMU may lack some.
const EXITS: &[(&str, u64)] = &[
    ("EXCP_BASE", exit::EXCP),
    ("INTR", exit::INTR),
    ("NMI", exit::NMI),
    ("SMI", exit::SMI),
    ("INIT", exit::INIT),
    ("VINTR", exit::VINTR),
    ("CR0_SEL_WRITE", exit::CR0_SEL_WRITE),
    ("IDTR_READ", exit::IDTR_READ),
    ("GDTR_READ", exit::IDTR_READ + 1),
    ("LDTR_READ", exit::IDTR_READ + 2),
    ("TR_READ", exit::IDTR_READ + 3),
    ("IDTR_WRITE", exit::IDTR_READ + 4),
    ("GDTR_WRITE", exit::IDTR_READ + 5),
    ("LDTR_WRITE", exit::IDTR_READ + 6),
    ("TR_WRITE", exit::IDTR_READ + 7),
    ("RDTSC", exit::RDTSC),
    ("RDPMC", exit::RDPMC),
    ("PUSHF", exit::PUSHF),
    ("POPF", exit::POPF),
    ("CPUID", exit::CPUID),
    ("RSM", exit::RSM),
    ("IRET", exit::IRET),
    ("SWINT", exit::SWINT),
    ("INVD", exit::INVD),
    ("PAUSE", exit::PAUSE),
    ("HLT", exit::HLT),
    ("INVLPG", exit::INVLPG),
    ("INVLPGA", exit::INVLPGA),
    ("IOIO", exit::IOIO),
    ("MSR", exit::MSR),
    ("TASK_SWITCH", exit::TASK_SWITCH),
    ("FERR_FREEZE", exit::FERR_FREEZE),
    ("SHUTDOWN", exit::SHUTDOWN),
    ("VMRUN", exit::VMRUN),
    ("VMMCALL", exit::VMMCALL),
    ("VMLOAD", exit::VMLOAD),
    ("VMSAVE", exit::VMSAVE),
    ("STGI", exit::STGI),
    ("CLGI", exit::CLGI),
    ("SKINIT", exit::SKINIT),
    ("RDTSCP", exit::RDTSCP),
    ("ICEBP", exit::ICEBP),
    ("WBINVD", exit::WBINVD),
    ("MONITOR", exit::MONITOR),
    ("MWAIT", exit::MWAIT),
    ("MWAIT_ARMED", exit::MWAIT_ARMED),
    ("XSETBV", exit::XSETBV),
    ("RDPRU", exit::RDPRU),
    ("EFER_WRITE_TRAP", exit::EFER_WRITE_TRAP),
    ("INVLPGB", exit::INVLPGB),
    ("INVPCID", exit::INVPCID),
    ("MCOMMIT", exit::MCOMMIT),
    ("TLBSYNC", exit::TLBSYNC),
    ("BUSLOCK", exit::BUSLOCK),
    ("IDLE_HLT", exit::IDLE_HLT),
    ("NPF", exit::NPF),
    ("ERR", exit::INVALID),
];

/// Families of sixteen codes, by the name before the number.
const NUMBERED: &[(&str, u64)] = &[
    ("READ_CR", exit::CR_READ),
    ("WRITE_CR", exit::CR_WRITE),
    ("READ_DR", exit::DR_READ),
    ("WRITE_DR", exit::DR_WRITE),
];

/// The model's code for a constant called `SVM_EXIT_…`.
pub fn exit_code(name: &str) -> Option<u64> {
    let name = name.strip_prefix("SVM_EXIT_")?;
    let single = EXITS.iter().find(|(n, _)| *n == name).map(|(_, code)| *code);
    single.or_else(|| {
        NUMBERED.iter().find_map(|(prefix, base)| {
            let n: u64 = name.strip_prefix(prefix)?.parse().ok()?;
            (n < 16).then_some(base + n)
        })
    })
}

/// The model's exit codes that those names leave out.
pub fn exits_without(names: &[&str]) -> impl Iterator<Item = (String, u64)> {
    let single = EXITS.iter().map(|(name, code)| (format!("SVM_EXIT_{name}"), *code));
    single.filter(move |(name, _)| !names.contains(&name.as_str()))
}
