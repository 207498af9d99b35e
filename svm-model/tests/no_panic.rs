//! The model panics on no input: cases made of arbitrary bytes, on arbitrary
//! processors.

use svm_model::case::{Case, Cpu, Event, Insn, Step, world};
use svm_model::cases::{self, SEED};
use svm_model::cpu::{CpuSet, Platform};
use svm_model::vmcb::Field;
use svm_model::{Feature, model, rules};

/// SplitMix64: a stream of bytes for each seed.
struct Bytes(u64);

impl Bytes {
    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, n: usize) -> usize {
        (self.word() % n as u64) as usize
    }

    /// Anything, but now and then what something depends on: edges and places of the world.
    fn value(&mut self) -> u64 {
        let places = [world::VMCB, world::VMCB2, world::NPT, world::L2PT, world::L2_CODE];
        let more = [world::DATA, world::L2_STACK, world::L2_IDT, world::L2_TSS, world::HSAVE];
        match self.below(6) {
            0 => self.word(),
            1 => 1 << self.below(64),
            2 => u64::MAX << self.below(64),
            3 => places[self.below(5)].wrapping_add(self.word() & 0xfff),
            4 => more[self.below(5)].wrapping_sub(self.word() & 0xf),
            _ => self.word() & 0xff,
        }
    }

    fn insn(&mut self, known: &[Insn]) -> Insn {
        let (a, b) = (self.word() as u8, self.word() as u8);
        match self.below(16) {
            0 => Insn::Mov(a, self.value()),
            1 => Insn::Load(a, self.value()),
            2 => Insn::Store(self.value()),
            3 => Insn::Jump(self.value()),
            4 => Insn::Wrmsr(self.word() as u32, self.value()),
            5 => Insn::Rdmsr(self.word() as u32),
            6 => Insn::WriteCr(a, b),
            7 => Insn::ReadCr(a, b),
            8 => Insn::WriteDr(a, b),
            9 => Insn::ReadDr(a, b),
            10 => Insn::In { size: a, port: self.word() as u16 },
            11 => Insn::Int(a),
            12 => Insn::Shr(a, b),
            _ => known[self.below(known.len())].clone(),
        }
    }

    fn step(&mut self, known: &[Insn]) -> Step {
        let (pa, value) = (self.value(), self.value());
        let width = self.word() as u8;
        match self.below(16) {
            0..=4 => Step::Vmcb(Field::ALL[self.below(Field::ALL.len())], value),
            5 => Step::Mem { pa, width, value },
            6 => Step::Peek { pa, width },
            7 => Step::Wrmsr(self.word() as u32, value),
            8 => Step::Rdmsr(self.word() as u32),
            9 => Step::WriteCr(width, value),
            10 => Step::WriteDr(width, value),
            11 => Step::Rflags(value),
            12 => Step::Raise(match self.below(4) {
                0 => Event::Intr(width),
                1 => Event::Nmi,
                2 => Event::Init,
                _ => Event::Smi,
            }),
            13 => Step::L1(self.insn(known), value),
            14 => Step::Vmrun(pa),
            _ => Step::Window,
        }
    }

    fn case(&mut self, known: &[Insn]) -> Case {
        let program = (0..self.below(6)).map(|_| self.insn(known)).collect();
        let mut steps: Vec<Step> = (0..self.below(10)).map(|_| self.step(known)).collect();
        steps.push(Step::Vmrun(world::VMCB));
        let (id, feature, cpu) = ("any/thing".into(), Feature::Intercepts, Cpu::default());
        Case { id, feature, cpu, program, steps }
    }

    fn platform(&mut self) -> Platform {
        let features = CpuSet::from_bits(self.word() | self.word());
        Platform { features, phys_bits: self.word() as u8, asids: self.word() as u32 }
    }
}

#[test]
fn nothing_makes_the_model_panic() {
    let known: Vec<Insn> = cases::all(SEED).into_iter().flat_map(|c| c.program).collect();
    let ids: Vec<_> = rules::all().map(|(id, _)| id).collect();
    for seed in 0..3_000 {
        let mut bytes = Bytes(seed);
        let (case, platform) = (bytes.case(&known), bytes.platform());
        let broken = ids[bytes.below(ids.len())];
        let run = || {
            model::run(&case, &platform);
            model::run_broken(&case, &platform, broken);
        };
        let run = std::panic::AssertUnwindSafe(run);
        if std::panic::catch_unwind(run).is_err() {
            panic!("seed {seed}, with {broken} broken or not: {case:?} on {platform:?}");
        }
    }
}
