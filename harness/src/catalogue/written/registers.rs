//! Intercepts of control and debug register accesses, LMSW, SMSW and CLTS.

use svm_model::Feature::Intercepts;
use svm_model::case::Insn;
use svm_model::vmcb::{Field, exit};

use super::Draft;

/// CR0 of the baseline, and bits of it.
const CR0: u64 = 0x8001_0033;
const MP: u64 = 1 << 1;
const TS: u64 = 1 << 3;
const WP: u64 = 1 << 16;

fn draft(id: String, section: &'static str) -> Draft {
    Draft::new(id, Intercepts, section)
}

pub(super) fn cases() -> Vec<Draft> {
    [control(), debug(), words(), selective()].concat()
}

fn control() -> Vec<Draft> {
    let mut cases = Vec::new();
    for (n, value) in [(0, CR0), (2, 0), (3, 0x88_0000), (4, 0x20), (8, 0)] {
        let cr = u64::from(n);
        cases.push(
            draft(format!("registers/read-cr{n}"), "15.9")
                .program(&[Insn::ReadCr(n, 3)])
                .intercept(exit::CR_READ + cr)
                .run()
                .exits(exit::CR_READ + cr)
                .at(0),
        );
        cases.push(
            draft(format!("registers/write-cr{n}"), "15.9")
                .program(&[Insn::Mov(0, value), Insn::WriteCr(n, 0)])
                .intercept(exit::CR_WRITE + cr)
                .run()
                .exits(exit::CR_WRITE + cr)
                .at(1),
        );
        // The other direction is not intercepted, and goes through.
        cases.push(
            draft(format!("registers/read-cr{n}-write-intercepted"), "15.9")
                .program(&[Insn::ReadCr(n, 0)])
                .intercept(exit::CR_WRITE + cr)
                .run()
                .ends()
                .field(Field::RAX, value),
        );
    }
    cases
}

fn debug() -> Vec<Draft> {
    let mut cases = Vec::new();
    for n in [0, 1, 2, 3, 6, 7] {
        let dr = u64::from(n);
        cases.push(
            draft(format!("registers/read-dr{n}"), "15.9")
                .program(&[Insn::ReadDr(n, 0)])
                .intercept(exit::DR_READ + dr)
                .run()
                .exits(exit::DR_READ + dr)
                .at(0),
        );
        cases.push(
            draft(format!("registers/write-dr{n}"), "15.9")
                .program(&[Insn::Mov(0, 0x400), Insn::WriteDr(n, 0)])
                .intercept(exit::DR_WRITE + dr)
                .run()
                .exits(exit::DR_WRITE + dr)
                .at(1),
        );
    }
    cases
}

/// What else reads or writes CR0.
fn words() -> Vec<Draft> {
    vec![
        draft("registers/lmsw-cr0-write".into(), "15.9")
            .program(&[Insn::Mov(0, 0x37), Insn::Lmsw(0)])
            .intercept(exit::CR_WRITE)
            .run()
            .exits(exit::CR_WRITE)
            .at(1),
        draft("registers/lmsw-not-intercepted".into(), "15.9")
            .program(&[Insn::Mov(0, TS | MP | 1), Insn::Lmsw(0)])
            .run()
            .ends()
            .field(Field::CR0, CR0 | TS),
        draft("registers/smsw-cr0-read".into(), "15.9")
            .program(&[Insn::Smsw(0)])
            .intercept(exit::CR_READ)
            .run()
            .exits(exit::CR_READ)
            .at(0),
        draft("registers/clts-cr0-write".into(), "15.9")
            .program(&[Insn::Clts])
            .intercept(exit::CR_WRITE)
            .run()
            .exits(exit::CR_WRITE)
            .at(0),
    ]
}

/// The selective CR0 write intercept: bits other than TS and MP, and LMSW always.
fn selective() -> Vec<Draft> {
    let writes = |id: &str, value: u64| {
        draft(format!("registers/selective-{id}"), "15.9")
            .program(&[Insn::Mov(0, value), Insn::WriteCr(0, 0)])
            .intercept(exit::CR0_SEL_WRITE)
    };
    let lmsw = |id: &str, value: u64| {
        draft(format!("registers/selective-{id}"), "15.9")
            .program(&[Insn::Mov(0, value), Insn::Lmsw(0)])
            .intercept(exit::CR0_SEL_WRITE)
    };
    vec![
        writes("wp-changed", CR0 & !WP).run().exits(exit::CR0_SEL_WRITE).at(1),
        writes("ts-and-mp-changed", CR0 ^ TS ^ MP).run().ends().field(Field::CR0, CR0 ^ TS ^ MP),
        writes("nothing-changed", CR0).run().ends().field(Field::CR0, CR0),
        // The unconditional intercept comes first.
        writes("and-unconditional", CR0 & !WP)
            .intercept(exit::CR_WRITE)
            .run()
            .exits(exit::CR_WRITE)
            .at(1),
        lmsw("lmsw-em-changed", 7).run().exits(exit::CR0_SEL_WRITE).at(1),
        lmsw("lmsw-ts-changed", TS | MP | 1).run().exits(exit::CR0_SEL_WRITE).at(1),
        draft("registers/selective-clts".into(), "15.9")
            .program(&[Insn::Clts])
            .set(Field::CR0, CR0 | TS)
            .intercept(exit::CR0_SEL_WRITE)
            .run()
            .ends()
            .field(Field::CR0, CR0),
    ]
}
