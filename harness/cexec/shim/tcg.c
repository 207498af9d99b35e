/*
 * TCG as an interpreter without code: QEMU's own translator runs, and each
 * operation that it emits is executed at once.
 *
 * One instruction is translated, and so executed, at a time. A forward branch
 * that is taken skips operations until its label; a backward one is not
 * supplied. Operations that are missing here are made by build.rs: they end
 * the case as open.
 */
#include "tcg-state.h"
#include "exec/cpu-common.h"
#include "tcg/tcg.h"
#include "tcg/tcg-op-common.h"
#include "tcg/helper-info.h"
#include "tcg/insn-start-words.h"
#include "tcg/tcg-temp-internal.h"

static TCGContext context;
__thread TCGContext *tcg_ctx = &context;
TCGv_env tcg_env;

/* Room for the one operation that the translator looks back at. */
static union {
    TCGOp op;
    uint8_t room[sizeof(TCGOp) + 8 * sizeof(TCGArg)];
} insn_start;

static TCGLabel labels[64];
static unsigned label_count;
static int global_count;
/* Until which label operations are skipped; NULL is the end. */
static TCGLabel *until;
bool cx_tcg_skipping;
/* What INSN_START said by the end of a rehearsal. */
static uint64_t rehearsed[INSN_START_WORDS];
static bool is_rehearsed;

/* Temporaries. */

static TCGTemp *new_temp(TCGType type)
{
    if (context.nb_temps == TCG_MAX_TEMPS) {
        cx_open("more temporaries than TCG has");
    }
    TCGTemp *t = &context.temps[context.nb_temps++];
    t->type = t->base_type = type;
    t->kind = TEMP_TB;
    t->state_ptr = &t->val;
    return t;
}

static TCGTemp *new_global(TCGType type, TCGv_ptr base, intptr_t offset)
{
    TCGTemp *t = new_temp(type);
    t->kind = TEMP_GLOBAL;
    t->state_ptr = (void *)((uintptr_t)tcgv_ptr_temp(base)->val + offset);
    global_count = context.nb_temps;
    return t;
}

void cx_tcg_init(void)
{
    tcg_ctx = &context;
    QTAILQ_INIT(&context.ops);
    QTAILQ_INSERT_TAIL(&context.ops, &insn_start.op, link);
    context.addr_type = TCG_TYPE_I64;
    TCGTemp *env = new_temp(TCG_TYPE_PTR);
    env->val = (intptr_t)cpu_env(CPU(&cx_cpu));
    tcg_env = temp_tcgv_ptr(env);
    global_count = context.nb_globals = context.nb_temps;
}

void cx_tcg_begin(bool rehearsal)
{
    context.nb_globals = context.nb_temps = global_count;
    label_count = 0;
    cx_tcg_skipping = rehearsal;
    until = NULL;
}

#define P(v) ((uint8_t *)(uintptr_t)*(uint64_t *)tcgv_ptr_temp(v)->state_ptr)

TCGv_i32 tcg_temp_new_i32(void) { return temp_tcgv_i32(new_temp(TCG_TYPE_I32)); }
TCGv_i64 tcg_temp_new_i64(void) { return temp_tcgv_i64(new_temp(TCG_TYPE_I64)); }
TCGv_ptr tcg_temp_new_ptr(void) { return temp_tcgv_ptr(new_temp(TCG_TYPE_PTR)); }
TCGv_i32 tcg_temp_ebb_new_i32(void) { return tcg_temp_new_i32(); }
TCGv_i64 tcg_temp_ebb_new_i64(void) { return tcg_temp_new_i64(); }
TCGv_ptr tcg_temp_ebb_new_ptr(void) { return tcg_temp_new_ptr(); }
void tcg_temp_free_i32(TCGv_i32 v) { }
void tcg_temp_free_i64(TCGv_i64 v) { }
void tcg_temp_free_ptr(TCGv_ptr v) { }

static TCGTemp *constant(TCGType type, uint64_t value)
{
    TCGTemp *t = new_temp(type);
    t->val = value;
    return t;
}

TCGv_i32 tcg_constant_i32(int32_t val)
{
    return temp_tcgv_i32(constant(TCG_TYPE_I32, (uint32_t)val));
}

TCGv_i64 tcg_constant_i64(int64_t val)
{
    return temp_tcgv_i64(constant(TCG_TYPE_I64, val));
}

