//! `demo`: one command does the whole job and shows the proof.

use blindscan_e2e::program::run;
use blindscan_e2e::{root, text};

use crate::reports;

#[test]
fn the_demo_segments_the_bundled_slice_and_proves_the_answer() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("answers");
    let ended = run(&root(), &["demo", "--out", &text(&out)]).done();
    assert!(
        ended.stdout.contains("equals the clear integer model: yes, 16384 of 16384 values"),
        "{}",
        ended.stdout
    );
    assert!(ended.stdout.contains("offline") && ended.stdout.contains("turns"));
    assert!(ended.stdout.starts_with("class 0 background: "), "the result comes first: {}", ended.stdout);
    assert!(!ended.stdout.contains("convolution"), "layers are shown with --layers alone");
    assert!(ended.stderr.contains("left"), "progress tells the time left: {}", ended.stderr);

    let report = reports::read(&out.join("report.json"));
    reports::assert_keys(&report);
    reports::assert_equal(&report, 16384);
    assert!(reports::real(&report, "/dice/float") >= 0.99);
    assert!(reports::real(&report, "/dice/expert") >= 0.8);
    assert!(reports::bytes(&report, "offline").0 > 0 && reports::bytes(&report, "online").1 > 0);

    let (size, _, voxels) = reports::nifti(&out.join("mask.nii.gz"));
    assert_eq!(size, [128, 128, 92]);
    let marked = |slice: usize| voxels[slice * 16384..][..16384].iter().filter(|&&label| label == 1).count();
    assert!(marked(10) > 100, "the slice shows an infection");
    assert_eq!(
        voxels.iter().filter(|&&label| label != 0).count(),
        marked(10),
        "no other slice was asked for"
    );
    let overlay = image::open(out.join("overlay.png")).unwrap().to_rgb8();
    assert!(overlay.pixels().any(|pixel| pixel[0] != pixel[1]), "the outline is in colour");
}

#[test]
fn a_demo_without_its_files_says_what_is_missing() {
    let place = tempfile::tempdir().unwrap();
    let ended = run(place.path(), &["demo", "--out", "answers", "--data", "nowhere"]);
    ended.failed(&["nowhere"]);
    assert!(!place.path().join("answers/report.json").exists());
}
