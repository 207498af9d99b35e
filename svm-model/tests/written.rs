//! Each written case is about a rule: the model goes through it, and with the rule broken it no
//! longer does what is written. What is about no rule is listed.

use svm_model::case::{About, Written};
use svm_model::compare;
use svm_model::coverage::{FULL, platform_for};
use svm_model::model::{self, Trace};
use svm_model::outcome::Obs;
use svm_model::written;

/// Cases about what the model does not know, by how their ids begin. There are to be fewer of
/// these, not more.
const NO_RULE: &[(&str, usize, &str)] = &[
    ("exceptions/mf-", 2, "the x87 has no exceptions in the model"),
    ("exceptions/ferr-freeze", 1, "nor has it FERR#"),
    ("interrupts/init-redirected", 5, "nor VM_CR.R_INIT"),
    ("tlb/l2-", 16, "what L2 flushes: the model has no TLB"),
    ("tlb/l1-mov-cr3", 1, "what L1 flushes, likewise"),
    ("tlb/l1-invlpg", 1, "likewise"),
    ("tlb/l1-cr4-pge", 1, "likewise"),
    ("tlb/l1-efer-nxe", 1, "likewise"),
    ("feature-off/vmcb-clean", 1, "clean bits allow what the model does not do"),
    ("legacy/pae-l1,nested-paging", 1, "the model has no L1 outside long mode"),
    ("legacy/32-bit-l1,nested-paging", 1, "likewise"),
    ("legacy/unpaged-l1,nested-paging", 1, "likewise"),
    ("legacy/host-pdpte-", 5, "likewise"),
    ("legacy/16-bit-address,vm", 2, "likewise"),
    ("legacy/vmrun-in-real-mode", 1, "likewise"),
    ("legacy/a20-", 2, "the model has no A20 pin"),
    ("smm/smram-", 3, "the model has no SMM"),
    ("ordinary/", 231, "the model does not decode ordinary instructions"),
    ("pae/", 62, "nor does it load PDPTEs with a guest's MOV CR3"),
    ("npt/operand,", 25, "nor which of them store what they load"),
    ("page-fault/operand,", 25, "likewise"),
    ("branches/", 15, "nor has it a shadow in front of a branch"),
    ("own-code/", 6, "nor code that is written to"),
    ("aborts/straddles-", 6, "nor has it code in a page that the walk for it writes to"),
    ("unstated/save-area-at-zero", 1, "that nothing is refused is no rule"),
    ("race/x87-of-another-cpu", 1, "the model has one CPU"),
    ("xstate/", 977, "it has neither x87 nor SSE nor AVX"),
    ("traps/", 80, "nor data breakpoints, nor what a debug trap waits for"),
    ("caches/", 93, "nor caches"),
    ("ferr/", 5, "nor FERR#"),
    ("gates/", 406, "nor another GDT than its own, nor gates outside long mode"),
    ("locked/", 80, "nor the instructions that take a LOCK prefix"),
    ("alignment/", 156, "nor alignment checking"),
    ("la57/nested-", 4, "its L1 has four levels"),
    ("task-switch/iret", 3, "its IRET outside long mode is open"),
    ("task-switch/trap,", 28, "it switches no tasks"),
    ("task-switch/restart,", 15, "likewise"),
    ("task-switch/carry,", 3, "likewise"),
    ("flags/", 24, "nor does it know what ordinary instructions do to the flags"),
    ("vmsave/device", 1, "its local APIC is no memory"),
    ("breakpoints/stream,gate", 1, "whether reading a gate meets a breakpoint is open"),
    ("breakpoints/stream,np-gate", 1, "likewise"),
    ("aborts/32-bit-", 2, "its programs are of 64-bit instructions"),
    ("msr/write-0x1d", 4, "that the records are read-only is no rule of SVM"),
    ("msr/fs-base-not-canonical", 1, "nor is it that bases are canonical"),
    ("msr/gs-base-not-canonical", 1, "likewise"),
];

