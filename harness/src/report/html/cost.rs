//! What `cargo xtask bench` measured, for the first page.

use serde::Serialize;

use super::plot::{self, Plot};
use crate::bench::figure;
use crate::bench::record::{Measure, Record};

/// The section's values.
#[derive(Serialize)]
pub(super) struct Costs {
    machine: String,
    builds: String,
    plots: Vec<Plot>,
    measures: Vec<Cost>,
}

#[derive(Serialize)]
struct Cost {
    name: String,
    stock: String,
    patched: String,
    ratio: String,
    spread: String,
}

pub(super) fn costs(record: &Record) -> Costs {
    let machine = &record.machine;
    let builds = record.builds.iter().map(|build| match &build.series {
        Some(series) => format!("{} ({} patches)", build.name, series.patches),
        None => build.name.clone(),
    });
    Costs {
        machine: format!("{}, {} cores", machine.cpu, machine.cores),
        builds: builds.collect::<Vec<_>>().join(" and "),
        plots: plot::world_switch(record).into_iter().collect(),
        measures: record.measures.iter().map(cost).collect(),
    }
}

fn cost(m: &Measure) -> Cost {
    let value = |v: Option<f64>| v.map_or("–".into(), |v| figure(v, m.unit));
    Cost {
        name: m.name.clone(),
        stock: value(m.stock),
        patched: value(m.patched),
        ratio: m.ratio.map_or("–".into(), |r| format!("{r:.3}")),
        spread: m.spread.map_or("–".into(), |(low, high)| format!("{low:.3} to {high:.3}")),
    }
}
