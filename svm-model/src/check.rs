//! Why VMRUN refuses a VMCB: every rule that it breaks, where, and what would pass.
//!
//! A processor says VMEXIT_INVALID and no more (APM vol. 2, 15.5.1). Here are the checks that it
//! makes, made by the model's own code: what decides a case decides here.

use alloc::vec::Vec;
use core::fmt;

use crate::case::world;
use crate::cpu::Platform;
use crate::features::vmrun::checks::Checks;
use crate::rules::{Rule, RuleId, Trace};
use crate::vmcb::{Field, Image, SIZE};

/// CS.D: of CS.L and CS.D, the one that a hypervisor did not mean.
const CS_D: u64 = 1 << 10;

/// A rule that a VMCB breaks, so that VMRUN ends with VMEXIT_INVALID.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Broken {
    /// The rule: its id, its section of the manual, and what it says.
    pub rule: &'static Rule,
    /// The field that it looks at. Where it looks at several, the one that is most often wrong.
    pub field: Field,
    /// What the field holds.
    pub value: u64,
    /// The value that is nearest to that one and passes, if all else stays as it is. This rule is
    /// then kept, and none broken that was not; where the field has no such value, one that
    /// keeps this rule. The nearest has the fewest bits changed and, among such values, the
    /// least distance. `None` where no value of this field would do.
    pub nearest: Option<u64>,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Broken { rule, field, value, nearest } = self;
        write!(f, "{} ({}): {field} is {value:#x}", rule.id, rule.citation())?;
        if let Some(nearest) = nearest {
            write!(f, ", {nearest:#x} would pass")?;
        }
        write!(f, ": {}", rule.statement)
    }
}

/// Every rule for which VMRUN refuses the VMCB on that processor, in the order of the checks;
/// none where VMRUN accepts it.
///
/// One check looks beyond the page: with PAE paging and no nested paging, the guest's PDPTEs
/// must be valid. [`check_with`] makes it too.
///
/// ```
/// use svm_model::cpu::{CpuFeature, CpuSet, Platform};
/// use svm_model::vmcb::{Field, SIZE};
/// use svm_model::{check, coverage};
///
/// // What a hypervisor has set up: SVME and an ASID are there, the VMRUN intercept is not.
/// let mut vmcb = [0; SIZE];
/// vmcb[0x058] = 1; // ASID
/// vmcb[0x4d1] = 0x10; // EFER.SVME
///
/// let cpu = Platform {
///     features: CpuSet::of(&[CpuFeature::Svm, CpuFeature::Npt, CpuFeature::Nx]),
///     phys_bits: 48,
///     asids: 32768,
/// };
/// let broken = check(&vmcb, &cpu);
/// assert_eq!(broken.len(), 1);
/// assert_eq!(broken[0].rule.id, "vmrun.intercept-set");
/// assert_eq!(broken[0].field, Field::INTERCEPT_MISC2);
/// assert_eq!(broken[0].nearest, Some(1));
///
/// vmcb[0x010] = 1;
/// assert!(check(&vmcb, &cpu).is_empty());
///
/// // `coverage::FULL` is a processor with every feature that the model knows.
/// vmcb[0x55b] = 0x20; // CR0.NW without CR0.CD
/// let broken = check(&vmcb, &coverage::FULL);
/// assert_eq!(
///     broken[0].to_string(),
///     "vmrun.cr0-cd-nw (APM vol. 2, 15.5.1): cr0 is 0x20000000, 0x0 would pass: \
///      Guest CR0.NW set with CR0.CD clear is refused."
/// );
/// ```
pub fn check(page: &[u8; SIZE], cpu: &Platform) -> Vec<Broken> {
    check_with(page, cpu, |_| None)
}