TCGv_ptr tcg_constant_ptr_int(intptr_t val)
{
    return temp_tcgv_ptr(constant(TCG_TYPE_PTR, val));
}

TCGv_i32 tcg_global_mem_new_i32(TCGv_ptr base, intptr_t off, const char *name)
{
    return temp_tcgv_i32(new_global(TCG_TYPE_I32, base, off));
}

TCGv_i64 tcg_global_mem_new_i64(TCGv_ptr base, intptr_t off, const char *name)
{
    return temp_tcgv_i64(new_global(TCG_TYPE_I64, base, off));
}

/* Operations that only steer. */

TCGOp *tcg_emit_op(TCGOpcode opc, unsigned nargs)
{
    if (opc != INDEX_op_insn_start) {
        cx_open("an operation emitted by hand");
    }
    return &insn_start.op;
}

void cx_tcg_rehearsed(const uint64_t *data)
{
    is_rehearsed = data;
    if (data) {
        memcpy(rehearsed, data, sizeof(rehearsed));
    }
}

void cx_tcg_insn_start(uint64_t *data, unsigned words)
{
    for (unsigned i = 0; i < words; i++) {
        data[i] = is_rehearsed ? rehearsed[i] : tcg_get_insn_start_param(&insn_start.op, i);
    }
}

TCGLabel *gen_new_label(void)
{
    if (label_count == ARRAY_SIZE(labels)) {
        cx_open("more labels than there is room for");
    }
    TCGLabel *l = &labels[label_count++];
    l->present = false;
    return l;
}

void gen_set_label(TCGLabel *l)
{
    l->present = true;
    if (cx_tcg_skipping && until == l) {
        cx_tcg_skipping = false;
    }
}

static void branch(TCGLabel *l)
{
    if (l->present) {
        cx_open("a backward branch in translated code");
    }
    cx_tcg_skipping = true;
    until = l;
}

static void leave(void)
{
    if (!cx_tcg_skipping) {
        cx_tcg_skipping = true;
        until = NULL;
    }
}

void tcg_gen_exit_tb(const TranslationBlock *tb, unsigned idx) { leave(); }
void tcg_gen_lookup_and_goto_ptr(void) { leave(); }
/* Unlinked, it falls through. */
void tcg_gen_goto_tb(unsigned idx) { }
void tcg_gen_mb(TCGBar type) { }
void tcg_gen_discard_i32(TCGv_i32 v) { }
void tcg_gen_discard_i64(TCGv_i64 v) { }

/* Comparisons. */

#define COMPARE(name, U, S)                               \
    static bool name(TCGCond cond, U a, U b)              \
    {                                                     \
        switch (cond) {                                   \
        case TCG_COND_NEVER: return false;                \
        case TCG_COND_ALWAYS: return true;                \
        case TCG_COND_EQ: return a == b;                  \
        case TCG_COND_NE: return a != b;                  \
        case TCG_COND_TSTEQ: return (a & b) == 0;         \
        case TCG_COND_TSTNE: return (a & b) != 0;         \
        case TCG_COND_LT: return (S)a < (S)b;             \
        case TCG_COND_GE: return (S)a >= (S)b;            \
        case TCG_COND_GT: return (S)a > (S)b;             \
        case TCG_COND_LE: return (S)a <= (S)b;            \
        case TCG_COND_LTU: return a < b;                  \
        case TCG_COND_GEU: return a >= b;                 \
        case TCG_COND_GTU: return a > b;                  \
        case TCG_COND_LEU: return a <= b;                 \
        }                                                 \
        cx_open("a comparison of a kind unknown here");   \
    }

COMPARE(holds32, uint32_t, int32_t)
COMPARE(holds64, uint64_t, int64_t)

