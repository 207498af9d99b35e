//! The VMCB of a running QEMU, with its processor and its memory, through its monitor.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use svm_model::cpu::{CpuFeature, CpuSet, CpuidReg, Platform};
use svm_model::vmcb::SIZE;

use super::page::{self, Page};
use crate::host::error::Context;
use crate::qemu::qmp::Qmp;
use crate::{Error, Kind, Result};

/// A monitor that says nothing for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(10);

/// A QEMU that is held while it is looked at.
#[derive(Debug)]
pub struct Running {
    qmp: Qmp,
    /// Which processor.
    cpu: u64,
    /// It ran, and goes on when this is dropped.
    ran: bool,
}

impl Running {
    /// Stops the QEMU whose QMP listens there, and looks at its processor of that number.
    ///
    /// # Errors
    /// Usage, when there is no QMP, or no such processor; Harness, when QEMU refuses.
    pub fn stop(socket: &Path, cpu: u64) -> Result<Running> {
        let doing = || format!("talking to a QEMU at {}", socket.display());
        let stream = UnixStream::connect(socket).doing(Kind::Usage, doing).map_err(|e| {
            e.hint("QEMU listens there when started with -qmp unix:SOCKET,server=on,wait=off")
        })?;
        let qmp = Qmp::over(stream, PATIENCE).doing(Kind::Usage, doing)?;
        let mut running = Running { qmp, cpu, ran: false };
        let status = running.ask("query-status", json!({}))?;
        running.ran = status["running"] == true;
        running.ask("stop", json!({}))?;
        Ok(running)
    }

    fn ask(&mut self, command: &str, arguments: Value) -> Result<Value> {
        let doing = || "asking QEMU's monitor".to_owned();
        self.qmp.execute(command, arguments).doing(Kind::Harness, doing)
    }

    /// What the human monitor answers.
    fn monitor(&mut self, line: &str) -> Result<String> {
        let arguments = json!({ "command-line": line, "cpu-index": self.cpu });
        let said = self.ask("human-monitor-command", arguments)?;
        Ok(said.as_str().unwrap_or_default().to_owned())
    }

    /// What CPUID offers there.
    ///
    /// # Errors
    /// Usage, when there is no such processor; Harness, when QEMU does not say.
    pub fn platform(&mut self) -> Result<Platform> {
        let cpus = self.ask("query-cpus-fast", json!({}))?;
        let cpus = cpus.as_array().cloned().unwrap_or_default();
        let Some(one) = cpus.iter().find(|one| one["cpu-index"] == self.cpu) else {
            let what = format!("there is no processor {}, but {} of them", self.cpu, cpus.len());
            return Err(Error::new(Kind::Usage, what));
        };
        let path = one["qom-path"].clone();
        let words = self.ask("qom-get", json!({ "path": path, "property": "feature-words" }))?;
        let bits = self.ask("qom-get", json!({ "path": path, "property": "phys-bits" }))?;
        let bits = bits.as_u64().and_then(|bits| u8::try_from(bits).ok()).filter(|b| *b != 0);
        let phys_bits = bits.ok_or_else(|| unsaid("how many address bits there are"))?;
        Ok(Platform { features: features(&words), phys_bits, asids: 16 })
    }

    /// Where the VMCB is that the processor runs, or ran last.
    ///
    /// # Errors
    /// Usage, when this QEMU cannot say, or there is none.
    pub fn vmcb(&mut self) -> Result<u64> {
        let said = self.monitor("info svm")?;
        vmcb(&said).ok_or_else(|| {
            let about = said.lines().find(|line| line.trim_start().starts_with("VMCB"));
            let said = about.or(said.lines().next()).unwrap_or("nothing").trim();
            let what = format!("QEMU does not say where a VMCB is: {said}");
            Error::new(Kind::Usage, what).hint("name it with --at ADDRESS, as L1 gives it to VMRUN")
        })
    }

