//! Building: what is built when, and what each failure says and leaves behind.

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use harness::qemu::build::{self, Built, Flavour, Spec};
use harness::qemu::source;
use harness::{Env, Error, Kind};
use support::{Scene, count, put};

fn spec(env: &Env, scene: &Scene, patches: &[PathBuf]) -> Spec {
    let source = source::obtain(env, &scene.request()).unwrap();
    Spec { source, patches: patches.to_vec(), flavour: Flavour::Release }
}

fn try_build(scene: &Scene, patches: &[PathBuf]) -> Result<Built, Error> {
    let env = scene.env();
    build::build(&env, &spec(&env, scene, patches))
}

fn exit_code(built: &Built) -> Option<i32> {
    Command::new(&built.path).status().unwrap().code()
}

#[test]
fn stock_and_patched_are_two_binaries_of_one_tree() {
    let scene = Scene::new();
    let patch = scene.patch("0001-x.patch", "VMCB_SIZE - 4096", "VMCB_SIZE - 4093");
    let stock = try_build(&scene, &[]).unwrap();
    let patched = try_build(&scene, &[patch]).unwrap();
    assert_eq!((exit_code(&stock), exit_code(&patched)), (Some(0), Some(3)));
    assert_eq!((stock.series_hash.as_str(), stock.qemu_version.as_str()), ("stock", "10.2.2"));
    assert_ne!(stock.id, patched.id);
    assert_eq!(patched.patches, ["0001-x.patch"]);
    assert_eq!(stock.firmware, [scene.qemu().canonicalize().unwrap().join("pc-bios")]);
    // One configure for both, and of the two objects only one was built twice.
    assert_eq!(count(&scene.tree().join("configured")), 1);
    assert_eq!(count(&scene.tree().join("compiled")), 3);
}

#[test]
fn what_was_built_is_not_built_again_whatever_its_message_says() {
    let scene = Scene::new();
    let patch = scene.patch("0001-x.patch", "return 1", "return 2");
    let first = try_build(&scene, std::slice::from_ref(&patch)).unwrap();
    let text = fs::read_to_string(&patch).unwrap();
    put(&patch, &text.replace("Why.", "Why, in better words."));
    assert_eq!(try_build(&scene, &[patch]).unwrap().id, first.id);
    try_build(&scene, &[]).unwrap();
    try_build(&scene, &[]).unwrap();
    assert_eq!(count(&scene.tree().join("compiled")), 3);
}

#[test]
fn a_changed_tree_of_the_user_is_another_base_and_is_not_written_to() {
    let scene = Scene::new();
    let first = try_build(&scene, &[]).unwrap();
    put(&scene.qemu().join("main.c"), "int main(void) { return 7; }\n");
    let second = try_build(&scene, &[]).unwrap();
    assert_ne!(first.base, second.base);
    assert_eq!(exit_code(&second), Some(7));
    assert!(!scene.qemu().join(".git").exists() && !scene.qemu().join("configs").exists());
}

#[test]
fn a_nested_checkout_is_part_of_the_source() {
    let scene = Scene::new();
    put(&scene.qemu().join("subprojects/keycodemapdb/README"), "x\n");
    let git = |args: &[&str]| {
        let dir = scene.qemu().join("subprojects/keycodemapdb");
        let identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"];
        assert!(
            Command::new("git")
                .args(identity)
                .args(args)
                .current_dir(dir)
                .status()
                .unwrap()
                .success()
        );
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "-m", "x"]);
    try_build(&scene, &[]).unwrap();
    assert!(scene.tree().join("src/subprojects/keycodemapdb/README").is_file());
}

#[test]
fn a_folder_that_is_no_qemu_tree_is_a_usage_error() {
    let scene = Scene::new();
    fs::remove_file(scene.qemu().join("target/i386/cpu.h")).unwrap();
    let e = source::obtain(&scene.env(), &scene.request()).unwrap_err();
    assert_eq!(e.kind(), Kind::Usage);
    let text = e.to_string();
    assert!(text.contains("is no QEMU source tree: it has no target/i386/cpu.h"), "{text}");
}

