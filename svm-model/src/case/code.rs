//! Machine code for what L1 does in other modes than the one that cases run in.
//!
//! It is written into the window, and called from 64-bit mode; what it finds it
//! leaves in memory, for a case to read.

use alloc::vec;
use alloc::vec::Vec;

use crate::arch::msr::EFER;
use crate::arch::{cr0, efer};

use super::{Draft, Insn, Step, world};

/// A selector of a flat 32-bit code segment, which [`Code::placed`] adds to L1's GDT.
pub(crate) const CS32: u16 = 0x38;
const CODE32: u64 = 0x00cf_9b00_0000_ffff;
/// Where 32-bit code has its stack.
pub(crate) const STACK32: u64 = world::DATA + 0x4_0000;
/// Where RSP is kept while L1 is in another mode.
const KEPT_RSP: u64 = world::DATA + 0x3_fff0;

const EFER_LME: u32 = efer::LME as u32;
const EFER_NXE: u32 = efer::NXE as u32;
/// The number of CR0.PG, for BTR and BTS.
const PG: u8 = cr0::PG.trailing_zeros() as u8;

/// Code that grows from its start on. The methods that are named after
/// instructions are for 32-bit mode.
#[derive(Clone, Debug)]
pub(crate) struct Code {
    at: u64,
    bytes: Vec<u8>,
}

/// Clears memory that code writes to, which is then put back behind the case.
pub(crate) fn cleared(draft: Draft, pa: u64, bytes: u64) -> Draft {
    (pa..pa + bytes).step_by(8).fold(draft, |d, pa| d.poke(pa, 0))
}

const fn pci(device: u32, register: u8) -> u32 {
    1 << 31 | device << 11 | register as u32
}

impl Code {
    /// Code at that address.
    pub(crate) fn at(at: u64) -> Code {
        Code { at, bytes: Vec::new() }
    }

    /// The address of what comes next.
    pub(crate) fn here(&self) -> u64 {
        self.at + self.bytes.len() as u64
    }

