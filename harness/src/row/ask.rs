//! What a QEMU binary says about itself through QMP.

use std::collections::BTreeSet;
use std::fs::File;
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::host::cache::io_error;
use crate::host::error::Context;
use crate::host::sandbox::{self, Limits, Room};
use crate::qemu::Qemu;
use crate::{Error, Kind, Result};

/// Asks for the properties of the CPU model that has all there is.
const QUESTIONS: &str = r#"{"execute": "qmp_capabilities"}
{"execute": "query-cpu-model-expansion", "arguments": {"type": "full", "model": {"name": "max"}}}
{"execute": "quit"}
"#;

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "return")]
    value: Expansion,
}

#[derive(Deserialize)]
struct Expansion {
    model: Model,
}

#[derive(Deserialize)]
struct Model {
    props: serde_json::Map<String, serde_json::Value>,
}

/// The CPU features that TCG's `-cpu max` offers.
///
/// # Errors
/// Build, when the binary does not answer.
pub(super) fn features(qemu: &Qemu) -> Result<BTreeSet<String>> {
    let dir = tempfile::tempdir().doing(Kind::Harness, || "making a folder".into())?;
    let file = dir.path().join("questions");
    std::fs::write(&file, QUESTIONS).map_err(|e| io_error("writing", &file, e))?;
    let questions = File::open(&file).map_err(|e| io_error("reading", &file, e))?;
    let mut c = Command::new(&qemu.path);
    c.args(["-machine", "none", "-accel", "tcg", "-nodefaults", "-display", "none"]);
    c.args(["-qmp", "stdio"]);
    let room = Room { limits: Limits::QUESTION, ..Room::default() };
    let text = sandbox::stdout(&mut c, Stdio::from(questions), &room)?;
    parse(&text).ok_or_else(|| {
        let what = format!("asking {} for its CPU features: no answer", qemu.build.name);
        Error::new(Kind::Build, what)
    })
}

fn parse(text: &str) -> Option<BTreeSet<String>> {
    let answer: Answer = text.lines().find_map(|l| serde_json::from_str(l).ok())?;
    let props = answer.value.model.props;
    let on = props.into_iter().filter(|(_, value)| *value == serde_json::Value::Bool(true));
    // QEMU lists some names twice, with `_` as well.
    Some(on.map(|(name, _)| name.replace('_', "-")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_that_are_on_are_listed_once() {
        let text = "{\"QMP\": {}}\n{\"return\": {}}\n{\"return\": {\"model\": {\"name\": \"max\", \
                    \"props\": {\"npt\": true, \"nrip-save\": true, \"nrip_save\": true, \
                    \"lbrv\": false, \"family\": 6}}}}\n{\"return\": {}}\n";
        let names: Vec<String> = parse(text).unwrap().into_iter().collect();
        assert_eq!(names, ["npt", "nrip-save"]);
        assert_eq!(parse("{\"QMP\": {}}\n{\"error\": {}}\n"), None);
    }
}
