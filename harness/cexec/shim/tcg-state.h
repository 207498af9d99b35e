/* What the operations of the interpreter share (tcg.c, tcg-memory.c). */
#ifndef CEXEC_TCG_STATE_H
#define CEXEC_TCG_STATE_H

#include "cx.h"
#include "exec/cpu-common.h"
#include "tcg/tcg.h"
#include "tcg/tcg-temp-internal.h"

/* Whether operations are skipped. */
extern bool cx_tcg_skipping;

/* A variable's value. */
#define V64(v) (*(uint64_t *)tcgv_i64_temp(v)->state_ptr)
#define V32(v) (*(uint32_t *)tcgv_i32_temp(v)->state_ptr)

/* Stands for translated code: see "Calls" in tcg.c. */
#define IN_CODE __attribute__((noinline, section("cexec_code")))

#endif
