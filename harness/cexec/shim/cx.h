/* What the parts of the shim share. */
#ifndef CEXEC_CX_H
#define CEXEC_CX_H

#include "qemu/osdep.h"
#include "cpu.h"
#include "shim.h"

extern X86CPU cx_cpu;
extern uint8_t *cx_ram;
extern uint64_t cx_ram_size;

/* Ends cx_run() from any depth. */
G_NORETURN void cx_stop(enum CxStop stop);
/* Ends it because WHAT is not supplied. */
G_NORETURN void cx_open(const char *what);

/* Forgets what was overwritten so far. */
void cx_memory_keep(void);
/* The memory's half of cx_restart(). */
void cx_memory_restart(void);
/* The local APIC's. */
void cx_apic_restart(void);
/* The allocator's and the debug facilities'. */
void cx_rest_restart(void);

/* Makes the translator's globals. */
void cx_tcg_init(void);
/* Before each instruction; in a rehearsal no operation has an effect. */
void cx_tcg_begin(bool rehearsal);
/* What INSN_START says of the next instruction by its end; NULL is not known. */
void cx_tcg_rehearsed(const uint64_t *data);
/* Whether an address is one that translated code would return to. */
bool cx_tcg_is_code(uintptr_t host_pc);
/* What INSN_START recorded for the instruction being executed. */
void cx_tcg_insn_start(uint64_t *data, unsigned words);

#endif
