//! `check` names what the model refuses: each rule, its field, and a value that passes.

use std::collections::BTreeSet;

use svm_model::case::{Step, world};
use svm_model::coverage::{FULL, platforms_for};
use svm_model::cpu::{CpuFeature, Platform};
use svm_model::outcome::Obs;
use svm_model::vmcb::{Field, Image, SIZE, exit};
use svm_model::{cases, check, check_with, model, rules};

/// The baseline VMCB with some fields changed.
fn image(changes: &[(Field, u64)]) -> Image {
    let mut image = Image::ZERO;
    world::BASELINE.iter().chain(changes).for_each(|(field, value)| image.set(*field, *value));
    image
}

fn page(image: &Image) -> [u8; SIZE] {
    let mut page = [0; SIZE];
    image.write_to(&mut page);
    page
}

/// Changes that break one rule, the rule, the field that it names, and what would pass.
type Row = (&'static [(Field, u64)], &'static str, Field, u64);

const ROWS: &[Row] = &[
    (&[(Field::INTERCEPT_MISC2, 2)], "vmrun.intercept-set", Field::INTERCEPT_MISC2, 3),
    (&[(Field::GUEST_ASID, 0)], "vmrun.asid-zero", Field::GUEST_ASID, 1),
    (&[(Field::EFER, 0xd00)], "vmrun.efer-svme", Field::EFER, 0x1d00),
    (&[(Field::EFER, 0x8001_1d00)], "vmrun.efer-mbz", Field::EFER, 0x1d00),
    (&[(Field::CR0, 0xa001_0033)], "vmrun.cr0-cd-nw", Field::CR0, 0x8001_0033),
    (&[(Field::CR0, 0xf00_8001_0033)], "vmrun.cr0-high", Field::CR0, 0x8001_0033),
    (&[(Field::CR3, 7 << 60 | 0x88_0000)], "vmrun.cr3-mbz", Field::CR3, 0x88_0000),
    (&[(Field::CR3, 1 << 40 | 0x88_0000)], "vmrun.cr3-phys", Field::CR3, 0x88_0000),
    (&[(Field::CR4, 0x8020)], "vmrun.cr4-mbz", Field::CR4, 0x20),
    (&[(Field::DR6, 0x1_ffff_0ff0)], "vmrun.dr6-high", Field::DR6, 0xffff_0ff0),
    (&[(Field::DR7, 1 << 63 | 0x400)], "vmrun.dr7-high", Field::DR7, 0x400),
    (&[(Field::CR4, 0)], "vmrun.lme-pg-pae", Field::CR4, 0x20),
    (&[(Field::CR0, 0x8001_0032)], "vmrun.lme-pg-pe", Field::CR0, 0x8001_0033),
    (&[(Field::CS_ATTRIB, 0xe9b)], "vmrun.cs-l-d", Field::CS_ATTRIB, 0xa9b),
    (&[(Field::MSRPM_BASE_PA, !0xfff)], "vmrun.msrpm-phys", Field::MSRPM_BASE_PA, 0xff_ffff_d000),
    (&[(Field::IOPM_BASE_PA, !0xfff)], "vmrun.iopm-phys", Field::IOPM_BASE_PA, 0xff_ffff_d000),
    (&[(Field::N_CR3, 1 << 62 | 0x84_0000)], "vmrun.ncr3-mbz", Field::N_CR3, 0x84_0000),
    (&[(Field::G_PAT, 0x0207_0406_0007_0406)], "vmrun.gpat-type", Field::G_PAT, world::PAT),
    (
        &[(Field::CR4, 0x80_0020), (Field::CR0, 0x8000_0033)],
        "vmrun.cet-wp",
        Field::CR0,
        0x8001_0033,
    ),
    (&[(Field::INT_CTL, 1 << 26)], "vnmi.needs-nmi-intercept", Field::INTERCEPT_MISC1, 0x8000_0002),
    (&[(Field::EVENTINJ, 0x8000_0100)], "eventinj.type-reserved", Field::EVENTINJ, 0x8000_0000),
    (
        &[(Field::EVENTINJ, 0x8000_0302)],
        "eventinj.vector-not-exception",
        Field::EVENTINJ,
        0x8000_0303,
    ),
    (&[(Field::EVENTINJ, 0x8000_0309)], "eventinj.vector-reserved", Field::EVENTINJ, 0x8000_0308),
    (
        &[(Field::EVENTINJ, 0x8000_0304)],
        "eventinj.impossible-for-mode",
        Field::EVENTINJ,
        0x8000_0306,
    ),
];

