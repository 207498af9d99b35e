//! The processor that VMRUN is asked of, by name.

use std::collections::BTreeMap;

use serde::Deserialize;
use svm_model::cpu::{CpuFeature, CpuSet, Platform};

use crate::host::error::Context;
use crate::{Error, Kind, Result};

/// The one without a name: with all that the model knows, and QEMU's 40 address bits.
const MAX: &str = "max";

/// A processor, as `harness/data/cpus.toml` has it.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Row {
    about: String,
    like: Option<String>,
    phys_bits: Option<u8>,
    asids: Option<u32>,
    features: CpuSet,
}

fn rows() -> Result<BTreeMap<String, Row>> {
    toml::from_str(include_str!("../../data/cpus.toml"))
        .doing(Kind::Harness, || "reading harness/data/cpus.toml".into())
}

/// A processor that is named as QEMU's `-cpu` names it: a model, then features with `+` and
/// `-` in front, and `phys-bits=N`.
///
/// # Errors
/// Usage, when there is no such model, feature or size.
pub fn named(name: &str) -> Result<Platform> {
    let mut parts = name.split(',');
    let mut cpu = model(parts.next().unwrap_or_default())?;
    for part in parts {
        if let Some(bits) = part.strip_prefix("phys-bits=") {
            let size = bits.parse().ok().filter(|bits| (32..=52).contains(bits));
            let what = || usage(format!("phys-bits is {bits:?}, but may be 32 to 52"));
            cpu.phys_bits = size.ok_or_else(what)?;
            continue;
        }
        let (name, with) = match (part.strip_prefix('+'), part.strip_prefix('-')) {
            (Some(name), _) => (name, true),
            (_, Some(name)) => (name, false),
            _ => return Err(usage(format!("{part:?}: +FEATURE, -FEATURE or phys-bits=N"))),
        };
        let feature = CpuFeature::ALL.iter().find(|f| f.name() == name);
        let all = || CpuFeature::ALL.iter().map(|f| f.name()).collect::<Vec<_>>().join(" ");
        let unknown = || usage(format!("no feature is called {name:?}")).hint(all());
        let set = CpuSet::of(&[*feature.ok_or_else(unknown)?]);
        let features = cpu.features;
        cpu.features = if with { features.union(set) } else { features.minus(set) };
    }
    Ok(cpu)
}

fn usage(what: String) -> Error {
    Error::new(Kind::Usage, what)
}

fn model(name: &str) -> Result<Platform> {
    if name == MAX {
        let features = CpuSet::of(CpuFeature::ALL);
        return Ok(Platform { features, phys_bits: 40, asids: 16 });
    }
    let rows = rows()?;
    let Some(row) = rows.get(name) else {
        let of = |(name, row): (&String, &Row)| format!("{name} ({})", row.about);
        let all: Vec<String> = rows.iter().map(of).collect();
        let hint = format!("one of: {MAX}, {}", all.join(", "));
        return Err(usage(format!("no processor is called {name:?}")).hint(hint));
    };
    let base = match &row.like {
        Some(like) => model(like)?,
        None => Platform { features: CpuSet::NONE, phys_bits: 48, asids: 32768 },
    };
    Ok(Platform {
        features: base.features.union(row.features),
        phys_bits: row.phys_bits.unwrap_or(base.phys_bits),
        asids: row.asids.unwrap_or(base.asids),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_read_and_the_later_ones_have_what_the_earlier_have() {
        let all = rows().unwrap();
        assert!(all.len() >= 5);
        for (name, row) in &all {
            let cpu = named(name).unwrap();
            assert!(cpu.features.includes(row.features) && cpu.features.has(CpuFeature::Svm));
        }
        let (genoa, rome) = (named("EPYC-Genoa").unwrap(), named("EPYC-Rome").unwrap());
        assert!(genoa.features.includes(rome.features) && genoa.phys_bits == 52);
        assert!(genoa.features.has(CpuFeature::Vnmi) && !rome.features.has(CpuFeature::Vnmi));
    }

    #[test]
    fn features_and_sizes_are_changed_one_by_one() {
        let cpu = named("EPYC,+vnmi,-npt,phys-bits=43").unwrap();
        assert!(cpu.features.has(CpuFeature::Vnmi) && !cpu.features.has(CpuFeature::Npt));
        assert_eq!(cpu.phys_bits, 43);
        assert_eq!(named("max").unwrap().features, CpuSet::of(CpuFeature::ALL));
    }

    #[test]
    fn what_there_is_not_is_refused_with_what_there_is() {
        for (wrong, says) in [
            ("epyc", "no processor is called \"epyc\""),
            ("epyc", "max, EPYC (Zen)"),
            ("", "no processor is called \"\""),
            ("max,+vmni", "no feature is called \"vmni\""),
            ("max,+vmni", "svm npt"),
            ("max,vnmi", "\"vnmi\": +FEATURE"),
            ("max,phys-bits=60", "phys-bits is \"60\", but may be 32 to 52"),
            ("max,phys-bits=x", "32 to 52"),
        ] {
            let e = named(wrong).unwrap_err();
            assert!(e.kind() == Kind::Usage && e.to_string().contains(says), "{wrong}: {e}");
        }
    }
}
