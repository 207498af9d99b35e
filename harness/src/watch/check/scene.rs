//! A guest that is entered and left, as QEMU traces it.

use svm_model::arch::control::MOV_CR;
use svm_model::arch::{fault, int_ctl, intercept};
use svm_model::case::world;
use svm_model::coverage::FULL;
use svm_model::cpu::{CpuFeature, CpuSet, Platform};
use svm_model::features::vmexit::information::{self, Next};
use svm_model::vmcb::{Field, Image, SIZE, exit};

use super::intercept::{Needs, needs};
use super::{Checker, Found};
use crate::watch::line::{Exit, Read, read};

/// A VMRUN and its #VMEXIT.
#[derive(Clone)]
pub(super) struct Scene {
    pub(super) cpu: Platform,
    pub(super) before: Image,
    pub(super) after: Image,
    pub(super) exit: Exit,
    pub(super) reasons: Vec<&'static str>,
    pub(super) entered: bool,
    pub(super) injects: Option<(u64, u64)>,
    pub(super) sets_gif: bool,
    pub(super) clears_gif: bool,
}

fn words(image: &Image) -> String {
    let mut page = [0; SIZE];
    image.write_to(&mut page);
    let quad = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
    let all = page.chunks(8).map(quad).enumerate().filter(|(_, value)| *value != 0);
    all.map(|(n, value)| format!(" {:x}:{value:x}", n * 8)).collect()
}

impl Scene {
    /// An exit of that code, as it must be.
    pub(super) fn of(code: u64) -> Scene {
        let mut before = Image::ZERO;
        world::BASELINE.iter().for_each(|(field, value)| before.set(*field, *value));
        if let Needs::Bit(field, bit) = needs(code) {
            before.set(field, before.get(field) | bit);
        }
        before.set(Field::INT_CTL, int_ctl::V_INTR_MASKING);
        let mut scene = Scene {
            cpu: FULL,
            after: before.clone(),
            before,
            exit: Exit { code, info1: 0, info2: 0 },
            reasons: Vec::new(),
            entered: true,
            injects: None,
            sets_gif: true,
            clears_gif: true,
        };
        let row = information::row_of(code);
        let next = world::L2_CODE + 2;
        if row.is_some_and(|row| row.next == Next::Instruction) {
            scene.is(Field::NRIP, next);
        }
        match code {
            exit::CR_READ..exit::DR_READ | exit::CR0_SEL_WRITE => scene.reports(MOV_CR | 3, 0),
            exit::IOIO => scene.reports(0x80_0210, next),
            exit::NPF => scene.reports(fault::FINAL | fault::U | fault::W, 0xa0_2040),
            exit::SMI => scene.reports(1, 0),
            exit::VINTR => {
                let pending = int_ctl::V_INTR_MASKING | int_ctl::V_IRQ | 5 << 16;
                scene.was(Field::INT_CTL, pending);
                scene.was(Field::RFLAGS, 0x202);
            }
            _ => scene.reports(0, 0),
        }
        scene.is(Field::EXITCODE, code);
        scene
    }

    /// VMRUN found that, and #VMEXIT left it.
    pub(super) fn was(&mut self, field: Field, value: u64) {
        self.before.set(field, value);
        self.after.set(field, value);
    }

    /// That bit was set, too.
    pub(super) fn also(&mut self, bit: intercept::Bit) {
        self.was(bit.field(), self.before.get(bit.field()) | bit.mask());
    }

    /// #VMEXIT left that.
    pub(super) fn is(&mut self, field: Field, value: u64) {
        self.after.set(field, value);
    }

    /// EXITINFO1 and 2 are that.
    pub(super) fn reports(&mut self, info1: u64, info2: u64) {
        (self.exit.info1, self.exit.info2) = (info1, info2);
        self.is(Field::EXITINFO1, info1);
        self.is(Field::EXITINFO2, info2);
    }

    /// VMRUN refuses it.
    pub(super) fn refused(&mut self, reason: &'static str) {
        self.reasons.push(reason);
        self.entered = false;
        self.exit.code = exit::INVALID;
        self.is(Field::EXITCODE, exit::INVALID);
    }

    /// The processor has not that.
    pub(super) fn without(&mut self, feature: CpuFeature) {
        self.cpu.features = FULL.features.minus(CpuSet::of(&[feature]));
    }

    /// The trace.
    pub(super) fn lines(&self) -> String {
        let (Exit { code, info1, info2 }, rip) = (self.exit, self.after.get(Field::RIP));
        let mut out = format!("svm_vmcb cpu 0 vmcb 0x1000 VMRUN:{}\n", words(&self.before));
        for reason in &self.reasons {
            out += &format!("svm_vmrun_refused cpu 0 vmcb 0x1000: {reason}\n");
        }
        if self.entered {
            out += "svm_vmrun cpu 0 vmcb 0x1000 asid 1 rip 0x0 cr3 0x0 nested_ctl 0x1 \
                    nested_cr3 0x0\nsvm_flush cpu 0 asid 1: TLB_CONTROL\n";
            if self.sets_gif {
                out += "svm_gif cpu 0 VMRUN: gif 1\n";
            }
        }
        if let Some((info, error)) = self.injects {
            out += &format!(
                "svm_inject cpu 0 vmcb 0x1000 info {info:#x} error_code {error:#x} rip 0x0\n"
            );
        }
        out += &format!(
            "svm_vmexit cpu 0 vmcb 0x1000 code {code:#x} info1 {info1:#x} info2 {info2:#x} \
             int_info 0x0 rip {rip:#x} next_rip 0x0\nsvm_vmcb cpu 0 vmcb 0x1000 #VMEXIT:{}\n",
            words(&self.after)
        );
        out + if self.clears_gif { "svm_gif cpu 0 #VMEXIT: gif 0\n" } else { "" }
    }

    /// What a check finds.
    pub(super) fn found(&self) -> Vec<Found> {
        checked(self.cpu, &self.lines()).found
    }
}

/// What a check makes of that trace.
pub(super) fn checked(cpu: Platform, trace: &str) -> Checker {
    let mut checker = Checker::new(cpu);
    for text in trace.lines() {
        match read(text) {
            Read::Line(line) => checker.take(&line),
            other => panic!("{text}: {other:?}"),
        }
    }
    checker
}
