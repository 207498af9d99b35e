//! Making the machine L1.

use crate::cpu::{self, EFER, VM_HSAVE_PA};
use crate::layout::{HSAVE, L1_EFER};
use crate::msr::{VM_CR, vm_cr};
use crate::wire::{header, state};
use crate::{apic, execute, mailbox, output, trap, undo};

const CPUID_SVM: u32 = 1 << 2;
/// Where SMM begins after reset: SMBASE 0x30000 and 0x8000.
const SMI_HANDLER: u64 = 0x3_8000;
/// Where the SMI handler counts.
const SMI_COUNT: u64 = 0x500;
/// INC DWORD [0x500]; RSM, in 16-bit mode.
const SMI_CODE: [u8; 7] = [0x66, 0xff, 0x06, 0x00, 0x05, 0x0f, 0xaa];

/// What a reset of the CPU undoes.
pub(crate) fn cpu() {
    if cpu::cpuid(0x8000_0001, 0)[2] & CPUID_SVM == 0 || cpu::rdmsr(VM_CR) & vm_cr::SVMDIS != 0 {
        mailbox::finish(state::NO_SVM);
    }
    cpu::wrmsr(EFER, L1_EFER);
    cpu::wrmsr(VM_HSAVE_PA, HSAVE);
    trap::init();
    apic::enable();
    execute::init();
    output::init();
    // SAFETY: the VMCB of the baseline names L1's TSS; see `undo::init`.
    unsafe { cpu::vmload(undo::baseline()) };
}

/// What is done once.
pub(crate) fn first_boot() {
    // SAFETY: low RAM that nothing else uses.
    unsafe { (SMI_HANDLER as *mut [u8; 7]).write_unaligned(SMI_CODE) };
    answer_queries();
}

/// How many SMIs there were.
pub(crate) fn smi_count() -> u32 {
    // SAFETY: low RAM that only the SMI handler writes.
    unsafe { (SMI_COUNT as *const u32).read_volatile() }
}

fn answer_queries() {
    let count = u64::from(mailbox::get32(header::QUERIES)).min(header::QUERY_MAX);
    for at in (0..count).map(|n| header::QUERY + n * header::QUERY_SIZE) {
        let found = cpu::cpuid(mailbox::get32(at), mailbox::get32(at + 4));
        for (i, register) in (2..).zip(found) {
            mailbox::set32(at + i * 4, register);
        }
    }
}
