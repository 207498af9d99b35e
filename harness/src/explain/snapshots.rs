//! What a person is shown.

use expect_test::expect_file;
use svm_model::case::world;
use svm_model::vmcb::{Field, Image, SIZE, exit};

use super::{Around, Explanation, cpu, exits, explain, text};

/// The model's own baseline VMCB with some fields changed.
fn image(changes: &[(Field, u64)]) -> Image {
    let mut image = Image::ZERO;
    world::BASELINE.iter().chain(changes).for_each(|(field, value)| image.set(*field, *value));
    image
}

fn explained(name: &str, image: &Image) -> Explanation {
    let mut page = [0; SIZE];
    image.write_to(&mut page);
    explain(&page, &cpu::named(name).unwrap(), name, Around::default())
}

fn shown(name: &str, image: &Image) -> String {
    let text = text(&explained(name, image));
    let long: Vec<&str> = text.lines().filter(|line| line.chars().count() > 80).collect();
    assert!(long.is_empty(), "{long:#?}");
    text
}

/// What a hypervisor that was done carefully sets up.
fn careful() -> Image {
    image(&[
        (Field::INTERCEPT_MISC1, 0x9c44_000f),
        (Field::INTERCEPT_MISC2, 0x7f),
        (Field::INT_CTL, 1 << 24),
        (Field::EXITCODE, exit::CPUID),
        (Field::NRIP, world::L2_CODE + 2),
        (Field::INTERCEPT_MISC3, 1),
    ])
}

#[test]
fn an_accepted_vmcb() {
    expect_file!["snapshots/accepted.txt"].assert_eq(&shown("EPYC-Milan", &careful()));
}

#[test]
fn a_refused_vmcb_with_every_rule_that_it_breaks() {
    let mut image = careful();
    for (field, value) in [
        (Field::GUEST_ASID, 0),
        (Field::CR0, 0x2_a001_0032),
        (Field::CR4, 0x8000_0000),
        (Field::EVENTINJ, 0x8000_0b02 | 5 << 32),
        (Field::G_PAT, 0x0203_0406_0007_0406),
        (Field::EXITCODE, 0),
        (Field::NRIP, 0),
    ] {
        image.set(field, value);
    }
    expect_file!["snapshots/refused.txt"].assert_eq(&shown("EPYC", &image));
}

#[test]
fn a_vmcb_that_never_ran_with_all_that_is_suspicious() {
    let image = image(&[
        (Field::INTERCEPT_MISC1, 3 << 27),
        (Field::INTERCEPT_MISC2, 1),
        (Field::IOPM_BASE_PA, 0),
        (Field::MSRPM_BASE_PA, 0x12345),
        (Field::GUEST_ASID, 0x9000),
        (Field::TLB_CONTROL, 0),
        (Field::CLEAN, 0xffff),
        (Field::TR_LIMIT, 0x2b),
        (Field::CPL, 3),
        (Field::G_PAT, 0),
        (Field::EFER, 0x3d00),
        (Field::VIRT_EXT, 3),
        (Field::INT_CTL, 1 << 26 | 1 << 25 | 0x8100 | 3 << 16 | 5),
        (Field::EVENTINJ, 0x8000_030d),
        (Field::NESTED_CTL, 0b1011),
        (Field::INTERCEPT_EXCEPTIONS, 1 << 14 | 1 << 18 | 1 << 9),
        (Field::INTERCEPT_CR_WRITE, 0x109),
    ]);
    expect_file!["snapshots/suspicious.txt"].assert_eq(&shown("EPYC", &image));
}

#[test]
fn a_nested_page_fault_while_an_interrupt_is_delivered() {
    let mut image = careful();
    for (field, value) in [
        (Field::EXITCODE, exit::NPF),
        (Field::EXITINFO1, 0x1_0000_0006),
        (Field::EXITINFO2, 0xa0_2040),
        (Field::EXITINTINFO, 0x8000_0031),
    ] {
        image.set(field, value);
    }
    let explained = explained("max", &image);
    assert_eq!(
        explained.exit.as_deref(),
        Some(
            "#VMEXIT(NPF): L2 wrote to guest-physical 0xa02040, not present in the nested table; \
             while delivering an interrupt, vector 0x31, without an error code."
        )
    );
}

#[test]
fn where_memory_is_known_the_walk_says_the_level() {
    let mut image = careful();
    image.set(Field::EXITCODE, exit::NPF);
    image.set(Field::EXITINFO1, 0x1_0000_0006);
    image.set(Field::EXITINFO2, world::DATA + 0x2040);
    let mut page = [0; SIZE];
    image.write_to(&mut page);
    let said = |leaf: Option<u64>| {
        let mut memory = |at| match leaf {
            Some(leaf) if at == world::npt::PT + 16 => Some(leaf),
            _ => world::table_entry(at),
        };
        let around = Around { memory: Some(&mut memory) };
        let explained = explain(&page, &cpu::named("max").unwrap(), "max", around);
        assert!(explained.suspicious.iter().any(|s| s.what.contains("there is no memory for")));
        explained.exit.unwrap()
    };
    let entry = format!("the entry of level 1 at {:#x} is", world::npt::PT + 16);
    for (leaf, says) in [
        (Some(0), format!("not present in the nested table at level 1: {entry} 0x0.")),
        (Some(0xa0_2005), format!("not writable in the nested table: {entry} 0xa02005.")),
        (None, "which the nested table permits by now".to_owned()),
    ] {
        let said = said(leaf);
        assert!(said.contains(&says), "{said}");
    }
}

#[test]
fn every_exit_has_a_sentence() {
    let mut out = String::new();
    let codes = (0..0xa8).chain(0x3ff..0x405).chain([u64::MAX - 1, u64::MAX]);
    for code in codes {
        let mut image = image(&[(Field::EXITCODE, code), (Field::NRIP, 1)]);
        image.set(Field::EXITINFO1, 1);
        out += &format!("{code:>5x} {}\n", exits::sentence(&image, None).unwrap());
    }
    for (code, info1, info2) in [
        (exit::CR_WRITE + 3, 1 << 63 | 3, 0),
        (exit::CR_READ + 8, 1 << 63 | 15, 0),
        (exit::EXCP + 14, 0x6, 0x1234),
        (exit::EXCP + 14, 0x15, 0x1234),
        (exit::EXCP + 14, 0x9, 0x1234),
        (exit::IOIO, 0x3f8_0210, 0x1002),
        (exit::IOIO, 0x60_021d, 0x1002),
        (exit::MSR, 0, 0),
        (exit::MSR, 7, 0),
        (exit::TASK_SWITCH, 0x28, 1 << 36),
        (exit::TASK_SWITCH, 0x28, 1 << 38),
        (exit::TASK_SWITCH, 0x28, 1 << 44 | 0x15),
        (exit::NPF, 0x2_0000_0004, 0x5000),
        (exit::NPF, 0x1_0000_0015, 0x5000),
        (exit::NPF, 0x1_0000_000d, 0x5000),
    ] {
        let mut image = image(&[(Field::EXITCODE, code), (Field::EXITINFO1, info1)]);
        image.set(Field::EXITINFO2, info2);
        out += &format!("{code:>5x} {info1:#x} {}\n", exits::sentence(&image, None).unwrap());
    }
    assert_eq!(exits::sentence(&image(&[]), None), None);
    expect_file!["snapshots/exits.txt"].assert_eq(&out);
}
