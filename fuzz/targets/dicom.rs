//! DICOM files: one alone, or a folder of two or three. What a client opens as a scan, and what a derived object takes over.
//!
//! The first byte says how many files there are, modulo 3; before each but the last stand two bytes with its length.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use blindscan_imaging::{Axis, OpenOptions, Opened, Scan, open};
use libfuzzer_sys::fuzz_target;

/// Scans are opened by path. One folder per process, in memory where the system has such a place.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let parent = if memory.is_dir() { memory } else { std::env::temp_dir() };
    let folder = parent.join(format!("blindscan-fuzz-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("the folder can be made");
    folder
});

fuzz_target!(|bytes: &[u8]| {
    let files = files(bytes);
    for number in 0..3 {
        let path = FOLDER.join(format!("{number}.dcm"));
        match files.get(number) {
            Some(file) => fs::write(path, file).expect("the input can be written"),
            None => drop(fs::remove_file(path)),
        }
    }
    let place = if files.len() == 1 { FOLDER.join("0.dcm") } else { FOLDER.clone() };
    if let Ok(Opened { scan, provenance }) = open(&place, &OpenOptions::default()) {
        // An input may be a file of another format, which has none.
        let references = provenance.map(|provenance| provenance.into_elements().slices.len());
        check(&scan, references);
    }
});

fn files(bytes: &[u8]) -> Vec<&[u8]> {
    let Some((&count, mut rest)) = bytes.split_first() else { return vec![bytes] };
    let mut files = Vec::new();
    for _ in 0..count % 3 {
        let Some((length, after)) = rest.split_first_chunk() else { break };
        let (file, after) = after.split_at(usize::from(u16::from_le_bytes(*length)).min(after.len()));
        files.push(file);
        rest = after;
    }
    files.push(rest);
    files
}

fn check(scan: &Scan, references: Option<usize>) {
    match scan {
        Scan::Volume(volume) => {
            assert_eq!(volume.voxels().len(), volume.size().iter().product::<usize>());
            assert!(volume.plane_count(Axis::Axial) > 0);
            assert!(references.is_none_or(|count| count == volume.size()[2]));
        }
        Scan::Picture(picture) => {
            let (rows, columns) = picture.size();
            assert_eq!(picture.grey().len(), rows * columns);
            assert!(references.is_none_or(|count| count == 1));
        }
    }
    let facts = scan.facts();
    assert!(facts.files_read > 0);
}