#define CONDITIONAL(n, V, U, holds)                                                  \
    void tcg_gen_brcond_i##n(TCGCond c, TCGv_i##n a, TCGv_i##n b, TCGLabel *l)       \
    {                                                                                \
        if (!cx_tcg_skipping && holds(c, V(a), V(b))) {                              \
            branch(l);                                                               \
        }                                                                            \
    }                                                                                \
    void tcg_gen_brcondi_i##n(TCGCond c, TCGv_i##n a, int##n##_t b, TCGLabel *l)     \
    {                                                                                \
        if (!cx_tcg_skipping && holds(c, V(a), b)) {                                 \
            branch(l);                                                               \
        }                                                                            \
    }                                                                                \
    void tcg_gen_setcond_i##n(TCGCond c, TCGv_i##n r, TCGv_i##n a, TCGv_i##n b)      \
    {                                                                                \
        if (!cx_tcg_skipping) {                                                      \
            V(r) = holds(c, V(a), V(b));                                             \
        }                                                                            \
    }                                                                                \
    void tcg_gen_setcondi_i##n(TCGCond c, TCGv_i##n r, TCGv_i##n a, int##n##_t b)    \
    {                                                                                \
        if (!cx_tcg_skipping) {                                                      \
            V(r) = holds(c, V(a), b);                                                \
        }                                                                            \
    }                                                                                \
    void tcg_gen_negsetcond_i##n(TCGCond c, TCGv_i##n r, TCGv_i##n a, TCGv_i##n b)   \
    {                                                                                \
        if (!cx_tcg_skipping) {                                                      \
            V(r) = -(U)holds(c, V(a), V(b));                                         \
        }                                                                            \
    }                                                                                \
    void tcg_gen_negsetcondi_i##n(TCGCond c, TCGv_i##n r, TCGv_i##n a, int##n##_t b) \
    {                                                                                \
        if (!cx_tcg_skipping) {                                                      \
            V(r) = -(U)holds(c, V(a), b);                                            \
        }                                                                            \
    }                                                                                \
    void tcg_gen_movcond_i##n(TCGCond c, TCGv_i##n r, TCGv_i##n a, TCGv_i##n b,      \
                              TCGv_i##n v1, TCGv_i##n v2)                            \
    {                                                                                \
        if (!cx_tcg_skipping) {                                                      \
            V(r) = holds(c, V(a), V(b)) ? V(v1) : V(v2);                             \
        }                                                                            \
    }

CONDITIONAL(32, V32, uint32_t, holds32)
CONDITIONAL(64, V64, uint64_t, holds64)

void tcg_gen_br(TCGLabel *l)
{
    if (!cx_tcg_skipping) {
        branch(l);
    }
}

/* Arithmetic: OPn takes two variables, IMMn a variable and a constant, ONEn one. */

#define OP(n, V, name, expr)                                                    \
    void tcg_gen_##name##_i##n(TCGv_i##n r, TCGv_i##n x, TCGv_i##n y)           \
    {                                                                           \
        if (!cx_tcg_skipping) {                                                 \
            uint##n##_t a = V(x), b = V(y);                                     \
            V(r) = (expr);                                                      \
        }                                                                       \
    }
#define IMM(n, V, name, expr)                                                   \
    void tcg_gen_##name##i_i##n(TCGv_i##n r, TCGv_i##n x, int##n##_t b)         \
    {                                                                           \
        if (!cx_tcg_skipping) {                                                 \
            uint##n##_t a = V(x);                                               \
            V(r) = (expr);                                                      \
        }                                                                       \
    }
#define ONE(n, V, name, expr)                                                   \
    void tcg_gen_##name##_i##n(TCGv_i##n r, TCGv_i##n x)                        \
    {                                                                           \
        if (!cx_tcg_skipping) {                                                 \
            uint##n##_t a = V(x);                                               \
            V(r) = (expr);                                                      \
        }                                                                       \
    }
#define BOTH(n, V, name, expr) OP(n, V, name, expr) IMM(n, V, name, expr)

