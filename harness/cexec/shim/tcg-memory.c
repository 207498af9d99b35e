/* The interpreter's operations on guest memory. */
#include "tcg-state.h"
#include "accel/tcg/cpu-ldst.h"
#include "accel/tcg/probe.h"
#include "tcg/tcg-op-common.h"

static IN_CODE uint64_t guest_load(uint64_t addr, unsigned mmu_idx, MemOp memop)
{
    CPUArchState *env = cpu_env(CPU(&cx_cpu));
    uintptr_t here = (uintptr_t)&guest_load;
    MemOpIdx oi = make_memop_idx(memop, mmu_idx);
    switch (memop & MO_SSIZE) {
    case MO_UB: return cpu_ldb_mmu(env, addr, oi, here);
    case MO_SB: return (int8_t)cpu_ldb_mmu(env, addr, oi, here);
    case MO_UW: return cpu_ldw_mmu(env, addr, oi, here);
    case MO_SW: return (int16_t)cpu_ldw_mmu(env, addr, oi, here);
    case MO_UL: return cpu_ldl_mmu(env, addr, oi, here);
    case MO_SL: return (int32_t)cpu_ldl_mmu(env, addr, oi, here);
    case MO_UQ: return cpu_ldq_mmu(env, addr, oi, here);
    default: cx_open("a load of more than 8 bytes");
    }
}

static IN_CODE void guest_store(uint64_t addr, uint64_t value, unsigned mmu_idx, MemOp memop)
{
    CPUArchState *env = cpu_env(CPU(&cx_cpu));
    uintptr_t here = (uintptr_t)&guest_store;
    MemOpIdx oi = make_memop_idx(memop, mmu_idx);
    switch (memop & MO_SIZE) {
    case MO_8: cpu_stb_mmu(env, addr, value, oi, here); break;
    case MO_16: cpu_stw_mmu(env, addr, value, oi, here); break;
    case MO_32: cpu_stl_mmu(env, addr, value, oi, here); break;
    case MO_64: cpu_stq_mmu(env, addr, value, oi, here); break;
    default: cx_open("a store of more than 8 bytes");
    }
}

static uint64_t guest_address(TCGTemp *addr, TCGType type)
{
    return type == TCG_TYPE_I32 ? *(uint32_t *)addr->state_ptr : *(uint64_t *)addr->state_ptr;
}

#define GUEST_MEMORY(n, V)                                                      \
    void tcg_gen_qemu_ld_i##n##_chk(TCGv_i##n r, TCGTemp *addr, TCGArg idx,     \
                                    MemOp memop, TCGType type)                  \
    {                                                                           \
        if (!cx_tcg_skipping) {                                                        \
            V(r) = guest_load(guest_address(addr, type), idx, memop);           \
        }                                                                       \
    }                                                                           \
    void tcg_gen_qemu_st_i##n##_chk(TCGv_i##n v, TCGTemp *addr, TCGArg idx,     \
                                    MemOp memop, TCGType type)                  \
    {                                                                           \
        if (!cx_tcg_skipping) {                                                        \
            guest_store(guest_address(addr, type), V(v), idx, memop);           \
        }                                                                       \
    }

GUEST_MEMORY(32, V32)
GUEST_MEMORY(64, V64)

/* Locked accesses. They are writes, even where the read comes first. */
static IN_CODE uint64_t guest_locked(uint64_t addr, unsigned mmu_idx, MemOp memop)
{
    probe_access(cpu_env(CPU(&cx_cpu)), addr, memop_size(memop), MMU_DATA_STORE, mmu_idx,
                 (uintptr_t)&guest_locked);
    return guest_load(addr, mmu_idx, memop);
}

void tcg_gen_atomic_xchg_i64_chk(TCGv_i64 r, TCGTemp *addr, TCGv_i64 v, TCGArg idx,
                                 MemOp memop, TCGType type)
{
    if (!cx_tcg_skipping) {
        uint64_t at = guest_address(addr, type), value = V64(v);
        uint64_t old = guest_locked(at, idx, memop);
        guest_store(at, value, idx, memop);
        V64(r) = old;
    }
}

void tcg_gen_atomic_xor_fetch_i64_chk(TCGv_i64 r, TCGTemp *addr, TCGv_i64 v, TCGArg idx,
                                      MemOp memop, TCGType type)
{
    if (!cx_tcg_skipping) {
        uint64_t at = guest_address(addr, type);
        uint64_t value = guest_locked(at, idx, memop) ^ V64(v);
        guest_store(at, value, idx, memop);
        V64(r) = value;
    }
}