    /// These bytes.
    #[inline(never)]
    pub(crate) fn put(mut self, bytes: &[u8]) -> Code {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// An opcode and a 32-bit operand.
    #[inline(never)]
    pub(crate) fn op(self, opcode: &[u8], operand: u64) -> Code {
        self.put(opcode).put(&(operand as u32).to_le_bytes())
    }

    /// MOV EAX, imm32.
    pub(crate) fn mov_eax(self, value: u64) -> Code {
        self.op(&[0xb8], value)
    }

    /// MOV `[address]`, EAX.
    pub(crate) fn store_eax(self, address: u64) -> Code {
        self.op(&[0xa3], address)
    }

    /// MOV EAX, `[address]`.
    pub(crate) fn load_eax(self, address: u64) -> Code {
        self.op(&[0xa1], address)
    }

    /// MOV EAX, CRn.
    pub(crate) fn read_cr(self, n: u8) -> Code {
        self.put(&[0x0f, 0x20, 0xc0 | n << 3])
    }

    /// MOV CRn, EAX.
    pub(crate) fn write_cr(self, n: u8) -> Code {
        self.put(&[0x0f, 0x22, 0xc0 | n << 3])
    }

    /// RDMSR of EFER.
    pub(crate) fn read_efer(self) -> Code {
        self.op(&[0xb9], EFER.into()).put(&[0x0f, 0x32])
    }

    fn write_efer(self) -> Code {
        self.put(&[0x0f, 0x30])
    }

    /// MOV DS, ES and SS, AX.
    fn data_segments(self) -> Code {
        self.put(&[0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0])
    }

    /// JMP far to what comes next.
    fn jump_far(self, cs: u16) -> Code {
        let next = self.here() + 7;
        self.jump_far_to(cs, next)
    }

    /// JMP far.
    pub(crate) fn jump_far_to(self, cs: u16, to: u64) -> Code {
        self.op(&[0xea], to).put(&cs.to_le_bytes())
    }

    /// Back from real mode to protected mode.
    pub(crate) fn return_to_protected_mode(self) -> Code {
        self.mov_eax(cr0::ET | cr0::PE).write_cr(0)
    }

    /// LIDT `[address]`.
    pub(crate) fn load_idt(self, address: u64) -> Code {
        self.op(&[0x0f, 0x01, 0x1d], address)
    }

    /// Writes these bytes.
    pub(crate) fn write(self, at: u64, bytes: &[u8]) -> Code {
        (at..).step_by(4).zip(bytes.chunks(4)).fold(self, |code, (at, bytes)| {
            let mut word = [0; 4];
            word[..bytes.len()].copy_from_slice(bytes);
            code.store(at, u32::from_le_bytes(word))
        })
    }

    /// What has been written so far.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// MOV dword `[address]`, imm32.
    pub(crate) fn store(self, address: u64, value: u32) -> Code {
        self.op(&[0xc7, 0x05], address).put(&value.to_le_bytes())
    }

    /// Copies doublewords.
    pub(crate) fn copy(self, from: u64, to: u64, count: u64) -> Code {
        // MOV ESI; MOV EDI; MOV ECX; CLD; REP MOVSD.
        self.op(&[0xbe], from).op(&[0xbf], to).op(&[0xb9], count).put(&[0xfc, 0xf3, 0xa5])
    }

    /// INC dword `[address]`.
    pub(crate) fn count(self, address: u64) -> Code {
        self.op(&[0xff, 0x05], address)
    }

    /// Does one thing if EAX is that value, and else another.
    pub(crate) fn if_equal(
        self,
        value: u64,
        then: impl FnOnce(Code) -> Code,
        otherwise: impl FnOnce(Code) -> Code,
    ) -> Code {
        // CMP EAX, imm32; JNE rel32; …; JMP rel32; …
        let code = self.op(&[0x3d], value);
        let then = then(Code::at(code.here() + 6));
        let otherwise = otherwise(Code::at(then.here() + 5));
        code.op(&[0x0f, 0x85], then.bytes.len() as u64 + 5)
            .put(&then.bytes)
            .op(&[0xe9], otherwise.bytes.len() as u64)
            .put(&otherwise.bytes)
    }

    /// Jumps while the doubleword is below a limit.
    pub(crate) fn jump_below(self, address: u64, limit: u64, to: u64) -> Code {
        // CMP dword [address], imm32; JB.
        let code = self.op(&[0x81, 0x3d], address).put(&(limit as u32).to_le_bytes());
        let next = code.here() + 6;
        code.op(&[0x0f, 0x82], to.wrapping_sub(next))
    }

    /// Does something while the doubleword is zero.
    pub(crate) fn while_none(self, address: u64, then: impl FnOnce(Code) -> Code) -> Code {
        // CMP dword [address], 0; JNE.
        let code = self.op(&[0x83, 0x3d], address).put(&[0]);
        let then = then(Code::at(code.here() + 6));
        code.op(&[0x0f, 0x85], then.bytes.len() as u64).put(&then.bytes)
    }

    /// Waits until the byte is not zero.
    pub(crate) fn wait_for(self, address: u64) -> Code {
        // PAUSE; CMP byte [address], 0; JE.
        self.put(&[0xf3, 0x90]).op(&[0x80, 0x3d], address).put(&[0, 0x74, 0xf5])
    }

    /// OUT to a port, of EAX, or of AL.
    fn out(self, port: u16, value: u32, byte: bool) -> Code {
        let [low, high] = port.to_le_bytes();
        let out = if byte { 0xee } else { 0xef };
        // MOV EAX, imm32; MOV DX, imm16.
        self.mov_eax(value.into()).put(&[0x66, 0xba, low, high, out])
    }

    /// Writes a byte of a PCI device's configuration space.
    pub(crate) fn configure(self, device: u32, register: u8, value: u8) -> Code {
        let aligned = register & !3;
        let data = 0xcfc + u16::from(register - aligned);
        self.out(0xcf8, pci(device, aligned), false).out(data, value.into(), true)
    }

    /// Writes a doubleword of it.
    pub(crate) fn configure_word(self, device: u32, register: u8, value: u32) -> Code {
        self.out(0xcf8, pci(device, register), false).out(0xcfc, value, false)
    }

    /// VMRUN with that EAX, and with RFLAGS as they are at the start of a case.
    pub(crate) fn vmrun(self, vmcb: u64) -> Code {
        // PUSH imm8; POPF.
        self.put(&[0x6a, world::L1_RFLAGS as u8, 0x9d]).mov_eax(vmcb).put(&[0x0f, 0x01, 0xd8])
    }

    /// From 64-bit mode to 32-bit protected mode without paging.
    pub(crate) fn leave_long_mode(self) -> Code {
        // MOV [KEPT_RSP], RSP; PUSH CS32; PUSH next; RETF.
        let code = self.op(&[0x48, 0x89, 0x24, 0x25], KEPT_RSP).put(&[0x6a, CS32 as u8]);
        let next = code.here() + 7;
        code.op(&[0x68], next)
            .put(&[0x48, 0xcb])
            .mov_eax(world::L2_DS.into())
            .data_segments()
            .op(&[0xbc], STACK32) // MOV ESP, imm32
            .read_cr(0)
            .put(&[0x0f, 0xba, 0xf0, PG]) // BTR EAX, 31
            .write_cr(0)
            .read_efer()
            .op(&[0x25], (!EFER_LME).into()) // AND EAX, imm32
            .write_efer()
    }

    /// From there to real mode, with segments that still reach all of memory.
    pub(crate) fn leave_protected_mode(self) -> Code {
        self.read_efer()
            .op(&[0x25], (!EFER_NXE).into())
            .write_efer()
            .mov_eax(0)
            .write_cr(4)
            .mov_eax(cr0::ET)
            .write_cr(0)
    }

    /// Switches paging on.
    pub(crate) fn page(self, cr3: u64, cr4: u64) -> Code {
        self.mov_eax(cr4).write_cr(4).mov_eax(cr3).write_cr(3).mov_eax(world::L1_CR0).write_cr(0)
    }

    /// From 32-bit protected mode back to 64-bit mode, and to the caller.
    pub(crate) fn return_to_long_mode(self) -> Code {
        self.return_to_long_mode_with(world::L1PT, world::L1_CR4)
    }

    /// The same, with other tables.
    pub(crate) fn return_to_long_mode_with(self, cr3: u64, cr4: u64) -> Code {
        self.read_cr(0)
            .put(&[0x0f, 0xba, 0xf0, PG])
            .write_cr(0)
            .mov_eax(cr4)
            .write_cr(4)
            .mov_eax(cr3)
            .write_cr(3)
            .read_efer()
            .op(&[0x0d], (EFER_LME | EFER_NXE).into()) // OR EAX, imm32
            .write_efer()
            .mov_eax(world::L1_CR0)
            .write_cr(0)
            .jump_far(world::L2_CS)
            .mov_eax(world::L2_DS.into())
            .data_segments()
            .op(&[0x48, 0x8b, 0x24, 0x25], KEPT_RSP) // MOV RSP, [KEPT_RSP]
            .put(&[0xc3])
    }

    /// The steps that write it to memory, and the segment that it wants.
    pub(crate) fn placed(&self, draft: Draft) -> Draft {
        let draft = cleared(cleared(draft, KEPT_RSP, 8), STACK32 - 0x10, 0x10);
        let draft = draft.poke(world::L1_GDT + u64::from(CS32), CODE32);
        (self.at..).step_by(8).zip(self.bytes.chunks(8)).fold(draft, |d, (at, bytes)| {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            d.poke(at, u64::from_le_bytes(word))
        })
    }

    /// The step that calls it.
    pub(crate) fn called(&self, draft: Draft) -> Draft {
        // MOV RBX, imm64; CALL RBX.
        let mut call = vec![0x48, 0xbb];
        call.extend(self.at.to_le_bytes());
        call.extend([0xff, 0xd3]);
        draft.step(Step::L1(Insn::Raw(call), 0))
    }
}

#[cfg(test)]
mod tests {
    use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic as M};

