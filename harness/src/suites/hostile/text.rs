//! A campaign in words.

use std::fmt::Write;

use svm_model::vmcb::{self, Field};

use super::beside::Beside;
use super::campaign::{Finding, Report};
use super::world::Keep;
use svm_model::case::world::VMCB;

/// What an attempt does besides writing to memory, by the guest's numbers.
const NOTES: [(u64, &str); 7] = [
    (0x01, "the VMCB's address"),
    (0x02, "VM_HSAVE_PA"),
    (0x30, "an event to itself, ICR"),
    (0x31, "VMLOAD from"),
    (0x32, "VMSAVE to"),
    (0x40, "nothing ends L2"),
    (0x41, ""),
];

/// Everything.
pub fn report(report: &Report, on: &str) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{:<9} {:>4}  {:<8} {:>8} {:>10} {:>11} {:>9} {:>8} {:>8} {:>8} {:>8}",
        "mode",
        "CPUs",
        "beside",
        "boots",
        "attempts",
        "VMRUNs",
        "resets",
        "faults",
        "deeds",
        "revived",
        "seconds"
    );
    for (way, d) in &report.done {
        let _ = writeln!(
            text,
            "{:<9} {:>4}  {:<8} {:>8} {:>10} {:>11} {:>9} {:>8} {:>8} {:>8} {:>8.0}",
            way.mode,
            way.processors,
            way.beside.name(),
            d.boots,
            d.attempts,
            d.vmruns,
            d.resets,
            d.faults,
            d.deeds,
            d.revivals,
            d.seconds
        );
    }
    let found = report.findings.len();
    let _ = writeln!(
        text,
        "{} VMRUNs; {found} findings, seen {} times more",
        report.vmruns(),
        report.more
    );
    for finding in &report.findings {
        text += &self::finding(finding, on);
    }
    text
}

/// One finding, with the command that shows it again.
pub fn finding(finding: &Finding, on: &str) -> String {
    let mut text = format!("\n{}\n", finding.what);
    let again =
        if finding.again { "it is seen again with" } else { "it was not seen again; it was in" };
    let _ = writeln!(text, "  {again}\n  {}", command(finding, on));
    for change in &finding.changes {
        let _ = writeln!(text, "    {}", self::change(change));
    }
    text
}

/// The command line that makes the attempts of a finding.
pub fn command(finding: &Finding, on: &str) -> String {
    let (range, way) = (&finding.range, &finding.way);
    let mut text = format!(
        "cargo xtask hostile --on {on} --seed {} --first {} --attempts {} --mode {} --processors {}",
        range.seed, range.first, range.count, way.mode, way.processors
    );
    if way.beside != Beside::Nothing {
        let _ = write!(text, " --beside {}", way.beside.name());
    }
    for kind in (0..64).filter(|n| range.kinds >> n & 1 == 1) {
        let _ = write!(text, " --kind {}", super::KINDS[kind]);
    }
    if let Some(keep) = &range.keep {
        let _ = write!(text, " --keep {}", hexadecimal(keep));
    }
    text
}

/// The changes that are made as one number, the highest first.
pub fn hexadecimal(keep: &Keep) -> String {
    let all: String = keep.iter().rev().map(|word| format!("{word:016x}")).collect();
    let short = all.trim_start_matches('0');
    if short.is_empty() { "0".into() } else { short.to_owned() }
}

/// What [`hexadecimal`] wrote; none of it, where it is no such number.
pub fn keep(text: &str) -> Option<Keep> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let mut keep = Keep::default();
    if digits.is_empty() || digits.len() > keep.len() * 16 {
        return None;
    }
    for (n, digit) in digits.chars().rev().enumerate() {
        keep[n / 16] |= u64::from(digit.to_digit(16)?) << (n % 16 * 4);
    }
    Some(keep)
}

/// One change: number, place, bytes, value.
fn change(&[n, at, width, value]: &[u64; 4]) -> String {
    let value = if width == 0 || width > 7 { value } else { value & ((1 << (width * 8)) - 1) };
    let place = match (width, at) {
        (0, 0x10..0x20) => format!("register {}", at - 0x10),
        (0, 0x20..0x24) => format!("DR{}", at - 0x20),
        (0, _) => NOTES.iter().find(|(what, _)| *what == at).map_or("?", |(_, name)| name).into(),
        _ if (VMCB..VMCB + vmcb::SIZE as u64).contains(&at) => field(at - VMCB),
        _ => format!("memory {at:#x}"),
    };
    format!("{n:>4}: {place} = {value:#x}")
}

/// A field of the VMCB by its offset.
fn field(offset: u64) -> String {
    let found = (0..).map_while(Field::at).find(|f| u64::from(f.offset()) == offset);
    found.map_or_else(|| format!("VMCB + {offset:#x}"), |f| format!("VMCB.{}", f.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_changes_are_made_is_one_number() {
        let mut made = Keep::default();
        (made[0], made[12]) = (0b101, 1);
        let text = hexadecimal(&made);
        assert_eq!((text.len(), keep(&text)), (12 * 16 + 1, Some(made)));
        assert_eq!(keep(&hexadecimal(&Keep::default())), Some(Keep::default()));
        for bad in ["", "0x", "g", &"f".repeat(257)] {
            assert_eq!(keep(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_change_is_named_by_what_it_changes() {
        assert_eq!(change(&[3, VMCB + 0x570, 8, 2]), "   3: VMCB.rflags = 0x2");
        assert_eq!(change(&[3, VMCB + 0x5c, 1, 0x1ff]), "   3: VMCB.tlb_control = 0xff");
        assert_eq!(change(&[4, 0x23, 0, 7]), "   4: DR3 = 0x7");
        assert_eq!(change(&[5, 2, 0, 7]), "   5: VM_HSAVE_PA = 0x7");
        assert_eq!(change(&[6, 0x84_0000, 8, 7]), "   6: memory 0x840000 = 0x7");
    }
}
