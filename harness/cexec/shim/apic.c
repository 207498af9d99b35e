/* A local APIC with nothing but what cases use, and the events they raise. */
#include "cx.h"
#include "exec/cpu-common.h"
#include "hw/i386/apic.h"
#include "hw/i386/apic_internal.h"

static uint32_t requested[8], in_service[8];
static uint8_t task_priority;
/* At reset: enabled, the bootstrap processor. */
static const uint64_t base = 0xfee00900;

static int highest(const uint32_t *set)
{
    for (int i = 7; i >= 0; i--) {
        if (set[i]) {
            return i * 32 + 31 - clz32(set[i]);
        }
    }
    return -1;
}

static void update(void)
{
    CPUState *cs = CPU(&cx_cpu);
    int wanted = highest(requested), serving = highest(in_service);
    int priority = MAX(task_priority >> 4, serving < 0 ? 0 : serving >> 4);
    if (wanted >= 0 && wanted >> 4 > priority) {
        cpu_interrupt(cs, CPU_INTERRUPT_HARD);
    } else {
        cpu_reset_interrupt(cs, CPU_INTERRUPT_HARD);
    }
}

void cx_apic_restart(void)
{
    memset(requested, 0, sizeof(requested));
    memset(in_service, 0, sizeof(in_service));
    task_priority = 0;
}

void cx_raise(enum CxEvent event, uint8_t vector)
{
    CPUState *cs = CPU(&cx_cpu);
    switch (event) {
    case CX_INTR:
        requested[vector / 32] |= 1u << vector % 32;
        update();
        break;
    case CX_NMI:
        cpu_interrupt(cs, CPU_INTERRUPT_NMI);
        break;
    case CX_INIT:
        cpu_interrupt(cs, CPU_INTERRUPT_INIT);
        break;
    case CX_SMI:
        cpu_interrupt(cs, CPU_INTERRUPT_SMI);
        break;
    }
}

bool cx_in_service(uint8_t vector)
{
    return in_service[vector / 32] >> vector % 32 & 1;
}

void cx_eoi(void)
{
    int vector = highest(in_service);
    if (vector >= 0) {
        in_service[vector / 32] &= ~(1u << vector % 32);
    }
    update();
}

int cpu_get_pic_interrupt(CPUX86State *env)
{
    int vector = highest(requested);
    if (vector < 0) {
        return 0xff;
    }
    requested[vector / 32] &= ~(1u << vector % 32);
    in_service[vector / 32] |= 1u << vector % 32;
    update();
    return vector;
}

void cpu_set_apic_tpr(APICCommonState *s, uint8_t val)
{
    task_priority = val << 4;
    update();
}

uint8_t cpu_get_apic_tpr(APICCommonState *s)
{
    return task_priority >> 4;
}

uint64_t cpu_get_apic_base(APICCommonState *s)
{
    return base;
}

int cpu_set_apic_base(APICCommonState *s, uint64_t val)
{
    if (val != base) {
        cx_open("moving or disabling the local APIC");
    }
    return 0;
}

/* The x2APIC's registers, in a mode that is not on. */
int apic_msr_read(APICCommonState *s, int index, uint64_t *val)
{
    return -1;
}

int apic_msr_write(APICCommonState *s, int index, uint64_t val)
{
    return -1;
}

void apic_designate_bsp(APICCommonState *s, bool bsp)
{
}

void apic_poll_irq(APICCommonState *s)
{
    update();
}

uint64_t cx_cr8(void)
{
    return cpu_get_apic_tpr(NULL);
}
