//! Interpreting a case.

use crate::cpu::{self, EFER};
use crate::execute::{self, CONTEXT, SLOT_MAX};
use crate::global::Global;
use crate::layout::{L2_CODE, L2_LOG, VMCB};
use crate::wire::{self, HOST, LOG_MAX, PARTS, Reader, header, host, obs, observe, op, state};
use crate::{apic, mailbox, output, setup, trap, undo};

/// Bytes of the longest program so far; behind a program, RAM is zero.
static PROGRAM_LEN: Global<usize> = Global::new(0);

/// Runs what is left of the batch, and ends QEMU.
pub(crate) fn run_batch() -> ! {
    let input_len = mailbox::get64(header::INPUT_LEN) as usize;
    let done = (mailbox::get64(header::INPUT_DONE) as usize).min(input_len);
    // SAFETY: the harness has written that much, and no one writes it now.
    let input = unsafe { core::slice::from_raw_parts(wire::INPUT as *const u8, input_len) };
    let mut rest = Reader(&input[done..]);
    while !rest.is_empty() {
        let case = rest.u32().and_then(|len| rest.bytes(len as usize));
        let ran = case.and_then(|ops| run(Reader(ops)));
        if ran.is_none() {
            mailbox::finish(state::BAD_INPUT);
        }
        // Before undoing, which may itself reset the CPU.
        mailbox::set64(header::INPUT_DONE, (input_len - rest.0.len()) as u64);
        finish_observations();
        undo();
    }
    mailbox::finish(state::DONE)
}

/// Ends the case that INIT has cut short.
pub(crate) fn was_reset() {
    // What the case observed so far was published; `output::init` is behind it.
    output::resume();
    output::put(&[obs::RESET]);
    skip_case();
    finish_observations();
    undo();
}

/// Counts the case that was being run as read.
fn skip_case() {
    let done = mailbox::get64(header::INPUT_DONE);
    // SAFETY: `run` has read this length before.
    let len = unsafe { ((wire::INPUT + done) as *const u32).read_unaligned() };
    mailbox::set64(header::INPUT_DONE, done + 4 + u64::from(len));
}

fn finish_observations() {
    output::put(&[obs::END]);
    output::commit();
    mailbox::set32(header::STATE, state::UNDOING);
}

/// Puts the world back and counts the case as done.
pub(crate) fn undo() {
    undo::all();
    mailbox::set32(header::DONE, mailbox::get32(header::DONE) + 1);
}

fn run(mut ops: Reader<'_>) -> Option<()> {
    mailbox::set32(header::STATE, state::RUNNING);
    while !ops.is_empty() {
        step(&mut ops)?;
        output::publish();
    }
    Some(())
}

/// Does one operation; `None` if it makes no sense.
fn step(ops: &mut Reader<'_>) -> Option<()> {
    match ops.u8()? {
        op::WRITE => {
            let (width, pa, value) = (ops.u8()?, ops.u64()?, ops.u64()?);
            // The VMCB is put back whole.
            if !(VMCB..VMCB + 0x1000).contains(&pa) || !in_parts(pa - VMCB) {
                undo::keep_word(pa)?;
            }
            // SAFETY: a case names RAM only.
            unsafe {
                core::ptr::copy_nonoverlapping(
                    value.to_le_bytes().as_ptr(),
                    pa as *mut u8,
                    usize::from(width.min(8)),
                );
            }
        }
        op::PEEK => {
            let (width, pa) = (usize::from(ops.u8()?.min(8)), ops.u64()?);
            let mut value = [0; 8];
            // SAFETY: a case names RAM only.
            unsafe { core::ptr::copy_nonoverlapping(pa as *const u8, value.as_mut_ptr(), width) };
            output::value(u64::from_le_bytes(value));
        }
        op::EXECUTE => execute(ops)?,
        op::VMRUN => vmrun(ops.u64()?),
        op::PROGRAM => {
            let len = ops.u16()?;
            program(ops.bytes(len.into())?);
        }
        // SAFETY: no other reference is alive.
        op::RFLAGS => unsafe { CONTEXT.get() }.rflags = ops.u64()? | 2,
        op::RAISE => {
            undo::events_raised();
            let smis = setup::smi_count();
            apic::raise(ops.u8()?, ops.u8()?)?;
            observe_smi(smis);
        }
        op::WINDOW => cpu::interrupt_window(),
        op::KEEP_WORD => undo::keep_word(ops.u64()?)?,
        op::KEEP_PAGE => undo::keep_page(ops.u64()?)?,
        op::KEEP_MSR => undo::keep_msr(ops.u32()?)?,
        op::KEEP_VMLOAD => undo::keep_vmload(),
        _ => return None,
    }
    Some(())
}

