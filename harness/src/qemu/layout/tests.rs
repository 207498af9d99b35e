//! The check against a small header, right and doctored.

use svm_model::vmcb::Field;

use super::{Report, header};
use crate::Kind;

const RIGHT: &str = r"
struct QEMU_PACKED vmcb_seg { uint16_t selector; uint16_t attrib; uint32_t limit; uint64_t base; };
struct QEMU_PACKED vmcb_control_area {
    uint16_t intercept_cr_read;
    uint8_t reserved_1[10];
    uint64_t intercept;
    uint8_t reserved_2[180];
    uint64_t wherever;
    uint8_t insn_len;
    uint8_t insn_bytes[15];
    uint8_t reserved_3[800];
};
struct QEMU_PACKED vmcb_save_area { struct vmcb_seg es; uint8_t reserved[84]; struct vmcb_seg gdtr; };
struct QEMU_PACKED vmcb { struct vmcb_control_area control; struct vmcb_save_area save; };
#define SVM_EXIT_READ_CR0 0
#define SVM_EXIT_WRITE_DR7 0x37
#define SVM_EXIT_NPF 0x400
#define SVM_EXIT_ERR -1
";

fn report(text: &str) -> Report {
    Report::new(&header::parse(text).unwrap())
}

fn doctored(from: &str, to: &str) -> usize {
    assert!(RIGHT.contains(from));
    report(&RIGHT.replace(from, to)).disagreements()
}

#[test]
fn a_right_header_agrees() {
    let text = RIGHT.replace("reserved[84]", "reserved[80]");
    let report = report(&text);
    assert_eq!(report.disagreements(), 0, "{report}");
    assert_eq!(report.fields.len(), 13);
    assert_eq!(report.exits.len(), 4);
    assert!(report.lacking.contains(&Field::EXITCODE));
    assert!(!report.lacking.contains(&Field::INTERCEPT_MISC2));
    // A name of QEMU's that says nothing, at the place of one of ours.
    assert!(report.fields.iter().any(|f| f.ours == "nrip"), "{report}");
}

#[test]
fn a_shifted_struct_differs_in_every_field_behind() {
    // RIGHT has the GDTR four bytes too far.
    let report = report(RIGHT);
    assert_eq!(report.disagreements(), 2, "{report}");
    assert!(report.to_string().contains("DIFFERS: 0x468, 8 bytes"), "{report}");
}

#[test]
fn each_kind_of_wrong_field_is_seen() {
    let gdtr = 2;
    assert_eq!(doctored("uint16_t intercept_cr_read", "uint16_t intercept_cr_write"), gdtr + 1);
    assert_eq!(doctored("uint8_t insn_bytes[15]", "uint8_t insn_bytes[14], reserved_4"), gdtr + 1);
    assert_eq!(doctored("uint64_t wherever", "uint32_t wherever, reserved_4"), gdtr + 1);
    assert_eq!(
        doctored("uint16_t attrib; uint32_t limit", "uint32_t limit; uint16_t attrib"),
        gdtr + 2
    );
}

#[test]
fn a_wrong_exit_code_is_seen() {
    assert_eq!(doctored("SVM_EXIT_WRITE_DR7 0x37", "SVM_EXIT_WRITE_DR7 0x36"), 3);
    assert_eq!(doctored("SVM_EXIT_ERR -1", "SVM_EXIT_ERR 0xffffffff"), 3);
    assert_eq!(doctored("SVM_EXIT_NPF 0x400", "SVM_EXIT_NEVER_HEARD_OF 0x400"), 2);
}

#[test]
fn what_is_no_vmcb_is_an_error() {
    let error = header::parse("struct vmcb { this is not C };").unwrap_err();
    assert_eq!(error.kind(), Kind::Build);
    let error = header::parse("struct other { int a; };").unwrap_err();
    assert!(error.to_string().contains("struct vmcb"), "{error}");
    let error = super::check(std::path::Path::new("/nonexistent")).unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
}
