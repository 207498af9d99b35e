//! What the system must provide, which Debian package has it, and why.

use std::path::Path;
use std::process::Command;

use crate::host::process;

/// What a step is about to do; each needs some of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Fetch and unpack QEMU's source.
    Source,
    /// Configure and compile QEMU.
    Build,
    /// Compile a version of QEMU that wants more than later ones.
    Older,
    /// Run a guest in QEMU.
    Run,
    /// Bind QEMU's C code to Rust.
    Bindgen,
    /// Count instructions.
    Count,
    /// Make a Linux guest: its kernel, and a static program for it.
    Linux,
    /// Build the kernel's own tests of KVM.
    Selftests,
    /// Build and run what strangers sent.
    Sandbox,
}

/// How the presence of a requirement is seen.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    /// One of these programs is on the path.
    Tool(&'static [&'static str]),
    /// pkg-config knows this library.
    Library(&'static str),
    /// One of these files exists.
    File(&'static [&'static str]),
    /// The system's Python can make a virtual environment with pip in it.
    PythonVenv,
    /// A libclang that bindgen can load.
    Libclang,
}

/// One requirement.
#[derive(Clone, Copy, Debug)]
pub struct Package {
    /// Its name in Debian.
    pub debian: &'static str,
    /// How its presence is seen.
    pub check: Check,
    /// The steps that need it.
    pub needs: &'static [Need],
    /// What for.
    pub why: &'static str,
}

use Need::{Bindgen, Build, Count, Linux, Older, Run, Sandbox, Selftests, Source};

/// Everything, in the order in which `doctor` lists it.
pub const PACKAGES: &[Package] = &[
    Package {
        debian: "git",
        check: Check::Tool(&["git"]),
        needs: &[Source, Build],
        why: "QEMU's source is kept as a repository, patches go on as commits",
    },
    Package {
        debian: "ca-certificates",
        check: Check::File(&[
            "/etc/ssl/certs/ca-certificates.crt",
            "/etc/pki/tls/certs",
            "/etc/ssl/cert.pem",
        ]),
        needs: &[Source, Build],
        why: "upstream's repository and Python packages come over https",
    },
    Package {
        debian: "xz-utils",
        check: Check::Tool(&["xz"]),
        needs: &[Source, Linux, Selftests],
        why: "source archives and a kernel's modules are xz-compressed",
    },
    Package {
        debian: "patch",
        check: Check::Tool(&["patch"]),
        needs: &[Source],
        why: "the source package's own patches are applied with it",
    },
    Package {
        debian: "gcc",
        check: Check::Tool(&["cc", "gcc", "clang"]),
        needs: &[Build, Selftests],
        why: "QEMU is compiled with it, and KVM's selftests",
    },
    Package {
        debian: "libc6-dev",
        check: Check::File(&["/usr/include/stdio.h"]),
        needs: &[Build],
        why: "the C library's headers",
    },
    Package {
        debian: "ninja-build",
        check: Check::Tool(&["ninja", "ninja-build", "samu"]),
        needs: &[Build],
        why: "QEMU is built with it",
    },
    Package {
        debian: "pkg-config",
        check: Check::Tool(&["pkg-config", "pkgconf"]),
        needs: &[Build],
        why: "QEMU's configure finds libraries with it",
    },
    Package {
        debian: "libglib2.0-dev",
        check: Check::Library("glib-2.0"),
        needs: &[Build],
        why: "QEMU is built on it",
    },
    Package {
        debian: "python3-venv",
        check: Check::PythonVenv,
        needs: &[Build],
        why: "QEMU's configure runs meson from a private virtual environment",
    },
    Package {
        debian: "libpixman-1-dev",
        check: Check::Library("pixman-1"),
        needs: &[Older],
        why: "QEMU 7.2 wants it although it has no display (10.0 and later do not)",
    },
    Package {
        debian: "libfdt-dev",
        check: Check::File(&["/usr/include/libfdt.h", "/usr/local/include/libfdt.h"]),
        needs: &[Older],
        why: "QEMU 7.2 wants it for one of its machines (10.0 and later do not)",
    },
    Package {
        debian: "seabios",
        check: Check::File(&["/usr/share/seabios/bios-256k.bin", "/usr/share/qemu/bios-256k.bin"]),
        needs: &[Run],
        why: "the guest's firmware (the source package has none)",
    },
    Package {
        debian: "qemu-system-data",
        check: Check::File(&["/usr/share/qemu/multiboot_dma.bin", "/usr/share/qemu/multiboot.bin"]),
        needs: &[Run],
        why: "the boot ROM that loads a guest kernel (the source package has none)",
    },
    Package {
        debian: "libclang-dev",
        check: Check::Libclang,
        needs: &[Bindgen],
        why: "bindgen reads QEMU's headers with it",
    },
    Package {
        debian: "valgrind",
        check: Check::Tool(&["valgrind"]),
        needs: &[Count],
        why: "`cargo xtask bench` counts QEMU's instructions with it",
    },
    Package {
        debian: "binutils",
        check: Check::Tool(&["ar"]),
        needs: &[Linux, Selftests],
        why: "a package with a kernel for `cargo xtask bench` is an ar archive",
    },
    Package {
        debian: "libc6-dev",
        check: Check::File(&[
            "/usr/lib/x86_64-linux-gnu/libc.a",
            "/usr/lib64/libc.a",
            "/usr/lib/libc.a",
        ]),
        needs: &[Linux, Selftests],
        why: "a program in a Linux guest of `cargo xtask bench` has its C library inside",
    },
    Package {
        debian: "make",
        check: Check::Tool(&["make"]),
        needs: &[Selftests],
        why: "`cargo xtask test-svm --suite kvm-selftests` builds them with it",
    },
    Package {
        debian: "bubblewrap",
        check: Check::Tool(&["bwrap"]),
        needs: &[Sandbox],
        why: "`cargo xtask review` builds and runs what strangers sent in a sandbox",
    },
    Package {
        debian: "util-linux",
        check: Check::Tool(&["setpriv"]),
        needs: &[Sandbox],
        why: "what is in the sandbox gets its user and its limits from setpriv and prlimit",
    },
];

impl Package {
    /// Is it there?
    pub fn present(&self) -> bool {
        match self.check {
            Check::Tool(names) => names.iter().any(|n| super::find_tool(n).is_some()),
            Check::Library(name) => pkg_config(name),
            Check::File(paths) => paths.iter().any(|p| Path::new(p).exists()),
            Check::PythonVenv => super::python::usable().is_some(),
            Check::Libclang => libclang(),
        }
    }
}

fn pkg_config(library: &str) -> bool {
    let mut c = Command::new("pkg-config");
    process::output(c.args(["--exists", library])).is_ok_and(|out| out.status.success())
}

/// What bindgen will load: it asks clang-sys too, which knows the places, `LIBCLANG_PATH`, and
/// that `libclang-cpp.so` is another library.
fn libclang() -> bool {
    clang_sys::load_manually().is_ok()
}