/// [`check()`], with physical memory: the quadword at an address that is a multiple of 8, where
/// it is known.
///
/// ```
/// use svm_model::check::{check, check_with};
/// use svm_model::coverage::FULL;
/// use svm_model::vmcb::{Field, Image, SIZE};
///
/// let mut image = Image::ZERO;
/// let pae_paging = [
///     (Field::INTERCEPT_MISC2, 1),
///     (Field::GUEST_ASID, 1),
///     (Field::EFER, 0x1000),
///     (Field::CR0, 0x8000_0001),
///     (Field::CR4, 0x20),
///     (Field::CR3, 0x5000),
/// ];
/// pae_paging.iter().for_each(|(field, value)| image.set(*field, *value));
/// let mut vmcb = [0; SIZE];
/// image.write_to(&mut vmcb);
///
/// assert!(check(&vmcb, &FULL).is_empty());
/// // The PDPTE at 0x5000 has a bit set that is reserved.
/// let broken = check_with(&vmcb, &FULL, |address| Some(if address == 0x5000 { 3 } else { 0 }));
/// assert_eq!(broken[0].rule.id, "vmrun.pae-pdpte");
/// ```
pub fn check_with(
    page: &[u8; SIZE],
    cpu: &Platform,
    mut memory: impl FnMut(u64) -> Option<u64>,
) -> Vec<Broken> {
    let mut looked = Looked { image: Image::of(page), cpu, memory: &mut memory };
    let refused = looked.refused();
    refused
        .iter()
        .map(|&(rule, field)| Broken {
            rule: rule.rule(),
            field,
            value: looked.image.get(field),
            nearest: looked.nearest(rule, field, &refused),
        })
        .collect()
}

/// A VMCB that is looked at again and again, with one field changed.
struct Looked<'a> {
    image: Image,
    cpu: &'a Platform,
    memory: &'a mut dyn FnMut(u64) -> Option<u64>,
}

impl Looked<'_> {
    /// What refuses it.
    fn refused(&mut self) -> Vec<(RuleId, Field)> {
        let mut trace = Trace::new(None);
        let mut checks = Checks {
            v: &self.image,
            platform: self.cpu,
            t: &mut trace,
            memory: self.memory,
            refused: Vec::new(),
        };
        checks.consistent();
        checks.refused
    }

    /// What refuses it with that value in the field.
    fn refused_with(&mut self, field: Field, value: u64) -> Vec<(RuleId, Field)> {
        let before = self.image.get(field);
        self.image.set(field, value);
        let refused = self.refused();
        self.image.set(field, before);
        refused
    }

    /// The value of the field that is nearest and keeps the rule, and breaks no other if there
    /// is such a value.
    fn nearest(&mut self, rule: RuleId, field: Field, all: &[(RuleId, Field)]) -> Option<u64> {
        let restored = self.restored(rule, field);
        self.changed(field, restored, &|left| left.0 != rule && all.contains(left))
            .or_else(|| self.changed(field, restored, &|left| left.0 != rule))
    }

    /// The value with one bit changed, with two, or the one given, with which nothing refuses
    /// the VMCB but what is allowed to.
    fn changed(
        &mut self,
        field: Field,
        restored: Option<u64>,
        allowed: &dyn Fn(&(RuleId, Field)) -> bool,
    ) -> Option<u64> {
        let value = self.image.get(field);
        let mut passes = |to: u64| self.refused_with(field, to).iter().all(allowed);
        let single: Vec<u64> = bits(field.mask()).collect();
        let pairs = single.iter().flat_map(|a| single.iter().map(move |b| a | b));
        let mut pairs = pairs.filter(|pair| !pair.is_power_of_two());
        closest(value, field, &mut single.iter().copied(), &mut passes)
            .or_else(|| closest(value, field, &mut pairs, &mut passes))
            .or_else(|| restored.filter(|to| passes(*to)))
    }

    /// A value that keeps the rule, with as many of the field's bits as it can keep, from the
    /// highest on.
    fn restored(&mut self, rule: RuleId, field: Field) -> Option<u64> {
        let value = self.image.get(field);
        let mut keeps = |to: u64| self.refused_with(field, to).iter().all(|(r, _)| *r != rule);
        let usual = world::BASELINE.iter().find(|(f, _)| *f == field).map_or(0, |(_, v)| *v);
        let mut to = [0, usual].into_iter().find(|to| keeps(*to))?;
        let differ: Vec<u64> = bits(field.mask()).filter(|bit| (value ^ to) & bit != 0).collect();
        for bit in differ.iter().rev() {
            if keeps(to ^ bit) {
                to ^= bit;
            }
        }
        Some(to)
    }
}

/// The single bits of a mask, lowest first.
fn bits(mask: u64) -> impl Iterator<Item = u64> {
    (0..64).map(|n| 1 << n).filter(move |bit| mask & bit != 0)
}

/// Of the changes to a value, the one that passes and leads least far.
fn closest(
    value: u64,
    field: Field,
    changes: &mut dyn Iterator<Item = u64>,
    passes: &mut dyn FnMut(u64) -> bool,
) -> Option<u64> {
    let meant = if field == Field::CS_ATTRIB { CS_D } else { 0 };
    let to = changes.map(|change| value ^ change).filter(|to| passes(*to));
    to.min_by_key(|to| ((value ^ to) & meant == 0, value.abs_diff(*to)))
}
