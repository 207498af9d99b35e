//! Plots, as numbers that `index.html` makes SVG of.

use serde::Serialize;

use crate::Verdict;
use crate::bench::record::{Measure, Record};
use crate::qemu::{BuildIdentity, Side};
use crate::record::history::History;
use crate::suites::WHOLE;

const WIDTH: f64 = 340.0;
const HEIGHT: f64 = 190.0;
const LEFT: f64 = 30.0;
const TOP: f64 = 18.0;
/// Where the columns stand.
const BOTTOM: f64 = 158.0;

/// A column plot.
#[derive(Serialize)]
pub(super) struct Plot {
    title: String,
    /// What a reader who cannot see it is told.
    words: String,
    note: Option<String>,
    width: f64,
    height: f64,
    left: f64,
    bottom: f64,
    marks: Vec<Mark>,
    columns: Vec<Column>,
}

#[derive(Serialize)]
struct Mark {
    y: f64,
    label: String,
}

#[derive(Serialize)]
struct Column {
    x: f64,
    middle: f64,
    width: f64,
    top: f64,
    value: String,
    above: String,
    below: String,
    words: String,
    parts: Vec<Part>,
}

#[derive(Serialize)]
struct Part {
    class: String,
    y: f64,
    height: f64,
}

/// One column before it has a place.
struct Bar {
    value: String,
    above: String,
    below: String,
    words: String,
    /// Class and size, from the bottom up.
    parts: Vec<(String, f64)>,
}

/// How many tests of a suite came to what, build by build.
pub(super) fn verdicts(history: &History<'_>, suite: &str) -> Plot {
    let bars = (0..history.builds.len()).map(|at| {
        let of_suite = history.tests.iter().filter(|(id, _)| id.suite == suite && id.test != WHOLE);
        let here: Vec<Verdict> =
            of_suite.filter_map(|(_, line)| Some(line.rows[at]?.verdict)).collect();
        let count = |v: Verdict| here.iter().filter(|x| **x == v).count();
        let counts = Verdict::ALL.into_iter().map(|v| (v, count(v))).filter(|(_, n)| *n > 0);
        let counts: Vec<(Verdict, usize)> = counts.collect();
        let build = history.builds[at].build;
        let words: Vec<String> = counts.iter().map(|(v, n)| format!("{n} {v}")).collect();
        Bar {
            value: if here.is_empty() { "–".into() } else { count(Verdict::Pass).to_string() },
            above: build.side.to_string(),
            below: version(build).to_owned(),
            words: format!("{}: {}", build.name, words.join(", ")),
            parts: counts.iter().map(|(v, n)| (v.name().to_owned(), *n as f64)).collect(),
        }
    });
    let bars: Vec<Bar> = bars.collect();
    let note = "The number is that of the tests that pass.".to_owned();
    plot(format!("{suite}, tests"), Some(note), bars)
}

/// What VMRUN and #VMEXIT take on each build; none where they were not measured.
pub(super) fn world_switch(record: &Record) -> Option<Plot> {
    let of = |name: &str| record.measures.iter().find(|m| m.name == name);
    let (vmrun, vmexit) = (of("world-switch/vmrun")?, of("world-switch/vmexit")?);
    let bar = |build: &BuildIdentity| {
        let side = |m: &Measure| if build.side == Side::Stock { m.stock } else { m.patched };
        let [vmrun, vmexit] = [side(vmrun)?, side(vmexit)?].map(|ns| ns / 1000.0);
        Some(Bar {
            value: format!("{:.1}", vmrun + vmexit),
            above: build.side.to_string(),
            below: version(build).to_owned(),
            words: format!("{}: VMRUN {vmrun:.1} µs, #VMEXIT {vmexit:.1} µs", build.name),
            parts: vec![("vmrun".into(), vmrun), ("vmexit".into(), vmexit)],
        })
    };
    let bars: Vec<Bar> = record.builds.iter().filter_map(bar).collect();
    let note = "VMRUN below, #VMEXIT above it; from L1 to L2 and back.".to_owned();
    Some(plot("A world switch, µs".into(), Some(note), bars)).filter(|p| !p.columns.is_empty())
}

/// `10.2.2` of `stock-10.2.2`.
fn version(build: &BuildIdentity) -> &str {
    build.name.trim_start_matches(build.side.name()).trim_start_matches('-')
}

fn plot(title: String, note: Option<String>, bars: Vec<Bar>) -> Plot {
    let size = |bar: &Bar| bar.parts.iter().map(|(_, size)| size).sum::<f64>();
    let step = nice_step(bars.iter().map(size).fold(1.0, f64::max));
    let top = (bars.iter().map(size).fold(1.0, f64::max) / step).ceil() * step;
    let scale = |size: f64| size * (BOTTOM - TOP) / top;
    let marks = (0..=(top / step).round() as u32).map(|n| {
        let value = f64::from(n) * step;
        Mark { y: round(BOTTOM - scale(value)), label: label(value) }
    });
    let words = bars.iter().map(|bar| bar.words.clone()).collect::<Vec<_>>().join("; ");
    let pitch = (WIDTH - LEFT) / bars.len().max(1) as f64;
    let width = (pitch * 0.62).min(46.0);
    let columns = bars.into_iter().enumerate().map(|(n, bar)| {
        let middle = LEFT + pitch * (n as f64 + 0.5);
        let mut y = BOTTOM;
        let part = |(class, size): (String, f64)| {
            y -= scale(size);
            Part { class, y: round(y), height: round(scale(size)) }
        };
        let parts: Vec<Part> = bar.parts.into_iter().map(part).collect();
        Column {
            x: round(middle - width / 2.0),
            middle: round(middle),
            width: round(width),
            top: round(y),
            value: bar.value,
            above: bar.above,
            below: bar.below,
            words: bar.words,
            parts,
        }
    });
    let columns = columns.collect();
    let (left, bottom) = (LEFT, BOTTOM);
    let marks = marks.collect();
    Plot { title, words, note, width: WIDTH, height: HEIGHT, left, bottom, marks, columns }
}

/// Two to five marks, on round numbers.
fn nice_step(largest: f64) -> f64 {
    let magnitude = 10f64.powf((largest / 4.0).log10().floor());
    let fits = |factor: &f64| largest / (factor * magnitude) <= 5.0;
    [1.0, 2.0, 5.0, 10.0].into_iter().find(fits).unwrap_or(10.0) * magnitude
}

fn label(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_numbers_and_few() {
        for (largest, step) in [(1.0, 0.2), (4.0, 1.0), (37.0, 10.0), (142.0, 50.0), (346.0, 100.0)]
        {
            assert!((nice_step(largest) - step).abs() < 1e-9, "{largest}: {}", nice_step(largest));
        }
    }

    #[test]
    fn the_tallest_column_stays_inside() {
        let bar = |size: f64| Bar {
            value: String::new(),
            above: String::new(),
            below: String::new(),
            words: String::new(),
            parts: vec![("pass".into(), size), ("fail".into(), 1.0)],
        };
        let plot = plot("t".into(), None, vec![bar(345.0), bar(10.0)]);
        let tallest = &plot.columns[0];
        assert!(tallest.top >= TOP && tallest.x >= LEFT);
        let sum: f64 = tallest.parts.iter().map(|p| p.height).sum();
        assert!((sum - (BOTTOM - tallest.top)).abs() < 0.3, "{sum}");
    }
}
