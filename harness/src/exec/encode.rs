//! A case as the guest reads it.

use std::collections::BTreeSet;

use svm_model::case::{Case, Event, Insn, Step, encode, world};
use svm_model::cpu::Platform;
use svm_model::model;
use svm_model::vmcb::Field;
use svm_model::wire::{self, event, observe, op};

use crate::{Error, Kind, Result};

/// A case's operations, with their length in front, and the most bytes of
/// output that they can make. What it changes is put back on each of those platforms.
///
/// # Errors
/// Usage, when the case names memory outside its world or is too long.
pub fn case(case: &Case, platforms: &[Platform]) -> Result<(Vec<u8>, usize)> {
    let mut out = Ops { bytes: vec![0; 4], output: 64 };
    let program = encode::program(&case.program);
    let bad = |what: String| Error::new(Kind::Usage, format!("case {}: {what}", case.id));
    let len = u16::try_from(program.len()).ok().filter(|n| *n < 0x4000);
    out.u8(op::PROGRAM).u16(len.ok_or_else(|| bad("its program is too long".into()))?);
    out.put(&program);
    case.program.iter().for_each(|insn| out.keep(insn));
    // L2's stores, pushes and table walks, wherever its tables lead.
    let footprints: Vec<_> = platforms.iter().map(|p| model::footprint(case, p)).collect();
    if footprints.iter().any(|footprint| !footprint.contained) {
        // The model does not follow it to its end, where it may still push.
        out.keep_page(world::L2_STACK - 8);
    }
    let writes: BTreeSet<u64> = footprints.into_iter().flat_map(|f| f.writes).collect();
    for pa in writes.into_iter().filter(|pa| check(*pa, 8).is_ok()) {
        out.u8(op::KEEP_WORD).u64(pa);
    }
    if case.program.contains(&Insn::Vmsave) {
        out.keep_vmsave_targets(&case.program);
    }
    // The guest puts one VMCB back by itself. Of another, what #VMEXIT writes; kept before a step
    // writes it, since pages are put back behind words.
    for step in &case.steps {
        if let Step::Vmrun(pa) = step
            && pa & !0xfff != world::VMCB
        {
            out.keep_page(*pa);
        }
    }
    for (n, step) in case.steps.iter().enumerate() {
        out.step(step).map_err(|what| bad(format!("step {n}: {what}")))?;
    }
    let len = (out.bytes.len() - 4) as u32;
    out.bytes[..4].copy_from_slice(&len.to_le_bytes());
    Ok((out.bytes, out.output))
}

struct Ops {
    bytes: Vec<u8>,
    /// Most bytes of output.
    output: usize,
}

impl Ops {
    fn put(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    fn u8(&mut self, value: u8) -> &mut Self {
        self.put(&[value])
    }

    fn u16(&mut self, value: u16) -> &mut Self {
        self.put(&value.to_le_bytes())
    }

    fn u32(&mut self, value: u32) -> &mut Self {
        self.put(&value.to_le_bytes())
    }

    fn u64(&mut self, value: u64) -> &mut Self {
        self.put(&value.to_le_bytes())
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        self.output += 16;
        match step {
            Step::Vmcb(field, value) => self.vmcb(*field, *value),
            Step::Mem { pa, width, value } => {
                check(*pa, *width)?;
                self.u8(op::WRITE).u8(*width).u64(*pa).u64(*value);
            }
            Step::Peek { pa, width } => {
                check(*pa, *width)?;
                self.u8(op::PEEK).u8(*width).u64(*pa);
            }
            Step::Wrmsr(msr, value) => {
                self.execute(&Insn::Wrmsr(*msr, *value), 0, observe::NOTHING)
            }
            Step::Rdmsr(msr) => self.execute(&Insn::Rdmsr(*msr), 0, observe::EDX_EAX),
            Step::WriteCr(n, value) => {
                self.execute(&Insn::WriteCr(*n, 0), *value, observe::NOTHING)
            }
            Step::ReadCr(n) => self.execute(&Insn::ReadCr(*n, 0), 0, observe::RAX),
            Step::WriteDr(n, value) => {
                self.execute(&Insn::WriteDr(*n, 0), *value, observe::NOTHING)
            }
            Step::ReadDr(n) => self.execute(&Insn::ReadDr(*n, 0), 0, observe::RAX),
            Step::Rflags(value) => _ = self.u8(op::RFLAGS).u64(*value),
            Step::Raise(event) => self.raise(*event),
            Step::L1(insn, rax) => {
                if *insn == Insn::Vmsave {
                    self.keep_page(*rax);
                }
                self.execute(insn, *rax, observe::NOTHING);
            }
            Step::Vmrun(rax) => {
                self.output += wire::EXIT_MAX;
                self.u8(op::VMRUN).u64(*rax);
            }
            Step::Window => {
                self.output += 64;
                self.u8(op::WINDOW);
            }
        }
        Ok(())
    }

    fn vmcb(&mut self, field: Field, value: u64) {
        self.u8(op::WRITE)
            .u8(field.width())
            .u64(world::VMCB + u64::from(field.offset()))
            .u64(value);
    }

    fn execute(&mut self, insn: &Insn, rax: u64, wanted: u8) {
        self.keep(insn);
        let mut code = Vec::new();
        encode::encode(insn, &mut code);
        self.u8(op::EXECUTE).u8(wanted).u64(rax).u8(code.len() as u8).put(&code);
    }

    fn raise(&mut self, event: Event) {
        let (kind, vector) = match event {
            Event::Intr(vector) => (event::INTR, vector),
            Event::Nmi => (event::NMI, 0),
            Event::Init => (event::INIT, 0),
            Event::Smi => (event::SMI, 0),
        };
        self.u8(op::RAISE).u8(kind).u8(vector);
    }

    /// Asks for what the instruction may change to be put back.
    fn keep(&mut self, insn: &Insn) {
        match insn {
            Insn::Store(pa) | Insn::LockNot(pa) | Insn::Xchg(pa) if check(*pa, 8).is_ok() => {
                _ = self.u8(op::KEEP_WORD).u64(*pa)
            }
            Insn::Sidt | Insn::Sgdt => {
                self.u8(op::KEEP_WORD).u64(world::SCRATCH);
                self.u8(op::KEEP_WORD).u64(world::SCRATCH + 8);
            }
            Insn::StringIo { input: true, .. } => self.keep_page(world::gpr(7)),
            Insn::Wrmsr(msr, _) => _ = self.u8(op::KEEP_MSR).u32(*msr),
            Insn::Vmload | Insn::Lldt(_) | Insn::Ltr(_) | Insn::Raw(_) => {
                _ = self.u8(op::KEEP_VMLOAD);
            }
            _ => {}
        }
    }

    /// VMSAVE in L2 may reach what RAX held, if it reaches anything.
    fn keep_vmsave_targets(&mut self, program: &[Insn]) {
        self.keep_page(world::VMCB2);
        for insn in program {
            if let Insn::Mov(0, pa) = insn {
                self.keep_page(*pa);
            }
        }
    }

    fn keep_page(&mut self, pa: u64) {
        if world::RAM.contains(&pa) {
            self.u8(op::KEEP_PAGE).u64(pa);
        }
    }
}

fn check(pa: u64, width: u8) -> Result<(), String> {
    if !matches!(width, 1 | 2 | 4 | 8) {
        return Err(format!("no memory access is {width} bytes wide"));
    }
    match pa.checked_add(u64::from(width)) {
        Some(end) if pa >= world::RAM.start && end <= world::RAM.end => Ok(()),
        _ => Err(format!(
            "{pa:#x} is outside the world ({:#x} to {:#x})",
            world::RAM.start,
            world::RAM.end
        )),
    }
}

#[cfg(test)]
mod tests {
    use svm_model::wire::Reader;

