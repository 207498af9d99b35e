//! What the command line shows to be wrong.

use std::fs;
use std::path::Path;

use crate::{too_wide, words, xtask};

/// Commands that cannot be meant, each with a word of what is said of it. PATCH is a patch, QEMU
/// a folder that is no tree of QEMU's.
const WRONG: &[(&str, &str)] = &[
    ("bench nosuch", "possible values"),
    ("bench --qemu /nowhere", "/nowhere"),
    ("bench --stock-qemu /nowhere", "/nowhere"),
    ("bench --json /dev/null/x", "/dev/null is no folder"),
    ("bisect nosuch", "nosuch"),
    ("bisect nosuch/x", "nosuch"),
    ("bisect conformance/*vmload* --versions 7.2,9.9", "9.9"),
    ("bisect conformance/*vmload* --versions 7.2,", "version"),
    ("bisect conformance/*vmload* --series /nowhere", "/nowhere"),
    ("bisect conformance/*vmload* --git a..b --qemu-src /nowhere", "/nowhere"),
    ("bisect kut/x --kvm-unit-tests /nowhere", "/nowhere"),
    ("bisect conformance/nosuch", "case list"),
    ("bisect conformance/*vmload* --versions 7.2", "two of them"),
    ("bisect conformance/*vmload* --versions 10.2.2,10.2.2", "each once"),
    ("build nosuch", "possible values"),
    ("build stock --series patches/qemu-10.2", "stock is without patches"),
    ("ci-config gitlab --image a;b", "no name of an image"),
    ("conform --cases 1000001", "1000001"),
    ("hostile --vmruns 0", "0 is not in"),
    ("soak --jobs 65535", "65535"),
    ("review --checkout . -- --output=x..HEAD", "no revision"),
    ("build patched --series /nowhere", "/nowhere"),
    ("build patched --base 7.2", "no series"),
    ("build stock --base 7.2 --flavour full", "cannot be built with every device"),
    ("build stock --base 9.9", "10.2.2"),
    ("build stock --qemu-src QEMU", "no QEMU source tree"),
    ("case list --feature nosuch", "npt"),
    ("case run nosuch", "nosuch"),
    ("case run pause/again --on qemu:/nowhere", "/nowhere"),
    ("ci --only nosuch", "clippy"),
    ("ci-config nosuch", "gitlab"),
    ("ci-config gitlab --base 9.9", "10.2.2"),
    ("conform --on nosuch", "qemu:patched"),
    ("conform --on qemu:patched,qemu:/nowhere", "/nowhere"),
    ("conform --on qemu:patched,c:/nowhere:/nowhere", "/nowhere"),
    ("conform --accel nosuch", "kvm"),
    ("conform --case nosuch", "nosuch"),
    ("conform --feature nosuch", "npt"),
    ("conform --json /dev/null/x", "/dev/null is no folder"),
    ("coverage --suite nosuch", "conformance"),
    ("coverage --require nosuch", "conformance"),
    ("coverage --series /nowhere", "/nowhere"),
    ("coverage --kvm-unit-tests /nowhere", "/nowhere"),
    ("coverage --json /dev/null/x", "/dev/null is no folder"),
    ("doctor --base 9.9", "10.2.2"),
    ("example --flavour full --base 7.2", "cannot be built with every device"),
    ("example --qemu /nowhere", "/nowhere"),
    ("example --series /nowhere", "/nowhere"),
    ("explain /nowhere", "/nowhere"),
    ("explain - --cpu nosuch", "EPYC"),
    ("hostile --on qemu:/nowhere", "/nowhere"),
    ("hostile --on model", "qemu:patched"),
    ("hostile --keep xyz --attempts 1", "hexadecimal"),
    ("layout --base 9.9", "10.2.2"),
    ("layout --qemu-src QEMU", "QEMU"),
    ("merge /nowhere", "/nowhere"),
    ("mutate --on qemu:/nowhere", "/nowhere"),
    ("mutate --feature nosuch", "npt"),
    ("package --base 7.2", "cannot be built with every device"),
    ("package --base 9.9", "10.2.2"),
    ("package --only rpm", "deb or tarball"),
    ("package --out /dev/null/x", "/dev/null is no folder"),
    ("package --qemu-src QEMU", "no QEMU source tree"),
    ("package --series /nowhere", "/nowhere"),
    ("report --suite nosuch", "conformance"),
    ("report --since nosuch", "stock-10.2.2"),
    ("report --html /dev/null/x", "/dev/null is no folder"),
    ("review /nowhere", "/nowhere"),
    ("review a..b", "--checkout"),
    ("review a..b --checkout QEMU", "a..b"),
    ("review PATCH --suite nosuch", "conformance"),
    ("review PATCH --kvm-unit-tests /nowhere", "/nowhere"),
    ("review PATCH --qemu-src QEMU", "no QEMU source tree"),
    ("review PATCH --markdown /dev/null/x", "/dev/null is no folder"),
    ("review PATCH --html /dev/null/x", "/dev/null is no folder"),
    ("rules --book /dev/null/x", "/dev/null is no folder"),
    ("rules --feature nosuch", "npt"),
    ("series export --series /nowhere", "/nowhere"),
    ("series export --since-revision nosuch", "nosuch"),
    ("series export -o /dev/null/x", "/dev/null is no folder"),
    ("series lint --series /nowhere", "/nowhere"),
    ("series verify --from 0", "--from"),
    ("series verify --from 9999", "9999"),
    ("series verify --from 3 --to 2", "--to"),
    ("series verify --from 2 --record", "recording a part"),
    ("series verify --suite nosuch", "conformance"),
    ("series verify --kvm-unit-tests /nowhere", "/nowhere"),
    ("soak --on qemu:/nowhere", "/nowhere"),
    ("soak --minutes=-1", "length of time"),
    ("soak --jobs 0", "0"),
    ("source --base 9.9", "10.2.2"),
    ("source --qemu-src QEMU", "no QEMU source tree"),
    ("test-svm --suite nosuch", "conformance"),
    ("test-svm --require nosuch", "conformance"),
    ("test-svm --feature nosuch", "npt"),
    ("test-svm --base 9.9", "10.2.2"),
    ("test-svm --qemu /nowhere", "/nowhere"),
    ("test-svm --stock-qemu /nowhere --only stock", "/nowhere"),
    ("test-svm --series /nowhere", "/nowhere"),
    ("test-svm --qemu-src QEMU", "no QEMU source tree"),
    ("test-svm --kvm-unit-tests /nowhere", "/nowhere"),
    ("test-svm --record --test x", "recording a part"),
    ("test-svm --shard 3/2 --results x", "K/N"),
    ("test-svm --json /dev/null/x", "/dev/null is no folder"),
    ("test-svm --junit /dev", "folder"),
];

