//! The VMCB: what of it this hypervisor uses (APM vol. 2, appendix B), and the world switch.

use core::arch::asm;

/// A page.
#[repr(C, align(4096))]
pub(crate) struct Page(pub(crate) [u8; 4096]);

/// Offsets of fields.
pub(crate) mod at {
    pub(crate) const CR_READ: usize = 0x00;
    pub(crate) const INTERCEPTS: usize = 0x0c;
    pub(crate) const IOPM: usize = 0x40;
    pub(crate) const MSRPM: usize = 0x48;
    pub(crate) const ASID: usize = 0x58;
    pub(crate) const TLB_CONTROL: usize = 0x5c;
    pub(crate) const INT_CTL: usize = 0x60;
    pub(crate) const EXIT_CODE: usize = 0x70;
    pub(crate) const EXIT_INFO_1: usize = 0x78;
    pub(crate) const EXIT_INFO_2: usize = 0x80;
    pub(crate) const NESTED_CTL: usize = 0x90;
    pub(crate) const NESTED_CR3: usize = 0xb0;
    pub(crate) const NEXT_RIP: usize = 0xc8;
    /// ES, CS, SS, DS, FS, GS, GDTR, LDTR, IDTR, TR: 16 bytes each.
    pub(crate) const SEGMENTS: usize = 0x400;
    pub(crate) const EFER: usize = 0x4d0;
    pub(crate) const CR0: usize = 0x558;
    pub(crate) const DR7: usize = 0x560;
    pub(crate) const DR6: usize = 0x568;
    pub(crate) const RFLAGS: usize = 0x570;
    pub(crate) const RIP: usize = 0x578;
    pub(crate) const RAX: usize = 0x5f8;
    pub(crate) const PAT: usize = 0x668;
}

impl Page {
    pub(crate) const ZERO: Page = Page([0; 4096]);

    /// Reads a field.
    pub(crate) fn get(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.0[at..at + 8].try_into().unwrap_or_default())
    }

    /// Writes as many bytes of a field as the value has.
    pub(crate) fn set<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        self.0[at..at + N].copy_from_slice(&bytes);
    }

    /// A segment with that selector, attributes and base.
    pub(crate) fn segment(&mut self, number: usize, attributes: u16) {
        let at = at::SEGMENTS + 16 * number;
        self.set(at + 2, attributes.to_le_bytes());
        self.set(at + 4, 0xffff_u32.to_le_bytes());
    }
}

/// The guest's registers that VMRUN does not load: by number, RAX and RSP left out.
#[repr(C)]
pub(crate) struct Registers(pub(crate) [u64; 16]);

/// Runs the guest until it exits.
///
/// # Safety
/// The VMCB is one that VMRUN can be given, with a guest that reaches nothing of ours.
pub(crate) unsafe fn run(vmcb: &mut Page, registers: &mut Registers) {
    // SAFETY: VMRUN changes RAX and RSP back, and the guest's other registers are put away before
    // ours are needed again. GIF is clear from CLGI to STGI, so that nothing comes between.
    unsafe {
        asm!(
            "push rbx", "push rbp", "push r11",
            "mov rcx, [r11 + 8]", "mov rdx, [r11 + 16]", "mov rbx, [r11 + 24]",
            "mov rbp, [r11 + 40]", "mov rsi, [r11 + 48]", "mov rdi, [r11 + 56]",
            "clgi",
            "vmload rax", "vmrun rax", "vmsave rax",
            "stgi",
            "pop r11",
            "mov [r11 + 8], rcx", "mov [r11 + 16], rdx", "mov [r11 + 24], rbx",
            "mov [r11 + 40], rbp", "mov [r11 + 48], rsi", "mov [r11 + 56], rdi",
            "pop rbp", "pop rbx",
            inout("r11") registers.0.as_mut_ptr() => _,
            inout("rax") vmcb as *mut Page => _,
            out("rcx") _, out("rdx") _, out("rsi") _, out("rdi") _,
            out("r8") _, out("r9") _, out("r10") _,
            out("r12") _, out("r13") _, out("r14") _, out("r15") _,
        );
    }
}
