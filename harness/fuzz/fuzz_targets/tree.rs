//! What a kvm-unit-tests tree holds: `unittests.cfg`, tables, a transcript.
#![no_main]

use harness::host::child::End;
use harness::suites::kvm_unit_tests::parse::{Transcript, judge};
use harness::suites::kvm_unit_tests::{parse_table, parse_units};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(units) = parse_units(&text) {
        assert!(units.len() <= 1001);
    }
    let _ = parse_table(&text, "svm_test");
    let _ = judge(&Transcript::read(&text), End::Exited(1), &text);
});
