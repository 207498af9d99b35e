//! The fields of a VMCB in groups, each with what its value means.

use std::fmt::Write;

use svm_model::arch::{int_ctl, intercept, nested_ctl, tlb_control, virt_ext};
use svm_model::vmcb::{Field, Image};

use super::{Group, Row, event, registers};

/// Titles of the groups, and the first field of each.
const GROUPS: [(&str, Field); 6] = [
    ("Intercepts", Field::INTERCEPT_CR_READ),
    ("Controls", Field::PAUSE_FILTER_THRESHOLD),
    ("Last exit", Field::EXITCODE),
    ("Controls, further", Field::NESTED_CTL),
    ("Segments", Field::ES_SELECTOR),
    ("Registers", Field::CPL),
];

/// Fields that belong elsewhere than where they lie.
const MOVED: [(Field, &str); 5] = [
    (Field::NRIP, "Last exit"),
    (Field::INSN_LEN, "Last exit"),
    (Field::INSN_BYTES_0, "Last exit"),
    (Field::INSN_BYTES_8, "Last exit"),
    (Field::EVENTINJ, "Controls"),
];

/// The parts of a segment, which share a line.
pub(super) const SEGMENTS: [(&str, [Option<Field>; 4]); 10] = {
    macro_rules! segment {
        ($selector:ident, $attrib:ident, $limit:ident, $base:ident) => {
            [Some(Field::$selector), Some(Field::$attrib), Some(Field::$limit), Some(Field::$base)]
        };
        ($limit:ident, $base:ident) => {
            [None, None, Some(Field::$limit), Some(Field::$base)]
        };
    }
    [
        ("es", segment!(ES_SELECTOR, ES_ATTRIB, ES_LIMIT, ES_BASE)),
        ("cs", segment!(CS_SELECTOR, CS_ATTRIB, CS_LIMIT, CS_BASE)),
        ("ss", segment!(SS_SELECTOR, SS_ATTRIB, SS_LIMIT, SS_BASE)),
        ("ds", segment!(DS_SELECTOR, DS_ATTRIB, DS_LIMIT, DS_BASE)),
        ("fs", segment!(FS_SELECTOR, FS_ATTRIB, FS_LIMIT, FS_BASE)),
        ("gs", segment!(GS_SELECTOR, GS_ATTRIB, GS_LIMIT, GS_BASE)),
        ("gdtr", segment!(GDTR_LIMIT, GDTR_BASE)),
        ("ldtr", segment!(LDTR_SELECTOR, LDTR_ATTRIB, LDTR_LIMIT, LDTR_BASE)),
        ("idtr", segment!(IDTR_LIMIT, IDTR_BASE)),
        ("tr", segment!(TR_SELECTOR, TR_ATTRIB, TR_LIMIT, TR_BASE)),
    ]
};

/// The group of a field.
fn group(field: Field) -> &'static str {
    if let Some((_, title)) = MOVED.iter().find(|(moved, _)| *moved == field) {
        return title;
    }
    let last = GROUPS.iter().rev().find(|(_, first)| first.index() <= field.index());
    match last.map_or(GROUPS[0].0, |(title, _)| title) {
        "Controls, further" => "Controls",
        title => title,
    }
}

/// Every field in its group; what is zero is folded, but for what says something by that.
pub(super) fn groups(image: &Image) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for title in ["Intercepts", "Controls", "Last exit", "Segments", "Registers"] {
        let mut made = Group { title, rows: Vec::new(), zero: Vec::new() };
        if title == "Segments" {
            segments(image, &mut made);
        } else {
            for &field in Field::ALL.iter().filter(|field| group(**field) == title) {
                let value = image.get(field);
                if value == 0 && field != Field::GUEST_ASID {
                    made.zero.push(field.name());
                } else {
                    made.rows.push(Row { name: field.name(), value, words: words(field, image) });
                }
            }
        }
        groups.push(made);
    }
    groups
}

fn segments(image: &Image, group: &mut Group) {
    for (name, parts) in SEGMENTS {
        let get = |n: usize| parts[n].map_or(0, |field| image.get(field));
        let [selector, attrib, limit, base] = [0, 1, 2, 3].map(get);
        if selector | attrib | limit | base == 0 {
            group.zero.push(name);
            continue;
        }
        let mut words = format!("limit {limit:#x}, base {base:#x}");
        if parts[1].is_some() {
            let _ = write!(words, "; attributes {attrib:#x}: {}", attributes(attrib, name));
        }
        group.rows.push(Row { name, value: selector, words });
    }
}

