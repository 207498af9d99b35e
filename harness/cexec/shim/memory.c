/*
 * Guest memory: a flat RAM, a log of what was overwritten, and a TLB that is
 * filled by QEMU's own page walks and flushed when QEMU's code asks for it.
 */
#include "cx.h"
#include "accel/tcg/cpu-ldst.h"
#include "accel/tcg/cpu-mmu-index.h"
#include "accel/tcg/cpu-ops.h"
#include "accel/tcg/probe.h"
#include "exec/cputlb.h"
#include "exec/target_page.h"
#include "exec/tlb-flags.h"
#include "system/address-spaces.h"
#include "system/memory.h"
#include "../accel/tcg/internal-common.h"

uint8_t *cx_ram;
uint64_t cx_ram_size;

/* Display memory and ROM of a PC. */
#define LEGACY_HOLE 0xa0000
#define LEGACY_HOLE_END 0x100000
#define FOUR_GIB (1ull << 32)

/* What was overwritten, oldest first: a word, or a page of which PA has bit 0
   set and OLD is the place in `pages`. */
static struct Change {
    uint64_t pa;
    uint64_t old;
} *changes;
static size_t change_count, change_room;

/* Pages that QEMU's code writes in place: as a case finds them. */
static uint8_t (*pages)[TARGET_PAGE_SIZE];
static size_t page_count, page_room;
/* For each page of RAM, the case in which it was kept. */
static uint32_t *page_case;
static uint32_t this_case = 1;

static void *with_room(void *array, size_t count, size_t *room, size_t size)
{
    if (count == *room) {
        *room = *room ? *room * 2 : 64;
        array = realloc(array, *room * size);
        if (!array) {
            abort();
        }
    }
    return array;
}

static void log_change(uint64_t pa, uint64_t old)
{
    changes = with_room(changes, change_count, &change_room, sizeof(*changes));
    changes[change_count++] = (struct Change) { pa, old };
}

static bool page_is_kept(uint64_t pa)
{
    return page_case && page_case[pa >> TARGET_PAGE_BITS] == this_case;
}

static void log_word(uint64_t pa)
{
    if (!page_is_kept(pa)) {
        pa &= ~7ull;
        log_change(pa, *(uint64_t *)(cx_ram + pa));
    }
}

static void log_page(uint64_t pa)
{
    if (page_is_kept(pa)) {
        return;
    }
    if (!page_case) {
        page_case = calloc(cx_ram_size >> TARGET_PAGE_BITS, sizeof(*page_case));
        if (!page_case) {
            abort();
        }
    }
    page_case[pa >> TARGET_PAGE_BITS] = this_case;
    pa &= TARGET_PAGE_MASK;
    pages = with_room(pages, page_count, &page_room, sizeof(*pages));
    memcpy(pages[page_count], cx_ram + pa, sizeof(*pages));
    log_change(pa | 1, page_count++);
}

static void log_bytes(uint64_t pa, unsigned size)
{
    log_word(pa);
    if ((pa ^ (pa + size - 1)) & ~7ull) {
        log_word(pa + size - 1);
    }
}

/* Host address of RAM; NULL where QEMU would find nothing: reads give zero and
   writes are dropped. Elsewhere there may be a device. */
static inline uint8_t *ram_at(hwaddr pa, unsigned size)
{
    if (likely(pa <= cx_ram_size - size)) {
        if (unlikely(pa + size > LEGACY_HOLE && pa < LEGACY_HOLE_END)) {
            cx_open("display memory or ROM");
        }
        return cx_ram + pa;
    }
    if (pa >= FOUR_GIB) {
        return NULL;
    }
    cx_open("physical memory between RAM and 4 GiB");
}

static uint64_t phys_load(hwaddr pa, unsigned size)
{
    const uint8_t *host = ram_at(pa, size);
    return host ? ldn_le_p(host, size) : 0;
}

static void phys_store(hwaddr pa, uint64_t value, unsigned size)
{
    uint8_t *host = ram_at(pa, size);
    if (host) {
        log_bytes(pa, size);
        stn_le_p(host, size, value);
    }
}

bool cx_write(uint64_t pa, uint64_t value, unsigned width)
{
    if (pa > cx_ram_size - 8 || width > 8) {
        return false;
    }
    if (width) {
        log_bytes(pa, width);
        /* Fields of a VMCB have odd widths, too. */
        memcpy(cx_ram + pa, &value, width);
    }
    return true;
}

/* The TLB. */

#define TLB_SIZE 64

