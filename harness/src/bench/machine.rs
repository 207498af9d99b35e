//! The machine that measures: figures mean nothing without it.

use serde::{Deserialize, Serialize};

/// What tells one machine from another, and says nothing else of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's model.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Instruction set, as Rust names it.
    pub arch: String,
    /// The kernel and its release.
    pub kernel: String,
    /// Memory, in GiB.
    pub memory_gib: u64,
}

impl Machine {
    /// This one.
    pub fn this() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let uname = rustix::system::uname();
        let text = |s: &std::ffi::CStr| s.to_string_lossy().into_owned();
        Machine {
            cpu: cpu_model(&read("/proc/cpuinfo")).unwrap_or_else(|| "unknown".into()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            arch: std::env::consts::ARCH.into(),
            kernel: format!("{} {}", text(uname.sysname()), text(uname.release())),
            memory_gib: memory_kib(&read("/proc/meminfo")).unwrap_or(0).div_ceil(1 << 20),
        }
    }
}

/// The model that `/proc/cpuinfo` names; on some architectures, the part's number.
fn cpu_model(cpuinfo: &str) -> Option<String> {
    let value = |key: &str| {
        let lines = cpuinfo.lines().filter_map(|l| l.split_once(':'));
        lines.filter(|(k, _)| k.trim() == key).map(|(_, v)| v.trim().to_owned()).next()
    };
    let known = ["model name", "Model", "cpu", "CPU part"];
    known.into_iter().find_map(value).filter(|name| !name.is_empty())
}

fn memory_kib(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|l| l.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_named_where_the_kernel_names_it() {
        let x86 = "processor\t: 0\nmodel name\t: Fast CPU 9000\nprocessor\t: 1\n";
        assert_eq!(cpu_model(x86).as_deref(), Some("Fast CPU 9000"));
        assert_eq!(cpu_model("CPU part\t: 0xd0c\n").as_deref(), Some("0xd0c"));
        assert_eq!(cpu_model("flags: a b\n"), None);
    }

    #[test]
    fn this_machine_has_cores_memory_and_a_kernel() {
        let here = Machine::this();
        assert!(here.cores >= 1 && here.memory_gib >= 1, "{here:?}");
        assert!(here.kernel.starts_with("Linux "), "{here:?}");
        assert_eq!(memory_kib("MemTotal:       16384 kB\nMemFree: 1 kB\n"), Some(16384));
    }
}
