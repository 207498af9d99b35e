//! Does a process keep what is its own while the hypervisor below it switches
//! between virtual machines: the vector registers with and without system calls
//! between, the control words, memory that is filled and copied, pages after a fork
//! and fresh ones?
//!
//! Nothing here knows of SVM: what fails, a processor, a hypervisor or a kernel has
//! damaged.

use std::arch::asm;
use std::hint::black_box;
use std::ptr;

use crate::report;

/// One sort of thing that is kept.
pub(crate) struct Kind {
    /// What the host calls it.
    pub(crate) name: &'static str,
    /// Fills it as the seed says, waits, and looks: was it kept?
    kept: fn(u64) -> bool,
}

/// All of them, in the order in which they take turns.
pub(crate) const KINDS: [Kind; 7] = [
    Kind { name: "xmm", kept: |seed| xmm(seed, false) },
    Kind { name: "xmm-calls", kept: |seed| xmm(seed, true) },
    Kind { name: "ymm-calls", kept: ymm },
    Kind { name: "controls", kept: controls },
    Kind { name: "memory", kept: memory },
    Kind { name: "fork", kept: fork },
    Kind { name: "fresh-pages", kept: fresh_pages },
];

/// How many rounds failed, by kind.
pub(crate) type Failures = [u64; KINDS.len()];

/// One round of every kind.
pub(crate) fn round(seed: u64, failures: &mut Failures) {
    for (kind, failures) in KINDS.iter().zip(failures) {
        *failures += u64::from(!(kind.kept)(seed));
    }
}

/// A process that does so many rounds, and tells the failures of each kind.
pub(crate) fn rounds() {
    let wanted = std::env::var("rounds").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let mut failures = Failures::default();
    for seed in 0..wanted {
        round(seed ^ u64::from(std::process::id()) << 32, &mut failures);
    }
    for (kind, failures) in KINDS.iter().zip(failures) {
        println!("{} {wanted} {failures}", kind.name);
    }
    report::flush();
}

