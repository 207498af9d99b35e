//! The bytes of each instruction, read back by a disassembler.

use iced_x86::{Code, Decoder, DecoderOptions, Instruction, OpKind, Register};
use svm_model::case::Insn;
use svm_model::case::encode::{self, encode, length};
use svm_model::case::layout::{SCRATCH, SCRATCH_GDTR, SCRATCH_IDTR};

const ADDRESS: u64 = 0x12_3456_789a;

/// The instruction's loads and then itself, as the disassembler sees them.
fn decoded(insn: &Insn) -> Vec<Instruction> {
    let mut bytes = Vec::new();
    encode(insn, &mut bytes);
    let length = length(insn);
    assert_eq!(bytes.len(), length.total(), "{insn:?}");
    let instructions: Vec<_> =
        Decoder::with_ip(64, &bytes, 0, DecoderOptions::NONE).into_iter().collect();
    let last = instructions.last().unwrap_or_else(|| panic!("{insn:?} has no bytes"));
    assert_eq!(last.ip(), length.setup as u64, "{insn:?}: where it begins");
    assert_eq!(last.len(), length.body, "{insn:?}: how long it is");
    instructions
}

/// What the loads in front put into registers.
fn loads(insn: &Insn) -> Vec<(Register, u64)> {
    let instructions = decoded(insn);
    let loads = &instructions[..instructions.len() - 1];
    loads
        .iter()
        .map(|i| {
            assert!(matches!(i.code(), Code::Mov_r64_imm64 | Code::Mov_r32_imm32), "{insn:?}");
            (i.op0_register(), i.immediate(1))
        })
        .collect()
}

fn code(insn: &Insn) -> Code {
    decoded(insn).last().unwrap().code()
}

#[test]
fn instructions_without_operands_are_what_they_are_called() {
    let table = [
        (Insn::Nop, Code::Nopd),
        (Insn::Vmmcall, Code::Vmmcall),
        (Insn::Vmrun, Code::Vmrunq),
        (Insn::Vmload, Code::Vmloadq),
        (Insn::Vmsave, Code::Vmsaveq),
        (Insn::Stgi, Code::Stgi),
        (Insn::Clgi, Code::Clgi),
        (Insn::Invlpga, Code::Invlpgaq),
        (Insn::Skinit, Code::Skinit),
        (Insn::Cpuid, Code::Cpuid),
        (Insn::Hlt, Code::Hlt),
        (Insn::Pause, Code::Pause),
        (Insn::Sti, Code::Sti),
        (Insn::Cli, Code::Cli),
        (Insn::Rdtsc, Code::Rdtsc),
        (Insn::Rdtscp, Code::Rdtscp),
        (Insn::Rdpmc, Code::Rdpmc),
        (Insn::Pushf, Code::Pushfq),
        (Insn::Popf, Code::Popfq),
        (Insn::Iret, Code::Iretq),
        (Insn::Rsm, Code::Rsm),
        (Insn::Int3, Code::Int3),
        (Insn::Icebp, Code::Int1),
        (Insn::Ud2, Code::Ud2),
        (Insn::Invd, Code::Invd),
        (Insn::Wbinvd, Code::Wbinvd),
        (Insn::Wbnoinvd, Code::Wbnoinvd),
        (Insn::Monitor, Code::Monitorq),
        (Insn::Mwait, Code::Mwait),
        (Insn::Xsetbv, Code::Xsetbv),
        (Insn::Rdpru, Code::Rdpru),
        (Insn::Invlpgb, Code::Invlpgbq),
        (Insn::Tlbsync, Code::Tlbsync),
        (Insn::Mcommit, Code::Mcommit),
        (Insn::Clts, Code::Clts),
    ];
    for (insn, expected) in table {
        assert_eq!(code(&insn), expected, "{insn:?}");
        assert_eq!(loads(&insn), [], "{insn:?}");
    }
    // INTO does not exist in 64-bit mode; its byte does.
    let mut into = Vec::new();
    encode(&Insn::Into, &mut into);
    assert_eq!(into, [0xce]);
}

