/*
 * The main loop of cpu_exec(): exceptions, then interrupts, then one
 * instruction.
 */
#include "cx.h"
#include <setjmp.h>
#include "accel/tcg/cpu-ops.h"
#include "accel/tcg/tb-cpu-state.h"
#include "exec/target_page.h"
#include "exec/translation-block.h"
#include "tcg/insn-start-words.h"
#include "tcg/helper-tcg.h"
#include "../accel/tcg/internal-common.h"
#include "../accel/tcg/tb-internal.h"

static jmp_buf stop_jump, loop_jump;
static const char *why;
/* The instruction being executed; pc 0 and flags 0 between two. */
static TranslationBlock block;
static bool executing;
static uint64_t stub_first, stub_end, stub_step;

G_NORETURN void cx_stop(enum CxStop stop)
{
    executing = false;
    _longjmp(stop_jump, stop);
}

G_NORETURN void cx_open(const char *what)
{
    why = what;
    cx_stop(CX_OPEN);
}

const char *cx_why(void)
{
    return why;
}

void cx_stubs(uint64_t first, uint64_t step)
{
    stub_first = first;
    stub_step = step;
    stub_end = first + 256 * step;
}

/* What QEMU's code leaves through. */

G_NORETURN void cpu_loop_exit_noexc(CPUState *cs)
{
    cs->exception_index = -1;
    cpu_loop_exit(cs);
}

G_NORETURN void cpu_loop_exit(CPUState *cs)
{
    executing = false;
    _longjmp(loop_jump, 1);
}

bool cpu_restore_state(CPUState *cs, uintptr_t host_pc)
{
    uint64_t data[INSN_START_WORDS];

    if (!executing || !cx_tcg_is_code(host_pc)) {
        return false;
    }
    cx_tcg_insn_start(data, INSN_START_WORDS);
    cs->cc->tcg_ops->restore_state_to_opc(cs, &block, data);
    return true;
}

bool cpu_unwind_state_data(CPUState *cs, uintptr_t host_pc, uint64_t *data)
{
    if (!executing || !cx_tcg_is_code(host_pc)) {
        return false;
    }
    cx_tcg_insn_start(data, INSN_START_WORDS);
    return true;
}

G_NORETURN void cpu_loop_exit_restore(CPUState *cs, uintptr_t host_pc)
{
    cpu_restore_state(cs, host_pc);
    cpu_loop_exit(cs);
}

/* cpu_reset(): of all that leads here, only INIT can come in a case. */
void cpu_reset(CPUState *cs)
{
    cx_stop(CX_RESET);
}

void qemu_system_reset_request(ShutdownCause reason)
{
    cx_stop(CX_SHUTDOWN);
}

/* The loop. */

static void translate(CPUState *cs, vaddr pc, void *host)
{
    int max_insns = 1;
    cs->cc->tcg_ops->translate_code(cs, &block, &max_insns, pc, host);
}

#ifdef INSN_START_LEN_SHIFT
/* Instructions that have been rehearsed. What INSN_START says in the end depends on
   nothing else. */
static struct Rehearsal {
    uint64_t pc, cs_base, flags;
    uint8_t code[16];
    uint64_t insn_start[INSN_START_WORDS];
} rehearsals[512];

/* The translator says only at the end of an instruction how long it is; an exit in the
   middle of it wants to know. */
static void rehearse(CPUState *cs, vaddr pc, const uint8_t *host)
{
    struct Rehearsal this = { pc, block.cs_base, (uint64_t)block.cflags << 32 | block.flags };
    /* What is on the next page may change alone. */
    bool whole = (pc & ~TARGET_PAGE_MASK) <= TARGET_PAGE_SIZE - sizeof(this.code);
    struct Rehearsal *known = NULL;

    if (whole) {
        memcpy(this.code, host, sizeof(this.code));
        uint64_t mixed = (ldq_p(this.code) ^ pc) * 0x9e3779b97f4a7c15;
        known = &rehearsals[mixed >> 55];
        if (!memcmp(known, &this, offsetof(struct Rehearsal, insn_start))) {
            cx_tcg_rehearsed(known->insn_start);
            return;
        }
    }
    cx_tcg_begin(true);
    translate(cs, pc, (void *)host);
    cx_tcg_insn_start(this.insn_start, INSN_START_WORDS);
    if (known) {
        *known = this;
    }
    cx_tcg_rehearsed(this.insn_start);
}
#endif

