# What the SVM suites need of x86_64-softmmu; see docs/build.md.
CONFIG_I440FX=y
CONFIG_Q35=y
CONFIG_ISA_DEBUG=y
CONFIG_TEST_DEVICES=y
CONFIG_ISA_TESTDEV=y
CONFIG_PCI_TESTDEV=y
# Not needed, but 10.2 neither links nor starts without them: hw/acpi/cxl.c is
# always built and calls functions for which hw/cxl and hw/mem have no stubs, and
# CXL's root port is derived from PCIe's.
CONFIG_CXL=y
CONFIG_CXL_MEM_DEVICE=y
CONFIG_PCIE_PORT=y
CONFIG_PXB=y