    use svm_model::case::Draft;
    use svm_model::{Feature, coverage};

    use super::*;
    use crate::catalogue;

    /// Reads one operation as the guest does; `None` where it makes no sense.
    fn operation(ops: &mut Reader<'_>) -> Option<()> {
        match ops.u8()? {
            op::WRITE => _ = (ops.u8()?, ops.u64()?, ops.u64()?),
            op::PEEK => _ = (ops.u8()?, ops.u64()?),
            op::EXECUTE => {
                let _ = (ops.u8()?, ops.u64()?);
                let len = ops.u8()?;
                ops.bytes(len.into())?;
            }
            op::VMRUN | op::RFLAGS | op::KEEP_WORD | op::KEEP_PAGE => _ = ops.u64()?,
            op::PROGRAM => {
                let len = ops.u16()?;
                ops.bytes(len.into())?;
            }
            op::RAISE => _ = ops.u16()?,
            op::KEEP_MSR => _ = ops.u32()?,
            op::WINDOW | op::KEEP_VMLOAD => {}
            _ => return None,
        }
        Some(())
    }

    #[test]
    fn every_case_is_what_the_guest_can_read_to_its_end() {
        for entry in catalogue::all().into_iter().chain(catalogue::generated()) {
            let (bytes, output) = case(&entry.case, &coverage::platforms_for(&entry.case))
                .unwrap_or_else(|e| panic!("{e}"));
            let mut reader = Reader(&bytes);
            assert_eq!(reader.u32(), Some(bytes.len() as u32 - 4), "{}", entry.case.id);
            let mut exits = 0;
            while !reader.is_empty() {
                exits += usize::from(reader.0[0] == op::VMRUN);
                assert!(operation(&mut reader).is_some(), "{}", entry.case.id);
            }
            assert!(output >= exits * wire::EXIT_MAX, "{}", entry.case.id);
        }
    }

    #[test]
    fn what_a_case_writes_on_a_platform_is_put_back() {
        let case = Draft::new(Feature::Intercepts, "x/push").program(&[Insn::Ud2]).done();
        let kept = |platforms: &[Platform]| {
            let (bytes, _) = super::case(&case, platforms).unwrap();
            let word = [&[op::KEEP_WORD][..], &(world::L2_STACK - 8).to_le_bytes()].concat();
            bytes.windows(word.len()).any(|part| part == word)
        };
        assert!(kept(&[coverage::FULL]));
        assert!(!kept(&[]));
    }

    #[test]
    fn memory_outside_the_world_is_refused() {
        let mut bad = catalogue::all().swap_remove(0).case;
        for (pa, width) in [(world::VMCB - 1, 1), (wire::MAILBOX - 4, 8), (world::DATA, 3)] {
            bad.steps = vec![Step::Peek { pa, width }];
            assert_eq!(case(&bad, &[coverage::FULL]).unwrap_err().kind(), Kind::Usage);
        }
    }
}
