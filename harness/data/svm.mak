# What the SVM suites need of x86_64-softmmu; see docs/build.md.
CONFIG_I440FX=y
CONFIG_Q35=y
CONFIG_ISA_DEBUG=y
CONFIG_TEST_DEVICES=y
CONFIG_PCI_TESTDEV=y
