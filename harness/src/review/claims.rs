//! What a commit message says, against what was seen. Pure.

use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;

use super::PatchReview;
use crate::Verdict;
use crate::mail::Mail;

/// Something to say about a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "remark", rename_all = "kebab-case")]
pub enum Remark {
    /// A `Fixes:` line that is not in the usual form.
    FixesForm {
        /// The line's value.
        value: String,
    },
    /// The patch says that it fixes something, and a test passes from here on.
    FixesSeen,
    /// The patch says that it fixes something; no test that ran changed.
    FixesUnseen,
    /// The message names a CPUID bit, and `-cpu max` offers it from here on.
    BitOffered {
        /// As in the message.
        bit: String,
        /// QEMU's name.
        feature: String,
    },
    /// The message names a CPUID bit; what `-cpu max` offers did not change.
    BitUnchanged {
        /// As in the message.
        bit: String,
        /// QEMU's name.
        feature: String,
    },
    /// `-cpu max` offers something new that the message does not speak of.
    Unannounced {
        /// QEMU's name.
        feature: String,
    },
    /// The message names a test, and it passes from here on.
    TestPasses {
        /// The test.
        test: String,
    },
    /// The message names a test, and it does not pass here.
    TestFails {
        /// The test.
        test: String,
        /// How it ends.
        verdict: Verdict,
    },
}

impl Remark {
    /// Whether the message says what is not so.
    pub fn is_objection(&self) -> bool {
        matches!(
            self,
            Remark::FixesForm { .. } | Remark::Unannounced { .. } | Remark::TestFails { .. }
        )
    }
}

static FIXES: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"^[0-9a-f]{10,40} \(".+"\)$"#).expect("a constant"));
static BIT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:CPUID )?Fn\s?([0-9A-F]{4})_([0-9A-F]{4})(?:[ _]|, )E([ABCD])X\s?(?:\[(\d+)\]|bit (\d+))")
        .expect("a constant")
});

/// QEMU's names for the bits of `CPUID Fn8000_000A_EDX`, and for those of other
/// leaves that are SVM's or that it virtualizes.
const NAMES: [((u32, char, u32), &str); 26] = [
    ((0x8000_000a, 'D', 0), "npt"),
    ((0x8000_000a, 'D', 1), "lbrv"),
    ((0x8000_000a, 'D', 2), "svm-lock"),
    ((0x8000_000a, 'D', 3), "nrip-save"),
    ((0x8000_000a, 'D', 4), "tsc-scale"),
    ((0x8000_000a, 'D', 5), "vmcb-clean"),
    ((0x8000_000a, 'D', 6), "flushbyasid"),
    ((0x8000_000a, 'D', 7), "decodeassists"),
    ((0x8000_000a, 'D', 10), "pause-filter"),
    ((0x8000_000a, 'D', 12), "pfthreshold"),
    ((0x8000_000a, 'D', 13), "avic"),
    ((0x8000_000a, 'D', 15), "v-vmsave-vmload"),
    ((0x8000_000a, 'D', 16), "vgif"),
    ((0x8000_000a, 'D', 17), "gmet"),
    ((0x8000_000a, 'D', 20), "v-spec-ctrl"),
    ((0x8000_000a, 'D', 25), "vnmi"),
    ((0x8000_000a, 'D', 28), "svme-addr-chk"),
    ((0x8000_000a, 'D', 29), "bus-lock-threshold"),
    ((0x8000_000a, 'D', 30), "idle-hlt"),
    ((0x8000_0008, 'B', 14), "ibrs"),
    ((0x8000_0008, 'B', 15), "amd-stibp"),
    ((0x8000_0008, 'B', 24), "amd-ssbd"),
    ((0x8000_0001, 'C', 2), "svm"),
    ((0x8000_0001, 'C', 12), "skinit"),
    ((0x8000_0001, 'C', 10), "ibs"),
    ((0x0000_0007, 'B', 1), "tsc-adjust"),
];

/// Everything there is to say about one message.
pub fn remarks(mail: &Mail, patch: &PatchReview) -> Vec<Remark> {
    let mut remarks = fixes(mail, patch);
    remarks.extend(bits(mail, patch));
    remarks.extend(tests(mail, patch));
    remarks
}

fn fixes(mail: &Mail, patch: &PatchReview) -> Vec<Remark> {
    let trailers = mail.trailers();
    let fixes: Vec<_> = trailers.iter().filter(|t| t.name == "Fixes").collect();
    if fixes.is_empty() {
        return Vec::new();
    }
    let odd = fixes.iter().filter(|t| !FIXES.is_match(&t.value));
    let mut remarks: Vec<Remark> =
        odd.map(|t| Remark::FixesForm { value: t.value.clone() }).collect();
    let seen = patch.flips.iter().any(|f| f.to == Some(Verdict::Pass));
    remarks.push(if seen { Remark::FixesSeen } else { Remark::FixesUnseen });
    remarks
}

fn bits(mail: &Mail, patch: &PatchReview) -> Vec<Remark> {
    let text = mail.message.split_whitespace().collect::<Vec<_>>().join(" ");
    let (gained, _) = &patch.features;
    let mut remarks = Vec::new();
    for m in BIT.captures_iter(&text) {
        let number = |n: usize| m.get(n).and_then(|d| d.as_str().parse().ok());
        let leaf = u32::from_str_radix(&format!("{}{}", &m[1], &m[2]), 16).unwrap_or(0);
        let register = m[3].to_ascii_uppercase().chars().next().unwrap_or('?');
        let bit: u32 = number(4).or(number(5)).unwrap_or(u32::MAX);
        let name = NAMES.iter().find(|(key, _)| *key == (leaf, register, bit));
        if let Some((_, name)) = name {
            let (bit, feature) = (m[0].to_string(), (*name).to_string());
            remarks.push(match gained.contains(&feature) {
                true => Remark::BitOffered { bit, feature },
                false => Remark::BitUnchanged { bit, feature },
            });
        }
    }
    let named = |f: &String| {
        let spoken =
            remarks.iter().any(|r| matches!(r, Remark::BitOffered { feature, .. } if feature == f));
        let plain = |t: &str| t.to_lowercase().replace(['-', '_', ' '], "");
        spoken || plain(&text).contains(&plain(f)) || plain(&mail.subject.title).contains(&plain(f))
    };
    let silent: Vec<_> = gained.iter().filter(|f| !named(f)).cloned().collect();
    remarks.extend(silent.into_iter().map(|feature| Remark::Unannounced { feature }));
    remarks
}

/// Tests of the suites that the message names, as far as they changed.
fn tests(mail: &Mail, patch: &PatchReview) -> Vec<Remark> {
    let words: Vec<&str> = mail
        .message
        .split(|c: char| !(c.is_alphanumeric() || "_-.".contains(c)))
        .map(|w| w.trim_matches(['.', '-']))
        .collect();
    let mut remarks = Vec::new();
    for flip in &patch.flips {
        let name = flip.test.rsplit('/').next().unwrap_or(&flip.test);
        if !words.contains(&name) {
            continue;
        }
        let test = flip.test.clone();
        match flip.to {
            Some(Verdict::Pass) => remarks.push(Remark::TestPasses { test }),
            Some(verdict) if flip.worse => remarks.push(Remark::TestFails { test, verdict }),
            _ => {}
        }
    }
    remarks
}

#[cfg(test)]
#[path = "claims_tests.rs"]
mod tests_of_claims;
