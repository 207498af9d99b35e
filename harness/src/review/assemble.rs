//! From mails in any order to one series. Pure.
//!
//! The rules are those of `git am` and of people: the newest version is meant,
//! numbers give the order, answers are no patches.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::input::Found;
use crate::mail::Mail;

/// The longest series that there is.
const LONGEST: u32 = 1000;
/// Faults of one kind that are listed.
const LISTED: usize = 20;

/// What keeps a series from being whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub enum Fault {
    /// A patch that the numbering promises is not there.
    Missing {
        /// Its number.
        number: u32,
        /// How many there should be.
        of: u32,
        /// An older version that has that number.
        elsewhere: Option<u32>,
    },
    /// Two different patches have one number.
    Twice {
        /// The number.
        number: u32,
        /// The titles.
        titles: Vec<String>,
    },
    /// A number that no series has.
    TooMuch {
        /// What it is, and how much is too much.
        what: String,
    },
    /// More of a kind than is listed.
    More {
        /// How many.
        count: usize,
        /// Of what.
        what: String,
    },
    /// A mail that cannot be read.
    Damaged {
        /// Why.
        why: String,
    },
}

/// A series, put in order.
#[derive(Clone, Debug, Default)]
pub struct Assembled {
    /// Its version, 1 where none is given.
    pub version: u32,
    /// The mail that describes it.
    pub cover: Option<Mail>,
    /// The patches with their numbers, from 1, in order.
    pub patches: Vec<(u32, Mail)>,
    /// What is missing or wrong.
    pub faults: Vec<Fault>,
    /// What was sorted out, in words.
    pub notes: Vec<String>,
}

/// Puts a series together. With `reroll`, a number that the newest version
/// lacks is taken from the version before it, as when single patches are sent
/// again.
pub fn assemble(found: Found, reroll: bool) -> Assembled {
    let mut out = Assembled { notes: found.notes, ..Assembled::default() };
    let damaged = found.damaged.into_iter().map(|why| Fault::Damaged { why });
    out.some(damaged.collect(), "mails that cannot be read");
    let (patches, rest): (Vec<Mail>, Vec<Mail>) =
        found.mails.into_iter().partition(|m| m.is_patch() && !m.subject.reply);
    out.version = patches.iter().map(|m| m.subject.version).max().unwrap_or(1);
    out.leave_out(rest);
    let mut versions = by_version(patches);
    let newest = versions.remove(&out.version).unwrap_or_default();
    let arrived: Vec<Option<u32>> =
        newest.iter().map(|m| m.subject.place.map(|(n, _)| n)).collect();
    if arrived.windows(2).any(|w| w[0] > w[1]) {
        out.notes.push("the mails were not in order; their numbers are".into());
    }
    let totals = newest.iter().filter_map(|m| m.subject.place).map(|(_, of)| of);
    let total = totals.filter(|of| *of <= LONGEST).max();
    out.number(newest);
    for (version, mails) in versions.iter().rev() {
        out.notes.push(format!(
            "{} of v{version} are left out: v{} is newer",
            mails_in_words(mails.len()),
            out.version
        ));
    }
    if let Some(total) = total {
        out.complete(total, &versions, reroll);
    }
    out
}

fn mails_in_words(n: usize) -> String {
    if n == 1 { "1 patch".into() } else { format!("{n} patches") }
}

fn by_version(mails: Vec<Mail>) -> BTreeMap<u32, Vec<Mail>> {
    let mut versions: BTreeMap<u32, Vec<Mail>> = BTreeMap::new();
    for mail in mails {
        versions.entry(mail.subject.version).or_default().push(mail);
    }
    versions
}

impl Assembled {
    /// Mails that are no patches: the cover letter, answers, chatter.
    fn leave_out(&mut self, mails: Vec<Mail>) {
        let mut ignored = 0;
        for mail in mails {
            let subject = &mail.subject;
            let cover = subject.is_cover() && !subject.reply && subject.version == self.version;
            match cover && self.cover.is_none() {
                true => self.cover = Some(mail),
                false => ignored += 1,
            }
        }
        match ignored {
            0 => {}
            1 => self.notes.push("1 mail is no patch of this version".into()),
            n => self.notes.push(format!("{n} mails are no patches of this version")),
        }
    }

    /// Adds faults of one kind; those that nobody would read are counted.
    fn some(&mut self, mut faults: Vec<Fault>, what: &str) {
        let count = faults.len().saturating_sub(LISTED);
        faults.truncate(LISTED);
        self.faults.append(&mut faults);
        if count > 0 {
            self.faults.push(Fault::More { count, what: what.to_owned() });
        }
    }

    /// Sorts by number; mails without one keep their order and follow.
    fn number(&mut self, mails: Vec<Mail>) {
        let mut numbered: BTreeMap<u32, Vec<Mail>> = BTreeMap::new();
        let mut bare = Vec::new();
        for mail in mails {
            match mail.subject.place {
                Some((n, of)) if n > LONGEST || of > LONGEST => {
                    let what = format!(
                        "`{}` is number {n} of {of}: no series has more than {LONGEST} patches",
                        mail.subject.title
                    );
                    self.faults.push(Fault::TooMuch { what });
                    bare.push(mail);
                }
                Some((n, _)) => numbered.entry(n).or_default().push(mail),
                None => bare.push(mail),
            }
        }
        for (number, mut mails) in numbered {
            let first = mails.remove(0);
            if mails.iter().any(|m| m.diff != first.diff) {
                let titles = std::iter::once(&first).chain(&mails);
                let titles = titles.map(|m| m.subject.title.clone()).collect();
                self.faults.push(Fault::Twice { number, titles });
            } else if !mails.is_empty() {
                self.notes
                    .push(format!("patch {number} is there more than once; all are the same"));
            }
            self.patches.push((number, first));
        }
        let next = self.patches.last().map_or(1, |(n, _)| n + 1);
        self.patches.extend((next..).zip(bare));
    }