    use super::*;

    /// The code as a disassembler reads it: each byte is one of an instruction's, and each near
    /// branch leads to an instruction, or behind the last.
    fn read(bits: u32, code: &Code) -> Vec<M> {
        let mut decoder = Decoder::with_ip(bits, &code.bytes, code.at, DecoderOptions::NONE);
        let insns: Vec<Instruction> = decoder.iter().collect();
        let starts: Vec<u64> = insns.iter().map(|i| i.ip()).chain([code.here()]).collect();
        for insn in &insns {
            assert!(!insn.is_invalid(), "{:#x}: {:x?}", insn.ip(), code.bytes);
            let target = insn.near_branch_target();
            assert!(target == 0 || starts.contains(&target), "{:#x} to {target:#x}", insn.ip());
        }
        insns.iter().map(|i| i.mnemonic()).collect()
    }

    #[test]
    fn methods_are_the_instructions_that_they_are_named_after() {
        let code = Code::at(0x1000).mov_eax(1).store_eax(0x2000).load_eax(0x2000).read_cr(0);
        let code = code.write_cr(4).read_efer().load_idt(0x2000).store(0x2000, 1).count(0x2000);
        let moves = [M::Mov, M::Mov, M::Mov, M::Mov, M::Mov, M::Mov, M::Rdmsr];
        assert_eq!(read(32, &code), [&moves[..], &[M::Lidt, M::Mov, M::Inc]].concat());
        let copied = Code::at(0x1000).copy(0x2000, 0x3000, 4);
        assert_eq!(read(32, &copied), [M::Mov, M::Mov, M::Mov, M::Cld, M::Movsd]);
        let run = Code::at(0x1000).vmrun(0x80_0000);
        assert_eq!(read(32, &run), [M::Push, M::Popfd, M::Mov, M::Vmrun]);
        let out = Code::at(0x1000).configure(1, 6, 7);
        assert_eq!(read(32, &out), [M::Mov, M::Mov, M::Out, M::Mov, M::Mov, M::Out]);
    }

