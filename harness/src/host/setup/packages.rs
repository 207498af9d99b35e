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
    /// Compile QEMU with every device.
    Full,
    /// Pack what was compiled.
    Package,
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
    /// Build the tests that QEMU's own tree has.
    QemuTests,
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

use Need::Selftests;
use Need::Source;
use Need::{Bindgen, Build, Count, Full, Linux, Older, Package as Pack, QemuTests, Run, Sandbox};

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
        needs: &[Build, Selftests, QemuTests],
        why: "QEMU is compiled with it, KVM's selftests, and the tests in QEMU's tree",
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
        needs: &[Older, Full],
        why: "displays; QEMU 7.2 wants it although it has none (10.0 and later do not)",
    },
    Package {
        debian: "libfdt-dev",
        check: Check::File(&["/usr/include/libfdt.h", "/usr/local/include/libfdt.h"]),
        needs: &[Older, Full],
        why: "the machine microvm; QEMU 7.2 wants it always (10.0 and later do not)",
    },
    Package {
        debian: "libslirp-dev",
        check: Check::Library("slirp"),
        needs: &[Full],
        why: "for `cargo xtask package`: a network without rights (-nic user)",
    },
    Package {
        debian: "libpng-dev",
        check: Check::Library("libpng"),
        needs: &[Full],
        why: "for `cargo xtask package`: screenshots, and VNC",
    },
    Package {
        debian: "libjpeg-dev",
        check: Check::Library("libjpeg"),
        needs: &[Full],
        why: "for `cargo xtask package`: VNC",
    },
    Package {
        debian: "libncurses-dev",
        check: Check::Library("ncursesw"),
        needs: &[Full],
        why: "for `cargo xtask package`: a text screen in the terminal (-display curses)",
    },
    Package {
        debian: "libaio-dev",
        check: Check::File(&["/usr/include/libaio.h"]),
        needs: &[Full],
        why: "for `cargo xtask package`: disks (aio=native)",
    },
    Package {
        debian: "liburing-dev",
        check: Check::Library("liburing"),
        needs: &[Full],
        why: "for `cargo xtask package`: disks (aio=io_uring)",
    },
    Package {
        debian: "libzstd-dev",
        check: Check::Library("libzstd"),
        needs: &[Full],
        why: "for `cargo xtask package`: compressed disk images, and migration",
    },
    Package {
        debian: "libseccomp-dev",
        check: Check::Library("libseccomp"),
        needs: &[Full],
        why: "for `cargo xtask package`: -sandbox",
    },
    Package {
        debian: "libcap-ng-dev",
        check: Check::Library("libcap-ng"),
        needs: &[Full],
        why: "for `cargo xtask package`: a folder of the host in the guest (-virtfs)",
    },
    Package {
        debian: "libusb-1.0-0-dev",
        check: Check::Library("libusb-1.0"),
        needs: &[Full],
        why: "for `cargo xtask package`: the host's USB devices in the guest",
    },
    Package {
        debian: "libusbredirparser-dev",
        check: Check::Library("libusbredirparser-0.5"),
        needs: &[Full],
        why: "for `cargo xtask package`: USB devices over a network",
    },
    Package {
        debian: "libcapstone-dev",
        check: Check::Library("capstone"),
        needs: &[Full],
        why: "for `cargo xtask package`: disassembly (-d in_asm, x/i)",
    },
    Package {
        debian: "libgnutls28-dev",
        check: Check::Library("gnutls"),
        needs: &[Full],
        why: "for `cargo xtask package`: TLS for VNC, disks and migration",
    },
    Package {
        debian: "nettle-dev",
        check: Check::Library("nettle"),
        needs: &[Full],
        why: "for `cargo xtask package`: encrypted disk images",
    },
    Package {
        debian: "libnuma-dev",
        check: Check::File(&["/usr/include/numa.h"]),
        needs: &[Full],
        why: "for `cargo xtask package`: memory of the guest on a node of the host",
    },
    Package {
        debian: "dpkg-dev",
        check: Check::Tool(&["dpkg-shlibdeps"]),
        needs: &[Pack],
        why: "`cargo xtask package` asks it what a Debian package depends on",
    },
    Package {
        debian: "zstd",
        check: Check::Tool(&["zstd"]),
        needs: &[Pack],
        why: "`cargo xtask package` compresses the tarball with it",
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
        needs: &[Linux, Selftests, Pack],
        why: "a package of the distribution is an ar archive",
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
        needs: &[Selftests, Pack, QemuTests],
        why: "KVM's selftests, QEMU's own tests and QEMU's boot ROMs are built with it",
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