    /// Names the numbers that are missing.
    fn complete(&mut self, of: u32, older: &BTreeMap<u32, Vec<Mail>>, reroll: bool) {
        let there: BTreeSet<u32> = self.patches.iter().map(|(n, _)| *n).collect();
        let mut missing = Vec::new();
        for number in (1..=of).filter(|n| !there.contains(n)) {
            let has = |m: &&Mail| m.subject.place == Some((number, of));
            let earlier = older.iter().rev().find_map(|(version, mails)| {
                mails.iter().find(has).map(|mail| (*version, mail.clone()))
            });
            match earlier {
                Some((version, mail)) if reroll => {
                    self.notes.push(format!("patch {number} is that of v{version}"));
                    self.patches.push((number, mail));
                }
                earlier => {
                    let elsewhere = earlier.map(|(version, _)| version);
                    missing.push(Fault::Missing { number, of, elsewhere });
                }
            }
        }
        self.some(missing, "patches that are missing");
        self.patches.sort_by_key(|(n, _)| *n);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(subject: &str, diff: &str) -> Mail {
        let diff = match diff {
            "" => String::new(),
            text => format!("---\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+{text}\n"),
        };
        let text = format!("From: A <a@example.org>\nSubject: {subject}\n\nM.\n{diff}");
        Mail::parse(text.as_bytes()).unwrap()
    }

    fn of(mails: &[(&str, &str)], reroll: bool) -> Assembled {
        let mails = mails.iter().map(|(subject, diff)| mail(subject, diff)).collect();
        assemble(Found { mails, ..Found::default() }, reroll)
    }

    fn titles(a: &Assembled) -> Vec<(u32, &str)> {
        a.patches.iter().map(|(n, m)| (*n, m.subject.title.as_str())).collect()
    }

    #[test]
    fn a_series_out_of_order_with_answers_and_a_cover_is_sorted_out() {
        let a = of(
            &[
                ("[PATCH v2 2/2] b", "b"),
                ("[PATCH v2 0/2] both", ""),
                ("Re: [PATCH v2 1/2] a", ""),
                ("Re: [PATCH v2 1/2] a", "suggestion"),
                ("[PATCH v2 1/2] a", "a"),
            ],
            false,
        );
        assert_eq!(titles(&a), [(1, "a"), (2, "b")]);
        assert_eq!(a.cover.unwrap().subject.title, "both");
        assert_eq!((a.faults, a.version), (vec![], 2));
        assert_eq!(
            a.notes,
            [
                "2 mails are no patches of this version",
                "the mails were not in order; their numbers are"
            ]
        );
    }

    #[test]
    fn a_missing_patch_is_named() {
        let a = of(&[("[PATCH 1/3] a", "a"), ("[PATCH 3/3] c", "c")], false);
        assert_eq!(a.faults, [Fault::Missing { number: 2, of: 3, elsewhere: None }]);
        assert_eq!(titles(&a), [(1, "a"), (3, "c")]);
    }

    #[test]
    fn an_older_version_is_left_out_and_helps_only_when_asked() {
        let both = [("[PATCH 1/2] a", "a"), ("[PATCH 2/2] b", "b"), ("[PATCH v2 2/2] b", "better")];
        let a = of(&both, false);
        assert_eq!(a.faults, [Fault::Missing { number: 1, of: 2, elsewhere: Some(1) }]);
        assert!(
            a.notes.contains(&"2 patches of v1 are left out: v2 is newer".into()),
            "{:?}",
            a.notes
        );
        let a = of(&both, true);
        assert_eq!(titles(&a), [(1, "a"), (2, "b")]);
        assert!(a.faults.is_empty());
    }

    #[test]
    fn one_number_twice_is_a_fault_only_if_the_patches_differ() {
        let a = of(&[("[PATCH 1/1] a", "a"), ("[PATCH 1/1] a", "a")], false);
        assert_eq!((a.faults.len(), a.patches.len()), (0, 1));
        let a = of(&[("[PATCH 1/1] a", "a"), ("[PATCH 1/1] b", "b")], false);
        let titles = vec!["a".into(), "b".into()];
        assert_eq!(a.faults, [Fault::Twice { number: 1, titles }]);
    }

    #[test]
    fn numbers_that_no_series_has_are_said_and_decide_nothing() {
        for of in ["4294967295", "99999999999999999999", "1001"] {
            let a = of_one(&format!("[PATCH 1/{of}] a"));
            assert_eq!((a.faults.len(), a.patches.len()), (1, 1), "{of}");
            assert!(
                matches!(&a.faults[0], Fault::TooMuch { what } if what.contains("number 1 of"))
            );
        }
        let a = of_one("[PATCH 4294967295/3] a");
        assert!(matches!(a.faults[0], Fault::TooMuch { .. }), "{:?}", a.faults);
        let a = of_one("[PATCH v4294967296 1/1000] a");
        assert_eq!(a.faults.len(), LISTED + 1);
        assert!(matches!(a.faults[LISTED], Fault::More { count: 979, .. }));
        assert_eq!(a.version, u32::MAX);
    }

    fn of_one(subject: &str) -> Assembled {
        of(&[(subject, "a")], false)
    }

    #[test]
    fn mails_without_numbers_keep_their_order() {
        let a = of(&[("[PATCH] b", "b"), ("[PATCH] a", "a")], false);
        assert_eq!(titles(&a), [(1, "b"), (2, "a")]);
        assert!(a.faults.is_empty());
    }
}