#[test]
fn each_rule_is_named_with_its_field_and_the_nearest_value_that_passes() {
    assert!(check(&page(&image(&[])), &FULL).is_empty());
    for &(changes, rule, field, nearest) in ROWS {
        let broken = check(&page(&image(changes)), &FULL);
        let [one] = broken.as_slice() else { panic!("{rule}: {broken:?}") };
        let value = image(changes).get(field);
        assert_eq!(
            (one.rule.id, one.field, one.value, one.nearest),
            (rule, field, value, Some(nearest)),
            "{one}"
        );
    }
}

#[test]
fn every_rule_that_refuses_is_among_them() {
    let mut named: BTreeSet<&str> = ROWS.iter().map(|row| row.1).collect();
    // That one reads memory.
    named.insert("vmrun.pae-pdpte");
    let refuses = |rule: &&rules::Rule| {
        let text = rule.statement;
        text.contains("is refused") || text.contains("refused with") || text.contains("must be set")
    };
    let all: Vec<&rules::Rule> = rules::all().map(|(_, rule)| rule).collect();
    let refusing: BTreeSet<&str> =
        all.iter().copied().filter(|rule| refuses(rule)).map(|rule| rule.id).collect();
    assert_eq!(named, refusing);
}

#[test]
fn several_rules_are_all_named_and_each_value_is_good_for_its_own() {
    let bad = image(&[(Field::GUEST_ASID, 0), (Field::CR0, 0x8001_0032), (Field::DR7, 1 << 40)]);
    let broken = check(&page(&bad), &FULL);
    let ids: Vec<&str> = broken.iter().map(|one| one.rule.id).collect();
    assert_eq!(ids, ["vmrun.asid-zero", "vmrun.dr7-high", "vmrun.lme-pg-pe"]);
    let mut mended = bad;
    broken.iter().for_each(|one| mended.set(one.field, one.nearest.expect("a value")));
    assert!(check(&page(&mended), &FULL).is_empty());
}

#[test]
fn pdptes_are_looked_at_where_memory_is_known() {
    let pae = page(&image(&[(Field::EFER, 0x1000), (Field::NESTED_CTL, 0)]));
    assert!(check(&pae, &FULL).is_empty());
    let broken = check_with(&pae, &FULL, |at| Some(u64::from(at == world::L2PT + 24) * 0x19));
    assert_eq!(broken.len(), 0, "a PDPTE that is present has no reserved bit here");
    let broken = check_with(&pae, &FULL, |at| Some(u64::from(at == world::L2PT + 24) * 3));
    assert_eq!(broken[0].rule.id, "vmrun.pae-pdpte");
    assert_eq!((broken[0].field, broken[0].value), (Field::CR3, world::L2PT));
}

/// What a case writes into its VMCB ahead of its first VMRUN, if it does no more before that.
fn prepared(case: &svm_model::Case, cpu: &Platform) -> Option<Image> {
    let mut image = image(&[]);
    if !cpu.features.has(CpuFeature::Npt) {
        image.set(Field::NESTED_CTL, 0);
        image.set(Field::N_CR3, 0);
    }
    for step in &case.steps {
        match step {
            Step::Vmcb(field, value) => image.set(*field, *value),
            Step::Vmrun(world::VMCB) => return Some(image),
            _ => return None,
        }
    }
    None
}

#[test]
fn it_agrees_with_the_model_about_generated_cases() {
    let (mut refused, mut accepted) = (0, 0);
    // Of the other families, a part will do: they are about what comes after.
    let about = |(n, case): &(usize, svm_model::Case)| case.id.contains("vmrun") || n % 8 == 0;
    for (_, case) in cases::all(cases::SEED).into_iter().enumerate().filter(about) {
        for cpu in platforms_for(&case) {
            let Some(image) = prepared(&case, &cpu) else { continue };
            let outcome = model::run(&case, &cpu);
            let Some(Obs::Exit(first)) = outcome.obs.first() else { continue };
            let model = first.vmcb.get(Field::EXITCODE) == Some(exit::INVALID);
            let broken = check(&page(&image), &cpu);
            assert_eq!(!broken.is_empty(), model, "{}: {broken:?}", case.id);
            for one in &broken {
                let mut mended = image.clone();
                mended.set(one.field, one.nearest.unwrap_or_else(|| panic!("{}: {one}", case.id)));
                let left = check(&page(&mended), &cpu);
                assert!(left.iter().all(|l| l.rule.id != one.rule.id), "{}: {one}", case.id);
            }
            *(if model { &mut refused } else { &mut accepted }) += 1;
        }
    }
    assert!(refused > 300 && accepted > 3000, "{refused} refused, {accepted} accepted");
}
