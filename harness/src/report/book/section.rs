//! Sections of the manual, in its order.

use svm_model::rules::{self, Rule, RuleId};

/// Where in the manual: volume 2 by its numbers, then volume 3's pages by their names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Section {
    volume: u8,
    numbers: Vec<u32>,
    name: String,
}

/// What a group of sections is about, in our words: by the beginning of their numbers.
const GROUPS: [(&[u32], &str); 31] = [
    (&[3], "System resources"),
    (&[5], "Page translation and protection"),
    (&[7], "Memory"),
    (&[8], "Exceptions and interrupts"),
    (&[13], "Debugging"),
    (&[15, 4], "Enabling SVM"),
    (&[15, 5], "VMRUN"),
    (&[15, 6], "#VMEXIT"),
    (&[15, 7], "Intercepts: what an exit saves"),
    (&[15, 8], "Decode assists, and accesses to control and debug registers"),
    (&[15, 9], "Intercepts of instructions"),
    (&[15, 10], "Intercepts of ports"),
    (&[15, 11], "Intercepts of MSRs"),
    (&[15, 12], "Intercepts of exceptions"),
    (&[15, 13], "Intercepts of interrupts"),
    (&[15, 14], "Other intercepts"),
    (&[15, 15], "VMCB caching"),
    (&[15, 16], "TLB control"),
    (&[15, 17], "The global interrupt flag, STGI and CLGI"),
    (&[15, 18], "VMMCALL"),
    (&[15, 19], "Paged real mode"),
    (&[15, 20], "Event injection"),
    (&[15, 21], "Interrupts and the local APIC"),
    (&[15, 22], "System management mode"),
    (&[15, 23], "Virtualisation of last-branch records"),
    (&[15, 25], "Nested paging"),
    (&[15, 30], "SVM's MSRs"),
    (&[15, 31], "The SVM lock"),
    (&[15, 33], "Nested virtualisation"),
    (&[15, 35], "Encrypted state: what processors without it do"),
    (&[15, 37], "Virtualisation of SPEC_CTRL"),
];

impl Section {
    /// Of a rule: its citation is `APM vol. 2, 15.5.1` or `APM vol. 3, CLGI`.
    pub(super) fn of(rule: &Rule) -> Section {
        let citation = rule.citation();
        let rest = citation.trim_start_matches("APM vol. ");
        let (volume, name) = rest.split_once(", ").unwrap_or(("", rest));
        let numbers: Option<Vec<u32>> = name.split('.').map(|n| n.parse().ok()).collect();
        Section {
            volume: volume.parse().unwrap_or(u8::MAX),
            numbers: numbers.unwrap_or_default(),
            name: name.to_owned(),
        }
    }

    /// `15.5.1`, `vol. 3, CLGI`.
    pub(super) fn label(&self) -> String {
        match self.volume {
            2 => self.name.clone(),
            volume => format!("vol. {volume}, {}", self.name),
        }
    }

    /// Its page, from the book's folder.
    pub(super) fn path(&self) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
        let name: String = self.name.chars().map(plain).collect();
        match self.volume {
            2 => format!("section/{name}.html"),
            volume => format!("section/volume-{volume}-{}.html", name.to_lowercase()),
        }
    }

    /// What its group is about, if there is such a group.
    fn known(&self) -> Option<&'static str> {
        let group = GROUPS.iter().find(|(numbers, _)| self.numbers.starts_with(numbers));
        match self.volume {
            3 => Some("Pages of instructions"),
            _ => group.map(|(_, title)| *title),
        }
    }

    /// The group that it is listed in: `15.5 VMRUN`.
    pub(super) fn group(&self) -> String {
        let depth = if self.numbers.first() == Some(&15) { 2 } else { 1 };
        let numbers: Vec<String> =
            self.numbers.iter().take(depth).map(ToString::to_string).collect();
        let number = if self.volume == 2 { numbers.join(".") } else { "Volume 3".to_owned() };
        format!("{number} {}", self.known().unwrap_or_default()).trim_end().to_owned()
    }
}

/// A section, and its rules in the order of their tables.
pub(super) type Filled = (Section, Vec<(RuleId, &'static Rule)>);

/// Every section that has rules, in the manual's order.
pub(super) fn all() -> Vec<Filled> {
    let mut found: Vec<Filled> = Vec::new();
    for (id, rule) in rules::all() {
        let section = Section::of(rule);
        match found.iter_mut().find(|(s, _)| *s == section) {
            Some((_, rules)) => rules.push((id, rule)),
            None => found.push((section, vec![(id, rule)])),
        }
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn sections_are_in_the_manuals_order_each_with_a_page_and_a_group() {
        let all = all();
        assert_eq!(all.iter().map(|(_, rules)| rules.len()).sum::<usize>(), rules::COUNT);
        let place = |label: &str| {
            all.iter().position(|(s, _)| s.label() == label).unwrap_or_else(|| panic!("{label}"))
        };
        let order = ["15.5.1", "15.6", "15.9", "15.10.1", "15.25.13", "vol. 3, CLGI"].map(place);
        assert!(order.is_sorted(), "{order:?}");
        let paths: BTreeSet<String> = all.iter().map(|(s, _)| s.path()).collect();
        assert_eq!(paths.len(), all.len());
        let bare: Vec<String> =
            all.iter().filter(|(s, _)| s.known().is_none()).map(|(s, _)| s.label()).collect();
        assert_eq!(bare, [""; 0]);
    }
}
