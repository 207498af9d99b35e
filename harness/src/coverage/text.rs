//! What was reached, for people.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{File, Reached, Unreached};
use crate::host::wrap::wrapped;

/// A table of the files, and below it what is not reached: what nobody explained, and
/// with `all` what somebody did.
pub fn text(reached: &Reached, all: bool) -> String {
    let mut out = wrapped(&reached.suites.join(", "), "ran: ");
    let _ = writeln!(out, "\n{:<40} {:>6} {:>6} {:>7} {:>8}", "", "lines", "ran", "", "branches");
    for (name, file) in &reached.files {
        out += &row(name.strip_prefix("target/i386/").unwrap_or(name), file);
    }
    let total = reached.total();
    out += &row("all", &total);
    for (name, file) in &reached.files {
        out += &unreached(name, file, all);
    }
    for reason in &reached.stale {
        out += &wrapped(reason, "\na reason for what is reached, or gone: ");
    }
    let open = reached.unexplained().count();
    let explained = total.lines - total.ran - open;
    let _ = writeln!(
        out,
        "\n{} of {} lines reached; {explained} are not, with a reason; {open} without",
        total.ran, total.lines
    );
    out
}

fn row(name: &str, file: &File) -> String {
    let share = |part: usize, of: usize| match of {
        0 => String::new(),
        // Never 100.0 for less than all.
        _ => format!("{:.1} %", (part * 1000 / of) as f64 / 10.0),
    };
    format!(
        "{name:<40} {:>6} {:>6} {:>7} {:>8}\n",
        file.lines,
        file.ran,
        share(file.ran, file.lines),
        share(file.taken, file.branches)
    )
}

/// The lines of a file, by function and reason.
fn unreached(name: &str, file: &File, all: bool) -> String {
    let mut groups: BTreeMap<(&str, Option<&str>), Vec<&Unreached>> = BTreeMap::new();
    for line in file.unreached.iter().filter(|u| all || u.reason.is_none()) {
        groups.entry((&line.function, line.reason.as_deref())).or_default().push(line);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, lines)| lines[0].line);
    let mut out = String::new();
    for ((function, reason), lines) in groups {
        let _ = writeln!(out, "\n{name}, {function}");
        for line in lines {
            let _ = writeln!(out, "{:>6}  {}", line.line, line.text);
        }
        if let Some(reason) = reason {
            out += &wrapped(reason, "        ");
        }
    }
    out
}
