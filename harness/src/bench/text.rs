//! The table that a person reads.

use std::fmt::Write;

use super::record::{Measure, Record};
use super::{Report, Unit};
use crate::host::wrap::wrapped;

/// The whole report.
pub fn text(report: &Report) -> String {
    let Record { machine, builds, measures, .. } = &report.record;
    let mut out = String::new();
    let (cores, memory) = (machine.cores, machine.memory_gib);
    let what = [machine.cpu.clone(), format!("{cores} cores"), format!("{memory} GiB")];
    let rest = [machine.arch.clone(), machine.kernel.clone()];
    out += &wrapped(&[&what[..], &rest[..]].concat().join(", "), "");
    out.push('\n');
    for build in builds {
        let series = build.series.as_ref().map_or(String::new(), |s| format!(", series of {s}"));
        let _ = writeln!(out, "{:16} QEMU {}{series}", build.name, build.qemu);
    }
    let width = measures.iter().map(|m| m.name.len()).max().unwrap_or(0).max(7);
    let _ = writeln!(
        out,
        "\n{:width$} | {:>9} {:>9} | {:>6} {:>13} | rounds",
        "measure", "stock", "patched", "ratio", "spread"
    );
    for m in measures {
        out += &row(m, width);
    }
    for failure in &report.failures {
        let _ = write!(out, "\n{}", wrapped(failure, "not measured: "));
    }
    for m in report.risen() {
        let above = format!("{} is more than {} % above stock", m.name, super::TOLERANCE * 100.0);
        let what = "the series slows down what does not use SVM";
        let _ = write!(out, "\n{}", wrapped(&format!("{above}: {what}"), "risen: "));
    }
    out
}

fn row(m: &Measure, width: usize) -> String {
    let value = |v: Option<f64>| v.map_or("-".into(), |v| figure(v, m.unit));
    let ratio = m.ratio.map_or("-".into(), |r| format!("{r:.3}"));
    let spread = m.spread.map_or("-".into(), |(low, high)| format!("{low:.3}-{high:.3}"));
    format!(
        "{:width$} | {:>9} {:>9} | {ratio:>6} {spread:>13} | {}\n",
        m.name,
        value(m.stock),
        value(m.patched),
        m.rounds.len()
    )
}

/// A figure with a unit that fits its size.
pub(crate) fn figure(value: f64, unit: Unit) -> String {
    let scaled = |steps: &[(f64, &str)]| {
        let fits = steps.iter().find(|(size, _)| value >= *size).or(steps.last());
        fits.map_or(String::new(), |(size, name)| format!("{:.2} {name}", value / size))
    };
    match unit {
        Unit::Nanoseconds => scaled(&[(1e9, "s"), (1e6, "ms"), (1e3, "us"), (1.0, "ns")]),
        Unit::Seconds => scaled(&[(1.0, "s"), (1e-3, "ms")]),
        Unit::Instructions => scaled(&[(1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, "")]),
        Unit::Bytes => scaled(&[(1048576.0, "MiB"), (1024.0, "KiB"), (1.0, "B")]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_units_that_fit() {
        let shown = [
            (38_123.0, Unit::Nanoseconds, "38.12 us"),
            (12.0, Unit::Nanoseconds, "12.00 ns"),
            (0.25, Unit::Seconds, "250.00 ms"),
            (1.5e9, Unit::Instructions, "1.50 G"),
            (3145728.0, Unit::Bytes, "3.00 MiB"),
            (0.0, Unit::Bytes, "0.00 B"),
        ];
        for (value, unit, text) in shown {
            assert_eq!(figure(value, unit), text);
        }
    }
}
