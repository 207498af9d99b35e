//! `x86/unittests.cfg`: one section a unit.

use crate::{Error, Kind, Result};

/// Units of the largest tree.
const MOST_UNITS: usize = 1000;

/// One unit, as configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unit {
    /// The section's name.
    pub name: String,
    /// The image, relative to `x86/`.
    pub file: String,
    /// Virtual CPUs.
    pub smp: Option<String>,
    /// The guest's arguments, as one string.
    pub test_args: Option<String>,
    /// Further arguments for QEMU, as the shell would read them.
    pub qemu_params: String,
    /// `i386` or `x86_64`, where only one will do.
    pub arch: Option<String>,
    /// QEMU's machine type.
    pub machine: Option<String>,
    /// The accelerator that it needs.
    pub accel: Option<String>,
    /// `PATH=VALUE` pairs that must hold on the host.
    pub check: Vec<(String, String)>,
    /// Seconds.
    pub timeout: Option<u64>,
    /// Groups that it is in.
    pub groups: Vec<String>,
    /// A shell condition under which it is not run.
    pub disabled_if: Option<String>,
}

/// Reads the whole file; keys that say nothing to us are passed over.
///
/// # Errors
/// Usage, when a line is neither a section, a key, a comment nor empty.
pub fn parse(text: &str) -> Result<Vec<Unit>> {
    let mut units: Vec<Unit> = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |what: &str| {
            let at = format!("reading x86/unittests.cfg, line {}", number + 1);
            Error::new(Kind::Usage, format!("{at}: {what}: {line}"))
        };
        if units.len() > MOST_UNITS {
            return Err(wrong("too many units: no tree has more than a thousand"));
        }
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            if !is_name(name) {
                return Err(wrong("no name of a unit"));
            }
            units.push(Unit { name: name.to_owned(), ..Unit::default() });
            continue;
        }
        let (key, value) = line.split_once('=').ok_or_else(|| wrong("not understood"))?;
        let unit = units.last_mut().ok_or_else(|| wrong("a key before the first section"))?;
        let mut value = value.trim().to_owned();
        if let Some(first) = value.strip_prefix("\"\"\"") {
            value = multi_line(first, &mut lines);
        }
        set(unit, key.trim(), value).ok_or_else(|| wrong("not a number"))?;
    }
    Ok(units)
}

/// Whether a unit may be called so: its logs get its name.
fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
    (1..=100).contains(&name.len()) && !name.starts_with('.') && name.chars().all(plain)
}

/// A value in triple quotes, up to the closing ones; a backslash at the end of
/// a line joins it to the next.
fn multi_line<'a>(first: &str, lines: &mut impl Iterator<Item = (usize, &'a str)>) -> String {
    let mut value = first.to_owned();
    for (_, line) in lines {
        if value.ends_with('\\') {
            value.pop();
        } else {
            value.push('\n');
        }
        let (part, closed) = line.split_once("\"\"\"").map_or((line, false), |(p, _)| (p, true));
        value.push_str(part);
        if closed {
            break;
        }
    }
    value
}

/// None when a number is none.
fn set(unit: &mut Unit, key: &str, value: String) -> Option<()> {
    match key {
        "file" => unit.file = value,
        "smp" => unit.smp = Some(value),
        "test_args" => unit.test_args = Some(unquoted(&value).to_owned()),
        "qemu_params" | "extra_params" => unit.qemu_params = value,
        "arch" => unit.arch = Some(value),
        "machine" => unit.machine = Some(value),
        "accel" => unit.accel = Some(value),
        "check" => {
            let pair = |word: &str| word.split_once('=').map(|(p, v)| (p.into(), v.into()));
            unit.check = value.split_whitespace().filter_map(pair).collect();
        }
        "timeout" => unit.timeout = Some(value.trim_end_matches('s').parse().ok()?),
        "groups" => unit.groups = value.split_whitespace().map(str::to_owned).collect(),
        "disabled_if" => unit.disabled_if = Some(value),
        _ => {}
    }
    Some(())
}

fn unquoted(value: &str) -> &str {
    let pair = |q: char| value.strip_prefix(q).and_then(|v| v.strip_suffix(q));
    pair('"').or_else(|| pair('\'')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_has_a_name_that_leads_nowhere() {
        for name in ["../../x", "..", "a/b", "", "\u{1b}[2J", "a b", &"x".repeat(101)] {
            let e = parse(&format!("[{name}]\nfile = x.flat\n")).unwrap_err();
            assert!(e.kind() == Kind::Usage && e.to_string().contains("no name"), "{e}");
        }
        assert_eq!(parse("[svm_pause-filter.2]\n").unwrap()[0].name, "svm_pause-filter.2");
    }

    #[test]
    fn every_key_is_read() {
        let text = "# units\n\n[one]\nfile = one.flat\nsmp = 2\ntest_args = \"-slow a\"\n\
            qemu_params = -cpu max,+svm -m 4g\narch = x86_64\nmachine = q35\naccel = kvm\n\
            check = /sys/a=Y /sys/b=0\ntimeout = 30s\ngroups = svm fast\n\
            disabled_if = [ x ]\nlabel = ignored\n[two]\nfile=two.flat\n";
        let units = parse(text).unwrap();
        let one = Unit {
            name: "one".into(),
            file: "one.flat".into(),
            smp: Some("2".into()),
            test_args: Some("-slow a".into()),
            qemu_params: "-cpu max,+svm -m 4g".into(),
            arch: Some("x86_64".into()),
            machine: Some("q35".into()),
            accel: Some("kvm".into()),
            check: vec![("/sys/a".into(), "Y".into()), ("/sys/b".into(), "0".into())],
            timeout: Some(30),
            groups: vec!["svm".into(), "fast".into()],
            disabled_if: Some("[ x ]".into()),
        };
        let two = Unit { name: "two".into(), file: "two.flat".into(), ..Unit::default() };
        assert_eq!(units, [one, two]);
    }

    #[test]
    fn values_in_triple_quotes_go_over_lines() {
        let text = "[a]\nextra_params = \"\"\"-m 1g\n -device x,\\\ny=1\"\"\"\nfile = a.flat\n";
        let units = parse(text).unwrap();
        assert_eq!(units[0].qemu_params, "-m 1g\n -device x,y=1");
        assert_eq!(units[0].file, "a.flat");
    }

    #[test]
    fn more_units_than_a_tree_has_are_refused() {
        let many = (0..2000).map(|n| format!("[u{n}]\nfile = u.flat\n")).collect::<String>();
        let error = parse(&many).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(error.to_string().contains("too many units"), "{error}");
    }

    #[test]
    fn what_cannot_be_read_names_its_line() {
        for (text, line) in [("[a]\nnonsense\n", 2), ("file = a\n", 1), ("[a]\n\ntimeout = x\n", 3)]
        {
            let error = parse(text).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage);
            assert!(error.to_string().contains(&format!("line {line}")), "{error}");
        }
    }
}
