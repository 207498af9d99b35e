/*
 * The CPU: made by QEMU's own cpu.c, which this file contains, as
 * `-cpu max,+svm` would be, without the object model around it.
 */
#include "target/i386/cpu.c"
#include "cx.h"
#include "accel/tcg/cpu-ops.h"

X86CPU cx_cpu;
static X86CPUClass class;
/* The CPU at the start of every case. */
static CPUX86State start;

extern const TCGCPUOps x86_tcg_ops;

/* cpu.c asks for the class of its objects. */
ObjectClass *object_get_class(Object *obj)
{
    return OBJECT_CLASS(&class);
}

CPUX86State *cx_env(void)
{
    return &cx_cpu.env;
}

/* How large the fields are that the properties of a CPU set. */
#define KINDS(X)                                                                     \
    X(bool, sizeof(bool)) X(uint8, 1) X(uint16, 2) X(uint32, 4) X(uint64, 8)          \
    X(int32, 4) X(uint64_checkmask, 8) X(bit64, 8) X(on_off_auto, sizeof(OnOffAuto)) \
    X(string, sizeof(char *))
#define DEFINED(kind, bytes) const PropertyInfo qdev_prop_##kind = { .type = #kind };
#define SIZED(kind, bytes) { &qdev_prop_##kind, bytes },

KINDS(DEFINED)

static void set_default(const Property *property)
{
    static const struct {
        const PropertyInfo *info;
        size_t bytes;
    } kinds[] = { KINDS(SIZED) };
    void *field = (char *)&cx_cpu + property->offset;

    if (property->info == &qdev_prop_bit64) {
        *(uint64_t *)field |= property->defval.u << property->bitnr;
        return;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (property->info == kinds[i].info) {
            memcpy(field, &property->defval, kinds[i].bytes);
        }
    }
}

/* A property that a patch adds has its effect here, too. */
static void set_defaults(const Property *properties, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (properties[i].name && properties[i].set_default) {
            set_default(&properties[i]);
        }
    }
}

static uint64_t *feature_word(const struct CxCpuidBit *bit)
{
    static const int regs[] = { R_EAX, R_EBX, R_ECX, R_EDX };
    for (FeatureWord w = 0; w < FEATURE_WORDS; w++) {
        const FeatureWordInfo *wi = &feature_word_info[w];
        if (wi->type == CPUID_FEATURE_WORD && wi->cpuid.eax == bit->leaf
            && wi->cpuid.ecx == (wi->cpuid.needs_ecx ? bit->subleaf : 0)
            && wi->cpuid.reg == regs[bit->reg]) {
            return &cx_cpu.env.features[w];
        }
    }
    return NULL;
}

static void make_features(const struct CxCpuidBit *off, unsigned count)
{
    CPUX86State *env = &cx_cpu.env;
    Error *err = NULL;

    env->features[FEAT_8000_0001_ECX] |= CPUID_EXT3_SVM;
    env->user_features[FEAT_8000_0001_ECX] |= CPUID_EXT3_SVM;
    for (unsigned i = 0; i < count; i++) {
        uint64_t *word = feature_word(&off[i]);
        if (word) {
            *word &= ~(1ull << off[i].bit);
            env->user_features[word - env->features] |= 1ull << off[i].bit;
        }
    }
    x86_cpu_expand_features(&cx_cpu, &err);
    x86_cpu_filter_features(&cx_cpu, false);
    /* As x86_cpu_realizefn() does for AMD processors. */
    env->features[FEAT_8000_0001_EDX] &= ~CPUID_EXT2_AMD_ALIASES;
    env->features[FEAT_8000_0001_EDX] |= env->features[FEAT_1_EDX] & CPUID_EXT2_AMD_ALIASES;
}

