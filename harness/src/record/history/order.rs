//! Which build comes before which.

use crate::qemu::{BuildIdentity, Side};

/// Builds that are each other's history: one side, one flavour.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lane {
    /// Stock or patched.
    pub side: Side,
    /// Empty for release, else as in the build's name (`asan`).
    pub flavour: String,
}

/// Where a build belongs among the others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The numbers of its version.
    pub version: Vec<u32>,
    /// Its lane.
    pub lane: Lane,
}

impl Place {
    /// From what identifies the build.
    pub fn of(build: &BuildIdentity) -> Self {
        let text = build.qemu.split_whitespace().next().unwrap_or_default();
        let digits = |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>();
        let version = text.split('.').map_while(|part| digits(part).parse().ok()).collect();
        let rest = build.name.strip_prefix(&format!("{}-{text}", build.side)).unwrap_or_default();
        let flavour = rest.trim_start_matches('-').to_owned();
        Place { version, lane: Lane { side: build.side, flavour } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::fixtures::set;

    fn place(name: &str, qemu: &str) -> Place {
        let mut build = set(name, vec![]).build;
        build.qemu = qemu.into();
        Place::of(&build)
    }

    #[test]
    fn the_flavour_is_what_the_name_has_behind_the_version() {
        let asan = place("stock-10.2.2-asan", "10.2.2");
        assert_eq!((asan.version, asan.lane.flavour.as_str()), (vec![10, 2, 2], "asan"));
        assert_eq!(place("stock-11.0.0", "11.0.0 (v11)").lane.flavour, "");
        assert_eq!(place("stock-11.0.50-rc1", "11.0.50-rc1").version, [11, 0, 50]);
    }
}
