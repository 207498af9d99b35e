/*
 * In front of every file: no constructors that register types with QEMU's
 * object model, which would drag in all of QEMU.
 */
#include "qemu/osdep.h"
#include "qemu/module.h"

#undef module_init
#define module_init(function, type)
