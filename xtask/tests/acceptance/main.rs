//! `cargo xtask review` on series for the real QEMU, each with something the
//! matter with it: the right patch, the right reason, the right exit code.
//!
//! `cargo test -p xtask --features qemu-tests --test acceptance`
//!
//! The mails are made of our own series and of tiny planted changes. QEMU is
//! built in the usual cache, or in the one that `SVM_CACHE` names; a
//! kvm-unit-tests tree is used as by `review` itself.

mod post;
mod workshop;

use workshop::Workshop;

const VERSION: &str = "10.2.2";
const MISC: &str = "target/i386/tcg/misc_helper.c";
const CHECK: &str = "    cpu_svm_check_intercept_param(env, SVM_EXIT_RDTSC, 0, GETPC());\n";
const PROGRAM: &str = "tests/tcg/x86_64/system/rdmsr-tsc.c";

/// The number of the patch of ours that makes RDMSR read the TSC, which is a fix
/// that a program without interrupts can see.
const READS_TSC: usize = 47;

/// RDTSC without its intercept.
fn plant_regression(workshop: &Workshop) {
    workshop.change("target/i386: tcg: simplify RDTSC", MISC, CHECK, "");
}

#[test]
fn a_stretch_of_our_series_has_nothing_to_object_to() {
    let workshop = Workshop::on(VERSION);
    workshop.ours(1..=6);
    let said = workshop.review("a stretch of ours", &workshop.mails(&["--cover-letter"]), &[]);
    said.is(0, &["nothing to object", "conformance/registers/read-cr3 fail -> pass"]);
    assert_eq!(said.patches(|p| p["builds"]["state"] == "yes"), [1, 2, 3, 4, 5, 6]);
    assert!(said.changes(true).is_empty());
    assert!(said.changes(false).contains(&1), "{}", said.text);
    assert!(said.reply.contains("\nTested-by: \n"), "{}", said.reply);
    assert!(said.reply.lines().all(|l| l.chars().count() <= 72 || !l.contains(' ')));
}

#[test]
fn a_planted_regression_is_put_on_its_patch() {
    let workshop = Workshop::on(VERSION);
    workshop.ours(1..=2);
    plant_regression(&workshop);
    workshop.ours(3..=3);
    let said = workshop.review("a planted regression", &workshop.mails(&["--cover-letter"]), &[]);
    said.is(1, &["first at patch 3 (`target/i386: tcg: simplify RDTSC`)", "WORSE: ", "rdtsc"]);
    said.is(1, &["BREAKS intercept.rdtsc (APM vol. 2, 15.9"]);
    assert_eq!(said.changes(true), [3]);
    assert!(!said.reply.contains("Tested-by"), "{}", said.reply);
}

#[test]
fn a_patch_that_builds_only_with_the_next_one_is_named() {
    let workshop = Workshop::on(VERSION);
    workshop.ours(1..=1);
    let (title, call) = ("target/i386: tcg: give RDTSC's check a name", "    check_rdtsc(env);\n");
    workshop.change(title, MISC, CHECK, call);
    let function = "void helper_rdtsc(CPUX86State *env)\n";
    let new = format!("static void check_rdtsc(CPUX86State *env)\n{{\n{CHECK}}}\n\n{function}");
    workshop.change("target/i386: tcg: and write it", MISC, function, &new);
    let said = workshop.review("does not build between", &workshop.mails(&[]), &["--no-rules"]);
    said.is(4, &["DOES NOT BUILD", "check_rdtsc"]);
    said.is(4, &[&format!("patch 2 (`{title}`) does not build; the whole series does")]);
    assert_eq!(said.patches(|p| p["builds"]["state"] == "no"), [2]);
}

#[test]
fn a_patch_that_checkpatch_refuses_is_named() {
    let workshop = Workshop::on(VERSION);
    workshop.ours(1..=1);
    let spaced = format!("{CHECK}    \n");
    workshop.change("target/i386: tcg: let RDTSC breathe", MISC, CHECK, &spaced);
    let said = workshop.review("fails checkpatch", &workshop.mails(&[]), &["--no-rules"]);
    said.is(12, &["ERROR: trailing whitespace"]);
    said.is(
        12,
        &["checkpatch finds errors, first in patch 2 (`target/i386: tcg: let RDTSC breathe`)"],
    );
    assert_eq!(said.patches(|p| !p["checkpatch"].as_array().unwrap().is_empty()), [2]);
}

#[test]
fn a_missing_patch_is_named() {
    let workshop = Workshop::on(VERSION);
    workshop.ours(1..=3);
    let mut mails = workshop.mails(&["--cover-letter"]);
    mails.remove(2);
    let said = workshop.review("a missing patch", &mails, &["--no-rules"]);
    said.is(10, &["the series is not whole: patch 2 of 3 is missing"]);
}