    /// The page there.
    ///
    /// # Errors
    /// Usage, when there is no page.
    pub fn page(&mut self, address: u64) -> Result<Page> {
        let what = || Error::new(Kind::Usage, format!("{address:#x}: no page begins there"));
        if address & (SIZE as u64 - 1) != 0 {
            return Err(what());
        }
        let said = self.monitor(&format!("xp /{}gx {address:#x}", SIZE / 8))?;
        page::hex(&said).map_err(|e| what().because(e))
    }

    /// The quadword there, if there is memory.
    pub fn word(&mut self, address: u64) -> Option<u64> {
        word(&self.monitor(&format!("xp /1gx {address:#x}")).ok()?)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ran {
            // A QEMU that is gone need not go on.
            let _ = self.qmp.execute("cont", json!({}));
        }
    }
}

fn unsaid(what: &str) -> Error {
    Error::new(Kind::Harness, format!("QEMU does not say {what}"))
}

/// The features that QEMU's property `feature-words` has set.
fn features(words: &Value) -> CpuSet {
    let set = |feature: &&CpuFeature| {
        let bit = feature.cpuid();
        let register = match bit.reg {
            CpuidReg::Eax => "EAX",
            CpuidReg::Ebx => "EBX",
            CpuidReg::Ecx => "ECX",
            CpuidReg::Edx => "EDX",
        };
        words.as_array().into_iter().flatten().any(|word| {
            word["cpuid-input-eax"] == bit.leaf
                && word["cpuid-input-ecx"].as_u64().unwrap_or(0) == u64::from(bit.subleaf)
                && word["cpuid-register"] == register
                && word["features"].as_u64().unwrap_or(0) >> bit.bit & 1 == 1
        })
    };
    let found: Vec<CpuFeature> = CpuFeature::ALL.iter().filter(set).copied().collect();
    CpuSet::of(&found)
}

/// The address in what `info svm` says.
fn vmcb(said: &str) -> Option<u64> {
    let line = said.lines().find_map(|line| line.trim().strip_prefix("VMCB"))?;
    let number = line.split_whitespace().find_map(|word| word.strip_prefix("0x"))?;
    u64::from_str_radix(number, 16).ok()
}

/// The number in what `xp` says of one quadword.
fn word(said: &str) -> Option<u64> {
    let (_, number) = said.split_once(':')?;
    u64::from_str_radix(number.trim().strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_monitor_says_is_read() {
        assert_eq!(word("0000000000001000: 0x00000000deadbeef\r\n"), Some(0xdead_beef));
        assert_eq!(word("Cannot access memory\r\n"), None);
        assert_eq!(vmcb("World     L2\r\nVMCB      0x801000\r\n"), Some(0x80_1000));
        assert_eq!(vmcb("unknown command: 'info svm'\r\n"), None);
        assert_eq!(vmcb("VMCB      none\r\n"), None);
    }

    #[test]
    fn feature_words_are_cpuid_s() {
        let words = json!([
            { "cpuid-register": "ECX", "cpuid-input-eax": 0x8000_0001u32, "features": 4 },
            { "cpuid-register": "EDX", "cpuid-input-eax": 0x8000_000au32, "features": 1 },
            { "cpuid-register": "EBX", "cpuid-input-eax": 7, "cpuid-input-ecx": 0, "features": 128 },
        ]);
        let expected = [CpuFeature::Svm, CpuFeature::Npt, CpuFeature::Smep];
        assert_eq!(features(&words), CpuSet::of(&expected));
    }

    #[test]
    fn no_socket_is_named_with_how_to_make_one() {
        let e = Running::stop(Path::new("/nowhere/qmp"), 0).unwrap_err();
        assert_eq!(e.kind(), Kind::Usage);
        assert!(
            e.to_string().contains("/nowhere/qmp") && e.to_string().contains("-qmp unix:"),
            "{e}"
        );
    }
}