/// A segment's attributes (4.7): the descriptor's type, S, DPL, P, AVL, L, D/B and G.
pub(super) fn attributes(attrib: u64, segment: &str) -> String {
    let bit = |n: u32| attrib >> n & 1 == 1;
    let code = ["execute", "execute, accessed", "execute/read", "execute/read, accessed"];
    let data = ["read", "read, accessed", "read/write", "read/write, accessed"];
    let low = (attrib & 3) as usize;
    let kind = match (bit(4), bit(3)) {
        (true, true) if bit(2) => format!("code, conforming, {}", code[low]),
        (true, true) => format!("code, {}", code[low]),
        (true, false) if bit(2) => format!("data, expand-down, {}", data[low]),
        (true, false) => format!("data, {}", data[low]),
        (false, _) => system(attrib & 0xf).to_owned(),
    };
    let mut words = vec![kind, format!("DPL {}", attrib >> 5 & 3)];
    words.push(if bit(7) { "present" } else { "not present" }.to_owned());
    match (segment, bit(9), bit(10)) {
        ("cs", true, false) => words.push("64-bit".into()),
        ("cs", true, true) => words.push("L and D, which no segment can have".into()),
        (_, false, true) => words.push("32-bit".into()),
        ("cs" | "ss", false, false) => words.push("16-bit".into()),
        _ => {}
    }
    if bit(11) {
        words.push("limit in pages".into());
    }
    words.join(", ")
}

/// The types of system segments (table 4-6).
fn system(kind: u64) -> &'static str {
    match kind {
        1 => "16-bit TSS, available",
        2 => "LDT",
        3 => "16-bit TSS, busy",
        9 => "TSS, available",
        11 => "TSS, busy",
        _ => "of no type that a segment register can have",
    }
}

/// What a field's value means.
fn words(field: Field, image: &Image) -> String {
    let value = image.get(field);
    match field {
        Field::INTERCEPT_CR_READ => numbered(value, "read of CR"),
        Field::INTERCEPT_CR_WRITE => numbered(value, "write of CR"),
        Field::INTERCEPT_DR_READ => numbered(value, "read of DR"),
        Field::INTERCEPT_DR_WRITE => numbered(value, "write of DR"),
        Field::INTERCEPT_EXCEPTIONS => {
            let names = |n: &u32| value >> n & 1 == 1;
            (0..32).filter(names).map(|n| event::exception(n.into())).collect::<Vec<_>>().join(" ")
        }
        Field::INTERCEPT_MISC1 | Field::INTERCEPT_MISC2 | Field::INTERCEPT_MISC3 => {
            intercepts(field, value)
        }
        Field::PAUSE_FILTER_THRESHOLD => format!("{value} cycles between PAUSEs of one loop"),
        Field::PAUSE_FILTER_COUNT => format!("{value} PAUSEs before one exits"),
        Field::IOPM_BASE_PA => "I/O permission map, 12 KiB".into(),
        Field::MSRPM_BASE_PA => "MSR permission map, 8 KiB".into(),
        Field::TSC_OFFSET => format!("{} added to the TSC", value as i64),
        Field::GUEST_ASID => format!("ASID {value}"),
        Field::TLB_CONTROL => tlb(value).into(),
        Field::INT_CTL => interrupt_control(value),
        Field::INT_VECTOR => format!("the virtual interrupt's vector is {:#x}", value & 0xff),
        Field::INT_STATE => flags(
            value,
            &[(1, "in an interrupt shadow"), (2, "RFLAGS.IF of a guest with virtual interrupts")],
        ),
        Field::EXITCODE => super::exits::name(value),
        Field::EVENTINJ => format!("VMRUN injects {}", event::words(value)),
        Field::EXITINTINFO => format!("was being delivered: {}", event::words(value)),
        Field::NESTED_CTL => flags(
            value,
            &[
                (nested_ctl::NP_ENABLE, "nested paging"),
                (2, "SEV"),
                (4, "SEV-ES"),
                (nested_ctl::GMET_ENABLE, "guest mode execute trap"),
                (1 << 4, "supervisor shadow-stack check"),
                (1 << 5, "transparent encryption"),
                (1 << 6, "read-only guest page tables"),
            ],
        ),
        Field::VIRT_EXT => flags(
            value,
            &[
                (virt_ext::LBR, "LBR virtualisation"),
                (virt_ext::VMLOAD_VMSAVE, "VMLOAD and VMSAVE virtualised"),
            ],
        ),
        Field::CLEAN => clean(value),
        Field::NRIP => "the next instruction".into(),
        Field::INSN_LEN => format!("{value} instruction bytes were fetched"),
        Field::INSN_BYTES_0 | Field::INSN_BYTES_8 => {
            let len = usize::from(field.width());
            let bytes = value.to_le_bytes().map(|byte| format!("{byte:02x}"));
            bytes[..len].join(" ")
        }
        Field::BUS_LOCK_THRESHOLD => format!("{value} bus locks before one exits"),
        _ => registers::words(field, value),
    }
}

