//! A Linux L2: the kernel that L1 is, with our own program as its first process.
//! Linux's 32-bit boot protocol (Documentation/arch/x86/boot.rst).

use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kvm_bindings::kvm_regs;
use kvm_ioctls::{Kvm, VcpuExit};
use linux_loader::configurator::linux::LinuxBootConfigurator;
use linux_loader::configurator::{BootConfigurator, BootParams};
use linux_loader::loader::bootparam::{boot_e820_entry, boot_params};
use linux_loader::loader::{BzImage, KernelLoader};
use vm_memory::{Bytes, GuestAddress};

use crate::guest::{Board, Guest};
use crate::serial::Ports;
use crate::{Context, Result, acpi, beside, report};

/// L2's memory, in MiB.
const MEMORY: usize = 256;
/// Where the boot protocol's structure is, the command line, the kernel (where it
/// would move itself otherwise), and its initramfs.
const PARAMS: u64 = 0x7000;
const COMMAND_LINE: u64 = 0x2_0000;
const KERNEL: u64 = 0x100_0000;
const INITRAMFS: u64 = 0xc00_0000;
/// Where memory for programs ends below 1 MiB, and where it goes on.
const LOW_END: u64 = 0x9_fc00;
const HIGH: u64 = 0x10_0000;

/// A kernel that panics ends in a triple fault.
const WORDS: &str = "console=ttyS0 reboot=t panic=-1 nokaslr role=";
/// What our program says in it.
const UP: &str = "svm-bench: up";
const COMPUTES: &str = "svm-bench: load ";

/// Boots it until our program in it says that it is there.
pub(crate) fn boot(kvm: &Kvm) -> Result<()> {
    let mut guest = prepared(kvm, "boot")?;
    report::line("l2-start");
    run(&mut guest, UP, |_| true)
}

/// Boots one that computes, and puts processes of L1 under stress beside it: first
/// without it, then with it. `rounds` is on the kernel's command line.
pub(crate) fn beside(kvm: &Kvm) -> Result<()> {
    let rounds = std::env::var("rounds").doing("rounds")?;
    beside::stress("alone", &rounds)?;
    let mut guest = prepared(kvm, "load")?;
    let latest: Arc<Mutex<Latest>> = Arc::new(Mutex::new(Ok(None)));
    let shared = Arc::clone(&latest);
    // It is never waited for: the end of the machine is its end.
    std::thread::spawn(move || {
        let ended = run(&mut guest, COMPUTES, |said| {
            *lock(&shared) = Ok(Some(said.to_owned()));
            false
        });
        *lock(&shared) = Err(ended.err().unwrap_or_default());
    });
    beside::with_guest("kvm", &rounds, &|| lock(&latest).clone())
}

/// What a guest last said of how it gets on, or why it ended.
type Latest = Result<Option<String>>;

fn lock(latest: &Mutex<Latest>) -> MutexGuard<'_, Latest> {
    latest.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One that is about to start.
fn prepared(kvm: &Kvm, role: &str) -> Result<Guest> {
    let guest = Guest::new(kvm, Board::Pc, MEMORY)?;
    load(&guest, role)?;
    guest.set(kvm_regs { rip: KERNEL, rsi: PARAMS, ..kvm_regs::default() })?;
    Ok(guest)
}

/// Runs it until `enough` says so of what it said behind `word`; that is asked
/// whenever L2 exits to this program, once there is such a line.
fn run(guest: &mut Guest, word: &'static str, mut enough: impl FnMut(&str) -> bool) -> Result<()> {
    let mut ports = Ports::new(&guest.vm, word);
    while !ports.said().is_some_and(&mut enough) {
        match guest.vcpu.run().doing("running L2")? {
            VcpuExit::IoOut(port, data) => ports.write(port, data),
            VcpuExit::IoIn(port, data) => ports.read(port, data),
            VcpuExit::MmioRead(_, data) => data.fill(0xff),
            VcpuExit::MmioWrite(..) | VcpuExit::Intr => {}
            other => return Err(format!("L2 ended with {other:?} before it said {word:?}")),
        }
    }
    Ok(())
}

/// Puts everything into its memory.
fn load(guest: &Guest, role: &str) -> Result<()> {
    let memory = &guest.memory;
    let mut image = File::open("/vmlinuz").doing("opening L2's kernel")?;
    let kernel = BzImage::load(memory, Some(GuestAddress(KERNEL)), &mut image, None)
        .doing("loading L2's kernel")?;
    let initramfs = std::fs::read("/boot.cpio").doing("reading L2's initramfs")?;
    memory.write_slice(&initramfs, GuestAddress(INITRAMFS)).doing("loading L2's initramfs")?;
    let words = format!("{WORDS}{role}\0");
    memory
        .write_slice(words.as_bytes(), GuestAddress(COMMAND_LINE))
        .doing("loading L2's command line")?;
    acpi::write(memory)?;
    let header = kernel.setup_header.ok_or("L2's kernel has no header")?;
    let mut params = boot_params { hdr: header, ..boot_params::default() };
    // No boot loader that has a number.
    params.hdr.type_of_loader = 0xff;
    params.hdr.cmd_line_ptr = COMMAND_LINE as u32;
    params.hdr.ramdisk_image = INITRAMFS as u32;
    params.hdr.ramdisk_size = initramfs.len() as u32;
    let ram = |addr, end: u64| boot_e820_entry { addr, size: end - addr, r#type: 1 };
    params.e820_table[..2].copy_from_slice(&[ram(0, LOW_END), ram(HIGH, (MEMORY as u64) << 20)]);
    params.e820_entries = 2;
    let params = BootParams::new(&params, GuestAddress(PARAMS));
    LinuxBootConfigurator::write_bootparams(&params, memory).doing("loading L2's parameters")
}
