//! Which hosts a file can be fetched from: what the machine's own apt sources say about its
//! Debian mirror, and what the user says. This repository names none.

use std::fs;
use std::path::Path;

use deb822_fast::Deb822;

/// Names a Debian mirror, before apt's sources do.
const MIRROR: &str = "SVM_DEBIAN_MIRROR";
/// Names an archive that has what mirrors no longer have, by its hash.
const SNAPSHOT: &str = "SVM_DEBIAN_SNAPSHOT";

/// What is said where nothing names a mirror.
pub(super) const NO_MIRROR: &str = "this machine's apt names no Debian mirror; set \
    SVM_DEBIAN_MIRROR to the address of one, the folder that has dists/ and pool/ in it";
const NO_SNAPSHOT: &str = "what a mirror no longer has is in Debian's snapshot archive; set \
    SVM_DEBIAN_SNAPSHOT to its address, which has /file/SHA1 below it";

/// Hosts of Debian's files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts {
    /// What is there now.
    pub mirror: Option<Mirror>,
    /// What was there once.
    pub snapshot: Option<String>,
}

/// A Debian mirror and the keys that its releases are signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// `http://…/debian`.
    pub uri: String,
    /// A keyring's path, when the entry names one.
    pub signed_by: Option<String>,
}

/// What this machine and its user name.
pub fn hosts() -> Hosts {
    hosts_of(|name| std::env::var(name).ok(), Path::new("/etc/apt"))
}

/// [`hosts`] from these variables and the apt configuration folder `etc`.
fn hosts_of(variable: impl Fn(&str) -> Option<String>, etc: &Path) -> Hosts {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    let named = set(MIRROR).map(|uri| Mirror { uri, signed_by: None });
    Hosts { mirror: named.or_else(|| mirror_in(etc)), snapshot: set(SNAPSHOT) }
}

impl Hosts {
    /// The address with its host filled in, or why that cannot be.
    pub(super) fn fill(&self, template: &str) -> Result<String, String> {
        let mut address = template.to_owned();
        let mirror = self.mirror.as_ref().map(|mirror| &mirror.uri);
        for (place, host, unknown) in
            [("{mirror}", mirror, NO_MIRROR), ("{snapshot}", self.snapshot.as_ref(), NO_SNAPSHOT)]
        {
            if address.contains(place) {
                let host = host.ok_or_else(|| format!("no {template}: {unknown}"))?;
                address = address.replace(place, host.trim_end_matches('/'));
            }
        }
        Ok(address)
    }
}

/// The mirror of the first enabled entry for Debian itself (not security
/// updates, not a third party) in the apt configuration folder `etc`.
fn mirror_in(etc: &Path) -> Option<Mirror> {
    let mut files = vec![etc.join("sources.list")];
    if let Ok(dir) = fs::read_dir(etc.join("sources.list.d")) {
        let mut parts: Vec<_> = dir.flatten().map(|e| e.path()).collect();
        parts.sort();
        files.extend(parts);
    }
    files.iter().find_map(|path| {
        let text = fs::read_to_string(path).ok()?;
        let entries = match path.extension()?.to_str()? {
            "list" => one_line(&text),
            "sources" => deb822(&text),
            _ => Vec::new(),
        };
        entries.into_iter().find(is_debian).map(|e| e.mirror)
    })
}

struct Entry {
    mirror: Mirror,
    suites: Vec<String>,
    components: Vec<String>,
}

/// Debian proper: its `main`, from a path that ends in `debian`, over a
/// protocol that any file can be fetched with.
fn is_debian(entry: &Entry) -> bool {
    let uri = &entry.mirror.uri;
    let plain = ["http://", "https://", "file:"].iter().any(|p| uri.starts_with(p));
    plain
        && uri.trim_end_matches('/').ends_with("/debian")
        && entry.components.iter().any(|c| c == "main")
        && !entry.suites.iter().any(|s| s.contains("security"))
}

