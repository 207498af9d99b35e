//! The steps of L1: what a case's script does, and what is observed of it.

use crate::arch::flag;
use alloc::boxed::Box;

use crate::case::encode;
use crate::case::insn::Insn;
use crate::case::{self, Step, world};
use crate::machine::delivery::Event;
use crate::machine::{Flow, Machine, Stop};
use crate::outcome::{Exit, Obs};
use crate::snapshot::{HostReg, HostState, VmcbState};

impl Machine<'_> {
    /// One step; `Err` where the course is open from here on.
    pub(crate) fn step(&mut self, step: &Step) -> Flow {
        match *step {
            Step::Vmcb(field, value) => {
                self.mem.set_field(world::VMCB, field, value);
                self.carried.written(field);
            }
            Step::Mem { pa, width, value } => self.mem.write(pa, width, value),
            Step::Peek { pa, width } => {
                let value = self.mem.read(pa, width);
                self.obs.push(Obs::Value(value));
            }
            Step::Wrmsr(msr, value) => return self.l1(&Insn::Wrmsr(msr, value), None),
            Step::Rdmsr(msr) => return self.l1_value(&Insn::Rdmsr(msr), true),
            Step::WriteCr(n, value) => return self.l1(&Insn::WriteCr(n, 0), Some(value)),
            Step::ReadCr(n) => return self.l1_value(&Insn::ReadCr(n, 0), false),
            Step::WriteDr(n, value) => return self.l1(&Insn::WriteDr(n, 0), Some(value)),
            Step::ReadDr(n) => return self.l1_value(&Insn::ReadDr(n, 0), false),
            Step::Rflags(value) => self.l1_rflags = value,
            Step::Raise(event) => return self.raise(event),
            Step::L1(ref insn, rax) => return self.l1_instruction(insn, rax),
            Step::Vmrun(rax) => return self.l1_vmrun(rax),
            Step::Window => return self.physical_in_host(true),
        }
        Ok(())
    }

    fn raise(&mut self, event: case::Event) -> Flow {
        match event {
            case::Event::Intr(vector) if vector < 32 => return Err(Stop::Open),
            case::Event::Intr(vector) => self.pending.request(vector),
            case::Event::Nmi => self.pending.nmi = true,
            case::Event::Init => self.pending.init = true,
            case::Event::Smi => self.pending.smi = true,
        }
        self.physical_in_host(false)
    }

    /// An instruction of a step, interrupts held; whether it completed.
    fn l1_bare(&mut self, insn: &Insn, rax: Option<u64>) -> Flow<bool> {
        self.prepare(rax.unwrap_or(0))?;
        for load in encode::loads(insn).iter() {
            self.set_gpr(load.gpr, load.value);
        }
        self.hits = 0;
        let done = match self.execute(insn) {
            Ok(()) => {
                self.trap_in_host();
                true
            }
            Err(Stop::Raise(event)) => {
                self.observe_exception(&event);
                false
            }
            Err(stop) => return Err(stop),
        };
        self.physical_in_host(self.l1_rflags & flag::IF != 0)?;
        Ok(done)
    }

    /// #DB behind an instruction of L1 that met a breakpoint.
    fn trap_in_host(&mut self) {
        let bits = core::mem::take(&mut self.hits);
        if bits != 0 {
            self.debug_status(bits);
            self.observe_exception(&Event::debug(bits));
        }
    }

    fn l1(&mut self, insn: &Insn, rax: Option<u64>) -> Flow {
        self.l1_bare(insn, rax).map(drop)
    }

    fn l1_value(&mut self, insn: &Insn, pair: bool) -> Flow {
        if self.l1_bare(insn, None)? {
            let [rax, _, rdx, ..] = self.r.gpr;
            self.obs.push(Obs::Value(if pair { rdx << 32 | rax } else { rax }));
        }
        Ok(())
    }

    /// Registers and flags as the world has them before L1 executes something.
    fn prepare(&mut self, rax: u64) -> Flow {
        for n in 0..16u8 {
            self.r.gpr[usize::from(n)] = world::gpr(n);
        }
        self.unknown = [0; 16];
        // The world's L1 comes to it by an IRETQ, which brings RFLAGS and ends what blocks NMIs.
        self.pending.nmi_blocked = false;
        self.r.gpr[0] = rax;
        self.r.gpr[4] = world::L1_STACK;
        self.r.rflags = self.l1_rflags & flag::ALL & !flag::VM | flag::FIXED;
        if self.r.rflags & (flag::TF | flag::NT | flag::AC) != 0 {
            return Err(Stop::Open);
        }
        let allowed = self.r.rflags & flag::IF != 0;
        self.physical_in_host(allowed)
    }

    fn l1_instruction(&mut self, insn: &Insn, rax: u64) -> Flow {
        let stays = matches!(
            insn,
            Insn::Vmload
                | Insn::Vmsave
                | Insn::Stgi
                | Insn::Clgi
                | Insn::Invlpga
                | Insn::Vmmcall
                | Insn::Skinit
                | Insn::Ud2
                | Insn::Nop
                | Insn::Wrmsr(..)
                | Insn::Invlpg(_)
                | Insn::Pause
        );
        // What L1's own tables make of an address is not the model's; that a register watches it is.
        let watched = self.r.dr7 & 0xff != 0
            && matches!(insn, Insn::Load(..) | Insn::Store(_) | Insn::Out { .. });
        if !stays && !watched {
            return Err(Stop::Open);
        }
        self.l1(insn, Some(rax))
    }

    fn l1_vmrun(&mut self, rax: u64) -> Flow {
        self.prepare(rax)?;
        self.l2_log.clear();
        match self.vmrun(rax) {
            Ok(()) => self.observe_exit(rax),
            Err(Stop::Raise(event)) => self.observe_exception(&event),
            Err(stop) => return Err(stop),
        }
        let allowed = self.l1_rflags & flag::IF != 0;
        self.physical_in_host(allowed)
    }

    fn observe_exception(&mut self, event: &Event) {
        if let Some(address) = event.address {
            self.r.cr2 = address;
        }
        self.obs.push(Obs::L1Exception { vector: event.vector, error: event.error });
    }

    fn observe_exit(&mut self, vmcb: u64) {
        let vmcb = VmcbState::of(self.mem.image(vmcb).0);
        let host = self.host_state();
        let l2_log = core::mem::take(&mut self.l2_log);
        let mut exit = Box::new(Exit { vmcb, host, l2_log });
        let Exit { vmcb, host, .. } = &mut *exit;
        vmcb.forget_mask(self.open_fields);
        host.forget_mask(self.open_host);
        for (register, gpr) in [(HostReg::L2Rbx, 3), (HostReg::L2Rcx, 1), (HostReg::L2Rdx, 2)] {
            if self.unknown[gpr] != 0 {
                host.forget(register);
            }
        }
        self.obs.push(Obs::Exit(exit));
    }

    fn host_state(&self) -> HostState {
        let r = &self.r;
        let mut host = HostState::default();
        let values = [
            (HostReg::Rax, r.gpr[0]),
            (HostReg::Rflags, r.rflags),
            (HostReg::Cr0, r.cr0),
            (HostReg::Cr2, r.cr2),
            (HostReg::Cr3, r.cr3),
            (HostReg::Cr4, r.cr4),
            (HostReg::Cr8, r.tpr),
            (HostReg::Efer, r.efer),
            (HostReg::Dr6, r.dr6),
            (HostReg::Dr7, r.dr7),
            (HostReg::Gif, u64::from(self.gif)),
            (HostReg::L2Rbx, r.gpr[3]),
            (HostReg::L2Rcx, r.gpr[1]),
            (HostReg::L2Rdx, r.gpr[2]),
        ];
        for (register, value) in values {
            host.set(register, value);
        }
        host
    }
}