/// Whether `undo` puts that word of the VMCB back anyway.
fn in_parts(offset: u64) -> bool {
    PARTS.iter().any(|&(from, len)| offset >= from && offset + 8 <= from + len as u64)
}

fn observe_smi(before: u32) {
    for _ in before..setup::smi_count() {
        output::put(&[obs::SMI]);
    }
}

fn execute(ops: &mut Reader<'_>) -> Option<()> {
    let (wanted, rax, len) = (ops.u8()?, ops.u64()?, usize::from(ops.u8()?));
    let code = ops.bytes(len).filter(|c| c.len() <= SLOT_MAX)?;
    let smis = setup::smi_count();
    execute::code(code, rax);
    observe_smi(smis);
    if trap::observe_fault() {
        return Some(());
    }
    // SAFETY: the slot is over; no other reference is alive.
    let gprs = unsafe { CONTEXT.get() }.gprs;
    match wanted {
        observe::NOTHING => {}
        observe::RAX => output::value(gprs[0]),
        observe::EDX_EAX => output::value(gprs[2] << 32 | gprs[0] & 0xffff_ffff),
        _ => return None,
    }
    Some(())
}

fn vmrun(rax: u64) {
    let smis = setup::smi_count();
    let came_back = execute::vmrun(rax);
    observe_smi(smis);
    if came_back {
        observe_exit(rax);
    }
    trap::observe_fault();
}

fn observe_exit(vmcb: u64) {
    let mut registers = [0; HOST];
    // SAFETY: the slot is over; no other reference is alive.
    let context = unsafe { CONTEXT.get() };
    registers[host::GPRS..host::GPRS + 16].copy_from_slice(&context.gprs);
    registers[host::RFLAGS] = context.rflags_after;
    registers[host::CR0] = context.cr0;
    registers[host::CR2] = cpu::read_cr2();
    registers[host::CR3] = cpu::read_cr3();
    registers[host::CR4] = context.cr4;
    registers[host::CR8] = cpu::read_cr8();
    registers[host::EFER] = cpu::rdmsr(EFER);
    registers[host::DR6] = cpu::read_dr6();
    registers[host::DR7] = cpu::read_dr7();
    registers[host::SELECTORS] = cpu::selectors();
    output::put(&[obs::EXIT]);
    output::registers(&registers);
    for (offset, len) in PARTS {
        // SAFETY: VMRUN has taken that address for a VMCB, so it is RAM.
        unsafe { output::memory(vmcb + offset, len) };
    }
    observe_l2_log();
}

/// Observes what L2's stubs have logged, and empties the log.
fn observe_l2_log() {
    let log = L2_LOG as *mut u64;
    // SAFETY: L2's log is RAM: a count, then three quadwords an entry.
    let count = unsafe { log.read_volatile() }.min(LOG_MAX as u64) as u8;
    output::put(&[count]);
    for n in 0..usize::from(count) {
        // SAFETY: as above.
        let [vector, error, rip] = unsafe { log.add(1 + n * 3).cast::<[u64; 3]>().read_volatile() };
        output::put(&[vector as u8]);
        output::put(&(error as u32).to_le_bytes());
        output::put(&rip.to_le_bytes());
    }
    if count > 0 {
        // SAFETY: as above.
        unsafe { log.write_volatile(0) };
    }
}

/// Writes L2's program, unless it is there already: rewriting code is slow.
fn program(code: &[u8]) {
    // SAFETY: no other reference is alive.
    let longest = unsafe { PROGRAM_LEN.get() };
    let len = code.len().max(*longest);
    *longest = code.len();
    // SAFETY: L2's code is RAM that has room for any program, and L2 does not run.
    let place = unsafe { core::slice::from_raw_parts_mut(L2_CODE as *mut u8, len) };
    let (head, tail) = place.split_at_mut(code.len());
    if head != code {
        head.copy_from_slice(code);
    }
    if tail.iter().any(|&b| b != 0) {
        tail.fill(0);
    }
}
