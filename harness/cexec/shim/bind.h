/* What build.rs binds: the shim, and QEMU's CPU state. */
#include "qemu/osdep.h"
#include "cpu.h"
#include "shim.h"
