//! Machine code that no variant of [`Insn`] stands for, so that no case has bytes without a
//! name: what each constant is, a disassembler says in the tests.
//!
//! Tables of instructions whose names are part of their cases' ids keep the bytes beside the
//! name; `tests/raw.rs` reads those, and everything else that is raw.

use alloc::vec::Vec;

use super::{Insn, encode};

/// That code as one instruction, into which the model does not look.
pub(crate) fn raw(code: &[u8]) -> Insn {
    Insn::Raw(code.to_vec())
}

/// Several instructions as one: what a step of L1 executes without a return in between.
pub(crate) fn joined(insns: &[Insn]) -> Insn {
    let mut code = Vec::new();
    insns.iter().for_each(|insn| encode::encode(insn, &mut code));
    Insn::Raw(code)
}

/// Constants with their listings, and a table of them all for the test.
macro_rules! listing {
    ($($(#[$doc:meta])* $name:ident = $listing:literal, [$($byte:literal),* $(,)?];)*) => {
        $($(#[$doc])* #[doc = concat!("`", $listing, "`")] pub(crate) const $name: &[u8] = &[$($byte),*];)*

        #[cfg(test)]
        const ALL: &[(&str, &str, &[u8])] = &[$((stringify!($name), $listing, $name)),*];
    };
}

listing! {
    // x87, MMX and SSE.
    FNINIT = "fninit", [0xdb, 0xe3];
    FNCLEX = "fnclex", [0xdb, 0xe2];
    FNOP = "fnop", [0xd9, 0xd0];
    FWAIT = "wait", [0x9b];
    FLD_RBX = "fld dword ptr [rbx]", [0xd9, 0x03];
    FLDCW_RSI = "fldcw [rsi]", [0xd9, 0x2e];
    FLDCW_RDI = "fldcw [rdi]", [0xd9, 0x2f];
    FLDCW_RSP = "fldcw [rsp]", [0xd9, 0x2c, 0x24];
    FLDZ = "fldz", [0xd9, 0xee];
    FNSTCW_RDI = "fnstcw [rdi]", [0xd9, 0x3f];
    FNSTENV_RBX = "fnstenv fpuenv28 ptr [rbx]", [0xd9, 0x33];
    DIVIDE_BY_ZERO = "fld1; fldz; fdivp st(1),st(0)", [0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9];
    /// The x87 environment, to the stack and back.
    ///
    STORE_AND_LOAD_ENV = "sub rsp,20h; fnstenv fpuenv28 ptr [rsp]; fldenv fpuenv28 ptr [rsp]; add rsp,20h",
        [0x48, 0x83, 0xec, 0x20, 0xd9, 0x34, 0x24, 0xd9, 0x24, 0x24, 0x48, 0x83, 0xc4, 0x20];
    ADDPS = "addps xmm0,xmm1", [0x0f, 0x58, 0xc1];
    VADDPS = "vaddps xmm0,xmm0,xmm1", [0xc5, 0xf8, 0x58, 0xc1];
    SYSENTER = "sysenter", [0x0f, 0x34];
    SYSEXIT = "sysexit", [0x0f, 0x35];
    // Moves, the stack and branches.
    MOV_RAX_RSP = "mov rax,[rsp]", [0x48, 0x8b, 0x04, 0x24];
    MOV_RAX_RCX = "mov rax,[rcx]", [0x48, 0x8b, 0x01];
    MOV_RDI_AL = "mov [rdi],al", [0x88, 0x07];
    CLEAR_RAX = "xor eax,eax", [0x31, 0xc0];
    /// Leaves the carries and a selector, the first of the LDT.
    ///
    CARRY = "mov eax,0FFFFFFFFh; add eax,5h", [0xb8, 0xff, 0xff, 0xff, 0xff, 0x83, 0xc0, 0x05];
    CLEAR_RCX_RDX = "xor ecx,ecx; xor edx,edx", [0x31, 0xc9, 0x31, 0xd2];
    PUSH_37B = "push 37Bh", [0x68, 0x7b, 0x03, 0x00, 0x00];
    PUSH_RAX = "push rax", [0x50];
    POP_RAX = "pop rax", [0x58];
    PUSH_AT_RAX = "push qword ptr [rax]", [0xff, 0x30];
    ENTER_16 = "enter 10h,0h", [0xc8, 0x10, 0x00, 0x00];
    LEAVE = "leave", [0xc9];
    RET = "ret", [0xc3];
    CALL_RAX = "call rax", [0xff, 0xd0];
    CALL_FAR_RCX = "callf fword ptr [rcx]", [0xff, 0x19];
    RETF = "retfq", [0x48, 0xcb];
    /// IRET of 32-bit code.
    ///
    IRETD = "iretd", [0xcf];
    /// From address 0: to what comes next.
    ///
    /// Likewise.
    ///
    JMP_TO_NEXT = "jmp 2h", [0xeb, 0x00];
    /// Over a byte.
    ///
    JNZ_TO_NEXT = "jne 2h", [0x75, 0x00];
    JZ_TO_NEXT = "je 2h", [0x74, 0x00];
    LOOP_TO_NEXT = "loop 2h", [0xe2, 0x00];
    JECXZ_TO_NEXT = "jrcxz 2h", [0xe3, 0x00];
    MOVSQ = "movsq [rdi],[rsi]", [0x48, 0xa5];
    JMP_OVER_ONE = "jmp 3h", [0xeb, 0x01];
    /// Sets TF. The first trap is behind the next instruction.
    ///
    STEP = "pushfq; or qword ptr [rsp],100h; popfq",
        [0x9c, 0x48, 0x81, 0x0c, 0x24, 0x00, 0x01, 0x00, 0x00, 0x9d];
    // Strings and ports.
    LODSB = "rep lodsb al,[rsi]", [0xf3, 0xac];
    STOSB = "rep stosb [rdi],al", [0xf3, 0xaa];
    STOSQ = "rep stosq [rdi],rax", [0xf3, 0x48, 0xab];
    MOVSB = "rep movsb [rdi],[rsi]", [0xf3, 0xa4];
    SCASB = "repne scasb al,[rdi]", [0xf2, 0xae];
    CMPSB = "repe cmpsb [rsi],[rdi]", [0xf3, 0xa6];
    INSB = "rep insb [rdi],dx", [0xf3, 0x6c];
    OUTSB = "rep outsb dx,[rsi]", [0xf3, 0x6e];
    OUTSW = "rep outsw dx,[rsi]", [0x66, 0xf3, 0x6f];
    OUTSB_ONCE = "outsb dx,[rsi]", [0x6e];
    OUT_DX = "out dx,al", [0xee];
    OUT_F0 = "out 0F0h,al", [0xe6, 0xf0];
    // Segments and system registers.
    MOV_SS_RBX = "mov ss,[rbx]", [0x8e, 0x13];
    LSS_RBX = "lss eax,[rbx]", [0x0f, 0xb2, 0x03];
    MOV_ES = "mov es,eax", [0x8e, 0xc0];
    LLDT = "lldt eax", [0x0f, 0x00, 0xd0];
    LAR_EAX = "lar eax,eax", [0x0f, 0x02, 0xc0];
    LSL_EAX = "lsl eax,eax", [0x0f, 0x03, 0xc0];
    VERR_EAX = "verr eax", [0x0f, 0x00, 0xe0];
    VERW_EAX = "verw eax", [0x0f, 0x00, 0xe8];
    VERR_TO_EAX = "verr eax; sete al; movzx eax,al",
        [0x0f, 0x00, 0xe0, 0x0f, 0x94, 0xc0, 0x0f, 0xb6, 0xc0];
    MOV_RAX_CR8 = "mov rax,cr8", [0x44, 0x0f, 0x20, 0xc0];
    MOV_CR4_RSP = "mov cr4,rsp", [0x0f, 0x22, 0xe4];
    SET_TS_BY_EAX = "mov rax,cr0; or eax,8h; mov cr0,rax",
        [0x0f, 0x20, 0xc0, 0x83, 0xc8, 0x08, 0x0f, 0x22, 0xc0];
    SET_TS_BY_ECX = "mov rcx,cr0; or ecx,8h; mov cr0,rcx",
        [0x0f, 0x20, 0xc1, 0x83, 0xc9, 0x08, 0x0f, 0x22, 0xc1];
    CLTS = "clts", [0x0f, 0x06];
    RDMSR = "rdmsr", [0x0f, 0x32];
    WRMSR = "wrmsr", [0x0f, 0x30];
    XSETBV = "xsetbv", [0x0f, 0x01, 0xd1];
    WRPKRU = "wrpkru", [0x0f, 0x01, 0xef];
    // SVM.
    VMRUN = "vmrun", [0x0f, 0x01, 0xd8];
    /// With 32-bit addresses: the VMCB is where EAX says.
    ///
    VMRUN_EAX = "vmrun", [0x67, 0x0f, 0x01, 0xd8];
    STGI = "stgi", [0x0f, 0x01, 0xdc];
}

#[cfg(test)]
mod tests {
    use iced_x86::{Decoder, DecoderOptions, FastFormatter};

    use super::*;

    #[test]
    fn listings_are_what_a_disassembler_reads() {
        for (name, listing, code) in ALL {
            let insns = Decoder::new(64, code, DecoderOptions::NONE).into_iter();
            let read: Vec<_> = insns
                .map(|insn| {
                    let mut text = alloc::string::String::new();
                    FastFormatter::new().format(&insn, &mut text);
                    text
                })
                .collect();
            assert_eq!(read.join("; "), *listing, "{name}: {code:02x?}");
        }
    }
}
