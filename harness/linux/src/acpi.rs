//! How L2's interrupts are wired: as much ACPI as Linux needs to find the I/O
//! APIC (ACPI 6.5, sections 5.2.5 to 5.2.12). There is no more, so that Linux says
//! that it finds no FADT, and does without.

use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

use crate::{Context, Result};

/// Where the tables are: in what is the firmware's on a PC, and searched.
const RSDP: u64 = 0xe_0000;
const XSDT: u64 = RSDP + 0x40;
const MADT: u64 = RSDP + 0x80;
/// Where KVM has its controllers.
const LAPIC: u32 = 0xfee0_0000;
const IOAPIC: u32 = 0xfec0_0000;

/// Writes them.
pub(crate) fn write(memory: &GuestMemoryMmap) -> Result<()> {
    // A checksum for its first part, and one for all of it.
    let mut rsdp = b"RSD PTR \0SVM   \x02\0\0\0\0".to_vec();
    rsdp[8] = checksum(&rsdp);
    rsdp.extend(36u32.to_le_bytes());
    rsdp.extend(XSDT.to_le_bytes());
    rsdp.extend([0; 4]);
    rsdp[32] = checksum(&rsdp);
    let tables = [
        (RSDP, rsdp),
        (XSDT, table(b"XSDT", 1, &MADT.to_le_bytes())),
        (MADT, table(b"APIC", 5, &madt())),
    ];
    for (at, bytes) in tables {
        memory.write_slice(&bytes, GuestAddress(at)).doing("writing L2's ACPI tables")?;
    }
    Ok(())
}

/// Controllers: a local APIC, enabled; an I/O APIC, with interrupts from 0. There
/// are 8259s too, and ISA's interrupts have the numbers of their pins.
fn madt() -> Vec<u8> {
    let mut body = LAPIC.to_le_bytes().to_vec();
    body.extend(1u32.to_le_bytes());
    body.extend([0, 8, 0, 0, 1, 0, 0, 0]);
    body.extend([1, 12, 1, 0]);
    body.extend(IOAPIC.to_le_bytes());
    body.extend(0u32.to_le_bytes());
    body
}

/// A table with its header.
fn table(signature: &[u8; 4], revision: u8, body: &[u8]) -> Vec<u8> {
    let mut table = signature.to_vec();
    table.extend((36 + body.len() as u32).to_le_bytes());
    table.extend([revision, 0]);
    table.extend(b"SVM   BENCH-L2");
    table.extend(1u32.to_le_bytes());
    table.extend(b"SVM ");
    table.extend(1u32.to_le_bytes());
    table.extend(body);
    table[9] = checksum(&table);
    table
}

/// What makes the sum of all bytes 0.
fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum: u8, byte| sum.wrapping_sub(*byte))
}