/// Cases on which the model, with their rule broken, still does what is written, likewise.
const UNNOTICED: &[(&str, usize, &str)] = &[
    ("gif/exit-clears-it", 1, "the NMI is seen once, whether it has waited or not"),
    ("gif/clgi-holds-", 2, "so is what is pending here"),
    ("gif/stgi-in-l2-does-nothing", 1, "#VMEXIT clears GIF, whatever it was"),
    ("gif/clgi-in-l2", 1, "likewise"),
    ("vgif/not-enabled", 1, "likewise"),
    ("vgif/v-gif-kept", 1, "V_GIF does not change"),
    ("registers/selective-and-unconditional", 1, "the plain intercept is asked first"),
    ("injection/not-valid", 1, "broken, the event is checked, and nothing is wrong with it"),
    ("injection/interrupt-not-intercepted", 1, "broken, the rule is about exceptions"),
    ("tlb/guest-1g,", 4, "the model walks the tables again, and there is no page"),
    ("tlb/shadow-1g,", 4, "likewise"),
    ("tlb/nested-1g,", 4, "likewise"),
    ("vmrun-checks/tlb-control-0", 1, "no mapping changes, so that a flush does not show"),
    ("feature-off/flushbyasid-", 2, "likewise"),
    (
        "unstated/tlb-control,3",
        1,
        "broken, it flushes the guest's entries, which are all there are",
    ),
    ("unstated/tlb-control,7", 1, "likewise"),
    ("unstated/npt-not-offered", 1, "the nested tables map each page to itself"),
    ("feature-off/decodeassists-", 4, "there is no decode assist to get wrong"),
    ("aborts/breakpoint-and-step", 1, "broken, the breakpoint in front raises the same #DB"),
    (
        "breakpoints/dr7,detect-cleared,int1",
        1,
        "broken, INT1 sets a bit of DR6 that is not looked at",
    ),
    ("latched/iopm-moved-beyond", 1, "the model reads zeros where there is no memory"),
    ("latched/asid", 1, "it has no TLB"),
];

fn all() -> Vec<Written> {
    written::all().into_iter().chain(written::elsewhere()).collect()
}

/// That exactly these ids are listed.
fn listed(ids: &[String], list: &[(&str, usize, &str)]) {
    let more: Vec<_> =
        ids.iter().filter(|id| !list.iter().any(|(p, ..)| id.starts_with(p))).collect();
    assert!(more.is_empty(), "{} are not listed: {more:#?}", more.len());
    for (prefix, count, _) in list {
        let found = ids.iter().filter(|id| id.starts_with(prefix)).count();
        assert_eq!(found, *count, "{prefix}: the list has another number");
    }
}

#[test]
fn what_is_about_no_rule_is_listed() {
    let bare = all().into_iter().filter(|w| matches!(w.about, About::Section(_)));
    listed(&bare.map(|w| w.case.id).collect::<Vec<_>>(), NO_RULE);
}

#[test]
fn a_case_goes_through_its_rules_and_notices_when_the_first_is_broken() {
    let (mut past, mut unnoticed, mut judged) = (Vec::new(), Vec::new(), 0);
    let mut contradicted = Vec::new();
    for Written { case, expect, about } in all() {
        let platform = platform_for(&case, &FULL).expect("every feature is there");
        let mut trace = Trace::new(None);
        let outcome = model::run_traced(&case, &platform, &mut trace);
        if !compare(&expect, &outcome).is_empty() {
            // Where the model leaves open what comes, it goes through no more than the beginning.
            if outcome.obs.last() != Some(&Obs::Open) {
                contradicted.push(case.id);
            }
            continue;
        }
        judged += 1;
        let mut reached = trace.held;
        reached.extend(&trace.failed);
        let missed = about.rules().filter(|r| !reached.has(*r));
        past.extend(missed.map(|rule| format!("{} does not come to {rule}", case.id)));
        let broken = |rule| model::run_broken(&case, &platform, rule);
        if about.rule().is_some_and(|r| compare(&expect, &broken(r)).is_empty()) {
            unnoticed.push(case.id);
        }
    }
    assert!(judged > 400, "the model agrees on only {judged}");
    assert!(past.is_empty(), "{} of {judged}:\n{}", past.len(), past.join("\n"));
    listed(&unnoticed, UNNOTICED);
    let contradicted = contradicted.join("\n");
    assert!(contradicted.is_empty(), "the model says something else of\n{contradicted}");
}