#[test]
fn operands_are_loaded_first_and_used() {
    use Register::{EAX, ECX, EDX, RAX, RBX, RCX};
    let table = [
        (Insn::Load(9, ADDRESS), Code::Mov_r64_rm64, vec![(RBX, ADDRESS)]),
        (Insn::Store(ADDRESS), Code::Mov_rm64_r64, vec![(RBX, ADDRESS)]),
        (Insn::LockNot(ADDRESS), Code::Not_rm64, vec![(RBX, ADDRESS)]),
        (Insn::Xchg(ADDRESS), Code::Xchg_rm64_r64, vec![(RBX, ADDRESS)]),
        (Insn::Jump(ADDRESS), Code::Jmp_rm64, vec![(RBX, ADDRESS)]),
        (Insn::Invlpg(ADDRESS), Code::Invlpg_m, vec![(RBX, ADDRESS)]),
        (Insn::Invpcid(2), Code::Invpcid_r64_m128, vec![(RBX, SCRATCH), (RAX, 2)]),
        (Insn::Rdmsr(0x277), Code::Rdmsr, vec![(ECX, 0x277)]),
        (Insn::Wrmsr(7, 0x1_0000_0002), Code::Wrmsr, vec![(ECX, 7), (EDX, 1), (EAX, 2)]),
        (Insn::Sidt, Code::Sidt_m1664, vec![(RBX, SCRATCH)]),
        (Insn::Sgdt, Code::Sgdt_m1664, vec![(RBX, SCRATCH)]),
        (Insn::Lidt, Code::Lidt_m1664, vec![(RBX, SCRATCH_IDTR)]),
        (Insn::Lgdt, Code::Lgdt_m1664, vec![(RBX, SCRATCH_GDTR)]),
        (Insn::In { size: 1, port: 0x80 }, Code::In_AL_imm8, vec![]),
        (Insn::In { size: 2, port: 0x80 }, Code::In_AX_imm8, vec![]),
        (Insn::In { size: 4, port: 0x180 }, Code::In_EAX_DX, vec![(EDX, 0x180)]),
        (Insn::Out { size: 1, port: 0x180 }, Code::Out_DX_AL, vec![(EDX, 0x180)]),
        (Insn::Out { size: 2, port: 0x180 }, Code::Out_DX_AX, vec![(EDX, 0x180)]),
        (Insn::Out { size: 4, port: 0xff }, Code::Out_imm8_EAX, vec![]),
        (
            Insn::StringIo { input: true, size: 2, port: 5, count: None },
            Code::Insw_m16_DX,
            vec![(EDX, 5)],
        ),
        (
            Insn::StringIo { input: false, size: 4, port: 5, count: Some(3) },
            Code::Outsd_DX_m32,
            vec![(EDX, 5), (RCX, 3)],
        ),
    ];
    for (insn, expected, registers) in table {
        assert_eq!(code(&insn), expected, "{insn:?}");
        assert_eq!(loads(&insn), registers, "{insn:?}");
        let last = *decoded(&insn).last().unwrap();
        if registers.first().is_some_and(|(r, _)| *r == RBX) && last.code() != Code::Jmp_rm64 {
            assert_eq!(last.memory_base(), RBX, "{insn:?}");
        }
    }
    let repeated = Insn::StringIo { input: true, size: 1, port: 5, count: Some(3) };
    assert!(decoded(&repeated).last().unwrap().has_rep_prefix());
    assert_eq!(loads(&Insn::Int(0x80)), []);
    assert_eq!(decoded(&Insn::Int(0x80))[0].immediate8(), 0x80);
}

#[test]
fn every_register_is_the_one_that_is_named() {
    let gprs = [
        Register::RAX,
        Register::RCX,
        Register::RDX,
        Register::RBX,
        Register::RSP,
        Register::RBP,
        Register::RSI,
        Register::RDI,
        Register::R8,
        Register::R9,
        Register::R10,
        Register::R11,
        Register::R12,
        Register::R13,
        Register::R14,
        Register::R15,
    ];
    for (n, gpr) in (0..).zip(gprs) {
        let only = |insn: Insn| decoded(&insn)[0];
        let mov = only(Insn::Mov(n, ADDRESS));
        assert_eq!((mov.op0_register(), mov.immediate64()), (gpr, ADDRESS));
        for (cr, register) in [(0, Register::CR0), (3, Register::CR3), (8, Register::CR8)] {
            let (read, write) = (only(Insn::ReadCr(cr, n)), only(Insn::WriteCr(cr, n)));
            assert_eq!((read.op0_register(), read.op1_register()), (gpr, register));
            assert_eq!((write.op0_register(), write.op1_register()), (register, gpr));
        }
        for (dr, register) in [(0, Register::DR0), (7, Register::DR7)] {
            let (read, write) = (only(Insn::ReadDr(dr, n)), only(Insn::WriteDr(dr, n)));
            assert_eq!((read.op0_register(), read.op1_register()), (gpr, register));
            assert_eq!((write.op0_register(), write.op1_register()), (register, gpr));
        }
        let words = [
            (Insn::Lmsw(n), Code::Lmsw_r32m16),
            (Insn::Smsw(n), Code::Smsw_r32m16),
            (Insn::Sldt(n), Code::Sldt_r32m16),
            (Insn::Str(n), Code::Str_r32m16),
            (Insn::Lldt(n), Code::Lldt_r32m16),
            (Insn::Ltr(n), Code::Ltr_r32m16),
        ];
        for (insn, expected) in words {
            let found = only(insn.clone());
            assert_eq!(found.code(), expected, "{insn:?}");
            assert_eq!(found.op0_kind(), OpKind::Register);
            assert_eq!(found.op0_register().full_register(), gpr, "{insn:?}");
        }
    }
}

#[test]
fn a_program_ends_in_vmmcall_and_nothing_is_translated_behind_it() {
    let bytes = encode::program(&[Insn::Nop, Insn::Raw(vec![0x0f, 0x0b])]);
    assert_eq!(bytes, [0x90, 0x0f, 0x0b, 0x0f, 0x01, 0xd9, 0x0f, 0x0b]);
}
