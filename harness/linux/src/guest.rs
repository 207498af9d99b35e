//! A virtual machine with one processor: flat 32-bit segments, no paging.

use kvm_bindings::{
    CpuId, KVM_MAX_CPUID_ENTRIES, kvm_pit_config, kvm_regs, kvm_segment,
    kvm_userspace_memory_region,
};
use kvm_ioctls::{Kvm, VcpuFd, VmFd};
use vm_memory::{Address, GuestAddress, GuestMemoryBackend, GuestMemoryMmap, GuestMemoryRegion};

use crate::{Context, Result};

/// Where KVM may keep pages of its own, above all memory and devices.
const TSS: usize = 0xfffb_d000;

/// The machine.
pub(crate) struct Guest {
    pub(crate) vcpu: VcpuFd,
    pub(crate) vm: VmFd,
    pub(crate) memory: GuestMemoryMmap,
}

/// What the machine has besides its processor.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Board {
    /// Nothing.
    Bare,
    /// KVM's interrupt controllers and its timer.
    Pc,
}

impl Guest {
    /// One with `mib` MiB of memory from 0.
    pub(crate) fn new(kvm: &Kvm, board: Board, mib: usize) -> Result<Guest> {
        let vm = kvm.create_vm().doing("creating a machine")?;
        vm.set_tss_address(TSS).doing("placing KVM's pages")?;
        if board == Board::Pc {
            vm.create_irq_chip().doing("creating interrupt controllers")?;
            vm.create_pit2(kvm_pit_config::default()).doing("creating a timer")?;
        }
        let memory = GuestMemoryMmap::from_ranges(&[(GuestAddress(0), mib << 20)])
            .doing("allocating its memory")?;
        for (slot, region) in (0..).zip(memory.iter()) {
            let at = memory.get_host_address(region.start_addr()).doing("finding its memory")?;
            let region = kvm_userspace_memory_region {
                slot,
                flags: 0,
                guest_phys_addr: region.start_addr().raw_value(),
                memory_size: region.len(),
                userspace_addr: at as u64,
            };
            // SAFETY: the mapping is `memory`'s, which lives as long as the machine
            // (fields are dropped in order, it last).
            unsafe { vm.set_user_memory_region(region) }.doing("giving it its memory")?;
        }
        let vcpu = vm.create_vcpu(0).doing("creating a processor")?;
        let mut cpuid: CpuId =
            kvm.get_supported_cpuid(KVM_MAX_CPUID_ENTRIES).doing("asking for KVM's CPUID")?;
        for entry in cpuid.as_mut_slice().iter_mut().filter(|entry| entry.function == 1) {
            // KVM leaves it to us to say that this is a guest; its own leaves are
            // looked for, its clock among them, only then.
            entry.ecx |= 1 << 31;
        }
        vcpu.set_cpuid2(&cpuid).doing("setting its CPUID")?;
        let guest = Guest { vcpu, vm, memory };
        guest.flatten()?;
        Ok(guest)
    }

    /// Protected mode as Linux's 32-bit boot protocol wants it.
    fn flatten(&self) -> Result<()> {
        let mut sregs = self.vcpu.get_sregs().doing("reading its segments")?;
        let code = kvm_segment {
            base: 0,
            limit: u32::MAX,
            selector: 0x10,
            // Code, executable, readable, accessed.
            type_: 0xb,
            present: 1,
            db: 1,
            s: 1,
            g: 1,
            ..kvm_segment::default()
        };
        // Data, writable, accessed.
        let data = kvm_segment { selector: 0x18, type_: 0x3, ..code };
        sregs.cs = code;
        for segment in [&mut sregs.ds, &mut sregs.es, &mut sregs.fs, &mut sregs.gs, &mut sregs.ss] {
            *segment = data;
        }
        // PE and ET.
        sregs.cr0 = 0x11;
        self.vcpu.set_sregs(&sregs).doing("setting its segments")
    }

    /// Sets its general registers.
    pub(crate) fn set(&self, regs: kvm_regs) -> Result<()> {
        // Bit 1 of RFLAGS is always set.
        self.vcpu.set_regs(&kvm_regs { rflags: 2, ..regs }).doing("setting its registers")
    }
}