/// A bare-metal program that wants RDMSR to read the TSC, and its fix, in turn.
fn test_and_fix(workshop: &Workshop, test_first: bool) {
    let test = || {
        let program = "/* SPDX-License-Identifier: GPL-2.0-or-later */\n\
             #include <stdint.h>\n#include \"minilib.h\"\n\n\
             int main(void)\n{\n    uint32_t lo, hi;\n\n    \
             asm volatile(\"rdmsr\" : \"=a\"(lo), \"=d\"(hi) : \"c\"(0x10));\n    \
             ml_printf(\"tsc %x %x\\n\", hi, lo);\n    return lo == 0 && hi == 0;\n}\n";
        workshop.put("tests/tcg: read the TSC with RDMSR", PROGRAM, program);
    };
    match test_first {
        true => {
            test();
            workshop.ours([READS_TSC]);
        }
        false => {
            workshop.ours([READS_TSC]);
            test();
        }
    }
}

#[test]
fn a_test_before_its_fix_is_in_the_wrong_order_and_behind_it_in_the_right_one() {
    let workshop = Workshop::on(VERSION);
    test_and_fix(&workshop, true);
    let said = workshop.review("test before fix", &workshop.mails(&[]), &["--no-rules"]);
    said.is(
        13,
        &[&format!("{PROGRAM} WRONG ORDER: it comes with patch 1 and fails until patch 2")],
    );
    workshop.again();
    test_and_fix(&workshop, false);
    let said = workshop.review("fix before test", &workshop.mails(&[]), &["--no-rules"]);
    said.is(0, &[&format!("{PROGRAM} fails without the fix, passes from patch 1 on")]);
}

#[test]
fn a_message_that_does_not_say_what_is_seen_is_named() {
    let workshop = Workshop::on(VERSION);
    workshop.ours(1..=1);
    workshop.change(
        "target/i386: tidy a list",
        "target/i386/cpu.c",
        "#define TCG_7_0_EDX_FEATURES (CPUID_7_0_EDX_FSRM | ",
        "#define TCG_7_0_EDX_FEATURES (CPUID_7_0_EDX_FSRM | CPUID_7_0_EDX_SERIALIZE | \\\n          ",
    );
    let said = workshop.review("an untrue message", &workshop.mails(&[]), &["--no-rules"]);
    said.is(14, &["-cpu max offers serialize from here on, which the message does not mention"]);
    said.is(14, &["first in patch 2 (`target/i386: tidy a list`)"]);
}

#[test]
fn a_series_that_touches_no_svm_code_is_told_so() {
    let workshop = Workshop::on(VERSION);
    workshop.change(
        "docs/system/i386: begin with another word",
        "docs/system/i386/sgx.rst",
        "SGX feature is exposed",
        "The feature is exposed",
    );
    let said = workshop.review("no SVM code", &workshop.mails(&[]), &[]);
    said.is(0, &["no suite ran: the series touches nothing of target/i386", "nothing was built"]);
    assert!(!said.reply.contains("Tested-by"), "{}", said.reply);
}

#[test]
fn a_series_that_applies_with_fuzz_is_told_so() {
    let mut workshop = Workshop::on(VERSION);
    // The base of the list's series has a line that this one has not.
    workshop.change(
        "target/i386: tcg: another base",
        MISC,
        "    val = cpu_get_tsc(env) + env->tsc_offset;\n    env->regs[R_EAX]",
        "    val = env->tsc_offset + cpu_get_tsc(env);\n    env->regs[R_EAX]",
    );
    workshop.start_here();
    let check = format!("    /* Exits go first. */\n{CHECK}");
    workshop.change("target/i386: tcg: say what goes first", MISC, CHECK, &check);
    let said = workshop.review("applies with fuzz", &workshop.mails(&[]), &["--no-rules"]);
    said.is(0, &["applies with fuzz: 2 lines of context match"]);
    said.is(0, &["all binaries are the same as the base's, byte for byte"]);
}

#[test]
fn a_series_for_another_base_is_told_which_it_fits() {
    let other = Workshop::on("10.0.13");
    other.ours(1..=4);
    let mails = other.mails(&["--cover-letter"]);
    drop(other);
    let workshop = Workshop::on(VERSION);
    let said = workshop.review("for QEMU 10.0", &mails, &[]);
    said.is(
        11,
        &["does not apply to stock QEMU 10.2.2; it applies to QEMU 10.0.13", "DOES NOT APPLY"],
    );
    let mut workshop = workshop;
    workshop.ours(1..=10);
    workshop.start_here();
    workshop.ours(11..=12);
    let said = workshop.review("for a later place in ours", &workshop.mails(&[]), &[]);
    let place = "behind patch 10 of our series, which has it as patch 11";
    said.is(11, &["patch 1 (`target/i386: svm: ", &format!("it applies to QEMU 10.2.2, {place}")]);
}

