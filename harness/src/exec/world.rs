//! The memory that cases start from, as bytes for a RAM file.

use svm_model::case::world::{
    self, BASELINE, GDT, L1_GDT, L1PT, L2_LOG, L2_STUB_EXIT, L2_STUBS, VMCB,
};
use svm_model::vmcb::{self, Field};

/// Present, writable, user, accessed, dirty, and a page of 1 GiB, or of 2 MiB
/// where the CPU has none so large.
const L1_PAGE: u64 = 0xe7;
/// L1's four page directories.
const L1_PDS: u64 = L1PT + 0x8000;
/// Present, writable, user, accessed.
const L1_TABLE: u64 = 0x27;
/// Where the parts of the stubs are that all share.
const STUB_COMMON: u64 = L2_STUB_EXIT + 0x100;

/// Whether the exception pushes an error code (APM vol. 2, 8.2).
pub const fn has_error_code(vector: u8) -> bool {
    matches!(vector, 8 | 10..=14 | 17 | 21 | 29 | 30)
}

/// Everything that is not zero, as (physical address, bytes).
pub fn memory(nested_paging: bool, gigabyte: bool) -> Vec<(u64, Vec<u8>)> {
    let pages = [
        world::NPT,
        world::NPT + 0x1000,
        world::NPT + 0x2000,
        world::NPT + 0x3000,
        world::L2PT,
        world::L2PT + 0x1000,
        world::L2PT + 0x2000,
        world::L2PT + 0x3000,
        world::L2_GDT,
        world::L2_IDT,
        world::L2_TSS,
        world::SCRATCH,
    ];
    let mut memory: Vec<_> = pages.iter().map(|&page| (page, initial_page(page))).collect();
    memory.push((VMCB, baseline_vmcb(nested_paging)));
    memory.push((L1PT, words(&[(L1PT + 0x1000) | L1_TABLE])));
    if gigabyte {
        memory.push((L1PT + 0x1000, words(&[0, 1, 2, 3].map(|gib: u64| gib << 30 | L1_PAGE))));
    } else {
        let tables = [0, 1, 2, 3].map(|n: u64| (L1_PDS + n * 0x1000) | L1_TABLE);
        memory.push((L1PT + 0x1000, words(&tables)));
        let pages = (0..2048u64).flat_map(|n| (n << 21 | L1_PAGE).to_le_bytes());
        memory.push((L1_PDS, pages.collect()));
    }
    memory.push((L1_GDT, words(&GDT)));
    memory.push((L2_STUBS, stubs()));
    memory.push((L2_STUB_EXIT, vec![0x0f, 0x01, 0xd9]));
    memory.push((STUB_COMMON, log_and_leave(true)));
    memory.push((STUB_COMMON + 0x80, log_and_leave(false)));
    memory
}

fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|w| w.to_le_bytes()).collect()
}

fn initial_page(page: u64) -> Vec<u8> {
    (0..512).flat_map(|n| world::initial_word(page + n * 8).to_le_bytes()).collect()
}

fn baseline_vmcb(nested_paging: bool) -> Vec<u8> {
    let mut page = vec![0; vmcb::SIZE];
    let skip = |f: Field| !nested_paging && (f == Field::NESTED_CTL || f == Field::N_CR3);
    for &(field, value) in BASELINE.iter().filter(|(f, _)| !skip(*f)) {
        let (at, width) = (usize::from(field.offset()), usize::from(field.width()));
        page[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
    }
    page
}

/// PUSH vector; JMP to the common part.
fn stubs() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256 * 32);
    for vector in 0..=255u8 {
        let common = STUB_COMMON + if has_error_code(vector) { 0 } else { 0x80 };
        let at = L2_STUBS + u64::from(vector) * 32;
        let mut stub = vec![0x68, vector, 0, 0, 0, 0xe9];
        stub.extend(relative(at + 5, common));
        stub.resize(32, 0);
        bytes.extend(stub);
    }
    bytes
}

/// The operand of a JMP (E9) at `at` to `to`.
fn relative(at: u64, to: u64) -> [u8; 4] {
    (to.wrapping_sub(at + 5) as u32).to_le_bytes()
}

/// Appends vector, error code and RIP to the log, and leaves with everything as
/// delivery left it; nothing in it changes a flag.
fn log_and_leave(error_code: bool) -> Vec<u8> {
    let log = L2_LOG as u32;
    let mut code = vec![0x50, 0x53]; // PUSH RAX; PUSH RBX
    let mut put = |opcode: &[u8], operand: Option<u32>| {
        code.extend_from_slice(opcode);
        code.extend(operand.into_iter().flat_map(u32::to_le_bytes));
    };
    put(&[0x48, 0x8b, 0x04, 0x25], Some(log)); // MOV RAX, [log]
    put(&[0x48, 0x8d, 0x40, 0x01], None); // LEA RAX, [RAX+1]
    put(&[0x48, 0x89, 0x04, 0x25], Some(log)); // MOV [log], RAX
    put(&[0x48, 0x8d, 0x1c, 0x40], None); // LEA RBX, [RAX+RAX*2]
    put(&[0x48, 0x8b, 0x44, 0x24, 0x10], None); // MOV RAX, [RSP+16]: the vector
    put(&[0x48, 0x89, 0x04, 0xdd], Some(log - 16)); // MOV [RBX*8+log-16], RAX
    if error_code {
        put(&[0x48, 0x8b, 0x44, 0x24, 0x18], None); // MOV RAX, [RSP+24]
    } else {
        put(&[0xb8], Some(0)); // MOV EAX, 0
    }
    put(&[0x48, 0x89, 0x04, 0xdd], Some(log - 8)); // MOV [RBX*8+log-8], RAX
    let rip = if error_code { 0x20 } else { 0x18 };
    put(&[0x48, 0x8b, 0x44, 0x24, rip], None); // MOV RAX, [RSP+rip]
    put(&[0x48, 0x89, 0x04, 0xdd], Some(log)); // MOV [RBX*8+log], RAX
    put(&[0x5b, 0x58], None); // POP RBX; POP RAX
    put(&[0x48, 0x8d, 0x64, 0x24, 0x08, 0xe9], None); // LEA RSP, [RSP+8]; JMP exit
    let start = STUB_COMMON + if error_code { 0 } else { 0x80 };
    let at = start + code.len() as u64 - 1;
    code.extend(relative(at, L2_STUB_EXIT));
    code
}