void cx_init(uint8_t *ram, uint64_t size, const struct CxCpuidBit *off, unsigned count)
{
    CPUState *cs = CPU(&cx_cpu);
    CPUX86State *env = &cx_cpu.env;

    cx_ram = ram;
    cx_ram_size = size;
    cs->cc = CPU_CLASS(&class);
    class.max_features = true;
    CPU_CLASS(&class)->tcg_ops = &x86_tcg_ops;
    cs->exception_index = -1;
    cs->running = true;
    cs->neg.can_do_io = true;
    cs->cflags_next_tb = -1;
    QTAILQ_INIT(&cs->breakpoints);
    QTAILQ_INIT(&cs->watchpoints);
    tcg_cflags_set(cs, CF_PCREL);
    set_defaults(x86_cpu_properties, ARRAY_SIZE(x86_cpu_properties));
    set_defaults(max_x86_cpu_properties, ARRAY_SIZE(max_x86_cpu_properties));
    cx_cpu.phys_bits = TCG_PHYS_ADDR_BITS;
    /* The first processor of the first package. */
    cx_cpu.apic_id = 0;
    x86_cpu_init_default_topo(&cx_cpu);
    env->cpuid_vendor1 = CPUID_VENDOR_AMD_1;
    env->cpuid_vendor2 = CPUID_VENDOR_AMD_2;
    env->cpuid_vendor3 = CPUID_VENDOR_AMD_3;
    /* Family 15, model 107, stepping 1. */
    env->cpuid_version = 0xf00 | (107 >> 4) << 16 | (107 & 0xf) << 4 | 1;
    env->cache_info = legacy_amd_cache_info;
    make_features(off, count);
    env->cpuid_level = env->cpuid_min_level;
    env->cpuid_xlevel = env->cpuid_min_xlevel;
    env->cpuid_xlevel2 = env->cpuid_min_xlevel2;
    mce_init(&cx_cpu);
    cx_tcg_init();
    x86_tcg_ops.initialize();
    x86_cpu_reset_hold(OBJECT(&cx_cpu), RESET_TYPE_COLD);
    /* Between cpu_exec()s, EFLAGS is whole; in one, it is spread over CC_*. */
    x86_tcg_ops.cpu_exec_enter(cs);
}

void cx_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    cpu_x86_cpuid(&cx_cpu.env, leaf, subleaf, &out[0], &out[1], &out[2], &out[3]);
}

static void load_data_segment(int reg, uint16_t selector)
{
    cpu_x86_load_seg_cache(&cx_cpu.env, reg, selector, 0, 0xffffffff,
                           DESC_G_MASK | DESC_B_MASK | DESC_P_MASK | DESC_S_MASK | DESC_W_MASK
                           | DESC_A_MASK);
}

void cx_become_l1(uint64_t cr0, uint64_t cr3, uint64_t cr4, uint64_t efer)
{
    CPUX86State *env = &cx_cpu.env;

    cpu_x86_update_cr4(env, cr4);
    cpu_load_efer(env, efer & ~MSR_EFER_LMA);
    cpu_x86_update_cr3(env, cr3);
    cpu_x86_update_cr0(env, cr0);
    cpu_load_efer(env, efer);
    for (int reg = 0; reg < 6; reg++) {
        if (reg != R_CS) {
            load_data_segment(reg, 0x10);
        }
    }
}

void cx_keep_start(void)
{
    cx_memory_keep();
    start = cx_cpu.env;
    cx_restart();
}

void cx_restart(void)
{
    CPUState *cs = CPU(&cx_cpu);

    cx_cpu.env = start;
    cs->exception_index = -1;
    cs->interrupt_request = 0;
    cs->halted = 0;
    cs->exit_request = false;
    cx_rest_restart();
    cx_apic_restart();
    cx_memory_restart();
}

void cx_enter(uint64_t rip, uint64_t rsp, uint64_t rflags, uint16_t cs, uint16_t ss, bool iret)
{
    CPUX86State *env = &cx_cpu.env;

    cpu_x86_load_seg_cache(env, R_CS, cs, 0, 0xffffffff,
                           DESC_G_MASK | DESC_P_MASK | DESC_S_MASK | DESC_CS_MASK | DESC_R_MASK
                           | DESC_A_MASK | DESC_L_MASK);
    load_data_segment(R_SS, ss);
    env->eip = rip;
    env->regs[R_ESP] = rsp;
    env->eflags = 0;
    cpu_load_eflags(env, rflags, ~(CC_O | CC_S | CC_Z | CC_A | CC_P | CC_C | DF_MASK));
    if (iret) {
        env->hflags2 &= ~HF2_NMI_MASK;
    }
    env->hflags &= ~HF_INHIBIT_IRQ_MASK;
}

void cx_tables(uint64_t gdt, uint32_t gdt_limit, uint64_t idt, uint32_t idt_limit)
{
    CPUX86State *env = &cx_cpu.env;
    env->gdt.base = gdt;
    env->gdt.limit = gdt_limit;
    env->idt.base = idt;
    env->idt.limit = idt_limit;
}

uint64_t cx_rflags(void)
{
    return cpu_compute_eflags(&cx_cpu.env);
}

bool cx_gif(void)
{
    return cx_cpu.env.hflags2 & HF2_GIF_MASK;
}

bool cx_smm(void)
{
    return cx_cpu.env.hflags & HF_SMM_MASK;
}