static struct TlbEntry {
    vaddr page;
    uint32_t generation;
    CPUTLBEntryFull full;
} tlb[NB_MMU_MODES][TLB_SIZE];
/* Entries of another generation are not there. */
static uint32_t generation[NB_MMU_MODES];

static struct TlbEntry *tlb_slot(vaddr addr, unsigned mmu_idx)
{
    return &tlb[mmu_idx][addr >> TARGET_PAGE_BITS & (TLB_SIZE - 1)];
}

static bool tlb_hit(const struct TlbEntry *e, vaddr addr, unsigned mmu_idx)
{
    return e->generation == generation[mmu_idx] && e->page == (addr & TARGET_PAGE_MASK);
}

void tlb_set_page_full(CPUState *cs, int mmu_idx, vaddr addr, CPUTLBEntryFull *full)
{
    struct TlbEntry *e = tlb_slot(addr, mmu_idx);
    e->page = addr & TARGET_PAGE_MASK;
    e->generation = generation[mmu_idx];
    e->full = *full;
    e->full.phys_addr &= TARGET_PAGE_MASK;
}

void tlb_set_page_with_attrs(CPUState *cs, vaddr addr, hwaddr paddr, MemTxAttrs attrs,
                             int prot, int mmu_idx, vaddr size)
{
    CPUTLBEntryFull full = {
        .phys_addr = paddr,
        .attrs = attrs,
        .prot = prot,
        .lg_page_size = ctz64(size),
    };
    tlb_set_page_full(cs, mmu_idx, addr, &full);
}

void tlb_set_page(CPUState *cs, vaddr addr, hwaddr paddr, int prot, int mmu_idx, vaddr size)
{
    tlb_set_page_with_attrs(cs, addr, paddr, MEMTXATTRS_UNSPECIFIED, prot, mmu_idx, size);
}

void tlb_flush_by_mmuidx(CPUState *cs, MMUIdxMap map)
{
    for (unsigned i = 0; i < NB_MMU_MODES; i++) {
        generation[i] += map >> i & 1;
    }
}

void tlb_flush(CPUState *cs)
{
    tlb_flush_by_mmuidx(cs, (MMUIdxMap)-1);
}

void tlb_flush_page_by_mmuidx(CPUState *cs, vaddr addr, MMUIdxMap map)
{
    for (unsigned i = 0; i < NB_MMU_MODES; i++) {
        if (!(map >> i & 1)) {
            continue;
        }
        for (struct TlbEntry *e = tlb[i]; e < tlb[i] + TLB_SIZE; e++) {
            unsigned shift = MAX(e->full.lg_page_size, TARGET_PAGE_BITS);
            if (e->generation == generation[i] && !((e->page ^ addr) >> shift)) {
                e->generation--;
            }
        }
    }
}

void tlb_flush_page(CPUState *cs, vaddr addr)
{
    tlb_flush_page_by_mmuidx(cs, addr, (MMUIdxMap)-1);
}

void cx_memory_keep(void)
{
    change_count = page_count = 0;
    this_case++;
}

void cx_memory_restart(void)
{
    while (change_count) {
        struct Change *c = &changes[--change_count];
        if (c->pa & 1) {
            memcpy(cx_ram + (c->pa & ~1ull), pages[c->old], sizeof(*pages));
        } else {
            *(uint64_t *)(cx_ram + c->pa) = c->old;
        }
    }
    cx_memory_keep();
    tlb_flush(CPU(&cx_cpu));
}

/* Finds or makes the entry. NULL only with PROBE, instead of a fault. */
static struct TlbEntry *lookup(CPUState *cs, vaddr addr, unsigned size, MMUAccessType type,
                               unsigned mmu_idx, bool probe, uintptr_t ra)
{
    struct TlbEntry *e = tlb_slot(addr, mmu_idx);
    if (likely(tlb_hit(e, addr, mmu_idx) && (e->full.prot & 1 << type))) {
        return e;
    }
    if (!cs->cc->tcg_ops->tlb_fill(cs, addr, size, type, mmu_idx, probe, ra)) {
        return NULL;
    }
    if (!tlb_hit(e, addr, mmu_idx)) {
        cx_open("a page walk that leaves no TLB entry");
    }
    return e;
}

static hwaddr translate(CPUState *cs, vaddr addr, unsigned size, MMUAccessType type,
                        unsigned mmu_idx, uintptr_t ra)
{
    struct TlbEntry *e = lookup(cs, addr, size, type, mmu_idx, false, ra);
    if (unlikely(e->full.slow_flags[type] || e->full.tlb_fill_flags)) {
        cx_open("memory with flags of its own");
    }
    return e->full.phys_addr | (addr & ~TARGET_PAGE_MASK);
}

