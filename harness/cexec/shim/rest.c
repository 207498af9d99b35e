/*
 * What else QEMU's code calls: the object model's casts, locks, logs, memory
 * for small objects, and the list of breakpoints.
 */
#include "cx.h"
#include "exec/breakpoint.h"
#include "exec/cpu-common.h"
#include "exec/icount.h"
#include "qemu/error-report.h"
#include "qemu/log.h"
#include "qemu/main-loop.h"
#include "qemu/rcu.h"
#include "system/address-spaces.h"
#include "system/replay.h"
#include "qom/object.h"

/* Objects are what they are said to be. */

Object *object_dynamic_cast_assert(Object *obj, const char *type, const char *file, int line,
                                   const char *func)
{
    return obj;
}

ObjectClass *object_class_dynamic_cast_assert(ObjectClass *class, const char *type,
                                              const char *file, int line, const char *func)
{
    return class;
}

/* Nothing is recorded, and nothing replayed. */

ReplayMode replay_mode = REPLAY_MODE_NONE;

/* One thread. */

bool bql_locked(void) { return true; }
void bql_lock_impl(const char *file, int line) { }
void bql_unlock(void) { }
void cpu_exec_start(CPUState *cs) { }
void cpu_exec_end(CPUState *cs) { }
void start_exclusive(void) { }
void end_exclusive(void) { }
unsigned long rcu_gp_ctr = 1;
QemuEvent rcu_gp_event;
struct rcu_reader_data *get_ptr_rcu_reader(void)
{
    static struct rcu_reader_data reader;
    return &reader;
}
CPUTailQ cpus_queue = QTAILQ_HEAD_INITIALIZER(cpus_queue);

/* Pending interrupts. */

/* Of target/i386/cpu-system.c, which is not here; nothing is traced.  */
void cpu_set_gif(CPUX86State *env, bool gif, const char *cause);
void cpu_set_gif(CPUX86State *env, bool gif, const char *cause)
{
    if (gif) {
        env->hflags2 |= HF2_GIF_MASK;
    } else {
        env->hflags2 &= ~HF2_GIF_MASK;
    }
}

void cpu_interrupt(CPUState *cs, int mask) { cs->interrupt_request |= mask; }
void cpu_set_interrupt(CPUState *cs, int mask) { cs->interrupt_request |= mask; }
void cpu_reset_interrupt(CPUState *cs, int mask) { cs->interrupt_request &= ~mask; }
bool cpu_has_work(CPUState *cs)
{
    return x86_cpu_pending_interrupt(cs, cs->interrupt_request) != 0;
}

/* One address space. */

int cpu_asidx_from_attrs(CPUState *cs, MemTxAttrs attrs) { return 0; }
AddressSpace *cpu_get_address_space(CPUState *cs, int asidx) { return &address_space_memory; }
bool target_big_endian(void) { return false; }

/* Accelerators and options. */

bool tcg_allowed = true;
ICountMode use_icount = ICOUNT_DISABLED;
/* Of the host; bit 0 alone says that nothing more is known. */
unsigned cpuinfo = 1;

/* The log is off. */

unsigned qemu_loglevel;
void qemu_log(const char *fmt, ...) { }
FILE *qemu_log_trylock(void) { return NULL; }
void qemu_log_unlock(FILE *f) { }
bool qemu_log_in_addr_range(uint64_t addr) { return false; }

/* Memory for small objects: an arena that a case leaves behind whole. */

static union {
    uint8_t bytes[1 << 18];
    max_align_t align;
} arena;
static size_t used;

gpointer g_malloc(gsize n)
{
    void *p = arena.bytes + used;
    used += ROUND_UP(n, sizeof(max_align_t));
    if (used > sizeof(arena)) {
        used = 0;
        cx_open("a great deal of memory");
    }
    return p;
}

gpointer g_malloc0(gsize n) { return memset(g_malloc(n), 0, n); }
gpointer g_malloc_n(gsize n, gsize size) { return g_malloc(n * size); }
gpointer g_malloc0_n(gsize n, gsize size) { return g_malloc0(n * size); }
void g_free(gpointer p) { }

gchar *g_strdup_printf(const gchar *fmt, ...)
{
    enum { ROOM = 256 };
    gchar *text = g_malloc(ROOM);
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, ROOM, fmt, args);
    va_end(args);
    return text;
}

/* Features that are asked for and not there: CPUID tells. */
void warn_report(const char *fmt, ...) { }
bool warn_report_once_cond(bool *printed, const char *fmt, ...) { return false; }

/* Of a CPU without threads and without a machine. */

bool check_sgx_support(void) { return false; }
bool cpu_is_bsp(X86CPU *cpu) { return true; }
void tcg_cflags_set(CPUState *cs, uint32_t flags) { cs->tcg_cflags |= flags; }
bool tcg_cflags_has(CPUState *cs, uint32_t flags) { return cs->tcg_cflags & flags; }

/* Debug facilities. */

int cpu_breakpoint_insert(CPUState *cs, vaddr pc, int flags, CPUBreakpoint **out)
{
    CPUBreakpoint *bp = g_malloc0(sizeof(*bp));
    bp->pc = pc;
    bp->flags = flags;
    QTAILQ_INSERT_TAIL(&cs->breakpoints, bp, entry);
    if (out) {
        *out = bp;
    }
    return 0;
}

void cpu_breakpoint_remove_by_ref(CPUState *cs, CPUBreakpoint *bp)
{
    QTAILQ_REMOVE(&cs->breakpoints, bp, entry);
}

void cpu_breakpoint_remove_all(CPUState *cs, int mask)
{
    QTAILQ_INIT(&cs->breakpoints);
}

int cpu_watchpoint_insert(CPUState *cs, vaddr addr, vaddr len, int flags, CPUWatchpoint **out)
{
    cx_open("data breakpoints");
}

void cpu_watchpoint_remove_by_ref(CPUState *cs, CPUWatchpoint *wp)
{
}

void cpu_watchpoint_remove_all(CPUState *cs, int mask)
{
}

void cx_rest_restart(void)
{
    CPUState *cs = CPU(&cx_cpu);
    QTAILQ_INIT(&cs->breakpoints);
    cs->watchpoint_hit = NULL;
    used = 0;
}

/* The TSC is the host's. */
uint64_t cpu_get_tsc(CPUX86State *env)
{
    return __builtin_ia32_rdtsc();
}

/* What ends QEMU ends this too; the harness records the case and goes on. */

void g_assertion_message_expr(const char *domain, const char *file, int line, const char *func,
                              const char *expr)
{
    fprintf(stderr, "%s:%d: %s: assertion failed: (%s)\n", file, line, func, expr);
    abort();
}

G_NORETURN void cpu_abort(CPUState *cs, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("qemu: fatal: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}