/// The set bits of a field that has a register for each.
fn numbered(value: u64, what: &str) -> String {
    let set = (0..16).filter(|n| value >> n & 1 == 1).map(|n: u32| n.to_string());
    format!("{what}{}", set.collect::<Vec<_>>().join(&format!(", {}", &what[what.len() - 2..])))
}

/// Names of the intercepts that are set.
fn intercepts(field: Field, value: u64) -> String {
    let mut names: Vec<String> = Vec::new();
    for n in (0..32u8).filter(|n| value >> n & 1 == 1) {
        let named = intercept::ALL.iter().find(|(b, _)| b.field() == field && b.number() == n);
        let trap = field == Field::INTERCEPT_MISC2 && n >= intercept::CR0_WRITE_TRAP.number();
        names.push(match named {
            _ if trap => format!("CR{}_WRITE_TRAP", n - intercept::CR0_WRITE_TRAP.number()),
            Some((_, name)) => (*name).to_owned(),
            None => format!("reserved bit {n}"),
        });
    }
    names.join(" ")
}

/// The names of the bits that are set, and the number of what has none.
pub(super) fn flags(value: u64, names: &[(u64, &str)]) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut left = value;
    for (bit, name) in names.iter().filter(|(bit, _)| value & bit == *bit) {
        words.push((*name).to_owned());
        left &= !bit;
    }
    if left != 0 {
        words.push(format!("reserved bits {left:#x}"));
    }
    words.join(", ")
}

/// TLB_CONTROL in words (15.16.1).
fn tlb(value: u64) -> &'static str {
    match value {
        tlb_control::NOTHING => "flush nothing",
        tlb_control::ALL => "flush all of the TLB",
        tlb_control::GUEST => "flush what this ASID has",
        tlb_control::GUEST_NON_GLOBAL => "flush what this ASID has, but for global pages",
        _ => "reserved",
    }
}

fn interrupt_control(value: u64) -> String {
    let mut words = Vec::new();
    let tpr = value & int_ctl::V_TPR;
    if tpr != 0 {
        words.push(format!("V_TPR {tpr:#x}"));
    }
    let priority = (value & int_ctl::V_INTR_PRIO) >> int_ctl::V_INTR_PRIO.trailing_zeros();
    if priority != 0 {
        words.push(format!("V_INTR_PRIO {priority:#x}"));
    }
    let rest = value & !(int_ctl::V_TPR | int_ctl::V_INTR_PRIO);
    if rest != 0 {
        words.push(flags(
            rest,
            &[
                (int_ctl::V_IRQ, "V_IRQ: a virtual interrupt is pending"),
                (int_ctl::V_GIF, "V_GIF"),
                (int_ctl::V_NMI, "V_NMI: a virtual NMI is pending"),
                (int_ctl::V_NMI_MASK, "V_NMI_MASK"),
                (int_ctl::V_IGN_TPR, "V_IGN_TPR"),
                (int_ctl::V_INTR_MASKING, "V_INTR_MASKING"),
                (int_ctl::V_GIF_ENABLE, "V_GIF_ENABLE"),
                (int_ctl::V_NMI_ENABLE, "V_NMI_ENABLE"),
                (1 << 30, "x2AVIC"),
                (1 << 31, "AVIC"),
            ],
        ));
    }
    words.join(", ")
}

/// The clean bits that are set (15.15.3).
fn clean(value: u64) -> String {
    let names = [
        "intercepts",
        "IOPM and MSRPM",
        "ASID",
        "TPR",
        "nested paging",
        "CRx",
        "DRx",
        "tables",
        "segments",
        "CR2",
        "LBR",
        "AVIC",
        "CET",
    ];
    let own = (1 << 31, "what software uses bit 31 for");
    let bits = (0..).map(|n: u32| 1 << n).zip(names).chain([own]);
    let bits: Vec<(u64, &str)> = bits.collect();
    format!("not changed since the last exit: {}", flags(value, &bits))
}
