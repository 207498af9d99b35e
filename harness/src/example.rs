//! The example of a hypervisor (`harness/example`) in a QEMU: what it prints, how it ends, and
//! what its VMCB says where it gives up.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::exec::guest;
use crate::explain::{Around, Explanation, cpu, explain, page};
use crate::host::launch;
use crate::qemu::Qemu;
use crate::{Env, Error, Kind, Result};

/// Its sources, in the checkout.
const FOLDER: &str = "harness/example";
/// How the lines begin in which it prints its VMCB.
const VMCB: &str = "vmcb ";
/// The processor that it is given.
const CPU: &str = "max,+svm";
/// It takes a second.
const LIMIT: Duration = Duration::from_secs(60);
/// What isa-debug-exit makes of its good end.
const GOOD: i32 = 0x21;

/// How it went.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Whether the guest came through.
    pub good: bool,
    /// What was printed, the VMCB left out.
    pub lines: Vec<String>,
    /// The VMCB, where the hypervisor gave up.
    pub explained: Option<Explanation>,
}

/// Compiles it, and runs it in that QEMU.
///
/// # Errors
/// Build, when it does not compile; Harness, when QEMU cannot be started, does not end, or ends
/// without a word.
pub fn run(env: &Env, qemu: &Qemu) -> Result<Ran> {
    let program = guest::compile(&env.repo, FOLDER, "svm-example")?;
    let ended = launch::run(&mut command(qemu, &program), LIMIT, |_| false)?;
    let printed: Vec<String> = ended.lines.into_iter().map(|(_, line)| line).collect();
    let good = ended.status.code() == Some(GOOD);
    if !good && printed.iter().all(|line| line.trim().is_empty()) {
        let what = format!("QEMU ended ({}) without a word of the example", ended.status);
        return Err(Error::new(Kind::Harness, what).hint(ended.stderr));
    }
    read(good, &printed)
}

/// As one types it, but for paths.
fn command(qemu: &Qemu, program: &Path) -> Command {
    let mut command = Command::new(&qemu.path);
    for folder in &qemu.firmware {
        command.arg("-L").arg(folder);
    }
    command
        .args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"])
        .args(["-machine", "pc,accel=tcg", "-cpu", CPU, "-m", "64M", "-serial", "stdio"])
        .args(["-device", "isa-debug-exit,iobase=0xf4,iosize=0x4", "-kernel"])
        .arg(program);
    command
}

fn read(good: bool, printed: &[String]) -> Result<Ran> {
    let hex: String = printed
        .iter()
        .filter_map(|line| line.strip_prefix(VMCB))
        .map(|h| format!("{h}\n"))
        .collect();
    let explained = match hex.is_empty() {
        true => None,
        false => Some(explain(&page::hex(&hex)?, &cpu::named("max")?, CPU, Around::default())),
    };
    let lines = printed.iter().filter(|line| !line.starts_with(VMCB) && !line.trim().is_empty());
    Ok(Ran { good, lines: lines.cloned().collect(), explained })
}

#[cfg(test)]
mod tests {
    use svm_model::case::world;
    use svm_model::vmcb::{Field, Image, SIZE, exit};

    use super::*;

    #[test]
    fn a_vmcb_that_is_printed_is_explained() {
        let mut image = Image::ZERO;
        world::BASELINE.iter().for_each(|(field, value)| image.set(*field, *value));
        image.set(Field::EXITCODE, exit::IOIO);
        image.set(Field::EXITINFO1, 0xe9_0210);
        let mut page = [0; SIZE];
        image.write_to(&mut page);
        let mut printed = vec!["h".to_owned(), "failed: no next RIP was saved".to_owned()];
        for line in page.chunks(64) {
            let hex: String = line.iter().map(|byte| format!("{byte:02x}")).collect();
            printed.push(format!("vmcb {hex}"));
        }
        let ran = read(false, &printed).unwrap();
        assert_eq!(ran.lines, printed[..2]);
        let explained = ran.explained.unwrap();
        assert!(explained.exit.unwrap().contains("port 0xe9, 1 byte (OUT)"));
        assert!(explained.suspicious.iter().any(|one| one.field == "nrip"));
        let short = read(false, &printed[..3]).unwrap_err().to_string();
        assert!(short.contains("the hex has 64 bytes"), "{short}");
        assert!(read(true, &printed[..1]).unwrap().explained.is_none());
    }
}