#[test]
fn mails_come_through_encodings_scissors_answers_and_any_order() {
    let workshop = Workshop::on(VERSION);
    workshop.ours(1..=4);
    let mails = workshop.mails(&["--cover-letter"]);
    let plain = workshop.review("as they were sent", &mails, &["--no-rules"]);
    plain.is(0, &["nothing to object"]);
    let travelled = [
        post::scissors(&mails[3]),
        post::answer(&mails[1]),
        mails[4].clone(),
        post::base64(&mails[1]),
        mails[0].clone(),
        post::quoted_printable(&mails[2]),
    ];
    let said = workshop.review("as they came", &travelled, &["--no-rules"]);
    said.is(0, &["the mails were not in order; their numbers are", "cut at its scissors line"]);
    said.is(0, &["1 mail is no patch of this version"]);
    let outline = |said: &workshop::Said| {
        let patches = said.json["patches"].as_array().unwrap().iter();
        let key = |p: &serde_json::Value| {
            (p["number"].clone(), p["title"].clone(), p["builds"].clone(), p["flips"].clone())
        };
        patches.map(key).collect::<Vec<_>>()
    };
    assert_eq!(outline(&said), outline(&plain));
}

#[test]
fn of_two_versions_the_newer_is_meant_and_single_patches_are_taken_when_asked() {
    let workshop = Workshop::on(VERSION);
    workshop.ours(1..=1);
    plant_regression(&workshop);
    let first = workshop.mails(&[]);
    workshop.again();
    workshop.ours(1..=2);
    let second = workshop.mails(&["-v2"]);
    let both = [&first[..], &second[..]].concat();
    let said = workshop.review("v1 and v2", &both, &["--no-rules"]);
    said.is(0, &["2 patches of v1 are left out: v2 is newer", "(v2)"]);
    let one = [&first[..], &second[1..]].concat();
    let said = workshop.review("one patch of v2", &one, &["--no-rules"]);
    said.is(10, &["patch 1 of 2 is missing (v1 has one; --reroll takes it from there)"]);
    let said = workshop.review("one patch of v2, --reroll", &one, &["--no-rules", "--reroll"]);
    said.is(0, &["patch 1 is that of v1"]);
}

const RDTSC: &str = "void helper_rdtsc(CPUX86State *env)\n{\n";

#[test]
fn bisect_blames_no_commit_whose_neighbour_before_it_does_not_build() {
    let workshop = Workshop::on(VERSION);
    workshop.ours(1..=2);
    let with = |call: &str| format!("{RDTSC}    {call};\n");
    let (before, behind) = (with("not_there(env)"), with("nor_here(env)"));
    workshop.change("target/i386: tcg: before, does not build", MISC, RDTSC, &before);
    let changes = [(before.as_str(), RDTSC), (CHECK, "")];
    workshop.change_all("target/i386: tcg: the regression", MISC, &changes);
    workshop.change("target/i386: tcg: behind, does not build", MISC, RDTSC, &behind);
    workshop.change("target/i386: tcg: builds again", MISC, &behind, RDTSC);
    workshop.ours(3..=4);
    let (code, said) = workshop.bisect("conformance/instructions/rdtsc");
    assert_eq!(code, 1, "{said}");
    let range = "one of the 2 from 0003-target-i386-tcg-before-does-not-build.patch to \
                 0004-target-i386-tcg-the-regression.patch changed it";
    assert!(said.contains(range), "{said}");
    assert!(said.contains("does not build: ") && said.contains("not_there"), "{said}");
}

#[test]
fn bisect_repeats_a_test_that_is_flaky_and_says_so() {
    let workshop = Workshop::on(VERSION);
    workshop.ours(1..=2);
    // Each QEMU does the opposite of the one before it.
    let sometimes = format!(
        "    static int exits = -1;\n\n    if (exits < 0) {{\n        \
         const char *file = getenv(\"SVM_FLAKY\");\n\n        \
         exits = file && unlink(file) == 0;\n        if (file && !exits) {{\n            \
         g_file_set_contents(file, \"\", 0, NULL);\n        }}\n    }}\n    \
         if (exits) {{\n    {CHECK}    }}\n"
    );
    workshop.change("target/i386: tcg: RDTSC exits now and then", MISC, CHECK, &sometimes);
    workshop.ours(3..=4);
    let (code, said) = workshop.bisect("conformance/instructions/rdtsc");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("the test is flaky: on one and the same 0005-"), "{said}");
    assert!(said.contains("pass") && said.contains("fail (fail, pass"), "{said}");
    assert!(!said.contains("changed it:"), "{said}");
}

#[test]
fn the_whole_of_our_series_has_nothing_to_object_to() {
    let workshop = Workshop::on(VERSION);
    workshop.ours(1..=Workshop::count());
    let said = workshop.review("the whole series", &workshop.mails(&["--cover-letter"]), &[]);
    said.is(0, &["nothing to object"]);
    assert!(said.changes(true).is_empty());
    let built = said.patches(|p| ["yes", "unchanged"].iter().any(|s| p["builds"]["state"] == *s));
    assert_eq!(built.len(), Workshop::count());
}
