//! One instruction of the guest: fetch, breakpoints, execution, single-step.

use crate::arch::{cr0, flag};
use crate::case::{Insn, world};
use crate::features::intercepts::table;
use crate::machine::delivery::Event;
use crate::machine::fetch::Fetched;
use crate::machine::idt::has_error_code;
use crate::machine::paging::Access;
use crate::machine::{Flow, Machine, Scene, Stop};
use crate::outcome::L2Event;
use crate::rules::{bus_lock, intercepts, vmrun_state};

impl Machine<'_> {
    /// Executes the instruction at RIP.
    pub(crate) fn instruction(&mut self) -> Flow {
        self.leaves(vmrun_state::READ_ONCE, Scene::Here)?;
        if !self.r.rip_in_limit() {
            // The model has no segment limits.
            return Err(Stop::Open);
        }
        self.hits = 0;
        self.execution_breakpoint()?;
        let (fetched, length) = self.fetch()?;
        let single_step = self.r.rflags & flag::TF != 0;
        let shadow = self.r.shadow;
        self.next_rip = self.r.rip.wrapping_add(length);
        if !self.r.mode64() {
            self.next_rip &= 0xffff_ffff;
        }
        self.sti = false;
        self.branched = false;
        match fetched {
            Fetched::Move(gpr, value) => self.set_gpr(gpr, value),
            Fetched::Insn(insn) => self.execute(insn)?,
            Fetched::Stub(vector) => self.stub(vector)?,
        }
        self.r.rip = self.next_rip;
        self.r.rflags &= !flag::RF;
        self.r.shadow = self.sti && !shadow;
        match self.trapped(single_step) {
            0 => Ok(()),
            bits => Err(Stop::Raise(Event::debug(bits))),
        }
    }

    /// L2's stub: logs what its frame says, and goes on to the VMMCALL.
    fn stub(&mut self, vector: u8) -> Flow {
        if !self.r.mode64() || self.r.rflags & flag::TF != 0 || self.stub_is_watched()? {
            return Err(Stop::Open);
        }
        let has_error = has_error_code(vector);
        let count = self.l2_log.len() as u64;
        let mut rsp = self.r.gpr[4];
        let mut error = 0;
        if has_error {
            error = self.stub_read(rsp)? as u32;
            rsp = rsp.wrapping_add(8);
        }
        let rip = self.stub_read(rsp)?;
        // The log must be writable, or the stub itself faults, at places that the world leaves open.
        let log = self.translate(world::L2_LOG + 8 * (1 + 3 * count), Access::WRITE);
        if log.is_err() {
            return Err(Stop::Open);
        }
        self.l2_log.push(L2Event { vector, error, rip });
        self.next_rip = world::L2_STUB_EXIT;
        Ok(())
    }

    fn stub_read(&mut self, rsp: u64) -> Flow<u64> {
        let Ok(pa) = self.translate(rsp, Access::READ) else { return Err(Stop::Open) };
        Ok(self.mem.read(pa, 8))
    }

    /// What an instruction does, in the guest or in L1. RIP has not moved yet;
    /// the caller moves it to `next_rip`.
    pub(crate) fn execute(&mut self, insn: &Insn) -> Flow {
        use Insn::{
            Clgi, Cli, Clts, Cpuid, Divide, Fnop, Hlt, Icebp, In, Int, Int3, Into, Invd, Invlpg,
            Invlpga, Invlpgb, Invpcid, Iret, Jump, Lgdt, Lidt, Lldt, Lmsw, Load, Lock, LockNot,
            Ltr, Mcommit, Monitor, Mov, Mov32, Mwait, Nop, Out, Pause, Popf, Pushf, Raw, Rdmsr,
            Rdpmc, Rdpru, Rdtsc, Rdtscp, ReadCr, ReadDr, Rsm, Sgdt, Shr, Sidt, Skinit, Sldt, Smsw,
            Stgi, Sti, Store, Str, StringIo, TaskJump, Tlbsync, Ud2, Vmload, Vmmcall, Vmrun,
            Vmsave, Wbinvd, Wbnoinvd, WriteCr, WriteDr, Wrmsr, Xchg, Xsetbv,
        };
        match *insn {
            Mov(gpr, value) => {
                self.set_gpr(gpr, value);
                Ok(())
            }
            Mov32(gpr, value) => {
                self.set_gpr(gpr, value.into());
                Ok(())
            }
            Lock(ref insn) => {
                if self.t.does(intercepts::LOCK_FIRST) {
                    return Err(self.ud());
                }
                self.execute(insn)
            }
            Nop => Ok(()),
            Load(gpr, _) => {
                let address = self.memory_operand()?;
                let value = self.data_read(address)?;
                self.set_gpr(gpr, value);
                Ok(())
            }
            Store(_) => {
                let address = self.memory_operand()?;
                let value = self.operand(0)?;
                self.data_write(address, value)
            }
            LockNot(_) => {
                let address = self.memory_operand()?;
                self.locked(address, |old, _| !old).map(drop)
            }
            Xchg(_) => {
                let address = self.memory_operand()?;
                let rax = self.operand(0)?;
                let old = self.locked(address, |_, rax| rax)?;
                debug_assert_eq!(self.r.gpr[0], rax);
                self.set_gpr(0, old);
                Ok(())
            }
            Jump(_) => {
                let target = self.memory_operand()?;
                self.jump(target)
            }
            Ud2 => Err(self.ud()),
            Raw(_) => Err(Stop::Open),
            Divide => self.divide(),
            Shr(gpr, count) => {
                let place = usize::from(gpr & 15);
                self.r.gpr[place] >>= count & 63;
                self.unknown[place] >>= count & 63;
                self.open_flags = true;
                Ok(())
            }
            Fnop => self.fnop(),
            Vmrun | Vmload | Vmsave | Vmmcall | Stgi | Clgi | Invlpga | Skinit => {
                self.svm_instruction(insn)
            }
            ReadCr(n, gpr) => self.read_cr(n, gpr),
            WriteCr(n, gpr) => self.write_cr(n, gpr),
            ReadDr(n, gpr) => self.read_dr(n, gpr),
            WriteDr(n, gpr) => self.write_dr(n, gpr),
            Lmsw(gpr) => self.lmsw(gpr),
            Smsw(gpr) => self.smsw(gpr),
            Clts => self.clts(),
            Sidt | Sgdt | Sldt(_) | Str(_) => self.store_table(insn),
            Lidt | Lgdt | Lldt(_) | Ltr(_) => self.load_table(insn),
            Rdmsr(msr) => self.rdmsr(msr),
            Wrmsr(msr, value) => self.wrmsr(msr, value),
            In { size, port } => self.port_io(true, size, port),
            Out { size, port } => self.port_io(false, size, port),
            StringIo { input, size, port, count } => self.string_io(input, size, port, count),
            Sti | Cli | Pushf | Popf | Iret => self.flag_instruction(insn),
            Int(vector) => self.software_interrupt(vector),
            Int3 => self.software_exception(3),
            TaskJump(selector) => self.task_jump(selector),
            Into => self.overflow(),
            Icebp => self.icebp(),
            Cpuid | Rsm | Invd | Wbinvd | Wbnoinvd | Pause | Hlt | Rdtsc | Rdtscp | Rdpmc
            | Monitor | Mwait | Xsetbv | Rdpru => self.plain_instruction(insn),
            Invlpg(_) => self.invlpg(),
            Invpcid(_) => self.invpcid(),
            Invlpgb | Tlbsync | Mcommit => self.broadcast(insn),
        }
    }

    pub(crate) fn set_gpr(&mut self, gpr: u8, value: u64) {
        self.r.gpr[usize::from(gpr & 15)] = value;
        self.unknown[usize::from(gpr & 15)] = 0;
    }

    /// Writes a register that is an operand of the size that the code segment says: 16 bits
    /// leave the others alone (vol. 1, 3.1.2).
    pub(crate) fn set_sized(&mut self, gpr: u8, value: u64) {
        if !self.t.rule(intercepts::NARROW_OPERAND, self.r.narrow()) {
            return self.set_gpr(gpr, value & 0xffff_ffff);
        }
        let place = usize::from(gpr & 15);
        self.r.gpr[place] = self.r.gpr[place] & !0xffff | value & 0xffff;
        self.unknown[place] &= !0xffff;
    }

    /// A register's value as an operand; open where the model does not know it.
    pub(crate) fn operand(&self, gpr: u8) -> Flow<u64> {
        let gpr = usize::from(gpr & 15);
        if self.unknown[gpr] == 0 { Ok(self.r.gpr[gpr]) } else { Err(Stop::Open) }
    }

    /// RAX, where SVM's instructions have their address: as much of it as addresses have bits
    /// (APM vol. 3, VMRUN).
    pub(crate) fn address_operand(&self) -> Flow<u64> {
        let rax = self.operand(0)?;
        Ok(match &self.guest {
            Some(_) if !self.r.mode64() => rax & self.r.cs.address_mask(),
            _ => rax,
        })
    }

    /// RBX, where instructions have their address: the loads in front of one may
    /// not have been executed.
    pub(crate) fn memory_operand(&self) -> Flow<u64> {
        self.operand(3)
    }

    fn data_address(&mut self, linear: u64, access: Access) -> Flow<u64> {
        if self.guest.is_none() {
            return Ok(linear);
        }
        self.canonical_operand(linear)?;
        if self.misaligned(linear) {
            return Err(Stop::Raise(Event::coded(17, 0)));
        }
        if linear & 0xfff > 0xff8 {
            return Err(Stop::Open);
        }
        self.byte_address(linear, access)
    }

    /// Whether an access of 8 bytes raises #AC.
    pub(crate) fn misaligned(&self, linear: u64) -> bool {
        let checked = self.r.cr0 & cr0::AM != 0 && self.r.rflags & flag::AC != 0 && self.r.cpl == 3;
        checked && linear & 7 != 0
    }

    /// #GP of a memory operand at no canonical address.
    pub(crate) fn canonical_operand(&self, linear: u64) -> Flow {
        if self.r.canonical(linear) { Ok(()) } else { Err(self.gp(0)) }
    }

    /// Where a byte of memory is.
    pub(crate) fn byte_address(&mut self, linear: u64, access: Access) -> Flow<u64> {
        let pa = self.translate(linear, access)?;
        self.through_tlb(linear, pa)
    }

    fn data_read(&mut self, linear: u64) -> Flow<u64> {
        let pa = self.data_address(linear, Access::READ)?;
        self.watch(linear, 8, false)?;
        Ok(self.mem.read(pa, 8))
    }

    /// A locked read and write of 8 bytes; what was there. The new value is made
    /// of the old one and RAX.
    fn locked(&mut self, linear: u64, change: impl Fn(u64, u64) -> u64) -> Flow<u64> {
        self.leaves(bus_lock::FAULT_FIRST, Scene::Access(linear))?;
        let pa = self.data_address(linear, Access::WRITE)?;
        self.bus_lock(linear, true)?;
        self.watch(linear, 8, true)?;
        let old = self.mem.read(pa, 8);
        self.mem.write(pa, 8, change(old, self.r.gpr[0]));
        Ok(old)
    }

    pub(crate) fn data_write(&mut self, linear: u64, value: u64) -> Flow {
        let pa = self.data_address(linear, Access::WRITE)?;
        self.bus_lock(linear, false)?;
        self.watch(linear, 8, true)?;
        self.mem.write(pa, 8, value);
        Ok(())
    }

    fn jump(&mut self, target: u64) -> Flow {
        if !self.r.canonical(target) {
            return Err(self.gp(0));
        }
        self.record_branch(target);
        self.branched = true;
        self.next_rip = target;
        Ok(())
    }

    pub(crate) fn svm_instruction(&mut self, insn: &Insn) -> Flow {
        match insn {
            Insn::Vmmcall => {
                self.intercept(&table::VMMCALL)?;
                if self.t.does(intercepts::VMMCALL_UD) {
                    return Err(self.ud());
                }
                Ok(())
            }
            Insn::Vmrun => self.guest_vmrun(),
            Insn::Vmload => self.vmload_or_save(false),
            Insn::Vmsave => self.vmload_or_save(true),
            Insn::Stgi => self.stgi(),
            Insn::Clgi => self.clgi(),
            Insn::Invlpga => self.invlpga(),
            _ => self.skinit(),
        }
    }
}
