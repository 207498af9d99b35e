//! Raw code in cases is code: a disassembler reads all of it, in one of the modes.

use iced_x86::{Decoder, DecoderOptions};
use svm_model::case::{Case, Insn, Step};
use svm_model::{cases, written};

/// What no disassembler reads, by how the ids begin, and why it is there.
const NO_CODE: &[(&str, &str)] = &[(
    "xstate/undefined-",
    "opcodes of x87 that are none, of which the case is that they are #UD",
)];

fn raw(case: &Case) -> impl Iterator<Item = &[u8]> {
    let steps = case.steps.iter().filter_map(|step| match step {
        Step::L1(insn, _) => Some(insn),
        _ => None,
    });
    case.program.iter().chain(steps).filter_map(|insn| match insn {
        Insn::Raw(code) => Some(code.as_slice()),
        _ => None,
    })
}

fn is_code(code: &[u8]) -> bool {
    let reads = |bits| {
        Decoder::new(bits, code, DecoderOptions::NONE).into_iter().all(|insn| !insn.is_invalid())
    };
    !code.is_empty() && [64, 32, 16].into_iter().any(reads)
}

#[test]
fn raw_code_is_code() {
    let all = cases::all(cases::SEED).into_iter().chain(written::all().into_iter().map(|w| w.case));
    let (mut seen, mut wrong) = (0, Vec::new());
    for case in all {
        let expected = NO_CODE.iter().any(|(id, _)| case.id.starts_with(id));
        for code in raw(&case) {
            seen += 1;
            if !expected && !is_code(code) {
                wrong.push(format!("{}: {code:02x?}", case.id));
            }
        }
    }
    assert!(seen > 1000, "only {seen}");
    assert!(wrong.is_empty(), "{} are no code:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_is_no_code_is_seen() {
    assert!(is_code(&[0x0f, 0x01, 0xd8]));
    // In 64-bit mode no instruction, in 32-bit mode one.
    assert!(is_code(&[0x06]));
    for code in [&[][..], &[0xd9, 0xd1], &[0x0f, 0x01], &[0x90, 0x0f, 0x04]] {
        assert!(!is_code(code), "{code:02x?}");
    }
}