    #[test]
    fn branches_lead_to_instructions() {
        let code = Code::at(0x1000).wait_for(0x2000);
        assert_eq!(read(32, &code), [M::Pause, M::Cmp, M::Je]);
        let code = code.if_equal(7, |c| c.mov_eax(1), |c| c.mov_eax(2).mov_eax(3));
        let code = code.while_none(0x2000, |c| c.jump_below(0x2000, 9, 0x1000));
        let rest = [M::Cmp, M::Jne, M::Mov, M::Jmp, M::Mov, M::Mov, M::Cmp, M::Jne, M::Cmp, M::Jb];
        assert_eq!(read(32, &code)[3..], rest);
    }

    #[test]
    fn the_way_out_of_long_mode_and_back_is_read_in_each_of_its_modes() {
        let out = Code::at(0x1000).leave_long_mode();
        // 64-bit code as far as RETF, 32-bit code from there on.
        let at = out.bytes.windows(2).position(|b| *b == [0x48, 0xcb]).expect("RETF") + 2;
        let first = Code { at: out.at, bytes: out.bytes[..at].to_vec() };
        assert_eq!(read(64, &first), [M::Mov, M::Push, M::Push, M::Retf]);
        let second = Code { at: first.here(), bytes: out.bytes[at..].to_vec() };
        let read_second = read(32, &second);
        assert_eq!(read_second.last(), Some(&M::Wrmsr));
        assert!(read_second.contains(&M::Btr));
        let back = read(32, &Code::at(0x1000).leave_protected_mode().page(0x3000, 0x20));
        assert_eq!(back.last(), Some(&M::Mov));
    }
}
