//! What a package is called: QEMU's version, and the series on it.

use std::fmt;
use std::fs;

use crate::mail::Mail;
use crate::qemu::build::patch::Patch;
use crate::{Error, Kind, Result};

/// The binary's name, on the path and in the tree.
pub const PROGRAM: &str = "qemu-system-x86_64-svm";
/// The package's name.
pub const NAME: &str = "qemu-svm";

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A version that grows with the series: the day of its youngest patch is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// What QEMU's `VERSION` says.
    pub qemu: String,
    /// The day of the youngest patch: `20261128`.
    pub day: String,
    /// How many patches there are.
    pub patches: usize,
    /// When the youngest was written, as mails and changelogs say it.
    pub date: String,
    /// The same in seconds since 1970: the time that every file gets, so that what is
    /// packed twice is the same.
    pub seconds: i64,
}

impl Version {
    /// That of `qemu`, as its `VERSION` says, with these patches.
    ///
    /// # Errors
    /// Usage, where no package can have the version, or no patch has a date.
    pub fn of(qemu: &str, patches: &[Patch]) -> Result<Version> {
        let good = |c: char| c.is_ascii_alphanumeric() || ".+~".contains(c);
        if !qemu.starts_with(|c: char| c.is_ascii_digit()) || !qemu.chars().all(good) {
            let what = format!("QEMU calls its version {qemu:?}, which no package can have");
            return Err(Error::new(Kind::Usage, what)
                .hint("a version begins with a digit, and has letters, digits, and . + ~"));
        }
        let dates = patches.iter().filter_map(|patch| dated(&Mail::parse(&patch.bytes).ok()?.date));
        let Some((seconds, date)) = dates.max() else {
            let what = "no patch of the series says when it was written";
            return Err(Error::new(Kind::Usage, what).hint(
                "a version that grows has the day of the youngest patch: `Date:` in its mail",
            ));
        };
        let day = day(&date).unwrap_or_default();
        Ok(Version { qemu: qemu.to_owned(), day, patches: patches.len(), date, seconds })
    }

    /// The tarball, without its end.
    pub fn folder(&self) -> String {
        format!("{NAME}-{self}-x86_64")
    }

    /// The tarball.
    pub fn tarball(&self) -> String {
        format!("{}.tar.zst", self.folder())
    }

    /// The version of the Debian package: that of one built elsewhere is another one.
    pub fn debian(&self) -> String {
        format!("{self}-1~{}", release(&fs::read_to_string("/etc/os-release").unwrap_or_default()))
    }

    /// The Debian package.
    pub fn deb(&self) -> String {
        format!("{NAME}_{}_amd64.deb", self.debian())
    }
}

/// `10.2.2+svm20261128.180`.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}+svm{}.{}", self.qemu, self.day, self.patches))
    }
}

/// A mail's date, and when that was.
fn dated(date: &str) -> Option<(i64, String)> {
    day(date)?;
    Some((mailparse::dateparse(date).ok()?, date.to_owned()))
}

/// `20261128` of `Sat, 28 Nov 2026 06:26:04 +0000`.
fn day(date: &str) -> Option<String> {
    let (_, rest) = date.split_once(", ")?;
    let mut words = rest.split_whitespace();
    let (day, month, year) = (words.next()?, words.next()?, words.next()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let (day, year) = (day.parse::<u8>().ok()?, year.parse::<u16>().ok()?);
    (1970 <= year && (1..=31).contains(&day)).then(|| format!("{year}{month:02}{day:02}"))
}

/// `deb12`, or what another system calls itself: `ubuntu24.04`.
fn release(os_release: &str) -> String {
    let value = |key: &str| {
        let lines = os_release.lines().filter_map(|line| line.split_once('='));
        let found =
            lines.filter(|(name, _)| *name == key).map(|(_, value)| value.trim_matches('"'));
        found.map(str::to_owned).next()
    };
    let id = value("ID").unwrap_or_else(|| "local".to_owned());
    let id = if id == "debian" { "deb".to_owned() } else { id };
    let text = id + &value("VERSION_ID").unwrap_or_default();
    text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '.').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(date: &str) -> Patch {
        let text = format!("From: a <a@b>\nDate: {date}\nSubject: x\n\n---\n");
        Patch { path: "x.patch".into(), bytes: text.into() }
    }

    const OLD: &str = "Fri, 2 Jan 2026 06:26:04 +0000";
    const NEW: &str = "Sat, 28 Nov 2026 23:26:04 +0200";

    #[test]
    fn the_youngest_patch_gives_the_day_wherever_it_stands() {
        let version = Version::of("10.2.2", &[patch(OLD), patch(NEW), patch(OLD)]).unwrap();
        assert_eq!(version.to_string(), "10.2.2+svm20261128.3");
        assert_eq!(version.tarball(), "qemu-svm-10.2.2+svm20261128.3-x86_64.tar.zst");
        assert_eq!((version.date.as_str(), version.seconds), (NEW, 1_795_901_164));
        assert!(version.deb().starts_with("qemu-svm_10.2.2+svm20261128.3-1~"));
        let older = Version::of("10.2.2", &[patch(OLD)]).unwrap();
        assert!(older.day < version.day && older.day == "20260102");
    }

    #[test]
    fn what_no_package_can_be_called_is_refused() {
        for name in ["", "v10", "10.2-rc1", "10.2 (x)", "10:2"] {
            assert_eq!(Version::of(name, &[patch(NEW)]).unwrap_err().kind(), Kind::Usage, "{name}");
        }
        for date in ["", "yesterday", "Sat, 32 Nov 2026 06:26:04 +0000", "Sat, 1 Foo 2026 06:26:04"]
        {
            let e = Version::of("10.2.2", &[patch(date)]).unwrap_err().to_string();
            assert!(e.contains("when it was written"), "{date}: {e}");
        }
        assert!(Version::of("10.2.2", &[]).is_err());
    }

    #[test]
    fn a_release_is_called_as_its_packages_are() {
        assert_eq!(release("ID=debian\nVERSION_ID=\"12\"\n"), "deb12");
        assert_eq!(release("ID=ubuntu\nVERSION_ID=\"24.04\"\n"), "ubuntu24.04");
        assert_eq!(release("ID=debian\n"), "deb");
        assert_eq!(release(""), "local");
    }
}
