//! What a person, or a program, is shown of what a QEMU has traced (`snapshots/*.trace`, recorded).

use expect_test::expect_file;
use svm_model::coverage::FULL;

use super::check::Checker;
use super::count::{Counter, Counts};
use super::follow::Look;
use super::line::{Read, read};
use super::{records, table};

/// A Linux L2 under KVM, and VMCBs that are refused.
const LINUX: &str = include_str!("snapshots/linux.trace");
const REFUSED: &str = include_str!("snapshots/refused.trace");

struct Seen {
    counter: Counter,
    checker: Option<Checker>,
}

fn seen(trace: &str, check: bool) -> Seen {
    let mut seen = Seen { counter: Counter::default(), checker: check.then(|| Checker::new(FULL)) };
    for text in trace.lines() {
        match read(text) {
            Read::Line(line) => {
                seen.counter.take(&line, 0.5);
                if let Some(checker) = &mut seen.checker {
                    checker.take(&line);
                }
            }
            other => panic!("{text}: {other:?}"),
        }
    }
    seen
}

impl Seen {
    fn look<'a>(&'a self, before: &'a Counts) -> Look<'a> {
        Look {
            title: "QEMU at qmp.sock (process 4711)",
            seconds: 2.0,
            interval: 1.0,
            counter: &self.counter,
            before,
            checker: self.checker.as_ref(),
        }
    }
}

fn narrow(text: String) -> String {
    let long: Vec<&str> = text.lines().filter(|line| line.chars().count() > 80).collect();
    assert!(long.is_empty(), "{long:#?}");
    text
}

#[test]
fn a_linux_guest() {
    let (half, _) = LINUX.split_at(LINUX[..LINUX.len() / 2].rfind('\n').unwrap() + 1);
    let (half, all) = (seen(half, false), seen(LINUX, true));
    let look = all.look(&half.counter.counts);
    let mut out = narrow(table::table(&look, None));
    out += &format!("\n{}", narrow(table::table(&look, Some(16))));
    out += &format!("\n{}\n{}", table::brief(&look), records::interval(&look));
    expect_file!["snapshots/linux.txt"].assert_eq(&out);
}

#[test]
fn vmcbs_that_are_refused() {
    let (nothing, all) = (Counts::default(), seen(REFUSED, true));
    let look = all.look(&nothing);
    let out = narrow(table::table(&look, None)) + "\n" + &records::summary(&look);
    expect_file!["snapshots/refused.txt"].assert_eq(&out);
}

#[test]
fn a_qemu_that_differs() {
    // The same guests, as a QEMU would trace that accepts the first and saves no next RIP.
    let enters = "svm_vmrun cpu 0 vmcb 0x300000 asid 1 rip 0x0 cr3 0x0 nested_ctl 0x0 nested_cr3 \
                  0x0\nsvm_gif cpu 0 VMRUN: gif 1\n";
    let at = REFUSED.find("svm_vmrun_refused").unwrap();
    let after = at + REFUSED[at..].find('\n').unwrap() + 1;
    let lie = format!("{}{enters}{}", &REFUSED[..at], &REFUSED[after..]);
    let (nothing, all) = (Counts::default(), seen(&lie, true));
    expect_file!["snapshots/differs.txt"]
        .assert_eq(&narrow(table::table(&all.look(&nothing), None)));
}

#[test]
fn nothing_at_all() {
    let (nothing, all) = (Counts::default(), seen("", true));
    let look = all.look(&nothing);
    let out = narrow(table::table(&look, Some(3))) + &table::brief(&look);
    expect_file!["snapshots/nothing.txt"].assert_eq(&out);
}
