//! Canaries: what must not be seen is looked for in every file and every word of the other side.

use std::fs;
use std::path::Path;

use blindscan_e2e::files::{UNSIGNED_BYTES, nifti};
use blindscan_e2e::hospital::Hospital;
use blindscan_e2e::program::run;
use blindscan_e2e::vendor::Vendor;
use blindscan_e2e::{segmenter, segmenter_plan, text};

const PATIENT: &str = "DOE^CANARY 1947";
/// So many bytes in a row are not found by chance.
const RUN: usize = 48;

/// All bytes that lie in a folder, and what is spoken.
fn everything(folder: &Path, words: &str) -> Vec<Vec<u8>> {
    let mut found = vec![words.as_bytes().to_vec()];
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false => found.push(fs::read(entry.path()).unwrap()),
            }
        }
    }
    found
}

fn holds(places: &[Vec<u8>], canary: &[u8]) -> bool {
    places.iter().any(|place| place.windows(canary.len()).any(|window| window == canary))
}

/// Voxels like noise, so that each stretch of them is a canary.
fn voxels(count: usize) -> Vec<u8> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..count).map(|_| next()).collect()
}

#[test]
fn neither_side_holds_or_says_what_belongs_to_the_other() {
    let hospital = Hospital::new();
    let vendor = Vendor::serve(&segmenter_plan(), &[&hospital], &[]);
    let voxels = voxels(128 * 128 * 12);
    fs::write(hospital.at("scan.nii"), nifti([128, 128, 12], UNSIGNED_BYTES, &voxels, PATIENT)).unwrap();
    hospital.ask(&["prepare", "--stock", "stock", "--count", "2"], &vendor.join()).done();
    let asked = ["segment", "scan.nii", "--out", "out", "--slices", "6", "--stock", "stock"];
    let ended = hospital.ask(&asked, &vendor.join()).done();
    vendor.event("ended");

    let theirs = everything(vendor.folder(), &vendor.words());
    assert!(!holds(&theirs, PATIENT.as_bytes()), "the vendor holds the patient's name");
    assert!(!holds(&theirs, b"scan.nii"), "the vendor holds the file's name");
    assert!(!holds(&theirs, &voxels[6 * 16384..][..RUN]), "the vendor holds voxels");

    let saved = tempfile::tempdir().unwrap();
    run(saved.path(), &["plan", &segmenter(), "--out", "."]).done();
    let weights = fs::read(saved.path().join("plan.weights")).unwrap();
    let model = fs::read(segmenter()).unwrap();
    let ours = everything(hospital.folder(), &(ended.stdout.clone() + &ended.stderr));
    for (what, bytes) in [("integer weights", &weights), ("model", &model)] {
        for at in [bytes.len() / 3, bytes.len() / 2, bytes.len() - 2 * RUN] {
            assert!(!holds(&ours, &bytes[at..][..RUN]), "the hospital holds the {what}");
        }
    }
    let words = ended.stdout + &ended.stderr;
    assert!(!words.contains(PATIENT), "a report or a line of progress names the patient");
    assert!(holds(&ours, PATIENT.as_bytes()), "the search finds what is there");
    assert!(!text(vendor.folder()).is_empty());
}