/// A folder with git, so that nothing else can be fetched or built.
fn only_git(dir: &Path) {
    fs::create_dir(dir).unwrap();
    let found = std::env::split_paths(&std::env::var_os("PATH").unwrap())
        .map(|folder| folder.join("git"))
        .find(|path| path.is_file());
    std::os::unix::fs::symlink(found.expect("git is on the path"), dir.join("git")).unwrap();
}

fn a_patch() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../patches/qemu-10.2");
    let entries = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let patch = entries.filter(|path| path.extension().is_some_and(|end| end == "patch")).min();
    patch.expect("the series has patches").display().to_string()
}

#[test]
fn what_cannot_be_meant_is_refused_before_anything_is_fetched_built_or_locked() {
    let dir = tempfile::tempdir().unwrap();
    let (path, cache, qemu) =
        (dir.path().join("path"), dir.path().join("cache"), dir.path().join("qemu"));
    only_git(&path);
    fs::create_dir(&qemu).unwrap();
    let patch = a_patch();
    let mut faults = Vec::new();
    for (typed, says) in WRONG {
        let qemu = qemu.display().to_string();
        let args = words(typed).into_iter().map(|word| match word.as_str() {
            "PATCH" => patch.clone(),
            "QEMU" => qemu.clone(),
            _ => word,
        });
        let (code, said) = xtask(&cache, Some(path.as_os_str()), &args.collect::<Vec<_>>());
        // A name that is broken by the end of a line is said all the same.
        let whole = said.split_whitespace().collect::<Vec<_>>().join(" ");
        if code != 2 || !whole.contains(says) {
            faults.push(format!("{typed}: {code}, and not {says:?}: {said}"));
        }
        faults.extend(too_wide(&said).iter().map(|line| format!("{typed}: too wide: {line}")));
        let left: Vec<_> = fs::read_dir(&cache).into_iter().flatten().flatten().collect();
        if !left.is_empty() {
            faults.push(format!("{typed}: leaves {left:?} in the cache"));
            fs::remove_dir_all(&cache).unwrap();
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