static void check_alignment(CPUState *cs, vaddr addr, MMUAccessType type, MemOpIdx oi,
                            uintptr_t ra)
{
    unsigned bits = memop_alignment_bits(get_memop(oi));
    if (unlikely(addr & ((1ull << bits) - 1))) {
        cs->cc->tcg_ops->do_unaligned_access(cs, addr, type, get_mmuidx(oi), ra);
    }
}

static uint64_t load(CPUArchState *env, vaddr addr, unsigned size, MMUAccessType type,
                     MemOpIdx oi, uintptr_t ra)
{
    CPUState *cs = env_cpu(env);
    uint64_t value = 0;
    check_alignment(cs, addr, type, oi, ra);
    hwaddr pa = translate(cs, addr, size, type, get_mmuidx(oi), ra);
    unsigned first = MIN(size, TARGET_PAGE_SIZE - (addr & ~TARGET_PAGE_MASK));
    if (likely(first == size)) {
        value = phys_load(pa, size);
    } else {
        hwaddr next = translate(cs, addr + first, size - first, type, get_mmuidx(oi), ra);
        for (unsigned i = 0; i < size; i++) {
            hwaddr byte = i < first ? pa + i : next + i - first;
            value |= phys_load(byte, 1) << (i * 8);
        }
    }
    return get_memop(oi) & MO_BSWAP ? bswap64(value) >> (64 - size * 8) : value;
}

static void store(CPUArchState *env, vaddr addr, uint64_t value, unsigned size, MemOpIdx oi,
                  uintptr_t ra)
{
    CPUState *cs = env_cpu(env);
    MMUAccessType type = MMU_DATA_STORE;
    check_alignment(cs, addr, type, oi, ra);
    if (get_memop(oi) & MO_BSWAP) {
        value = bswap64(value) >> (64 - size * 8);
    }
    hwaddr pa = translate(cs, addr, size, type, get_mmuidx(oi), ra);
    unsigned first = MIN(size, TARGET_PAGE_SIZE - (addr & ~TARGET_PAGE_MASK));
    if (likely(first == size)) {
        phys_store(pa, value, size);
        return;
    }
    hwaddr next = translate(cs, addr + first, size - first, type, get_mmuidx(oi), ra);
    for (unsigned i = 0; i < size; i++) {
        phys_store(i < first ? pa + i : next + i - first, value >> (i * 8) & 0xff, 1);
    }
}

#define ACCESS(s, type)                                                              \
    type cpu_ld##s##_mmu(CPUArchState *env, vaddr addr, MemOpIdx oi, uintptr_t ra)    \
    {                                                                                \
        return load(env, addr, sizeof(type), MMU_DATA_LOAD, oi, ra);                 \
    }                                                                                \
    type cpu_ld##s##_code_mmu(CPUArchState *env, vaddr addr, MemOpIdx oi, uintptr_t ra) \
    {                                                                                \
        return load(env, addr, sizeof(type), MMU_INST_FETCH, oi, ra);                \
    }                                                                                \
    void cpu_st##s##_mmu(CPUArchState *env, vaddr addr, type val, MemOpIdx oi,        \
                         uintptr_t ra)                                               \
    {                                                                                \
        store(env, addr, val, sizeof(type), oi, ra);                                 \
    }

ACCESS(b, uint8_t)
ACCESS(w, uint16_t)
ACCESS(l, uint32_t)
ACCESS(q, uint64_t)

/* Probes. */

/* The page and its host address, which is NULL where there is no RAM. */
static struct TlbEntry *probe(CPUArchState *env, vaddr addr, int size, MMUAccessType type,
                              int mmu_idx, bool nonfault, void **phost,
                              CPUTLBEntryFull **pfull, uintptr_t ra)
{
    struct TlbEntry *e = lookup(env_cpu(env), addr, size, type, mmu_idx, nonfault, ra);
    *pfull = e ? &e->full : NULL;
    *phost = e ? ram_at(e->full.phys_addr | (addr & ~TARGET_PAGE_MASK), 1) : NULL;
    return e;
}

static int probed(const struct TlbEntry *e, const void *host)
{
    return !e ? TLB_INVALID_MASK : !host ? TLB_MMIO : 0;
}

