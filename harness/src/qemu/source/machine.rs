//! What the machine's own apt sources say about its Debian mirror.

use std::fs;
use std::path::Path;

/// A Debian mirror and the keys that its releases are signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// `http://…/debian`.
    pub uri: String,
    /// A keyring's path, when the entry names one.
    pub signed_by: Option<String>,
}

/// The mirror of the first enabled entry for Debian itself (not security
/// updates, not a third party).
pub fn mirror() -> Option<Mirror> {
    mirror_in(Path::new("/etc/apt"))
}

/// [`mirror`] from the apt configuration folder `etc`.
pub fn mirror_in(etc: &Path) -> Option<Mirror> {
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

/// Paragraphs of `Field: value`.
fn deb822(text: &str) -> Vec<Entry> {
    let lines: Vec<&str> = text.lines().filter(|l| !l.starts_with('#')).collect();
    lines.split(|l| l.trim().is_empty()).filter_map(parse_paragraph).collect()
}

fn parse_paragraph(lines: &[&str]) -> Option<Entry> {
    // A value goes on in the lines after it that begin with a space.
    let field = |name: &str| -> Option<String> {
        let at = lines.iter().position(|l| {
            l.split_once(':').is_some_and(|(f, _)| f.trim().eq_ignore_ascii_case(name))
        })?;
        let first = lines[at].split_once(':')?.1;
        let more = lines[at + 1..].iter().take_while(|l| l.starts_with([' ', '\t']));
        Some(std::iter::once(&first).chain(more).map(|l| l.trim()).collect::<Vec<_>>().join(" "))
    };
    let words = |name| -> Vec<String> {
        field(name).unwrap_or_default().split_whitespace().map(str::to_string).collect()
    };
    if field("Enabled").is_some_and(|v| v == "no") {
        return None;
    }
    // A key given inline cannot be named in a one-line entry.
    let signed_by = field("Signed-By").filter(|v| v.starts_with('/'));
    Some(Entry {
        mirror: Mirror { uri: words("URIs").into_iter().next()?, signed_by },
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
}