/// Some number that differs for every seed and place.
fn pattern(seed: u64, at: usize) -> u64 {
    (seed ^ (at as u64 + 1)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// How long a register has to keep its value: several slices of the hypervisor's
/// scheduler, in turns of an empty loop.
const TURNS: u64 = 20_000;
/// System calls that are made in between: getpid, which only enters the kernel, and
/// sched_yield, which may run another process.
const GETPID: u64 = 39;
const SCHED_YIELD: u64 = 24;

/// Makes a function that loads all vector registers from `from`, makes calls or not,
/// loops, and stores them to `to`.
macro_rules! hold {
    ($name:ident, $lane:ty, $move:literal, $register:literal, [$($n:literal)*]) => {
        fn $name(from: &[$lane; 16], to: &mut [$lane; 16], calls: bool) {
            // SAFETY: it reads `from` and writes `to`, which are as large as the
            // registers; the system calls touch no memory of ours.
            unsafe {
                asm!(
                    $(concat!($move, " ", $register, $n, ", [{from} + ", $n, "*{size}]"),)*
                    "test {calls}, {calls}",
                    "jz 2f",
                    "mov eax, {getpid}",
                    "syscall",
                    "mov eax, {sched_yield}",
                    "syscall",
                    "2:",
                    "dec {turns}",
                    "jnz 2b",
                    $(concat!($move, " [{to} + ", $n, "*{size}], ", $register, $n),)*
                    from = in(reg) from.as_ptr(),
                    to = in(reg) to.as_mut_ptr(),
                    calls = in(reg) u64::from(calls),
                    turns = inout(reg) TURNS => _,
                    size = const size_of::<$lane>(),
                    getpid = const GETPID,
                    sched_yield = const SCHED_YIELD,
                    out("rax") _, out("rcx") _, out("r11") _,
                    out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
                    out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
                    out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                    out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
                    options(nostack),
                );
            }
        }
    };
}
hold!(hold_xmm, [u64; 2], "movdqu", "xmm", [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15]);
hold!(hold_ymm, [u64; 4], "vmovdqu", "ymm", [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15]);

/// The 16 XMM registers.
fn xmm(seed: u64, calls: bool) -> bool {
    let from = std::array::from_fn(|n| [pattern(seed, 2 * n), pattern(seed, 2 * n + 1)]);
    let mut to = [[0; 2]; 16];
    hold_xmm(&from, &mut to, calls);
    from == to
}

/// The 16 YMM registers, over system calls. A processor without them has lost none.
fn ymm(seed: u64) -> bool {
    if !std::arch::is_x86_feature_detected!("avx") {
        return true;
    }
    let from = std::array::from_fn(|n| std::array::from_fn(|lane| pattern(seed, 4 * n + lane)));
    let mut to = [[0; 4]; 16];
    hold_ymm(&from, &mut to, true);
    from == to
}

/// MXCSR's and the x87 control word's rounding modes, and a value on the x87 stack,
/// over system calls.
fn controls(seed: u64) -> bool {
    // Both have all exceptions masked; the rounding mode is the seed's.
    let mode = (seed & 3) as u32;
    let mxcsr = 0x1f80 | mode << 13;
    let control = 0x037f | (mode << 10) as u16;
    let value = (pattern(seed, 0) >> 12) as i64;
    let (mut mxcsr_after, mut control_after, mut value_after) = (0_u32, 0_u16, 0_i64);
    let (mut mxcsr_before, mut control_before) = (0_u32, 0_u16);
    // SAFETY: it writes the five variables behind the pointers, puts both control
    // words back, and leaves the x87 stack empty.
    unsafe {
        asm!(
            "stmxcsr [{mxcsr_before}]",
            "fnstcw [{control_before}]",
            "ldmxcsr [{mxcsr}]",
            "fldcw [{control}]",
            "fild qword ptr [{value}]",
            "mov eax, {getpid}",
            "syscall",
            "mov eax, {sched_yield}",
            "syscall",
            "mov rcx, {turns}",
            "2:",
            "dec rcx",
            "jnz 2b",
            "stmxcsr [{mxcsr_after}]",
            "fnstcw [{control_after}]",
            "fistp qword ptr [{value_after}]",
            "ldmxcsr [{mxcsr_before}]",
            "fldcw [{control_before}]",
            mxcsr_before = in(reg) &mut mxcsr_before,
            control_before = in(reg) &mut control_before,
            mxcsr = in(reg) &mxcsr,
            control = in(reg) &control,
            value = in(reg) &value,
            mxcsr_after = in(reg) &mut mxcsr_after,
            control_after = in(reg) &mut control_after,
            value_after = in(reg) &mut value_after,
            turns = const TURNS,
            getpid = const GETPID,
            sched_yield = const SCHED_YIELD,
            out("rax") _, out("rcx") _, out("r11") _,
            out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _,
            out("st(4)") _, out("st(5)") _, out("st(6)") _, out("st(7)") _,
            options(nostack),
        );
    }
    // MXCSR's six lowest bits are flags.
    mxcsr_after & !0x3f == mxcsr && control_after == control && value_after == value
}

/// As much as the C library moves with its widest registers.
const LARGE: usize = 256 << 10;

/// A large block: filled, copied, compared.
fn memory(seed: u64) -> bool {
    let first = black_box(vec![seed as u8; LARGE]);
    let mut second = black_box(vec![!(seed as u8); LARGE]);
    black_box(&mut second).copy_from_slice(&first);
    black_box(&first) == black_box(&second) && first.iter().all(|&byte| byte == seed as u8)
}

/// The size of a page, and how many are looked at.
const PAGE: usize = 4096;
const PAGES: usize = 64;

/// Pages that nobody has touched yet.
struct Fresh(*mut u8);

impl Fresh {
    fn new() -> Option<Self> {
        // SAFETY: a mapping of its own, which replaces none.
        let at = unsafe {
            libc::mmap(
                ptr::null_mut(),
                PAGES * PAGE,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        (at != libc::MAP_FAILED).then_some(Fresh(at.cast()))
    }

    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the mapping is that large, zero at first, and lives as long as this.
        unsafe { std::slice::from_raw_parts_mut(self.0, PAGES * PAGE) }
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nobody has a pointer to it any more.
        unsafe { libc::munmap(self.0.cast(), PAGES * PAGE) };
    }
}

/// What each page is filled with.
fn fill(seed: u64, page: usize) -> u8 {
    (seed as u8 ^ page as u8) & 0x7f
}

/// Does every byte of every page have what was filled in, but for those at `at`?
fn holds(pages: &[u8], seed: u64, at: impl Fn(usize, usize) -> Option<u8>) -> bool {
    pages.chunks(PAGE).enumerate().all(|(page, bytes)| {
        bytes
            .iter()
            .enumerate()
            .all(|(n, &byte)| byte == at(page, n).unwrap_or_else(|| fill(seed, page)))
    })
}

/// A child writes into every other page, its parent into the rest; neither sees
/// what the other has written.
fn fork(seed: u64) -> bool {
    const CHILDS: (usize, u8) = (7, 0xee);
    const PARENTS: (usize, u8) = (9, 0xdd);
    let Some(mut fresh) = Fresh::new() else { return false };
    let pages = fresh.bytes();
    for (page, bytes) in pages.chunks_mut(PAGE).enumerate() {
        bytes.fill(fill(seed, page));
    }
    let write = |pages: &mut [u8], odd: usize, (at, byte): (usize, u8)| {
        pages.chunks_mut(PAGE).skip(odd).step_by(2).for_each(|page| page[at] = byte);
    };
    let wrote = |odd: usize, (at, byte): (usize, u8)| {
        move |page: usize, n: usize| (page % 2 == odd && n == at).then_some(byte)
    };
    // SAFETY: this process has one thread, and the child calls nothing that takes a
    // lock before it ends.
    match unsafe { libc::fork() } {
        -1 => false,
        0 => {
            write(pages, 0, CHILDS);
            let bad = !holds(pages, seed, wrote(0, CHILDS));
            // SAFETY: it ends the child at once.
            unsafe { libc::_exit(i32::from(bad)) }
        }
        child => {
            write(pages, 1, PARENTS);
            let mut status = 0;
            // SAFETY: `status` is ours.
            let waited = unsafe { libc::waitpid(child, &mut status, 0) } == child;
            waited && status == 0 && holds(pages, seed, wrote(1, PARENTS))
        }
    }
}

/// Fresh memory is zero, keeps what is written, and is zero again when it was given
/// back.
fn fresh_pages(seed: u64) -> bool {
    let Some(mut fresh) = Fresh::new() else { return false };
    let pages = fresh.bytes();
    let zero = pages.iter().all(|&byte| byte == 0);
    for (page, bytes) in pages.chunks_mut(PAGE).enumerate() {
        bytes.fill(fill(seed, page));
    }
    let half = PAGES / 2;
    // SAFETY: the first half of our own mapping; `fresh` sees zeros in it after this.
    let given = unsafe { libc::madvise(fresh.0.cast(), half * PAGE, libc::MADV_DONTNEED) } == 0;
    let again = |page: usize, _| (page < half).then_some(0);
    zero && given && holds(fresh.bytes(), seed, again)
}