/// `deb [options] URI suite component…`, a line each.
fn one_line(text: &str) -> Vec<Entry> {
    text.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Entry> {
    let line = line.split('#').next()?.trim();
    let rest = line.strip_prefix("deb-src").or_else(|| line.strip_prefix("deb"))?;
    let rest = rest.strip_prefix(char::is_whitespace)?.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(inner) => inner.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace().map(str::to_string);
    let uri = words.next()?;
    let suite = words.next()?;
    let signed_by = options.split_whitespace().find_map(|o| o.strip_prefix("signed-by="));
    Some(Entry {
        mirror: Mirror { uri, signed_by: signed_by.map(str::to_string) },
        suites: vec![suite],
        components: words.collect(),
    })
}

/// Paragraphs of `Field: value`; a file that is none has no entries, as apt refuses it too.
fn deb822(text: &str) -> Vec<Entry> {
    let paragraphs: Deb822 = match text.parse() {
        Ok(paragraphs) => paragraphs,
        Err(_) => return Vec::new(),
    };
    paragraphs.iter().filter_map(entry).collect()
}

fn entry(paragraph: &deb822_fast::Paragraph) -> Option<Entry> {
    let words = |name| -> Vec<String> {
        let value = paragraph.get(name).unwrap_or_default();
        value.split_whitespace().map(str::to_string).collect()
    };
    if paragraph.get("Enabled").is_some_and(|v| v.trim() == "no") {
        return None;
    }
    // A key given inline cannot be named in a one-line entry.
    let signed_by = paragraph.get("Signed-By").map(str::trim).filter(|v| v.starts_with('/'));
    Some(Entry {
        mirror: Mirror {
            uri: words("URIs").into_iter().next()?,
            signed_by: signed_by.map(str::to_owned),
        },
        suites: words("Suites"),
        components: words("Components"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(name: &str, text: &str) -> Option<Mirror> {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("sources.list.d")).unwrap();
        fs::write(dir.path().join("sources.list.d").join(name), text).unwrap();
        mirror_in(dir.path())
    }

    #[test]
    fn a_one_line_entry_gives_its_mirror_and_keyring() {
        let text = "# deb http://old/debian x main\n\
                    deb http://sec/debian bookworm-security main\n\
                    deb [arch=amd64 signed-by=/k.gpg] http://m.example/debian/ bookworm main # c\n";
        let expected =
            Mirror { uri: "http://m.example/debian/".into(), signed_by: Some("/k.gpg".into()) };
        assert_eq!(from("a.list", text), Some(expected));
    }

    #[test]
    fn a_deb822_entry_gives_its_mirror_and_keyring() {
        let text = "Types: deb\n# a comment\nURIs: http://m.example/debian\n  http://n.example/debian\n\
                    Suites: trixie trixie-updates\nComponents: main\nSigned-By: /k.gpg\n";
        let expected =
            Mirror { uri: "http://m.example/debian".into(), signed_by: Some("/k.gpg".into()) };
        assert_eq!(from("a.sources", text), Some(expected));
        assert_eq!(from("a.sources", &format!("Enabled: no\n{text}")), None);
    }

    #[test]
    fn third_parties_security_and_other_distributions_are_no_debian_mirror() {
        let text = "deb https://x.example/node_20.x nodistro main\n\
                    deb http://u.example/ubuntu noble main\n\
                    deb http://s.example/debian-security bookworm-security main\n\
                    deb mirror+file:/etc/apt/mirrors/debian bookworm main\ndebris\n";
        assert_eq!(from("a.list", text), None);
    }

    #[test]
    fn sources_of_both_forms_are_read_in_apts_order() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("sources.list.d")).unwrap();
        let put = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        let found = || mirror_in(dir.path()).map(|mirror| mirror.uri);
        put(
            "sources.list.d/b.sources",
            "Types: deb\nuris: http://b.example/debian\nSuites: sid\nComponents: main\n",
        );
        assert_eq!(found().as_deref(), Some("http://b.example/debian"));
        put("sources.list.d/a.list", "deb http://a.example/debian sid main\n");
        assert_eq!(found().as_deref(), Some("http://a.example/debian"));
        put("sources.list", "deb http://first.example/debian sid main\n");
        assert_eq!(found().as_deref(), Some("http://first.example/debian"));
        put("sources.list", "# nothing\n");
        put("sources.list.d/a.list", "");
        put("sources.list.d/b.sources", "this is no paragraph\n");
        assert_eq!(found(), None);
    }

    #[test]
    fn what_the_user_names_goes_before_apt_and_serves_where_there_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let none = hosts_of(|_| None, dir.path());
        assert_eq!(none, Hosts::default());
        let e = none.fill("{mirror}/x").unwrap_err();
        assert!(e.contains("set SVM_DEBIAN_MIRROR"), "{e}");
        let e = none.fill("{snapshot}/x").unwrap_err();
        assert!(e.contains("set SVM_DEBIAN_SNAPSHOT"), "{e}");
        fs::write(dir.path().join("sources.list"), "deb http://a.example/debian sid main\n")
            .unwrap();
        let user = |name: &str| Some(format!("http://user.example/{name}/"));
        let hosts = hosts_of(user, dir.path());
        assert_eq!(hosts.fill("{mirror}/x").unwrap(), "http://user.example/SVM_DEBIAN_MIRROR/x");
        assert_eq!(
            hosts.fill("{snapshot}/x").unwrap(),
            "http://user.example/SVM_DEBIAN_SNAPSHOT/x"
        );
        // Empty is as if it were not set.
        let hosts = hosts_of(|_| Some(String::new()), dir.path());
        assert_eq!(hosts.fill("{mirror}/x").unwrap(), "http://a.example/debian/x");
        assert_eq!(hosts.fill("file:///x").unwrap(), "file:///x");
    }

    #[test]
    fn this_repository_names_no_host_of_debian() {
        let pins = crate::qemu::source::pins::Pins::builtin().unwrap();
        assert!(pins.debian.archives.len() > 1);
        for template in &pins.debian.archives {
            assert!(
                template.starts_with("{mirror}/") || template.starts_with("{snapshot}/"),
                "{template}"
            );
        }
    }
}
