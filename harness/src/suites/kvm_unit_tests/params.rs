//! What of a tree's own arguments QEMU gets: what tests need, and nothing that
//! reads or writes a file of the host or opens a connection.

/// Options that take a value.
const WITH_VALUE: [&str; 11] =
    ["cpu", "m", "M", "machine", "smp", "device", "overcommit", "global", "append", "rtc", "numa"];
/// Options without one.
const ALONE: [&str; 3] = ["enable-kvm", "no-reboot", "nodefaults"];
/// Options with one value only.
const FIXED: [(&str, &str); 4] =
    [("net", "none"), ("nic", "none"), ("vga", "none"), ("display", "none")];
/// Properties that name files, and devices that do nothing else.
const FILES: [&str; 12] = [
    "file",
    "filename",
    "path",
    "mem-path",
    "dumpdtb",
    "dtb",
    "firmware",
    "romfile",
    "logfile",
    "loader",
    "guest-loader",
    "chardev",
];

/// A unit's arguments, in two heaps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Params {
    /// What QEMU gets.
    pub(super) kept: Vec<String>,
    /// What it does not, as it would be typed.
    pub(super) left_out: Vec<String>,
}

/// Sorts the words of a `qemu_params` line.
pub(super) fn sort(words: &[String]) -> Params {
    let mut params = Params::default();
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        let name = word.strip_prefix("--").or_else(|| word.strip_prefix('-')).unwrap_or("");
        let value = words.next_if(|next| !next.starts_with('-') || WITH_VALUE.contains(&name));
        let whole = || std::iter::once(word).chain(value).cloned();
        let allowed = match value {
            None => ALONE.contains(&name),
            Some(value) => {
                (WITH_VALUE.contains(&name) && is_harmless(value))
                    || FIXED.contains(&(name, value.as_str()))
            }
        };
        match allowed {
            true => params.kept.extend(whole()),
            false => params.left_out.push(whole().collect::<Vec<_>>().join(" ")),
        }
    }
    params
}

/// Whether a value names no file, however it may be spelt.
pub(super) fn is_harmless(value: &str) -> bool {
    let names = value.split([',', '=', '.', ':']);
    !value.contains('/') && !names.map(str::trim).any(|name| FILES.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Params {
        sort(&text.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn what_trees_need_goes_through() {
        for text in [
            "-cpu max,+svm,-npt -m 4g",
            "-cpu qemu64,-pcid,+invpcid",
            "-machine vmport=on -overcommit cpu-pm=on",
            "-M q35,kernel-irqchip=split -device intel-iommu,intremap=on,eim=off -device edu",
            "-enable-kvm -m 2048 -net none",
        ] {
            let params = of(text);
            assert_eq!((params.kept.join(" "), params.left_out.len()), (text.to_owned(), 0));
        }
    }

    #[test]
    fn what_writes_reads_or_connects_is_left_out_and_named() {
        for text in [
            "-D /tmp/owned",
            "-D owned",
            "-monitor unix:owned,server=on",
            "-qmp tcp:127.0.0.1:1",
            "-chardev file,id=x,path=owned",
            "-device loader,file=secret",
            "-global fw_cfg.filename=secret",
            "-machine dumpdtb=owned",
            "-machine q35,firmware=secret",
            "-object memory-backend-file,id=x,mem-path=owned,size=1",
            "-netdev user,id=n,guestfwd=tcp:1-cmd:id",
            "-net user",
            "-serial file:owned",
            "--trace file=owned",
            "-incoming exec:id",
            "-readconfig secret",
            "-plugin x.so",
            "-daemonize",
            "stray",
        ] {
            let params = of(&format!("-cpu max {text} -m 1"));
            assert_eq!(params.left_out, [text], "{text}");
            assert_eq!(params.kept, ["-cpu", "max", "-m", "1"], "{text}");
        }
    }
}
