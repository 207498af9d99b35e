//! Registers in words: control bits by name.

use svm_model::arch::{cr0, cr4, debugctl, dr, efer, flag};
use svm_model::vmcb::Field;

use super::fields::flags;

/// Names for the bits of a module of the architecture.
macro_rules! names {
    ($module:ident: $($name:ident)*) => { &[$(($module::$name, stringify!($name))),*] };
}

/// What the value of a register means; empty where it is an address, or a number.
pub(super) fn words(field: Field, value: u64) -> String {
    match field {
        Field::CPL => format!("CPL {value}"),
        Field::CR0 => flags(value, names!(cr0: PE MP EM TS ET NE WP AM NW CD PG)),
        Field::CR4 => flags(value, CR4),
        Field::EFER => flags(value, names!(efer: SCE LME LMA NXE SVME LMSLE FFXSR TCE AIBRSE)),
        Field::RFLAGS => rflags(value),
        Field::DR6 => dr6(value),
        Field::DR7 => dr7(value),
        Field::DBGCTL => flags(value, names!(debugctl: LBR BTF)),
        Field::G_PAT => memory_types(value),
        Field::SPEC_CTRL => flags(value, &[(1, "IBRS"), (2, "STIBP"), (4, "SSBD")]),
        _ => String::new(),
    }
}

const CR4: &[(u64, &str)] = &[
    (1, "VME"),
    (1 << 1, "PVI"),
    (cr4::TSD, "TSD"),
    (cr4::DE, "DE"),
    (cr4::PSE, "PSE"),
    (cr4::PAE, "PAE"),
    (cr4::MCE, "MCE"),
    (cr4::PGE, "PGE"),
    (cr4::PCE, "PCE"),
    (cr4::OSFXSR, "OSFXSR"),
    (cr4::OSXMMEXCPT, "OSXMMEXCPT"),
    (cr4::UMIP, "UMIP"),
    (cr4::LA57, "LA57"),
    (cr4::FSGSBASE, "FSGSBASE"),
    (cr4::PCIDE, "PCIDE"),
    (cr4::OSXSAVE, "OSXSAVE"),
    (cr4::SMEP, "SMEP"),
    (cr4::SMAP, "SMAP"),
    (cr4::PKE, "PKE"),
    (cr4::CET, "CET"),
    (cr4::PKS, "PKS"),
];

fn rflags(value: u64) -> String {
    let iopl = (value & flag::IOPL) >> flag::IOPL.trailing_zeros();
    let mut words = vec![];
    let rest = value & !flag::IOPL & !flag::FIXED;
    if rest != 0 {
        words.push(flags(rest, FLAGS));
    }
    if iopl != 0 {
        words.push(format!("IOPL {iopl}"));
    }
    if value & flag::FIXED == 0 {
        words.push("bit 1, which is always set, is clear".into());
    }
    if words.is_empty() { "no flag".into() } else { words.join(", ") }
}

const FLAGS: &[(u64, &str)] = &[
    (1, "CF"),
    (1 << 2, "PF"),
    (1 << 4, "AF"),
    (1 << 6, "ZF"),
    (1 << 7, "SF"),
    (flag::TF, "TF"),
    (flag::IF, "IF"),
    (1 << 10, "DF"),
    (flag::OF, "OF"),
    (flag::NT, "NT"),
    (flag::RF, "RF"),
    (flag::VM, "VM"),
    (flag::AC, "AC"),
    (flag::VIF, "VIF"),
    (flag::VIP, "VIP"),
    (1 << 21, "ID"),
];

/// DR6 without what is always set.
fn dr6(value: u64) -> String {
    let names = [
        (1, "B0"),
        (2, "B1"),
        (4, "B2"),
        (8, "B3"),
        (dr::DR6_BD, "BD"),
        (dr::DR6_BS, "BS"),
        (1 << 15, "BT"),
    ];
    let set = value & !dr::DR6_ONES;
    if set == 0 { "nothing reported".into() } else { flags(set, &names) }
}

fn dr7(value: u64) -> String {
    let on = (0..4).filter(|n| value >> (2 * n) & 3 != 0).map(|n: u32| format!("breakpoint {n}"));
    let mut words: Vec<String> = on.collect();
    if value & dr::DR7_GD != 0 {
        words.push("GD".into());
    }
    if words.is_empty() { "no breakpoint".into() } else { words.join(", ") }
}

/// The memory types of a PAT, entry by entry (7.8.1).
fn memory_types(value: u64) -> String {
    let name = |byte: u8| match byte {
        0 => "UC".to_owned(),
        1 => "WC".to_owned(),
        4 => "WT".to_owned(),
        5 => "WP".to_owned(),
        6 => "WB".to_owned(),
        7 => "UC-".to_owned(),
        other => format!("reserved {other:#x}"),
    };
    value.to_le_bytes().map(name).join(" ")
}