#define ARITHMETIC(n, V)                                                        \
    BOTH(n, V, add, a + b)                                                      \
    BOTH(n, V, sub, a - b)                                                      \
    BOTH(n, V, and, a & b)                                                      \
    BOTH(n, V, or, a | b)                                                       \
    BOTH(n, V, xor, a ^ b)                                                      \
    BOTH(n, V, mul, a * b)                                                      \
    BOTH(n, V, shl, a << (b & (n - 1)))                                         \
    BOTH(n, V, shr, a >> (b & (n - 1)))                                         \
    BOTH(n, V, sar, (int##n##_t)a >> (b & (n - 1)))                             \
    BOTH(n, V, rotl, rol##n(a, b & (n - 1)))                                    \
    BOTH(n, V, rotr, ror##n(a, b & (n - 1)))                                    \
    OP(n, V, andc, a & ~b)                                                      \
    OP(n, V, umax, MAX(a, b))                                                   \
    OP(n, V, umin, MIN(a, b))                                                   \
    ONE(n, V, mov, a)                                                           \
    ONE(n, V, neg, -a)                                                          \
    ONE(n, V, not, ~a)                                                          \
    ONE(n, V, ext8u, (uint8_t)a)                                                \
    ONE(n, V, ext8s, (int8_t)a)                                                 \
    ONE(n, V, ext16u, (uint16_t)a)                                              \
    ONE(n, V, ext16s, (int16_t)a)                                               \
    void tcg_gen_movi_i##n(TCGv_i##n r, int##n##_t b)                           \
    {                                                                           \
        if (!cx_tcg_skipping) {                                                 \
            V(r) = b;                                                           \
        }                                                                       \
    }                                                                           \
    void tcg_gen_deposit_i##n(TCGv_i##n r, TCGv_i##n a, TCGv_i##n b,            \
                              unsigned ofs, unsigned len)                       \
    {                                                                           \
        if (!cx_tcg_skipping) {                                                 \
            V(r) = deposit##n(V(a), ofs, len, V(b));                            \
        }                                                                       \
    }                                                                           \
    void tcg_gen_deposit_z_i##n(TCGv_i##n r, TCGv_i##n b,                       \
                                unsigned ofs, unsigned len)                     \
    {                                                                           \
        if (!cx_tcg_skipping) {                                                 \
            V(r) = deposit##n(0, ofs, len, V(b));                               \
        }                                                                       \
    }                                                                           \
    void tcg_gen_extract_i##n(TCGv_i##n r, TCGv_i##n a,                         \
                              unsigned ofs, unsigned len)                       \
    {                                                                           \
        if (!cx_tcg_skipping) {                                                 \
            V(r) = extract##n(V(a), ofs, len);                                  \
        }                                                                       \
    }                                                                           \
    void tcg_gen_sextract_i##n(TCGv_i##n r, TCGv_i##n a,                        \
                               unsigned ofs, unsigned len)                      \
    {                                                                           \
        if (!cx_tcg_skipping) {                                                 \
            V(r) = sextract##n(V(a), ofs, len);                                 \
        }                                                                       \
    }                                                                           \
    void tcg_gen_ext_i##n(TCGv_i##n r, TCGv_i##n x, MemOp opc)                  \
    {                                                                           \
        if (!cx_tcg_skipping) {                                                 \
            unsigned bits = MIN(8u << (opc & MO_SIZE), (unsigned)n);            \
            V(r) = opc & MO_SIGN ? sextract##n(V(x), 0, bits)                   \
                                 : extract##n(V(x), 0, bits);                   \
        }                                                                       \
    }

ARITHMETIC(32, V32)
ARITHMETIC(64, V64)

ONE(64, V64, ext32u, (uint32_t)a)
ONE(64, V64, ext32s, (int32_t)a)
ONE(64, V64, bswap64, bswap64(a))

void tcg_gen_extu_i32_i64(TCGv_i64 r, TCGv_i32 a)
{
    if (!cx_tcg_skipping) {
        V64(r) = V32(a);
    }
}

void tcg_gen_ext_i32_i64(TCGv_i64 r, TCGv_i32 a)
{
    if (!cx_tcg_skipping) {
        V64(r) = (int32_t)V32(a);
    }
}

void tcg_gen_extrl_i64_i32(TCGv_i32 r, TCGv_i64 a)
{
    if (!cx_tcg_skipping) {
        V32(r) = V64(a);
    }
}

void tcg_gen_concat32_i64(TCGv_i64 r, TCGv_i64 lo, TCGv_i64 hi)
{
    if (!cx_tcg_skipping) {
        V64(r) = (uint32_t)V64(lo) | V64(hi) << 32;
    }
}

void tcg_gen_extr32_i64(TCGv_i64 lo, TCGv_i64 hi, TCGv_i64 a)
{
    if (!cx_tcg_skipping) {
        uint64_t value = V64(a);
        V64(lo) = (uint32_t)value;
        V64(hi) = value >> 32;
    }
}

/* Host memory: the CPU's own fields. */

#define LOAD(n, V, name, type)                                                  \
    void tcg_gen_ld##name##_i##n(TCGv_i##n r, TCGv_ptr p, tcg_target_long off)  \
    {                                                                           \
        if (!cx_tcg_skipping) {                                                 \
            V(r) = *(type *)(P(p) + off);                                       \
        }                                                                       \
    }