static void step(CPUState *cs)
{
    CPUX86State *env = cpu_env(cs);
    TCGTBCPUState s = cs->cc->tcg_ops->get_tb_cpu_state(cs);
    void *host;

    tb_page_addr_t page = get_page_addr_code_hostp(env, s.pc, &host);
    block.pc = s.pc;
    block.cs_base = s.cs_base;
    block.flags = s.flags;
    /* One instruction, and of a repeated one, one iteration. */
    block.cflags = cs->tcg_cflags | CF_NO_GOTO_TB | CF_NO_GOTO_PTR | CF_NOIRQ | CF_SINGLE_STEP | 1;
    tb_set_page_addr0(&block, page);
    tb_set_page_addr1(&block, -1);
    cx_tcg_rehearsed(NULL);
#ifdef INSN_START_LEN_SHIFT
    if (env->hflags & HF_GUEST_MASK) {
        rehearse(cs, s.pc, host);
    }
#endif
    cx_tcg_begin(false);
    executing = true;
    translate(cs, s.pc, host);
    executing = false;
}

static void exception(CPUState *cs)
{
    if (cs->exception_index == EXCP_DEBUG) {
        cs->cc->tcg_ops->debug_excp_handler(cs);
    } else if (cs->exception_index < EXCP_INTERRUPT) {
        cs->cc->tcg_ops->do_interrupt(cs);
    }
    cs->exception_index = -1;
}

static void interrupt(CPUState *cs)
{
    if (cs->interrupt_request & CPU_INTERRUPT_HALT) {
        cs->interrupt_request &= ~CPU_INTERRUPT_HALT;
        cs->halted = 1;
    } else if (cs->interrupt_request & CPU_INTERRUPT_RESET) {
        cs->cc->tcg_ops->cpu_exec_reset(cs);
    } else if (cs->cc->tcg_ops->cpu_exec_interrupt(cs, cs->interrupt_request)) {
        cs->exception_index = -1;
    }
    cs->interrupt_request &= ~CPU_INTERRUPT_EXITTB;
}

static bool at_breakpoint(CPUState *cs)
{
    vaddr pc = cs->cc->tcg_ops->get_tb_cpu_state(cs).pc;
    CPUBreakpoint *bp;

    QTAILQ_FOREACH(bp, &cs->breakpoints, entry) {
        if (bp->pc == pc && cs->cc->tcg_ops->debug_check_breakpoint(cs)) {
            return true;
        }
    }
    return false;
}

/* CX_TRAP or CX_DONE if this is where the caller waits. */
static int arrived(const CPUX86State *env, uint64_t end)
{
    if (env->hflags & (HF_GUEST_MASK | HF_SMM_MASK)) {
        return 0;
    }
    if (env->eip == end) {
        return CX_DONE;
    }
    if (env->eip >= stub_first && env->eip < stub_end
        && (env->eip - stub_first) % stub_step == 0) {
        return CX_TRAP;
    }
    return 0;
}

bool cx_quiet(void)
{
    CPUState *cs = CPU(&cx_cpu);
    CPUX86State *env = cpu_env(cs);

    return !cs->interrupt_request && !(env->hflags & HF_INHIBIT_IRQ_MASK)
           && !(env->eflags & (TF_MASK | RF_MASK)) && QTAILQ_EMPTY(&cs->breakpoints);
}

enum CxStop cx_run(uint64_t end, bool resume, unsigned budget)
{
    CPUState *cs = CPU(&cx_cpu);
    /* Survive the jumps. */
    static unsigned left;
    static bool go_on;

    left = budget;
    go_on = resume;
    int stop = _setjmp(stop_jump);
    if (stop) {
        return stop;
    }
    _setjmp(loop_jump);
    for (;;) {
        if (cs->exception_index >= 0) {
            exception(cs);
            continue;
        }
        if (unlikely(cs->halted)) {
            if (!cs->cc->tcg_ops->cpu_exec_halt(cs)) {
                return CX_HALTED;
            }
            cs->halted = 0;
        }
        if (unlikely(cs->interrupt_request)) {
            interrupt(cs);
            if (cs->exception_index >= 0 || cs->halted) {
                continue;
            }
        }
        if (!go_on && (stop = arrived(cpu_env(cs), end))) {
            return stop;
        }
        go_on = false;
        if (left-- == 0) {
            return CX_RUNAWAY;
        }
        if (unlikely(!QTAILQ_EMPTY(&cs->breakpoints)) && at_breakpoint(cs)) {
            cs->exception_index = EXCP_DEBUG;
            continue;
        }
        step(cs);
    }
}