#[test]
fn a_patch_that_does_not_apply_is_named_with_file_and_hunk_and_leaves_no_trace() {
    let scene = Scene::new();
    let good = scene.patch("0001-good.patch", "return 1", "return 2");
    let bad = scene.patch("0002-bad.patch", "VMCB_SIZE - 4096", "VMCB_SIZE - 1");
    let text = fs::read_to_string(&bad).unwrap();
    put(&bad, &text.replace("-    return VMCB_SIZE - 4096;", "-    return something_else;"));
    try_build(&scene, &[]).unwrap();
    let e = try_build(&scene, &[good.clone(), bad]).unwrap_err();
    assert_eq!(e.kind(), Kind::Build);
    let text = e.to_string();
    assert!(text.contains("patch 0002-bad.patch does not apply to QEMU 10.2.2"), "{text}");
    assert!(text.contains("target/i386/svm.c: hunk 1 of 1: @@ -2,7 +2,7 @@"), "{text}");
    let svm = fs::read_to_string(scene.tree().join("src/target/i386/svm.c")).unwrap();
    assert!(svm.contains("return 1") && !svm.contains("4093"), "{svm}");
    assert_eq!(exit_code(&try_build(&scene, &[good]).unwrap()), Some(0));
}

#[test]
fn a_patch_that_does_not_compile_is_named_with_the_first_error() {
    let scene = Scene::new();
    let good = scene.patch("0001-good.patch", "return 1", "return 2");
    let bad = scene.patch("0002-bad.patch", "VMCB_SIZE - 4096", "no_such_thing");
    let e = try_build(&scene, &[good.clone(), bad]).unwrap_err();
    assert_eq!(e.kind(), Kind::Build);
    let text = e.to_string();
    assert!(text.contains("target/i386/svm.c:5: "), "{text}");
    assert!(text.contains("no_such_thing") && text.contains("from 0002-bad.patch"), "{text}");
    let log = PathBuf::from(text.lines().last().unwrap().split("log: ").nth(1).unwrap());
    assert!(fs::read_to_string(log).unwrap().contains("FAILED: svm.o"));
    assert!(text.lines().count() < 8, "{text}");
    try_build(&scene, &[good]).unwrap();
}

#[test]
fn a_configure_that_fails_is_a_build_error_with_its_words() {
    let scene = Scene::new();
    put(&scene.qemu().join("configure"), "#!/bin/sh\necho \"ERROR: glib is too old\"\nexit 1\n");
    let e = try_build(&scene, &[]).unwrap_err();
    assert_eq!(e.kind(), Kind::Build);
    assert!(e.to_string().contains("ERROR: glib is too old"), "{e}");
}

#[test]
fn a_full_disk_is_named_and_what_was_built_before_stays() {
    let scene = Scene::new();
    let stock = try_build(&scene, &[]).unwrap();
    let log = scene.tree().join("build.log");
    fs::remove_file(&log).unwrap();
    std::os::unix::fs::symlink("/dev/full", &log).unwrap();
    let patch = scene.patch("0001-x.patch", "return 1", "return 2");
    let e = try_build(&scene, std::slice::from_ref(&patch)).unwrap_err();
    assert_eq!(e.kind(), Kind::Harness);
    assert!(e.to_string().contains("the disk is full"), "{e}");
    fs::remove_file(&log).unwrap();
    assert_eq!(try_build(&scene, &[]).unwrap(), stock);
    try_build(&scene, &[patch]).unwrap();
}

#[test]
fn a_compiler_that_meets_a_full_disk_is_no_patchs_fault() {
    let scene = Scene::new();
    put(&scene.qemu().join("compile"), "cp ../src/main.c /dev/full\n");
    let e = try_build(&scene, &[]).unwrap_err();
    assert_eq!(e.kind(), Kind::Harness);
    assert!(e.to_string().contains("no space left"), "{e}");
}

#[test]
fn a_tree_that_someone_edited_is_put_right() {
    let scene = Scene::new();
    try_build(&scene, &[]).unwrap();
    let src = scene.tree().join("src");
    put(&src.join("main.c"), "broken\n");
    fs::remove_file(src.join("target/i386/cpu.h")).unwrap();
    put(&scene.tree().join("index"), "no index\n");
    let patch = scene.patch("0001-x.patch", "VMCB_SIZE - 4096", "VMCB_SIZE - 4094");
    assert_eq!(exit_code(&try_build(&scene, &[patch]).unwrap()), Some(2));
}

#[test]
fn two_runs_at_once_share_one_build() {
    let scene = Scene::new();
    let patch = scene.patch("0001-x.patch", "return 1", "return 2");
    let ids: Vec<_> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4)
            .map(|n| {
                let patches = if n % 2 == 0 { vec![] } else { vec![patch.clone()] };
                let scene = &scene;
                scope.spawn(move || try_build(scene, &patches).unwrap().id)
            })
            .collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    assert_eq!((&ids[0], &ids[1]), (&ids[2], &ids[3]));
    assert_eq!(count(&scene.tree().join("configured")), 1);
    assert_eq!(count(&scene.tree().join("compiled")), 3);
}
