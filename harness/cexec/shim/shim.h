/*
 * What the shim offers to the Rust side: one x86 CPU of QEMU's, run one
 * instruction at a time over a flat RAM.
 */
#ifndef CEXEC_SHIM_H
#define CEXEC_SHIM_H

#include <stdbool.h>
#include <stdint.h>

/* Why cx_run() came back. */
enum CxStop {
    /* RIP is the one that was waited for. */
    CX_DONE = 1,
    /* L1 is at one of its trap stubs. */
    CX_TRAP,
    /* INIT was taken: the CPU would be at its reset vector. */
    CX_RESET,
    /* Halted, and nothing pending can wake it. */
    CX_HALTED,
    /* The budget of instructions is used up. */
    CX_RUNAWAY,
    /* Triple fault. */
    CX_SHUTDOWN,
    /* Something that this shim does not supply was needed; see cx_why(). */
    CX_OPEN,
};

/* Events of cx_raise(). */
enum CxEvent {
    CX_INTR,
    CX_NMI,
    CX_INIT,
    CX_SMI,
};

/* An output bit of CPUID; REG counts EAX, EBX, ECX, EDX. */
struct CxCpuidBit {
    uint32_t leaf;
    uint32_t subleaf;
    uint8_t reg;
    uint8_t bit;
};

/* Makes the CPU: `-cpu max,+svm` but those features. RAM is [ram, ram + size). */
void cx_init(uint8_t *ram, uint64_t size, const struct CxCpuidBit *off, unsigned count);
/* The CPU's registers. */
struct CPUArchState *cx_env(void);
/* CPUID, as the guest would find it. */
void cx_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4]);

/* Makes 64-bit L1 of the CPU, with flat data segments. */
void cx_become_l1(uint64_t cr0, uint64_t cr3, uint64_t cr4, uint64_t efer);
/* Remembers CPU and memory as the start of every case. */
void cx_keep_start(void);
/* Puts both back to it. */
void cx_restart(void);

/* Writes WIDTH bytes of RAM; cx_restart() undoes it. False outside RAM. */
bool cx_write(uint64_t pa, uint64_t value, unsigned width);

/* As IRETQ to 64-bit code with these segments would; without IRET, what blocks NMIs stays. */
void cx_enter(uint64_t rip, uint64_t rsp, uint64_t rflags, uint16_t cs, uint16_t ss, bool iret);
/* LGDT and LIDT with limits. */
void cx_tables(uint64_t gdt, uint32_t gdt_limit, uint64_t idt, uint32_t idt_limit);
/* L1's trap stubs: 256, STEP bytes apart. */
void cx_stubs(uint64_t first, uint64_t step);
/* Runs until RIP is END in L1, or until something else stops it; at least one
   instruction if RESUME. */
enum CxStop cx_run(uint64_t end, bool resume, unsigned budget);
/* Whether nothing waits for a NOP: no event, shadow, trap or breakpoint. */
bool cx_quiet(void);
/* What CX_OPEN wanted. */
const char *cx_why(void);

/* Raises an event at the local APIC or the chipset. */
void cx_raise(enum CxEvent event, uint8_t vector);
/* Whether the local APIC has that vector in service. */
bool cx_in_service(uint8_t vector);
/* End of interrupt. */
void cx_eoi(void);

/* Registers that are not simply fields. */
uint64_t cx_rflags(void);
uint64_t cx_cr8(void);
bool cx_gif(void);
bool cx_smm(void);

#endif