/* Whoever asks for this writes the page in place. */
int probe_access_full(CPUArchState *env, vaddr addr, int size, MMUAccessType type,
                      int mmu_idx, bool nonfault, void **phost, CPUTLBEntryFull **pfull,
                      uintptr_t ra)
{
    struct TlbEntry *e = probe(env, addr, size, type, mmu_idx, nonfault, phost, pfull, ra);
    if (*phost && type == MMU_DATA_STORE) {
        log_page((uint8_t *)*phost - cx_ram);
    }
    return probed(e, *phost);
}

#ifdef CX_WALKS_SAY_WHERE
int probe_access_full_mmu(CPUArchState *env, vaddr addr, int size, MMUAccessType type,
                          int mmu_idx, void **phost, CPUTLBEntryFull **pfull,
                          uintptr_t retaddr)
{
#else
int probe_access_full_mmu(CPUArchState *env, vaddr addr, int size, MMUAccessType type,
                          int mmu_idx, void **phost, CPUTLBEntryFull **pfull)
{
    uintptr_t retaddr = 0;
#endif
    CPUTLBEntryFull *full;
    struct TlbEntry *e = probe(env, addr, size, type, mmu_idx, true, phost, &full, retaddr);
    if (pfull) {
        *pfull = full;
    }
    if (*phost && type == MMU_DATA_STORE) {
        /* Walks set accessed and dirty bits through the host address. */
        log_word((uint8_t *)*phost - cx_ram);
    }
    return probed(e, *phost);
}

void *probe_access(CPUArchState *env, vaddr addr, int size, MMUAccessType type, int mmu_idx,
                   uintptr_t ra)
{
    if (size) {
        translate(env_cpu(env), addr, size, type, mmu_idx, ra);
    }
    /* Callers then go through cpu_ld and cpu_st, which keep the log. */
    return NULL;
}

int probe_access_flags(CPUArchState *env, vaddr addr, int size, MMUAccessType type, int mmu_idx,
                       bool nonfault, void **phost, uintptr_t ra)
{
    CPUTLBEntryFull *full;
    struct TlbEntry *e = probe(env, addr, size, type, mmu_idx, nonfault, phost, &full, ra);
    if (type == MMU_DATA_STORE) {
        /* As in probe_access(). */
        *phost = NULL;
    }
    return probed(e, *phost);
}

tb_page_addr_t get_page_addr_code_hostp(CPUArchState *env, vaddr addr, void **hostp)
{
    CPUState *cs = env_cpu(env);
    hwaddr pa = translate(cs, addr, 1, MMU_INST_FETCH, cpu_mmu_index(cs, true), 0);
    void *host = ram_at(pa, 1);
    if (!host) {
        cx_open("code outside RAM");
    }
    if (hostp) {
        *hostp = host;
    }
    return pa;
}

/* Physical memory and I/O ports. */

AddressSpace address_space_io, address_space_memory;

static bool is_ports(AddressSpace *as)
{
    return as == &address_space_io;
}

static uint64_t space_load(AddressSpace *as, hwaddr addr, unsigned size, MemTxResult *result)
{
    if (is_ports(as)) {
        cx_open("what a port reads as");
    }
    if (result) {
        *result = MEMTX_OK;
    }
    return phys_load(addr, size);
}

static void space_store(AddressSpace *as, hwaddr addr, uint64_t val, unsigned size,
                        MemTxResult *result)
{
    if (result) {
        *result = MEMTX_OK;
    }
    /* No device here is told. */
    if (!is_ports(as)) {
        phys_store(addr, val, size);
    }
}

#define SPACE(ld, st, type, size)                                                  \
    type address_space_##ld(AddressSpace *as, hwaddr addr, MemTxAttrs attrs,       \
                            MemTxResult *result)                                   \
    {                                                                              \
        return space_load(as, addr, size, result);                                 \
    }                                                                              \
    void address_space_##st(AddressSpace *as, hwaddr addr, type val,               \
                            MemTxAttrs attrs, MemTxResult *result)                 \
    {                                                                              \
        space_store(as, addr, val, size, result);                                  \
    }

SPACE(ldub, stb, uint8_t, 1)
SPACE(lduw, stw, uint16_t, 2)
SPACE(ldl, stl, uint32_t, 4)
SPACE(ldq, stq, uint64_t, 8)
SPACE(lduw_le, stw_le, uint16_t, 2)
SPACE(ldl_le, stl_le, uint32_t, 4)
SPACE(ldq_le, stq_le, uint64_t, 8)

void address_space_stl_notdirty(AddressSpace *as, hwaddr addr, uint32_t val, MemTxAttrs attrs,
                                MemTxResult *result)
{
    space_store(as, addr, val, 4, result);
}
