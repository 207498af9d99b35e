//! SPEC_CTRL virtualisation (15.37.1), and the register itself.

use crate::rules::table::rules;

rules! { SpecCtrl;
    SUPPORTED = "spec-ctrl.supported", "15.37.1", two, "Host and guest have a SPEC_CTRL each where CPUID offers its virtualisation; otherwise they share one.";
    LOAD = "spec-ctrl.load", "15.37.1", one, "VMRUN loads the guest's SPEC_CTRL from the VMCB.";
    SAVE = "spec-ctrl.save", "15.37.1", one, "#VMEXIT saves the guest's SPEC_CTRL to the VMCB.";
    HOST = "spec-ctrl.host", "15.37.1", one, "After #VMEXIT the host's SPEC_CTRL is what it was before VMRUN.";
    RESERVED = "spec-ctrl.reserved", "vol. 2, 3.2.9", two, "Setting a bit of SPEC_CTRL that CPUID does not offer raises #GP.";
}