#define STORE(n, V, name, type)                                                 \
    void tcg_gen_st##name##_i##n(TCGv_i##n v, TCGv_ptr p, tcg_target_long off)  \
    {                                                                           \
        if (!cx_tcg_skipping) {                                                 \
            *(type *)(P(p) + off) = V(v);                                       \
        }                                                                       \
    }
#define HOST_MEMORY(n, V)                                                       \
    LOAD(n, V, 8u, uint8_t) LOAD(n, V, 8s, int8_t)                              \
    LOAD(n, V, 16u, uint16_t) LOAD(n, V, 16s, int16_t) LOAD(n, V, , uint##n##_t) \
    STORE(n, V, 8, uint8_t) STORE(n, V, 16, uint16_t) STORE(n, V, , uint##n##_t)

HOST_MEMORY(32, V32)
HOST_MEMORY(64, V64)
LOAD(64, V64, 32u, uint32_t)
LOAD(64, V64, 32s, int32_t)
STORE(64, V64, 32, uint32_t)

/*
 * Calls. What runs in this section stands for translated code: GETPC() in a
 * helper gives an address in it, and cpu_restore_state() then knows that the
 * state must be put back to the start of the instruction.
 */

extern const char __start_cexec_code[], __stop_cexec_code[];

bool cx_tcg_is_code(uintptr_t host_pc)
{
    return host_pc >= (uintptr_t)__start_cexec_code && host_pc <= (uintptr_t)__stop_cexec_code;
}

typedef uint64_t A;

static IN_CODE A call(void *f, unsigned n, const A *a)
{
    A r;
    switch (n) {
    case 0: r = ((A (*)(void))f)(); break;
    case 1: r = ((A (*)(A))f)(a[0]); break;
    case 2: r = ((A (*)(A, A))f)(a[0], a[1]); break;
    case 3: r = ((A (*)(A, A, A))f)(a[0], a[1], a[2]); break;
    case 4: r = ((A (*)(A, A, A, A))f)(a[0], a[1], a[2], a[3]); break;
    case 5: r = ((A (*)(A, A, A, A, A))f)(a[0], a[1], a[2], a[3], a[4]); break;
    case 6: r = ((A (*)(A, A, A, A, A, A))f)(a[0], a[1], a[2], a[3], a[4], a[5]); break;
    default:
        r = ((A (*)(A, A, A, A, A, A, A))f)(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
        break;
    }
    /* No tail calls: the return address must be here. */
    asm volatile("" : "+r"(r));
    return r;
}

static void call_helper(void *f, TCGHelperInfo *info, TCGTemp *ret, unsigned n, TCGTemp **args)
{
    A a[7];

    if (cx_tcg_skipping) {
        return;
    }
    for (unsigned i = 0; i <= n; i++) {
        if ((info->typemask >> (i * 3) & 7) == dh_typecode_i128) {
            cx_open("a helper with a 128-bit operand");
        }
    }
    for (unsigned i = 0; i < n; i++) {
        /* The ABI ignores the upper half of a 32-bit argument. */
        a[i] = *(A *)args[i]->state_ptr;
    }
    A r = call(f, n, a);
    if (!ret) {
        return;
    }
    if (ret->type == TCG_TYPE_I32) {
        *(uint32_t *)ret->state_ptr = r;
    } else {
        *(uint64_t *)ret->state_ptr = r;
    }
}

void tcg_gen_call0(void *f, TCGHelperInfo *info, TCGTemp *ret)
{
    call_helper(f, info, ret, 0, NULL);
}

#define CALL(n, params, ...)                                                    \
    void tcg_gen_call##n(void *f, TCGHelperInfo *info, TCGTemp *ret, params)    \
    {                                                                           \
        TCGTemp *args[] = { __VA_ARGS__ };                                      \
        call_helper(f, info, ret, n, args);                                     \
    }
#define T(x) TCGTemp *x
#define AND ,

CALL(1, T(a), a)
CALL(2, T(a) AND T(b), a, b)
CALL(3, T(a) AND T(b) AND T(c), a, b, c)
CALL(4, T(a) AND T(b) AND T(c) AND T(d), a, b, c, d)
CALL(5, T(a) AND T(b) AND T(c) AND T(d) AND T(e), a, b, c, d, e)
CALL(6, T(a) AND T(b) AND T(c) AND T(d) AND T(e) AND T(g), a, b, c, d, e, g)
CALL(7, T(a) AND T(b) AND T(c) AND T(d) AND T(e) AND T(g) AND T(h), a, b, c, d, e, g, h)
